"""Sequences in tables: a column of lists (Parquet, Arrow), or a table with a row per event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError, UsageError
from kstest.sample import Sequences
from kstest.sources.collect import collect
from kstest.sources.columnar import PARQUET, checked, parquet_batches
from kstest.sources.convert import base_name, to_coded
from kstest.sources.dialect import dialect
from kstest.sources.formats import open_table
from kstest.sources.options import ReadOptions
from kstest.sources.sequence_text import Block, Symbols, tokenised
from kstest.sources.stream import Opened, converting, seekable
from kstest.wording import listed, shown

_LISTS = ("list", "large_list")
_TEXTS = ("string", "large_string", "dictionary")


def open_lists(opened: Opened, kind: str, column: str | None) -> tuple[str, Iterator[Any], Any]:
    """Open a Parquet or Arrow file for its column of lists (or texts).

    Returns
    -------
    name : str
        Of the column: `column`, else the only one that holds lists, else texts.
    arrays : iterator of pyarrow.Array
        Its rows, in batches.
    digest : callable
        The SHA-256 of the file, after its rows.
    """
    with converting(opened.label, " Is the file complete?"):
        file, digest, _ = seekable(opened)
        schema, batches = _batches(file, kind, opened.label)
        name = _column(schema, column, opened.label)

        def arrays() -> Iterator[Any]:
            with converting(opened.label, " Is the file complete?"):
                yield from map(checked, batches(name))

        return name, arrays(), digest


def _batches(file: BinaryIO, kind: str, where: str) -> tuple[Any, Any]:
    import pyarrow as pa

    if kind == "parquet":
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(file, **PARQUET)
        return parquet.schema_arrow, lambda name: (
            batch.column(0) for batch in parquet_batches(parquet, [name], where)
        )
    source = pa.PythonFile(file, mode="r")
    if kind == "arrow":
        reader = pa.ipc.open_file(source)
        every = (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        reader = every = pa.ipc.open_stream(source)
    return reader.schema, lambda name: (batch.column(name) for batch in every)


def _column(schema: Any, column: str | None, where: str) -> str:
    names = list(schema.names)
    if column is not None:
        if column not in names:
            raise DataError(f"{where}: has no column {shown(column)}; it has {listed(names)}.")
        found = [column]
    else:
        for accepted in (_LISTS, _TEXTS):
            found = [n for n in names if base_name(schema.field(n).type) in accepted]
            if found:
                break
    if len(found) != 1:
        what = f"several such columns: {listed(found)}" if found else f"only {listed(names)}"
        raise DataError(
            f"{where}: name the column of sequences (lists or texts) with --column; found {what}. "
            "A table with a row per event takes --id, --order and --symbol."
        )
    kind = schema.field(found[0]).type
    inner = base_name(kind.value_type) if base_name(kind) in _LISTS else "string"
    if base_name(kind) not in (*_LISTS, *_TEXTS) or not (
        inner in _TEXTS or inner.startswith(("int", "uint"))
    ):
        raise DataError(
            f"{where}: column {shown(found[0])} holds {shown(kind)}; accepted: lists of texts or "
            "whole numbers, and texts."
        )
    return str(found[0])


def list_block(
    array: Any, tokens: str, symbols: Symbols, first: int, where: str
) -> tuple[Block, NDArray[np.bool_]]:
    """Take a batch of lists apart; `first` is the number of its first row."""
    _require_valid(array, first, where, "a list")
    flat = to_coded(array.flatten())
    wide = base_name(array.type) == "large_list"
    raw = np.frombuffer(array.buffers()[1], np.int64 if wide else np.int32)
    lengths = np.diff(raw[array.offset : array.offset + len(array) + 1]).astype(np.int64)
    missing = np.flatnonzero(flat.codes < 0)
    if len(missing):
        row = first + int(np.searchsorted(np.cumsum(lengths), missing[0], side="right"))
        raise DataError(
            f"{where}: the list in row {row:,} holds a missing value (null), which is no symbol. "
            "Write it as text, or leave it out."
        )
    codes = symbols.words(flat.levels, where)[flat.codes]
    return Block(codes, lengths), np.zeros(len(lengths), bool)


def text_block(
    array: Any, tokens: str, symbols: Symbols, first: int, where: str
) -> tuple[Block, NDArray[np.bool_]]:
    """Take a batch of texts apart, as lines of a file would be."""
    _require_valid(array, first, where, "a text")
    return tokenised([str(text) for text in array.to_pylist()], tokens, symbols, first, where)


def _require_valid(array: Any, first: int, where: str, what: str) -> None:
    if array.null_count:
        valid = array.is_valid().to_pylist()
        row = first + valid.index(False)
        raise DataError(
            f"{where}: row {row:,} holds no value, where {what} is needed. Leave such rows out, or "
            "make them empty."
        )


def read_events(
    paths: list[str], options: Any, stdin: BinaryIO | None
) -> tuple[Sequences, Any, tuple[Any, ...]]:
    """Read a long table: a row per event, sequences by --id, in the order of --order.

    Returns
    -------
    sequences : Sequences
    inputs : tuple of Input
    notices : tuple of Notice
    """
    names = [options.id, options.symbol, *([options.order] if options.order else [])]
    if options.symbol is None:
        raise UsageError("--id: a table of events needs --symbol too, the column of the symbols.")
    if len(set(names)) < len(names):
        raise UsageError(f"--id, --order, --symbol: {listed(names)}; give different columns.")
    reading = ReadOptions(
        columns=",".join(map(_quoted, names[1:])),
        categorical=_quoted(options.symbol),
        group=options.id,
        missing="drop",
        where=options.where,
        input_format=options.input_format,
        delimiter=options.delimiter,
        encoding=options.encoding,
        null_values="",  # na, nan, none are words
    )
    openers = [
        partial(open_table, path, options.input_format, dialect(reading), stdin) for path in paths
    ]
    samples, notices = collect({"data": openers}, reading)
    sample = samples[0]
    if sample.n_missing:
        column, count = next(iter(sample.n_missing.items()))
        raise DataError(
            f"{paths[0]}: {count:,} rows have no value in column {shown(column)}; every event "
            "needs one. Leave such rows out with --where."
        )
    if options.order and options.order not in sample.columns:
        raise DataError(
            f"{paths[0]}: column {shown(options.order)} of --order holds text; accepted: numbers, "
            "dates and times. Leave --order out where events are in order already."
        )
    assert sample.groups is not None
    keys = [sample.groups]
    if options.order:
        keys.insert(0, sample.values[:, 0])  # type: ignore[arg-type]
    place = np.lexsort(keys)
    codes = sample.codes[place, 0].astype(np.int32)
    lengths = np.bincount(sample.groups, minlength=len(sample.group_names))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    found = Sequences(options.symbol, codes, offsets, sample.levels[0], sample.group_names)
    return found, tuple(_per_sequence(sample.inputs, len(found))), notices


def _per_sequence(inputs: Any, count: int) -> Iterator[Any]:
    """Inputs that count sequences where rows are events: all are booked on the first file."""
    for k, source in enumerate(inputs):
        rows = count if k == 0 else 0
        yield replace(source, rows_read=rows, rows_used=rows, rows_dropped=0, rows_filtered=0)


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
