"""Waiting for rows that are not there yet: at the end of a file that grows, or of a pipe."""

from __future__ import annotations

import contextlib
import io
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from kstest.errors import DataError

WAIT = 0.2  # seconds between two looks at a file that grows
# Looks at a file of another name or none before it counts as ended: its writer may still write.
PATIENCE = 5
KEPT = 4096  # bytes at the beginning and before the present place that must stay as they were


class Rewritten(DataError):
    """A file that was followed holds other rows now than those that were read."""


@dataclass
class Waiting:
    """What to do while nothing comes, and why a file that was followed came to an end.

    Attributes
    ----------
    idle : callable
        Called about five times a second while there are no new rows.
    ended : str
        What became of the file; empty while it is there.
    """

    idle: Callable[[], object] = lambda: None
    ended: str = ""


class Flowing:
    """A pipe whose rows come as they are written."""

    def __init__(self, pipe: BinaryIO | io.FileIO, waiting: Waiting) -> None:
        self._pipe, self._waiting = pipe, waiting
        self._number: int | None = None
        if hasattr(select, "poll"):
            # A pipe without a descriptor, as in tests, is only read.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._number = pipe.fileno()

    def read(self, size: int, /) -> bytes | None:
        if self._number is None:
            read = getattr(self._pipe, "read1", self._pipe.read)
            found: bytes | None = read(size)
            return found
        # The descriptor and not the buffer of Python, into which nobody could look.
        poll = select.poll()
        poll.register(self._number, select.POLLIN)
        while not poll.poll(1000 * WAIT):
            self._waiting.idle()
        return os.read(self._number, size)


class Growing:
    """A file that somebody appends to: at its end more bytes are waited for.

    It ends when its name belongs to another file, or to none, as after a rotation of logs.

    Raises
    ------
    Rewritten
        If the file becomes shorter, or holds other bytes where it was read: rows would be lost, or
        counted twice.
    """

    def __init__(self, file: io.FileIO, path: str, name: str, waiting: Waiting) -> None:
        self._file, self._path, self._name, self._waiting = file, path, name, waiting
        self._place, self._begin, self._last = 0, b"", b""

    def read(self, size: int, /) -> bytes:
        looks = 0
        while True:
            part = self._file.read(size)
            self._require_same()
            if part:
                self._place += len(part)
                self._begin += part[: KEPT - len(self._begin)]
                self._last = (self._last + part)[-KEPT:]
                return part
            gone = self._gone()
            looks = looks + 1 if gone else 0
            if looks > PATIENCE:
                self._waiting.ended = f"{self._name} {gone}"
                return b""
            self._waiting.idle()
            time.sleep(WAIT)

    def _gone(self) -> str:
        """What became of the file's name."""
        own = os.fstat(self._file.fileno())
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return "was removed"
        same = (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
        return "" if same else "was replaced by another file"

    def _require_same(self) -> None:
        """Compare what was read with what is there now: a writer may begin anew at any moment."""
        number = self._file.fileno()
        shorter = os.fstat(number).st_size < self._place
        before = self._place - len(self._last)
        if (
            shorter
            or os.pread(number, len(self._begin), 0) != self._begin
            or os.pread(number, len(self._last), before) != self._last
        ):
            how = "has become shorter" if shorter else "was written anew"
            raise Rewritten(
                f"{self._name}: {how} while it was followed, so rows may be lost. What was read is "
                "counted; follow the file again to go on with what it holds now."
            )
