"""What kstest says on standard error: notes and errors, written so that nothing can go wrong.

Standard error may be closed, full, or a pipe whose reader is gone (cron with a log on a full disk).
Then the message is lost and the exit code stays what it was: a failed message is no failed test.
"""

from __future__ import annotations

import contextlib
import os
import sys

from ..errors import printable


def say(text: str) -> None:
    """Write lines to standard error, without characters that a terminal would obey.

    Names of files and columns come from whoever wrote them.
    """
    lines = [printable(line.replace("\t", "    ")) for line in text.split("\n")]
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write("\n".join(lines) + "\n")
        stream.flush()
    except (OSError, ValueError):  # ValueError: closed by this program
        silence(stream)


def silence(stream: object) -> None:
    """Point a stream at nothing, so that what Python still holds for it cannot fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, stream.fileno())  # type: ignore[attr-defined]
        finally:
            os.close(nothing)


def occupy_closed() -> None:
    """Open the null device wherever standard input, output or error is closed.

    Otherwise the next file that is opened takes the free number, and a library that writes to
    "standard error" writes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
