"""Writes a file whole or not at all, and tells which names mean one file."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(content: bytes, target: str | Path) -> None:
    """Give `target` this content: written beside it, flushed to disk, then renamed.

    Whoever reads `target` meanwhile, and whatever happens (a full disk, a killed process, a
    power cut), finds the old content or the new one. The permissions of an old file are kept.
    What is there and no regular file (a device, a pipe) is written to and never replaced: a file
    renamed over /dev/null would take the null device from the whole machine.

    Raises
    ------
    OSError
        `target` is then as it was.
    """
    import tempfile  # not above: few runs write a file, and all import this one

    found = status(target)
    # Links are followed, so that the link stays. Not by pathlib: RuntimeError where they loop.
    place = os.path.realpath(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        with open(place, "wb") as stream:
            stream.write(content)
        return
    mode = 0o666 & ~_umask() if found is None else stat.S_IMODE(found.st_mode)
    folder = os.path.dirname(place)
    # The name of the target is not part of this one, which would make it too long sometimes.
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".kstest-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(folder)


def status(path: str | Path) -> os.stat_result | None:
    """What is at `path`, through links; None where there is nothing, also behind a link.

    Raises
    ------
    OSError
        Where that cannot be found out: links that go round in a circle, a name that is too long.
    """
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def identity(path: str | Path) -> object:
    """The same for all names of one file: links of both kinds, relative and absolute paths."""
    found = status(path)
    return os.path.realpath(path) if found is None else (found.st_dev, found.st_ino)


def _sync_directory(directory: str) -> None:
    """Make the new name last through a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
