"""At which delimiter the first lines fall into a table, and which of its lines is the header.

A header has as many cells as the rows below it; one less where rows begin with names of their own
(R) or end with a delimiter too many; and lines of a title have fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.csv_lines import BLANKS, Record, Unreadable, columns_of, records
from kstest.sources.spellings import is_value
from kstest.wording import shown

DELIMITERS = ",;\t"
OTHERS = (",", ";", "\t", "|", BLANKS)
MOST_TITLES = 60
_DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d.*)?")
_TIMED = re.compile(r"time|hour|clock|hh|utc|gmt|zeit|heure|hora", re.IGNORECASE)
_INTEGER = re.compile(r"[0-9]{1,15}")


@frozen
class Cut:
    """Lines cut into rows; `titles` of them stand above the names."""

    delimiter: str
    rows: list[Record]
    titles: int = 0


def cut(lines: Sequence[str], given: str | None, named: bool, titled: bool) -> Cut:
    """Cut lines at the delimiter that was named, or at the one that makes a table of them.

    Parameters
    ----------
    lines : sequence of str
    given : str or None
        The delimiter where it is known.
    named : bool
        Whether names stand above the rows.
    titled : bool
        Whether lines of a title may stand above them.

    Raises
    ------
    Unreadable
        Where no delimiter cuts the first line.
    """
    best: Cut | None = None
    trouble = ""
    for delimiter in (given,) if given else DELIMITERS:
        try:
            rows = records(lines, delimiter, most=1)
        except Unreadable as error:
            trouble = str(error)
            continue
        if rows and (best is None or len(rows[0].cells) > len(best.rows[0].cells)):
            best = Cut(delimiter, rows)
    best = best and Cut(best.delimiter, records(lines, best.delimiter))
    if best is not None and _agree(best.rows) and (given or len(best.rows[0].cells) > 1):
        odd = _short(best.rows) or _filled(best.rows[0]) < max(map(_filled, best.rows))
        return (_below_titles(lines, given) if titled and odd else None) or best
    if given is None:
        tables = [c for c in _cuts(lines) if _agree(c.rows) and _proven(c, named, titled)]
        if len(tables) == 1:
            return tables[0]
        nearly = [
            c for c in _cuts(lines) if c.delimiter not in DELIMITERS and _nearly(c, named, titled)
        ]
        if best is not None and len(best.rows[0].cells) == 1 and len(nearly) == 1:
            return nearly[0]  # the reading proper names the rows that do not fit
    if best is None:
        raise Unreadable(trouble)
    if given is None and len(best.rows) > 1 and _agree(best.rows) and not _short(best.rows):
        return best
    return (_below_titles(lines, given) if titled else None) or best


def _filled(row: Record) -> int:
    """Cells up to the last that holds something."""
    return next((j for j in range(len(row.cells), 0, -1) if row.cells[j - 1].strip()), 0)


def _short(rows: Sequence[Record]) -> bool:
    """Whether the header lacks a cell, as if it were a title or the rows had names."""
    return {len(r.cells) for r in rows[1:]} == {len(rows[0].cells) + 1}


def _cuts(lines: Sequence[str]) -> Iterator[Cut]:
    for delimiter in OTHERS:
        try:
            rows = records(lines, delimiter)
        except Unreadable:
            continue
        yield Cut(delimiter, rows)


def _agree(rows: Sequence[Record]) -> bool:
    """Whether all rows have as many cells as the header, or all one more, or one less."""
    width = len(rows[0].cells)
    widths = {len(r.cells) for r in rows[1:]}
    lacking = widths == {width - 1} and rows[0].cells[-1] == ""
    return not widths or widths == {width} or widths == {width + 1} or lacking


def _proven(cut: Cut, named: bool, titled: bool) -> bool:
    """Whether several columns of numbers come out, so that the lines are no text with blanks."""
    header, rows = cut.rows[0], cut.rows[1:] if named else cut.rows
    if not rows or len(rows[0].cells) < 2:
        return False
    if named and ((titled and any(map(is_value, header.cells))) or len(header.cells) < 2):
        return False
    if named and len(rows) > 2 and not any(map(is_value, rows[0].cells)):
        rows = rows[1:]  # units
    numbers = sum(bool(c) and all(map(is_value, c)) for c in columns_of(rows))
    if cut.delimiter in DELIMITERS:
        return numbers > 0
    if cut.delimiter == BLANKS and named and _times_cut(header, rows):
        return False
    aligned = '"' in header.raw or any("  " in r.raw.strip() for r in cut.rows)
    return numbers > 1 or (numbers == 1 and (aligned or cut.delimiter == "|"))


def _nearly(cut: Cut, named: bool, titled: bool) -> bool:
    """Whether most rows make a table."""
    width = len(cut.rows[0].cells)
    rows = [r for r in cut.rows if len(r.cells) == width]
    return 2 * len(rows) > len(cut.rows) and _proven(Cut(cut.delimiter, rows), named, titled)


def _times_cut(header: Record, rows: Sequence[Record]) -> bool:
    """Whether a blank in a date with its time was taken for the end of a cell."""
    places = {
        j
        for r in rows
        for j, cell in enumerate(r.cells[1:], 1)
        if _CLOCK.fullmatch(cell) and _DAY.fullmatch(r.cells[j - 1])
    }
    return any(j >= len(header.cells) or not _TIMED.search(header.cells[j]) for j in places)


def _below_titles(lines: Sequence[str], given: str | None) -> Cut | None:
    """The table below some lines that have fewer cells than it and so are none of its rows.

    Spreadsheets fill such lines up with delimiters.
    """
    found: list[Cut] = []
    for cut in _cuts(lines) if given is None else (Cut(given, records(lines, given)),):
        start = uniform_from(cut.rows)
        width = max(map(_filled, cut.rows[start:]))
        first = next(k for k, r in enumerate(cut.rows) if k >= start and _filled(r) == width)
        rows, above = cut.rows[first + 1 :], cut.rows[:first]
        if not 1 <= first <= MOST_TITLES or width < 2 or len(rows) < 2:
            continue
        if max(map(_filled, above)) >= width:
            continue
        if any(_filled(r) > 1 and all(map(is_value, r.cells[: _filled(r)])) for r in above):
            continue  # another table
        names = cut.rows[first].cells[:width]
        if any(map(is_value, names)) or not all(names) or len(set(names)) < width:
            continue
        if any(bool(c) and all(map(is_value, c)) for c in columns_of(rows)):
            found.append(Cut(cut.delimiter, cut.rows[first:], first))
    return max(found, key=lambda cut: len(cut.rows[0].cells), default=None)


def uniform_from(rows: Sequence[Record]) -> int:
    """The first row from which on all have the same number of cells."""
    width = len(rows[-1].cells)
    first = len(rows) - 1
    while first and len(rows[first - 1].cells) == width:
        first -= 1
    return first


@frozen
class Fit:
    """Names of all columns of the rows, and which of them nobody named.

    Attributes
    ----------
    names : tuple of str
    labels : bool
        Whether the first are names of rows.
    empty : tuple of int
        Last columns without a name and a value.
    """

    names: tuple[str, ...]
    labels: bool = False
    empty: tuple[int, ...] = ()


def fitted(
    names: tuple[str, ...], rows: Sequence[Record], row_names: bool, cut: str, where: str
) -> Fit:
    """Give names to the columns of the rows.

    Raises
    ------
    DataError
        Where rows have one cell more than there are names, and it is not clear which.
    """
    widths = {len(r.cells) for r in rows}
    names = _indexed(names, cut, widths)
    width = len(names)
    if row_names and widths != {width + 1} and (names[:1] != ("",) or widths - {width}):
        raise DataError(
            f"{where}: --row-names was given, but rows do not have one cell more than the header. "
            "If only one side has row names, say so for that side, such as --sample-row-names."
        )
    if widths == {width - 1} and names[-1] == "":
        names = names[:-1]
    elif widths == {width + 1}:
        if row_names or (rows[0].cells[-1] != "" and labels(rows, cut)):
            return Fit(("", *names), True)
        if any(r.cells[-1] != "" for r in rows):
            raise DataError(
                f"{where}: the header has {width:,} cells, and all rows have {width + 1:,}, such "
                f"as {shown(rows[0].raw.strip())}. If rows begin with a name, as R writes them, "
                "say --row-names; if a comma in them is a decimal sign, write the file with "
                "semicolons, or say --delimiter ';' if there is one column.",
                # A decimal comma would make a name of what stands before it.
                () if cut == "," else ("--row-names",),
            )
        names = (*names, "")
    elif widths != {width}:
        return Fit(names)
    end = width = len(names)
    while rows and end > 1 and names[end - 1] == "" and all(r.cells[end - 1] == "" for r in rows):
        end -= 1
    first = end > 1 and names[0] == "" and (row_names or labels(rows, ";"))
    return Fit(names, first, tuple(range(end, width)))


def _indexed(names: tuple[str, ...], cut: str, widths: set[int]) -> tuple[str, ...]:
    """Put names such as b[1,1] together again that a header wrote without quotes."""
    if cut != "," or len(names) in widths or len(widths) != 1:
        return names
    whole: list[str] = []
    for name in names:
        inside = bool(whole) and whole[-1].count("[") > whole[-1].count("]")
        if inside:
            whole[-1] += f",{name}"
        else:
            whole.append(name)
    return tuple(whole) if {len(whole)} == widths else names


def labels(rows: Sequence[Record], delimiter: str) -> bool:
    """Whether the first cells are names of rows: different words, or numbers that count up.

    Where commas cut, one of a cell would make two: there names are quoted, as R does, or words
    before two numbers and more.
    """
    cells = [r.cells[0].strip() for r in rows]
    if not cells or len(set(cells)) < len(cells) or not all(cells):
        return False
    words = not any(map(is_value, cells))
    quoted = all(r.raw.lstrip().startswith('"') for r in rows)
    if words and not quoted and delimiter == ",":
        others = columns_of(rows)[1:]
        return len(others) > 1 and all(all(map(is_value, column)) for column in others)
    if words or not all(map(_INTEGER.fullmatch, cells)):
        return words
    counts = [int(cell) for cell in cells]
    if counts == sorted(counts) and delimiter != ",":
        return len(counts) > 1 or counts[0] < 2
    # R quotes names, and no numbers.
    return quoted and all(r.raw.count('"') == 2 for r in rows)
