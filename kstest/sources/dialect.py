"""The dialect of CSV files, as `dialect_options` makes it of what the user says.

Encoding, comments and runs of blanks are `filters` of the bytes, before anything else reads them;
what cells and rows are is told to pyarrow (`parse_options`, `convert_options`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.csv_lines import NULLS
from kstest.wording import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow.csv as pc


@frozen
class Dialect:
    """How the bytes of a CSV are to be taken.

    Attributes
    ----------
    delimiter : str or None
        A character, or `BLANKS`; None for the one that the first lines show.
    nulls : tuple of str
        Cells that are missing.
    named : bool
        Whether the first line has the names.
    comment : str or None
        Lines that start with it are skipped: a character, once or several times.
    decimal : str or None
        Decimal sign; None for the one that the first rows show.
    encoding : str or None
        None for UTF-8.
    thousands : str or None
        What separates thousands; None for what the first rows show.
    above : int
        Lines that are skipped at the beginning.
    header : int
        Lines after them that hold the names, joined; 0 where the first lines say.
    units : bool
        Whether units stand below the names.
    row_names : bool
        Whether the first cell of a row is a name that the header lacks.
    """

    delimiter: str | None = None
    nulls: tuple[str, ...] = NULLS
    named: bool = True
    comment: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    thousands: str | None = None
    above: int = 0
    header: int = 0
    units: bool = False
    row_names: bool = False


def parse_options(delimiter: str, invalid_row_handler: Any) -> pc.ParseOptions:
    """What to tell pyarrow about the form of the rows."""
    import pyarrow.csv as pc

    return pc.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=invalid_row_handler
    )


def convert_options(how: Dialect, names: Sequence[str], types: dict[str, Any]) -> pc.ConvertOptions:
    """What to tell pyarrow about the cells of the columns `names`.

    Numbers that mean missing are compared as numbers later (`nulls`), which also counts them;
    dates and truth values need to be spared them here.
    """
    import pyarrow.csv as pc

    nulls, decimal = how.nulls, how.decimal or "."
    if types and all(str(kind).startswith(("double", "dictionary")) for kind in types.values()):
        nulls = tuple(word for word in nulls if not _is_number(word, decimal))
    return pc.ConvertOptions(
        include_columns=list(names),
        column_types=types,
        null_values=list(nulls),
        strings_can_be_null=True,
        decimal_point=decimal,
    )


def _is_number(word: str, decimal: str) -> bool:
    try:
        return math.isfinite(float(word.replace(decimal, ".")))
    except ValueError:
        return False


def check_decimal(delimiter: str, decimal: str | None, where: str) -> None:
    """Refuse a decimal sign that is the delimiter as well, unless every number were quoted."""
    if delimiter == decimal:
        raise DataError(
            f"{where}: {shown(decimal)} is both the delimiter and the --decimal sign. Say "
            "another delimiter with --delimiter, for example --delimiter ';'."
        )
