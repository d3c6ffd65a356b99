"""Frames and series of pandas in HDF5 files: the columns of its two formats, without pickles.

Names of columns in the format ``table`` are pickles, of which the texts and numbers are taken
without running them. Times are whole numbers there, categories are codes, and a missing text is
written as another one; the attributes beside them say which.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.cells import to_arrow
from kstest.wording import shown

_TIMES = re.compile(r"(datetime64|timedelta64)(\[(s|ms|us|ns)\])?")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING")
_INTEGERS = ("INT", "LONG", "LONG1", "BININT", "BININT1", "BININT2")
_NONE = "N."  # how pickles write None
_MISSING = "nan"  # what pandas writes for a missing text unless it is told otherwise


@frozen
class Column:
    """Where the values of a column lie.

    Attributes
    ----------
    array : h5py.Dataset
    take : tuple
        Fields and places to take from its rows.
    meant : callable, optional
        Makes an Arrow array of the numbers or bytes that are stored.
    """

    array: Any
    take: tuple[Any, ...]
    meant: Callable[[Any], Any] = to_arrow


def text(value: Any) -> str:
    """Decode an attribute or a cell."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def stored_by_pandas(node: Any) -> str:
    """What pandas says that a group is, such as ``frame_table``; empty for other groups."""
    kind = text(node.attrs.get("pandas_type", ""))
    return kind if kind in _READERS else ""


def columns_of(node: Any, where: str) -> dict[str, Column]:
    """The columns of such a group, in the order that the frame had.

    Raises
    ------
    DataError
        For columns of Python objects, which are pickles.
    """
    found = dict(_READERS[stored_by_pandas(node)](node, where))
    order = _order(node)
    if sorted(order) == sorted(found):
        found = {name: found[name] for name in order}
    return found


def _of_table(node: Any, where: str) -> Iterator[tuple[str, Column]]:
    table = node["table"]
    for field in table.dtype.names:
        if field == "index":
            continue
        base, places = table.dtype[field].base, table.dtype[field].shape
        names = _names(table.attrs.get(f"{field}_kind"), field)
        if len(names) != int(np.prod(places)):
            raise DataError(f"{where}: the names of the columns of {field} cannot be read.")
        meant = _meant(node, table.attrs, field, base, where)
        for k, name in enumerate(names):
            yield name, Column(table, (field, k) if places else (field,), meant)


def _meant(node: Any, attrs: Any, field: str, base: Any, where: str) -> Callable[[Any], Any]:
    if text(attrs.get(f"{field}_meta", "")) == "category":
        return _categories(node, field, where)
    if base.kind == "S":
        missing = text(node.attrs.get("nan_rep", _NONE))
        missing = _MISSING if missing == _NONE else missing
        return lambda rows: _texts(rows, missing)
    return _times(text(attrs.get(f"{field}_dtype", "")))


def _times(dtype: str) -> Callable[[Any], Any]:
    found = _TIMES.fullmatch(dtype)
    if found is None:
        return to_arrow
    kind = np.dtype(f"{found[1]}[{found[3] or 'ns'}]")
    return lambda rows: to_arrow(np.asarray(rows).astype(np.int64).view(kind))


def _texts(rows: Any, missing: str) -> Any:
    cells = [text(cell) for cell in rows]
    return pa.array([None if cell == missing else cell for cell in cells], pa.string())


def _categories(node: Any, field: str, where: str) -> Callable[[Any], Any]:
    try:
        stored = node["meta"][field]["meta"]["table"]["values"]
    except (KeyError, ValueError, TypeError):
        raise DataError(
            f"{where}: the categories of {shown(field)} are not there. Is the file complete?"
        ) from None
    levels = to_arrow(np.asarray(stored))

    def meant(codes: Any) -> Any:
        codes = np.asarray(codes)
        indices = pa.array(np.asarray(codes, np.int64), mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, levels)

    return meant


def _of_blocks(node: Any, where: str) -> Iterator[tuple[str, Column]]:
    for k in range(int(node.attrs.get("nblocks", 0))):
        array, names = node[f"block{k}_values"], node[f"block{k}_items"][:]
        if array.shape[1:] != (len(names),):
            raise _objects(where)
        meant = _times(text(array.attrs.get("value_type", "")))
        for j, name in enumerate(names):
            yield text(name), Column(array, (j,), meant)


def _of_series(node: Any, where: str) -> Iterator[tuple[str, Column]]:
    array = node["values"]
    if array.ndim != 1:
        raise _objects(where)
    name = text(node.attrs.get("name", _NONE))
    shown_name = "values" if name in (_NONE, "None", "") else name
    yield shown_name, Column(array, (), _times(text(array.attrs.get("value_type", ""))))


def _objects(where: str) -> DataError:
    return DataError(
        f"{where}: holds a column of Python objects, as a pickle, which is never loaded. Write the "
        "frame with format='table'."
    )


_READERS: Mapping[str, Callable[[Any, str], Iterator[tuple[str, Column]]]] = {
    "frame_table": _of_table,
    "series_table": _of_table,
    "frame": _of_blocks,
    "series": _of_series,
}


def _order(node: Any) -> list[str]:
    """The names of the columns of a frame, in its order; empty where they cannot be read."""
    if "axis0" in node:
        return [text(name) for name in node["axis0"][:]]
    found = [*_read_off(node.attrs.get("non_index_axes"), (*_TEXTS, *_INTEGERS))]
    return found[1:]  # behind the number of their axis


def _names(stored: Any, field: str) -> list[str]:
    """Names of columns in a pickled list."""
    try:
        return [*_read_off(stored, (*_TEXTS, *_INTEGERS), strict=True)]
    except ValueError:
        return [field]


def _read_off(stored: Any, kinds: tuple[str, ...], strict: bool = False) -> Iterator[str]:
    """Texts and numbers in a pickle, read off without running it."""
    content = stored if isinstance(stored, bytes) else bytes(np.asarray(stored).tobytes())
    try:
        steps = list(pickletools.genops(content))
    except Exception as error:
        if strict:
            raise ValueError("no pickle") from error
        return
    yield from (str(arg) for op, arg, _ in steps if op.name in kinds)
