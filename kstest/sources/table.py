"""Table: an opened file, stream or object whose column names are known and whose rows are not.

The readers (`csv_table`, `columnar`, `objects`) build it, `collect` reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.wording import listed


@dataclass(frozen=True)
class Block:
    """Some rows of the selected columns.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, k)
        NaN where a cell is missing.
    rounded : tuple of int
        Columns with whole numbers too large for float64.
    """

    values: NDArray[np.float64]
    rounded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """Column names, and the way to the rows.

    Attributes
    ----------
    path : str
        For the result, as the user wrote it.
    label : str
        For messages, printable.
    names : tuple of str
        All columns in file order. Unique, but for empty names.
    blocks : callable
        Takes positions (from 0) of the selected columns and yields their rows once.
    digest : callable
        The SHA-256 of the bytes, to be called after the rows were read.
    close : callable
        Gives the file back.
    named : bool
        False where the names are only positions (arrays).
    identity : tuple of int or None
        Device and inode of a regular file.
    """

    path: str
    label: str
    names: tuple[str, ...]
    blocks: Callable[[Sequence[int]], Iterator[Block]]
    digest: Callable[[], str | None] = lambda: None
    close: Callable[[], None] = lambda: None
    named: bool = True
    identity: tuple[int, int] | None = None


def require_unique(names: Sequence[str], where: str) -> None:
    """Refuse duplicate names. Empty ones pass: they are refused only when they are selected."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise DataError(
            f"{where}: several columns have the same name: {listed(twice)}. "
            "Columns are matched by name; rename them so that every name is unique."
        )
