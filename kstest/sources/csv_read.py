"""CSV rows through pyarrow, in blocks, of the wanted columns only.

Where to look when a CSV is read wrongly: `filters` for encoding, comments and blanks, `dialect` for
missing cells, `csv_header` for delimiter, names and what its first lines show, `csv_types` for what
a column holds, `csv_quotes` for rows that vanish into a cell, `csv_errors` for what is said of a
cell or row that does not fit. Here the rows become blocks. `spellings` knows numbers in spellings
that are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kstest.errors import DataError
from kstest.inexact import Inexact, beyond_exact, near, of_text, of_texts
from kstest.sources.convert import empty_values, recoded, to_coded, to_float64
from kstest.sources.csv_header import Header, read_header, rows_of
from kstest.sources.csv_quotes import Guarded, Quotes
from kstest.sources.csv_types import Types, infer
from kstest.sources.dialect import Dialect, convert_options, parse_options
from kstest.sources.stream import CHUNK_BYTES, Opened, converting
from kstest.sources.table import Block, Coded, Table, Wanted, require_few

if TYPE_CHECKING:
    import pyarrow.csv as pc

PEEK_BYTES = CHUNK_BYTES  # what types are inferred from
BLOCK_BYTES = CHUNK_BYTES
QUOTED_BYTES = 16 * CHUNK_BYTES
BLOCK_ROWS = 128  # at least about so many rows a block: a wide file pays per column and block
LARGEST_BLOCK = LONGEST_LINE = 64 << 20


def open_csv(opened: Opened, how: Dialect) -> Table:
    """Open a CSV: read its header and leave the rows for later."""
    header = read_header(opened.stream, opened.label, how, PEEK_BYTES)
    how = replace(how, decimal=header.decimal, thousands=header.thousands)
    with converting(opened.label):
        opened.stream.read(header.size)
        about = opened.about_lines(PEEK_BYTES)
    opened = replace(opened, stream=rows_of(opened, header))
    known: dict[int, Types] = {}

    def types(picked: Sequence[int]) -> Types:
        with converting(opened.label):
            head = _first_rows(opened, header)
            return infer(head, header.delimiter, len(header.names), how, picked)

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        require_few(picked, opened.label)
        known[0] = types(picked)
        return known[0].kinds

    def blocks(wanted: Wanted) -> Iterator[Block]:
        found = known.get(0) or types([*wanted.numbers, *wanted.texts])
        rows = _Rows(opened.label, header, how, wanted, found)
        return _blocks(opened, header, rows)

    return Table(
        opened.path,
        opened.label,
        header.names,
        kinds,
        blocks,
        opened.digest,
        opened.close,
        named=how.named,
        identity=opened.identity,
        delimited=True,
        aside=header.aside,
        notices=header.notices,
        chains=header.chains,
        dialect=header.words(),
        rows=about,
    )


def _first_rows(opened: Opened, header: Header) -> bytes:
    """The first rows. The last one is cut off: a half date would read as text."""
    head = opened.stream.peek(PEEK_BYTES)
    quotes = _quotes(opened, header)
    if head:
        quotes.watch(head)
    if opened.stream.at_end:
        quotes.end()
        return head
    end = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
    return head[:end] if end else head


def _quotes(opened: Opened, header: Header) -> Quotes:
    return Quotes(opened.label, header.delimiter, len(header.names), header.lines + 1)


class _Rows:
    """What pyarrow is told about the rows of a file, and what is made of its answers."""

    def __init__(
        self, where: str, header: Header, how: Dialect, wanted: Wanted, types: Types
    ) -> None:
        import pyarrow as pa

        self._where, self._header, self._types = where, header, types
        self._wanted, self._decimal = wanted, how.decimal or "."
        self._thousands, self._taken = how.thousands, 0
        self._picked = list(dict.fromkeys([*wanted.numbers, *wanted.texts]))
        self._uneven: list[Any] = []
        # Column names are positions here: the real ones may be empty or anything.
        self.names = [str(j) for j in range(len(header.names))]
        words, texts = pa.dictionary(pa.int32(), pa.string()), frozenset(wanted.texts)
        kinds = {str(j): words if j in texts else types.declared[j] for j in self._picked}
        as_text = types.grouped | types.long
        kinds |= {str(j): pa.string() for j in as_text if j not in texts}
        # Columns without a name and a value are watched: they must not begin to hold some.
        kinds |= {str(j): pa.null() for j in header.empty if j not in self._picked}
        self.parse: pc.ParseOptions = parse_options(header.delimiter, self._ragged)
        self.convert: pc.ConvertOptions = convert_options(how, list(kinds), kinds)

    def _ragged(self, row: Any) -> str:
        self._uneven.append(row)
        return "error"

    @contextmanager
    def explaining(self, before: int = 0) -> Iterator[None]:
        """Say in the user's terms what stops pyarrow; `before`: rows read earlier."""
        try:
            with converting(self._where):
                yield
        except DataError as error:
            cause = error.__cause__
            from kstest.sources.csv_errors import explained, ragged_row

            if self._uneven:
                raise ragged_row(self._where, self._uneven[0], before, self._header.hint) from cause
            if cause is None or "straddling" in str(cause):
                raise
            names, bad, hint = self._header.names, self._types.bad, self._header.hint
            raise explained(error, self._where, names, bad, before, hint) from cause

    def block(self, arrays: Sequence[Any]) -> Block:
        """Convert the picked columns of a batch."""
        columns, wanted = dict(zip(self._picked, arrays, strict=False)), self._wanted
        words = {j: to_coded(columns[j]) for j in wanted.texts}
        values = empty_values(len(arrays[0]), len(wanted.numbers))
        rounded: dict[int, Inexact] = {}
        for k, j in enumerate(wanted.numbers):
            both = words.get(j)
            if both is not None:
                values[:, k] = self._of_words(j, both)
            elif j in self._types.grouped or j in self._types.long:
                values[:, k] = self._ungrouped(j, columns[j])
            else:
                to_float64(columns[j], values[:, k])
            found = self._inexact(j, values[:, k], words.get(j), columns[j])
            if found is not None:
                rounded[k] = found
        texts = (
            recoded(words[j], self._decimal) if j in wanted.by_value else words[j]
            for j in wanted.texts
        )
        self._taken += len(arrays[0])
        return Block(values, rounded, tuple(texts))

    def _inexact(self, j: int, numbers: Any, words: Coded | None, cells: Any) -> Inexact | None:
        """Whole numbers that are rounded, by their text where it is known."""
        if words is not None:
            cut = np.array([*(of_text(self._plain(w)) for w in words.levels), False])[words.codes]
            return Inexact(np.flatnonzero(cut), lambda row: words.levels[words.codes[row]])
        if j in self._types.long or (j in self._types.grouped and beyond_exact(numbers)):
            rows = of_texts(dict(enumerate(map(self._plain, cells.to_pylist()))), numbers)
            return Inexact(np.array(rows, np.int64), lambda row: str(cells[row]))
        return near(numbers) if j in self._types.whole else None

    def _plain(self, cell: str | None) -> str:
        """A number as Python writes it."""
        return (cell or "").replace(self._thousands or "\0", "").replace(self._decimal, ".")

    def _of_words(self, j: int, words: Coded) -> Any:
        """Read words as numbers: the column is wanted as both."""
        import pyarrow as pa

        if j in self._types.grouped:
            levels = self._ungrouped(j, pa.array(words.levels, pa.string()), row=False)
        else:
            plain = [level.replace(self._decimal, ".") for level in words.levels]
            levels = to_float64(pa.array(plain, pa.string()).cast(self._types.declared[j]))
        return np.append(levels, np.nan)[words.codes]

    def _ungrouped(self, j: int, cells: Any, row: bool = True) -> Any:
        """Read numbers that may have separators of thousands."""
        from kstest.sources.csv_grouped import refused, ungrouped

        found, bad = ungrouped(cells, self._thousands or "", self._decimal)
        if bad is not None:
            at = self._taken + bad + 1 if row else 0
            name, cell = self._header.names[j], cells[bad].as_py()
            raise refused(self._where, name, at, cell, self._thousands, self._decimal)
        return found


