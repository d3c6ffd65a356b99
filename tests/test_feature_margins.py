"""Margins of low rank against U-centred kernel matrices."""

from __future__ import annotations

import numpy as np
import pytest

from kstest.engine import Work
from kstest.engine.feature_margins import FeatureMargin, feature_margins, feature_products
from kstest.engine.margins import margins
from kstest.engine.products import table_products
from kstest.kernels import KERNELS, BandwidthGrid, Rows

WORK = Work(threads=2)
WIDE = BandwidthGrid(KERNELS["gaussian"], (4.0, 2.0, 1.0))
OTHER = BandwidthGrid(KERNELS["gaussian"], (3.0, 1.5))


def both(X, Y, size, orders):
    blocks = [(Rows.of(X), WIDE), (Rows.of(Y), OTHER)]
    exact = margins(blocks, True, WORK)
    low = feature_margins(blocks, [rows for rows, _ in blocks], WORK)
    return (
        table_products(exact, [(0, 1)], [orders], size, WORK)[0],
        feature_products(low, [(0, 1)], [orders], size, WORK)[0],
        exact,
        low,
    )


@pytest.mark.parametrize(("n", "size"), [(200, 12), (207, 20), (96, 6)])
def test_all_rows_as_landmarks_give_the_products_of_kernels(n, size, rng):
    X = rng.normal(size=(n, 1))
    Y = X**2 + rng.normal(size=(n, 1))
    orders = np.array([rng.permutation(n // size) for _ in range(50)])
    expected, found, exact, low = both(X, Y, size, orders)
    # V-centred features beside U-centred kernels: the same up to 1 / n, and exactly so for which
    # permutations are larger.
    for r in range(3):
        for q in range(2):
            assert np.corrcoef(expected[r, q], found[r, q])[0, 1] > 0.999
            spread = expected[r, q].std()
            assert abs(expected[r, q] - found[r, q]).max() < 0.35 * spread
    for a, b in zip(exact, low, strict=True):
        np.testing.assert_allclose(a.centred_square, b.centred_square, rtol=0.1)


def test_products_equal_whole_matrices(rng):
    n, size = 61, 5
    F = [rng.normal(size=(n, 3)).astype(np.float32), rng.normal(size=(n, 2)).astype(np.float32)]
    H = [rng.normal(size=(n, 4)).astype(np.float32)]
    made = []
    for features, grid in ((F, OTHER), (H, BandwidthGrid(KERNELS["gaussian"], (1.0,)))):
        centred = [f - f.mean(axis=0) for f in features]
        own = [(f.astype(float) ** 2).sum(axis=1) for f in centred]
        made.append(FeatureMargin(centred, own, grid))
    orders = np.array([rng.permutation(n // size) for _ in range(7)])
    (found,) = feature_products(made, [(0, 1)], [orders], size, WORK)
    for r in range(2):
        K = (made[0].features[r] @ made[0].features[r].T).astype(float)
        L = (made[1].features[0] @ made[1].features[0].T).astype(float)
        shift = K.trace() * L.trace() / (n * (n - 1))
        for b, order in enumerate(orders):
            rows = (order[:, None] * size + np.arange(size)).ravel()
            rows = np.concatenate([rows, np.arange(len(rows), n)])
            moved = K * L[np.ix_(rows, rows)]
            expected = moved.sum() - moved.trace() - shift
            assert found[r, 0, b] == pytest.approx(expected, rel=1e-4, abs=1e-2)


def test_a_constant_block_says_nothing(rng):
    rows = Rows.of(np.ones((100, 1)))
    (margin,) = feature_margins([(rows, WIDE)], [rows.take(slice(0, 10))], WORK)
    assert (margin.centred_square == 0).all()
    assert all(np.isfinite(f).all() for f in margin.features)


def test_categories_have_features(rng):
    rows = Rows(np.empty((100, 0)), rng.integers(0, 4, size=(100, 1)).astype(np.int32))
    (margin,) = feature_margins([(rows, WIDE)], [rows.take(slice(0, 50))], WORK)
    assert [f.shape[1] <= 4 for f in margin.features] == [True] * 3


def test_taking_rows_of_both_blocks_anew_changes_nothing_but_their_order(rng):
    X, Y = rng.normal(size=(103, 1)), rng.normal(size=(103, 1))
    orders = np.array([rng.permutation(10) for _ in range(300)])
    _, found, _, low = both(X, Y, 10, orders)
    swap = np.concatenate([np.arange(100).reshape(10, 10)[::-1].ravel(), [102, 100, 101]])
    again = [margin.take(swap) for margin in low]
    mirrored = 9 - orders[:, ::-1]
    (moved,) = feature_products(again, [(0, 1)], [mirrored], 10, WORK)
    np.testing.assert_allclose(moved, found, rtol=1e-4, atol=1e-3)
