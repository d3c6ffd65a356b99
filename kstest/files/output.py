"""Where the payload goes: standard output, or a file that is whole or untouched."""

from __future__ import annotations

import sys

from ..errors import OutputError
from . import replace
from .messages import silence


def write(payload: str | bytes, path: str | None, option: str = "--output") -> None:
    """Write the payload, text in UTF-8, to a file, or to standard output if `path` is None.

    See `kstest.files.replace` for files. A reader that has closed its end of a pipe has seen what
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
        else:
            replace(content, path)
    except BrokenPipeError:
        if path is None:
            silence(sys.stdout)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        where = "standard output" if path is None else f"{option} {path}"
        if path is None:
            silence(sys.stdout)
        raise OutputError(f"{where}: cannot be written: {reason}") from error


def _write_stdout(content: bytes) -> None:
    if sys.stdout is None:
        raise OutputError("standard output: is closed; use --output FILE or --quiet")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
