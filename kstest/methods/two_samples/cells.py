"""How many rows of each side lie in each cell of a column, under every permutation.

A test of one column that depends on the order of the rows only through its cells costs one
product of the permutations with the table of cells by block; no sorting and no kernel sum is
repeated. `cell_statistics` makes tests of the counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...nulls import Partition
from .arranged import Arranged

Array = NDArray[np.float64]
# From the weights (C, b) of the first side under b permutations, and those (C,) of both sides.
Statistic = Callable[[Array, Array], Array]

# Levels of a categorical column that have a cell of their own; the rarest share the last.
LEVELS = 100
# Numbers in the largest table of counts that is held at a time.
MOST_COUNTS = 1 << 21
# Rows whose cells are counted at a time.
ROWS = 1 << 20


@frozen
class Cells:
    """Cell of every row of one column.

    Attributes
    ----------
    place : ndarray of int32 (N,)
        From 0 to C - 1, for the rows of the pooled sample; -1 where the row is left out.
    values : ndarray (C,)
        What the rows of a cell count as: increasing numbers, or the number of the cell.
    """

    place: NDArray[np.int32]
    values: Array


@frozen
class Layout:
    """Permuted labels, and the block and weight of every row, for `over_permutations`.

    Attributes
    ----------
    block : ndarray of int32 (N,)
        Of the rows of the pooled sample, in the order of `order`.
    signs : ndarray of int8 (G, B + 1)
    order : ndarray of int (N,) or None
        None: as they are pooled.
    weights : ndarray (N,) or None
        In the order of `order`; None: each row counts 1, in any order.
    """

    block: NDArray[np.int32]
    signs: NDArray[np.int8]
    order: NDArray[np.int64] | None = None
    weights: Array | None = None

    @classmethod
    def of(cls, pooled: Arranged, cut: Partition, signs: NDArray[np.int8]) -> Layout:
        block = np.repeat(np.arange(len(cut.labels), dtype=np.int32), cut.sizes)
        if pooled.weights is not None:
            return cls(block, signs, cut.order, pooled.weights[cut.order])
        of_row = np.empty_like(block)
        of_row[cut.order] = block
        return cls(of_row, signs)

    def observed(self, cells: Cells) -> tuple[Array, Array]:
        """Weights per cell: of the first side as observed, shape (C, 1), and of both, (C,)."""
        place, block, weights = self._inside(cells)
        mine = self.signs[:, 0] > 0
        count = len(cells.values)
        if weights is None:
            first = np.bincount(place[mine[block]], minlength=count)
            both = np.bincount(place, minlength=count)
        else:
            first = np.bincount(place, np.where(mine[block], weights, 0.0), count)
            both = np.bincount(place, weights, count)
        return first.astype(np.float64)[:, None], both.astype(np.float64)

    def over_permutations(self, cells: Cells, statistic: Statistic) -> Array:
        """Return the statistic under every permutation, shape (B + 1,).

        Counts are exact; sums of weights have the rounding of single precision.
        """
        place, block, weights = self._inside(cells)
        count, blocks = len(cells.values), len(self.signs)
        both = np.bincount(place, weights, count).astype(np.float64)
        dense = blocks * count <= MOST_COUNTS
        if dense:
            table = _table(place, block, weights, count, blocks)
        else:  # many blocks, of a row or few: add the rows of each cell
            by_cell = np.argsort(place, kind="stable")
            used, starts = np.unique(place[by_cell], return_index=True)
            block = block[by_cell]
            mass = 1 if weights is None else weights[by_cell, None].astype(np.float32)
        out = []
        step = max(1, MOST_COUNTS // max(count, 1 if dense else len(place)))
        for start in range(0, self.signs.shape[1], step):
            side = (self.signs[:, start : start + step] > 0).astype(np.float32)
            if dense:
                first = (table @ side).astype(np.float64)
            else:
                first = np.zeros((count, side.shape[1]))
                first[used] = np.add.reduceat(side[block] * mass, starts, dtype=np.float64)
            out.append(statistic(first, both))
        return np.concatenate(out)

    def _inside(self, cells: Cells) -> tuple[NDArray[np.int32], NDArray[np.int32], Array | None]:
        place = cells.place if self.order is None else cells.place[self.order]
        if (place >= 0).all():
            return place, self.block, self.weights
        inside = np.flatnonzero(place >= 0)
        weights = None if self.weights is None else self.weights[inside]
        return place[inside], self.block[inside], weights


def _table(
    place: NDArray[np.int32],
    block: NDArray[np.int32],
    weights: Array | None,
    count: int,
    blocks: int,
) -> NDArray[np.float32]:
    """Weight of every cell in every block, shape (count, blocks)."""
    size = blocks * count
    if weights is not None:
        table = np.bincount(block.astype(np.int64) * count + place, weights, size)
    else:
        table = np.zeros(size, np.int64)
        for start in range(0, len(place), ROWS):  # indices of all rows are much memory
            index = block[start : start + ROWS].astype(np.int64) * count
            index += place[start : start + ROWS]
            table += np.bincount(index, minlength=size)
    return table.reshape(blocks, count).T.astype(np.float32)


def value_cells(column: Array, present: NDArray[np.bool_] | None = None) -> Cells:
    """A cell for every distinct value; rows that are not `present` are left out."""
    if present is None or present.all():
        return Cells(*_distinct(column))
    place = np.full(len(column), -1, np.int32)
    place[present], values = _distinct(column[present])
    return Cells(place, values)


def _distinct(column: Array) -> tuple[NDArray[np.int32], Array]:
    """Place of every number among the distinct ones, and these: NumPy's in half the memory."""
    if not len(column):
        return np.zeros(0, np.int32), np.zeros(0)
    order = np.argsort(column)
    ordered = column[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    place = np.empty(len(column), np.int32)
    place[order] = np.cumsum(new, dtype=np.int32) - np.int32(1)
    return place, ordered[new]


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
    target = np.arange(count, dtype=np.int32)
    inner = slice(ends, count - ends)
    between = rows[inner].cumsum()
    between -= rows[inner] / 2
    between /= rows[inner].sum()
    between *= most - 2 * ends
    target[inner] = ends + between.astype(np.int32)
    target[count - ends :] = most + np.arange(ends)
    target = np.cumsum(np.diff(target, prepend=target[0]) != 0, dtype=np.int32)  # they increase
    unit = np.abs(cells.values).max()  # so that no sum of huge values overflows
    mean = np.bincount(target, rows * (cells.values / unit)) / np.bincount(target, rows) * unit
    return Cells(np.where(cells.place >= 0, target[cells.place], np.int32(-1)), mean)


def quantile_cells(column: Array, most: int, present: NDArray[np.bool_] | None = None) -> Cells:
    """Cells of equal numbers of rows between pooled quantiles; of single values, if few.

    Rows that are not `present` are left out.
    """
    values = column if present is None else column[present]
    ordered = np.sort(values)
    edges = ordered[:-1][np.diff(ordered) > 0]  # all distinct values but the last
    if len(edges) >= most:
        edges = np.unique(ordered[len(values) * np.arange(1, most) // most])
    place = np.searchsorted(edges, column, side="left").astype(np.int32)
    if present is not None:
        place[~present] = -1
    return Cells(place, np.arange(len(edges) + 1.0))


def level_cells(codes: NDArray[np.int32]) -> Cells:
    """A cell for every level, the rarest of many together."""
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    position = np.empty(len(counts), np.int64)
    position[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return Cells(
        np.minimum(position, LEVELS).astype(np.int32)[place],
        np.arange(min(len(counts), LEVELS + 1.0)),
    )
