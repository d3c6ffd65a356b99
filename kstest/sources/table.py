"""Table: an opened file, stream or object whose column names are known and whose rows are not.

The readers (`csv_read`, `columnar`, `objects`) build it, `collect` reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.inexact import Inexact
from kstest.result import Notice
from kstest.wording import BOOLEAN as BOOLEAN
from kstest.wording import EMPTY as EMPTY
from kstest.wording import NUMBER as NUMBER
from kstest.wording import TEXT as TEXT
from kstest.wording import listed

# The column that --explode adds: which row of which file a row was an element of.
FILE_ROW = "file_row"


# Columns of a file that are read at most: each costs a tenth of a millisecond and more, whatever it
# holds, and with a million of them nobody would see an answer.
MOST_COLUMNS = 100_000


@frozen
class Wanted:
    """Which columns to read, and as what; all by position from 0.

    Attributes
    ----------
    numbers : tuple of int
        To float64.
    texts : tuple of int
        To categories. A position may be in both.
    by_value : frozenset of int
        Texts in which a number counts by its value: 1.0 and 1 are one category.
    """

    numbers: tuple[int, ...] = ()
    texts: tuple[int, ...] = ()
    by_value: frozenset[int] = frozenset()


@frozen
class Coded:
    """A text column of a block: ``levels[codes]``, and -1 where a cell is missing."""

    codes: NDArray[np.int32]
    levels: Sequence[str]


@frozen
class Block:
    """Some rows of the wanted columns.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, k)
        The numbers; NaN where a cell is missing.
    rounded : mapping of int to Inexact
        Cells that float64 does not hold, by column of `values`.
    texts : tuple of Coded
        The texts.
    """

    values: NDArray[np.float64]
    rounded: Mapping[int, Inexact] = field(default_factory=dict)
    texts: tuple[Coded, ...] = ()

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    def take(self, rows: NDArray[np.int64]) -> Block:
        """Keep some rows, by position; nothing is said of rounding any more."""
        texts = tuple(Coded(text.codes[rows], text.levels) for text in self.texts)
        return Block(self.values.T[:, rows].T, texts=texts)  # still column by column


@frozen
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
    kinds : callable
        Takes positions (from 0) and says what these columns hold: a mapping of position to
        `NUMBER`, `TEXT` ... Refuses columns that hold nothing of the kind. Before `blocks`.
    blocks : callable
        Takes a `Wanted` and yields its rows, once.
    digest : callable
        The SHA-256 of the bytes, to be called after the rows were read.
    close : callable
        Gives the file back.
    named : bool
        False where the names are only positions (arrays).
    identity : tuple of int or None
        Device and inode of a regular file.
    delimited : bool
        Whether rows are lines that a delimiter cuts into cells.
    aside : frozenset of int
        Columns that are tested only where an option names them, such as names of rows.
    notices : tuple of Notice
        What was taken for granted when the file was opened.
    chains : int
        Of a sampler: the rows are so many chains of one length, one after the other; 0 where
        nobody knows.
    dialect : mapping of str to str
        How its text is written, in words; empty for other formats.
    rows : int or None
        How many rows there are, as far as the file says, or about so many: what room is made for.
    """

    path: str
    label: str
    names: tuple[str, ...]
    kinds: Callable[[Sequence[int]], dict[int, str]]
    blocks: Callable[[Wanted], Iterator[Block]]
    digest: Callable[[], str | None] = lambda: None
    close: Callable[[], None] = lambda: None
    named: bool = True
    identity: tuple[int, int] | None = None
    delimited: bool = False
    aside: frozenset[int] = frozenset()
    notices: tuple[Notice, ...] = ()
    chains: int = 0
    dialect: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None


def require_unique(names: Sequence[str], where: str) -> None:
    """Refuse duplicate names. Empty ones pass: they are refused only when they are selected."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise DataError(
            f"{where}: several columns have the same name: {listed(twice)}. "
            "Columns are matched by name; rename them so that every name is unique."
        )


def told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Add their positions to duplicate names, so that positions can choose among the columns."""
    counts = Counter(names)
    found = tuple(
        f"{name} (column {j})" if counts[name] > 1 and name else name
        for j, name in enumerate(names, 1)
    )
    # A header that has such a name beside its duplicates is left for `require_unique` to refuse.
    return found if len(set(found) - {""}) + found.count("") == len(found) else tuple(names)


def duplicates(names: Sequence[str]) -> dict[str, list[int]]:
    """Positions, from 1, of the columns that `told_apart` told apart, by their common name."""
    found: dict[str, list[int]] = {}
    for j, name in enumerate(names, 1):
        bare = name.removesuffix(f" (column {j})")
        if bare != name:
            found.setdefault(bare, []).append(j)
    return {name: places for name, places in found.items() if len(places) > 1}


def require_few(picked: Sequence[int], where: str) -> None:
    """Refuse to read more than `MOST_COLUMNS` columns."""
    if len(picked) > MOST_COLUMNS:
        raise DataError(
            f"{where}: {len(picked):,} columns are to be read; at most {MOST_COLUMNS:,} can be. "
            "Choose some with --columns or --exclude. If these are the values of one column, write "
            "one to a line."
        )
