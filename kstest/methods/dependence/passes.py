"""The second pass of `hsic` over rows that nobody keeps: how many rows are in which cells.

A task reads a span, rounds the rows of both blocks to their cells, and returns a table of counts.
Counts add up exactly, so that the answer depends neither on the order of the parts nor on how rows
were cut into spans; and it does not depend on the order of the rows in the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import SpanReader
from ...nulls.places import scattered
from ...result import Notice
from ...sample import Sample
from ..two_passes.spans import batches, coded, digest, unspent
from .arrangement import Plan
from .cells import Cells
from .column_blocks import Block
from .result import serial_notice, series_of

Whole = NDArray[np.int64]

REMEDY = "fewer rows in memory, with --block-length auto"


@frozen
class Setting:
    """What every task of the second pass needs to know.

    Attributes
    ----------
    blocks : (tuple of str, tuple of str)
        Columns of both.
    cells : (Cells, Cells)
    levels : tuple of dict of str to int
        Code of every level, by categorical column.
    rows : int
        Rows of all spans that are counted.
    tables : int
        Tables that they are dealt to, by their numbers and a key: one has only so many rows.
    keys : ndarray of uint64
    spent : ndarray of int
        Numbers of the rows that are left out, in order.
    """

    blocks: tuple[tuple[str, ...], tuple[str, ...]]
    cells: tuple[Cells, Cells]
    levels: tuple[dict[str, int], ...]
    rows: int
    tables: int
    keys: NDArray[np.uint64]
    spent: Whole


@dataclass
class Sums:
    """Sums over rows.

    Attributes
    ----------
    counts : ndarray of int (S, K, K')
        Rows by table, cell of one block and cell of the other.
    notices : tuple of Notice
        On rows that are neighbours, from the first batch of all.
    """

    counts: Whole
    notices: tuple[Notice, ...] = ()

    @classmethod
    def empty(cls, how: Setting) -> Sums:
        return cls(np.zeros((how.tables, *map(len, how.cells)), np.int64))

    def add(self, more: Sums) -> None:
        """Take the sums over other rows."""
        self.counts += more.counts
        self.notices += more.notices

    @property
    def digest(self) -> str:
        """Of all sums: equal digests, equal answers."""
        return digest((self.counts,))


def parts_of(
    sample: Sample, names: tuple[str, ...], codes: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Numeric columns of a block, and its part of the codes of all categorical ones."""
    texts = [c for c, name in enumerate(sample.categorical) if name in names]
    return Block.of(sample, names).values, np.ascontiguousarray(codes[:, texts])


def counted(reader: SpanReader, span: Any, first: int, rows: int, how: Setting) -> Sums:
    """Read a span for the second time: a task.

    Parameters
    ----------
    reader, span, first, rows
        See `two_passes.spans.batches`.
    how : Setting
    """
    out = Sums.empty(how)
    for _, _, batch, number in batches(reader, span, first, rows):
        if not number:
            blocks = [Block.of(batch, names) for names in how.blocks]
            out.notices += serial_notice(series_of(batch, blocks, None), Plan(1), REMEDY)
        keep, number_of = unspent(how.spent, number, batch.n)
        codes = coded(batch, how.levels)
        place = np.zeros(len(keep), np.int64)
        if how.tables > 1:
            place = scattered(number_of, how.rows, how.keys) * how.tables // how.rows
        for names, cells in zip(how.blocks, how.cells, strict=True):
            numbers, some = parts_of(batch, names, codes)
            place = place * len(cells) + cells.of(numbers[keep], some[keep])
        out.counts += np.bincount(place, minlength=out.counts.size).reshape(out.counts.shape)
    return out
