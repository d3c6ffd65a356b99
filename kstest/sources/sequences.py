"""Sequences of symbols, of any lengths, as Samples: from files, streams and Python objects.

::

    path -> sequence_text (lines, JSON) | sequence_columns (lists) -> symbols -> Sample

The sequences of a run share one alphabet and integer codes (`kstest.sample.Sequences`); everything
else (Input, notices, errors) is as for tables. No cell is a missing value here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from kstest.sources.collect import collect
from kstest.sources.compression import plain_name
from kstest.sources.dialect_options import dialect
from kstest.sources.formats import FORMATS
from kstest.sources.objects import PATH
from kstest.sources.opening import open_table, opened_columns, text_stream, told
from kstest.sources.options import ReadOptions
from kstest.sources.paths import expand
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequence_text import Block, Symbols, blocks_of_lines, token, tokenised
from kstest.sources.stream import Opened, open_path
from kstest.wording import listed, shown

NAME = "sequence"


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
            samples.append(_sample(side, found, inputs, ()))
            continue
        symbols, parts = Symbols(), []
        for path in paths:
            opened = open_path(path, stdin)
            try:
                parts.append(_file(opened, options, symbols))
            finally:
                opened.close()
        samples.append(_joined(side, parts, symbols, options))
    return tuple(samples), tuple(notices)


def sequences_from_objects(
    objects: Mapping[str, object], options: SequenceOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Make one sample per side from iterables of texts, or of lists of texts and whole numbers.

    A text is cut by `options.tokens`, as a line of a file would be.
    """
    samples = []
    for side, rows in objects.items():
        if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
            raise DataError(
                f"{side}: found {shown(type(rows).__name__)}; accepted: a list of texts, or of "
                "lists of texts or whole numbers."
            )
        symbols, items = Symbols(), list(rows)
        if all(isinstance(item, str) for item in items):
            block, empty = tokenised(items, options.tokens, symbols, 1, side)
        else:
            lists = [_object(row, f"{side}: row {k + 1:,}") for k, row in enumerate(items)]
            codes = symbols.words([word for words in lists for word in words], side)
            block = Block(codes, np.array([len(words) for words in lists], np.int64))
            empty = np.zeros(len(lists), bool)
        part = _Part([block], empty, Input(PATH, 0, 0, 0), side, NAME)
        samples.append(_joined(side, [part], symbols, options))
    return tuple(samples), ()


def _object(row: Any, where: str) -> list[str]:
    if isinstance(row, str | bytes | Mapping) or not isinstance(row, Iterable):
        raise DataError(
            f"{where} is {shown(row)}; accepted: texts, or lists of texts or whole numbers, and "
            "not a mixture."
        )
    return [token(item, where) for item in row]


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


@frozen
class _Part:
    """What one file holds; `empty` marks its empty lines."""

    blocks: list[Block]
    empty: NDArray[np.bool_]
    input: Input
    label: str
    name: str


def _file(opened: Opened, options: SequenceOptions, symbols: Symbols) -> _Part:
    opened, kind = told(opened)
    name, tokens, where = NAME, options.tokens, opened.label
    found: list[tuple[Block, NDArray[np.bool_]]] = []
    wanted, columnar = options.input_format, {f.name for f in FORMATS} - {"json"}
    if wanted in columnar and (kind is None or kind.name != wanted):
        raise DataError(f"{where}: --input-format {wanted} was given, but the content is not.")
    if kind is not None and (wanted in (None, kind.name) or wanted in columnar):
        from kstest.sources.sequence_columns import list_block, open_lists, text_block

        file = opened_columns(opened, kind)
        name, arrays = open_lists(file, options.column, where)
        digest = file.digest
        row = 1
        for array in arrays:
            take = text_block if str(array.type).endswith("string") else list_block
            found.append(take(array, tokens, symbols, row, where))
            row += len(array)
    else:
        if options.column is not None:
            raise UsageError(f"--column: {where} is text, which has no columns of lists.")
        stream = text_stream(opened, dialect(ReadOptions(encoding=options.encoding)))
        plain = plain_name(opened.file.lower())
        if wanted == "json" or (wanted is None and plain.endswith((".json", ".jsonl", ".ndjson"))):
            tokens = "json"
        found.extend(blocks_of_lines(stream, tokens, symbols, where))
        digest = opened.digest
    if not found:
        raise DataError(f"{where}: holds no sequence. At least one is needed.")
    blocks, masks = zip(*found, strict=True)
    empty = np.concatenate(masks)
    rows = len(empty)
    return _Part(list(blocks), empty, Input(opened.path, rows, rows, 0, digest()), where, name)


def _joined(
    side: str, parts: Sequence[_Part], symbols: Symbols, options: SequenceOptions
) -> Sample:
    """One Sample of all files, empty lines treated as asked."""
    inputs, kept = [], []
    for part in parts:
        rows = len(part.empty)
        empty = np.flatnonzero(part.empty)
        if len(empty) and options.empty == "error":
            raise DataError(
                f"{part.label}: line {empty[0] + 1:,} is empty ({len(empty):,} of {rows:,} are). "
                "Say --empty drop to leave such lines out, or --empty keep to take them as "
                "sequences without a symbol."
            )
        dropped = len(empty) if options.empty == "drop" else 0
        kept.append(np.flatnonzero(~part.empty) + 1 if dropped else None)
        source = part.input
        inputs.append(Input(source.path, rows, rows - dropped, dropped, source.sha256))
    blocks = [block for part in parts for block in part.blocks]
    for part in parts:
        part.blocks.clear()
    found = replace(symbols.join(blocks, parts[0].name), tokens=options.tokens)
    if any(numbers is not None for numbers in kept):
        # What is dropped has no symbol, so only the offsets change.
        full = np.concatenate([~part.empty for part in parts])
        found = replace(found, offsets=np.concatenate([[0], found.offsets[1:][full]]))
    if not len(found):
        raise DataError(f"{side}: no sequence is left. At least one is needed.")
    return _sample(side, found, tuple(inputs), tuple(kept))


def _sample(
    side: str,
    sequences: Sequences,
    inputs: tuple[Input, ...],
    kept: tuple[NDArray[np.int64] | None, ...],
) -> Sample:
    return Sample(
        name=side,
        values=np.empty((len(sequences), 0)),
        columns=(),
        inputs=inputs,
        kept=kept,
        sequences=sequences,
    )
