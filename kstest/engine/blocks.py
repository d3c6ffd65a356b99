"""Kernel sums over pairs of blocks of rows: one sweep, whatever the number of permutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid, Rows
from .denormals import flushed_denormals
from .fourier import fourier_sums
from .fourier import seconds as fourier_seconds
from .tiles import TILE_ROWS, Points, tile_values
from .work import Work, run_tasks, single_blas

# From this many columns on, distances come from a matrix product (benchmarks/engine.py prints
# both): with fewer, the direct sweep's strips stay in the first-level cache.
PRODUCT_COLUMNS = 8
PRODUCT_STEPS = 1e5  # multiplications for a pair of blocks, on average
# Below this many elementary steps NumPy has finished before numba could be imported.
NUMPY_STEPS = 4e8
# CPU seconds a step of either sweep, those of loading compiled code, and below how many of them no
# other way is looked for (benchmarks/engine.py).
NUMPY_STEP, COMPILED_STEP, LOADING, SHORT = 1.2e-9, 5e-11, 0.3, 0.02
# One compiled call covers about this many steps (0.1 to 0.3 s), so that progress moves and
# Ctrl-C is heard.
CALL_STEPS = 2e9
# Float32 distances are off by this share of |x|^2; where that moves the kernel's argument by more
# than a little for a tenth of the rows (a width far below the spread), float64 is used.
SINGLE_ROUNDING = 6e-8
ARGUMENT_ERROR = 0.02


@frozen
class Sums:
    """Kernel sums of L kernels over G blocks.

    Attributes
    ----------
    blocks : ndarray of float64 (L, G, G)
        Sum of k(x_i, x_j) over i in block a, j in block b, i != j; symmetric.
    squares : ndarray of float64 (L,), or None if they were not asked for
        Sum of k(x_i, x_j)^2 over all unordered pairs i < j.
    """

    blocks: NDArray[np.float64]
    squares: NDArray[np.float64] | None


def block_sums(
    rows: Rows | NDArray[np.float64],
    starts: NDArray[np.int64],
    grids: Sequence[BandwidthGrid],
    work: Work,
    squares: bool = True,
    weights: NDArray[np.float64] | None = None,
) -> Sums:
    """Sum the kernels of all bandwidth grids over all pairs of blocks.

    Parameters
    ----------
    rows : Rows, or ndarray (N, d)
        Scaled rows, block after block.
    starts : ndarray of int (G + 1,)
        Block g holds the rows starts[g] <= i < starts[g + 1].
    grids : sequence of BandwidthGrid
    work : Work
    squares : bool
        Whether the sums of squares are wanted; a single bandwidth is faster without.
    weights : ndarray (N,), optional
        The sums are then of w_i w_j k(x_i, x_j); the squares stay unweighted.

    Notes
    -----
    Memory: the rows three times in float32, L G^2 numbers, and a tile per thread. Time: N^2 / 2
    pairs times d plus the number of bandwidths; Gaussian kernels of one or two columns take time
    proportional to N where that is less (`kstest.engine.fourier`).
    """
    parts, rows = [], Rows.of(rows)
    with single_blas():
        for grid in grids:
            if _suits_series(rows, len(starts) - 1, grid):
                blocks, counted = fourier_sums(rows, starts, grid, work, weights)
                parts.append(Sums(blocks, counted if squares else None))
            elif _suits_compiled(rows, grid, weights is not None):
                parts.append(_compiled(rows, starts, grid, work, squares, weights))
            else:
                with flushed_denormals():
                    parts.append(_numpy(rows, starts, grid, work, squares, weights))
    kept = [p.squares for p in parts if p.squares is not None]
    return Sums(
        np.concatenate([p.blocks for p in parts]), np.concatenate(kept) if squares else None
    )


def series_serves(
    rows: Rows | NDArray[np.float64], blocks: int, grids: Sequence[BandwidthGrid]
) -> bool:
    """Say whether the pairs of all bandwidth grids are summed in linear time, by Fourier series."""
    return all(_suits_series(Rows.of(rows), blocks, grid) for grid in grids)


def _suits_series(rows: Rows, blocks: int, grid: BandwidthGrid) -> bool:
    """Say whether a Fourier series is faster than a sweep over pairs."""
    steps = _steps(len(rows), rows.width, len(grid))
    sweep = min(NUMPY_STEP * steps, COMPILED_STEP * steps + LOADING)
    return sweep > SHORT and fourier_seconds(rows, blocks, grid) < sweep


def _suits_compiled(rows: Rows, grid: BandwidthGrid, weighted: bool = False) -> bool:
    branch = grid.kernel.branch
    if grid.squaring and branch != 0:  # the loop that squares is that of exp(-u)
        return False
    if branch is None or _steps(len(rows), rows.width, len(grid)) < NUMPY_STEPS:
        return False
    if weighted and grid.kernel.geometry == "cityblock":  # its distances are no products
        return False
    return single_suffices(rows, grid)


def single_suffices(rows: Rows, grid: BandwidthGrid) -> bool:
    """Say whether float32 distances from a matrix product are exact enough for these widths."""
    if grid.kernel.geometry == "cityblock":
        return True
    norms = np.einsum("ij,ij->i", rows.values, rows.values)
    typical = np.partition(norms, int(0.9 * len(norms)))[int(0.9 * len(norms))]
    return bool(SINGLE_ROUNDING * typical * grid.factors.max() < ARGUMENT_ERROR)


def _steps(pairs_side: int, d: int, bandwidths: int) -> float:
    """Elementary steps of a sweep over pairs_side^2 / 2 pairs."""
    return pairs_side**2 / 2 * (4 + d / 2 + bandwidths)


def _numpy(
    rows: Rows,
    starts: NDArray[np.int64],
    grid: BandwidthGrid,
    work: Work,
    count_squares: bool,
    weights: NDArray[np.float64] | None,
) -> Sums:
    points = Points.of(rows)
    n, groups = len(points), len(starts) - 1
    out = np.zeros((len(grid), groups, groups))
    squares = np.zeros(len(grid))
    for first in range(0, n, TILE_ROWS):
        i = slice(first, min(first + TILE_ROWS, n))
        i_cut = cut_blocks(starts, i)
        for j in (i, slice(i.stop, n)):
            if j.start == j.stop:
                continue
            j_cut = cut_blocks(starts, j)
            for l, values in enumerate(tile_values(points, i, j, grid)):
                if weights is None:
                    part = np.add.reduceat(values, j_cut[1], axis=1)
                else:
                    part = np.add.reduceat(values * weights[j], j_cut[1], axis=1)
                    part *= weights[i, None]
                part = np.add.reduceat(part, i_cut[1], axis=0)
                out[l, i_cut[0], j_cut[0]] += part
                if j is not i:
                    out[l, j_cut[0], i_cut[0]] += part.T
                if count_squares:
                    flat = values.ravel()
                    squares[l] += flat @ flat * (0.5 if j is i else 1.0)
        work.progress(1 - (1 - i.stop / n) ** 2)
    return Sums(out, squares if count_squares else None)


def cut_blocks(starts: NDArray[np.int64], part: slice) -> tuple[slice, NDArray[np.int64]]:
    """Blocks that a range of rows touches, and where each begins within the range."""
    first = int(np.searchsorted(starts, part.start, side="right")) - 1
    last = int(np.searchsorted(starts, part.stop, side="left"))
    return slice(first, last), np.maximum(starts[first:last], part.start) - part.start


def _compiled(
    rows: Rows,
    starts: NDArray[np.int64],
    grid: BandwidthGrid,
    work: Work,
    count_squares: bool,
    weights: NDArray[np.float64] | None,
) -> Sums:
    points = Points.of(rows, np.float32)
    groups, d = len(starts) - 1, rows.values.shape[1]
    out = np.zeros((len(grid), groups, groups))
    # Small blocks of few columns make small products: the call costs more than the sum.
    large = (len(rows) / groups) ** 2 * d >= PRODUCT_STEPS
    product = grid.kernel.geometry == "euclidean" and d >= PRODUCT_COLUMNS and large
    largest, heavy = 1.0, None
    if weights is not None:  # as shares of the largest, lest single precision overflows
        largest = float(np.abs(weights).max()) or 1.0
        product, heavy = True, (weights / largest).astype(np.float32)
    way = "weighted" if heavy is not None else "product" if product else "direct"
    sweep = load_loops(way, work)
    per_pair = 2 * _steps(1, rows.width, len(grid))
    heights = np.diff(starts)
    spans = [
        (a, *span)
        for a in range(groups)
        for span in _spans(starts, a, CALL_STEPS / (int(heights[a]) * per_pair))
    ]
    costs = [float(heights[a]) * float(starts[last] - starts[b]) for a, b, last in spans]
    tasks = [(product, points, starts, *span, grid, count_squares, heavy) for span in spans]
    partial: list[NDArray[np.float64]] = []
    for (a, b, last), (sums, squares) in zip(
        spans, run_tasks(sweep, tasks, work, costs), strict=True
    ):
        out[:, a, b:last] = out[:, b:last, a] = sums
        partial.append(squares)
    out *= largest**2
    if not count_squares:
        return Sums(out, None)
    squares = np.sum(partial, axis=0)
    if grid.squaring and weights is None:
        # The next bandwidth is the square of this one; only the last was counted.
        totals = out.sum(axis=(1, 2)) / 2
        squares[:-1] = totals[1:]
    return Sums(out, squares)


def _spans(starts: NDArray[np.int64], a: int, width: float) -> list[tuple[int, int]]:
    """Ranges of blocks b >= a, each of about `width` rows and at least one block."""
    spans, first, last = [], a, len(starts) - 1
    while first < last:
        stop = int(np.searchsorted(starts, starts[first] + width, side="right")) - 1
        stop = min(max(stop, first + 1), last)
        spans.append((first, stop))
        first = stop
    return spans


def load_loops(
    way: str, work: Work
) -> Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Import the compiled sweep, telling the user when this machine has to compile it first.

    Only the loop of one way of summing is compiled or loaded: ``direct``, ``product``, ``weighted``
    or ``stein``, see `sweep.warm`.
    """
    from .. import jit  # not above: small runs need no compiled loop

    if not jit.is_compiled(part=way):
        work.notify("compiling the kernel sums, once per machine: a few seconds")
    from . import sweep

    sweep.warm(way)
    jit.mark_compiled(part=way)
    return sweep.sweep
