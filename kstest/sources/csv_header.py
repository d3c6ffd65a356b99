"""The first lines of a CSV: delimiter, names, and where the rows begin.

Files come with comments above the names or around them, with titles, units or several lines of
names, with blanks for a delimiter, with row names that the header lacks, with a delimiter too many.
What the first lines leave no doubt of is taken; of all other files the message names the option.
The rows themselves are parsed by pyarrow (`csv_read`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sources.csv_found import SAMPLER, found_in_rows, require_no_numbers
from kstest.sources.csv_lines import BLANKS, Record, Unreadable, lines_of, records
from kstest.sources.csv_names import joined, names_behind
from kstest.sources.csv_top import Top, commented, sort_lines
from kstest.sources.csv_width import Cut, cut, uniform_from
from kstest.sources.dialect import Dialect, check_decimal
from kstest.sources.filters import Lines, squeezed, uncommented
from kstest.sources.spellings import is_value
from kstest.sources.stream import CHUNK_BYTES, Opened, Stream
from kstest.sources.table import require_unique, told_apart
from kstest.wording import one_line, shown

LONGEST_HEADER = 64 << 20
_QUOTED_COMMA = re.compile(r'"[+-]?[\d.]*\d,\d+"')


@frozen
class Header:
    """What the first lines say.

    Attributes
    ----------
    names : tuple of str
        Column names as written, those that come several times with their positions.
    delimiter : str
        Of the rows as pyarrow gets them: a tab where `blanks`.
    size : int
        Bytes up to the first row, the byte order mark included.
    lines : int
        Lines up to the first row.
    bom : int
        Bytes of the byte order mark.
    blanks : bool
        Whether runs of blanks stand between the cells.
    mark : str or None
        What comments begin with.
    marked : bool
        Whether the user said so.
    aside : frozenset of int
        Columns that nobody named to be tested, such as row names.
    empty : tuple of int
        Those of them that have to be empty in all rows.
    decimal : str
    thousands : str or None
    notices : tuple of Notice
        What was taken for granted.
    hint : str
        What may be wrong if the first rows cannot be read.
    """

    names: tuple[str, ...]
    delimiter: str
    size: int
    lines: int
    bom: int
    blanks: bool = False
    mark: str | None = None
    marked: bool = False
    aside: frozenset[int] = frozenset()
    empty: tuple[int, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    notices: tuple[Notice, ...] = ()
    hint: str = ""

    @property
    def chains(self) -> int:
        """1 where CmdStan wrote the file, whose rows are a chain."""
        return int(SAMPLER in self.names and self.names.index(SAMPLER) in self.aside)

    def words(self) -> dict[str, str]:
        """Say how the file is written."""
        named = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "single blank", "|": "bar"}
        cells = (
            "runs of blanks" if self.blanks else named.get(self.delimiter, shown(self.delimiter))
        )
        found = {"delimiter": cells, "first row": f"line {self.lines + 1:,}"}
        found |= {} if self.mark is None else {"comments": f"lines that start with {self.mark}"}
        found["decimal sign"] = "comma" if self.decimal == "," else "point"
        return found | ({} if self.thousands is None else {"thousands": shown(self.thousands)})


def read_header(stream: Stream, where: str, how: Dialect, size: int = CHUNK_BYTES) -> Header:
    """Read the header of a CSV without consuming it; `size` bytes are looked at."""
    while True:
        head = stream.peek(size)
        text = _decoded(head, where, final=stream.at_end)
        header = _parsed(text, where, how, complete=stream.at_end, live=stream.live)
        if header is not None:
            break
        if max(size, len(head)) >= LONGEST_HEADER:
            raise DataError(
                f"{where}: the header does not end within {size >> 20} MB. "
                "Is a quote not closed, or is this no CSV file?"
            )
        # Of a live stream more than a block means: one more piece.
        size = max(len(head), CHUNK_BYTES) + 1 if stream.live else 4 * size
    if not _QUOTED_COMMA.search(text):  # "1,5" in quotes is no two cells
        check_decimal(header.delimiter, header.decimal, where)
    if not how.named:
        return header
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
            "encoding it is, for example --encoding latin-1 or --encoding cp1252.",
            ("--encoding", "latin-1"),
        ) from None


def _parsed(text: str, where: str, how: Dialect, *, complete: bool, live: bool) -> Header | None:
    """Read the first lines; None when `text` stops before the end of the header."""
    mark = text[: len(text) - len(text.removeprefix("\ufeff"))].encode()  # byte order mark
    lines = lines_of(text.removeprefix("\ufeff"), complete)
    top = sort_lines(lines, how)
    whole = [i for i in top.body if lines[i].strip()]
    if not complete and len(whole) + bool(top.names) < (2 if live else 1):
        return None
    if how.header and not any(map(str.strip, top.names[: how.header])):
        raise DataError(f"{where}: --header-row: there is nothing in that line.")
    if not whole and not top.names:
        raise DataError(f"{where}: holds no header, only blank lines{commented(top)}.")
    index = whole[:2] if live else top.body
    try:
        names, rows, table = _table(top, [lines[i] for i in index], how, where)
    except Unreadable as error:
        if not complete:
            return None
        raise DataError(f"{where}: the header cannot be read: {one_line(error)}.") from None
    first = 1 + (how.above if top.names else index[table.rows[0].line])
    known = found_in_rows(names, rows, table.delimiter, how, where, first)
    start = _place(known.rows, rows, table, index, lines)
    blanks = table.delimiter == BLANKS
    return Header(
        known.names,
        "\t" if blanks else table.delimiter,
        len(mark) + sum(len(line.encode()) for line in lines[:start]),
        start,
        len(mark),
        blanks,
        top.mark,
        how.comment is not None,
        known.aside,
        known.empty,
        known.decimal,
        known.thousands,
        (*_skipped(table, first), *known.notices),
        _hint(table, index) or known.hint,
    )


def _skipped(table: Cut, first: int) -> tuple[Notice, ...]:
    if not table.titles:
        return ()
    lines = "line 1" if first == 2 else f"lines 1 to {first - 1}"
    return (
        Notice(
            "lines-skipped",
            f"{lines} above the names {'is' if first == 2 else 'are'} skipped "
            f"(--header-row {first})",
        ),
    )


def _hint(table: Cut, index: Sequence[int]) -> str:
    """Say from where on the lines have one width, if the first have another."""
    first = uniform_from(table.rows)
    header, above = table.rows[first].cells, table.rows[:first]
    odd = all(len(r.cells) != len(header) for r in above) and not any(map(is_value, header))
    if table.titles or not above or len(table.rows) - first < 2 or not odd:
        return ""
    line = index[table.rows[first].line] + 1
    return f" Are the names in line {line:,}? Then say --header-row {line}."


def _table(
    top: Top, body: list[str], how: Dialect, where: str
) -> tuple[tuple[str, ...], list[Record], Cut]:
    """Names, rows, and how they were cut."""
    given = how.delimiter or top.delimiter
    if top.names:
        table = cut([*top.names, *body], given, True, False)
        named = records(top.names, table.delimiter)
        if how.above or len(named) > 1:
            _require_names(named[-1], where)
        rows = records(body, table.delimiter) if any(map(str.strip, body)) else []
        return joined(named) if len(named) > 1 else named[0].cells, rows, table
    if how.named and top.comments and not (body[0].startswith("#") and top.mark == how.comment):
        behind = names_behind(top.comments, body, top.mark or "#", given, where)
        if behind is not None:
            rows = records(body, behind.delimiter)
            return behind.names, rows, Cut(behind.delimiter, rows)
    table = cut(body, given, how.named, how.named)
    if not how.named:
        return tuple(str(j + 1) for j in range(len(table.rows[0].cells))), table.rows, table
    names = table.rows[0].cells
    skipped = "comments" if top.comments and how.comment is None else ""
    require_no_numbers(names, table.rows[0].raw, where, "lines" if how.above else skipped)
    if how.comment is not None and how.comment[:1] == "#" and len(how.comment) > 1:
        names = (names[0].lstrip("#").strip() or names[0], *names[1:])
    return names, table.rows[1:], table


def _require_names(record: Record, where: str) -> None:
    """Refuse a row where --header-row says that names are."""
    if all(is_value(cell) or not cell.strip() for cell in record.cells):
        raise DataError(
            f"{where}: --header-row: the line holds numbers, {shown(record.raw.strip())}. If only "
            "one side has such lines, say so for that side, such as --sample-header-row."
        )


def _place(
    kept: Sequence[Record],
    rows: Sequence[Record],
    table: Cut,
    index: Sequence[int],
    lines: list[str],
) -> int:
    """The line where the rows begin."""
    if kept:
        return index[kept[0].line]
    if rows:  # units, and nothing below
        return index[rows[-1].end - 1] + 1
    header = table.rows[0]
    return index[header.end - 1] + 1 if header.end <= len(index) else len(lines)


def rows_of(opened: Opened, header: Header) -> Stream:
    """What follows the header without comments, and with tabs for the blanks between cells."""
    stream, where = opened.stream, opened.label
    changes = []
    if header.mark is not None:
        cells = _cells(header)
        surely = header.marked or SAMPLER in header.names  # CmdStan writes comments anywhere
        like_row = None if surely else lambda line: cells(line) == len(header.names)
        changes.append(uncommented(header.mark, like_row, where))
    if header.blanks:
        changes.append(squeezed)
    for change in changes:
        stream = Stream(Lines(stream, where, change), hashed=False, live=opened.stream.live)
    return stream


def _cells(header: Header) -> Callable[[bytes], int]:
    """Counts the cells of a line that may be a comment."""
    if header.blanks:
        return lambda line: len(line.split())
    delimiter = header.delimiter.encode()
    return lambda line: line.count(delimiter) + 1
