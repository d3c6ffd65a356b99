"""Rows: what kernels compare, numbers and categories side by side.

A categorical column has no distance, only equal or not. Rows whose levels differ are as far apart
as two independent draws of a numeric column of unit variance are on average: MISMATCH is added to
their distance. For the Gaussian and the Laplace kernel that is the product of the numeric kernel
with an equality kernel per categorical column (1 where equal, exp(-a MISMATCH) where not); for
every kernel it is the kernel of the one-hot encoding, so it stays positive definite, but a column
of a thousand levels costs one comparison and not a thousand products.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

# E|x - y|^2 and E|x - y| of two standard normal numbers.
MISMATCH = {"euclidean": 2.0, "cityblock": 2 / math.sqrt(math.pi)}


@frozen
class Rows:
    """Rows of one or several samples, ready for kernels.

    Attributes
    ----------
    values : ndarray of float64 (N, d)
        Numeric columns, scaled.
    codes : ndarray of int32 (N, c)
        Categorical columns; equal codes are equal levels.
    """

    values: NDArray[np.float64]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Rows | NDArray[np.float64]) -> Rows:
        """Return rows as they are, and an array as rows without categories."""
        if isinstance(rows, Rows):
            return rows
        return cls(rows, np.empty((len(rows), 0), np.int32))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        """Columns of both kinds."""
        return int(self.values.shape[1] + self.codes.shape[1])

    def take(self, index: NDArray[np.int64] | slice) -> Rows:
        return Rows(self.values[index], self.codes[index])
