"""Which decimal sign and thousands separators the numbers of a text table show.

1,5 is one and a half and 1,234,567 more than a million, whatever the country; 1,234 alone may be
either. Only what no cell of the first rows contradicts, and one at least proves, is taken for
granted; all other numbers of another form are left for the reading to refuse.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from kstest.frozen import frozen
from kstest.sources.csv_lines import BLANKS

_EXP = r"(?:[eE][+-]?\d+)?"
SPACES = " \u00a0\u202f\u2009"
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_POINT = re.compile(rf"[+-]?(?:\d+\.\d*|\.\d+){_EXP}|[+-]?\d+[eE][+-]?\d+", re.ASCII)
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
# Few files have such numbers: these are compiled, and kept by `re`, where one does.
_EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"
_COMMA = rf"[+-]?(?:\d+,\d*|,\d+){_EXP}"
_GROUPED = {
    ",": r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?",
    ".": r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?",
    "'": r"[+-]?[1-9]\d{0,2}(?:['’]\d{3})+(?:[.,]\d*)?",
    "_": r"[+-]?[1-9]\d{0,2}(?:_\d{3})+(?:\.\d*)?",
    " ": rf"[+-]?[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:[.,]\d*)?",
}
_ODD = re.compile(rf"[,'’_{SPACES}]|\.\d{{3}}\.")
NAMES = {",": ",", ".": ".", "'": '"\'"', "_": "_", " ": "space"}
LEAST_SHARE = 0.5  # of the cells of a column that are to show a decimal comma


@frozen
class Numbers:
    """How numbers are written.

    Attributes
    ----------
    decimal : str or None
        None where nothing shows it.
    thousands : str or None
    example : str
        A cell that shows it.
    """

    decimal: str | None = None
    thousands: str | None = None
    example: str = ""


def numbers_of(columns: Sequence[Sequence[str]]) -> Numbers:
    """Say what the cells of the first rows prove, by column; nothing where they disagree.

    Example
    -------
    >>> numbers_of([["1,5", "12"], ["a", "b"]]).decimal
    ','
    >>> numbers_of([["1,234", "567"]])
    Numbers(decimal=None, thousands=None, example='')
    """
    seen: Counter[str] = Counter()
    example: dict[str, str] = {}
    for column in columns:
        found = [form(cell.strip()) for cell in column]
        if not found or "" in found:
            continue
        if "either" in found and {"point", "dotted"} & {*found}:  # 1,234 beside 999.5
            found = [",grouped" if kind == "either" else kind for kind in found]
        here = Counter(found)
        commas = sum(here[k] for k in (",", "either"))
        if here[","] and commas < LEAST_SHARE * len(found):
            found = ["weak" if kind == "," else kind for kind in found]
            here = Counter(found)
        marks = [k for k in here if k[1:] == "grouped"]
        if any(not _proven(mark[0], column) for mark in marks):
            return Numbers()
        seen += here
        for kind, cell in zip(found, column, strict=True):
            example.setdefault(kind, cell.strip())
    marks = [k for k in seen if k[1:] == "grouped"]
    if len(marks) > 1:
        return Numbers()
    if marks:
        return _grouped(marks[0][0], seen, example)
    if seen[","] and not seen["point"] and not seen["dotted"]:
        return Numbers(",", None, example[","])
    return Numbers()


def may_be_odd(text: str, delimiter: str) -> bool:
    """Whether rows hold a sign that only other numbers than 1.5 have; quick, for plain files."""
    if '"' not in text:
        for sign in " \t" if delimiter == BLANKS else delimiter:
            text = text.replace(sign, "\n")
    return _ODD.search(text) is not None


def _grouped(mark: str, seen: Counter[str], example: dict[str, str]) -> Numbers:
    """The decimal sign beside thousands that are proven."""
    cell = example[mark + "grouped"]
    tail = cell.rpartition(mark)[2]
    comma = seen[","] > 0 or mark == "." or "," in tail
    points = seen["point"] + (seen["dotted"] if mark != "." else 0)
    if comma and (mark == "," or points):
        return Numbers()
    if mark not in ",." and seen["either"] and not comma:  # 1,234 beside 1 234
        return Numbers()
    return Numbers("," if comma else ".", mark, cell)


def _proven(mark: str, column: Sequence[str]) -> bool:
    """Whether groups in a column are those of numbers: not all cells have the same, without more.

    Codes, addresses and lists (123 456, 192.168.100.100) have as many groups everywhere.
    """
    sizes = {len(re.split(separators(mark), cell.strip())) for cell in column}
    return len(sizes) > 1 or any(({*".,"} - {mark}) & {*cell} for cell in column)


def form(cell: str) -> str:
    """How a cell writes a number: whole, point, ',' (decimal), Xgrouped; '' if it does not.

    ``1.234`` is dotted and ``1,234`` either: they may have separators of thousands.
    """
    if _WHOLE.fullmatch(cell):
        return "whole"
    if _POINT.fullmatch(cell):
        return "dotted" if _DOTTED.fullmatch(cell) else "point"
    if re.fullmatch(_EITHER, cell, re.ASCII):
        return "either"
    if re.fullmatch(_COMMA, cell, re.ASCII):
        return ","
    return next((f"{m}grouped" for m, p in _GROUPED.items() if re.fullmatch(p, cell, re.ASCII)), "")


def pattern(thousands: str, decimal: str) -> str:
    """Regular expression (of RE2, too) of a number that may have thousands separators."""
    sign = {" ": f"[{SPACES}]", "'": "['’]", ".": r"\."}.get(thousands, thousands)
    point = r"\." if decimal == "." else ","
    whole = rf"(?:\d{{1,3}}(?:{sign}\d{{3}})+|\d+)"
    if thousands == ",":
        whole = r"(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d+)"  # 12,34,567
    return rf"^[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+){_EXP}$"


def separators(thousands: str) -> str:
    """Regular expression of what is taken out of such numbers."""
    return {" ": f"[{SPACES}]", "'": "['’]", ".": r"\."}.get(thousands, thousands)
