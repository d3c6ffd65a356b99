"""Rows of a block of columns, as the bets see them: numbers, and categories by their marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import leaves


@dataclass(frozen=True)
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
    leaves.uniforms(np.uint64((seed * 1000003 + 524287) % 2**64), u)
    return rows[np.argsort(u, kind="stable")]
