"""CSV rows through pyarrow, in blocks, of the selected columns only.

Types are declared, not inferred per file: pyarrow infers from the first block and would fail on
the first 1.5 after a megabyte of whole numbers. What the first block shows (whole numbers, no
value) is therefore widened to float64; true/false, dates and times keep their type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kstest.errors import DataError
from kstest.sources.convert import beyond_exact, to_block
from kstest.sources.csv_header import Header, read_header
from kstest.sources.stream import CHUNK_BYTES, Opened, converting
from kstest.sources.table import Block, Table
from kstest.sources.wording import one_line, option_value, shown

if TYPE_CHECKING:
    import pyarrow as pa

PEEK_BYTES = CHUNK_BYTES  # what types are inferred from
BLOCK_BYTES = CHUNK_BYTES
BLOCK_ROWS = 128  # at least about so many rows a block: a wide file pays per column and block
LARGEST_BLOCK = 64 << 20

_CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (.+?): (.*)", re.DOTALL
)
_VALUE = re.compile(r"'(.*)'", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


@dataclass(frozen=True)
class Types:
    """Declared types of the selected columns, by position, and what the first rows showed."""

    declared: dict[int, pa.DataType]
    whole: frozenset[int] = frozenset()
    text: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Layout:
    """All that is known of a CSV before its rows are read."""

    where: str
    header: Header
    types: Types
    ragged: list[Any] = field(default_factory=list)


def open_csv(opened: Opened) -> Table:
    """Open a CSV: read its header and leave the rows for later."""
    header = read_header(opened.stream, opened.label, PEEK_BYTES)

    def blocks(picked: Sequence[int]) -> Iterator[Block]:
        return _blocks(opened, header, picked)

    return Table(
        opened.path,
        opened.label,
        header.names,
        blocks,
        opened.digest,
        opened.close,
        identity=opened.identity,
    )


def _blocks(opened: Opened, header: Header, picked: Sequence[int]) -> Iterator[Block]:
    import pyarrow.csv as pc

    stream, where = opened.stream, opened.label
    with converting(where):
        stream.read(header.size)
        head = stream.peek(PEEK_BYTES)
        ended = len(head) < PEEK_BYTES
    if not head.strip() and ended:
        return
    layout = _Layout(where, header, _infer(head, ended, header, picked))

    def ragged(row: Any) -> str:
        layout.ragged.append(row)
        return "error"

    # Column names are positions here: the real ones may be empty or anything.
    names = [str(j) for j in range(len(header.names))]
    try:
        with converting(where):
            reader = pc.open_csv(
                stream,
                pc.ReadOptions(
                    use_threads=False,  # then errors carry row numbers
                    block_size=_block_size(head),
                    column_names=names,
                ),
                pc.ParseOptions(
                    delimiter=header.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=ragged,
                ),
                pc.ConvertOptions(
                    include_columns=[names[j] for j in picked],
                    column_types={names[j]: t for j, t in layout.types.declared.items()},
                ),
            )
            whole = [k for k, j in enumerate(picked) if j in layout.types.whole]
            for batch in reader:
                block = to_block(batch.columns)
                rounded = tuple(k for k in whole if beyond_exact(block.values[:, k]))
                yield Block(block.values, rounded) if rounded else block
    except DataError as error:
        if error.__cause__ is None:
            raise
        raise _explained(error, str(error.__cause__), layout) from error.__cause__


def _infer(head: bytes, ended: bool, header: Header, picked: Sequence[int]) -> Types:
    """Guess the types of the selected columns from the first rows."""
    import pyarrow as pa

    if not ended:  # the last row is cut: a half date would read as text
        end = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
        head = head[:end] if end else head
    try:
        kinds = _seen(head, header, picked)
        text = tuple(j for j in picked if _base(kinds[j]) in ("string", "binary"))
        if text:
            # One bad cell turns a column of dates into text. The first row says what was meant,
            # so that the bad cell is named and not the first date.
            first_row = head.lstrip(b"\r\n").splitlines(keepends=True)[0]
            kinds |= _seen(first_row, header, text)
    except pa.ArrowException:
        # The reading proper meets the same trouble and knows its row.
        return Types(dict.fromkeys(picked, pa.float64()))
    whole = frozenset(j for j in picked if _base(kinds[j]) == "int64")
    return Types({j: _widened(kind) for j, kind in kinds.items()}, whole, text)


def _seen(data: bytes, header: Header, picked: Sequence[int]) -> dict[int, pa.DataType]:
    """Let pyarrow infer the types of some columns from a few rows."""
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [str(j) for j in range(len(header.names))]
    table = pc.read_csv(
        pa.BufferReader(data),
        pc.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        pc.ParseOptions(
            delimiter=header.delimiter,
            newlines_in_values=True,
            invalid_row_handler=lambda row: "skip",
        ),
        pc.ConvertOptions(include_columns=[names[j] for j in picked]),
    )
    return dict(zip(picked, table.schema.types, strict=True))


def _base(kind: pa.DataType) -> str:
    return str(kind).partition("[")[0]


def _widened(kind: pa.DataType) -> pa.DataType:
    """Choose the type to declare for a column whose first rows read as `kind`."""
    import pyarrow as pa

    base = _base(kind)
    if base in ("bool", "time32"):
        return kind
    if base == "date32":
        return pa.timestamp("us")  # a time of day may follow
    if base == "timestamp":
        # Fractions may follow; only what needs nanoseconds gets them, since they end in 2262.
        return pa.timestamp("ns" if kind.unit == "ns" else "us", kind.tz)
    return pa.float64()


def _block_size(head: bytes) -> int:
    rows = head.count(b"\n") or head.count(b"\r") or 1
    return max(BLOCK_BYTES, min(LARGEST_BLOCK, BLOCK_ROWS * (len(head) // rows + 1)))


def _explained(error: DataError, cause: str, layout: _Layout) -> DataError:
    """Say in the user's terms what stopped pyarrow."""
    where, names = layout.where, layout.header.names
    if layout.ragged:
        row = layout.ragged[0]
        return DataError(
            f"{where}: row {row.number:,}: Expected {row.expected_columns:,} columns as in the "
            f"header, found {row.actual_columns:,}: {shown(row.text)}. Every row needs as many "
            "cells as the header; quote cells that hold the delimiter."
        )
    if "straddling" in cause:
        return DataError(
            f"{where}: a row is longer than a block of {BLOCK_BYTES >> 10:,} kB. "
            "Is a quote not closed?"
        )
    found = _CONVERSION.search(cause)
    if found is None:
        return error
    j, kind, detail = int(found[1]), found[3], found[4]
    value = _VALUE.search(detail)
    cell = value[1] if value else one_line(ValueError(detail))
    row_text = f", row {int(found[2]):,}" if found[2] else ""
    return DataError(
        f"{where}: column {shown(names[j])}{row_text}: found {shown(cell)}; accepted: "
        f"{_accepted(kind)}.{_advice(j, cell, layout)}"
    )


def _accepted(kind: str) -> str:
    if kind.startswith("timestamp"):
        zone = " with a zone such as Z" if "tz=" in kind else ", without a zone"
        return f"dates and times such as 2024-05-01 12:30:00{zone}, as in the first rows"
    if kind.startswith("time"):
        return "times of day such as 12:30:00, as in the first rows"
    if kind == "bool":
        return "true and false, as in the first rows"
    return "numbers (or true/false, dates and times throughout)"


def _advice(j: int, cell: str, layout: _Layout) -> str:
    if _DECIMAL_COMMA.fullmatch(cell):
        return " Decimal commas are not read in this version: write 1.5 for 1,5."
    if "\n" in cell:
        return " Is a quote not closed?"
    text = layout.types.text
    names = [layout.header.names[k] for k in (text if j in text else (j,))]
    others = f" So do {len(text) - 1:,} other columns." if j in text and len(text) > 1 else ""
    return (
        f"{others} Mend the cell or leave the column out with --exclude {option_value(names)}; "
        "text columns come with --categorical in a later version."
    )
