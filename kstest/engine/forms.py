"""Quadratic forms v' K v of all permutations at once, from block sums or straight from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid, Rows
from .blocks import block_sums, series_serves
from .landmarks import landmark_sums
from .tiles import TILE_ROWS, Points, tile_values
from .work import Work, run_tasks, single_blas

# With more blocks than this (then they are single rows) no matrix of block sums is kept.
MOST_STORED = 1024
TILE_COLUMNS = 2048


@frozen
class Forms:
    """What a labelled pair statistic needs, for L kernels and B + 1 sign vectors v in {+1, -1}^N.

    With K0 the kernel matrix without its diagonal (with weights w, of w_i w_j k(x_i, x_j)):

    Attributes
    ----------
    quadratic : ndarray (L, B + 1)
        v' K0 v
    linear : ndarray (L, B + 1)
        1' K0 v
    total : ndarray (L,)
        1' K0 1
    size : ndarray (L,)
        Root mean square of k(x_i, x_j) over pairs i != j; for a single kernel, whose size is
        only the scale of its rounding errors, possibly the mean of k in absolute value.
    blocks : ndarray (L, G, G) or None
        Kernel sums over pairs of blocks; None if there were too many blocks to keep them.
    landmarks : int
        Number of landmarks the sums were made with; 0 if all pairs were summed.
    """

    quadratic: NDArray[np.float64]
    linear: NDArray[np.float64]
    total: NDArray[np.float64]
    size: NDArray[np.float64]
    blocks: NDArray[np.float64] | None = None
    landmarks: int = 0


def quadratic_forms(
    rows: Rows | NDArray[np.float64],
    starts: NDArray[np.int64],
    signs: NDArray[Any],
    grids: Sequence[BandwidthGrid],
    work: Work,
    weights: NDArray[np.float64] | None = None,
    landmarks: Rows | None = None,
    every: int = 1,
) -> Forms:
    """Evaluate the forms of all permutations.

    Parameters
    ----------
    rows : Rows, or ndarray (N, d)
        Scaled rows, block after block.
    starts : ndarray of int (G + 1,)
    signs : ndarray of int8 or float64 (G, B + 1)
        One permutation per column; or any number per block, as of a weighted bootstrap.
    grids : sequence of BandwidthGrid
        L kernels in all.
    work : Work
    weights : ndarray (N,), optional
    landmarks : Rows, optional
        Sum the kernel's values at these rows instead of all pairs (`kstest.engine.landmarks`); not
        where a series sums all pairs in linear time.
    every : int
        Only every so many bandwidths of a grid, from the widest on; a grid by squaring is as cheap
        as this many exponentials.
    """
    if landmarks is not None and not series_serves(rows, len(starts) - 1, grids):
        table, size = landmark_sums(Rows.of(rows), starts, landmarks, grids, work, weights, every)
        return of_blocks(table, size, signs, len(landmarks))
    if len(starts) - 1 > MOST_STORED:
        if len(starts) - 1 != len(rows):
            raise ValueError(f"at most {MOST_STORED} blocks, or blocks of one row")
        parts = [_from_rows(rows, signs, grid, work, weights, every) for grid in grids]
        return Forms(
            np.concatenate([p.quadratic for p in parts]),
            np.concatenate([p.linear for p in parts]),
            np.concatenate([p.total for p in parts]),
            np.concatenate([p.size for p in parts]),
        )
    several = sum(map(len, grids)) > 1
    sums = block_sums(rows, starts, grids, work, several, weights)
    total, pairs = sums.blocks.sum(axis=(1, 2)), len(rows) * (len(rows) - 1)
    size = np.abs(total) / pairs if sums.squares is None else np.sqrt(2 * sums.squares / pairs)
    if every == 1:
        return of_blocks(sums.blocks, size, signs)
    keep = np.concatenate([np.arange(len(grid)) % every == 0 for grid in grids])
    return of_blocks(sums.blocks[keep], size[keep], signs)


def of_blocks(
    blocks: NDArray[np.float64],
    size: NDArray[np.float64],
    signs: NDArray[np.int8],
    landmarks: int = 0,
) -> Forms:
    """Forms of all permutations from block sums (L, G, G); `landmarks` made these, or 0."""
    v = signs.astype(np.float64)
    with single_blas():
        linear = blocks.sum(axis=1) @ v
    total = blocks.sum(axis=(1, 2))
    return Forms(signed_sums(blocks, v), linear, total, size, blocks, landmarks)


def signed_sums(blocks: NDArray[np.float64], signs: NDArray[Any]) -> NDArray[np.float64]:
    """Return v' A v for all A in `blocks` (L, G, G) and columns v of `signs` (G, B + 1)."""
    v = signs.astype(np.float64)
    with single_blas():
        return np.array([np.einsum("gb,gb->b", v, block @ v) for block in blocks])


def _from_rows(
    rows: Rows | NDArray[np.float64],
    signs: NDArray[Any],
    grid: BandwidthGrid,
    work: Work,
    weights: NDArray[np.float64] | None,
    every: int,
) -> Forms:
    """Row permutations: each tile of K meets all sign vectors in one float32 matrix product.

    Only the upper triangle is visited, so a tile off the diagonal counts twice.
    """
    points = Points.of(rows, np.float32)
    n = len(points)
    spans = [slice(i, min(i + TILE_ROWS, n)) for i in range(0, n, TILE_ROWS)]
    heavy = np.ones(n) if weights is None else weights
    tasks = [(points, signs, heavy, grid, span, every) for span in spans]
    with single_blas():
        parts = list(run_tasks(_span_forms, tasks, work, [n - i.start for i in spans]))
    # In order: no result depends on who finished first.
    sums = [np.array(part).sum(axis=0) for part in zip(*parts, strict=True)]
    quadratic, linear, total, squares = sums
    return Forms(quadratic, linear, total, np.sqrt(squares / (n * (n - 1))))


def _span_forms(
    points: Points,
    signs: NDArray[Any],
    heavy: NDArray[np.float64],
    grid: BandwidthGrid,
    i: slice,
    every: int,
) -> tuple[NDArray[np.float64], ...]:
    """Quadratic and linear forms, totals and squares of some rows and all later ones."""
    count = len(range(0, len(grid), every))
    n, shape = len(points), (count, signs.shape[1])
    quadratic, linear = np.zeros(shape), np.zeros(shape)
    total, squares = np.zeros(count), np.zeros(count)
    left = _weighted(signs[i], heavy[i])
    rest = range(i.stop, n, TILE_COLUMNS)
    for j in (i, *(slice(c, min(c + TILE_COLUMNS, n)) for c in rest)):
        own = j is i
        right = left if own else _weighted(signs[j], heavy[j])
        weight = 1 if own else 2
        for l, values in enumerate(islice(tile_values(points, i, j, grid), None, None, every)):
            product = values @ right
            product *= left
            quadratic[l] += weight * product.sum(axis=0, dtype=np.float64)
            across = heavy[i] @ values
            linear[l] += across @ right
            if not own:
                linear[l] += (values @ heavy[j]) @ left
            total[l] += weight * (across @ heavy[j])
            flat = values.ravel()
            squares[l] += weight * float(flat @ flat)
    return quadratic, linear, total, squares


def _weighted(signs: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(signs * weights[:, None], dtype=np.float32)
