"""How many rows of each side lie in each cell of a column, under every permutation.

A test of one column that depends on the order of the rows only through its cells costs one
product of the permutations with the table of cells by block; no sorting and no kernel sum is
repeated. `cell_statistics` makes tests of the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...nulls import Partition
from .pooled import Pooled

Array = NDArray[np.float64]
# From the weights (C, b) of the first side under b permutations, and those (C,) of both sides.
Statistic = Callable[[Array, Array], Array]

# Levels of a categorical column that have a cell of their own; the rarest share the last.
LEVELS = 100
# Numbers in the largest table of counts that is held at a time.
MOST_COUNTS = 1 << 21


@dataclass(frozen=True)
class Cells:
    """Cell of every row of one column.

    Attributes
    ----------
    place : ndarray of int (N,)
        From 0 to C - 1, for the rows of the pooled sample; -1 where the row is left out.
    values : ndarray (C,)
        What the rows of a cell count as: increasing numbers, or the number of the cell.
    """

    place: NDArray[np.int64]
    values: Array


@dataclass(frozen=True)
class Layout:
    """Permuted labels and the block and weight of every row, for `over_permutations`."""

    order: NDArray[np.int64]
    block: NDArray[np.int64]
    weights: Array
    signs: NDArray[np.int8]

    @classmethod
    def of(cls, pooled: Pooled, cut: Partition, signs: NDArray[np.int8]) -> Layout:
        weights = np.ones(len(pooled.rows)) if pooled.weights is None else pooled.weights[cut.order]
        return cls(cut.order, np.repeat(np.arange(len(cut.labels)), cut.sizes), weights, signs)

    def observed(self, cells: Cells) -> tuple[Array, Array]:
        """Weights per cell: of the first side as observed, shape (C, 1), and of both, (C,)."""
        place, block, weights = self._inside(cells)
        first = np.where(self.signs[block, 0] > 0, weights, 0.0)
        count = len(cells.values)
        both = np.bincount(place, weights, count).astype(np.float64)
        return np.bincount(place, first, count).astype(np.float64)[:, None], both

    def over_permutations(self, cells: Cells, statistic: Statistic) -> Array:
        """Return the statistic under every permutation, shape (B + 1,).

        Counts are exact; sums of weights have the rounding of single precision.
        """
        place, block, weights = self._inside(cells)
        count, blocks = len(cells.values), len(self.signs)
        both = np.bincount(place, weights, count).astype(np.float64)
        dense = blocks * count <= MOST_COUNTS
        if dense:
            table = np.bincount(block * count + place, weights, blocks * count)
            table = table.reshape(blocks, count).T.astype(np.float32)
        else:  # many blocks, of a row or few: add the rows of each cell
            by_cell = np.argsort(place, kind="stable")
            used, starts = np.unique(place[by_cell], return_index=True)
            block, weights = block[by_cell], weights[by_cell, None].astype(np.float32)
        out = []
        step = max(1, MOST_COUNTS // max(count, 1 if dense else len(place)))
        for start in range(0, self.signs.shape[1], step):
            side = (self.signs[:, start : start + step] > 0).astype(np.float32)
            if dense:
                first = (table @ side).astype(np.float64)
            else:
                first = np.zeros((count, side.shape[1]))
                first[used] = np.add.reduceat(side[block] * weights, starts, dtype=np.float64)
            out.append(statistic(first, both))
        return np.concatenate(out)

    def _inside(self, cells: Cells) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        place = cells.place[self.order]
        if (place >= 0).all():
            return place, self.block, self.weights
        inside = np.flatnonzero(place >= 0)
        return place[inside], self.block[inside], self.weights[inside]


def value_cells(column: Array, present: NDArray[np.bool_] | None = None) -> Cells:
    """A cell for every distinct value; rows that are not `present` are left out."""
    if present is None or present.all():
        values, place = np.unique(column, return_inverse=True)
        return Cells(place.astype(np.int64), values)
    place = np.full(len(column), -1, np.int64)
    values, place[present] = np.unique(column[present], return_inverse=True)
    return Cells(place, values)


def merged(cells: Cells, most: int) -> Cells:
    """Merge the cells of `value_cells` until at most `most` are left.

    The rule sees the pooled rows only. A quarter of the cells at either end stay single values,
    so that tails are kept; those between are merged to equal numbers of rows.
    """
    count = len(cells.values)
    if count <= most:
        return cells
    rows = np.bincount(cells.place[cells.place >= 0], minlength=count).astype(np.float64)
    ends = most // 4
    target = np.arange(count)
    inner = slice(ends, count - ends)
    between = rows[inner].cumsum() - rows[inner] / 2
    target[inner] = ends + (between / rows[inner].sum() * (most - 2 * ends)).astype(np.int64)
    target[count - ends :] = most + np.arange(ends)
    target = np.unique(target, return_inverse=True)[1]
    unit = np.abs(cells.values).max()  # so that no sum of huge values overflows
    mean = np.bincount(target, rows * (cells.values / unit)) / np.bincount(target, rows) * unit
    return Cells(np.where(cells.place >= 0, target[cells.place], -1), mean)


def quantile_cells(column: Array, most: int, present: NDArray[np.bool_] | None = None) -> Cells:
    """Cells of equal numbers of rows between pooled quantiles; of single values, if few.

    Rows that are not `present` are left out.
    """
    values = column if present is None else column[present]
    ordered = np.sort(values)
    edges = ordered[:-1][np.diff(ordered) > 0]  # all distinct values but the last
    if len(edges) >= most:
        edges = np.unique(ordered[len(values) * np.arange(1, most) // most])
    place = np.searchsorted(edges, column, side="left").astype(np.int64)
    if present is not None:
        place[~present] = -1
    return Cells(place, np.arange(len(edges) + 1.0))


def level_cells(codes: NDArray[np.int32]) -> Cells:
    """A cell for every level, the rarest of many together."""
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    position = np.empty(len(counts), np.int64)
    position[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return Cells(np.minimum(position, LEVELS)[place], np.arange(min(len(counts), LEVELS + 1.0)))
