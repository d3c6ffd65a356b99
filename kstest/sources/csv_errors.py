"""What stopped pyarrow in a CSV, in the user's terms."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from kstest.errors import DataError
from kstest.sources.spellings import DECIMAL_COMMA, spelling
from kstest.wording import one_line, option_value, shown

_CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (.+?): (.*)", re.DOTALL
)
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(,\d{3})+\s*", re.ASCII)
# Not read as missing with outer blanks, or at all, but no unit either.
_NO_VALUE = frozenset({"na", "nan", "n/a", "null", "none", "nil", "missing", "inf", "unknown"})
UNITS = " Is row 1 units or notes below the header? Then say --units-row."
_VALUE = re.compile(r"'(.*)'", re.DOTALL)


def ragged_row(where: str, row: Any, before: int = 0, hint: str = "") -> DataError:
    """Refuse a row that has more or fewer cells than the header; `before`: rows read earlier."""
    number = before + row.number
    return DataError(
        f"{where}: row {number:,}: Expected {row.expected_columns:,} columns as in the "
        f"header, found {row.actual_columns:,}: {shown(row.text)}. Every row needs as many "
        f"cells as the header; quote cells that hold the delimiter."
        f"{_unclosed(str(row.text))}{hint}",
        _said(hint),
    )


def explained(
    error: DataError,
    where: str,
    names: Sequence[str],
    bad: Collection[int],
    before: int = 0,
    hint: str = "",
) -> DataError:
    """Rewrite the error of a cell that cannot be converted; return others as they are.

    Parameters
    ----------
    error : DataError
        Its cause is what pyarrow said.
    where : str
    names : sequence of str
        Of all columns of the file.
    bad : collection of int
        Columns meant as numbers in which some of the first cells are none.
    before : int
        Rows read earlier.
    hint : str
        What may be wrong with the first rows.
    """
    found = _CONVERSION.search(str(error.__cause__))
    if found is None:
        return error
    j, kind, detail = int(found[1]), found[3], found[4]
    value = _VALUE.search(detail)
    cell = value[1] if value else one_line(ValueError(detail))
    row = f", row {before + int(found[2]):,}" if found[2] else ""
    if detail.startswith("invalid UTF8"):
        return DataError(
            f"{where}: column {shown(names[j])}{row}: is not UTF-8 text. Say "
            "which encoding it is, for example --encoding latin-1 or --encoding cp1252."
        )
    if kind == "null":
        return DataError(
            f"{where}: column {j + 1}{row}: found {shown(cell)} in a column that has no name and "
            "was empty in the first rows. Name the column, or take the cell out.",
        )
    advice = _advice(j, cell, names, bad, (hint or UNITS) if found[2] == "1" and not before else "")
    return DataError(
        f"{where}: column {shown(names[j])}{row}: found {shown(cell)}; accepted: "
        f"{_accepted(kind)}.{advice}",
        _said(advice),
    )


def _said(advice: str) -> tuple[str, ...]:
    """The first option that an advice names, and its value; not one that changes the question."""
    found = re.search(r"(--[a-z-]+)(?: ((?!if\b|or\b|as\b|and\b|NAME)[^\s;.]+|\.))?", advice)
    if (
        found is None
        or " or, if" in advice
        or found[1] in ("--categorical", "--exclude", "--null-values", "--missing")
    ):
        return ()
    return tuple(part.strip("\"'") for part in found.groups() if part)


def _unclosed(text: str) -> str:
    return " A quote is not closed, or closed too late." if "\n" in text else ""


def _accepted(kind: str) -> str:
    if kind.startswith("timestamp"):
        zone = " with a zone such as Z" if "tz=" in kind else ", without a zone"
        return f"dates and times such as 2024-05-01 12:30:00{zone}, as in the first rows"
    if kind.startswith("time"):
        return "times of day such as 12:30:00, as in the first rows"
    if kind == "bool":
        return "true and false, as in the first rows"
    if kind.startswith(("dictionary", "string")):
        return "text in UTF-8"
    return "numbers (or true/false, dates and times throughout)"


def _advice(j: int, cell: str, names: Sequence[str], bad: Collection[int], hint: str) -> str:
    if _THOUSANDS.fullmatch(cell):
        return (
            " Does the comma separate thousands? Then say --thousands , or, if it is the decimal "
            "sign, --decimal ,"
        )
    if DECIMAL_COMMA.fullmatch(cell):
        return " Is the comma a decimal sign? Then say --decimal ,"
    if "\n" in cell:
        return " Is a quote not closed?"
    also = [names[k] for k in (sorted(bad) if j in bad else (j,))]
    more = len(bad) - 1 if j in bad else 0
    others = f" So {'does' if more == 1 else 'do'} {more:,} other column{'s' * (more > 1)}."
    others = others if more else ""
    found = spelling(cell)
    if found is not None:
        return (
            f"{others} Are these {found.words}? Then {found.advice}; or leave the column out with "
            f"--exclude {option_value(also)}."
        )
    if hint and any(c.isalpha() for c in cell) and cell.strip().casefold() not in _NO_VALUE:
        others += hint
    return (
        f"{others} Mend the cell; or name it in --null-values if it means missing; or read the "
        f"column as categories with --categorical {option_value(also)}, or leave it out with "
        f"--exclude {option_value(also)}."
    )


def too_long(where: str, most: int, live: bool) -> DataError:
    """Say that a row has more bytes than a block may have."""
    if live:
        return DataError(f"{where}: a line is longer than 64 MB. Is a quote not closed?")
    return DataError(
        f"{where}: a row is longer than {most >> 10:,} kB, which is the most for this file (16 MB "
        "where the first rows have quotes). Is a quote not closed?"
    )
