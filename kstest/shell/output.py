"""Where the payload goes: standard output, or a file that is whole or untouched."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from ..errors import OutputError
from ..files import replace


def check(path: str | None, option: str = "--output") -> None:
    """Refuse the path of an option that cannot work before the computation, not after it."""
    if path is None:
        return
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{option} {path}: is a directory; give a file name")
    if target.exists():
        if not os.access(target, os.W_OK):
            raise OutputError(f"{option} {path}: no permission to write")
        if not _regular(target):
            return
    parent = target.resolve().parent
    if not parent.is_dir():
        raise OutputError(f"{option} {path}: the directory {parent} does not exist")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{option} {path}: no permission to write in {parent}")


def write(payload: str | bytes, path: str | None, option: str = "--output") -> None:
    """Write the payload, text in UTF-8, to a file, or to standard output if `path` is None.

    A regular file is written under a temporary name beside it, flushed to disk and renamed; a
    device or pipe is written in place. A reader that has closed its end of a pipe has seen what
    it wanted: that is no error.

    Raises
    ------
    OutputError
        If anything else goes wrong, a full disk for example.
    """
    try:
        content = payload.encode("utf-8") if isinstance(payload, str) else payload
        if path is None:
            _write_stdout(content)
        elif _regular(Path(path)):
            replace(content, Path(path))
        else:
            with open(path, "wb") as stream:
                stream.write(content)
    except BrokenPipeError:
        silence_stdout()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        where = "standard output" if path is None else f"{option} {path}"
        if path is None:
            silence_stdout()
        raise OutputError(f"{where}: cannot be written: {reason}") from error


def silence_stdout() -> None:
    """Point standard output at nothing, so that Python's flush at exit cannot fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_stdout(content: bytes) -> None:
    if sys.stdout is None:
        raise OutputError("standard output: is closed; use --output FILE or --quiet")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True
