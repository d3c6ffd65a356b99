"""Block sums and quadratic forms against their naive twins, in every way they can be computed."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from kstest.engine import Work, block_sums, blocks, forms, quadratic_forms
from kstest.kernels import KERNELS, MISMATCH, BandwidthGrid, Rows, bandwidth_grid, pair_distances

# Odd sizes around the strip, the four-row step and the tile.
CUTS = [[0, 1], [0, 1, 2], [0, 3, 6, 7], [0, 4, 8, 13], [0, 5, 5, 9]]


def cut(sizes):
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@pytest.fixture(params=["numpy", "compiled", "compiled product"])
def way(request, monkeypatch):
    """Force one of the three sweeps, whatever the size."""
    monkeypatch.setattr(blocks, "NUMPY_STEPS", np.inf if request.param == "numpy" else 0)
    columns = 1 if request.param == "compiled product" else 10**9
    monkeypatch.setattr(blocks, "PRODUCT_COLUMNS", columns)
    monkeypatch.setattr(blocks, "PRODUCT_STEPS", 0)
    return request.param


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 2), (4, 4, 5), (2, 7)])
def test_block_sums_equal_double_loop(way, name, sizes, rng):
    rows = rng.normal(size=(sum(sizes), 3))
    grid = (
        BandwidthGrid(KERNELS[name], (2.0, 0.7))
        if KERNELS[name].has_bandwidth
        else BandwidthGrid(KERNELS[name], (1.0,))
    )
    found = block_sums(rows, cut(sizes), [grid], Work(threads=2))
    for l, h in enumerate(grid.bandwidths):
        K = naive.kernel_matrix(rows, name, h)
        np.testing.assert_allclose(found.blocks[l], naive.block_sums(K, cut(sizes)), rtol=3e-6)
        np.testing.assert_allclose(found.squares[l], (K**2).sum() / 2, rtol=3e-6)
    without = block_sums(rows, cut(sizes), [grid], Work(threads=1), squares=False)
    assert without.squares is None
    np.testing.assert_allclose(without.blocks, found.blocks, rtol=1e-6)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 2), (14, 9)])
@pytest.mark.parametrize("scale", [1.0, 1e30])
def test_weighted_block_sums_equal_double_loop(way, name, sizes, scale, rng):
    """Weights of both signs, among them ones whose squares are no float32."""
    rows, w = rng.normal(size=(sum(sizes), 3)), scale * rng.normal(size=sum(sizes))
    step = KERNELS[name].ratio or 1.0
    squaring = KERNELS[name].ratio is not None
    grid = BandwidthGrid(
        KERNELS[name], (2.0, 2.0 / step, 2.0 / step**2) if squaring else (1.0,), squaring
    )
    found = block_sums(rows, cut(sizes), [grid], Work(threads=2), weights=w)
    for l, h in enumerate(grid.bandwidths):
        K = naive.kernel_matrix(rows, name, h)
        expected = naive.block_sums(K * np.outer(w, w), cut(sizes))
        error = 4e-6 * naive.block_sums(K * np.outer(abs(w), abs(w)), cut(sizes))
        assert (abs(found.blocks[l] - expected) <= abs(error)).all()
        np.testing.assert_allclose(found.squares[l], (K**2).sum() / 2, rtol=1e-5)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "imq"])
@pytest.mark.parametrize("numeric", [0, 1, 3])
def test_categories_multiply_an_equality_kernel(way, name, numeric, rng):
    """Gaussian and Laplace: the product with exp(-a MISMATCH) where levels differ."""
    sizes = (5, 3, 8)
    values, codes = rng.normal(size=(16, numeric)), rng.integers(-1, 3, size=(16, 2))
    rows = Rows(values, codes.astype(np.int32))
    grid = BandwidthGrid(KERNELS[name], (1.7,))
    found = block_sums(rows, cut(sizes), [grid], Work(threads=2))
    one_hot = np.hstack([(codes[:, [c]] == np.arange(-1, 3)) * 1.0 for c in range(2)])
    # Levels that differ are 2 apart in squared one-hot distance, and in city-block distance.
    unit = MISMATCH["cityblock"] / 2 if name == "laplace" else 1.0
    K = naive.kernel_matrix(np.hstack([values, unit * one_hot]), name, 1.7)
    np.testing.assert_allclose(found.blocks[0], naive.block_sums(K, cut(sizes)), rtol=3e-6)
    if name == "gaussian":
        product = naive.kernel_matrix(values, name, 1.7) if numeric else np.ones((16, 16))
        for c in range(2):
            differ = codes[:, [c]] != codes[:, c]
            product = product * np.exp(differ * MISMATCH["euclidean"] / (-2 * 1.7**2))
        off = ~np.eye(16, dtype=bool)
        np.testing.assert_allclose(K[off], product[off])


@pytest.mark.parametrize("name", ["gaussian", "laplace"])
@pytest.mark.parametrize("bandwidths", [1, 2, 5, 6, 9])
def test_ladder_by_squaring_equals_each_bandwidth(way, name, bandwidths, rng):
    rows = rng.normal(size=(12, 2))
    step = KERNELS[name].ratio
    widths = tuple(3.0 / step**i for i in range(bandwidths))
    starts = cut([5, 1, 6])
    one_by_one = [
        block_sums(rows, starts, [BandwidthGrid(KERNELS[name], (h,))], Work(threads=1))
        for h in widths
    ]
    squared = block_sums(
        rows, starts, [BandwidthGrid(KERNELS[name], widths, True)], Work(threads=1)
    )
    # Each squaring doubles the relative error of the float32 value.
    tolerance = 1e-12 if way == "numpy" else 2e-7 * 2**bandwidths
    np.testing.assert_allclose(
        squared.blocks, np.concatenate([s.blocks for s in one_by_one]), rtol=tolerance, atol=1e-30
    )
    np.testing.assert_allclose(
        squared.squares, np.concatenate([s.squares for s in one_by_one]), rtol=tolerance
    )


@pytest.mark.parametrize("size", [255, 256, 257, 511, 512, 513, 1025])
def test_compiled_equals_numpy_around_tile_edges(size, monkeypatch, rng):
    rows = rng.normal(size=(size + 130, 3))
    starts = cut([size, 64, 63, 3])
    grid = bandwidth_grid(KERNELS["gaussian"], pair_distances(rows[:50], "euclidean"))
    reference = block_sums(rows, starts, [grid], Work(threads=1))
    monkeypatch.setattr(blocks, "NUMPY_STEPS", 0)
    monkeypatch.setattr(blocks, "PRODUCT_STEPS", 0)
    for columns in (1, 10**9):
        monkeypatch.setattr(blocks, "PRODUCT_COLUMNS", columns)
        found = block_sums(rows, starts, [grid], Work(threads=2))
        np.testing.assert_allclose(found.blocks[:6], reference.blocks[:6], rtol=2e-5)
        np.testing.assert_allclose(found.squares[:6], reference.squares[:6], rtol=2e-5)
    w = rng.exponential(size=len(rows))
    found = block_sums(rows, starts, [grid], Work(threads=2), weights=w)
    monkeypatch.setattr(blocks, "NUMPY_STEPS", np.inf)
    reference = block_sums(rows, starts, [grid], Work(threads=1), weights=w)
    np.testing.assert_allclose(found.blocks[:6], reference.blocks[:6], rtol=2e-5)


def test_result_does_not_depend_on_threads_or_on_the_size_of_a_call(way, monkeypatch, rng):
    rows = rng.normal(size=(700, 4))
    starts = cut([100] * 7)
    grid = BandwidthGrid(KERNELS["gaussian"], (1.0, 2**-0.5), True)
    one = block_sums(rows, starts, [grid], Work(threads=1))
    monkeypatch.setattr(blocks, "CALL_STEPS", 1)
    many = block_sums(rows, starts, [grid], Work(threads=3))
    np.testing.assert_array_equal(one.blocks, many.blocks)
    np.testing.assert_allclose(one.squares, many.squares, rtol=1e-13)


def test_exponential_is_accurate_over_its_whole_range():
    from kstest.kernels.compiled import exp_minus

    u = np.concatenate([np.geomspace(1e-12, 80, 1_000), [0.0]]).astype(np.float32)
    found = np.array([exp_minus(v) for v in u], dtype=np.float64)
    exact = np.exp(-u.astype(np.float64))
    assert (np.abs(found / exact - 1) <= 3e-7 + 1e-7 * u).all()
    assert exp_minus(np.float32(1e30)) < 1e-37


@pytest.mark.parametrize("name", ["gaussian", "laplace", "imq"])
@pytest.mark.parametrize("n", [5, 256, 257, 600])
def test_forms_from_rows_equal_forms_from_block_sums(name, n, monkeypatch, rng):
    rows, starts = rng.normal(size=(n, 3)), np.arange(n + 1)
    signs = rng.choice(np.array([-1, 1], np.int8), size=(n, 12))
    grid = BandwidthGrid(
        KERNELS[name], (2.0, 2.0 / (KERNELS[name].ratio or 2)), bool(KERNELS[name].ratio)
    )
    stored = quadratic_forms(rows, starts, signs, [grid], Work(threads=1))
    monkeypatch.setattr(forms, "MOST_STORED", 1)
    monkeypatch.setattr(forms, "TILE_COLUMNS", 100)
    streamed = quadratic_forms(rows, starts, signs, [grid], Work(threads=2))
    for part in ("quadratic", "linear", "total"):
        a, b = getattr(stored, part), getattr(streamed, part)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(stored.total).max())
    if len(grid) > 1:
        np.testing.assert_allclose(stored.size, streamed.size, rtol=1e-4)


@pytest.mark.parametrize("way", ["blocks", "rows", "landmarks"])
def test_every_other_bandwidth(way, monkeypatch, rng):
    monkeypatch.setattr(forms, "MOST_STORED", 1 if way == "rows" else 1024)
    rows, starts = rng.normal(size=(40, 3)), np.arange(0, 41, 1 if way == "rows" else 4)
    signs = rng.choice(np.array([-1, 1], np.int8), size=(len(starts) - 1, 6))
    grids = [
        bandwidth_grid(KERNELS["gaussian"], pair_distances(rows, "euclidean")),
        BandwidthGrid(KERNELS["imq"], (2.0, 1.0, 0.5)),
    ]
    landmarks = Rows.of(rows[::3]) if way == "landmarks" else None
    given = rows, starts, signs, grids, Work(threads=1), None, landmarks
    every, some = quadratic_forms(*given), quadratic_forms(*given, every=2)
    keep = np.concatenate([np.arange(len(grid)) % 2 == 0 for grid in grids])
    for part in ("quadratic", "linear", "total", "size"):
        np.testing.assert_array_equal(getattr(some, part), getattr(every, part)[keep])


def test_forms_equal_their_definition(rng):
    rows = rng.normal(size=(9, 2))
    signs = rng.choice(np.array([-1, 1], np.int8), size=(9, 4))
    grid = BandwidthGrid(KERNELS["imq"], (1.3,))
    found = quadratic_forms(rows, np.arange(10), signs, [grid], Work(threads=1))
    K, v = naive.kernel_matrix(rows, "imq", 1.3), signs.astype(float)
    np.testing.assert_allclose(found.quadratic[0], [x @ K @ x for x in v.T])
    np.testing.assert_allclose(found.linear[0], K.sum(axis=0) @ v)
    np.testing.assert_allclose(found.total[0], K.sum())
    np.testing.assert_allclose(found.size[0], np.abs(K).sum() / 72)


def test_width_far_below_the_spread_is_computed_in_double_precision(rng):
    # Two tight clusters far from each other: float32 could not tell rows of a cluster apart.
    rows = np.concatenate([rng.normal(size=(400, 2)), 1e5 + rng.normal(size=(400, 2))])
    grid = BandwidthGrid(KERNELS["gaussian"], (1.0,))
    assert not blocks._suits_compiled(
        Rows.of(np.repeat(rows - rows.mean(axis=0), 20, axis=0)), grid
    )
    assert blocks._suits_compiled(Rows.of(rng.normal(size=(20_000, 2))), grid)
