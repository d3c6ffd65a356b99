"""Opening a file, standard input or a pipe: exactly once, hashed on the way, decompressed.

Knows nothing of formats; see `formats` for what happens next.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

from kstest.contract import Readable
from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.sources.compression import compressed
from kstest.sources.growing import Flowing, Growing, Waiting
from kstest.sources.paths import is_address, parted
from kstest.wording import label, meant_file, one_line

CHUNK_BYTES = 1 << 20
_MORE = 1.05  # room that is not needed costs nothing, and that for more rows is one step too late
SPOOL_BYTES = 64 << 20  # a Parquet file from a pipe stays in memory up to here
# Where an exception that says nothing of the file may come from: mistakes in code.
_OURS = ("builtins", "kstest", "numpy")


class Stream(io.RawIOBase):
    """Bytes that can be peeked at, and whose digest is known in the end.

    A pipe cannot seek, yet header and types must be seen before the rows are read.

    A `live` stream hands on what there is instead of waiting until a block is full: somebody
    writes to it row by row, perhaps for ever.
    """

    def __init__(self, source: Readable, *, hashed: bool, live: bool = False) -> None:
        super().__init__()
        self._source = source
        self.live = live
        self._head = b""
        self._sha = hashlib.sha256() if hashed else None
        self.at_end = False

    def _take(self, size: int) -> bytes:
        # Pipes return less than asked for, which pyarrow may take for the end.
        parts: list[bytes] = []
        read = getattr(self._source, "read1", self._source.read) if self.live else self._source.read
        while size > 0 and not self.at_end and not (self.live and parts):
            part = read(size) or b""
            self.at_end = not part
            size -= len(part)
            parts.append(part)
            if self._sha is not None:
                self._sha.update(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes (fewer at the end) without consuming them.

        Of a live stream two lines are enough, except where more than a block is asked for.
        """
        if self.live:
            more = size > CHUNK_BYTES
            while len(self._head) < size and not self.at_end:
                if not more and self._head.count(b"\n") > 1:
                    break
                self._head += self._take(size - len(self._head))
                more = False
        elif len(self._head) < size:
            self._head += self._take(size - len(self._head))
        return self._head

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        head, self._head = self._head[:size], self._head[size:]
        if self.live and head:
            return head
        return head + self._take(size - len(head)) if len(head) < size else head

    def digest(self) -> str | None:
        """Read what is left and return the SHA-256 of all bytes of the source."""
        while not self.at_end:
            self._take(CHUNK_BYTES)
        return None if self._sha is None else self._sha.hexdigest()


@frozen
class Opened:
    """An open source of bytes.

    Attributes
    ----------
    path, label : str
        As written, and made safe for messages.
    stream : Stream
        Decompressed content.
    digest, close : callable
        See `kstest.sources.table.Table`.
    regular : BinaryIO or None
        The file itself where it can seek and is not compressed.
    identity : tuple of int or None
        Device and inode of a regular file.
    part : str or None
        What of the file is meant, where `path` ends in ``:PART``.
    """

    path: str
    label: str
    stream: Stream
    digest: Callable[[], str | None]
    close: Callable[[], None]
    regular: BinaryIO | None = None
    identity: tuple[int, int] | None = None
    part: str | None = None

    @property
    def file(self) -> str:
        """The path without the part."""
        return self.path.removesuffix("" if self.part is None else f":{self.part}")

    def about_lines(self, size: int) -> int | None:
        """About how many lines follow in a regular file, by the length of those in `size` bytes."""
        if self.regular is None or self.stream.live:
            return None
        head = self.stream.peek(size)
        every = os.fstat(self.regular.fileno()).st_size
        return int(_MORE * every * head.count(b"\n") / max(len(head), 1))


