"""CSV rows through pyarrow, in blocks, of the wanted columns only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kstest.errors import DataError
from kstest.sources.csv_block import block_of
from kstest.sources.csv_errors import explained, ragged_row
from kstest.sources.csv_header import Header, read_header
from kstest.sources.csv_live import live_blocks
from kstest.sources.csv_quotes import Guarded, Quotes
from kstest.sources.csv_types import Types, infer
from kstest.sources.dialect import Dialect, convert_options, parse_options
from kstest.sources.stream import CHUNK_BYTES, Opened, converting
from kstest.sources.table import Block, Table, Wanted, require_few

PEEK_BYTES = CHUNK_BYTES  # what types are inferred from
BLOCK_BYTES = CHUNK_BYTES
QUOTED_BYTES = 16 * CHUNK_BYTES
BLOCK_ROWS = 128  # at least about so many rows a block: a wide file pays per column and block
LARGEST_BLOCK = 64 << 20


def open_csv(opened: Opened, how: Dialect) -> Table:
    """Open a CSV: read its header and leave the rows for later."""
    header = read_header(opened.stream, opened.label, how, PEEK_BYTES)
    with converting(opened.label):
        opened.stream.read(header.size)
    known: dict[int, Types] = {}

    def types(picked: Sequence[int]) -> Types:
        with converting(opened.label):
            return infer(_first_rows(opened, header), header, how, picked)

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        require_few(picked, opened.label)
        known[0] = types(picked)
        return known[0].kinds

    def blocks(wanted: Wanted) -> Iterator[Block]:
        found = known.get(0) or types([*wanted.numbers, *wanted.texts])
        if opened.stream.live:
            quotes = _quotes(opened, header)
            return live_blocks(opened.stream, opened.label, header, how, wanted, found, quotes)
        return _blocks(opened, header, how, wanted, found)

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


def _blocks(
    opened: Opened, header: Header, how: Dialect, wanted: Wanted, types: Types
) -> Iterator[Block]:
    import pyarrow as pa
    import pyarrow.csv as pc

    stream, where = opened.stream, opened.label
    with converting(where):
        head = stream.peek(PEEK_BYTES)
        if not head.strip() and len(head) < PEEK_BYTES:
            return
    uneven: list[Any] = []

    def ragged(row: Any) -> str:
        uneven.append(row)
        return "error"

    # Column names are positions here: the real ones may be empty or anything.
    names = [str(j) for j in range(len(header.names))]
    picked = list(dict.fromkeys([*wanted.numbers, *wanted.texts]))
    words = pa.dictionary(pa.int32(), pa.string())
    texts = frozenset(wanted.texts)
    try:
        with converting(where):
            reader = pc.open_csv(
                Guarded(stream, _quotes(opened, header)),
                pc.ReadOptions(
                    use_threads=False,  # then errors carry row numbers
                    block_size=_block_size(head),
                    column_names=names,
                ),
                parse_options(header.delimiter, ragged),
                convert_options(
                    how,
                    [names[j] for j in picked],
                    {names[j]: words if j in texts else types.declared[j] for j in picked},
                ),
            )
            for batch in reader:
                yield block_of(
                    dict(zip(picked, batch.columns, strict=True)), wanted, types, how.decimal
                )
    except DataError as error:
        if uneven:
            raise ragged_row(where, uneven[0]) from error.__cause__
        if "straddling" in str(error.__cause__):
            raise DataError(
                f"{where}: a row is longer than {_block_size(head) >> 10:,} kB, which is the most "
                "for this file (16 MB where the first rows have quotes). Is a quote not closed?"
            ) from error.__cause__
        if error.__cause__ is None:
            raise
        raise explained(error, where, header, types) from error.__cause__


def _block_size(head: bytes) -> int:
    """Bytes of a block: no row may be longer. Quoted text may hold long cells further on."""
    rows = head.count(b"\n") or head.count(b"\r") or 1
    least = QUOTED_BYTES if b'"' in head else BLOCK_BYTES
    return max(least, min(LARGEST_BLOCK, BLOCK_ROWS * (len(head) // rows + 1)))
