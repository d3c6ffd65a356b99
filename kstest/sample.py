"""Sample: the one shape in which data reaches a test.

After this door nobody checks for NaN, dtype or column order again: the sources (files, streams)
and the Python API (arrays, frames) build Samples, and the engine trusts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Input:
    """One file, stream or array that a sample was read from.

    Attributes
    ----------
    path : str
        As the user wrote it; ``-`` for standard input, ``<array>`` for Python objects.
    rows_read, rows_used, rows_dropped : int
        ``rows_read == rows_used + rows_dropped``.
    sha256 : str or None
        Of the bytes read (files and streams), None for Python objects.
    """

    path: str
    rows_read: int
    rows_used: int
    rows_dropped: int
    sha256: str | None = None


@dataclass(frozen=True)
class Sample:
    """Rows of one sample, checked once.

    Attributes
    ----------
    name : str
        Its role, for example ``reference`` or ``sample``.
    values : ndarray of float64, shape (n, d)
        C-contiguous, finite, in file order.
    columns : tuple of str
        The d column names, in the order of `values`.
    inputs : tuple of Input
        Where the rows came from.
    blocks : tuple of tuple of str
        Column names by block, where the test was given blocks; together they are `columns`.
    """

    name: str
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    blocks: tuple[tuple[str, ...], ...] = ()

    @property
    def n(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_dropped(self) -> int:
        return sum(i.rows_dropped for i in self.inputs)
