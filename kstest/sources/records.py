"""JSON objects as rows: one to a line, in a list, or one after another.

Columns are the keys; an absent key is a missing cell. pyarrow parses blocks of lines; what does not
come in lines is cut into objects first. The file is gone through twice, first for the types of all
columns, so that no more than a block of it is in memory.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.json

from kstest.archive import own_json
from kstest.errors import DataError
from kstest.inexact import beyond_exact
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.convert import to_float64
from kstest.sources.stream import Opened, seekable
from kstest.wording import shown

BLOCK_BYTES = 1 << 22
LONGEST = 64 << 20  # bytes of a line, or of an object
_BLANKS = " \t\r\n"
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.(\d{1,9}))?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_UNITS = ("s", "ms", "us", "ns")
_MICRO = 6  # digits of a millionth of a second


def open_json(opened: Opened) -> ArrowFile:
    """Open a file of objects: find their keys and types."""
    file, digest, close = seekable(opened)
    own = own_json(file.read(64))
    if own is not None:
        raise DataError(
            f"{opened.label}: is a {own} of kstest, which holds no rows; a sketch is taken by "
            "kstest mmd SKETCH BATCH only, as its first file"
        )
    lines = _in_lines(file)
    schema = pa.schema([])
    for block in _blocks(file, lines, opened.label):
        schema = _unified(schema, _types(block, opened.label), opened.label)

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        chosen = pa.schema([schema.field(name) for name in names])
        for block in _blocks(file, lines, opened.label):
            yield from _exact(_parsed(block, chosen, opened.label), block).to_batches()

    return ArrowFile(schema, batches, digest, close)


def _in_lines(file: BinaryIO) -> bool:
    """Whether the first line is a whole object."""
    file.seek(0)
    line = next((x for x in iter(lambda: file.readline(LONGEST), b"") if x.strip()), b"")
    try:
        return isinstance(json.loads(line.removeprefix(codecs.BOM_UTF8)), dict)
    except (ValueError, RecursionError):
        return False


def _blocks(file: BinaryIO, lines: bool, where: str) -> Iterator[bytes]:
    """Some whole objects at a time, one to a line, or at least with nothing between them."""
    file.seek(0)
    if file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    if not lines:
        yield from _cut(file, where)
        return
    rest = b""
    for chunk in iter(lambda: file.read(BLOCK_BYTES), b""):
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST:
            raise DataError(f"{where}: a line is longer than {LONGEST >> 20} MB.")
    if rest.strip():
        yield rest


def _cut(file: BinaryIO, where: str) -> Iterator[bytes]:
    """Cut a list of objects, or objects one after another, into blocks of lines."""
    scan = json.JSONDecoder().raw_decode
    text = io.TextIOWrapper(file, "utf-8", newline="")
    try:
        rest, out, size, row, ended = "", [], 0, 0, False
        opening, inside = True, False
        for chunk in iter(lambda: text.read(BLOCK_BYTES), ""):
            rest, at = rest + chunk, 0
            while True:
                at = _past(rest, at, _BLANKS if opening or row == 0 else _BLANKS + ",")
                if opening and rest[at : at + 1] == "[":
                    opening, inside, at = False, True, at + 1
                    continue
                if inside and rest[at : at + 1] == "]":
                    ended, inside, at = True, False, at + 1
                    continue
                if at == len(rest):
                    break
                if ended or rest[at] != "{":
                    found = shown(rest[at : at + 30])
                    raise DataError(
                        f"{where}: after {row:,} records: found {found}; accepted: JSON objects, "
                        "one to a line, in a list, or one after another."
                    )
                try:
                    end = scan(rest, at)[1]
                except ValueError as error:
                    if len(rest) - at > LONGEST:
                        raise DataError(f"{where}: record {row + 1:,}: {error}.") from None
                    break  # perhaps its end is in the next chunk
                opening = False
                out.append(rest[at:end])
                size += end - at
                row, at = row + 1, end
                if size > BLOCK_BYTES:
                    yield "\n".join(out).encode()
                    out, size = [], 0
            rest = rest[at:]
        if rest.strip() or inside:
            _refuse_end(rest, row, where)
        if out:
            yield "\n".join(out).encode()
    finally:
        text.detach()


def _past(text: str, at: int, skipped: str) -> int:
    while at < len(text) and text[at] in skipped:
        at += 1
    return at


def _refuse_end(rest: str, row: int, where: str) -> None:
    why = "the list does not end"
    if rest.strip():
        try:
            json.loads(rest)
        except ValueError as error:
            why = str(error).rstrip(".")
    raise DataError(f"{where}: after {row:,} records: {why}. Is the file complete?")


def _parsed(block: bytes, schema: pa.Schema | None, where: str) -> pa.Table:
    how = pyarrow.json.ParseOptions(
        explicit_schema=schema,
        newlines_in_values=True,
        unexpected_field_behavior="infer" if schema is None else "ignore",
    )
    reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    return pyarrow.json.read_json(pa.BufferReader(block), reading, how)


def _types(block: bytes, where: str) -> pa.Schema:
    """The types of a block. pyarrow takes times with parts of a second for texts."""
    table = _parsed(block, None, where)
    times = {n: k for n in table.column_names if (k := _time(table.column(n))) is not None}
    if not times:
        return table.schema
    schema = pa.schema([pa.field(f.name, times.get(f.name, f.type)) for f in table.schema])
    try:
        return _parsed(block, schema, where).schema
    except pa.ArrowInvalid:  # written so, but no times: 2024-13-01T00:00
        return table.schema


def _time(column: pa.ChunkedArray) -> pa.DataType | None:
    """A type for texts that are all written as times, and for no others."""
    if column.type != pa.string():
        return None
    found = None
    for chunk in column.chunks:
        for cell in chunk:
            if not cell.is_valid:
                continue
            written = _TIME.fullmatch(cell.as_py())
            if written is None:
                return None
            found = "ns" if found == "ns" or len(written[1] or "") > _MICRO else "us"
    return None if found is None else pa.timestamp(found)


def _exact(table: pa.Table, block: bytes) -> pa.Table:
    """Put decimals where numbers are so large that floats may not be what is written.

    Numbers with an exponent, and columns that no decimals hold, stay as they are.
    """
    large = [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if column.type == pa.float64() and any(beyond_exact(to_float64(c)) for c in column.chunks)
    ]
    if not large:
        return table
    scan = json.JSONDecoder(parse_float=_number, parse_int=Decimal).raw_decode
    rows: list[Any] = []
    try:
        text, at = block.decode("utf-8-sig"), 0
        while (at := _past(text, at, _BLANKS)) < len(text):
            row, at = scan(text, at)
            rows.append(row)
    except (ValueError, RecursionError):  # what only pyarrow reads
        return table
    for name in large:
        try:
            column = pa.array([row.get(name) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            continue
        if pa.types.is_decimal(column.type) and len(column) == table.num_rows:
            table = table.set_column(table.column_names.index(name), name, column)
    return table


def _number(text: str) -> Any:
    return float(text) if "e" in text.lower() else Decimal(text)


def _unified(known: pa.Schema, more: pa.Schema, where: str) -> pa.Schema:
    """Join the columns of two blocks; whole numbers widen, and times become text beside text."""
    fields = {field.name: field.type for field in known}
    for field in more:
        one, other = fields.get(field.name, field.type), field.type
        if one != other:
            one = _wider(one, other, where)
            if one is None:
                raise DataError(
                    f"{where}: {shown(field.name)} is {fields[field.name]} in some records and "
                    f"{other} in others. Write it in one way."
                )
        fields[field.name] = one
    return pa.schema(list(fields.items()))


def _wider(one: pa.DataType, other: pa.DataType, where: str) -> pa.DataType | None:
    kinds = {str(one).partition("[")[0], str(other).partition("[")[0]}
    if "null" in kinds:
        return other if str(one) == "null" else one
    if kinds == {"int64", "double"}:
        return pa.float64()
    if kinds == {"timestamp"}:  # the finer one
        return max(one, other, key=lambda kind: _UNITS.index(kind.unit))
    if kinds <= {"timestamp", "string"}:
        return pa.string()
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return pa.struct(_unified(pa.schema([*one]), pa.schema([*other]), where))
    return None
