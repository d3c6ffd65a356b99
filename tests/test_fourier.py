"""Block sums from Fourier series against double loops over pairs."""

from __future__ import annotations

import naive
import numpy as np
import pytest

import kstest
from kstest.engine import Work, block_sums, blocks, fourier
from kstest.kernels import KERNELS, BandwidthGrid, Rows, bandwidth_grid, choose, pair_distances

GAUSSIAN = KERNELS["gaussian"]


def cut(sizes):
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def distributions(rng, n, d):
    """Shapes of data that stretch, empty or degenerate the range."""
    values = rng.normal(size=(n, d))
    return {
        "normal": values,
        "tied": np.round(values),
        "outlier": np.vstack([values[:-1], np.full((1, d), 60.0)]),
        "far from zero": values + 1e5,
        "constant": np.full((n, d), 3.0),
    }


@pytest.mark.parametrize("distribution", ["normal", "tied", "outlier", "far from zero", "constant"])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_equal_double_loop(distribution, d, weighted, rng):
    sizes = [40, 1, 40, 40, 17, 2]
    rows = distributions(rng, sum(sizes), d)[distribution]
    w = rng.normal(size=len(rows)) if weighted else None
    grid = BandwidthGrid(GAUSSIAN, tuple(6.0 / 2 ** (i / 2) for i in range(9)), squaring=True)
    got, squares = fourier.fourier_sums(Rows.of(rows), cut(sizes), grid, Work(threads=2), w)
    heavy = np.ones(len(rows)) if w is None else w
    for l, h in enumerate(grid.bandwidths):
        K = naive.kernel_matrix(rows, "gaussian", h)
        expected = naive.block_sums(K * np.outer(heavy, heavy), cut(sizes))
        scale = naive.block_sums(np.outer(abs(heavy), abs(heavy)), cut(sizes)) + 1e-300
        assert (abs(got[l] - expected) / scale).max() < 3e-8
        assert squares[l] == pytest.approx((K**2).sum() / 2, abs=1e-4 * len(rows) ** 2 / 2)


@pytest.mark.parametrize("widths", [(1.0,), (0.3, 5.0, 1.0), tuple(np.linspace(5, 0.05, 10))])
def test_bandwidths_in_any_order_and_of_any_spacing(widths, rng):
    rows, starts = rng.normal(size=(60, 1)), cut([30, 30])
    got, _ = fourier.fourier_sums(
        Rows.of(rows), starts, BandwidthGrid(GAUSSIAN, widths), Work(threads=1)
    )
    for l, h in enumerate(widths):
        K = naive.kernel_matrix(rows, "gaussian", h)
        np.testing.assert_allclose(got[l], naive.block_sums(K, starts), atol=3e-8 * 900)


@pytest.mark.parametrize("d", [1, 2])
def test_threads_and_parts_change_nothing(d, rng, monkeypatch):
    rows = rng.normal(size=(3000, d))
    grid = bandwidth_grid(GAUSSIAN, pair_distances(rows[:300], "euclidean"))
    starts = np.arange(0, 3001, 50)
    one = fourier.fourier_sums(Rows.of(rows), starts, grid, Work(threads=1))
    two = fourier.fourier_sums(Rows.of(rows), starts, grid, Work(threads=2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    monkeypatch.setattr(fourier, "HELD", 100_000)
    monkeypatch.setattr(fourier, "TASK_VALUES", 10_000)
    parts = fourier.fourier_sums(Rows.of(rows), starts, grid, Work(threads=2))
    np.testing.assert_allclose(parts[0], one[0], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("collection", ["mahalanobis", "fuse"])
def test_the_series_is_taken_where_it_is_faster_and_agrees(collection, rng, monkeypatch):
    rows = rng.normal(size=(6000, 1))
    grid = choose(GAUSSIAN, pair_distances(rows[:300], "euclidean"), "aggregate", collection)
    starts = np.arange(0, 6001, 100)
    assert blocks._suits_series(Rows.of(rows), 60, grid)
    series = block_sums(rows, starts, [grid], Work(threads=1))
    monkeypatch.setattr(blocks, "_suits_series", lambda *a: False)
    sweep = block_sums(rows, starts, [grid], Work(threads=1))
    np.testing.assert_allclose(series.blocks, sweep.blocks, atol=2e-5 * 1e4)
    np.testing.assert_allclose(series.squares, sweep.squares, rtol=2e-4)


@pytest.mark.parametrize(
    "rows",
    [
        Rows.of(np.ones((100_000, 3))),
        Rows(np.ones((100_000, 1)), np.zeros((100_000, 1), np.int32)),
        Rows.of(np.append(np.zeros(99_999), 1e300)[:, None]),
        Rows.of(np.append(np.zeros(99_999), np.inf)[:, None]),
    ],
    ids=["three columns", "a category", "an enormous range", "infinite"],
)
def test_other_rows_are_left_to_the_sweep(rows):
    with np.errstate(invalid="ignore"):
        assert not blocks._suits_series(rows, 100, BandwidthGrid(GAUSSIAN, (1.0, 0.5)))
    line = Rows.of(np.linspace(0, 1, 100_000)[:, None])
    assert not blocks._suits_series(line, 100, BandwidthGrid(KERNELS["laplace"], (1.0,)))
    assert blocks._suits_series(line, 100, BandwidthGrid(GAUSSIAN, (1.0, 0.5)))


def test_the_test_itself_gives_the_p_value_of_the_sweep(rng, monkeypatch):
    X, Y = rng.normal(size=(4000, 1)), rng.normal(size=(3000, 1)) * 1.05
    series = kstest.mmd(X, Y, permutations=199)
    monkeypatch.setattr(blocks, "_suits_series", lambda *a: False)
    sweep = kstest.mmd(X, Y, permutations=199)
    assert series.p_value == sweep.p_value
    assert series.statistic == pytest.approx(sweep.statistic, rel=1e-3)
