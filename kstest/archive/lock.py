"""Keeps two processes from changing one archive at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


@contextmanager
def locked(path: str | Path, seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock of an archive; others wait.

    The lock is a file `.NAME.lock` beside the archive that the system releases when the process
    ends, however it ends; the empty file stays.

    Raises
    ------
    OutputError
        If another process holds it for longer than `seconds`, or the directory is not writable.
    """
    from filelock import FileLock, Timeout

    target = Path(os.path.realpath(path))
    guard = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        guard.acquire(timeout=seconds)
    except Timeout as error:
        raise OutputError(
            f"{path}: another process has been using it for {seconds:g} s; let it finish and "
            "run this again, or wait longer with --lock-timeout SECONDS"
        ) from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be locked: {error.strerror or error}") from error
    try:
        yield
    finally:
        guard.release()
