"""Numbers that float64 does not hold: whole ones beyond 2^53, and long decimals.

9007199254740993 becomes 9007199254740992, so that two identifiers become one. Tested as numbers
such cells are refused (`refusal`); decimals with a fraction are measurements, whose last digits
are rounded with a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.wording import option_value, shown

_LONG = re.compile(r"\s*[+-]?[0-9]{16,300}\s*", re.ASCII)
EXACT = 2.0**53  # from here on neighbouring whole numbers share a float64


@dataclass(frozen=True)
class Inexact:
    """Cells of a column of a block that float64 rounds.

    Attributes
    ----------
    rows : ndarray of int
        Their rows in the block, from 0, in ascending order.
    cell : callable
        Takes one of these rows and returns what is written there.
    whole : bool
        Whether they are whole numbers.
    """

    rows: NDArray[np.int64]
    cell: Callable[[int], str]
    whole: bool = True

    def among(self, kept: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Those of the rows that are kept (None: all are)."""
        return self.rows if kept is None else self.rows[np.isin(self.rows, kept)]

    def later(self, start: int) -> Inexact:
        """The same cells where `start` rows come before them."""
        return Inexact(self.rows + start, lambda row: self.cell(row - start), self.whole)


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


def of_decimals(column: Any, numbers: NDArray[np.float64]) -> Inexact | None:
    """Find those of an Arrow array of decimals that are rounded, whole ones before others."""
    large = np.flatnonzero(np.abs(numbers) >= EXACT)
    rows = [row for row in large.tolist() if _rounded(column[row].as_py())]
    if rows:
        return Inexact(np.array(rows), lambda row: str(column[row].as_py()))
    scale = column.type.scale
    if column.type.precision <= 15 or scale <= 0:
        return None
    with np.errstate(over="ignore"):
        long = np.flatnonzero(np.abs(numbers) * 10.0**scale >= EXACT)
    rows = [row for row in long.tolist() if _cut(column[row].as_py(), numbers[row])][:1]
    if not rows:
        return None
    return Inexact(np.array(rows), lambda row: str(column[row].as_py()), whole=False)


def of_text(text: str) -> bool:
    """Whether a text is a whole number, written in digits, that float64 rounds."""
    return is_long(text) and int(text) != int(float(text))


def is_long(text: str) -> bool:
    """Whether a text is a whole number, written in digits, that float64 may round."""
    return _LONG.fullmatch(text) is not None


def near(numbers: NDArray[np.float64]) -> Inexact | None:
    """Whole numbers (n,) of which only the rounded value is known."""
    rows = np.flatnonzero(np.abs(numbers) >= EXACT)
    return Inexact(rows, lambda row: f"about {int(numbers[row])}") if rows.size else None


def refusal(where: str, name: str, row: int, cell: str) -> DataError:
    """Say which whole number cannot be tested as one; `row` from 1."""
    value = option_value([name])
    return DataError(
        f"{where}: column {shown(name)}, row {row:,}: found {cell}, a whole number beyond 2^53 "
        "that is rounded when it is compared as a number: different ones would become equal. If "
        f"it is an identifier or a clock, leave it out with --exclude {value}; if a category, say "
        f"--categorical {value}; a measurement is to be written as a decimal number "
        "(9.007199254740993e15), a time as a timestamp."
    )


def _rounded(value: Decimal) -> bool:
    whole = value == value.to_integral_value()
    return whole and int(value) != int(float(value))


def _cut(value: Decimal, number: float) -> bool:
    return Decimal(repr(float(number))) != value
