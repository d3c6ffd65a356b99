"""Filters of the bytes of a CSV, before anything else reads them: encoding and comments."""

from __future__ import annotations

import codecs
import re

from kstest.errors import DataError
from kstest.sources.spellings import PLAIN
from kstest.sources.stream import CHUNK_BYTES, Readable
from kstest.wording import shown


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
        self._first = re.compile(rb"(?:" + mark + rb"[^\r\n]*(?:\r\n|\r|\n))+")
        self.before = b""  # the last comment before the first line that stays
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
                leading = self._first.match(whole)
                self.before = leading[0].splitlines()[-1] if leading else b""
            self._rest += self._line.sub(b"", whole) if self._mark in whole else whole
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def require_names(before: bytes, head: bytes, where: str, mark: str) -> None:
    """Refuse a first line of numbers below a comment of as many names: those are the names."""
    comment = before.decode("utf-8", "replace").lstrip(mark).strip()
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip()
    for delimiter in ("\t", ";", ",", None):
        names, cells = comment.split(delimiter), line.split(delimiter)
        if len(names) > 1 or (delimiter is None and names):
            break
    numbers = [bool(PLAIN.fullmatch(cell)) for cell in cells]
    if len(names) == len(cells) and any(numbers) and not any(map(PLAIN.fullmatch, names)):
        raise DataError(
            f"{where}: the first line that is no comment holds numbers, {shown(line)}, and the "
            f"comment before it as many names, {shown(before.decode('utf-8', 'replace'))}. If "
            f"those are the names, take the {mark[0]} away from them (sed), or say --comment "
            f"{shown(2 * mark[0])} where other comments begin so; if there are none, say "
            "--no-header."
        )


def check_decimal(delimiter: str, decimal: str, where: str) -> None:
    """Refuse a decimal sign that is the delimiter as well, unless every number were quoted."""
    if delimiter == decimal:
        raise DataError(
            f"{where}: {shown(decimal)} is both the delimiter and the --decimal sign. Say "
            "another delimiter with --delimiter, for example --delimiter ';'."
        )
