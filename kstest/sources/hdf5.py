"""HDF5 files by h5py: arrays side by side, an array of records, or what pandas wrote; no pickles.

``FILE:NAME`` names a group or an array. pandas stores the names of columns of its ``table`` format
as pickles: their texts are taken out without running them; columns of Python objects are refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import to_arrow
from kstest.sources.formats import lacking
from kstest.sources.stream import Opened, seekable
from kstest.sources.table import MOST_COLUMNS
from kstest.wording import label, listed, shown

STEP = 1 << 14
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING")
Column = tuple[Any, tuple[Any, ...]]  # an array of a file, and what to take from its rows


def open_hdf5(opened: Opened) -> ArrowFile:
    """Open the arrays of a file or of a group."""
    file, digest, close = seekable(opened)
    book = h5py.File(file, "r")
    group = _netcdf(book, opened.part)
    if group is not None:
        book.close()
        return _labelled(file, group, opened, digest, close)
    columns = _columns(_node(book, opened), opened)
    lengths = {name: len(array) for name, (array, _) in columns.items()}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{name} {n:,}" for name, n in list(lengths.items())[:10]) or "none"
        raise DataError(
            f"{opened.label}: holds no arrays with equally many rows; found: {found}. Name one "
            f"array, or a group, as in {opened.label}:NAME."
        )
    rows = next(iter(lengths.values()))
    fields = {name: _arrow(array[:0], take).type for name, (array, take) in columns.items()}

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, STEP):
            read: dict[str, Any] = {}
            arrays = []
            for name in names:
                array, take = columns[name]
                if array.name not in read:
                    read[array.name] = array[start : min(start + STEP, rows)]
                arrays.append(_arrow(read[array.name], take))
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
    while isinstance(node, h5py.Group) and not _is_frame(node):
        inner = list(node.values())
        if not (len(inner) == 1 and isinstance(inner[0], h5py.Group)):
            break
        node = inner[0]
    return node


def _is_frame(node: Any) -> bool:
    return _text(node.attrs.get("pandas_type")) in ("frame", "frame_table")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _columns(node: Any, opened: Opened) -> dict[str, Column]:
    if isinstance(node, h5py.Dataset):
        return dict(_of_array(node, node.name.rpartition("/")[2], opened))
    kind = _text(node.attrs.get("pandas_type"))
    if kind == "frame_table":
        return dict(_of_pandas_table(node["table"], opened))
    if kind == "frame":
        return dict(_of_pandas_blocks(node, opened))
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
            yield (field or name) + place, (array, ((field,) if field else ()) + at)


def _require_sized(array: Any, opened: Opened) -> None:
    base = array.dtype
    kinds = [base[n].base for n in base.names] if base.names else [base.base]
    text = h5py.check_string_dtype(base)
    if text is None and any(kind.kind not in "fiubSU" for kind in kinds):
        raise DataError(
            f"{opened.label}: {shown(array.name)} holds {shown(str(base))}, such as Python "
            "objects, which are never loaded; accepted: numbers, true/false and text."
        )
    if array.shape is None or not array.ndim:
        raise DataError(f"{opened.label}: {shown(array.name)} is a single value, and no column.")


def _arrow(rows: Any, take: tuple[Any, ...]) -> Any:
    for item in take:
        rows = rows[item] if isinstance(item, str) else rows[:, item]
    if rows.dtype.kind == "O":  # text of variable length
        return pa.array([_text(v) for v in rows], pa.string())
    return to_arrow(np.asarray(rows))


def _of_pandas_table(table: Any, opened: Opened) -> Iterator[tuple[str, Column]]:
    _require_sized(table, opened)
    for field in table.dtype.names:
        if field == "index":
            continue
        names = _names(table.attrs.get(f"{field}_kind"), field)
        width = int(np.prod(table.dtype[field].shape)) if table.dtype[field].shape else 1
        if len(names) != width:
            raise DataError(f"{opened.label}: the names of the columns of {field} cannot be read.")
        for k, name in enumerate(names):
            yield name, (table, (field, k) if table.dtype[field].shape else (field,))


def _names(stored: Any, field: str) -> list[str]:
    """Names of columns in a pickled list: its texts, read off without running it."""
    content = stored if isinstance(stored, bytes) else bytes(np.asarray(stored).tobytes())
    try:
        steps = list(pickletools.genops(content))
    except Exception:
        return [field]
    return [str(arg) for op, arg, _ in steps if op.name in _TEXTS]


def _of_pandas_blocks(group: Any, opened: Opened) -> Iterator[tuple[str, Column]]:
    for k in range(int(group.attrs.get("nblocks", 0))):
        array, names = group[f"block{k}_values"], group[f"block{k}_items"][:]
        _require_sized(array, opened)
        if array.shape[1:] != (len(names),):
            raise DataError(
                f"{opened.label}: holds a column of Python objects, as a pickle, which is never "
                "loaded. Write the frame with format='table'."
            )
        for j, name in enumerate(names):
            yield _text(name), (array, (j,))
