"""The first lines of a text table, cut into cells at one delimiter or another."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from kstest.frozen import frozen

BLANKS = "whitespace"  # the delimiter of aligned columns: any run of blanks and tabs
# Missing unless --null-values says otherwise: what R, pandas, SQL and spreadsheets write.
NULLS: tuple[str, ...] = (
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "#N/A", "#N/A N/A", "#NA",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip
# What is looked at: so many characters, but at least so many lines, of the beginning.
CHARACTERS = 1 << 14
LEAST_LINES = 4
MOST_LINES = 1000
_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|(\S+)')


@frozen
class Record:
    """The cells of a row, what it was cut from, and where: index of its first line, and lines."""

    cells: tuple[str, ...]
    raw: str
    line: int = 0
    span: int = 1

    @property
    def end(self) -> int:
        return self.line + self.span


class Unreadable(Exception):
    """A line that a delimiter does not cut into cells."""


def records(lines: Sequence[str], delimiter: str, most: int | None = None) -> list[Record]:
    """Cut lines into rows, at most so many; blank lines are none, a quoted cell may span several.

    Parameters
    ----------
    lines : sequence of str
        With their ends.
    delimiter : str
        A character, or `BLANKS`.

    Raises
    ------
    Unreadable
        Where text follows a quote, in the first row; a later one ends the list.
    """
    return list(islice(_records(lines, delimiter), most))


def _records(lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    if delimiter == BLANKS:
        for at, line in enumerate(lines):
            if line.strip():
                yield Record(blank_cells(line), line, at)
        return
    plain = _plain(lines)
    if plain is not None:
        for at, line in enumerate(plain):
            if line:
                yield Record(tuple(line.split(delimiter)), lines[at], at)
        return
    taken: list[str] = []
    at = 0
    # Strict: in "a;b";"c,d" the comma must not split, since text would follow a quote.
    rows = csv.reader(_recorded(lines, taken), delimiter=delimiter, strict=True)
    found = False
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            if not found:
                raise Unreadable(str(error)) from None
            return
        if cells is None:
            return
        if cells:
            found = True
            yield Record(tuple(cells), "".join(taken), at, len(taken))
        at += len(taken)
        taken.clear()


def _plain(lines: Sequence[str]) -> list[str] | None:
    """Lines without their ends; None where not every delimiter cuts them: quotes, odd ends."""
    longest = csv.field_size_limit()
    if any('"' in line or len(line) > longest for line in lines):
        return None
    bare = [line.removesuffix("\n").removesuffix("\r") for line in lines]
    return None if any("\r" in line or "\n" in line for line in bare) else bare


def blank_cells(line: str) -> tuple[str, ...]:
    """The cells of a line with runs of blanks between them."""
    return tuple(
        m[2] if m[1] is None else m[1].replace('""', '"') for m in _TOKEN.finditer(line.strip())
    )


def _recorded(lines: Sequence[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def lines_of(text: str, complete: bool) -> list[str]:
    """The first lines with their ends; the last only if it is whole."""
    found: list[str] = []
    size = 0
    for line in io.StringIO(text, newline=""):
        cut = not line.endswith("\n") and size + len(line) == len(text)  # perhaps before a \n
        if cut and not complete:
            break
        found.append(line)
        size += len(line)
        if len(found) >= MOST_LINES or (size > CHARACTERS and len(found) >= LEAST_LINES):
            break
    return found


def is_missing(cell: str) -> bool:
    """Whether a cell means missing unless --null-values says otherwise."""
    return cell.strip() in NULLS


def columns_of(rows: Sequence[Record]) -> list[list[str]]:
    """The cells that are not missing, by column, of rows of one width."""
    width = len(rows[0].cells) if rows else 0
    return [[r.cells[j] for r in rows if not is_missing(r.cells[j])] for j in range(width)]
