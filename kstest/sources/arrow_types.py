"""Which types of Arrow are read, and as what; and the one of kstest's own, long doubles.

NumPy's long doubles have more digits than float64, and Arrow has no such type: their bytes travel
as they are, so that the door to the tests sees which of them float64 does not hold.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.wording import BOOLEAN, DATE, DURATION, EMPTY, NUMBER, TEXT, TIME

# type name without parameters -> storage
STORAGE = {
    "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "halffloat": "f2", "float": "f4", "double": "f8",
    "date32": "i4", "date64": "i8", "time32": "i4", "time64": "i8",
    "timestamp": "i8", "duration": "i8",
}  # fmt: skip
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
LONG = "kstest.long_double"
_EXTENSION = f"extension<{LONG}"


def base_name(kind: Any) -> str:
    """Strip ``timestamp[us, tz=UTC]``, ``decimal128(5, 2)``, ``list<item: int64>`` to the name."""
    text = str(kind)
    if text.startswith(_EXTENSION):
        return LONG
    for mark in "[(<":
        text = text.partition(mark)[0]
    return text


def kind_of(kind: Any) -> str | None:
    """Say what an Arrow type holds (see `kstest.wording`); None where it is refused."""
    base = base_name(kind)
    if base == "dictionary":
        return None if kind_of(kind.value_type) is None else TEXT
    if base in STORAGE or base == LONG or base.startswith("decimal"):
        return _KINDS.get(base, NUMBER)
    return _KINDS.get(base)


def refusal(kind: Any) -> str:
    """Say in words what a refused Arrow type holds."""
    base = base_name(kind)
    if base == "dictionary":
        return f"categories of {refusal(kind.value_type)}"
    return _WORDS.get(base, f"values of type {str(kind)[:40]!r}")


@cache
def long_type() -> Any:
    """The type of a column of long doubles; known to Arrow from now on, also in its streams."""
    import pyarrow as pa

    class LongDouble(pa.ExtensionType):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pa.binary(np.dtype(np.longdouble).itemsize), LONG)

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> Any:
            return cls()

    found = LongDouble()
    pa.register_extension_type(found)
    return found


def of_long(column: NDArray[Any]) -> Any:
    """Long doubles (n,) of any byte order as an Arrow array."""
    import pyarrow as pa

    plain = np.ascontiguousarray(column, np.longdouble)
    size = plain.dtype.itemsize
    stored = pa.Array.from_buffers(pa.binary(size), len(plain), [None, pa.py_buffer(plain)])
    return pa.ExtensionArray.from_storage(long_type(), stored)


def to_long(array: Any) -> NDArray[Any]:
    """The long doubles (n,) of such an array; null is NaN."""
    kind = np.dtype(np.longdouble)
    stored = array.storage
    data = stored.buffers()[1]
    found = np.frombuffer(data, kind, len(stored), stored.offset * kind.itemsize).copy()
    if stored.null_count:
        found[~np.array(stored.is_valid().to_pylist(), np.bool_)] = np.nan
    return found
