"""Sequences of symbols, of any lengths, as Samples: from files and streams.

::

    path -> sequence_text (lines, JSON) | sequence_columns (lists) -> blocks of symbols
         -> sequence_parts -> Sample

Python objects are taken by `sequence_objects`; `sequence_spans` reads files in parts.

The sequences of a run share one alphabet and integer codes (`kstest.sample.Sequences`); everything
else (Input, notices, errors) is as for tables. No cell is a missing value here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kstest.columns import quoted
from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sample import Input, Sample, Sequences
from kstest.sources.arrow_file import ArrowFile
from kstest.sources.collect import collect
from kstest.sources.compression import plain_name
from kstest.sources.dialect_options import dialect
from kstest.sources.formats import FORMATS
from kstest.sources.opening import open_table, opened_columns, text_stream, told
from kstest.sources.options import ReadOptions
from kstest.sources.paths import expand
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequence_parts import NAME, Part, joined, nothing, sample_of
from kstest.sources.sequence_text import Block, Symbols, blocks_of_lines
from kstest.sources.stream import Opened, converting, open_path
from kstest.sources.table import Table
from kstest.wording import listed, shown


def read_sequences(
    sides: Mapping[str, Sequence[str]], options: SequenceOptions, stdin: BinaryIO | None = None
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read one sample of sequences per side from files.

    Parameters
    ----------
    sides : mapping of str to sequence of str
        Paths and globs by side; all files of a side are one sample.
    options : SequenceOptions
    stdin : binary file, optional
        What ``-`` reads.

    Raises
    ------
    UsageError, DataError
        With a message for the user. No other exception comes from bad input.
    """
    samples: list[Sample] = []
    notices: list[Notice] = []
    for side, patterns in sides.items():
        paths = [p for pattern in patterns for p in expand(pattern, side)]
        if paths.count("-") > 1:
            raise UsageError(
                "-: standard input was named more than once; it can be read only once."
            )
        if options.id is not None:
            found, inputs, said = read_events(paths, options, stdin)
            notices.extend(said)
            samples.append(sample_of(side, found, inputs, ()))
            continue
        symbols, parts = Symbols(), []
        for path in paths:
            opened = open_path(path, stdin)
            try:
                parts.append(_file(opened, options, symbols))
            finally:
                opened.close()
        samples.append(joined(side, parts, symbols, options))
    return tuple(samples), tuple(notices)


def event_tables(
    paths: Sequence[str], options: SequenceOptions, stdin: BinaryIO | None = None
) -> tuple[ReadOptions, list[Callable[[], Table]]]:
    """How files with a row per event are read as tables, and what opens them.

    Raises
    ------
    UsageError
        For options that cannot be together.
    """
    if options.symbol is None:
        raise UsageError("--id: a table of events needs --symbol too, the column of the symbols.")
    names = [str(options.id), options.symbol, *([options.order] if options.order else [])]
    if len(set(names)) < len(names):
        raise UsageError(f"--id, --order, --symbol: {listed(names)}; give different columns.")
    reading = ReadOptions(
        columns=quoted(names[1:]),
        categorical=quoted([options.symbol]),
        group=options.id,
        missing="drop",
        where=options.where,
        input_format=options.input_format,
        delimiter=options.delimiter,
        encoding=options.encoding,
        null_values="",  # na, nan, none are words
    )
    how = dialect(reading)
    return reading, [partial(open_table, path, options.input_format, how, stdin) for path in paths]


def read_events(
    paths: Sequence[str], options: SequenceOptions, stdin: BinaryIO | None
) -> tuple[Sequences, Any, tuple[Any, ...]]:
    """Read a long table: a row per event, sequences by --id, in the order of --order.

    Returns
    -------
    sequences : Sequences
    inputs : tuple of Input
    notices : tuple of Notice
    """
    reading, openers = event_tables(paths, options, stdin)
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
    assert options.symbol is not None
    found = Sequences(options.symbol, codes, offsets, sample.levels[0], sample.group_names)
    return found, tuple(_per_sequence(sample.inputs, len(found))), notices


def _per_sequence(inputs: Any, count: int) -> Iterator[Any]:
    """Inputs that count sequences where rows are events: all are booked on the first file."""
    for k, source in enumerate(inputs):
        rows = count if k == 0 else 0
        yield replace(source, rows_read=rows, rows_used=rows, rows_dropped=0, rows_filtered=0)


@frozen
class Found:
    """What a file holds, before it is read.

    Attributes
    ----------
    name : str
        Of the column of sequences.
    held : str
        How they are written, in a word.
    blocks : iterator
        Sequences, and which of them are empty lines.
    digest : callable
    """

    name: str
    held: str
    blocks: Iterator[tuple[Block, NDArray[np.bool_]]]
    digest: Callable[[], str | None]


def open_blocks(opened: Opened, options: SequenceOptions, symbols: Symbols) -> Found:
    """Look at what a file holds; its blocks are read when they are asked for."""
    where = opened.label
    with converting(where):
        opened, kind = told(opened)
    tokens = options.tokens
    wanted, columnar = options.input_format, {f.name for f in FORMATS} - {"json"}
    if wanted in columnar and (kind is None or kind.name != wanted):
        raise DataError(f"{where}: --input-format {wanted} was given, but the content is not.")
    if kind is not None and (wanted in (None, kind.name) or wanted in columnar):
        return blocks_of_column(opened_columns(opened, kind), options, symbols, where)
    if options.column is not None:
        raise UsageError(f"--column: {where} is text, which has no columns of lists.")
    with converting(where):
        stream = text_stream(opened, dialect(ReadOptions(encoding=options.encoding)))
    plain = plain_name(opened.file.lower())
    if wanted == "json" or (wanted is None and plain.endswith((".json", ".jsonl", ".ndjson"))):
        tokens = "json"
    held = "JSON lists" if tokens == "json" else "lines of text"
    return Found(NAME, held, blocks_of_lines(stream, tokens, symbols, where), opened.digest)


def blocks_of_column(
    file: ArrowFile, options: SequenceOptions, symbols: Symbols, where: str, first: int = 1
) -> Found:
    """The sequences of a column of a file with types; `first` is the number of its first row."""
    from kstest.sources.sequence_columns import holds_lists, list_block, open_lists, text_block

    name, arrays = open_lists(file, options.column, where)
    lists = holds_lists(file, name)

    def blocks() -> Iterator[tuple[Block, NDArray[np.bool_]]]:
        row, take = first, list_block if lists else text_block
        for array in arrays:
            yield take(array, options.tokens, symbols, row, where)
            row += len(array)

    return Found(name, "lists" if lists else "texts", blocks(), file.digest)


def _file(opened: Opened, options: SequenceOptions, symbols: Symbols) -> Part:
    found, where = open_blocks(opened, options, symbols), opened.label
    some = list(found.blocks)
    if not some:
        raise nothing(where)
    blocks, masks = zip(*some, strict=True)
    empty = np.concatenate(masks)
    rows = len(empty)
    source = Input(opened.path, rows, rows, 0, found.digest())
    return Part(list(blocks), empty, source, where, found.name)
