"""Whether a text column holds categories (refused are identifiers, numbers and whole rows), and
whether those of two sides differ only in how they are written, or in everything.

A category says something by being met again. Where nearly every cell is a word of its own, any two
files differ in all of them and no test of categories sees anything, so that neither "rejected" nor
"not rejected" would mean what it says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sources.convert import by_value
from kstest.sources.spellings import AS_TEXT, PLAIN, Found, named_spelling
from kstest.wording import listed, option_value, shown

# A text column with more categories than this, and than half of its rows, is an identifier,
MOST_LEVELS = 1000
MOST_DISTINCT = 0.5
# or one of so many cells of which such a share differ: of 20 rows in a category of 100 equally
# frequent levels 18 differ, of 40 rows 33.
LEAST_CELLS = 20
NEARLY_ALL = 0.9
# Numbers in a foreign spelling that take few values, each met twice on average, may be meant as
# categories (7%, 19%).
FEW_LEVELS = 20
# Words whose spelling is looked at.
LOOKED_AT = 2000
# What may separate the cells of a row, and what to say for it.
_MARKS = {"|": "'|'", "\t": "tab", ";": "';'", ":": "':'", " ": "space"}


@frozen
class Words:
    """A text column: its different cells, and how often each occurs on every side.

    Attributes
    ----------
    name : str
    label : str
        Of the first file.
    words : sequence of str
    counts : mapping of str to ndarray of int (k,)
        By side.
    alone : bool
        Whether it is the only column of a file of delimited text.
    decimal : str
        The decimal sign that is read.
    """

    name: str
    label: str
    words: Sequence[str]
    counts: Mapping[str, NDArray[np.int64]]
    alone: bool = False
    decimal: str = "."

    @property
    def total(self) -> NDArray[np.int64]:
        return np.asarray(np.sum([*self.counts.values()], axis=0))


def require_categories(column: Words) -> tuple[Notice, ...]:
    """Refuse a text column that is no category; return what else there is to say of it.

    Raises
    ------
    DataError
        Naming the column and what to do.
    """
    total = column.total
    cells, levels = int(total.sum()), int(np.count_nonzero(total))
    if not cells:
        return ()
    met = np.flatnonzero(total)
    some = met[np.unique(np.linspace(0, len(met) - 1, LOOKED_AT).astype(int))]
    words = [column.words[k] for k in some]
    repeated = levels <= 2 or (levels <= FEW_LEVELS and 2 * levels <= cells)
    alone = column.alone and not repeated
    if alone:
        _require_one_column(column, words, named=True)
    found = named_spelling(words, [int(total[k]) for k in some], column.decimal)
    if found is not None and found.spelling is not AS_TEXT:
        if not repeated:
            raise _spelled(column, found)
        return (_as_categories(column, found),)
    if alone:
        _require_one_column(column, words, named=False)
    _require_repeats(column, cells, levels, found)
    return ()


def _require_repeats(column: Words, cells: int, levels: int, found: Found | None) -> None:
    """Refuse a column of which nearly all cells differ."""
    sides = {side: (int(c.sum()), int(np.count_nonzero(c))) for side, c in column.counts.items()}
    nearly = cells >= LEAST_CELLS and levels >= NEARLY_ALL * cells
    # The same identifiers on all sides: half of the cells differ, and of each side all.
    each = all(n >= LEAST_CELLS and k >= NEARLY_ALL * n for n, k in sides.values())
    many = [(s, n, k) for s, (n, k) in sides.items() if k > MOST_LEVELS and k > MOST_DISTINCT * n]
    if not (nearly or each or many):
        return
    side, n, k = many[0] if many else ("", cells, levels)
    raise Identifier(column.name, k, n, side, found)


class Identifier(DataError):
    """A column of so many different values that it is no category."""

    def __init__(
        self, name: str, levels: int, rows: int, side: str = "", found: Found | None = None
    ) -> None:
        self.name = name
        self.words = _differing(name, levels, rows, side, found)
        super().__init__(f"{self.words} {_way_out([name])}")


def together(errors: Sequence[Identifier], counting: Sequence[str]) -> DataError:
    """One error for all columns that are to be left out, so that nobody meets them one by one.

    `counting` are numeric columns that count on from file to file.
    """
    names = [error.name for error in errors]
    more = f" So do columns {listed(names[1:])}." if len(names) > 1 else ""
    also = f" Column {listed(counting)} counts on from row to row." if counting else ""
    return DataError(f"{errors[0].words}{more}{also} {_way_out([*names, *counting])}")


def _way_out(names: Sequence[str]) -> str:
    return (
        f"Leave {'it' if len(names) == 1 else 'them'} out with --exclude {option_value(names)}; to "
        "test a category all the same, name it in --categorical."
    )


def _differing(name: str, levels: int, rows: int, side: str, found: Found | None) -> str:
    where = f"{side}: " if side else ""
    numbers = (
        ""
        if found is None
        else f" Its cells are {found.spelling.words} (such as {shown(found.example)}): to compare "
        f"them as numbers, {found.spelling.advice}."
    )
    return (
        f"{where}text column {shown(name)} has {levels:,} different values in {rows:,} rows: it "
        f"looks like an identifier, not like a category.{numbers}"
    )


def _spelled(column: Words, found: Found) -> DataError:
    return DataError(
        f"{column.label}: column {shown(column.name)} holds {found.spelling.words}, such as "
        f"{shown(found.example)}, which are not read as numbers: {found.spelling.advice}. Or leave "
        f"the column out with --exclude {option_value([column.name])}; to compare its cells as "
        "categories, name it in --categorical."
    )


def _as_categories(column: Words, found: Found) -> Notice:
    return Notice(
        "numbers-as-categories",
        f"column {shown(column.name)} holds {found.spelling.words}, such as "
        f"{shown(found.example)}, and is compared as categories, whose order is not seen; to "
        f"compare numbers, {found.spelling.advice}",
    )


def _require_one_column(column: Words, words: Sequence[str], named: bool) -> None:
    """Refuse rows that were not cut into cells, where the cells show at what.

    `named`: the header is in as many pieces as they; otherwise all pieces are numbers.
    """
    for mark in _MARKS:
        pieces = [word.split() if mark == " " else word.split(mark) for word in words]
        widths = {len(p) for p in pieces}
        if len(widths) > 1 or widths == {1}:
            continue
        header = column.name.split() if mark == " " else column.name.split(mark)
        if named and len(header) not in widths:
            continue
        if not named and not all(PLAIN.fullmatch(c.replace(",", ".")) for p in pieces for c in p):
            continue
        runs = mark == " " and any("  " in word.strip() or word != word.strip() for word in words)
        said = "whitespace" if runs else _MARKS[mark]
        raise DataError(
            f"{column.label}: has one column, {shown(column.name)}, and every cell of it "
            f"{_pieces(mark, widths.pop())}, such as {shown(words[0])}. Are these several columns? "
            f"Then say --delimiter {said}. If it is text, leave it so with "
            f"--categorical {option_value([column.name])}.",
            ("--delimiter", said.strip("'")),
        )


def _pieces(mark: str, width: int) -> str:
    what = {" ": "blanks", "\t": "tabs"}.get(mark, _MARKS[mark])
    return f"is {width:,} pieces with {what} between them"


_TRUTH = (
    frozenset({"true", "false"}),
    frozenset({"t", "f"}),
    frozenset({"yes", "no"}),
    frozenset({"y", "n"}),
    frozenset({"on", "off"}),
    frozenset({"1", "0"}),
)
# Cells of a side from which on it is no chance that no category is on both.
LEAST_APART = 10
LISTED_CATEGORIES = 4


def unlike(column: Words, insisted: bool = False) -> tuple[Notice, ...]:
    """Say that categories of two sides differ in spelling, or have nothing in common.

    Parameters
    ----------
    column : Words
    insisted : bool
        Whether the user named the column in --categorical: then nothing is refused.

    Raises
    ------
    DataError
        For truth values that are written in two ways.
    """
    if len(column.counts) != 2:
        return ()
    sides = [
        [column.words[int(k)] for k in np.flatnonzero(counts)] for counts in column.counts.values()
    ]
    if not all(sides) or sides[0] == sides[1]:
        return ()
    truth = _truth(column, sides)
    if truth and not insisted:
        raise DataError(
            f"{truth}. Write them in one way (sed, or read as numbers 1 and 0), or leave the "
            f"column out with --exclude {option_value([column.name])}."
        )
    if truth:
        return (Notice("spellings-differ", f"{truth}, and count as different categories"),)
    common = set(sides[0]) & set(sides[1])
    pairs = _spelled_unlike(sides, common)
    if pairs:
        one, other = pairs[0]
        names = [*column.counts]
        more = f", and {len(pairs) - 1:,} more pairs" if len(pairs) > 1 else ""
        return (
            Notice(
                "spellings-differ",
                f"column {shown(column.name)} has {shown(one)} in the {names[0]} and "
                f"{shown(other)} in the {names[1]}{more}: categories that are written differently "
                "are different. If they mean the same, write them in one way",
            ),
        )
    if not common and all(counts.sum() >= LEAST_APART for counts in column.counts.values()):
        return (
            Notice(
                "values-apart",
                f"column {shown(column.name)} has no value in common: {_sides(column, sides)}. "
                "If it names the run, the day or the file, leave it out with --exclude "
                f"{option_value([column.name])}",
            ),
        )
    return ()


def _truth(column: Words, sides: Sequence[Sequence[str]]) -> str:
    """Say that truth values are written in two ways; empty where they are not."""
    plain = [{level.strip().casefold() for level in levels} for levels in sides]
    pairs = [next((pair for pair in _TRUTH if found <= pair), None) for found in plain]
    if None in pairs or set(sides[0]) & set(sides[1]):
        return ""
    if pairs[0] == pairs[1] and not plain[0] & plain[1]:
        return ""  # yes on one side, no on the other, is a difference
    return f"column {shown(column.name)} holds truth values written as {_sides(column, sides)}"


def _sides(column: Words, sides: Sequence[Sequence[str]]) -> str:
    return ", ".join(
        f"{listed(levels, LISTED_CATEGORIES)} in the {side}"
        for side, levels in zip(column.counts, sides, strict=True)
    )


def _spelled_unlike(sides: Sequence[Sequence[str]], common: set[str]) -> list[tuple[str, str]]:
    """Categories of one side alone that differ from some of the other alone in spelling only."""
    other = {_plain(level): level for level in sides[1] if level not in common}
    pairs = [(level, other.get(_plain(level))) for level in sides[0] if level not in common]
    return [(one, two) for one, two in pairs if two is not None]


def _plain(level: str) -> str:
    """A category without case, outer and repeated blanks, and the form of its accents."""
    return by_value(" ".join(unicodedata.normalize("NFKC", level).casefold().split()))