def open_path(
    path: str,
    stdin: BinaryIO | None,
    waiting: Waiting | None = None,
    follow: bool = False,
) -> Opened:
    """Open a file, or standard input for ``-``.

    With `waiting` the rows of a pipe come one by one; with `follow` so do those of a file that
    grows, and it does not end.
    """
    name = "standard input" if path == "-" else label(path)
    with converting(name):
        if path == "-":
            source = _checked_stdin(stdin)
            flowing = waiting is not None and _flows(source)
            pipe = Flowing(source, waiting) if waiting is not None and flowing else source
            return _decompressed(path, name, pipe, lambda: None, None, flowing)
        if is_address(path):
            return _from_address(path, follow)
        file, part = parted(path)
        try:
            raw = open(file, "rb", buffering=0)  # noqa: SIM115  (closed through Table.close)
        except FileNotFoundError:
            raise DataError(
                f"{name}: no such file{meant_file(file)} Check the folder and the spelling."
            ) from None
        except IsADirectoryError:
            raise DataError(
                f"{name}: is a directory; a file is accepted. Its files are {name.rstrip('/')}/*."
            ) from None
        except PermissionError:
            raise DataError(f"{name}: no permission to read this file (try ls -l).") from None
        except ValueError as error:  # a NUL character in the name
            raise DataError(f"{name}: {one_line(error)}.") from None
        try:
            status = os.fstat(raw.fileno())
            identity = (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
            if waiting is None or (identity is not None and not follow):
                return replace(_decompressed(path, name, raw, raw.close, identity), part=part)
            if identity is None:
                pipe = Flowing(raw, waiting)
                return _decompressed(path, name, pipe, raw.close, None, True)
            growing = Growing(raw, path, name, waiting)
            return _decompressed(path, name, growing, raw.close, identity, True)
        except BaseException:
            raw.close()
            raise


def _from_address(path: str, follow: bool) -> Opened:
    from kstest.sources.remote import open_address, shown_address

    plain = shown_address(path)
    if follow:
        raise UsageError(f"--follow: {label(plain)} does not grow; a file on this machine can.")
    raw, close = open_address(path)
    try:
        return _decompressed(plain, label(plain), raw, close, None)
    except BaseException:
        close()
        raise


def _checked_stdin(stdin: BinaryIO | None) -> BinaryIO:
    if stdin is None or stdin.closed:
        raise UsageError("-: standard input is closed. Pipe data into it, or name a file.")
    if stdin.isatty():
        raise UsageError("-: standard input is a terminal. Pipe data into it, or name a file.")
    return stdin


def _flows(source: BinaryIO) -> bool:
    """Whether standard input is a pipe, and not a file that was redirected."""
    try:
        return not stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):  # no descriptor, as in tests
        return False


def _decompressed(
    path: str,
    name: str,
    raw: Readable,
    close: Callable[[], None],
    identity: tuple[int, int] | None,
    live: bool = False,
) -> Opened:
    outer = Stream(raw, hashed=True, live=live)
    codec = compressed(outer.peek(10))
    if codec is None:
        regular = raw if isinstance(raw, io.FileIO) and identity is not None else None
        return Opened(path, name, outer, outer.digest, close, regular, identity)
    if codec in ("bz2", "xz"):
        from kstest.sources.unpacking import unpacked

        inner = Stream(unpacked(outer, codec), hashed=False)
        return Opened(path, name, inner, outer.digest, close, None, identity)
    import pyarrow as pa

    if not pa.Codec.is_available(codec):
        raise DataError(f"{name}: is compressed with {codec}, which this pyarrow cannot read.")
    inner = pa.CompressedInputStream(pa.PythonFile(outer, mode="r"), codec)
    return Opened(path, name, Stream(inner, hashed=False), outer.digest, close, None, identity)


def seekable(opened: Opened) -> tuple[BinaryIO, Callable[[], str | None], Callable[[], None]]:
    """Return the content as a file that can seek, with its digest and close functions."""
    file = opened.regular
    if file is not None:
        file.seek(0)
        return file, lambda: _file_digest(file), opened.close
    import tempfile

    spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115
    for chunk in iter(lambda: opened.stream.read(CHUNK_BYTES), b""):
        spool.write(chunk)
    spool.seek(0)

    def close() -> None:
        spool.close()
        opened.close()

    return spool, opened.digest, close  # type: ignore[return-value]


def _file_digest(file: BinaryIO) -> str:
    file.seek(0)
    sha = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
        sha.update(chunk)
    return sha.hexdigest()


@contextmanager
def converting(name: str, hint: str = "") -> Iterator[None]:
    """Turn the errors of the system and of libraries into a DataError about `name`.

    An exception of a class that a library defines (pyarrow, sqlite3, zlib) is about the file;
    those of Python itself, of NumPy and of kstest are mistakes in code.
    """
    try:
        yield
    except (DataError, UsageError):
        raise
    except (OSError, EOFError, MemoryError, UnicodeError) as error:
        raise DataError(f"{name}: cannot be read: {_reason(error)}.{hint}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _OURS:
            raise
        raise DataError(f"{name}: cannot be read: {_reason(error)}.{hint}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error).rstrip(".")
