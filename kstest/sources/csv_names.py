"""Names of columns that stand in comments: VCF, savetxt, SExtractor; and in several lines.

What a comment says changes no value: at worst a column has a strange name. What is asked here is
whether the first line that is no comment holds names or is a row already, which does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.csv_lines import BLANKS, Record, Unreadable, is_missing, records
from kstest.sources.spellings import is_value
from kstest.wording import shown

# "#  3 MAG_AUTO   Kron-like magnitude   [mag]"
_NUMBERED = re.compile(r"[#%]\s*(\d{1,5})\s+(\S+)(?:\s.*)?")
DELIMITERS = ",;\t"
FIRST_YEAR, LAST_YEAR = 1800, 2200
PROSE = 3  # words of a name at most: a longer one is a sentence


@frozen
class Behind:
    """Names in a comment, and the delimiter that cuts them and the rows."""

    names: tuple[str, ...]
    delimiter: str


def names_behind(
    comments: Sequence[str], body: Sequence[str], mark: str, delimiter: str | None, where: str
) -> Behind | None:
    """Find the names of the columns in the comments above the first row.

    Parameters
    ----------
    comments : sequence of str
        The marked lines above.
    body : sequence of str
        Lines that are no comments.
    mark : str
        What comments begin with.
    delimiter : str or None
        As given; None to find it.
    where : str
        For messages.

    Returns
    -------
    Behind or None
        None where the first line of `body` holds the names.
    """
    numbered = _numbered(comments, body)
    if numbered is not None:
        return numbered
    last = next((line for line in reversed(comments) if line.strip(f"{mark[0]} \t\r\n")), None)
    if last is None or not body:
        return None
    text = last.strip().lstrip(mark[0]).strip()
    alone = len(comments) == 1
    single: Behind | None = None
    for one in (delimiter,) if delimiter is not None else ("\t", ";", ",", "|", BLANKS):
        try:
            names = records([text], one)[0].cells
            rows = records(body, one)
        except (Unreadable, IndexError):
            continue
        if not rows or len(names) != len(rows[0].cells):
            continue
        found = Behind(tuple(name.strip() for name in names), one)
        if len(names) > 1:
            rows = [r for r in rows if len(r.cells) == len(names)]
            return _decided(found, rows, last, where, alone)
        single = found  # one column, unless another delimiter cuts it
    if single is None or len(text.split()) > 1 or _cuts(body[0]):
        return None
    return _decided(single, records(body, single.delimiter), last, where, alone)


def _decided(
    found: Behind, rows: Sequence[Record], comment: str, where: str, alone: bool
) -> Behind | None:
    """Take the names if the first row cannot hold them; `alone`: there is one comment."""
    names, first, below = found.names, rows[0].cells, rows[1:]
    attached = comment[:1] == "#" and comment[:2] != "##" and not comment[1:2].isspace()
    values = [is_value(cell) for cell in first]
    odd = not all(names) or any(map(is_value, names))
    if odd or any(len(name.split()) > PROSE for name in names):
        # The only such line may be a header whose first name is #1.
        header = alone and attached and not _words_above(values, below)
        return replace(found, names=(f"#{names[0]}", *names[1:])) if header else None
    if all(value or is_missing(cell) for value, cell in zip(values, first, strict=True)):
        return found
    if _words_above(values, below):
        return None  # the first row has the names
    # Years and running numbers may be names as well.
    counts = not any(values) or ordinal([c for c, v in zip(first, values, strict=True) if v])
    if not counts or (attached and len(names) > 1):
        return found
    raise DataError(
        f"{where}: the names of the columns may be in the comment {shown(comment.strip())} or in "
        f"the line below it, {shown(rows[0].raw.strip())}: nothing shows in which. Say "
        "--header-row with the number of the line that has them."
    )


def _words_above(values: Sequence[bool], below: Sequence[Record]) -> bool:
    """Whether a row has words where those below it have numbers."""
    for j, value in enumerate(values):
        cells = [r.cells[j] for r in below if not is_missing(r.cells[j])]
        if not value and cells and all(map(is_value, cells)):
            return True
    return False


def ordinal(cells: Sequence[str]) -> bool:
    """Whether numbers count up one by one, or are years: then they may be names.

    Example
    -------
    >>> ordinal(["0", "1", "2"]), ordinal(["1990", "2000"]), ordinal(["3", "5"])
    (True, True, False)
    """
    if not all(cell.strip().isdecimal() and len(cell) < 10 for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {b - a for a, b in pairwise(numbers)}
    years = all(FIRST_YEAR <= n <= LAST_YEAR for n in numbers) and all(step > 0 for step in steps)
    return years or steps <= {1}


def _cuts(line: str) -> bool:
    """Whether some delimiter cuts a line."""
    return len(line.split()) > 1 or any(one in line for one in "\t;,|")


def _numbered(comments: Sequence[str], body: Sequence[str]) -> Behind | None:
    """Names of SExtractor: a comment for each column, with its number."""
    pairs = [(int(m[1]), m[2]) for m in map(_NUMBERED.fullmatch, map(str.rstrip, comments)) if m]
    if len(pairs) < 2 or len(pairs) != sum(1 for line in comments if line.strip("#% \t\r\n")):
        return None
    first = records(body[:1], BLANKS)
    width = len(first[0].cells) if first else 0
    places = [number for number, _ in pairs]
    if places[0] != 1 or places[-1] > width or places != sorted(set(places)):
        return None
    names: list[str] = []
    for (number, name), end in zip(pairs, [*places[1:], width + 1], strict=True):
        names += [name, *(f"{name}_{k}" for k in range(1, end - number))]
    return Behind(tuple(names), BLANKS)


def joined(rows: Sequence[Record]) -> tuple[str, ...]:
    """Names of several lines, one below the other, as one; a blank takes what stands left of it.

    Example
    -------
    >>> joined([Record(("t", "air", ""), ""), Record(("", "min", "max"), "")])
    ('t', 'air_min', 'air_max')
    """
    width = max(len(r.cells) for r in rows)
    parts: list[list[str]] = [[] for _ in range(width)]
    for k, row in enumerate(rows):
        last = ""
        for j in range(width):
            cell = row.cells[j].strip() if j < len(row.cells) else ""
            lower = k == len(rows) - 1
            last = cell or ("" if lower else last)
            if last and last not in parts[j]:
                parts[j].append(last)
    return tuple("_".join(part) for part in parts)
