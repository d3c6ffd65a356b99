"""Files that know their types: Parquet and Arrow IPC. Only the selected columns are read.

A format gives an `ArrowFile`; kinds, checks, blocks and messages are the same for all (`table_of`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from kstest.errors import DataError
from kstest.sources.arrow_file import BROKEN, CHAINS, ArrowFile, Batches, checked
from kstest.sources.arrow_types import base_name, kind_of, refusal
from kstest.sources.convert import BLOCK_ROWS, to_block
from kstest.sources.stream import Opened, converting, seekable
from kstest.sources.table import TEXT, Block, Table, Wanted, require_few, require_unique
from kstest.wording import option_value, shown

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BLOCK_CELLS = 1 << 17  # 1 MB as float64
_STRINGS = ("string", "large_string")
_INDEX = re.compile(r"__index_level_\d+__")
# A buffer size makes pyarrow stream the column chunks; without, it loads them whole. Checksums of
# pages are compared where the writer made some. Every column has a buffer, which a store fills by a
# request of its own, and a disk at no cost.
PARQUET: dict[str, Any] = {
    "buffer_size": 1 << 20,
    "pre_buffer": False,
    "page_checksum_verification": True,
}
_LOCAL = PARQUET | {"buffer_size": 1 << 16}


def open_parquet(opened: Opened) -> ArrowFile:
    """Open a Parquet file: read its footer."""
    import pyarrow.parquet as pq

    file, digest, close = seekable(opened)
    parquet = pq.ParquetFile(file, **_LOCAL)
    schema = parquet.schema_arrow

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        texts = [n for n in names if base_name(schema.field(n).type) in _STRINGS]
        if texts:  # let the decoder look words up once per dictionary, not once per row
            file.seek(0)
            reread = pq.ParquetFile(file, read_dictionary=texts, **_LOCAL)
        else:
            reread = parquet
        yield from parquet_batches(reread, names, opened.label)

    return ArrowFile(schema, batches, digest, close, rows=parquet.metadata.num_rows)


def parquet_batches(
    parquet: pq.ParquetFile, names: Sequence[str], where: str
) -> Iterator[pa.RecordBatch]:
    """Yield columns of a Parquet file, and see to it that all its rows come.

    Neither the footer nor the heads of pages have checksums: where one is damaged, pyarrow may
    give some of the rows without a word. The numbers of rows that a file states have to agree.

    Raises
    ------
    DataError
    """
    stated, seen = parquet.metadata.num_rows, 0
    rows = max(1024, min(BLOCK_ROWS, BLOCK_CELLS // len(names)))
    for batch in parquet.iter_batches(rows, columns=list(names), use_threads=False):
        seen += batch.num_rows
        yield batch
    groups = [parquet.metadata.row_group(g) for g in range(parquet.metadata.num_row_groups)]
    columns = [(j, parquet.schema.column(j)) for j in range(len(parquet.schema))]
    # A list has as many values as its elements, which says nothing about rows.
    places = [
        j for j, c in columns if c.path.partition(".")[0] in names and not c.max_repetition_level
    ]
    counts = {(group.num_rows, group.column(j).num_values) for group in groups for j in places}
    if seen != stated or any(of_group != of_column for of_group, of_column in counts):
        raise DataError(
            f"{where}: is damaged: it states {stated:,} rows, and {seen:,} were found. Get the "
            "file again."
        )


def open_arrow_file(opened: Opened) -> ArrowFile:
    """Open an Arrow IPC file (Feather version 2)."""
    import pyarrow as pa

    file, digest, close = seekable(opened)
    schema = pa.ipc.open_file(_arrow(file)).schema

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        fields = [schema.get_field_index(name) for name in names]
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        file.seek(0)
        reader = pa.ipc.open_file(_arrow(file), options=options)
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)

    return ArrowFile(schema, batches, digest, close)


def open_arrow_stream(opened: Opened) -> ArrowFile:
    """Open an Arrow IPC stream. Every column travels through memory, a batch at a time."""
    import pyarrow as pa

    reader = pa.ipc.open_stream(_arrow(opened.stream))
    return ArrowFile(reader.schema, lambda names: reader, opened.digest, opened.close)


def without_index(schema: pa.Schema) -> pa.Schema:
    """Leave out the columns in which pandas stores an index that has no name."""
    stored = _pandas(schema, "index_columns")
    for name in stored:
        if isinstance(name, str) and _INDEX.fullmatch(name) and name in schema.names:
            schema = schema.remove(schema.names.index(name))
    return schema


def _pandas(schema: pa.Schema, key: str) -> list[Any]:
    """What pandas wrote into a schema, such as ``index_columns``; anybody may write nonsense."""
    try:
        stored = json.loads((schema.metadata or {})[b"pandas"])[key]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return stored if isinstance(stored, list) else []


def _categories(schema: pa.Schema) -> frozenset[str]:
    """Columns that were categories in pandas; Parquet gives those of numbers back as numbers."""
    columns = [c for c in _pandas(schema, "columns") if isinstance(c, dict)]
    names = [c.get("name") for c in columns if c.get("pandas_type") == "categorical"]
    return frozenset(name for name in names if isinstance(name, str))


def kinds_of(
    schema: pa.Schema, batches: Batches, picked: Sequence[int], where: str, hint: str = ""
) -> dict[int, str]:
    """Say what columns hold; refuse those that hold nothing of the kind.

    `batches` gives rows of which the message shows one.
    """
    with converting(where, hint):
        categories = _categories(schema)
        kinds = {j: kind_of(schema.field(j).type) for j in picked}
        kinds |= {j: TEXT for j in picked if kinds[j] and schema.names[j] in categories}
        refused = [schema.names[j] for j, kind in kinds.items() if kind is None]
        if refused:
            raise _refused(schema, batches, refused, where)
    return {j: kind for j, kind in kinds.items() if kind is not None}


def blocks_of(
    schema: pa.Schema, batches: Batches, wanted: Wanted, where: str, hint: str = ""
) -> Iterator[Block]:
    """Yield the wanted columns of record batches."""
    numbers = [schema.names[j] for j in wanted.numbers]
    texts = [schema.names[j] for j in wanted.texts]
    with converting(where, hint):
        names = list(dict.fromkeys([*numbers, *texts]))
        for batch in batches(names):
            for name in names:
                checked(batch.column(name))
            for start in range(0, batch.num_rows, BLOCK_ROWS):
                part = batch.slice(start, BLOCK_ROWS)
                yield to_block([part.column(n) for n in numbers], [part.column(n) for n in texts])


def table_of(
    path: str,
    where: str,
    file: ArrowFile,
    explode: Sequence[str] = (),
    identity: tuple[int, int] | None = None,
    hint: str = BROKEN,
) -> Table:
    """Make a Table of open columns, those of lists in `explode` taken apart.

    `hint` ends messages about what cannot be read.
    """
    nested = any(base_name(kind) in ("fixed_size_list", "struct") for kind in file.schema.types)
    if nested or explode:  # imported for them only
        from kstest.sources.nested import exploded, spread

        with converting(where, hint):
            file = exploded(file, explode, where) if explode else file
            file = spread(file)
    with converting(where, hint):
        schema = without_index(file.schema)
        names = tuple(schema.names)  # here, since a damaged file may hold names that are no UTF-8
    require_unique(names, where)

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        require_few(picked, where)
        return kinds_of(schema, file.batches, picked, where, hint)

    def blocks(wanted: Wanted) -> Iterator[Block]:
        return blocks_of(schema, file.batches, wanted, where, hint)

    return Table(
        path,
        where,
        names,
        kinds,
        blocks,
        file.digest,
        file.close,
        named=file.named,
        identity=identity,
        rows=file.rows,
        chains=_chains(file.schema),
    )


def _chains(schema: pa.Schema) -> int:
    """How many chains of a sampler the rows are, as far as a schema says; see `labelled`."""
    said = (schema.metadata or {}).get(CHAINS, b"")
    return int(said) if said.isdigit() and len(said) < 10 else 0


def _refused(schema: pa.Schema, batches: Batches, refused: list[str], where: str) -> DataError:
    name = refused[0]
    lists = [n for n in refused if base_name(schema.field(n).type) in ("list", "large_list")]
    row, value = _first_value(batches([name]), name)
    found = f" (row {row:,}: {shown(value)})" if row else ""
    more = f" So do {len(refused) - 1:,} other columns." if len(refused) > 1 else ""
    out = ""
    if base_name(schema.field(name).type) == "map":
        out = (
            " Or give every key that counts a column of its own first, for example by DuckDB: "
            f"select {name}['key'] as key."
        )
    if lists:
        out = (
            f" Or give every element a row of its own with --explode {option_value(lists)}, where "
            "lists of a row are equally long; kstest dqm puts them side by side again with --pivot "
            "file_row."
        )
    return DataError(
        f"{where}: column {shown(name)} holds {refusal(schema.field(name).type)}{found}; accepted: "
        f"numbers, true/false, dates, times and text.{more} Leave it out with --exclude "
        f"{option_value(refused)}.{out}"
    )


def _first_value(batches: Iterable[Any], name: str) -> tuple[int, object]:
    """Find a value to show: (row from 1, value), or (0, None) where the first batches have none."""
    row = 0
    for _, batch in zip(range(4), batches, strict=False):
        column = checked(batch.column(name))
        for i in range(min(len(column), 1000)):
            if column[i].is_valid:
                return row + i + 1, column[i].as_py()
        row += len(column)
    return 0, None


def _arrow(file: BinaryIO | Any) -> Any:
    import pyarrow as pa

    return pa.PythonFile(file, mode="r")
