"""Arrow columns to float64 and to categories, straight from their buffers.

`pyarrow.Array.to_numpy` would import pandas wherever that is installed (0.5 s), and
`pyarrow.compute` is another 0.1 s, so the layouts are read here: offsets, validity bitmaps,
bit-packed booleans (Arrow columnar format, "Physical memory layout").

Times become seconds: since 1970 (UTC) for dates and timestamps, since midnight for times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.sources.levels import coded, level_text
from kstest.sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Block, Coded
from kstest.wording import DATE, DURATION, TIME

BLOCK_ROWS = 1 << 16
_EXACT = 2.0**53  # from here on neighbouring whole numbers share a float64

# type name without parameters -> storage; divisors of times are found from the unit
_STORAGE = {
    "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "halffloat": "f2", "float": "f4", "double": "f8",
    "date32": "i4", "date64": "i8", "time32": "i4", "time64": "i8",
    "timestamp": "i8", "duration": "i8",
}  # fmt: skip
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_WORDS = {
    "binary": "raw bytes", "large_binary": "raw bytes", "binary_view": "raw bytes",
    "fixed_size_binary": "raw bytes",
    "list": "lists", "large_list": "lists", "fixed_size_list": "lists", "list_view": "lists",
    "large_list_view": "lists", "map": "maps", "struct": "records (struct)",
}  # fmt: skip


_KINDS = {
    "bool": BOOLEAN, "null": EMPTY, "date32": DATE, "date64": DATE, "timestamp": DATE,
    "time32": TIME, "time64": TIME, "duration": DURATION,
    "string": TEXT, "large_string": TEXT, "string_view": TEXT, "dictionary": TEXT,
}  # fmt: skip


def kind_of(kind: Any) -> str | None:
    """Say what an Arrow type holds (see `kstest.sources.table`); None where it is refused."""
    base = base_name(kind)
    if base == "dictionary":
        return None if kind_of(kind.value_type) is None else TEXT
    if base in _STORAGE or base.startswith("decimal"):
        return _KINDS.get(base, NUMBER)
    return _KINDS.get(base)


def refusal(kind: Any) -> str:
    """Say in words what a refused Arrow type holds."""
    base = base_name(kind)
    if base == "dictionary":
        return f"categories of {refusal(kind.value_type)}"
    return _WORDS.get(base, f"values of type {str(kind)[:40]!r}")


def to_float64(array: Any) -> NDArray[np.float64]:
    """Convert a `pyarrow.Array` of an accepted type; null becomes NaN.

    Parameters
    ----------
    array : pyarrow.Array
        Its `kind_of` is known and not `TEXT`.
    """
    n = len(array)
    base = base_name(array.type)
    if n == 0 or base == "null" or array.null_count == n:
        return np.full(n, np.nan)
    if base.startswith("decimal"):
        import pyarrow as pa

        array = array.cast(pa.float64())
        base = "double"
    validity, data = array.buffers()[:2]
    if base == "bool":
        out = _bits(data, array.offset, n).astype(np.float64)
    else:
        dtype = np.dtype("<" + _STORAGE[base])
        raw = np.frombuffer(data, dtype, count=n, offset=array.offset * dtype.itemsize)
        scale = _seconds(array.type, base)
        out = raw.astype(np.float64) if scale == 1.0 else raw / scale
    if array.null_count and validity is not None:
        out[~_bits(validity, array.offset, n)] = np.nan
    return out


def to_coded(array: Any) -> Coded:
    """Convert a `pyarrow.Array` of any accepted type to codes and the text of its values."""
    import pyarrow as pa

    if base_name(array.type) == "null":
        return Coded(np.full(len(array), -1, np.int32), ())
    if base_name(array.type) == "halffloat":
        array = array.cast(pa.float32())
    if base_name(array.type) != "dictionary":
        array = array.dictionary_encode()  # imports pyarrow.compute: not for numeric columns
    indices, values = _indices(array.indices), array.dictionary
    if len(values) > len(indices):  # a slice of a long column: only what occurs in it
        used, indices = np.unique(indices, return_inverse=True)
        values = [None if k < 0 else values[int(k)].as_py() for k in used]
    else:
        values = values.to_pylist()
    return coded([level_text(value) for value in values], indices)


def to_block(numbers: Sequence[Any], texts: Sequence[Any] = ()) -> Block:
    """Convert Arrow arrays of one length, columns of a batch, to a block."""
    rows = len((*numbers, *texts)[0])
    values = np.empty((rows, len(numbers)))
    rounded = []
    for j, array in enumerate(numbers):
        values[:, j] = to_float64(array)
        if base_name(array.type) in ("int64", "uint64") and beyond_exact(values[:, j]):
            rounded.append(j)
    return Block(values, tuple(rounded), tuple(to_coded(array) for array in texts))


def beyond_exact(column: NDArray[np.float64]) -> bool:
    """Tell whether whole numbers in `column` may have been rounded by float64."""
    return bool(((column >= _EXACT) | (column <= -_EXACT)).any())


def base_name(kind: Any) -> str:
    """Strip ``timestamp[us, tz=UTC]``, ``decimal128(5, 2)``, ``list<item: int64>`` to the name."""
    text = str(kind)
    for mark in "[(<":
        text = text.partition(mark)[0]
    return text


def _indices(array: Any) -> NDArray[np.int64]:
    """Read the indices of a dictionary array; null becomes -1."""
    validity, data = array.buffers()
    n = len(array)
    if array.null_count == n:
        return np.full(n, -1, np.int64)
    dtype = np.dtype("<" + _STORAGE[base_name(array.type)])
    raw = np.frombuffer(data, dtype, count=n, offset=array.offset * dtype.itemsize)
    out = raw.astype(np.int64)
    if array.null_count and validity is not None:
        out[~_bits(validity, array.offset, n)] = -1
    return out


def _bits(buffer: Any, offset: int, n: int) -> NDArray[np.bool_]:
    start = offset // 8
    count = (offset + n + 7) // 8 - start
    packed = np.frombuffer(buffer, np.uint8, count=count, offset=start)
    bits = np.unpackbits(packed, bitorder="little")[offset - 8 * start :][:n]
    return bits.astype(np.bool_)


def _seconds(kind: Any, base: str) -> float:
    """How many units of a time type make a second."""
    if base == "date32":
        return 1 / 86400
    if base == "date64":
        return 1e3
    if base in ("time32", "time64", "timestamp", "duration"):
        return _PER_SECOND[kind.unit]
    return 1.0
