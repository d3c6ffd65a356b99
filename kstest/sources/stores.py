"""Files that are read in parts and twice: of this machine, or of object stores (see `remote`)."""

from __future__ import annotations

import fnmatch
import os
import re
from pathlib import Path
from typing import Any

from kstest.errors import DataError
from kstest.sources.paths import expand, has_magic, is_store, parted
from kstest.sources.remote import asking, located, shown_address
from kstest.wording import label

_QUERY = re.compile(r"\?\w+=.*")  # else a question mark stands for any letter


def shown_path(path: str) -> str:
    """A path without what may be a secret."""
    return shown_address(path) if is_store(path) else path


def labelled(path: str) -> str:
    """The same for messages."""
    return label(shown_path(path))


def expanded(path: str, option: str) -> list[str]:
    """Expand a glob of files, here or within an object store, sorted by name."""
    return _of_store(path, option) if is_store(path) else expand(path, option)


def _of_store(address: str, option: str) -> list[str]:
    asked = _QUERY.search(address)
    pattern, query = (address[: asked.start()], asked[0]) if asked else (address, "")
    if not has_magic(pattern):
        return [address]
    from pyarrow import fs

    first = min(place for place in map(pattern.find, "*?[") if place >= 0)
    base = pattern[:first].rpartition("/")[0]
    with asking(address):
        system, root = located(base + query)
        root = root.rstrip("/")
        wanted = root + pattern[len(base) :]
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
    return [base + path[len(root) :] + query for path in found]


def open_file(path: str) -> Any:
    """Open a local file or one of a store, as a pyarrow.NativeFile."""
    import pyarrow as pa

    if not is_store(path):
        return pa.OSFile(path, "rb")
    with asking(path):
        system, place = located(path)
        return system.open_input_file(place)


def stamp(path: str) -> tuple[int, int] | None:
    """Size and time of change of a file, all of it for ``FILE:PART``; None if it is not there."""
    if not is_store(path):
        try:
            found = os.stat(parted(path)[0])
        except (OSError, ValueError):
            return None
        return found.st_size, found.st_mtime_ns
    with asking(path):
        system, place = located(path)
        info = system.get_file_info([place])[0]
    return (int(info.size), int(info.mtime_ns or 0)) if info.is_file else None


def absolute(path: str) -> str:
    """A local path as other processes find it, wherever they were started."""
    return path if is_store(path) else str(Path(path).absolute())
