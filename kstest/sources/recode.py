"""Filters of the bytes of a CSV, before anything else reads them: encoding and comments."""

from __future__ import annotations

import codecs
import re

from kstest.errors import DataError
from kstest.sources.stream import CHUNK_BYTES, Readable
from kstest.sources.wording import shown


class Transcoded:
    """Bytes of some encoding as UTF-8, a chunk at a time."""

    def __init__(self, source: Readable, encoding: str, where: str) -> None:
        self._source, self._encoding, self._where = source, encoding, where
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._rest = b""
        self._bytes = self._lines = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and not self._ended:
            part = self._source.read(CHUNK_BYTES) or b""
            self._ended = not part
            self._rest += self._decoded(part).encode("utf-8", "surrogatepass")
            self._bytes += len(part)
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def _decoded(self, part: bytes) -> str:
        # bytes of a cut character, which the decoder kept from the chunk before
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            at = self._bytes - pending + error.start
            line = self._lines + error.object[: error.start].decode(
                self._encoding, "replace"
            ).count("\n")
            found = error.object[error.start : error.start + 1].hex()
            raise DataError(
                f"{self._where}: line {line + 1:,} (byte {at + 1:,}) is no {self._encoding}: found "
                f"byte 0x{found}. Say the encoding of the file with --encoding."
            ) from None
        self._lines += text.count("\n")
        return text


class Uncommented:
    """Bytes without the lines that start with a comment character."""

    def __init__(self, source: Readable, character: str, where: str) -> None:
        self._source, self._where = source, where
        mark = re.escape(character.encode())
        self._line = re.compile(rb"(?:(?<=[\r\n])|\A)" + mark + rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
        self._mark = character.encode()
        self._rest = b""  # filtered
        self._open = b""  # the last line of the chunk before, not yet filtered
        self._ended = self._begun = False

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and not self._ended:
            part = self._source.read(CHUNK_BYTES) or b""
            self._ended = not part
            whole = self._open + part
            # A final \r stays with the open line: a \n may follow it.
            end = (
                len(whole) if self._ended else max(whole.rfind(b"\n"), whole[:-1].rfind(b"\r")) + 1
            )
            self._open = whole[end:]
            if len(self._open) > 64 * CHUNK_BYTES:
                raise DataError(f"{self._where}: a line is longer than 64 MB. Is this a CSV file?")
            whole = whole[:end]
            if not self._begun and whole:
                whole, self._begun = whole.removeprefix(codecs.BOM_UTF8), True
            self._rest += self._line.sub(b"", whole) if self._mark in whole else whole
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def check_decimal(delimiter: str, decimal: str, where: str) -> None:
    """Refuse a decimal sign that is the delimiter as well, unless every number were quoted."""
    if delimiter == decimal:
        raise DataError(
            f"{where}: {shown(decimal)} is both the delimiter and the --decimal sign. Say "
            "another delimiter with --delimiter, for example --delimiter ';'."
        )
