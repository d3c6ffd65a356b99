"""Quotes that are not closed: they swallow rows, in columns that nobody looks at, too.

A stray quote at the start of a cell makes all that follows one cell, up to the next quote or the
end of the file, and the reader takes it so without a word. This guard stands between the file and
pyarrow and follows the same rule (a quote opens at the start of a cell only, a doubled one stays
inside). It refuses a cell that the file does not close, and one that spans lines which look like
rows. A file without quotes costs one search of each block.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.stream import Stream
from kstest.wording import shown

QUOTE = ord('"')
SLICE = 1 << 17  # bytes at a time: what the processor's cache holds
KEPT = 1 << 16  # bytes of a long cell that are looked at
# Lines inside a cell with as many delimiters as a row; a text that has so many by chance is rare.
LIKE_ROWS = 10
IMPLAUSIBLE_LINES = 10_000


class Quotes:
    """Follows the quotes of a CSV from its first row on."""

    def __init__(self, where: str, delimiter: str, columns: int, first_line: int) -> None:
        self._where = where
        self._delimiter, self._columns = delimiter.encode(), columns
        self._starts = np.zeros(256, np.bool_)  # bytes after which a cell starts
        self._starts[[*self._delimiter, *b"\r\n"]] = True
        self._openers = self._starts.copy()
        self._openers[QUOTE] = True
        self._line = first_line
        self._last = ord("\n")
        self._inside = False
        self._closed = False  # whether the last byte closed a cell
        self._opened = 0  # line where the open cell began
        self._cell = b""  # its first bytes so far
        self._lines = 0  # its line ends so far

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end inside a quoted cell."""
        return self._inside

    def watch(self, data: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        DataError
            When a cell spans lines that look like rows.
        """
        if b'"' in data:
            for k in range(0, len(data), SLICE):
                self._slice(data[k : k + SLICE])
        else:
            self._slice(data)
        if self._inside:
            self._check(self._cell, self._lines, self._opened)

    def _slice(self, data: bytes) -> None:
        raw = np.frombuffer(data, np.uint8)
        ends = raw == ord("\n")
        if b'"' in data:
            self._follow(data, raw, np.flatnonzero(ends))
        else:
            self._closed = False
            if self._inside:
                self._extend(data)
        self._line += int(np.count_nonzero(ends))  # quicker than bytes.count
        self._last = data[-1]

    def end(self) -> None:
        """Refuse the end of the file inside a quoted cell."""
        if self._inside:
            raise DataError(
                f"{self._where}: a quote opens in line {self._opened:,} and is not closed before "
                f"the end of the file: {_start(self._cell)}. Close it, or double it if it is part "
                "of the text."
            )

    def _follow(self, data: bytes, raw: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        toggles = self._toggles(raw, np.flatnonzero(raw == QUOTE))
        last = int(toggles[-1]) if toggles.size else -2
        closed = -1 if self._closed else -2  # where a cell closed that opened before these bytes
        if self._inside and toggles.size:
            self._extend(data[: toggles[0]])
            self._check(self._cell, self._lines, self._opened)
            closed, toggles = int(toggles[0]), toggles[1:]
        opens, closes = toggles[0::2], toggles[1::2]
        if ends.size:
            lines = np.searchsorted(ends, closes) - np.searchsorted(ends, opens[: closes.size])
            for k in np.flatnonzero(lines > 1).tolist():
                cell = data[opens[k] + 1 : min(closes[k], opens[k] + KEPT)]
                self._check(cell, int(lines[k]), self._line + int(np.searchsorted(ends, opens[k])))
        self._inside = opens.size > closes.size
        self._closed = last == len(data) - 1 and not self._inside
        if opens.size and (self._inside or self._closed):
            k = opens.size - 1
            while k and opens[k] == closes[k - 1] + 1:  # a doubled quote: the cell goes on
                k -= 1
            if k or opens[0] != closed + 1:
                self._opened = self._line + data.count(b"\n", 0, opens[k])
            self._cell, self._lines = b"", 0
            self._extend(data[opens[-1] + 1 :])

    def _extend(self, data: bytes) -> None:
        self._cell += data[: max(0, KEPT - len(self._cell))]
        self._lines += data.count(b"\n")

    def _check(self, cell: bytes, lines: int, opened: int) -> None:
        inner = cell.split(b"\n")[1:-1][:100]
        marks = self._columns - 1
        like_rows = len(inner) > 1 and len(inner) * marks >= LIKE_ROWS
        if lines > IMPLAUSIBLE_LINES or (
            like_rows and all(line.count(self._delimiter) == marks for line in inner)
        ):
            raise DataError(
                f"{self._where}: the quote that opens in line {opened:,} takes {lines:,} lines "
                f"into one cell, and they look like rows: {_start(cell)}. Close the quote, or "
                "double it if it is part of the text."
            )

    def _toggles(self, raw: NDArray[np.uint8], quotes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The quotes that open or close a cell, of all in a block."""
        before = raw[quotes - 1]
        if quotes[0] == 0:
            plain = self._last != QUOTE
            before[0] = QUOTE if self._closed else self._last if plain else ord("x")
        # A quote that opens right after one that closed is the second half of a doubled one.
        if self._openers[before[int(self._inside) :: 2]].all():
            return quotes
        return self._one_by_one(quotes, before)

    def _one_by_one(
        self, quotes: NDArray[np.int64], before: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        """The same where some quotes are plain characters, such as the inches of 5"."""
        inside, closed = self._inside, -1 if self._closed else -2
        out = []
        for quote, last in zip(quotes.tolist(), before.tolist(), strict=True):
            if inside:
                closed = quote
            elif not (self._starts[last] or closed == quote - 1):
                continue
            inside = not inside
            out.append(quote)
        return np.array(out, np.int64)


class Guarded(io.RawIOBase):
    """Hands on the bytes of a stream while `quotes` watches."""

    def __init__(self, stream: Stream, quotes: Quotes) -> None:
        super().__init__()
        self._stream, self._quotes = stream, quotes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        if data:
            self._quotes.watch(data)
        elif size:
            self._quotes.end()
        return data


def _start(cell: bytes) -> str:
    return shown(cell[:80].decode("utf-8", "replace"))
