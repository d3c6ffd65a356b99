"""NumPy's files: .npy, an array, and .npz, a zip archive of them. Nothing is ever unpickled.

An array of one or two dimensions has rows and columns as one in Python has, and no names for them;
a structured one has named fields. Several arrays with equally many rows stand side by side, as
``a`` and ``b[0]``, ``b[1]``, ...; ``FILE.npz:a`` is one of them. Values are read a block of rows
at a time, after the size of a file was compared with the shape that it states.
"""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.sources.archives import archive_of
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.cells import to_arrow
from kstest.sources.stream import SPOOL_BYTES, Opened, seekable
from kstest.sources.table import MOST_COLUMNS
from kstest.wording import label, listed, shown

BLOCK_BYTES = 1 << 22
_CHUNK = 1 << 20
_KINDS = "fiubmMSU"
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@frozen
class Header:
    """What the first bytes of an array say.

    Attributes
    ----------
    shape, dtype
    fortran : bool
        Whether columns lie one after the other, and not rows.
    start : int
        Bytes of the header.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def width(self) -> int:
        return math.prod(self.shape[1:])

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def header_of(file: BinaryIO, where: str) -> Header:
    """Read the header of an array from its beginning.

    Raises
    ------
    DataError
        For an array of objects, which is a pickle.
    """
    version = np.lib.format.read_magic(file)
    read = _READERS.get(version)
    if read is None:
        raise DataError(f"{where}: is a NumPy file of version {version}; 1.0 and 2.0 are read.")
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise DataError(
            f"{where}: holds Python objects, as a pickle, which is never loaded: it could run any "
            "code. Save numbers, for example by numpy.save(FILE, array.astype(float))."
        )
    return Header(tuple(map(int, shape)), bool(fortran), dtype, file.tell())


def _require_readable(header: Header, where: str) -> None:
    dtypes = [header.dtype[n].base for n in header.dtype.names or ()] or [header.dtype]
    bad = next((d for d in dtypes if d.kind not in _KINDS), None)
    flat = len(header.shape) == 1 or (len(header.shape) == 2 and header.dtype.names is None)
    if bad is not None or not flat:
        raise DataError(
            f"{where}: holds {len(header.shape)} dimensions {header.shape} of {bad or header.dtype}"
            "; accepted: arrays of one or two dimensions (rows, columns) of numbers, true/false, "
            "times or text, or of records of these."
        )
    if header.width > MOST_COLUMNS:
        raise DataError(
            f"{where}: holds {header.width:,} columns; at most {MOST_COLUMNS:,} can be read."
        )


def _columns(header: Header, name: str) -> list[str]:
    """Names of the columns of an array; `name` is its own, empty where it has none."""
    if header.dtype.names is None:
        if not name:
            return [str(j + 1) for j in range(header.width)]
        return [name] if len(header.shape) == 1 else [f"{name}[{j}]" for j in range(header.width)]
    found = []
    for field in header.dtype.names:
        shape = header.dtype[field].shape
        places = [f"[{']['.join(map(str, at))}]" for at in np.ndindex(shape)] if shape else [""]
        found += [field + place for place in places]
    return found


def _parts(block: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The columns of some rows, in the order of `_columns`."""
    if block.dtype.names is None:
        yield from (block[:, None] if block.ndim == 1 else block).T
        return
    for field in block.dtype.names:
        values = block[field].reshape(len(block), math.prod(block.dtype[field].shape))
        yield from values.T


def _rows(read: Callable[[int], bytes], header: Header, count: int) -> NDArray[Any]:
    """The next rows of an array whose rows lie one after the other."""
    need = count * header.width * header.dtype.itemsize
    parts: list[bytes] = []
    while need > 0:
        part = read(min(need, _CHUNK))
        if not part:
            raise EOFError("the values end too early")
        need -= len(part)
        parts.append(part)
    values = np.frombuffer(b"".join(parts), header.dtype)
    return values.reshape((count, *header.shape[1:]))


def _columnwise(file: BinaryIO, header: Header, start: int, count: int) -> NDArray[Any]:
    """Rows of an array whose columns lie one after the other."""
    out = np.empty((header.width, count), header.dtype)
    size = header.dtype.itemsize
    for j in range(header.width):
        file.seek(header.start + (j * header.shape[0] + start) * size)
        out[j] = _rows(file.read, Header((count,), False, header.dtype, 0), count)
    return out.T


def _blocks(file: BinaryIO, header: Header, step: int) -> Iterator[NDArray[Any]]:
    """Blocks of `step` rows; `file` stands behind the header."""
    for start in range(0, header.shape[0], step):
        count = min(step, header.shape[0] - start)
        if header.fortran and len(header.shape) > 1:
            yield _columnwise(file, header, start, count)
        else:
            yield _rows(file.read, header, count)
    if file.read(1):  # also lets an archive compare its checksum
        raise EOFError("more bytes follow the values")


