"""Kernel values of a rectangle of pairs, in NumPy: any kernel, any precision.

The plain counterpart of `loops`: it serves small inputs, kernels that have no compiled branch,
and the row-wise permutations of `forms`, where a matrix product dominates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import MISMATCH, BandwidthGrid, Rows

Array = NDArray[np.floating[Any]]

# Rows of a tile: with a few hundred columns it fits the second-level cache.
TILE_ROWS = 256
# A block of rows against others that are kept: 512 kB, and not too few rows at a time.
BLOCK_VALUES, SMALLEST_BLOCK = 1 << 16, 64


@frozen
class Points:
    """Rows ready for distances.

    Attributes
    ----------
    rows : ndarray (N, d)
        float32 or float64, C-contiguous, centred: the matrix-product form of the distance
        |x|^2 + |y|^2 - 2 x.y loses digits with the distance from the origin.
    columns : ndarray (d, N)
        The same, transposed and C-contiguous.
    norms : ndarray (N,)
        |x|^2.
    codes, code_columns : ndarray of int32 (N, c) and (c, N)
        Categorical columns, and the same transposed.
    """

    rows: Array
    columns: Array
    norms: Array
    codes: NDArray[np.int32]
    code_columns: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        rows: Rows | NDArray[np.float64],
        dtype: Any = np.float64,
        centre: NDArray[np.float64] | None = None,
    ) -> Points:
        """Centre rows, at their mean unless a `centre` (d,) is given, and round them."""
        rows = Rows.of(rows)
        centred = np.empty(rows.values.shape, dtype)  # rounded as they come, not after all
        middle = rows.values.mean(axis=0) if centre is None else centre
        np.subtract(rows.values, middle, out=centred, casting="same_kind")
        return cls(
            centred,
            np.ascontiguousarray(centred.T),
            np.einsum("ij,ij->i", centred, centred),
            np.ascontiguousarray(rows.codes),
            np.ascontiguousarray(rows.codes.T),
        )

    def __len__(self) -> int:
        return len(self.rows)


def distances(points: Points, i: slice, j: slice, geometry: str) -> Array:
    """Squared Euclidean or city-block distances of rows i to rows j; shape (len i, len j).

    Each categorical column in which they differ adds its MISMATCH.
    """
    if geometry == "cityblock":
        out = np.zeros((i.stop - i.start, j.stop - j.start), dtype=points.rows.dtype)
        for c in range(len(points.columns)):
            out += np.abs(points.rows[i, c, None] - points.columns[c, None, j])
    else:
        out = points.rows[i] @ points.columns[:, j]
        out *= -2
        out += points.norms[i, None]
        out += points.norms[None, j]
        np.maximum(out, 0, out=out)
    apart = points.rows.dtype.type(MISMATCH[geometry])
    for c in range(len(points.code_columns)):
        out += apart * (points.codes[i, c, None] != points.code_columns[c, None, j])
    return out


def tile_values(points: Points, i: slice, j: slice, grid: BandwidthGrid) -> Iterator[Array]:
    """Yield the kernel values of rows i against rows j, one array per bandwidth.

    The pair of a row with itself is 0, as every sum here is over i != j. The array may be reused
    for the next bandwidth: use it before asking for the next.
    """
    base = distances(points, i, j, grid.kernel.geometry)
    first, last = max(i.start, j.start), min(i.stop, j.stop)
    own = np.arange(first, max(first, last))
    values = base
    for l, factor in enumerate(grid.factors):
        if grid.squaring and l:
            np.multiply(values, values, out=values)
        else:
            values = base if grid.squaring else base.copy()
            values *= factor
            grid.kernel.profile(values)
        values[own - i.start, own - j.start] = 0
        yield values


def mean_similarity(at: Rows, rows: Rows, grid: BandwidthGrid) -> NDArray[np.float64]:
    """Mean of k(x, z) over the rows z, at every row x of `at`; for the first kernel of a bandwidth
    grid."""
    single = BandwidthGrid(grid.kernel, grid.bandwidths[:1])
    out = np.empty(len(at))
    for i, (values,) in cross_values(at, rows, single):
        out[i] = values.mean(axis=1)
    return out


def cross_values(
    at: Rows, rows: Rows, grid: BandwidthGrid, keep: Sequence[int] | None = None
) -> Iterator[tuple[slice, list[Array]]]:
    """Yield k(x, z) for blocks of rows x of `at` against all rows z.

    Parameters
    ----------
    at, rows : Rows
    grid : BandwidthGrid
    keep : sequence of int, optional
        The bandwidths that are wanted, in increasing order of place; a squaring bandwidth grid may
        hold others to get there. Default: all.

    Yields
    ------
    place : slice
        Of rows of `at`.
    values : list of ndarray (len place, len rows)
        One array per bandwidth, new ones every time.
    """
    both = Rows(np.concatenate([at.values, rows.values]), np.concatenate([at.codes, rows.codes]))
    points, n = Points.of(both), len(at)
    wanted = frozenset(range(len(grid)) if keep is None else keep)
    last = max(wanted)
    block = max(SMALLEST_BLOCK, BLOCK_VALUES // max(len(rows), 1))
    for first in range(0, n, block):
        i = slice(first, min(first + block, n))
        found = tile_values(points, i, slice(n, len(both)), grid)
        kept = []
        for l, values in enumerate(found):
            if l in wanted:
                kept.append(values.copy() if grid.squaring and l < last else values)
            if l == last:
                break
        yield i, kept
