"""Rows of Python values, and columns of NumPy, as columns of Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kstest.sources.arrow_file import ArrowFile
from kstest.sources.convert import BLOCK_ROWS, base_name, level_text

MOST_CELLS = 1 << 18  # of a chunk while its values are Python objects
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


def to_arrow(column: NDArray[Any]) -> pa.Array:
    """Turn one column of any byte order into an Arrow array."""
    column = np.ascontiguousarray(column)
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8")
    if column.dtype.kind == "f" and column.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            column = column.astype(np.float64)
    if column.dtype.kind in "mM":
        column = column.astype(_time(column.dtype))
    return pa.array(column.astype(column.dtype.newbyteorder("="), copy=False))


def _time(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A unit of time that Arrow has: days to nanoseconds."""
    unit, count = np.datetime_data(dtype)
    known = unit in ("s", "ms", "us", "ns") and count == 1
    if known or (unit == "D" and count == 1 and dtype.kind == "M"):
        return dtype
    finer = {"ps": "ns", "fs": "ns", "as": "ns", "us": "us", "ms": "ms", "ns": "ns"}
    return np.dtype(f"{dtype.kind}8[{finer.get(unit, 's')}]")