def _step(headers: Sequence[Header]) -> int:
    row = sum(h.width * h.dtype.itemsize for h in headers)
    return max(1, min(1 << 16, BLOCK_BYTES // max(row, 1)))


def _schema(headers: Sequence[Header], names: Sequence[Sequence[str]]) -> pa.Schema:
    fields: list[tuple[str, Any]] = []
    for header, some in zip(headers, names, strict=True):
        empty = np.empty((0, *header.shape[1:]), header.dtype)
        fields += zip(some, (to_arrow(column).type for column in _parts(empty)), strict=True)
    return pa.schema(fields)


def _batch(
    columns: Mapping[str, NDArray[Any]], names: Sequence[str], where: str, first: int
) -> pa.RecordBatch:
    """Rows from row `first` on, from 0."""
    arrays = [to_arrow(columns[n], f"{where}: column {shown(n)}", first) for n in names]
    return pa.RecordBatch.from_arrays(arrays, list(names))


def open_npy(opened: Opened) -> ArrowFile:
    """Open an array."""
    file, digest, close = seekable(opened)
    header = header_of(file, opened.label)
    _require_readable(header, opened.label)
    stated, found = header.start + header.size, file.seek(0, 2)
    if stated != found:
        raise DataError(
            f"{opened.label}: is damaged: it states {header.shape} values of {header.dtype}, which "
            f"take {stated:,} bytes, and has {found:,}. Get the file again."
        )
    names = _columns(header, "")

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        places = [names.index(name) for name in wanted]
        file.seek(header.start)
        first = 0
        for block in _blocks(file, header, _step([header])):
            parts = list(_parts(block))
            some = {names[j]: parts[j] for j in places}
            yield _batch(some, wanted, opened.label, first)
            first += len(block)

    named = header.dtype.names is not None
    return ArrowFile(_schema([header], [names]), batches, digest, close, named)


@frozen
class _Array:
    """An array of an archive."""

    name: str
    info: zipfile.ZipInfo
    header: Header


def open_npz(opened: Opened) -> ArrowFile:
    """Open an archive of arrays: all with equally many rows, or the one that ``:PART`` names."""
    file, digest, close = seekable(opened)
    archive = archive_of(file, opened.label)
    arrays = _chosen(archive, opened)
    named = len(arrays) > 1 or len(arrays[0].header.shape) < 2
    names = [_columns(a.header, a.name if named else "") for a in arrays]
    named = named or arrays[0].header.dtype.names is not None

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        used = [
            (a, own)
            for a, own in zip(arrays, names, strict=True)
            if not set(own).isdisjoint(wanted)
        ]
        step = _step([a.header for a, _ in used])
        blocks = [_blocks(_member(archive, a), a.header, step) for a, _ in used]
        first = 0
        for some in zip(*blocks, strict=True):
            found: dict[str, Any] = {}
            for block, (_, own) in zip(some, used, strict=True):
                found |= zip(own, _parts(block), strict=True)
            yield _batch(found, wanted, opened.label, first)
            first += len(some[0])

    return ArrowFile(_schema([a.header for a in arrays], names), batches, digest, close, named)


def _chosen(archive: zipfile.ZipFile, opened: Opened) -> list[_Array]:
    where = opened.label
    every = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if not i.is_dir()}
    if opened.part is not None and opened.part not in every:
        raise DataError(
            f"{where}: holds no array {shown(opened.part)}; it holds {listed([*every])}."
        )
    picked = every if opened.part is None else {opened.part: every[opened.part]}
    arrays = []
    for name, info in picked.items():
        with archive.open(info) as file:
            header = header_of(file, f"{where}: array {shown(name)}")  # type: ignore[arg-type]
        if header.start + header.size != info.file_size:
            raise DataError(f"{where}: array {shown(name)} has not the size that it states.")
        arrays.append(_Array(name, info, header))
    flat = [a for a in arrays if a.header.shape] or arrays  # single values describe the others
    for a in flat:
        _require_readable(a.header, f"{where}: array {shown(a.name)}")
    if len({a.header.shape[0] for a in flat}) > 1:
        shapes = ", ".join(f"{a.name} {a.header.shape}" for a in flat[:10])
        raise DataError(
            f"{where}: holds arrays of different lengths: {shapes}. Name one of them, as in "
            f"{where}:{label(flat[0].name)}."
        )
    if sum(a.header.width for a in flat) > MOST_COLUMNS:
        raise DataError(f"{where}: holds more than {MOST_COLUMNS:,} columns; name one array.")
    return flat


def _member(archive: zipfile.ZipFile, array: _Array) -> BinaryIO:
    """Open an array behind its header; one that lies column by column goes to where it can seek."""
    file: Any = archive.open(array.info)
    if array.header.fortran and len(array.header.shape) > 1:
        spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            spool.write(chunk)
        file = spool
        file.seek(array.header.start)
    else:
        file.read(array.header.start)
    return cast(BinaryIO, file)
