"""Zip archives: of one file, which is read as if it lay there unpacked, or of arrays (.npz)."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from typing import BinaryIO

from kstest.errors import DataError
from kstest.sources.stream import Opened, Stream, seekable
from kstest.wording import label, listed, shown

# Others may ask for gigabytes of memory before the first byte.
_USUAL = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ENCRYPTED = 1  # bit 0 of the flags


def unzipped(opened: Opened) -> Opened:
    """Return the one file of a zip archive, or the one that ``:PART`` names."""
    file, digest, close = seekable(opened)
    archive = archive_of(file, opened.label)
    inner = Stream(Member(archive, member(archive, opened.part, opened.label)), hashed=False)
    return replace(opened, stream=inner, digest=digest, close=close, regular=None, part=None)


class Member:
    """One file of a zip archive, as it is read."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        try:
            self._file = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise OSError(str(error)) from error

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise OSError(str(error)) from error


def archive_of(file: BinaryIO, where: str) -> zipfile.ZipFile:
    """Open a zip archive that is whole.

    Raises
    ------
    DataError
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{where}: is a damaged zip archive: {str(error).rstrip('.')}. Is the file complete?"
        ) from error
    for info in archive.infolist():
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _USUAL:
            how = "is encrypted" if info.flag_bits & _ENCRYPTED else "is packed in an unusual way"
            raise DataError(f"{where}: {shown(info.filename)} {how}. Unpack the archive first.")
    return archive


def member(archive: zipfile.ZipFile, part: str | None, where: str) -> zipfile.ZipInfo:
    """Choose the one file of an archive, or the one that is named."""
    every = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    found = [info for info in every if part is None or info.filename == part]
    if len(found) == 1:
        return found[0]
    names = listed([info.filename for info in every])
    if not every:
        raise DataError(f"{where}: is a zip archive without any file.")
    if part is not None:
        raise DataError(f"{where}: is a zip archive without {shown(part)}; it holds {names}.")
    raise DataError(
        f"{where}: is a zip archive of {len(every):,} files: {names}. Name one of them, as in "
        f"{where}:{label(every[0].filename)}."
    )
