"""Arrow columns to float64 and to categories, straight from their buffers.

`pyarrow.Array.to_numpy` would import pandas wherever that is installed (0.5 s), and
`pyarrow.compute` is another 0.1 s, so the layouts are read here: offsets, validity bitmaps,
bit-packed booleans (Arrow columnar format, "Physical memory layout").

Times become seconds: since 1970 (UTC) for dates and timestamps, since midnight for times.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.inexact import (
    EXACT,
    Inexact,
    beyond_exact,
    of_decimals,
    of_integers,
    of_long_doubles,
    of_times,
)
from kstest.sources.arrow_types import LONG, STORAGE, base_name, to_long
from kstest.sources.table import Block, Coded

BLOCK_ROWS = 1 << 16

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86400.0


def empty_values(rows: int, columns: int) -> NDArray[np.float64]:
    """Return room for the numbers of a block, shape (rows, columns), a column at a stretch.

    Until the blocks of a sample are joined everything is done column by column.
    """
    return np.empty((columns, rows)).T


def to_float64(array: Any, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Convert a `pyarrow.Array` of an accepted type; null becomes NaN.

    Parameters
    ----------
    array : pyarrow.Array
        Its `kind_of` is known and not `TEXT`.
    out : ndarray of float64, shape (rows,), optional
        Where the numbers are put.
    """
    n = len(array)
    out = np.empty(n) if out is None else out
    base = base_name(array.type)
    if n == 0 or base == "null" or array.null_count == n:
        out[:] = np.nan
        return out
    if base == LONG:
        with np.errstate(over="ignore", under="ignore"):
            out[:] = to_long(array)
        return out
    if base.startswith("decimal"):
        import pyarrow as pa

        array = array.cast(pa.string()).cast(pa.float64())  # by itself it may be one digit off
        base = "double"
    validity, data = array.buffers()[:2]
    if base == "bool":
        out[:] = _bits(data, array.offset, n)
    else:
        dtype = np.dtype("<" + STORAGE[base])
        raw = np.frombuffer(data, dtype, count=n, offset=array.offset * dtype.itemsize)
        scale = _seconds(array.type, base)
        out[:] = raw * _DAY if base == "date32" else seconds(raw, scale) if scale != 1 else raw
    if array.null_count and validity is not None:
        out[~_bits(validity, array.offset, n)] = np.nan
    return out


def to_coded(array: Any) -> Coded:
    """Convert a `pyarrow.Array` of any accepted type to codes and the text of its values."""
    import pyarrow as pa

    if base_name(array.type) == "null":
        return Coded(np.full(len(array), -1, np.int32), ())
    if base_name(array.type) == LONG:
        found, at = np.unique(to_long(array), return_inverse=True)
        return coded([level_text(value) for value in found], at)
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
    values = empty_values(rows, len(numbers))
    rounded = {}
    for j, array in enumerate(numbers):
        found = _inexact(array, to_float64(array, values[:, j]))
        if found is not None:
            rounded[j] = found
    return Block(values, rounded, tuple(to_coded(array) for array in texts))


def _inexact(array: Any, numbers: NDArray[np.float64]) -> Inexact | None:
    base = base_name(array.type)
    if base.startswith("decimal"):
        return of_decimals(array, numbers)
    if base == LONG:
        return of_long_doubles(to_long(array), numbers)
    nanoseconds = base in ("timestamp", "duration") and array.type.unit == "ns"
    if not nanoseconds and (base not in ("int64", "uint64") or not beyond_exact(numbers)):
        return None
    dtype = np.dtype("<" + STORAGE[base])
    start = array.offset * dtype.itemsize
    raw = np.frombuffer(array.buffers()[1], dtype, count=len(array), offset=start)
    return of_times(raw, numbers, 10**9) if nanoseconds else of_integers(raw, numbers)


def _indices(array: Any) -> NDArray[np.int64]:
    """Read the indices of a dictionary array; null becomes -1."""
    validity, data = array.buffers()
    n = len(array)
    if array.null_count == n:
        return np.full(n, -1, np.int64)
    dtype = np.dtype("<" + STORAGE[base_name(array.type)])
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