def _blocks(opened: Opened, header: Header, rows: _Rows) -> Iterator[Block]:
    """Yield the rows, of a live stream as many as there are at a time.

    Whole lines are parsed as soon as they are there: pyarrow's own reader would wait for a block
    more of a stream, and run some thirty ahead in a file, which all have to lie somewhere.
    """
    where, live = opened.label, opened.stream.live
    size, most = CHUNK_BYTES, LONGEST_LINE
    if not live:
        with converting(where):
            head = opened.stream.peek(PEEK_BYTES)
        if not head.strip() and len(head) < PEEK_BYTES:
            return
        size = _block_size(head)
        most = max(size, QUOTED_BYTES) if b'"' in head else size
        if b"\n" not in head and b"\r" in head:
            yield from _ahead(opened, header, rows, most)
            return
    quotes, rest, before = _quotes(opened, header), b"", 0
    while True:
        with converting(where):
            data = opened.stream.read(size)
        if data:
            quotes.watch(data)
        else:
            quotes.end()
        rest += data
        end = _whole(rest, quotes) if data else len(rest)
        if len(rest) - end > most:
            from kstest.sources.csv_errors import too_long

            raise too_long(where, most, live)
        lines, rest = rest[:end], rest[end:]
        if lines.strip():
            columns = _parsed(lines, rows, before)
            if columns:
                before += len(columns[0])
                yield rows.block(columns)
        if not data:
            return


def _block_size(head: bytes) -> int:
    """Bytes of a block."""
    lines = head.count(b"\n") or head.count(b"\r") or 1
    return max(BLOCK_BYTES, min(LARGEST_BLOCK, BLOCK_ROWS * (len(head) // lines + 1)))


def _ahead(opened: Opened, header: Header, rows: _Rows, most: int) -> Iterator[Block]:
    """Yield the rows of lines that end as they did on old Macs, which pyarrow tells apart."""
    import pyarrow.csv as pc

    try:
        with rows.explaining():
            reader = pc.open_csv(
                Guarded(opened.stream, _quotes(opened, header)),
                # without threads errors carry row numbers
                pc.ReadOptions(use_threads=False, block_size=most, column_names=rows.names),
                rows.parse,
                rows.convert,
            )
            for batch in reader:
                yield rows.block(batch.columns)
    except DataError as error:
        if "straddling" not in str(error.__cause__):
            raise
        from kstest.sources.csv_errors import too_long

        raise too_long(opened.label, most, False) from error.__cause__


def _whole(data: bytes, quotes: Quotes) -> int:
    """Length of the whole rows; a line end inside quotes ends none."""
    if quotes.inside:
        return 0
    end = data.rfind(b"\n") + 1
    while end and data.count(b'"', end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _parsed(lines: bytes, rows: _Rows, before: int) -> list[Any]:
    """The picked columns of some whole lines, or nothing where no line is a row."""
    import pyarrow as pa
    import pyarrow.csv as pc

    with rows.explaining(before):
        table = pc.read_csv(
            pa.BufferReader(lines),
            pc.ReadOptions(use_threads=False, block_size=len(lines) + 1, column_names=rows.names),
            rows.parse,
            rows.convert,
        ).combine_chunks()
    return [column.chunk(0) for column in table.columns] if table.num_rows else []
