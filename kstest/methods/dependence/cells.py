"""Cells of a block of columns, and the statistic of rows that are known by their cells alone.

A numeric column is cut at quantiles of a few rows, into cells of equal shares; of any other block
a cell are the rows to which the same one of some chosen rows is nearest. Every row of a cell
counts as that row, or as the mean of the few rows in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine.tiles import Points, cross_values, distances
from ...kernels import BandwidthGrid, Rows, Units
from ..two_samples.passes import edges_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# Cells of a block of one column, and of several.
SINGLE, SEVERAL = 128, 256
# Directions of kernel values with less than this share of the largest are rounding, and how many
# of a kernel are kept.
CUT, MOST = 1e-6, 64
# Rows whose distances to the cells are computed at a time.
TILE = 512


@frozen
class Cells:
    """How the rows of a block are rounded.

    Attributes
    ----------
    values : Rows
        What the rows of each of K cells count as, in the units of the block.
    units : Units
    edges : ndarray (K - 1,), or None
        Of a single numeric column: values up to the first edge, as they are read, are in the first
        cell. None where the nearest of `values` decides.
    """

    values: Rows
    units: Units
    edges: Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    def of(self, numbers: Array, codes: NDArray[np.int32]) -> Whole:
        """Cell of every row, from its numeric columns (n, d) as they are read, and codes (n, c)."""
        if self.edges is not None:
            return np.searchsorted(self.edges, numbers[:, 0], side="left")
        # The same centre for all rows: the cell of a row depends on no row beside it.
        centre = np.median(self.values.values, axis=0)
        scaled, k = self.units.scaled(numbers), len(self)
        out = np.empty(len(numbers), np.int64)
        for first in range(0, len(out), TILE):
            at = slice(first, min(first + TILE, len(out)))
            both = Rows(
                np.concatenate([self.values.values, scaled[at]]),
                np.concatenate([self.values.codes, codes[at]]),
            )
            points = Points.of(both, np.float32, centre)
            far = distances(points, slice(k, len(both)), slice(0, k), "euclidean")
            out[at] = far.argmin(axis=1)
        return out


def cells_of(numbers: Array, codes: NDArray[np.int32], scale: str, most: int | None) -> Cells:
    """Cut a block into cells by a few rows, which are in random order.

    Parameters
    ----------
    numbers : ndarray (n, d)
        Numeric columns as they are read.
    codes : ndarray of int32 (n, c)
    scale : str
        Unit of the columns.
    most : int or None
        Cells at most; by default so many as suit the number of columns.
    """
    units = Units.of(numbers, scale)
    rows = Rows(units.scaled(numbers), np.ascontiguousarray(codes))
    single = rows.values.shape[1] == 1 and not codes.shape[1]
    most = most or (SINGLE if rows.width == 1 else SEVERAL)
    if single:
        edges = edges_of(numbers[:, 0], most)
        cell = np.searchsorted(edges, numbers[:, 0], side="left")
        counts = np.bincount(cell, minlength=len(edges) + 1)
        means = np.bincount(cell, rows.values[:, 0], len(counts)) / counts
        return Cells(Rows(means[:, None], rows.codes[: len(means)]), units, edges)
    both = np.hstack([rows.values, rows.codes])
    _, firsts = np.unique(both, axis=0, return_index=True)
    return Cells(rows.take(np.sort(firsts)[:most]), units)


def kernel_features(cells: Cells, grid: BandwidthGrid, counts: Whole) -> list[Array]:
    """Features of every bandwidth, with mean 0 over the rows in all cells; shapes (K, q).

    Their inner products are the kernel at the cells, centred, but for directions beyond the 64th.

    Parameters
    ----------
    cells : Cells
    grid : BandwidthGrid
        Of a kernel with a bandwidth.
    counts : ndarray of int (K,)
        Rows of every cell.
    """
    blocks = [values for _, values in cross_values(cells.values, cells.values, grid)]
    share = counts / counts.sum()
    found = []
    for parts in zip(*blocks, strict=True):
        kernel = np.concatenate(parts).astype(np.float64)
        mean = kernel @ share
        kernel += share @ mean - mean - mean[:, None]
        # Directions of the rows, not of the cells: those that hold many rows count for more.
        root = np.sqrt(share)
        variances, vectors = np.linalg.eigh(root[:, None] * kernel * root)
        kept = np.flatnonzero(variances > max(CUT * variances[-1], 1e-12))[-MOST:]
        found.append(kernel @ (root[:, None] * vectors[:, kept] / np.sqrt(variances[kept])))
    return found
