"""Cells of rows that are alike in some columns: equal where values repeat, else neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import Rows
from ..nulls import Pairing, pair_rows
from .arrangement import MOST_MOVED, MOST_ROWS, MOST_WHOLE_ROWS
from .column_blocks import Block

Index = NDArray[np.int64]

# Bins (or single rows) that change places with each other among neighbours. More would be less
# alike; with fewer, permutations resemble the observed pairing.
CELL_BINS = 8
# Equal rows form the cells if half of the rows have this many bins of equals.
EQUAL_BINS, EQUAL_SHARE = 4, 0.5
# Spread of a column within a cell: between these quantiles.
INNER = (0.1, 0.9)


@dataclass(frozen=True)
class Cells:
    """Rows put together by the columns that are conditioned on.

    Attributes
    ----------
    cut : Pairing
        Two blocks, whose bins move within cells.
    equal : bool
        Whether the rows of a cell are equal in those columns: permuting is then exact.
    """

    cut: Pairing
    equal: bool


def bin_rows(n: int, permute: str) -> int:
    """Rows per bin; see `arrangement.plan`."""
    if permute == "rows" and n > MOST_WHOLE_ROWS:
        raise UsageError(
            f"--permute rows: found {n:,} rows; at most {MOST_WHOLE_ROWS:,} are accepted, as "
            "kernel matrices are then held whole; --permute bins moves several rows together"
        )
    if permute == "rows" or (permute == "auto" and n <= MOST_ROWS):
        return 1
    return -(-n // MOST_MOVED)


def form_cells(
    block: Block, scaled: Rows, order: Index, permute: str, rng: np.random.Generator
) -> Cells:
    """Cut rows into cells and bins.

    Parameters
    ----------
    block : Block
        The columns that are conditioned on.
    scaled : Rows
        The same, in units of their spread.
    order : ndarray of int (n,)
        The rows in random order: it decides which rows of a cell share a bin, and ties.
    permute : {'auto', 'rows', 'bins'}
    rng : numpy.random.Generator
    """
    size = bin_rows(len(order), permute)
    same = _labels(block.keys)
    alike = np.bincount(same)[same] >= EQUAL_BINS * size
    equal = bool(alike.mean() >= EQUAL_SHARE)
    labels = same if equal else _neighbours(scaled, order, size)
    by_cell = order[np.argsort(labels[order], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(labels[by_cell]) > 0])
    counts = np.diff(np.r_[starts, len(order)])
    moving = np.repeat(counts // size * size, counts)
    moves = np.arange(len(order)) - np.repeat(starts, counts) < moving
    cells = np.repeat(np.arange(len(starts)), counts // size)
    whole = np.concatenate([by_cell[moves], by_cell[~moves]])
    return Cells(pair_rows(whole, size, 2, rng, cells), equal)


def _labels(keys: list[NDArray[Any]]) -> Index:
    """Number of the distinct row that each row is."""
    out = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        values = np.unique(key, return_inverse=True)[1]
        out = np.unique(out * (int(values.max()) + 1) + values, return_inverse=True)[1]
    return out


def _neighbours(scaled: Rows, order: Index, size: int) -> Index:
    """Label of each row: levels of categories apart, then halves along the widest column."""
    out = np.zeros(len(order), np.int64)
    levels = _labels([np.zeros(len(order)), *scaled.codes.T])[order]
    waiting = [order[levels == level] for level in np.unique(levels)]
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
