"""The second pass of `hsic` over rows that nobody keeps: cross products of features by bin.

A task reads a span, finds the bin of every row by its number (`kstest.nulls.places`), and returns
its part of the sums. These are whole multiples of a power of two and add up exactly, so that the
answer depends neither on the order of the parts nor on how rows were cut into spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract import SpanReader
from ...engine.feature_sums import FeatureMap, add_cross_products
from ...kernels import Rows, Units
from ...nulls import sign_bins
from ...nulls.places import scattered
from ...result import Notice
from ...sample import Sample
from ..two_passes.spans import batches, coded, digest, unspent
from .arrangement import Plan
from .column_blocks import Block
from .result import serial_notice, series_of

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
# Rows of small row groups that are summed together: every bin costs a product of matrices.
HELD_ROWS = 1 << 14
# Features of both blocks, and bins, of some rows.
Batch = tuple[NDArray[np.float32], NDArray[np.float32], Whole]


@dataclass(frozen=True)
class Side:
    """A block of columns: how its rows become features.

    Attributes
    ----------
    names : tuple of str
    units : Units
        Of its numeric columns.
    made : FeatureMap
    """

    names: tuple[str, ...]
    units: Units
    made: FeatureMap


@dataclass(frozen=True)
class Setting:
    """What every task of the second pass needs to know.

    Attributes
    ----------
    sides : (Side, Side)
    levels : tuple of dict of str to int
        Code of every level, by categorical column.
    rows : int
        Rows of all spans that are summed.
    bins : int
    keys : ndarray of uint64
        Of the bins.
    spent : ndarray of int
        Numbers of the rows that are left out, in order.
    """

    sides: tuple[Side, Side]
    levels: tuple[dict[str, int], ...]
    rows: int
    bins: int
    keys: NDArray[np.uint64]
    spent: Whole

    @property
    def starts(self) -> Whole:
        """First place of every bin, and their end."""
        return sign_bins(self.rows, self.bins)


@dataclass
class Sums:
    """Sums over rows.

    Attributes
    ----------
    products : ndarray (G, 1 + R, 1 + R')
        Of the features of both blocks, each with 1 before it, by bin.
    notices : tuple of Notice
        On rows that are neighbours, from the first batch of all.
    """

    products: Array
    notices: tuple[Notice, ...] = ()

    @classmethod
    def empty(cls, how: Setting) -> Sums:
        left, right = (1 + len(side.made.centre) for side in how.sides)
        return cls(np.zeros((how.bins, left, right)))

    def add(self, more: Sums) -> None:
        """Take the sums over other rows."""
        self.products += more.products
        self.notices += more.notices

    @property
    def digest(self) -> str:
        """Of all sums: equal digests, equal answers."""
        return digest((self.products,))


def block_rows(
    sample: Sample, names: tuple[str, ...], units: Units, codes: NDArray[np.int32]
) -> Rows:
    """Rows of a block of columns in its units, with codes of all categorical columns given."""
    block = Block.of(sample, names)
    texts = [c for c, name in enumerate(sample.categorical) if name in names]
    return Rows(units.scaled(block.values), np.ascontiguousarray(codes[:, texts]))


def crossed(reader: SpanReader, span: Any, first: int, rows: int, how: Setting) -> Sums:
    """Read a span for the second time: a task.

    Parameters
    ----------
    reader, span, first, rows
        See `two_passes.spans.batches`.
    how : Setting
    """
    out = Sums.empty(how)
    held: list[Batch] = []
    for _, _, batch, number in batches(reader, span, first, rows):
        if not number:
            out.notices += _neighbours(batch, how)
        held.append(_features(batch, number, how))
        if sum(len(bins) for *_, bins in held) >= HELD_ROWS:
            _add(out, held)
            held = []
    _add(out, held)
    return out


def _features(sample: Sample, first: int, how: Setting) -> Batch:
    """Features of both blocks, and bins, of the rows of a batch that are summed."""
    keep, number = unspent(how.spent, first, sample.n)
    codes = coded(sample, how.levels)
    left, right = (
        side.made.features(block_rows(sample, side.names, side.units, codes).take(keep))
        for side in how.sides
    )
    place = scattered(number, how.rows, how.keys)
    return left, right, np.searchsorted(how.starts, place, side="right") - 1


def _add(out: Sums, held: Sequence[Batch]) -> None:
    if held:
        left, right, bins = held[0] if len(held) == 1 else _joined(held)
        add_cross_products(left, right, bins, out.products)


def _joined(held: Sequence[Batch]) -> Batch:
    lefts, rights, bins = zip(*held, strict=True)
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(bins)


def _neighbours(batch: Sample, how: Setting) -> tuple[Notice, ...]:
    blocks = [Block.of(batch, side.names) for side in how.sides]
    return serial_notice(series_of(batch, blocks, None), Plan(1))
