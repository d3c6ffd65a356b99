"""Block sums from kernel values at landmark rows: time proportional to the number of rows.

With landmarks z_1..z_r, the Nystrom kernel

    k_z(x, y) = k(x, z) C^-1 k(z, y),   C = k(z, z) + eps r I,

is positive definite and at most k. Its sums over pairs of blocks need k(x_i, z_j) only, summed over
the rows of each block: with B (G, r) these sums and C = R R', the table of block sums is S S',
S = B R^-T. A permutation test with k_z is exact like one with k, as long as the landmarks do not
tell the two samples apart; who chooses them sees to that (`kstest.methods.two_samples`). From
r = sqrt(N) on the test separates at the rate of the test with k (Chatalic, Letizia, Schreuder,
Rosasco 2025, arXiv 2502.13570).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import BandwidthGrid, Rows
from .blocks import single_suffices
from .tiles import TILE_ROWS, Points, distances, tile_values
from .work import Work, run_tasks, single_blas, stage

Array = NDArray[np.float64]
AnyArray = NDArray[np.floating[Any]]

# Share of the trace added to C. Kernel values in single precision are off by 6e-8, which C^-1/2
# magnifies by 1 / sqrt(eps r): a smaller one would let rounding noise in.
RIDGE = 1e-6
# Rows that say how large kernel values are; any number that sees no labels serves.
SIZED = 500
# The sum over a batch is rounded to multiples of this; single precision is no finer.
GRAIN = 2.0**-18
# Rows from which on sums are worth loading a compiled loop.
COMPILED_ROWS = 100_000
# Rows that are centred and rounded at a time, a multiple of TILE_ROWS.
SPAN_ROWS = 16 * TILE_ROWS
# Rows whose weights are drawn at a time: 32 MB for a thousand draws.
DRAWN_ROWS = 4096


def landmark_count(n: int) -> int:
    """Return how many landmarks N rows get: sqrt(N), from 256 to 1,024, a multiple of 64."""
    return int(np.clip(64 * np.ceil(np.sqrt(n) / 64), 256, 1024))


def landmark_sums(
    rows: Rows,
    starts: NDArray[np.int64],
    landmarks: Rows,
    grids: Sequence[BandwidthGrid],
    work: Work,
    weights: Array | None = None,
    every: int = 1,
) -> tuple[Array, Array]:
    """Sum the Nystrom kernels of all bandwidth grids over all pairs of blocks.

    Parameters
    ----------
    rows : Rows
        N rows, block after block.
    starts : ndarray of int (G + 1,)
    landmarks : Rows
        r rows.
    grids : sequence of BandwidthGrid
        L kernels in all.
    work : Work
    weights : ndarray (N,), optional
        The sums are then of w_i w_j k_z(x_i, x_j).
    every : int
        Only every so many bandwidths of a grid, from the widest on.

    Returns
    -------
    blocks : ndarray (L, G, G)
        Without the pairs i = i, which the Nystrom kernel does not know exactly: their sum over a
        block is taken to be the share of the sum of w_i^2 k(x_i, x_i) that it is in a sample of
        rows.
    size : ndarray (L,)
        Root mean square of k(x_i, x_j), i != j, over a sample of rows.

    Notes
    -----
    Time: N r kernel values of every bandwidth, L r^3 / 3 and L G^2 r. Memory: 8 L G r bytes.
    """
    import scipy.linalg  # noqa: F401  (before its BLAS is kept on one thread)

    # Evenly spaced: blocks hold rows in random order, and no random numbers are needed.
    few = rows.take(np.linspace(0, len(rows) - 1, min(SIZED, len(rows))).astype(np.int64))
    tables, sizes, share = [], [], 1.0 / len(grids)
    for number, grid in enumerate(grids):
        sums = _row_sums(rows, starts, landmarks, grid, weights, stage(work, number * share, 1.0))
        corrections = _corrections(rows, few, starts, landmarks, grid, weights)
        tables += _tables(sums, landmarks, few, grid, corrections, every)
        sizes.append(_sizes(few, grid)[::every])
        work.progress((number + 1) * share)
    return np.array(tables), np.concatenate(sizes)


def _tables(
    sums: Array,
    landmarks: Rows,
    few: Rows,
    grid: BandwidthGrid,
    corrections: tuple[Array, float, Array],
    every: int = 1,
) -> list[Array]:
    """Tables of block sums, (G, G) each, from sums at landmarks, (L, G, r): see `_corrections`."""
    own, own_few, shift = corrections
    r, tables = len(landmarks), []
    for l, values in enumerate(_values(_joined(landmarks, few), r, grid)):
        if l % every:
            continue
        inner, outer = values[:r], values[r:]
        with single_blas():
            root = _root(inner)
            features = _whitened(root, sums[l])
            table = features @ features.T
            at_few = float((_whitened(root, outer) ** 2).sum())
        table[np.diag_indices(len(table))] -= own * (at_few / own_few)
        tables.append(table - shift)
    return tables


def batch_sums(
    rows: Rows,
    block: NDArray[np.int64],
    landmarks: Rows,
    grids: Sequence[BandwidthGrid],
    out: Array,
) -> None:
    """Add the kernel values of a batch of rows at landmarks to the sums of their blocks.

    Parameters
    ----------
    rows : Rows
        n rows, in any order.
    block : ndarray of int (n,)
        Block of every row, below G.
    landmarks : Rows
        r rows.
    grids : sequence of BandwidthGrid
        L kernels in all, with a bandwidth.
    out : ndarray (L, G, r)
        Is added to, multiples of GRAIN: they add up exactly, so that the sums over many batches are
        the same in any order, up to 10^10 rows.

    Notes
    -----
    Centre and precision of the distances follow from the landmarks alone. From the rows of a batch
    they would differ between batches, and so between the samples: a far row in one file, by which
    all rows beside it are rounded in another way, would be taken for a difference.
    """
    order = np.argsort(block, kind="stable")
    present, starts = np.unique(block[order], return_index=True)
    starts = np.append(starts, len(order)).astype(np.int64)
    centre = np.median(landmarks.values, axis=0)
    near = Rows(landmarks.values - centre, landmarks.codes)
    rows, l = rows.take(order), 0
    both = _joined(landmarks, rows)
    for grid in grids:
        part = out[l : l + len(grid)]
        single = single_suffices(near, grid)
        rounded = centre, np.float32 if single else np.float64
        fits = single and _gaussian_batch(
            Points.of(both, np.float32, centre), starts, present, len(landmarks), grid, part
        )
        if not fits:
            sums = _row_sums(rows, starts, landmarks, grid, None, Work(threads=1), rounded)
            for own, values in zip(part, sums, strict=True):
                own[present] += np.rint(values / GRAIN) * GRAIN
        l += len(grid)


def _gaussian_batch(
    points: Points,
    starts: NDArray[np.int64],
    present: NDArray[np.int64],
    r: int,
    grid: BandwidthGrid,
    out: Array,
) -> bool:
    """Add the sums of a batch by a compiled loop, where there is one; say whether there is."""
    halved = _gaussian_grid(points, r, grid)
    if halved is None:
        return False
    loops, (left, right) = load_landmark_loops(), halved
    scratch, sums = np.empty((TILE_ROWS, r), np.float32), np.empty((len(grid), r))
    with single_blas():
        for g, first, last in zip(present, starts[:-1] + r, starts[1:] + r, strict=True):
            sums[:] = 0
            for i in range(first, last, TILE_ROWS):
                tile = left[i : min(i + TILE_ROWS, last)]
                values = np.matmul(tile, right, out=scratch[: len(tile)])
                np.minimum(values, 0, out=values)
                np.exp(values, out=values)
                loops.power_sums(values, sums)
            loops.add_rounded(sums, GRAIN, out[:, g])
    return True


@cache
def load_landmark_loops() -> Any:
    """Import the compiled loops, and numba with them; compile what is not kept."""
    from . import landmark_loops

    sums = np.zeros((1, 1, 1))
    landmark_loops.power_sums(np.zeros((1, 1), np.float32), sums[:, 0])
    landmark_loops.add_rounded(sums[:, 0].copy(), GRAIN, sums[:, 0])
    return landmark_loops


def tables_of_sums(
    sums: Array,
    counts: NDArray[np.int64],
    landmarks: Rows,
    few: Rows,
    grids: Sequence[BandwidthGrid],
) -> tuple[Array, Array]:
    """What `landmark_sums` returns, from sums over rows that are gone: see `batch_sums`.

    Parameters
    ----------
    sums : ndarray (L, G, r)
    counts : ndarray of int (G,)
        Rows of every block.
    landmarks, few : Rows
        `few` are rows that are no landmarks.
    grids : sequence of BandwidthGrid
    """
    import scipy.linalg  # noqa: F401  (before its BLAS is kept on one thread)

    tables, sizes, first = [], [], 0
    corrections = counts.astype(np.float64), float(len(few)), np.zeros((len(counts),) * 2)
    for grid in grids:
        part = sums[first : first + len(grid)]
        tables += _tables(part, landmarks, few, grid, corrections)
        sizes.append(_sizes(few, grid))
        first += len(grid)
    return np.array(tables), np.concatenate(sizes)


def _whitened(root: Array, values: Array) -> Array:
    """Return values R^-T; shape (rows, r)."""
    from scipy.linalg import solve_triangular

    out = solve_triangular(root, values.T, lower=True, overwrite_b=False, check_finite=False)
    return np.ascontiguousarray(out.T)


def _joined(landmarks: Rows, rows: Rows) -> Rows:
    """Landmarks first, then rows."""
    return Rows(
        np.concatenate([landmarks.values, rows.values]),
        np.concatenate([landmarks.codes, rows.codes]),
    )


def _row_sums(
    rows: Rows,
    starts: NDArray[np.int64],
    landmarks: Rows,
    grid: BandwidthGrid,
    weights: Array | None,
    work: Work,
    rounded: tuple[Array, Any] | None = None,
) -> Array:
    """Sums of w_i k(x_i, z_j) over the rows i of every block; shape (L, G, r).

    `rounded` : centre and precision of the distances, if not what suits these rows.
    """
    if rounded is None:
        single = single_suffices(rows, grid)
        rounded = rows.values.mean(axis=0), np.float32 if single else np.float64
    heavy = np.ones(len(rows)) if weights is None else weights
    largest = float(np.abs(heavy).max()) or 1.0  # lest single precision overflows
    heavy = (heavy / largest).astype(rounded[1])
    lengths = None
    if not grid.kernel.has_bandwidth:
        lengths = _lengths(_joined(landmarks, rows), landmarks, grid)
    out = np.zeros((len(grid), len(starts) - 1, len(landmarks)))
    compiled = weights is None and rounded[1] is np.float32 and len(rows) >= COMPILED_ROWS
    if compiled:
        load_landmark_loops()  # before threads ask for them
    tasks = [
        (rows, landmarks, rounded, grid, heavy, lengths, compiled, int(first), int(last))
        for first, last in pairwise(starts)
    ]
    costs = np.diff(starts).astype(float).tolist()
    with single_blas():
        for g, sums in enumerate(run_tasks(_one_block, tasks, work, costs)):
            out[:, g] = sums
    out *= largest
    return out


def _one_block(
    rows: Rows,
    landmarks: Rows,
    rounded: tuple[Array, Any],
    grid: BandwidthGrid,
    heavy: AnyArray,
    lengths: Array | None,
    compiled: bool,
    first: int,
    last: int,
) -> Array:
    """Sums over the rows `first` to `last`, of one block, by a compiled loop or none; (L, r)."""
    out, r = np.zeros((len(grid), len(landmarks))), len(landmarks)
    for start in range(first, last, SPAN_ROWS):  # of all rows at once it would be copies of them
        span = slice(start, min(start + SPAN_ROWS, last))
        points = Points.of(_joined(landmarks, rows.take(span)), rounded[1], rounded[0])
        halved = _gaussian_grid(points, r, grid)
        for begin in range(start, span.stop, TILE_ROWS):
            i = slice(begin, min(begin + TILE_ROWS, span.stop))
            at = slice(r + i.start - start, r + i.stop - start)
            if halved is not None and compiled:
                load_landmark_loops().power_sums(_first_values(*halved, at), out)
                continue
            if halved is None:
                tiles = tile_values(points, at, slice(0, r), grid)
            else:
                tiles = _gaussian_values(*halved, at, len(grid))
            for l, values in enumerate(tiles):
                out[l] += heavy[i] @ values
            if lengths is not None:
                own = lengths[r + i.start : r + i.stop]
                out += heavy[i] @ own + heavy[i].sum() * lengths[:r]
    return out


def _gaussian_grid(points: Points, r: int, grid: BandwidthGrid) -> tuple[AnyArray, AnyArray] | None:
    """Factors of -a |x - z|^2 = 2 a x.z - a |x|^2 - a |z|^2, for one matrix product.

    Three times as fast as `tile_values`, for a grid of Gaussian bandwidths without categories; None
    for others.
    """
    if grid.kernel.name != "gaussian" or not grid.squaring or points.codes.shape[1]:
        return None
    kind = points.rows.dtype.type
    a, d = kind(grid.factors[0]), points.rows.shape[1]
    left = np.empty((len(points), d + 2), kind)
    np.multiply(points.rows, 2 * a, out=left[:, :d])
    np.multiply(points.norms, -a, out=left[:, d])
    left[:, d + 1] = -1
    ones = np.ones((1, r), kind)
    return left, np.vstack([points.columns[:, :r], ones, a * points.norms[None, :r]])


def _first_values(left: AnyArray, right: AnyArray, at: slice) -> AnyArray:
    """Kernel values of some rows at the widest bandwidth."""
    values = left[at] @ right
    np.minimum(values, 0, out=values)
    return np.exp(values, out=values)


def _gaussian_values(left: AnyArray, right: AnyArray, at: slice, count: int) -> Iterator[AnyArray]:
    """Yield the kernel values of every bandwidth, each the square of the one before."""
    values = _first_values(left, right, at)
    yield values
    for _ in range(count - 1):
        np.multiply(values, values, out=values)
        yield values


def _root(inner: Array) -> Array:
    """Cholesky factor of the kernel matrix of the landmarks, (r, r)."""
    r = len(inner)
    return np.asarray(np.linalg.cholesky(inner + RIDGE * r * np.eye(r)), np.float64)


def _values(both: Rows, r: int, grid: BandwidthGrid) -> Iterator[Array]:
    """k(x_i, z_j) of all rows i, the r landmarks first; (rows, r), one bandwidth after another.

    Not of all at once: at 1,024 landmarks each takes 25 MB.
    """
    points, n = Points.of(both), len(both)
    lengths = _lengths(both, both.take(slice(0, r)), grid)
    with single_blas():
        for values in tile_values(points, slice(0, n), slice(0, r), grid):
            out = values.astype(np.float64)
            if grid.kernel.has_bandwidth:
                out[np.arange(r), np.arange(r)] = 1.0
            if lengths is not None:
                out += lengths[:, None] + lengths[:r]
            yield out


def _lengths(both: Rows, landmarks: Rows, grid: BandwidthGrid) -> Array | None:
    """Distances to the middle of the landmarks, for kernels that are not positive definite.

    With them -|x - y| becomes |x - c| + |y - c| - |x - y|, which is, and which has the same MMD.
    """
    if grid.kernel.has_bandwidth:
        return None
    middle = Rows(np.median(landmarks.values, axis=0, keepdims=True), landmarks.codes[:1])
    points = Points.of(_joined(middle, both))
    return np.sqrt(distances(points, slice(1, len(both) + 1), slice(0, 1), "euclidean")[:, 0])


def _corrections(
    rows: Rows,
    few: Rows,
    starts: NDArray[np.int64],
    landmarks: Rows,
    grid: BandwidthGrid,
    weights: Array | None,
) -> tuple[Array, float, Array]:
    """What is to be taken from a table of block sums.

    Returns
    -------
    own : ndarray (G,)
        Sums of w_i^2 k(x_i, x_i) over every block.
    own_few : float
        Sum of k(x_i, x_i) over a few rows.
    shift : ndarray (G, G)
        What `_lengths` has added to the pairs i != j.
    """
    heavy = np.ones(len(rows)) if weights is None else weights
    lengths, of_few = (_lengths(part, landmarks, grid) for part in (rows, few))
    squares = np.add.reduceat(heavy * heavy, starts[:-1])
    if lengths is None or of_few is None:  # k(x, x) = 1
        return squares, float(len(few)), np.zeros((len(squares),) * 2)
    own = np.add.reduceat(2 * heavy * heavy * lengths, starts[:-1])
    total, weight = (np.add.reduceat(v, starts[:-1]) for v in (heavy * lengths, heavy))
    shift = np.outer(total, weight) + np.outer(weight, total) - np.diag(own)
    return own, float(2 * of_few.sum()) or 1.0, shift


def _sizes(few: Rows, grid: BandwidthGrid) -> Array:
    """Root mean square of k over the pairs of a few rows, per bandwidth."""
    n, points = len(few), Points.of(few)
    totals = np.zeros(len(grid))
    for first in range(0, n, TILE_ROWS):
        i = slice(first, min(first + TILE_ROWS, n))
        for l, values in enumerate(tile_values(points, i, slice(0, n), grid)):
            totals[l] += float((values * values).sum())
    return np.asarray(np.sqrt(totals / max(n * (n - 1), 1)))


def drawn_sums(
    rows: Rows,
    landmarks: Rows,
    grids: Sequence[BandwidthGrid],
    observed: Array,
    draw: Callable[[slice, int, np.random.Generator], Array],
    draws: int,
    rng: np.random.Generator,
    work: Work,
) -> Array:
    """Sum r_i r_j k_z(x_i, x_j) over pairs i != j, for weights r that are drawn anew at every row.

    Parameters
    ----------
    rows : Rows
        N of them.
    landmarks : Rows
        r rows, which know no weight.
    grids : sequence of BandwidthGrid
        L kernels in all, with k(x, x) = 1.
    observed : ndarray (N,)
        The weights of the data.
    draw : callable
        Rows, B and random numbers -> weights (rows, B); a bound method or function of a module.
    draws : int
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    ndarray (L, B + 1)
        The data first.

    Notes
    -----
    Only the sums over rows are kept: 8 L r (B + 1) bytes for every thread. A row with itself
    counts as much as in a few rows on average. Time: 2 N r L B multiplications.
    """
    import scipy.linalg  # noqa: F401  (before its BLAS is kept on one thread)

    both, r = _joined(landmarks, rows), len(landmarks)
    suffices = all(single_suffices(both, grid) for grid in grids)
    points = Points.of(both, np.float32 if suffices else np.float64)
    spans = [slice(i, min(i + DRAWN_ROWS, len(rows))) for i in range(0, len(rows), DRAWN_ROWS)]
    seeds = rng.integers(2**63, size=len(spans))
    tasks = [
        (points, r, tuple(grids), observed[i], draw, draws, i, int(seed))
        for i, seed in zip(spans, seeds, strict=True)
    ]
    sums, squares = np.zeros((sum(map(len, grids)), r, draws + 1)), np.zeros(draws + 1)
    few = rows.take(np.linspace(0, len(rows) - 1, min(SIZED, len(rows))).astype(np.int64))
    out = np.empty((len(sums), draws + 1))
    with single_blas():
        for part, own in run_tasks(_drawn_block, tasks, work):
            sums += part
            squares += own
        tables = (table for grid in grids for table in _values(_joined(landmarks, few), r, grid))
        for l, table in enumerate(tables):
            root = _root(table[:r])
            own_few = float((_whitened(root, table[r:]) ** 2).sum()) / len(few)
            out[l] = (_whitened(root, sums[l].T) ** 2).sum(axis=1) - own_few * squares
    return out


def _drawn_block(
    points: Points,
    r: int,
    grids: Sequence[BandwidthGrid],
    observed: Array,
    draw: Callable[[slice, int, np.random.Generator], Array],
    draws: int,
    i: slice,
    seed: int,
) -> tuple[Array, Array]:
    """Sums of k(z_j, x_i) times the weights of rows i, (L, r, B + 1), and those of squares."""
    weights = np.column_stack([observed, draw(i, draws, np.random.default_rng(seed))])
    squares = np.einsum("ib,ib->b", weights, weights)
    largest = float(np.abs(weights).max()) or 1.0  # lest single precision overflows
    single = (weights / largest).astype(points.rows.dtype)
    at = slice(r + i.start, r + i.stop)
    out = [
        (values.T @ single).astype(np.float64)
        for grid in grids
        for values in tile_values(points, at, slice(0, r), grid)
    ]
    return largest * np.array(out), squares
