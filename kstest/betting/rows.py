"""Rows of a block of columns, as the bets see them: numbers, and categories by their marks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..sample import Columns, Sample
from . import loops


@frozen
class Rows:
    """n rows.

    Attributes
    ----------
    values : ndarray of float64 (n, p)
        Finite.
    marks : ndarray of uint64 (n, c)
        One number per category, the same in every run; equal numbers, equal categories.
    """

    values: NDArray[np.float64]
    marks: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Rows:
        return Rows(self.values[rows], self.marks[rows])

    @classmethod
    def empty(cls, like: Rows) -> Rows:
        """No rows, of as many columns."""
        return like[:0]

    @classmethod
    def numbers(cls, values: NDArray[np.float64]) -> Rows:
        """Rows without categories, from shape (n,) or (n, p)."""
        values = np.ascontiguousarray(values, np.float64)
        values = values[:, None] if values.ndim == 1 else values
        return cls(values, np.empty((len(values), 0), np.uint64))

    def followed_by(self, more: Rows) -> Rows:
        """These rows and then `more`."""
        return Rows(
            np.concatenate([self.values, more.values]), np.concatenate([self.marks, more.marks])
        )


def shuffled(rows: Rows, seed: int) -> Rows:
    """The rows in an order that only the seed and their number determine.

    A file may be sorted, or drift; rows that are taken from it in turn must not.
    """
    u = np.empty(len(rows))
    loops.uniforms(np.uint64((seed * 1000003 + 524287) % 2**64), u)
    return rows[np.argsort(u, kind="stable")]


def no_rows(columns: Columns, names: Sequence[str]) -> Rows:
    """No rows of some columns."""
    return rows_of(columns.sample(), columns, names)


def rows_of(sample: Sample, columns: Columns, names: Sequence[str]) -> Rows:
    """Take some columns; categories, and with `columns.missing` missing cells, become marks."""
    numeric = [columns.numeric.index(name) for name in names if name in columns.numeric]
    texts = [columns.categorical.index(name) for name in names if name in columns.categorical]
    marks = [marks_of(sample, column) for column in texts]
    if columns.missing:
        there = sample.missing
        for c in numeric:
            gone = np.zeros(sample.n, np.uint64) if there is None else there[:, c].astype(np.uint64)
            marks.append(gone)
    table = np.column_stack(marks) if marks else np.empty((sample.n, 0), np.uint64)
    values = np.ascontiguousarray(sample.values[:, numeric])
    return Rows(values, np.ascontiguousarray(table, np.uint64))


def row_bytes(sample: Sample, columns: Columns) -> bytes:
    """The rows as bytes, the same however they are cut into chunks."""
    rows = rows_of(sample, columns, columns.names)
    numbers = np.ascontiguousarray(rows.values + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    return np.hstack([numbers, rows.marks]).tobytes()


def marks_of(sample: Sample, column: int) -> NDArray[np.uint64]:
    """The marks of a categorical column, shape (n,); 1 for a missing cell."""
    levels = sample.levels[column]
    table = np.array([*(mark(level) for level in levels), 1], np.uint64)  # last: missing
    return np.asarray(table[sample.codes[:, column]])


@lru_cache(1 << 14)
def mark(level: str) -> int:
    """A number for a category that is the same in every run; 0 and 1 stand for other things."""
    digest = hashlib.blake2b(level.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(2, int.from_bytes(digest, "little"))
