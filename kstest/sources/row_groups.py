"""Row groups of Parquet files, each of which can be read by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kstest.errors import DataError
from kstest.sources.arrow_file import BROKEN, ArrowFile
from kstest.sources.arrow_types import base_name
from kstest.sources.columnar import BLOCK_CELLS, PARQUET
from kstest.sources.convert import BLOCK_ROWS
from kstest.sources.paths import is_store
from kstest.sources.stores import labelled, open_file, stamp
from kstest.sources.stream import converting

if TYPE_CHECKING:
    import pyarrow as pa


def groups_file(path: str, groups: tuple[int, ...] | None) -> ArrowFile:
    """Open row groups of a Parquet file. No batch of rows crosses the border of two of them."""
    import pyarrow.parquet as pq

    where = labelled(path)
    found = stamp(path)
    if is_store(path) and found is None:
        raise DataError(f"{where}: no such file. Check the bucket and the spelling.")
    hint = " Only Parquet files are read from a store." if is_store(path) else BROKEN
    with converting(where, hint):
        file = open_file(path)
        known = footer(path, found)
        schema = pq.ParquetFile(file, metadata=known, **PARQUET).schema_arrow

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        texts = [n for n in names if base_name(schema.field(n).type) in ("string", "large_string")]
        file.seek(0)
        parquet = pq.ParquetFile(file, read_dictionary=texts, metadata=known, **PARQUET)
        rows = max(1024, min(BLOCK_ROWS, BLOCK_CELLS // max(len(names), 1)))
        every = range(parquet.metadata.num_row_groups) if groups is None else groups
        for group in every:
            stated, seen = parquet.metadata.row_group(group).num_rows, 0
            for batch in parquet.iter_batches(
                rows, row_groups=[group], columns=list(names), use_threads=False
            ):
                seen += batch.num_rows
                yield batch
            if seen != stated:
                raise DataError(
                    f"{where}: is damaged: row group {group + 1} states {stated:,} rows, and "
                    f"{seen:,} were found. Get the file again."
                )

    return ArrowFile(schema, batches, lambda: None, file.close)


@lru_cache(maxsize=4)
def footer(path: str, found: tuple[int, int] | None) -> Any:
    """What a file says of its row groups, read once: of thousands of them it is long.

    `found` : its size and time, so that another file is another entry.
    """
    import pyarrow.parquet as pq

    with open_file(path) as file:
        return pq.ParquetFile(file, **PARQUET).metadata
