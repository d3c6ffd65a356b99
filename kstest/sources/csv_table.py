"""CSV rows through pyarrow, in blocks, of the wanted columns only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kstest.errors import DataError
from kstest.sources.convert import beyond_exact, to_coded, to_float64
from kstest.sources.csv_errors import explained, ragged_row
from kstest.sources.csv_header import Header, read_header
from kstest.sources.csv_types import Types, infer
from kstest.sources.levels import recoded
from kstest.sources.stream import CHUNK_BYTES, Opened, converting
from kstest.sources.table import Block, Coded, Table, Wanted

if TYPE_CHECKING:
    import pyarrow as pa

PEEK_BYTES = CHUNK_BYTES  # what types are inferred from
BLOCK_BYTES = CHUNK_BYTES
BLOCK_ROWS = 128  # at least about so many rows a block: a wide file pays per column and block
LARGEST_BLOCK = 64 << 20


def open_csv(opened: Opened) -> Table:
    """Open a CSV: read its header and leave the rows for later."""
    header = read_header(opened.stream, opened.label, PEEK_BYTES)
    with converting(opened.label):
        opened.stream.read(header.size)
    known: dict[int, Types] = {}

    def types(picked: Sequence[int]) -> Types:
        with converting(opened.label):
            return infer(_whole_rows(opened), header, picked)

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        known[0] = types(picked)
        return known[0].kinds

    def blocks(wanted: Wanted) -> Iterator[Block]:
        picked = [*wanted.numbers, *wanted.texts]
        return _blocks(opened, header, wanted, known.get(0) or types(picked))

    return Table(
        opened.path,
        opened.label,
        header.names,
        kinds,
        blocks,
        opened.digest,
        opened.close,
        identity=opened.identity,
    )


def _whole_rows(opened: Opened) -> bytes:
    """The first rows. The last one is cut off: a half date would read as text."""
    head = opened.stream.peek(PEEK_BYTES)
    if len(head) < PEEK_BYTES:
        return head
    end = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
    return head[:end] if end else head


def _blocks(opened: Opened, header: Header, wanted: Wanted, types: Types) -> Iterator[Block]:
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
                stream,
                pc.ReadOptions(
                    use_threads=False,  # then errors carry row numbers
                    block_size=_block_size(head),
                    column_names=names,
                ),
                pc.ParseOptions(
                    delimiter=header.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=ragged,
                ),
                pc.ConvertOptions(
                    include_columns=[names[j] for j in picked],
                    column_types={
                        names[j]: words if j in texts else types.declared[j] for j in picked
                    },
                    strings_can_be_null=True,
                ),
            )
            for batch in reader:
                yield _block(dict(zip(picked, batch.columns, strict=True)), wanted, types)
    except DataError as error:
        if uneven:
            raise ragged_row(where, uneven[0]) from error.__cause__
        if "straddling" in str(error.__cause__):
            raise DataError(
                f"{where}: a row is longer than a block of {BLOCK_BYTES >> 10:,} kB. "
                "Is a quote not closed?"
            ) from error.__cause__
        if error.__cause__ is None:
            raise
        raise explained(error, where, header, types) from error.__cause__


def _block(columns: dict[int, Any], wanted: Wanted, types: Types) -> Block:
    words = {j: to_coded(columns[j]) for j in wanted.texts}
    values = np.empty((len(next(iter(columns.values()))), len(wanted.numbers)))
    rounded = []
    for k, j in enumerate(wanted.numbers):
        both = words.get(j)
        values[:, k] = _numbers(both, types.declared[j]) if both else to_float64(columns[j])
        if j in types.whole and beyond_exact(values[:, k]):
            rounded.append(k)
    texts = (recoded(words[j]) if j in wanted.by_value else words[j] for j in wanted.texts)
    return Block(values, tuple(rounded), tuple(texts))


def _numbers(words: Coded, kind: pa.DataType) -> Any:
    """Read words as numbers: the column is wanted as both."""
    import pyarrow as pa

    levels = to_float64(pa.array(words.levels, pa.string()).cast(kind))
    return np.append(levels, np.nan)[words.codes]


def _block_size(head: bytes) -> int:
    rows = head.count(b"\n") or head.count(b"\r") or 1
    return max(BLOCK_BYTES, min(LARGEST_BLOCK, BLOCK_ROWS * (len(head) // rows + 1)))
