"""HDF5 files by h5py: arrays side by side, an array of records, or what pandas wrote; no pickles.

``FILE:NAME`` names a group or an array. Arrays side by side are in the order in which the file has
them, which is that of their names unless the writer kept another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.formats import lacking
from kstest.sources.hdf5_pandas import Column, columns_of, stored_by_pandas, text
from kstest.sources.stream import Opened, seekable
from kstest.sources.table import MOST_COLUMNS
from kstest.wording import label, listed, shown

STEP = 1 << 14


def open_hdf5(opened: Opened) -> ArrowFile:
    """Open the arrays of a file or of a group."""
    file, digest, close = seekable(opened)
    book = h5py.File(file, "r")
    group = _netcdf(book, opened.part)
    if group is not None:
        book.close()
        return _labelled(file, group, opened, digest, close)
    columns = _columns(_node(book, opened), opened)
    lengths = {name: len(column.array) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{name} {n:,}" for name, n in list(lengths.items())[:10]) or "none"
        raise DataError(
            f"{opened.label}: holds no arrays with equally many rows; found: {found}. Name one "
            f"array, or a group, as in {opened.label}:NAME."
        )
    rows = next(iter(lengths.values()))
    fields = {name: _arrow(column.array[:0], column).type for name, column in columns.items()}

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, STEP):
            read: dict[str, Any] = {}
            arrays = []
            for name in names:
                array = columns[name].array
                if array.name not in read:
                    read[array.name] = array[start : min(start + STEP, rows)]
                arrays.append(_arrow(read[array.name], columns[name]))
            yield pa.RecordBatch.from_arrays(arrays, list(names))

    def shut() -> None:
        book.close()
        close()

    return ArrowFile(pa.schema(list(fields.items())), batches, digest, shut)


def _netcdf(book: Any, part: str | None) -> str | None:
    """The group of a NetCDF file that is meant, empty for its root; None for another HDF5 file."""
    if part is None and "posterior" in book:
        return "posterior"
    if "_NCProperties" not in book.attrs:
        return None
    return (part or "") if part is None or part in book else None


def _labelled(file: Any, group: str, opened: Opened, digest: Any, close: Any) -> ArrowFile:
    try:
        from kstest.sources.draws import open_group

        return open_group(file, group or None, opened.label, digest, close)
    except ModuleNotFoundError as error:
        raise lacking("NetCDF", str(error.name), "bayes") from None


def _node(book: Any, opened: Opened) -> Any:
    """The group or array that is meant: named, or the only one on the way down."""
    if opened.part is not None:
        if opened.part not in book:
            raise DataError(
                f"{opened.label}: has no {shown(opened.part)}; it has {listed([*book])}."
            )
        return book[opened.part]
    node = book
    while isinstance(node, h5py.Group) and not stored_by_pandas(node):
        inner = list(node.values())
        if not (len(inner) == 1 and isinstance(inner[0], h5py.Group)):
            break
        node = inner[0]
    return node


def _columns(node: Any, opened: Opened) -> dict[str, Column]:
    if isinstance(node, h5py.Dataset):
        return dict(_of_array(node, node.name.rpartition("/")[2], opened))
    if stored_by_pandas(node):
        frame = columns_of(node, opened.label)
        for column in frame.values():
            _require_sized(column.array, opened)
        return frame
    arrays = {name: x for name, x in node.items() if isinstance(x, h5py.Dataset) and x.ndim}
    if not arrays:
        groups = [name for name, inner in node.items() if isinstance(inner, h5py.Group)]
        more = f" Name a group, as in {opened.label}:{label(groups[0])}." if groups else ""
        raise DataError(f"{opened.label}: holds no arrays, but groups: {listed(groups)}.{more}")
    found: dict[str, Column] = {}
    for name, array in arrays.items():
        found |= _of_array(array, name, opened)
    return found


def _of_array(array: Any, name: str, opened: Opened) -> Iterator[tuple[str, Column]]:
    """The columns of one array: its fields, or itself, and their places."""
    _require_sized(array, opened)
    for field in array.dtype.names or ("",):
        inner = array.dtype[field] if field else array.dtype
        shape = (*array.shape[1:], *inner.shape)
        if int(np.prod(shape, dtype=float)) > MOST_COLUMNS:
            raise DataError(
                f"{opened.label}: {shown(array.name)} has more than {MOST_COLUMNS:,} columns."
            )
        for at in np.ndindex(shape):
            place = "".join(f"[{k}]" for k in at)
            yield (field or name) + place, Column(array, ((field,) if field else ()) + at)


def _require_sized(array: Any, opened: Opened) -> None:
    base = array.dtype
    kinds = [base[n].base for n in base.names] if base.names else [base.base]
    if h5py.check_string_dtype(base) is None and any(kind.kind not in "fiubSU" for kind in kinds):
        raise DataError(
            f"{opened.label}: {shown(array.name)} holds {shown(str(base))}, such as Python "
            "objects, which are never loaded; accepted: numbers, true/false and text."
        )
    if array.shape is None or not array.ndim:
        raise DataError(f"{opened.label}: {shown(array.name)} is a single value, and no column.")


def _arrow(rows: Any, column: Column) -> Any:
    for item in column.take:
        rows = rows[item] if isinstance(item, str) else rows[:, item]
    if rows.dtype.kind == "O":  # text of variable length
        return pa.array([text(v) for v in rows], pa.string())
    return column.meant(np.asarray(rows))
