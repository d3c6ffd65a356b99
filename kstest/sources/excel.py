"""Excel workbooks by openpyxl: the sheet that has cells, or the one that ``FILE:SHEET`` names.

The first row with cells has the names of columns. Values are those that were last computed;
formulas are not evaluated. Rows without any cell are no rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import openpyxl

from kstest.errors import DataError
from kstest.sources.archives import archive_of
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import in_memory, table_of_rows
from kstest.sources.convert import level_text
from kstest.sources.csv_lines import NULLS
from kstest.sources.stream import Opened, seekable
from kstest.sources.table import told_apart
from kstest.wording import label, listed, shown

MOST_ROWS = 1 << 20  # of a sheet, by Excel's own limit
# Unpacked: sheets are read piece by piece, everything else (texts, styles) is kept as a whole.
MOST_TEXT, MOST_BYTES = 64 << 20, 2 << 30
_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A", "#GETTING_DATA")
_MISSING = frozenset([*NULLS, *_ERRORS])


def open_excel(opened: Opened) -> ArrowFile:
    """Read a sheet."""
    file, digest, close = seekable(opened)
    _require_small(opened, file)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        rows = _rows(_sheet(book, opened), opened.label)
        names = _names(next(rows, ()))
        first = next(rows, ())
        width = max(len(names), _width(first))
        names += [""] * (width - len(names))
        table = table_of_rows(told_apart(names), _values(first, rows, width, opened.label))
    finally:
        book.close()
    return in_memory(table, digest, close)


def _require_small(opened: Opened, file: Any) -> None:
    """Refuse what would unpack to more than can be kept."""
    sizes = [(info.filename, info.file_size) for info in archive_of(file, opened.label).infolist()]
    big = [name for name, size in sizes if size > MOST_TEXT and "worksheets/" not in name]
    if big or sum(size for _, size in sizes) > MOST_BYTES:
        raise DataError(
            f"{opened.label}: unpacks to {sum(s for _, s in sizes) >> 20:,} MB, which is too much "
            "for a workbook. Save the sheet as CSV."
        )
    file.seek(0)


def _sheet(book: Any, opened: Opened) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if opened.part is not None:
        if opened.part not in sheets:
            raise DataError(
                f"{opened.label}: has no sheet {shown(opened.part)}; it has {listed([*sheets])}."
            )
        return sheets[opened.part]
    filled = [name for name, sheet in sheets.items() if next(_rows(sheet, opened.label), None)]
    if len(filled) > 1:
        raise DataError(
            f"{opened.label}: has {len(filled)} sheets with cells: {listed(filled)}. Name one, as "
            f"in {opened.label}:{label(filled[0])}."
        )
    if not filled:
        raise DataError(f"{opened.label}: has no sheet with cells.")
    return sheets[filled[0]]


def _rows(sheet: Any, where: str) -> Iterator[Sequence[Any]]:
    """Yield the rows that have cells."""
    sheet.reset_dimensions()  # what a file says of its size need not be so
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > MOST_ROWS:
            raise DataError(f"{where}: has a row beyond {MOST_ROWS:,}, the last of a sheet.")
        if any(value is not None for value in row):
            yield row


def _width(row: Sequence[Any]) -> int:
    return max((k + 1 for k, value in enumerate(row) if value is not None), default=0)


def _names(row: Sequence[Any]) -> list[str]:
    return [level_text(value) or "" for value in row[: _width(row)]]


def _values(
    first: Sequence[Any], rows: Iterator[Sequence[Any]], width: int, where: str
) -> Iterator[list[Any]]:
    if first:
        yield _cells(first)
    for row in rows:
        if _width(row) > width:
            value = shown(row[_width(row) - 1])
            raise DataError(
                f"{where}: a row has {_width(row)} cells, more than the {width} columns above; the "
                f"last is {value}. A sheet has to be one table, with nothing beside it."
            )
        yield _cells(row)


def _cells(row: Sequence[Any]) -> list[Any]:
    return [None if isinstance(value, str) and value in _MISSING else value for value in row]
