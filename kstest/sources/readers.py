"""From an opened file or object to a Table: CSV, Parquet, Arrow, arrays and frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from kstest.errors import DataError, UsageError
from kstest.sources.stream import Opened, converting, open_path, seekable
from kstest.sources.table import Block, Table, require_unique
from kstest.sources.wording import shown

BLOCK_BYTES = 1 << 20
HEADER_BYTES = 1 << 22
BATCH_ROWS = 1 << 16
# The spellings of "missing" in a CSV cell.
NULLS = [
    "",
    "NA",
    "N/A",
    "#N/A",
    "NaN",
    "nan",
    "-nan",
    "null",
    "NULL",
    "n/a",
    "<NA>",
    "NA ",
    "None",
]
_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}


def open_table(path: str, input_format: str | None, stdin: BinaryIO | None) -> Table:
    """Open a file (or ``-``) in the format its content shows."""
    opened = open_path(path, stdin)
    try:
        with converting(opened.label):
            head = opened.stream.peek(8)
            if not head:
                raise DataError(f"{opened.label}: is empty; a header and rows are needed.")
            found = next((f for magic, f in _MAGIC.items() if head.startswith(magic)), "csv")
            wanted = input_format or _by_name(path) or found
            if wanted != found:
                told = "--input-format" if input_format else "its name"
                raise DataError(
                    f"{opened.label}: {told} says {wanted}, but the content looks like {found} or "
                    "is damaged. Check the file, or rename it."
                )
            read = {"csv": _csv, "parquet": _parquet, "arrow": _arrow}[found]
            table = read(opened)
            require_unique(table.names, table.label)
            return table
    except BaseException:
        opened.close()
        raise


def _by_name(path: str) -> str | None:
    """Formats whose extension is a promise; a .csv that is Parquet is read as Parquet."""
    name = path.lower()
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    return "arrow" if name.endswith((".arrow", ".feather", ".ipc")) else None


def _csv(opened: Opened) -> Table:
    head = opened.stream.peek(1 << 14)
    while b"\n" not in head and len(head) < HEADER_BYTES:
        longer = opened.stream.peek(2 * len(head))
        if len(longer) == len(head):
            break
        head = longer
    if b"\0" in head:
        raise DataError(
            f"{opened.label}: is binary data, neither CSV, Parquet nor Arrow. Check the file."
        )
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{opened.label}: {_ENCODING}") from None
    delimiter = max(",;\t", key=text.count)
    names = tuple(next(csv.reader(io.StringIO(text), delimiter=delimiter), []))
    if not names:
        raise DataError(f"{opened.label}: the first line is empty; column names are expected.")

    def blocks(positions: Sequence[int]) -> Iterator[Block]:
        with converting(opened.label):
            yield from _csv_blocks(opened, names, delimiter, positions)

    return Table(
        opened.path, opened.label, names, blocks, opened.digest, opened.close,
        identity=opened.identity,
    )  # fmt: skip


_ENCODING = (
    "is not UTF-8 text. Only UTF-8 is read in this version (--encoding comes with the next); "
    "convert it, for example with: iconv -f latin1 -t utf8"
)


def _csv_blocks(
    opened: Opened, names: Sequence[str], delimiter: str, positions: Sequence[int]
) -> Iterator[Block]:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from kstest.sources.convert import kind_of, parsed

    chosen = [names[p] for p in positions]
    try:
        reader = pa_csv.open_csv(
            pa.PythonFile(opened.stream, mode="r"),
            pa_csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=list(names), skip_rows=1
            ),
            pa_csv.ParseOptions(delimiter=delimiter),
            # Cells arrive as text, so that a type guessed from the first block cannot be wrong
            # and a cell that is no number can be named with its row.
            pa_csv.ConvertOptions(
                include_columns=chosen,
                column_types=dict.fromkeys(chosen, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=NULLS,
            ),
        )
        kinds: list[str | None] = [None] * len(chosen)
        row = 1
        for batch in reader:
            columns = []
            for c, name in enumerate(chosen):
                cells, where = batch.column(c), f"{opened.label}: column {shown(name)}"
                if kinds[c] is None and cells.null_count < len(cells):
                    kinds[c] = kind_of(cells, where)
                columns.append(parsed(cells, kinds[c] or "number", where, row))
            row += len(batch)
            yield Block(np.column_stack(columns))
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return  # a header without rows; the caller says so
        if "UTF8" in str(error):
            raise DataError(f"{opened.label}: {_ENCODING}") from error
        raise


def _parquet(opened: Opened) -> Table:
    import pyarrow.parquet as pq

    file, digest, close = seekable(opened)
    handle = pq.ParquetFile(file, pre_buffer=False)
    names = tuple(handle.schema_arrow.names)

    def batches(chosen: list[str]) -> Iterator[Any]:
        return iter(handle.iter_batches(BATCH_ROWS, columns=chosen, use_threads=False))

    return _columnar(opened, names, batches, digest, close)


def _arrow(opened: Opened) -> Table:
    import pyarrow as pa

    file, digest, close = seekable(opened)
    magic = file.read(6)
    file.seek(0)
    if magic == b"ARROW1":
        reader = pa.ipc.open_file(file)
        schema = reader.schema

        def batches(chosen: list[str]) -> Iterator[Any]:
            return (reader.get_batch(i).select(chosen) for i in range(reader.num_record_batches))
    else:
        stream = pa.ipc.open_stream(file)
        schema = stream.schema

        def batches(chosen: list[str]) -> Iterator[Any]:
            return (batch.select(chosen) for batch in stream)

    return _columnar(opened, tuple(schema.names), batches, digest, close)


def _columnar(
    opened: Opened, names: tuple[str, ...], batches: Any, digest: Any, close: Any
) -> Table:
    def blocks(positions: Sequence[int]) -> Iterator[Block]:
        with converting(opened.label):
            for batch in batches([names[p] for p in positions]):
                yield _block(batch, [names[p] for p in positions], opened.label)

    return Table(opened.path, opened.label, names, blocks, digest, close, identity=opened.identity)


def _block(batch: Any, chosen: Sequence[str], label: str) -> Block:
    from kstest.sources.convert import typed

    return Block(
        np.column_stack([typed(batch.column(n), f"{label}: column {shown(n)}") for n in chosen])
    )


def object_table(data: Any, role: str) -> Table:
    """Build a Table from an array, a DataFrame, or anything that exports an Arrow stream."""
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        table = pa.table(data).combine_chunks()
        names = tuple(str(n) for n in table.column_names if not str(n).startswith("__index_level"))

        def from_arrow(positions: Sequence[int]) -> Iterator[Block]:
            for batch in table.to_batches():
                yield _block(batch, [names[p] for p in positions], f"the {role}")

        return Table("<table>", f"the {role}", names, from_arrow)
    values = np.asarray(data)
    if values.dtype.kind not in "fiub" or values.ndim not in (1, 2):
        raise UsageError(
            f"the {role}: found an array of {values.dtype} with {values.ndim} dimensions; a "
            "numeric array (n,) or (n, d), a DataFrame or an Arrow table is accepted"
        )
    matrix = values.reshape(len(values), -1).astype(np.float64)
    numbers = tuple(str(c + 1) for c in range(matrix.shape[1]))

    def from_array(positions: Sequence[int]) -> Iterator[Block]:
        yield Block(matrix[:, list(positions)])

    return Table("<array>", f"the {role}", numbers, from_array, named=False)
