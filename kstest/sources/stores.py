"""Files of object stores, ``s3://bucket/key`` and the like, by pyarrow's own file systems."""

from __future__ import annotations

import fnmatch
import glob
import os
from pathlib import Path
from typing import Any

from kstest.errors import DataError
from kstest.sources.stream import converting
from kstest.wording import label

# Schemes of pyarrow.fs; file:// serves where a path has to look like the others.
SCHEMES = ("s3://", "gs://", "gcs://", "abfs://", "abfss://", "hdfs://", "file://")


def is_remote(path: str) -> bool:
    """Whether a path is an address of an object store."""
    return path.startswith(SCHEMES)


def _located(path: str) -> tuple[Any, str]:
    from pyarrow import fs

    with converting(label(path)):
        try:
            found: tuple[Any, str] = fs.FileSystem.from_uri(path)
        except (ValueError, NotImplementedError) as error:
            raise DataError(f"{label(path)}: cannot be reached: {error}") from None
    return found


def expand_remote(pattern: str, option: str) -> list[str]:
    """Expand a glob within an object store, sorted by name."""
    if not glob.has_magic(pattern):
        return [pattern]
    from pyarrow import fs

    first = min(place for place in map(pattern.find, "*?[") if place >= 0)
    base = pattern[:first].rpartition("/")[0]
    system, root = _located(base)
    root = root.rstrip("/")
    wanted = root + pattern[len(base) :]
    with converting(label(pattern)):
        some = system.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
    depth = wanted.count("/")
    found = sorted(
        one.path
        for one in some
        if one.is_file
        and fnmatch.fnmatchcase(one.path, wanted)
        and ("**" in wanted or one.path.count("/") == depth)
    )
    if not found:
        raise DataError(
            f"{option}: no file matches {label(pattern)}. Check the bucket and the spelling."
        )
    return [base + path[len(root) :] for path in found]


def open_file(path: str) -> Any:
    """Open a local file or one of a store, as a pyarrow.NativeFile."""
    import pyarrow as pa

    if not is_remote(path):
        return pa.OSFile(path, "rb")
    system, place = _located(path)
    return system.open_input_file(place)


def stamp(path: str) -> tuple[int, int] | None:
    """Size and time of change of a file, None where it is not there."""
    if not is_remote(path):
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return found.st_size, found.st_mtime_ns
    system, place = _located(path)
    with converting(label(path)):
        info = system.get_file_info([place])[0]
    return (int(info.size), int(info.mtime_ns or 0)) if info.is_file else None


def absolute(path: str) -> str:
    """A local path as other processes find it, wherever they were started."""
    return path if is_remote(path) else str(Path(path).absolute())
