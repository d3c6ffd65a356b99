"""Numbers that float64 does not hold: whole ones beyond 2^53, and long decimals.

9007199254740993 becomes 9007199254740992, so that two identifiers become one. Tested as numbers
such cells are refused (`refusal`), and so are decimals and long doubles beyond 2^53, and those that
become equal to another one of their block. Others are measurements, whose last digits are rounded
with a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.wording import option_value, shown

_LONG = re.compile(r"\s*[+-]?[0-9]{16,300}(\.[0-9]{0,300})?\s*", re.ASCII)
_DIGITS = re.compile(r"\s*[+-]?0*\.?0*([1-9][0-9]*(\.[0-9]+)?)\s*", re.ASCII)
_FRACTION = re.compile(r"[^.,e]*[.,][0-9]*[1-9][0-9]*\s*|-?[0-9.]+e-[0-9]+", re.ASCII)
_BEYOND = re.compile(r"-?[0-9.]+e\+(30[89]|3[1-9][0-9]|[4-9][0-9]{2}|[0-9]{4,})", re.ASCII)
MANY_DIGITS = 18  # a float64 is written in at most 17
EXACT = 2.0**53  # from here on neighbouring whole numbers share a float64


@frozen
class Inexact:
    """Cells of a column of a block that float64 rounds.

    Attributes
    ----------
    rows : ndarray of int
        Their rows in the block, from 0, in ascending order.
    cell : callable
        Takes one of these rows and returns what is written there.
    refused : bool
        Whether different ones may have become equal; else their last digits are rounded.
    """

    rows: NDArray[np.int64]
    cell: Callable[[int], str]
    refused: bool = True

    def among(self, kept: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Those of the rows that are kept (None: all are)."""
        return self.rows if kept is None else self.rows[np.isin(self.rows, kept)]

    def later(self, start: int) -> Inexact:
        """The same cells where `start` rows come before them."""
        return Inexact(self.rows + start, lambda row: self.cell(row - start), self.refused)


def beyond_exact(column: NDArray[np.float64]) -> bool:
    """Tell whether whole numbers in `column` may have been rounded by float64."""
    return bool(((column >= EXACT) | (column <= -EXACT)).any())


