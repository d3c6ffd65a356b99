"""Cells of rows that are alike in some columns: equal where values repeat, else neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...kernels import Rows
from .column_blocks import Block

Index = NDArray[np.int64]

# Bins (or single rows) that change places with each other among neighbours. More would be less
# alike; with fewer, permutations resemble the observed pairing.
CELL_BINS = 8
# Equal rows form the cells if half of the rows have this many bins of equals.
EQUAL_BINS, EQUAL_SHARE = 4, 0.5
# Spread of a column within a cell: between these quantiles.
INNER = (0.1, 0.9)


@frozen
class Cells:
    """Units of rows put together by the columns that are conditioned on.

    Attributes
    ----------
    order : ndarray of int (U,)
        Units, cell after cell; those that fill no bin of their cell come last.
    bins : ndarray of int (s,)
        Cell of each bin, not decreasing.
    equal : bool
        Whether the units of a cell are equal in those columns: permuting them is then exact.
    """

    order: Index
    bins: Index
    equal: bool


def form_cells(block: Block, scaled: Rows, units: Index, together: int = 1) -> Cells:
    """Put units of rows into cells, cut into bins.

    Parameters
    ----------
    block : Block
        The columns that are conditioned on.
    scaled : Rows
        The same, in units of their spread.
    units : ndarray of int (U, r)
        Rows of each unit: one, or those of a group or of a stretch of time. Units are equal if
        their rows are, one by one, and neighbours by the means of their rows; a categorical column
        counts for neighbours if no unit has two levels of it. The order of the units decides
        which of a cell share a bin, and ties.
    together : int
        Units per bin.
    """
    same = _labels([column for key in block.keys for column in key[units].T])
    alike = np.bincount(same)[same] >= EQUAL_BINS * together
    equal = bool(alike.mean() >= EQUAL_SHARE)
    labels = same if equal else _neighbours(_means(scaled, units), together)
    by_cell = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(labels[by_cell]) > 0])
    counts = np.diff(np.r_[starts, len(units)])
    moving = np.repeat(counts // together * together, counts)
    moves = np.arange(len(units)) - np.repeat(starts, counts) < moving
    order = np.concatenate([by_cell[moves], by_cell[~moves]])
    return Cells(order, np.repeat(np.arange(len(starts)), counts // together), equal)


def row_cells(block: Block, scaled: Rows) -> tuple[Index, Index]:
    """Cells of single rows, whatever is permuted: the rows cell after cell, and each row's cell."""
    order = np.lexsort(block.keys[::-1])
    cells = form_cells(block, scaled, order[:, None])
    by_cell = order[cells.order]
    label = np.empty(len(order), np.int64)
    label[by_cell] = cells.bins
    return by_cell, label


def _labels(keys: list[NDArray[Any]]) -> Index:
    """Number of the distinct row that each row is."""
    out = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        values = np.unique(key, return_inverse=True)[1]
        out = np.unique(out * (int(values.max()) + 1) + values, return_inverse=True)[1]
    return out


def _means(scaled: Rows, units: Index) -> Rows:
    """One row per unit."""
    codes = scaled.codes[units]
    constant = (codes == codes[:, :1]).all(axis=(0, 1))
    return Rows(scaled.values[units].mean(axis=1), codes[:, 0, constant])


def _neighbours(scaled: Rows, size: int) -> Index:
    """Label of each row: levels of categories apart, then halves along the widest column."""
    out = np.zeros(len(scaled), np.int64)
    levels = _labels([np.zeros(len(scaled)), *scaled.codes.T])
    waiting = [np.flatnonzero(levels == level) for level in np.unique(levels)]
    count = 0
    while waiting:
        rows = waiting.pop()
        bins = len(rows) // size
        if bins < 2 * CELL_BINS or not scaled.values.shape[1]:
            out[rows] = count
            count += 1
            continue
        values = scaled.values[rows]
        spread = np.ptp(np.quantile(values, INNER, axis=0), axis=0)
        column = int(np.argmax(spread if spread.any() else np.ptp(values, axis=0)))
        rows = rows[np.argsort(values[:, column], kind="stable")]
        half = bins // 2 * size
        waiting += [rows[half:], rows[:half]]
    return out
