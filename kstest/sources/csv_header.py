"""The first line of a CSV: delimiter, names and where the rows begin.

The rows themselves are parsed by pyarrow (`csv_read`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from kstest.errors import DataError
from kstest.sources.dialect import Dialect, check_decimal
from kstest.sources.stream import CHUNK_BYTES, Stream
from kstest.sources.table import require_unique, told_apart
from kstest.wording import shown

DELIMITERS = ",;\t"
LONGEST_HEADER = 64 << 20
COMMENTS = ("#", "%")
_QUOTED_COMMA = re.compile(r'"[+-]?\d+,\d+"')
LOOKED_AT = 1 << 14  # characters of the beginning
# How spreadsheets write down the delimiter: a line before the names.
_SEPARATOR = re.compile(r"sep=([^\w\s\"]|\t)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """What the first line says.

    Attributes
    ----------
    names : tuple of str
        Column names as written, those that come several times with their positions.
    delimiter : str
        As given, or the one of comma, semicolon and tab that makes most columns.
    size : int
        Bytes up to the first row, the byte order mark included.
    lines : int
        Lines up to the first row.
    bom : int
        Bytes of the byte order mark.
    """

    names: tuple[str, ...]
    delimiter: str
    size: int
    lines: int
    bom: int


def read_header(stream: Stream, where: str, how: Dialect, size: int = CHUNK_BYTES) -> Header:
    """Read the header of a CSV without consuming it; `size` bytes are looked at."""
    while True:
        head = stream.peek(size)
        text = _decoded(head, where, final=stream.at_end)
        header = _parsed(text, where, how, complete=stream.at_end)
        if header is not None:
            break
        if size >= LONGEST_HEADER:
            raise DataError(
                f"{where}: the header does not end within {size >> 20} MB. "
                "Is a quote not closed, or is this no CSV file?"
            )
        size *= 4
    if not _QUOTED_COMMA.search(text):  # "1,5" in quotes is no two cells
        check_decimal(header.delimiter, how.decimal, where)
    if not how.named:
        names = tuple(str(j + 1) for j in range(len(header.names)))
        return Header(names, header.delimiter, header.bom, 0, header.bom)
    names = told_apart(header.names)
    require_unique(names, where)
    return replace(header, names=names)


def _decoded(head: bytes, where: str, *, final: bool) -> str:
    try:
        # Incremental, since the last character may be cut by the end of the peek.
        return codecs.getincrementaldecoder("utf-8")().decode(head, final)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where}: line {line} is not UTF-8 text (byte 0x{head[error.start]:02x}). Say which "
            "encoding it is, for example --encoding latin-1 or --encoding cp1252."
        ) from None


def _parsed(text: str, where: str, how: Dialect, *, complete: bool) -> Header | None:
    """Split the header; None when `text` stops before its end."""
    body = text.removeprefix("\ufeff")  # byte order mark
    mark = _SEPARATOR.match(body) if how.delimiter is None else None
    skipped = mark[0] if mark else ""
    body = body[len(skipped) :]
    found: tuple[list[str], str, str] | None = None
    trouble = ""
    for delimiter in how.delimiter or (mark[1] if mark else DELIMITERS):
        lines: list[str] = []
        try:
            # Strict: in "a;b";"c,d" the comma must not split, since text would follow a quote.
            rows = csv.reader(_recorded(body, lines), delimiter=delimiter, strict=True)
            record = next((row for row in rows if row), None)
        except csv.Error as error:
            trouble = str(error)
            continue
        if record is None:
            break
        if found is None or len(record) > len(found[0]):
            found = record, delimiter, "".join(lines)
    if found is None:
        if not complete:
            return None
        if trouble:
            raise DataError(f"{where}: the header cannot be read: {trouble}.")
        raise DataError(f"{where}: holds no header, only blank lines.")
    names, delimiter, raw = found
    if not complete and not (raw.endswith(("\n", "\r")) and len(raw) < len(body)):
        return None
    bom = len(text[: len(text) - len(body)].encode())  # and the line with the delimiter
    _require_no_comment(body, where)
    above = skipped.count("\n") + raw.count("\n")
    return Header(tuple(names), delimiter, bom + len(raw.encode()), above, bom)


def _require_no_comment(body: str, where: str) -> None:
    """Refuse a first line that is the first of several comments."""
    lines = [line for line in body[:LOOKED_AT].splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{where}: holds no header, only blank lines.")
    mark = lines[0][:1]
    marked = [*takewhile(lambda line: line.startswith(mark), lines)]
    if mark not in COMMENTS or len(marked) < 2:
        return
    names = marked[0].startswith(2 * mark) and not marked[-1].startswith(2 * mark)
    stay = f"; {shown(marked[-1])} then has the names" if names else ""
    raise DataError(
        f"{where}: line 1 is {shown(lines[0])}, and the next begins with {shown(mark)}, too. If "
        f"these are comments, say --comment {shown(2 * mark if names else mark)}{stay}."
    )


def _recorded(text: str, taken: list[str]) -> Iterator[str]:
    """Yield lines with their endings, keeping those that were taken."""
    for line in io.StringIO(text, newline=""):
        taken.append(line)
        yield line
