"""Filters of the bytes of a text file, before anything else reads them: encoding, comments, blanks.

Each is a source of bytes that hands on what there is, so that rows of a pipe still come one by one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kstest.contract import Readable
from kstest.errors import DataError
from kstest.sources.stream import CHUNK_BYTES
from kstest.wording import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


class Lines:
    """Bytes of which whole lines at a time are changed.

    Parameters
    ----------
    source : Readable
    where : str
        For messages.
    change : callable
        From some whole lines with their ends (the last of a file may have none) to what stays.
    """

    def __init__(self, source: Readable, where: str, change: Callable[[bytes], bytes]) -> None:
        self._source, self._where, self._change = source, where, change
        self._rest = b""  # changed
        self._open = b""  # the last line of the chunk before, not yet changed
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._rest and not self._ended:
            part = self._source.read(CHUNK_BYTES) or b""
            self._ended = not part
            whole = self._open + part
            # A final \r stays with the open line: a \n may follow it.
            end = max(whole.rfind(b"\n"), whole[:-1].rfind(b"\r")) + 1
            end = len(whole) if self._ended else end
            self._open = whole[end:]
            if len(self._open) > 64 * CHUNK_BYTES:
                raise DataError(f"{self._where}: a line is longer than 64 MB. Is this a CSV file?")
            self._rest = self._change(whole[:end]) if end else b""
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def uncommented(
    mark: str, like_row: Callable[[bytes], bool] | None, where: str
) -> Callable[[bytes], bytes]:
    """Leave out the lines that start with `mark`.

    Parameters
    ----------
    mark : str
    like_row : callable or None
        Whether such a line could be a row as well: then it is refused, unless the user named the
        mark (None).
    where : str
    """
    sign = mark.encode()
    line = re.compile(rb"(?:(?<=[\r\n])|\A)" + re.escape(sign) + rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")

    def drop(found: re.Match[bytes]) -> bytes:
        if like_row is not None and like_row(found[0]):
            text = found[0].decode("utf-8", "replace").strip()
            raise DataError(
                f"{where}: {shown(text)} starts with {shown(mark)} as the comments above the names "
                f"do, and has as many cells as a row. If it is a comment, say --comment "
                f"{shown(mark)}; if it is a row, take the comments away, or count them by "
                "--header-row.",
                ("--comment", mark),
            )
        return b""

    return lambda data: line.sub(drop, data) if sign in data else data


_BLANKS = re.compile(
    rb'((?<!\S)"(?:[^"\r\n]|"")*"(?!\S))|(?:(?<=[\r\n])|\A)[ \t]+|[ \t]+(?=[\r\n]|\Z)|[ \t]+'
)
_TAB, _SPACE, _ENDS = ord("\t"), ord(" "), b"\r\n"


def squeezed(data: bytes) -> bytes:
    """Make a tab of every run of blanks between the cells of some whole lines; outer ones go.

    Example
    -------
    >>> squeezed(b'  1.5   2\\n"a b"  3 \\n')
    b'1.5\\t2\\n"a b"\\t3\\n'
    """
    if b'"' in data:
        return _BLANKS.sub(lambda m: m[1] or _between(data, m), data)
    raw = np.frombuffer(data, np.uint8)
    blank = (raw == _SPACE) | (raw == _TAB)
    end = (raw == _ENDS[0]) | (raw == _ENDS[1])
    after = np.ones_like(blank)  # whether a blank or the start of a line stands before
    after[1:] = (blank | end)[:-1]
    out: NDArray[np.uint8] = np.where(blank, np.uint8(_TAB), raw)[~(blank & after)]
    ends = np.ones(len(out), np.bool_)  # whether a line ends behind
    ends[:-1] = (out[1:] == _ENDS[0]) | (out[1:] == _ENDS[1])
    kept: bytes = out[~((out == _TAB) & ends)].tobytes()
    return kept


def _between(data: bytes, found: re.Match[bytes]) -> bytes:
    """A tab where cells stand on both sides of some blanks."""
    start, end = found.span()
    before, behind = data[max(0, start - 1) : start], data[end : end + 1]
    inner = before not in (b"", b"\n", b"\r") and behind not in (b"", b"\n", b"\r")
    return b"\t" if inner else b""
