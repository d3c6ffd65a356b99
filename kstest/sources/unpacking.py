"""Compression that pyarrow does not know, or not to the last byte: bzip2 and xz.

Unpacked as they are read, in bounded memory, whatever a file says about its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CHUNK_BYTES = 1 << 16
# Of the dictionary of xz, which a header of some bytes may ask for; the strongest preset takes 65.
XZ_BYTES = 256 << 20


class Unpacked:
    """The content of bzip2 or xz streams, one after the other as parallel compressors write them.

    Parameters
    ----------
    source : object with read(size)
    start : callable
        Returns a decompressor of the standard library.
    padding : bytes
        What may follow a stream besides another one.

    Raises
    ------
    EOFError, OSError
        When read, if the last stream has no end, or something else follows it.
    """

    def __init__(self, source: Any, start: Callable[[], Any], padding: bytes = b"") -> None:
        self._source, self._start, self._padding = source, start, padding
        self._inner = start()

    def read(self, size: int) -> bytes:
        while True:
            if self._inner.eof and not self._next():
                return b""
            data = self._source.read(CHUNK_BYTES) if self._inner.needs_input else b""
            if not data and self._inner.needs_input:
                raise EOFError("the compressed data end too early")
            out: bytes = self._inner.decompress(data, size)
            if out:
                return out

    def _next(self) -> bool:
        """Begin the next stream; False at the end of the file."""
        rest: bytes = self._inner.unused_data.lstrip(self._padding)
        while not rest:
            rest = self._source.read(CHUNK_BYTES)
            if not rest:
                return False
            rest = rest.lstrip(self._padding)
        self._inner = self._start()
        inner = self._source.spent if isinstance(self._source, _Before) else None
        self._source = _Before(rest, inner or self._source)
        return True


class _Before:
    """Some bytes, and then those of a source."""

    def __init__(self, head: bytes, source: Any) -> None:
        self._head, self._source = head, source

    @property
    def spent(self) -> Any:
        """The source itself, once it is all that is left."""
        return None if self._head else self._source

    def read(self, size: int) -> bytes:
        if self._head:
            out, self._head = self._head[:size], self._head[size:]
            return out
        part: bytes = self._source.read(size)
        return part


def unpacked(source: Any, codec: str) -> Unpacked:
    """Return the content of ``bz2`` or ``xz`` data."""
    if codec == "bz2":
        import bz2

        return Unpacked(source, bz2.BZ2Decompressor)
    import lzma

    def start() -> Any:
        return _Lzma(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_BYTES))

    return Unpacked(source, start, b"\0")


class _Lzma:
    """A decompressor whose errors are OSErrors."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decompress(self, data: bytes, size: int) -> bytes:
        import lzma

        try:
            out: bytes = self._inner.decompress(data, size)
        except lzma.LZMAError as error:
            raise OSError(str(error)) from error
        return out
