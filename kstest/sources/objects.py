"""Arrays, DataFrames and Arrow tables as `Table`, for the Python API.

They then go the way of files: same column language, same rules on types and missing values.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.convert import beyond_exact
from kstest.sources.stream import converting
from kstest.sources.table import Block, Table, require_unique
from kstest.sources.wording import one_line, shown

PATH = "<array>"
_ACCEPTED = "accepted: arrays of one or two dimensions, DataFrames, Arrow tables"


def open_object(obj: object, side: str) -> Table:
    """Wrap an object; `side` names it in messages."""
    pandas = sys.modules.get("pandas")  # a DataFrame cannot come without it
    if pandas is not None and isinstance(obj, pandas.Series):
        obj = obj.to_frame("1" if obj.name is None else obj.name)
    if pandas is not None and isinstance(obj, pandas.DataFrame):
        return _frame(obj, side)
    if hasattr(obj, "__arrow_c_stream__"):
        return _arrow_stream(obj, side)
    if isinstance(obj, str | bytes) or hasattr(obj, "__fspath__"):
        raise DataError(f"{side}: found a {type(obj).__name__}, {shown(obj)}; {_ACCEPTED}.")
    return _array(obj, side)


def open_joined(objects: Mapping[str, object]) -> tuple[Table, tuple[tuple[str, ...], ...]]:
    """Set several objects of equally many rows side by side; also return each one's columns.

    A column keeps its name where that is unique; otherwise, and in arrays, it is named after its
    side: ``x``, or ``x1``, ``x2``, ...
    """
    tables = {side: open_object(obj, side) for side, obj in objects.items()}
    count = Counter(name for table in tables.values() if table.named for name in table.names)
    names = []
    for side, table in tables.items():
        many = len(table.names) > 1
        bare = [f"{side}{j + 1}" if many else side for j in range(len(table.names))]
        full = [name if count[name] == 1 else f"{side}.{name}" for name in table.names]
        names.append(tuple(full if table.named else bare))

    def blocks(picked: Sequence[int]) -> Iterator[Block]:
        parts, rounded, offset = [], [], 0
        for table in tables.values():
            read = list(table.blocks(range(len(table.names))))
            parts.append(np.concatenate([block.values for block in read]))
            rounded += [offset + k for block in read for k in block.rounded]
            offset += len(table.names)
        lengths = {side: len(part) for side, part in zip(tables, parts, strict=True)}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{side} has {rows:,}" for side, rows in lengths.items())
            raise DataError(f"Row i of every block belongs together, but {found} rows.")
        places = {k: place for place, k in enumerate(picked)}
        yield Block(
            np.column_stack(parts)[:, list(picked)],
            tuple(places[k] for k in dict.fromkeys(rounded) if k in places),
        )

    joined = tuple(name for some in names for name in some)
    require_unique(joined, " and ".join(tables))
    return Table(PATH, "data", joined, blocks), tuple(names)


def _array(obj: object, side: str) -> Table:
    masked: NDArray[np.bool_] | None = None
    try:
        if isinstance(obj, np.ma.MaskedArray):
            masked = np.ma.getmaskarray(obj)
        array = np.asarray(obj)
    except Exception as error:  # any class may define __array__
        raise DataError(f"{side}: no array: {one_line(error)}; {_ACCEPTED}.") from error
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiubmM":
        raise DataError(
            f"{side}: found {array.ndim} dimensions of {array.dtype} ({type(obj).__name__}); "
            f"{_ACCEPTED}, of numbers, true/false or times."
        )
    matrix = array[:, None] if array.ndim == 1 else array
    if masked is not None and masked.any():
        matrix = np.where(masked.reshape(matrix.shape), np.nan, _numbers(matrix))

    def blocks(picked: Sequence[int]) -> Iterator[Block]:
        d = matrix.shape[1]
        chosen = matrix if list(picked) == list(range(d)) else matrix[:, list(picked)]
        values = _numbers(chosen)
        wide = matrix.dtype.kind in "iu" and matrix.dtype.itemsize == 8
        rounded = [k for k in range(values.shape[1]) if wide and beyond_exact(values[:, k])]
        yield Block(values, tuple(rounded))

    names = tuple(str(j + 1) for j in range(matrix.shape[1]))
    return Table(PATH, side, names, blocks, named=False)


def _numbers(matrix: NDArray[Any]) -> NDArray[np.float64]:
    if matrix.dtype.kind == "M":
        matrix = matrix - np.datetime64(0, "s")
    if matrix.dtype.kind == "m":
        matrix = matrix / np.timedelta64(1, "s")
    # A value beyond float64 (long double) becomes infinite and is counted as missing.
    with np.errstate(over="ignore"):
        return np.asarray(matrix, dtype=np.float64)


def _frame(frame: Any, side: str) -> Table:
    names = tuple(str(name) for name in frame.columns)
    require_unique(names, side)

    def blocks(picked: Sequence[int]) -> Iterator[Block]:
        import pyarrow as pa

        from kstest.sources.columnar import blocks_of

        chosen = frame.iloc[:, list(picked)].set_axis([names[j] for j in picked], axis=1)
        with converting(side):
            # The index is no column: from_pandas would add it for any but the default one.
            table = pa.Table.from_pandas(chosen, preserve_index=False)
        yield from blocks_of(
            table.schema, lambda wanted: table.to_batches(), range(len(picked)), side
        )

    return Table(PATH, side, names, blocks)


def _arrow_stream(obj: object, side: str) -> Table:
    import pyarrow as pa

    from kstest.sources.columnar import blocks_of

    try:
        with converting(side):
            reader = pa.RecordBatchReader.from_stream(obj)
            schema = reader.schema
    except DataError as error:
        raise DataError(f"{error} ({_ACCEPTED}.)") from error
    require_unique(schema.names, side)

    def blocks(picked: Sequence[int]) -> Iterator[Block]:
        return blocks_of(schema, lambda wanted: reader, picked, side)

    return Table(PATH, side, tuple(schema.names), blocks)
