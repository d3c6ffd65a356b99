"""Arrays, DataFrames and Arrow tables as `Table`, for the Python API.

They then go the way of files: same column language, same rules on types and missing values.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
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
