"""The first lines of a CSV, sorted: what is above the names, the names, and the others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kstest.frozen import frozen
from kstest.sources.csv_lines import BLANKS
from kstest.sources.dialect import Dialect
from kstest.wording import shown

COMMENTS = ("#", "%")
# How spreadsheets write down the delimiter: a line before the names.
_SEPARATOR = re.compile(r"\"?sep=([!#-/:-@\[-^`{-~\t])\"?\r?\n", re.IGNORECASE)
_LOGGER = re.compile(r'"?TOA5"?,')  # Campbell: station, names, units, processing
LOGGER_LINES = 4


@frozen
class Top:
    """The first lines, sorted.

    Attributes
    ----------
    lines : list of str
        All of them, with their ends.
    names : list of str
        Those that are known to hold the names.
    comments : list of str
        Above the names.
    body : list of int
        Which of `lines` are neither.
    mark : str or None
    delimiter : str or None
        As the file says itself.
    """

    lines: list[str]
    names: list[str]
    comments: list[str]
    body: list[int]
    mark: str | None
    delimiter: str | None = None


def commented(top: Top) -> str:
    return f" and comments ({shown(top.comments[0].strip())})" if top.comments else ""


def sort_lines(lines: list[str], how: Dialect) -> Top:
    """Tell comments and lines of names from the others."""
    at, said = how.above, None
    if not (at or how.header) and lines:
        found = _SEPARATOR.fullmatch(lines[0])
        at, said = (1, found[1]) if found else (0, None)
        if _LOGGER.match(lines[0]) and how.named:
            body = [*range(LOGGER_LINES, len(lines))]
            return Top(lines, lines[1:2], [], body, how.comment, ",")
    mark = how.comment or _mark(lines[at:]) or _mark(lines)
    if how.header:
        names = [
            line.lstrip(mark[0]).lstrip() if mark and line.startswith(mark) else line
            for line in lines[at : at + how.header]
        ]
        at += how.header
        body = [i for i in range(at, len(lines)) if not (mark and lines[i].startswith(mark))]
        return Top(lines, names, [], body, mark, said)
    first = at
    while first < len(lines) and (not lines[first].strip() or _is_comment(lines[first], mark)):
        first += 1
    comments = [line for line in lines[at:first] if line.strip()]
    if comments and comments[0].startswith("# %ECSV") and how.delimiter is None:
        said = BLANKS if not any("delimiter:" in line for line in comments) else said
    body = [i for i in range(first, len(lines)) if not _is_comment(lines[i], mark)]
    return Top(lines, [], comments, body, mark, said)


def _is_comment(line: str, mark: str | None) -> bool:
    return mark is not None and line.startswith(mark)


def _mark(lines: Sequence[str]) -> str | None:
    """The sign of comments, by the first line; not the name # or % of a column."""
    whole = [line for line in lines if line.strip()][:2]
    first = whole[0] if whole else ""
    if not first.startswith(COMMENTS) or re.match(r"[#%]\s*[,;\t|]", first):
        return None
    alone = first.strip() == first[0] and not whole[-1].startswith(first[0])
    return None if alone else first[0]
