"""Calls the compiled loops for one task."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..kernels import KERNELS, MISMATCH, BandwidthGrid
from .loops import STRIP, block_row, product_tile, stein_row, weighted_tile
from .tiles import TILE_ROWS, Points


def sweep(
    product: bool,
    points: Points,
    starts: NDArray[np.int64],
    a: int,
    b_first: int,
    b_last: int,
    grid: BandwidthGrid,
    count_squares: bool,
    weights: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum block a against blocks b_first <= b < b_last.

    Rows with weights need `product`, the only way that knows them.

    Returns
    -------
    sums : ndarray (L, b_last - b_first)
    squares : ndarray (L,), or (0,) if they are not wanted
    """
    sums = np.zeros((len(grid), b_last - b_first))
    squares = np.zeros(len(grid) if count_squares else 0)
    # u = a D, with D in float32: factors as float32 too, or numba computes in float64.
    factors = grid.factors.astype(np.float32)
    apart = np.float32(MISMATCH[grid.kernel.geometry])
    cityblock = grid.kernel.geometry == "cityblock"
    code = grid.kernel.branch
    if not product:
        block_row(
            points.rows, points.columns, points.norms, points.codes, points.code_columns,
            apart, starts, a, b_first, b_last,
            cityblock, code, factors, grid.squaring, sums, squares,
        )  # fmt: skip
        return sums, squares
    buffer = np.empty(TILE_ROWS * STRIP, np.float32)
    for b in range(b_first, b_last):
        acc, acc2 = np.zeros(len(grid)), np.zeros(len(squares))
        for j in range(starts[b], starts[b + 1], STRIP):
            j_last = min(j + STRIP, starts[b + 1])
            for i in range(starts[a], starts[a + 1], TILE_ROWS):
                i_last = min(i + TILE_ROWS, starts[a + 1])
                # Contiguous whatever its shape: another layout would be another compilation.
                shape = (i_last - i, j_last - j)
                part = buffer[: shape[0] * shape[1]].reshape(shape)
                np.matmul(points.rows[i:i_last], points.columns[:, j:j_last], out=part)
                tile = (
                    part, points.norms[i:i_last], points.norms[j:j_last], points.codes[i:i_last],
                    points.code_columns[:, j:j_last], apart, i - j, a == b,
                    code, factors, grid.squaring,
                )  # fmt: skip
                if weights is None:
                    product_tile(*tile, acc, acc2)
                else:
                    weighted_tile(*tile, weights[i:i_last], weights[j:j_last], acc, acc2)
        sums[:, b - b_first] = acc
        squares += acc2 * (0.5 if a == b else 1.0)
    return sums, squares


# Ways of summing, each with a loop of its own.
WAYS = ("direct", "product", "weighted", "stein")


@cache
def warm(way: str) -> None:
    """Compile the loop of one way, or load it from the disk cache, on the smallest input."""
    starts = np.array([0, 1, 2])
    if way == "stein":
        one, two, out = np.zeros((2, 1)), np.zeros((1, 2)), np.zeros((1, 2, 2))
        stein_row(one, one, two, two, np.ones(2), starts, 0, 2, 1, np.ones(1), out, np.zeros(1))
        return
    points = Points.of(np.zeros((2, 1)), np.float32)
    grid = BandwidthGrid(KERNELS["gaussian"], (1.0,), squaring=True)
    weights = np.ones(2, np.float32) if way == "weighted" else None
    sweep(way != "direct", points, starts, 0, 0, 2, grid, True, weights)
