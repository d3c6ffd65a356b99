"""Rows of Python values, and columns of NumPy, as columns of Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.arrow_types import base_name, of_long
from kstest.sources.convert import BLOCK_ROWS, PER_SECOND, level_text, seconds

MOST_CELLS = 1 << 18  # of a chunk while its values are Python objects
_FARTHEST_DAY = 1 << 31
_WIDER = ["null", "bool", "int64", "double"]


def table_of_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Gather rows into columns: numbers where all values are, else times, truth values or text.

    A column of several kinds is text, in which a number is written as in a category.
    """
    width = len(names)
    step = max(1, min(BLOCK_ROWS, MOST_CELLS // max(width, 1)))
    columns: list[list[Any]] = [[] for _ in names]
    waiting: list[Sequence[Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == step:
            _take(columns, waiting)
            waiting = []
    _take(columns, waiting)
    arrays = [_joined(chunks) for chunks in columns]
    return pa.table(arrays, names=list(names))


def _take(columns: list[list[Any]], rows: Sequence[Sequence[Any]]) -> None:
    for j, chunks in enumerate(columns):
        if rows:
            chunks.append(_array([row[j] if j < len(row) else None for row in rows]))


def _array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([level_text(value) for value in values], pa.string())


def _joined(chunks: list[Any]) -> Any:
    kinds = dict.fromkeys(chunk.type for chunk in chunks)
    if len(kinds) <= 1:
        return pa.chunked_array(chunks, next(iter(kinds), pa.null()))
    known = [_WIDER.index(n) if (n := base_name(k)) in _WIDER else -1 for k in kinds]
    rest = {kind for kind in kinds if base_name(kind) != "null"}
    if len(rest) == 1:
        target = rest.pop()
    elif min(known) >= 0 and pa.bool_() not in kinds:
        target = pa.float64()
    elif all(base_name(kind) in ("timestamp", "date32") for kind in rest):
        target = pa.timestamp("us")
    else:
        target = pa.string()
    if target == pa.string():
        texts = [[level_text(v) for v in chunk.to_pylist()] for chunk in chunks]
        return pa.chunked_array([pa.array(some, target) for some in texts])
    return pa.chunked_array([chunk.cast(target) for chunk in chunks])


def in_memory(
    table: pa.Table, digest: Callable[[], str | None], close: Callable[[], None]
) -> ArrowFile:
    """Return a table as an open file."""

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from table.select(list(names)).to_batches(max_chunksize=BLOCK_ROWS)

    return ArrowFile(table.schema, batches, digest, close)


def without_empty(array: pa.Array) -> pa.Array:
    """Make empty texts missing, for formats that have no other missing text."""
    if base_name(array.type) not in ("string", "large_string"):
        return array
    import pyarrow.compute as pc

    filled = pc.fill_null(pc.not_equal(array, ""), False)
    return pc.if_else(filled, array, pa.scalar(None, array.type))


def to_arrow(column: NDArray[Any], where: str = "", first: int = 0) -> pa.Array:
    """Turn one column of any byte order into an Arrow array.

    Raises
    ------
    DataError
        For a time that Arrow does not hold; `where` and row `first` of a file are for the message.
    """
    column = np.ascontiguousarray(column)
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8")
    if column.dtype.kind == "U":
        return pa.array(column.tolist(), pa.string())  # by itself pyarrow would end at a NUL
    if column.dtype.kind == "f" and column.dtype.itemsize > 8:
        return of_long(column)
    if column.dtype.kind in "mM":
        column = column.astype(column.dtype.newbyteorder("="), copy=False)
        require_held(column, where, first)
        column = column.astype(arrow_unit(column.dtype))
    return pa.array(column.astype(column.dtype.newbyteorder("="), copy=False))


def in_seconds(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Times of NumPy as seconds; NaT is NaN."""
    kind = arrow_unit(matrix.dtype)
    unit = np.datetime_data(kind)[0]
    raw = matrix.astype(kind).astype(np.int64)
    found = raw * 86400.0 if unit == "D" else seconds(raw.reshape(-1), PER_SECOND[unit])
    return np.where(np.isnat(matrix), np.nan, found.reshape(matrix.shape))


def require_held(column: NDArray[Any], where: str, first: int = 0) -> None:
    """Refuse times (n,) that are too far away, or too fine, for the units of Arrow.

    NumPy would give other times for them without a word.
    """
    kind = arrow_unit(column.dtype)
    there = column.astype(kind)
    lost = (there.astype(column.dtype) != column) & ~np.isnat(column)
    if np.datetime_data(kind)[0] == "D":
        lost |= (np.abs(column.astype(np.int64)) >= _FARTHEST_DAY) & ~np.isnat(column)
    if lost.any():
        row = int(np.argmax(lost))
        unit, count = np.datetime_data(column.dtype)
        times = f"{count} " if count != 1 else ""
        raise DataError(
            f"{where}{', ' if where else ''}row {first + row + 1:,}: found the time "
            f"{int(column[row].astype(np.int64))} (in units of {times}{unit}); accepted: times "
            "that whole seconds in 64 bits reach, dates of 32 bits, and nothing finer than a "
            "billionth of a second. Write it as a number."
        )


def arrow_unit(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A unit of time that Arrow has: days to nanoseconds."""
    unit, count = np.datetime_data(dtype)
    known = unit in ("s", "ms", "us", "ns") and count == 1
    if known or (unit == "D" and count == 1 and dtype.kind == "M"):
        return dtype.newbyteorder("=")
    if unit == "generic":
        return np.dtype(f"{dtype.kind}8[s]")
    finer = {"ps": "ns", "fs": "ns", "as": "ns", "us": "us", "ms": "ms", "ns": "ns"}
    return np.dtype(f"{dtype.kind}8[{finer.get(unit, 's')}]")