def of_integers(column: NDArray[Any], numbers: NDArray[np.float64]) -> Inexact | None:
    """Find those of 64-bit integers (n,) that their floats do not equal; NaN is missing."""
    rows = np.flatnonzero(np.abs(numbers) >= EXACT)
    if not rows.size:
        return None
    size = column[rows].astype(np.uint64)
    if column.dtype.kind == "i":
        size = np.where(column[rows] < 0, ~size + np.uint64(1), size)
    lowest = size & (~size + np.uint64(1))  # a float64 holds 53 bits from the highest on
    rows = rows[size // lowest > np.uint64(2**53)]
    return Inexact(rows, lambda row: str(column[row])) if rows.size else None


def of_long_doubles(column: NDArray[Any], numbers: NDArray[np.float64]) -> Inexact | None:
    """Find those of long doubles (n,) that their floats do not equal, like those of decimals.

    Those beyond 2^53, and beyond the largest float, come before others.
    """
    off = (column != numbers) & ~np.isnan(numbers)
    if not off.any():
        return None

    def cell(row: int) -> str:
        return str(column[row])

    rows = np.flatnonzero(off & (np.abs(numbers) >= EXACT))
    if not rows.size:
        # Neighbours of equal numbers that were not equal: some of them became so.
        order = np.lexsort((column, numbers))
        same = (np.diff(numbers[order]) == 0) & (np.diff(column[order]) != 0)
        rows = np.sort(order[1:][same])
    if rows.size:
        return Inexact(rows, cell)
    return Inexact(np.flatnonzero(off)[:1], cell, refused=False)


def of_decimals(column: Any, numbers: NDArray[np.float64]) -> Inexact | None:
    """Find those of an Arrow array of decimals that are rounded, large ones before others."""
    large = np.flatnonzero(np.abs(numbers) >= EXACT)
    rows = [row for row in large.tolist() if Decimal(numbers[row]) != column[row].as_py()]
    if rows:
        return Inexact(np.array(rows), lambda row: str(column[row].as_py()))
    scale = column.type.scale
    if column.type.precision <= 15 or scale <= 0:
        return None
    with np.errstate(over="ignore"):
        long = np.flatnonzero(np.abs(numbers) * 10.0**scale >= EXACT)
    values = {row: column[row].as_py() for row in long.tolist()}
    rows = equal_now(values, numbers)
    if rows:
        return Inexact(np.array(rows), lambda row: str(column[row].as_py()))
    cut = next((row for row, value in values.items() if _cut(value, numbers[row])), None)
    if cut is None:
        return None
    return Inexact(np.array([cut]), lambda row: str(column[row].as_py()), refused=False)


def equal_now(values: Mapping[int, Decimal], numbers: NDArray[np.float64]) -> list[int]:
    """Rows whose number equals that of an earlier row with another value."""
    met: dict[float, Decimal] = {}
    return [r for r, value in values.items() if met.setdefault(float(numbers[r]), value) != value]


def of_texts(texts: Mapping[int, str], numbers: NDArray[np.float64]) -> list[int]:
    """Those rows of some texts that are not to be tested as numbers, in ascending order."""
    cut = {row for row, text in texts.items() if abs(numbers[row]) >= EXACT and of_text(text)}
    many = {row: Decimal(text) for row, text in texts.items() if has_many_digits(text)}
    return sorted(cut | set(equal_now(many, numbers)))


def of_text(text: str) -> bool:
    """Whether a text is a number beyond 2^53, written in digits, that float64 rounds."""
    return is_long(text) and Decimal(text.strip()) != Decimal(float(text))


def is_long(text: str) -> bool:
    """Whether a text is a number in digits, so large that float64 may round whole ones."""
    return _LONG.fullmatch(text) is not None


def has_many_digits(text: str) -> bool:
    """Whether a text is a number in more digits than any float64 needs."""
    found = _DIGITS.fullmatch(text)
    return found is not None and len(found[1].replace(".", "")) >= MANY_DIGITS


def of_times(column: NDArray[Any], numbers: NDArray[np.float64], unit: int) -> Inexact | None:
    """Find a time, in so many parts of a second, whose last digits are lost as seconds."""
    large = np.abs(column.astype(np.float64)) >= EXACT
    large &= np.isfinite(numbers)
    rows = np.flatnonzero(large & (column % (unit // 10**6) != 0))[:1]
    if not rows.size:
        return None

    def cell(row: int) -> str:
        return f"{Decimal(int(column[row])) / unit:f} s"

    return Inexact(rows, cell, refused=False)


def near(numbers: NDArray[np.float64]) -> Inexact | None:
    """Whole numbers (n,) of which only the rounded value is known."""
    rows = np.flatnonzero(np.abs(numbers) >= EXACT)
    return Inexact(rows, lambda row: f"about {int(numbers[row])}") if rows.size else None


def refusal(where: str, name: str, row: int, cell: str) -> DataError:
    """Say which whole number cannot be tested as one; `row` from 1."""
    value = option_value([name])
    if _BEYOND.fullmatch(cell):
        return DataError(
            f"{where}: column {shown(name)}, row {row:,}: found {cell}, which is beyond the "
            "largest number that is compared (1.8e308, double precision). Write it in another "
            f"unit, or as its logarithm; or leave the column out with --exclude {value}."
        )
    if _FRACTION.fullmatch(cell):
        return DataError(
            f"{where}: column {shown(name)}, row {row:,}: found {cell}, which has more digits than "
            "the 15 to 17 of a number that is compared: different ones would become equal. If it "
            f"is an identifier, leave it out with --exclude {value}; if a category, say "
            f"--categorical {value}; of a measurement round to the digits that count, or write it "
            "as double precision."
        )
    return DataError(
        f"{where}: column {shown(name)}, row {row:,}: found {cell}, a whole number beyond 2^53 "
        "that is rounded when it is compared as a number: different ones would become equal. If "
        f"it is an identifier or a clock, leave it out with --exclude {value}; if a category, say "
        f"--categorical {value}; a measurement is to be written as a decimal number "
        "(9.007199254740993e15), a time as a timestamp."
    )


def _cut(value: Decimal, number: float) -> bool:
    return Decimal(repr(float(number))) != value
