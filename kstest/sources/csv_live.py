"""CSV rows from a pipe that somebody writes to, as they come.

pyarrow's own reader waits for a full block, and for one more to know whether the first was the
last. Here whole lines are parsed as soon as they are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kstest.errors import DataError
from kstest.sources.csv_block import block_of
from kstest.sources.csv_errors import explained, ragged_row
from kstest.sources.csv_header import Header
from kstest.sources.csv_quotes import Quotes
from kstest.sources.csv_types import Types
from kstest.sources.dialect import Dialect, convert_options, parse_options
from kstest.sources.stream import CHUNK_BYTES, Stream, converting
from kstest.sources.table import Block, Wanted

LONGEST_LINE = 64 << 20


def live_blocks(
    stream: Stream,
    where: str,
    header: Header,
    how: Dialect,
    wanted: Wanted,
    types: Types,
    quotes: Quotes,
) -> Iterator[Block]:
    """Yield the rows of a live stream, as many as there are at a time."""
    rest, rows = b"", 0
    while True:
        with converting(where):
            data = stream.read(CHUNK_BYTES)
        if data:
            quotes.watch(data)
        else:
            quotes.end()
        rest += data
        end = _whole(rest, quotes) if data else len(rest)
        if len(rest) - end > LONGEST_LINE:
            raise DataError(f"{where}: a line is longer than 64 MB. Is a quote not closed?")
        lines, rest = rest[:end], rest[end:]
        if lines.strip():
            block = _parsed(lines, where, header, how, wanted, types, rows)
            rows += block.rows
            if block.rows:
                yield block
        if not data:
            return


def _whole(data: bytes, quotes: Quotes) -> int:
    """Length of the whole rows; a line end inside quotes ends none."""
    if quotes.inside:
        return 0
    end = data.rfind(b"\n") + 1
    while end and data.count(b'"', end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _parsed(
    lines: bytes,
    where: str,
    header: Header,
    how: Dialect,
    wanted: Wanted,
    types: Types,
    before: int,
) -> Block:
    import pyarrow as pa
    import pyarrow.csv as pc

    uneven: list[Any] = []

    def ragged(row: Any) -> str:
        uneven.append(row)
        return "error"

    names = [str(j) for j in range(len(header.names))]
    picked = list(dict.fromkeys([*wanted.numbers, *wanted.texts]))
    words = pa.dictionary(pa.int32(), pa.string())
    kinds = {names[j]: words if j in wanted.texts else types.declared[j] for j in picked}
    try:
        with converting(where):
            table = pc.read_csv(
                pa.BufferReader(lines),
                pc.ReadOptions(use_threads=False, block_size=len(lines) + 1, column_names=names),
                parse_options(header.delimiter, ragged),
                convert_options(how, [names[j] for j in picked], kinds),
            ).combine_chunks()
    except DataError as error:
        if uneven:
            raise ragged_row(where, uneven[0], before) from error.__cause__
        if error.__cause__ is None:
            raise
        raise explained(error, where, header, types, before) from error.__cause__
    columns = [column.chunk(0) for column in table.columns] if table.num_rows else []
    if not columns:
        return Block(_none(len(wanted.numbers)))
    return block_of(dict(zip(picked, columns, strict=True)), wanted, types, how.decimal)


def _none(columns: int) -> Any:
    import numpy as np

    return np.empty((0, columns))
