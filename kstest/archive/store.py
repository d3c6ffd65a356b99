"""Writes and reads an archive."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from ..errors import DataError, OutputError
from ..files import replace
from ..wording import meant_file
from .schema import require_header

HEADER = "header.json"
KIND = "kstest"
VERSION = "version"
# Numbers and fixed-width text or bytes: what numpy stores without pickle.
KINDS = "biufcSU"
_OWN_JSON = re.compile(rb'\s*\{\s*"kstest"\s*:\s*"(\w+)"')
# The oldest date a zip file can name: equal content gives equal bytes.
DATE = (1980, 1, 1, 0, 0, 0)


def save(
    path: str | Path,
    kind: str,
    version: int,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write an archive, whole or not at all.

    Parameters
    ----------
    path : str or Path
        A file there is replaced in one step: readers see the old one or the new one.
    kind : str
        What the archive is, such as "state" or "calibration".
    version : int
        Of the layout of this kind; raise it when older programs would misread the new one.
    header : mapping
        What JSON can hold; no NaN. The keys "kstest" and "version" are taken.
    arrays : mapping of str to ndarray
        Numbers, or text of fixed width.

    Raises
    ------
    OutputError
        If the file cannot be written; an old file is then as it was.
    """
    taken = {KIND: kind, VERSION: version}
    if taken.keys() & header.keys():
        raise ValueError(f"the header may not set {sorted(taken)}")
    text = json.dumps({**taken, **header}, allow_nan=False, ensure_ascii=False)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(HEADER, DATE), text.encode())
        for name, array in arrays.items():
            if array.dtype.kind not in KINDS:
                raise ValueError(f"array {name}: {array.dtype} cannot be kept")
            member = io.BytesIO()
            npy.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", DATE), member.getvalue())
    try:
        replace(content.getvalue(), Path(path))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def own_json(head: bytes) -> str | None:
    """What a file of JSON that kstest wrote says that it is, by its first bytes."""
    found = _OWN_JSON.match(head)
    return found[1].decode() if found else None


def load(
    path: str | Path, kind: str, versions: Collection[int], opened: BinaryIO | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of an archive.

    Parameters
    ----------
    path : str or Path
    kind : str
        What the archive has to be.
    versions : collection of int
        Layouts that the caller can read.
    opened : file, optional
        Its content, where that is open already.

    Returns
    -------
    header : dict
        As it was given to `save`, with "kstest" and "version".
    arrays : dict of str to ndarray

    Raises
    ------
    DataError
        If the file cannot be read, is no archive, is damaged, or is of another kind or version.
    """
    try:
        with (
            nullcontext(opened) if opened is not None else open(path, "rb") as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            members = _members(archive)
            header = json.loads(members.pop(HEADER).decode())
            require_header(header)
            _require(path, header, kind, versions)
            arrays = {name.removesuffix(".npy"): _array(data) for name, data in members.items()}
    except OSError as error:
        hint = meant_file(str(path)) if isinstance(error, FileNotFoundError) else ""
        raise DataError(f"{path}: cannot be read: {error.strerror or error}{hint}") from error
    except DataError:
        raise
    except Exception as error:  # zipfile, json and numpy raise a dozen kinds over foreign bytes
        raise DataError(
            f"{path}: is no {kind} of kstest, or is damaged ({error}); give a file that kstest "
            "wrote"
        ) from error
    return header, arrays


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Content by name; `read` compares every checksum."""
    for member in archive.infolist():
        # A compressed member could unpack to any size; kstest writes none.
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed")
    return {member.filename: archive.read(member) for member in archive.infolist()}


def _require(path: str | Path, header: Any, kind: str, versions: Collection[int]) -> None:
    found = header.get(KIND) if isinstance(header, dict) else None
    if found != kind:
        what = f"is a {found} of kstest" if found else "has no header of kstest"
        raise DataError(f"{path}: {what}; expected a {kind}")
    if header.get(VERSION) not in versions:
        known = ", ".join(map(str, sorted(versions)))
        raise DataError(
            f"{path}: is a {kind} of version {header.get(VERSION)}; this kstest reads version "
            f"{known}; use the kstest that wrote it, or make a new one"
        )


def _array(data: bytes) -> np.ndarray:
    """Decode a .npy member; its length is checked before anything of the claimed size is made."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.kind not in KINDS or fortran:
        raise ValueError(f"an array of {dtype} where numbers belong")
    content = data[stream.tell() :]
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size != len(content):
        raise ValueError("an array of another size than it says")
    return np.frombuffer(content, dtype=dtype).reshape(shape).copy()
