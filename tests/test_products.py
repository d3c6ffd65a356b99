"""Margins and products over permuted bins against whole matrices, and how pairings are drawn."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import naive
import numpy as np
import pytest

from kstest.engine import Work
from kstest.engine.margins import margins
from kstest.engine.products import grid_products, table_products
from kstest.engine.shifts import DISTANCES, shift_products
from kstest.kernels import KERNELS, BandwidthGrid
from kstest.nulls.pairings import (
    pair_rows,
    permutation_grid,
    permutations_of,
    shift_grid,
    table,
)

WORK = Work(threads=2)


def grid(name, *widths):
    return BandwidthGrid(KERNELS[name], widths)


def moved(order, size, n):
    """Rows of the bins in this order, then the rows that never move."""
    rows = (np.asarray(order)[:, None] * size + np.arange(size)).ravel()
    return np.concatenate([rows, np.arange(len(rows), n)])


def taken(matrix, rows):
    return matrix[np.ix_(rows, rows)]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("d", [1, 6])
def test_margins_are_u_centred_kernels(name, d, rng):
    X = rng.normal(size=(23, d))
    (margin,) = margins([(X, grid(name, 1.3))], True, WORK)
    K = naive.kernel_matrix(X, name, 1.3)
    out = np.empty((1, 1, 23, 23))
    index = np.arange(23)[None]
    margin.values(index, index, True, out)
    np.testing.assert_allclose(out[0, 0], naive.u_centred(K), atol=1e-12)
    np.testing.assert_allclose(margin.sums[0], K.sum(axis=1))
    np.testing.assert_allclose(margin.mean_square, (K**2).sum() / (23 * 22))
    np.testing.assert_allclose(margin.centred_square, (naive.u_centred(K) ** 2).sum(), rtol=1e-9)


@pytest.mark.parametrize(("n", "size"), [(12, 1), (23, 4), (24, 4), (29, 5)])
def test_table_equals_whole_matrices(n, size, rng):
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=(n, 1))
    widths = (2.0, 0.6)
    found = margins([(X, grid("gaussian", *widths)), (Y, grid("laplace", 1.0))], True, WORK)
    orders = np.array([rng.permutation(n // size) for _ in range(6)])
    (products,) = table_products(found, [(0, 1)], [orders], size, WORK)
    L = naive.u_centred(naive.kernel_matrix(Y, "laplace", 1.0))
    for r, h in enumerate(widths):
        K = naive.u_centred(naive.kernel_matrix(X, "gaussian", h))
        expected = [(K * taken(L, moved(p, size, n))).sum() for p in orders]
        np.testing.assert_allclose(products[r, 0], expected, atol=1e-12)


@pytest.mark.parametrize(("n", "size"), [(14, 1), (23, 4), (24, 4)])
def test_grid_of_three_margins_equals_whole_matrices(n, size, rng):
    blocks = [rng.normal(size=(n, d)) for d in (1, 2, 1)]
    found = margins([(b, grid("gaussian", 2.0, 1.0)) for b in blocks], False, WORK)
    K = [[naive.kernel_matrix(b, "gaussian", h) for h in (2.0, 1.0)] for b in blocks]
    a, b, c = (np.array([rng.permutation(n // size) for _ in range(k)]) for k in (3, 3, 4))
    products = grid_products(found[:2], found[2:], ([a, b], [c]), size, False, WORK)
    assert products.shape == (2, 3, 4)
    for r, i, j in np.ndindex(2, 3, 4):
        rows = [moved(order, size, n) for order in (a[i], b[i], c[j])]
        expected = np.prod([taken(K[l][r], rows[l]) for l in range(3)], axis=0).sum()
        assert products[r, i, j] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [4, 5, 24, 2 * DISTANCES + 3, 2 * DISTANCES + 4])
def test_shifts_equal_whole_matrices(n, rng):
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=(n, 1))
    widths = (2.0, 0.6)
    found = margins([(X, grid("gaussian", *widths)), (Y, grid("laplace", 1.0, 3.0))], True, WORK)
    circle = rng.permutation(n)
    circles = np.array([rng.permutation(n) for _ in range(3)])
    sums = shift_products(*found, circle, circles, WORK)
    assert sums.shape == (2, 2, 3, n)
    np.testing.assert_array_equal(sums, shift_products(*found, circle, circles, Work(threads=1)))
    for r, q in np.ndindex(2, 2):
        K = naive.u_centred(naive.kernel_matrix(X, "gaussian", widths[r]))
        L = naive.u_centred(naive.kernel_matrix(Y, "laplace", (1.0, 3.0)[q]))
        for m in range(3):
            expected = [
                (taken(K, circle) * taken(L, np.roll(circles[m], -k))).sum() for k in range(n)
            ]
            np.testing.assert_allclose(sums[r, q, m], expected, atol=1e-11)


def test_float32_sums_stay_close_and_do_not_depend_on_threads(rng):
    n, size = 1100, 68
    X, Y = rng.normal(size=(n, 6)), rng.normal(size=(n, 1))
    orders = np.array([rng.permutation(16) for _ in range(5)])
    found, answers = {}, {}
    for threads in (1, 3):
        work = Work(threads=threads)
        found = margins([(X, grid("gaussian", 3.0)), (Y, grid("gaussian", 1.0))], True, work)
        assert found[0].rows.dtype == np.float32
        (answers[threads],) = table_products(found, [(0, 1)], [orders], size, work)
    np.testing.assert_array_equal(answers[1], answers[3])
    whole = []
    for rows, h in ((X, 3.0), (Y, 1.0)):
        D = ((rows[:, None] - rows) ** 2).sum(axis=2)
        K = np.exp(-D / (2 * h * h))
        np.fill_diagonal(K, 0)
        r, t = K.sum(axis=1), K.sum()
        K = K - (r[:, None] + r) / (n - 2) + t / ((n - 1) * (n - 2))
        np.fill_diagonal(K, 0)
        whole.append(K)
    expected = [(whole[0] * taken(whole[1], moved(p, size, n))).sum() for p in orders]
    spread = np.sqrt((whole[0] ** 2).sum() * (whole[1] ** 2).sum()) / n
    np.testing.assert_allclose(answers[1][0, 0], expected, atol=1e-4 * spread)


def test_observed_pairing_is_the_true_one(rng):
    """Whatever the storage orders, the first permutation joins each row with its own partner."""
    cut = pair_rows(rng.permutation(23), 4, 3, rng)
    rows = [cut.rows(block) for block in range(3)]
    assert all(sorted(r) == list(range(23)) for r in rows)
    first = table(cut, [(0, 2)], permutations_of(cut.bins, 3, rng))[0][0]
    np.testing.assert_array_equal(rows[0], rows[2][moved(first, 4, 23)])
    drawn = permutation_grid(cut, 2, 30, rng)
    orders = [*drawn.left, *drawn.right]
    assert [len(o) for o in orders] == [5, 5, 7]
    met = [r[moved(o[0], 4, 23)] for r, o in zip(rows, orders, strict=True)]
    np.testing.assert_array_equal(met[0], met[1])
    np.testing.assert_array_equal(met[0], met[2])
    assert len(drawn.cells) == len(set(drawn.cells)) == 31
    assert drawn.cells[0] == 0


def test_every_cell_of_a_grid_is_a_uniform_permutation():
    rng = np.random.default_rng(5)
    seen = Counter()
    for _ in range(600):
        cut = pair_rows(np.arange(3), 1, 2, rng)
        drawn = permutation_grid(cut, 1, 8, rng)
        for i, j in ((0, 1), (1, 0), (2, 2)):
            left, right = drawn.left[0][i], drawn.right[0][j]
            # relative permutation of the bins: which bin of y meets which bin of x
            x, y = cut.stored[0][left], cut.stored[1][right]
            seen[tuple(y[np.argsort(x)])] += 1
    assert set(seen) == set(permutations(range(3)))
    assert sum((count - 300) ** 2 / 300 for count in seen.values()) < 20.5  # 99.9 %, 5 degrees


@pytest.mark.parametrize(("n", "replicates"), [(5, 99), (40, 39), (40, 99)])
def test_a_circle_holds_the_true_pairing_at_its_cell(n, replicates, rng):
    cut = pair_rows(rng.permutation(n), 1, 2, rng)
    drawn = shift_grid(cut, replicates, rng)
    assert len(drawn.right) == -(-(replicates + 1) // n)
    assert len(drawn.cells) == len(set(drawn.cells)) == replicates + 1
    assert min(drawn.cells) >= 0
    assert max(drawn.cells) < drawn.right.size
    m, k = divmod(int(drawn.cells[0]), n)
    partner = cut.rows(1)[np.roll(drawn.right[m], -k)]
    np.testing.assert_array_equal(cut.rows(0)[drawn.left], partner)


def test_every_cell_of_the_circles_is_a_uniform_permutation():
    """So is the observed one, over pairings that are exchangeable; and it lies anywhere."""
    rng = np.random.default_rng(5)
    seen, where = Counter(), Counter()
    for _ in range(1200):
        cut = pair_rows(np.arange(3), 1, 2, rng)
        drawn = shift_grid(cut, 5, rng)
        where[int(drawn.cells[0])] += 1
        for m, k in ((1, 0), (1, 2)):
            x = cut.stored[0][drawn.left]
            y = cut.stored[1][np.roll(drawn.right[m], -k)]
            seen[m, k, tuple(y[np.argsort(x)])] += 1
    assert set(where) == {0, 1, 2}
    assert len(seen) == 12
    for cell in ((1, 0), (1, 2)):
        counts = [count for key, count in seen.items() if key[:2] == cell]
        assert sum((count - 200) ** 2 / 200 for count in counts) < 20.5  # 99.9 %, 5 degrees
