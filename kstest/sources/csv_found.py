"""What the first rows of a CSV show beside their cells: units, row names, empty columns, numbers.

Every one of these is said in a notice, with the option that says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sources.csv_lines import Record, columns_of
from kstest.sources.csv_names import ordinal
from kstest.sources.csv_numbers import NAMES, may_be_odd, numbers_of
from kstest.sources.csv_units import no_row, units_row
from kstest.sources.csv_width import Fit, fitted
from kstest.sources.dialect import Dialect
from kstest.sources.spellings import is_number, is_value
from kstest.wording import listed, shown

MOST_WORDS = 4  # lines of words below the names that are looked for
SAMPLER = "lp__"  # names of CmdStan that end in two underscores belong to the sampler


@frozen
class Known:
    """See `kstest.sources.csv_header.Header`; `rows` begins with the first row."""

    names: tuple[str, ...]
    rows: Sequence[Record]
    aside: frozenset[int]
    empty: tuple[int, ...]
    decimal: str
    thousands: str | None
    notices: tuple[Notice, ...]
    hint: str


def found_in_rows(
    names: tuple[str, ...], rows: Sequence[Record], cut: str, how: Dialect, where: str, line: int
) -> Known:
    """Look at the first rows.

    Parameters
    ----------
    names : tuple of str
    rows : sequence of Record
    cut : str
        The delimiter.
    how : Dialect
    where : str
        For messages.
    line : int
        Of the names in the file.
    """
    notices: list[Notice] = []
    hint = ""
    if how.units:
        if rows and any(map(is_value, rows[0].cells)):
            raise DataError(
                f"{where}: --units-row: the line below the names holds numbers, "
                f"{shown(rows[0].raw.strip())}. If only one side has units, say so for that side, "
                "such as --sample-units-row."
            )
        rows = rows[1:]
    elif how.named and rows and units_row(rows[0], rows[1:]):
        units = listed([cell.strip() for cell in rows[0].cells if cell.strip()])
        notices.append(
            Notice("units-row", f"units below the names are skipped: {units} (--units-row)")
        )
        rows = rows[1:]
    elif how.named:
        hint = _words_below(names, rows, line, where)
    fit = fitted(names, rows, how.row_names, cut, where)
    sampler = frozenset(j for j, name in enumerate(fit.names) if name.endswith("__"))
    if SAMPLER not in fit.names or len(sampler) == len(fit.names):
        sampler = frozenset()
    notices += _left_out(fit, sampler, where)
    decimal, thousands, said = _numbers(rows, cut, how)
    return Known(
        fit.names,
        rows,
        frozenset([*fit.empty, *sampler, *([0] if fit.labels else [])]),
        fit.empty,
        decimal,
        thousands,
        (*notices, *said),
        hint,
    )


def _words_below(names: tuple[str, ...], rows: Sequence[Record], line: int, where: str) -> str:
    """Say what to do with lines of words between names and numbers.

    Raises
    ------
    DataError
        Where names are missing as well, as in the first of several lines of them.
    """
    for count in range(1, min(MOST_WORDS, len(rows) - 1) + 1):
        if all(no_row(row, rows[count:]) for row in rows[:count]):
            break
    else:
        return ""
    both = f"--header-row {line}-{line + count}"
    lines = "row 1" if count == 1 else f"rows 1 to {count}"
    if not all(names[1:-1]) or len(set(names)) < len(names):
        raise DataError(
            f"{where}: the names in line {line:,} have blanks or repeat, and {lines} below hold "
            f"words, {shown(rows[0].raw.strip())}. If the names are in these lines together, say "
            f"{both}; if in the last of them, --header-row {line + count}.",
            ("--header-row", f"{line}-{line + count}"),
        )
    units = " Then say --units-row; or" if count == 1 else ""
    return (
        f" Is {lines} units or notes below the header?{units} say {both} if the names are in these "
        f"lines together, --header-row {line + count} if in the last of them."
    )


def _left_out(fit: Fit, sampler: frozenset[int], where: str) -> list[Notice]:
    """Say which columns are not tested because they hold no measurements."""
    found = []
    if fit.labels:
        found.append(
            Notice(
                "row-names",
                "the first column has no name and holds those of the rows: it is left "
                "out (--columns 1 takes it all the same)",
            )
        )
    if fit.empty:
        places = ", ".join(str(j + 1) for j in fit.empty)
        s, ha = ("s", "have") if len(fit.empty) > 1 else ("", "has")
        found.append(
            Notice(
                "empty-columns",
                f"column{s} {places} at the end {ha} neither name nor value: left out",
            )
        )
    if sampler:
        found.append(
            Notice(
                "sampler-columns",
                "columns of the sampler are left out: "
                f"{listed([fit.names[j] for j in sorted(sampler)])}",
            )
        )
    return found


def _numbers(
    rows: Sequence[Record], cut: str, how: Dialect
) -> tuple[str, str | None, tuple[Notice, ...]]:
    """Decimal sign and thousands separator: as said, else as the cells prove."""
    if how.decimal is not None and how.thousands is not None:
        return how.decimal, how.thousands, ()
    if not may_be_odd("".join(r.raw for r in rows), cut):
        return how.decimal or ".", how.thousands, ()
    width = len(rows[0].cells) if rows else 0
    found = numbers_of(columns_of([r for r in rows if len(r.cells) == width]))
    decimal, thousands = how.decimal or found.decimal or ".", how.thousands or found.thousands
    if decimal != (found.decimal or decimal) or thousands != (found.thousands or thousands):
        return how.decimal or ".", how.thousands, ()
    if decimal == thousands:
        decimal = "." if thousands == "," else ","
    says = []
    if how.decimal is None and decimal == ",":
        says.append("decimal commas (--decimal ,)")
    if how.thousands is None and thousands is not None:
        says.append(f"thousands separators (--thousands {NAMES[thousands]})")
    if not says or not found.example:
        return decimal, thousands, ()
    text = f"numbers with {' and '.join(says)} are read, such as {shown(found.example)}"
    return decimal, thousands, (Notice("numbers-read", text),)


def require_no_numbers(names: Sequence[str], raw: str, where: str, below: str) -> None:
    """Refuse a header that is a row: numbers alone, unless they count up, or several in disorder.

    Parameters
    ----------
    names : sequence of str
    raw : str
        The line.
    where : str
        For messages.
    below : str
        What stands above the line and was skipped (``comments``, ``lines``), perhaps the names.

    Raises
    ------
    DataError
    """
    cells = names if len(names) > 1 or is_number(names[0]) else raw.split()
    found = [cell.strip() for cell in cells if is_number(cell)]
    if len(found) < len(cells):
        counts = ordinal(found) if below else _rising(found) or _whole(found)
        fine = not found or len(names) == 1 or counts
    else:
        alone = len(names) == 1 and (len(cells) > 1 or found[0] not in ("0", "1"))
        fine = ordinal(found) and not alone and below != "lines"
    if fine:
        return
    raise DataError(
        f"{where}: the first line holds numbers, {shown(raw.strip())}, as a row does. If it is a "
        "row, say --no-header; if it has the names, --header-row with its number.",
        ("--no-header",),
    )


def _rising(cells: Sequence[str]) -> bool:
    numbers = [float(cell) for cell in cells]
    return all(a < b for a, b in pairwise(numbers))


def _whole(cells: Sequence[str]) -> bool:
    return all(cell.isdecimal() for cell in cells)
