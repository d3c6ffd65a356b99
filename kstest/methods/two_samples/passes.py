"""The second pass over rows that nobody keeps: sums by bin, and what stands for the rows after it.

Everything that the test needs is additive over rows: kernel values at landmarks by bin, and counts
of the cells of every column by bin. A task reads a span, finds the bin of every row by its number
(`kstest.nulls.places`) and returns its part of the sums. These are multiples of a power of two and
add up exactly, so that the answer depends neither on the order of the parts nor on how rows were
cut into spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import SpanReader
from ...engine.landmarks import batch_sums
from ...kernels import BandwidthGrid, Rows, Units
from ...nulls.places import Places
from ...sample import Sample
from ..two_passes.spans import batches, coded, digest, unspent
from .cells import LEVELS

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@frozen
class Setting:
    """What every task of the second pass needs to know.

    Attributes
    ----------
    units : Units
    levels : tuple of dict of str to int
        Code of every level, by categorical column.
    landmarks : Rows
    grids : sequence of BandwidthGrid
    places : Places
    spent : (ndarray of int, ndarray of int)
        Numbers of the rows that were spent, in order, by side of `places`.
    edges : tuple of ndarray
        Between the cells of every numeric column.
    cells : tuple of ndarray of int32
        Cell of every code, by categorical column.
    """

    units: Units
    levels: tuple[dict[str, int], ...]
    landmarks: Rows
    grids: Sequence[BandwidthGrid]
    places: Places
    spent: tuple[Whole, Whole]
    edges: tuple[Array, ...]
    cells: tuple[NDArray[np.int32], ...]

    @property
    def blocks(self) -> int:
        """Number of blocks, G."""
        return 1 + max(int(column.max()) for column in self.places.column)

    def rows(self, sample: Sample) -> Rows:
        """Rows of a sample in these units, with the codes of all files."""
        return Rows(self.units.scaled(sample.values), coded(sample, self.levels))


@dataclass
class Sums:
    """Sums over rows, by block.

    Attributes
    ----------
    kernels : ndarray (L, G, r)
        Kernel values at the landmarks.
    counts : ndarray of int (G,)
        Rows.
    cells : list of ndarray of int (C, G)
        Rows in every cell, by column.
    """

    kernels: Array
    counts: Whole
    cells: list[Whole]

    @classmethod
    def empty(cls, how: Setting) -> Sums:
        L, G = sum(map(len, how.grids)), how.blocks
        sizes = [len(e) + 1 for e in how.edges] + [int(c.max(initial=0)) + 1 for c in how.cells]
        return cls(
            np.zeros((L, G, len(how.landmarks))),
            np.zeros(G, np.int64),
            [np.zeros((size, G), np.int64) for size in sizes],
        )

    def add(self, more: Sums) -> None:
        """Take the sums over other rows."""
        self.kernels += more.kernels
        self.counts += more.counts
        for mine, other in zip(self.cells, more.cells, strict=True):
            mine += other

    @property
    def digest(self) -> str:
        """Of all sums: equal digests, equal answers."""
        return digest((self.kernels, self.counts, *self.cells))


def summed(
    reader: SpanReader, span: Any, first: int, rows: int, side: int, how: Setting
) -> Sums:  # fmt: skip
    """Read a span for the second time: a task.

    Parameters
    ----------
    reader, span, first, rows
        See `two_passes.spans.batches`.
    side : int
        Of `how.places`.
    how : Setting
    """
    out = Sums.empty(how)
    for _, _, batch, number in batches(reader, span, first, rows):
        _add(out, batch, side, number, how)
    return out


def _add(out: Sums, sample: Sample, side: int, first: int, how: Setting) -> None:
    """Add a batch whose first row has the number `first` on its side."""
    keep, number = unspent(how.spent[side], first, sample.n)
    if not len(keep):
        return
    rows = how.rows(sample).take(keep)
    block = how.places.blocks(side, number)
    out.counts += np.bincount(block, minlength=len(out.counts))
    if how.grids:
        batch_sums(rows, block, how.landmarks, how.grids, out.kernels)
    d = rows.values.shape[1]
    for c, table in enumerate(out.cells):
        if c < len(how.edges):
            cell = np.searchsorted(how.edges[c], rows.values[:, c], side="left")
        else:
            cell = how.cells[c - d][rows.codes[:, c - d]]
        index = cell.astype(np.int64) * table.shape[1] + block
        table += np.bincount(index, minlength=table.size).reshape(table.shape)


def edges_of(column: Array, most: int) -> Array:
    """Cut a column into cells by the quantiles of some of its rows, as `quantile_cells` does."""
    ordered = np.sort(column)
    found = ordered[:-1][np.diff(ordered) > 0]
    if len(found) >= most:
        found = np.unique(ordered[len(column) * np.arange(1, most) // most])
    return np.asarray(found)


def cells_of_levels(counts: Sequence[int]) -> NDArray[np.int32]:
    """Cell of every level, by how often each occurs: the rarest of many share the last."""
    position = np.empty(len(counts), np.int64)
    position[np.argsort(-np.asarray(counts), kind="stable")] = np.arange(len(counts))
    return np.minimum(position, LEVELS).astype(np.int32)
