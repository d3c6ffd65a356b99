"""Cells such as 1,234.5 to numbers, a column at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.convert import to_float64
from kstest.sources.csv_numbers import pattern, separators
from kstest.wording import option_value, shown


def ungrouped(cells: Any, thousands: str, decimal: str) -> tuple[NDArray[np.float64], int | None]:
    """Take the separators out of the numbers of a column and read them.

    Parameters
    ----------
    cells : pyarrow.StringArray
    thousands, decimal : str

    Returns
    -------
    numbers : ndarray (n,)
        NaN where a cell is missing.
    bad : int or None
        The first cell that is no number in this form.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(cells) or cells.null_count == len(cells):
        return np.full(len(cells), np.nan), None
    plain = pc.utf8_trim_whitespace(cells)
    right = pc.match_substring_regex(plain, pattern(thousands, decimal))
    wrong = np.flatnonzero(to_float64(right) == 0)
    if wrong.size:
        return np.empty(0), int(wrong[0])
    plain = pc.replace_substring_regex(plain, separators(thousands), "")
    if decimal != ".":
        plain = pc.replace_substring(plain, decimal, ".")
    return to_float64(plain.cast(pa.float64())), None


def refused(
    where: str, name: str, row: int, cell: str, thousands: str | None, decimal: str
) -> DataError:
    """Say which cell is no number in this form; `row` from 1, 0 where it is not known."""
    at = f", row {row:,}" if row else ""
    accepted = (
        f"numbers in which {shown(thousands)} separates thousands and {shown(decimal)} fractions. "
        "Mend the cell, or say --thousands and --decimal as they are."
        if thousands
        else "numbers, as in the rows above. Mend the cell, or say --categorical "
        f"{option_value([name])}."
    )
    return DataError(
        f"{where}: column {shown(name)}{at}: found {shown(cell)}; accepted: {accepted}"
    )