def _seconds(kind: Any, base: str) -> int:
    """How many units of a time type make a second."""
    if base == "date64":
        return 1000
    if base in ("time32", "time64", "timestamp", "duration"):
        return PER_SECOND[kind.unit]
    return 1


def seconds(raw: NDArray[Any], per_second: int) -> NDArray[np.float64]:
    """Whole units of time, some to a second, as seconds, which are rounded once.

    Nanoseconds since 1970 are beyond 2^53: as floats they would be rounded before the division.
    """
    if not len(raw) or (int(raw.max()) < EXACT and int(raw.min()) > -EXACT):
        return np.asarray(raw / float(per_second))
    rest = np.fmod(raw, per_second)
    return np.asarray((raw - rest) // per_second + rest / float(per_second))


# Leading zeros (007, 00.5) and signs (+1) belong to codes and telephone numbers, not to numbers.
_WHOLE = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"true": "true", "True": "true", "TRUE": "true"} | {
    "false": "false",
    "False": "false",
    "FALSE": "false",
}
_LARGEST_WHOLE = 1e22  # floats up to here are written as whole numbers


def level_text(value: object) -> str | None:
    """Write a value as a category; None for a missing one (None, NaN)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        with np.errstate(over="ignore", under="ignore"):
            number = float(value)
        return _float_text(number) if number == value or number != number else str(value)
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else f"{value.normalize():f}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


def _float_text(value: float) -> str | None:
    if math.isnan(value):
        return None
    if value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return str(int(value))
    return repr(value)


def by_value(text: str) -> str:
    """Rewrite a text that reads as a number or a truth value as `level_text` would."""
    if _WHOLE.fullmatch(text):
        return "0" if text == "-0" else text
    if _NUMBER.fullmatch(text):
        number = float(text)
        return text if math.isinf(number) else _float_text(number) or text
    return _TRUTH.get(text, text)


def recoded(column: Coded, decimal: str = ".") -> Coded:
    """Apply `by_value` to the categories of a block, written with a decimal sign."""
    return coded([_recoded(level, decimal) for level in column.levels], column.codes)


def _recoded(text: str, decimal: str) -> str:
    plain = text.replace(decimal, ".")
    return by_value(plain) if decimal == "." or _NUMBER.fullmatch(plain) else by_value(text)


def coded(texts: Sequence[str | None], indices: NDArray[np.integer[Any]]) -> Coded:
    """Make a column of ``texts[indices]``; equal texts are joined, None and index -1 missing."""
    place: dict[str, int] = {}
    table = [-1 if text is None else place.setdefault(text, len(place)) for text in texts]
    return Coded(np.array([*table, -1], np.int32)[indices], tuple(place))


class Levels:
    """The categories of one column, collected over blocks, files and sides."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def texts(self) -> list[str]:
        """The categories, by provisional code."""
        return [*self._codes]

    def add(self, column: Coded) -> NDArray[np.int32]:
        """Return provisional codes of a block, in the order in which categories were met."""
        codes = self._codes
        table = [codes.setdefault(level, len(codes)) for level in column.levels]
        return np.array([*table, -1], np.int32)[column.codes]

    def finish(self, used: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Return the categories that are used, sorted, and the final code of provisional ones.

        The last entry of the codes is -1, so that a missing cell (-1) stays one.
        """
        levels = sorted(level for level, code in self._codes.items() if used[code])
        final = np.full(len(self._codes) + 1, -1, np.int32)
        final[[self._codes[level] for level in levels]] = np.arange(len(levels), dtype=np.int32)
        return tuple(levels), final


def concatenated(parts: Sequence[Coded]) -> Coded:
    """Set the pieces of one column after each other, with common codes."""
    known = Levels()
    codes = np.concatenate([known.add(part) for part in parts])
    used = np.zeros(len(known), np.bool_)
    used[codes[codes >= 0]] = True
    levels, final = known.finish(used)
    return Coded(final[codes], levels)
