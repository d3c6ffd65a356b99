"""Where compiled code is kept, and from where it may be loaded.

Compiled code must serve every later process, from cron with HOME unset and from a read-only
installation. So the directory is chosen here, only for our loops: the first usable of
KSTEST_CACHE_DIR, NUMBA_CACHE_DIR, XDG_CACHE_HOME/kstest, ~/.cache/kstest, a directory of this
user under the system's temporary directory, and at last a private one of this process.

Who may write there may run code as whoever loads it, so two kinds are accepted: a directory owned
by this user and closed to others; and, only to be read, a shared one where nobody but root and this
user may write: not in it, not in anything it holds, and not in a directory above it, by which it
could be exchanged.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def candidates() -> Iterator[Path]:
    """Directories that are looked at, in this order."""
    for variable in ("KSTEST_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"]) / "kstest"
    home = os.path.expanduser("~")
    if os.path.isabs(home) and os.path.isdir(home):
        yield Path(home) / ".cache" / "kstest"
    import tempfile

    yield Path(tempfile.gettempdir()) / f"kstest-{_user()}"


def is_own(directory: Path) -> bool:
    """Whether this user owns a directory, can write to it, and nobody else can."""
    import tempfile

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return True
    mine = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
    return mine and not found.st_mode & OTHERS_WRITE


def fault_of_shared(directory: Path) -> str | None:
    """Why compiled code must not be loaded from a directory that others read; None: it may be."""
    if not hasattr(os, "getuid"):
        return "this system does not tell who owns a directory"
    try:
        real = Path(os.path.realpath(directory, strict=True))
        for above in real.parents:
            fault = _fault(above, sticky=True)
            if fault:
                return fault
        inside = [real]
        while inside:
            place = inside.pop()
            fault = _fault(place)
            if fault:
                return fault
            if place.is_dir():
                inside.extend(place.iterdir())
    except OSError as error:
        return f"{error.filename or directory}: {error.strerror or error}"
    return None


def _fault(path: Path, sticky: bool = False) -> str | None:
    """What is wrong with one file or directory; a `sticky` one keeps what others own."""
    found = os.lstat(path)
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return f"{path} is neither a file nor a directory"
    if found.st_uid not in (0, _user()):
        return f"{path} belongs to user {found.st_uid}, who is neither root nor this user"
    if found.st_mode & OTHERS_WRITE and not (sticky and found.st_mode & stat.S_ISVTX):
        return f"others than its owner may write to {path}"
    return None


def share(directory: Path) -> None:
    """Let everybody read a directory and what it holds, and only its owner write."""
    for place, _, files in os.walk(directory):
        os.chmod(place, 0o755)
        for name in files:
            os.chmod(os.path.join(place, name), 0o644)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
