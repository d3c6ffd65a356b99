"""Sequences of many files in pieces that any process can read by itself, and a look at all files.

A piece is a row group of a Parquet file whose rows are sequences, or a whole file, read block by
block. A table with a row per event is read whole, since the events of a sequence may be anywhere in
it. No alphabet is common to the blocks: tests of sequences take that of their model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.result import Notice
from kstest.sample import Input, Sample, Sequences
from kstest.sources.collect import open_firsts
from kstest.sources.compression import plain_name
from kstest.sources.match import named_like, require_columns
from kstest.sources.notices import NothingLeftError
from kstest.sources.pieces import (
    Piece,
    Pieces,
    Span,
    add_counts,
    is_parquet,
    pieces_of,
    repeated,
    require_lasting,
    require_unchanged,
    spans_of_pieces,
)
from kstest.sources.planning import require_kinds
from kstest.sources.row_groups import groups_file
from kstest.sources.sequence_options import SequenceOptions
from kstest.sources.sequence_parts import nothing, refuse_empty
from kstest.sources.sequence_text import Symbols
from kstest.sources.sequences import (
    Found,
    blocks_of_column,
    event_tables,
    open_blocks,
    read_events,
)
from kstest.sources.stores import absolute, expanded, labelled, stamp
from kstest.sources.stream import open_path
from kstest.wording import shown

# Sequences of a span (of text a guess, by the size), at least where files have as many: they take
# some twenty times as long as rows of numbers.
SPAN_ROWS = 100_000
# Bytes in memory of a byte of text, a symbol or less; and of a byte that is compressed.
TEXT_BYTES, PACKED_BYTES = 4, 16


@frozen
class SequenceFiles:
    """How pieces of files of sequences are read; see `kstest.contract.SpanReader`."""

    options: SequenceOptions

    def samples(
        self, span: Span, counts: dict[int, tuple[int, ...]] | None = None
    ) -> Iterator[tuple[Piece, Sample]]:
        """Yield the sequences of a span block by block; their codes hold within a block only.

        Raises
        ------
        DataError
            Also where a file is not the one that was looked at first.
        """
        for piece in span.pieces:
            require_unchanged(piece.path, piece.stamp)
            read = self._blocks if self.options.id is None else self._events
            for sample in read(piece, span.side):
                if counts is not None:
                    add_counts(counts, piece.number, sample.inputs[0])
                if sample.n:
                    yield piece, sample
            require_unchanged(piece.path, piece.stamp)

    def _blocks(self, piece: Piece, side: str) -> Iterator[Sample]:
        symbols, row = Symbols(), piece.first
        with ExitStack() as stack:
            found = _opened(piece.path, piece.groups, row + 1, self.options, symbols, stack)
            for block, empty in found.blocks:
                yield self._sample(piece, side, symbols.join([block], found.name), empty, row)
                row += len(empty)
        if row == piece.first:
            raise nothing(piece.label)

    def _sample(
        self, piece: Piece, side: str, found: Sequences, empty: NDArray[np.bool_], row: int
    ) -> Sample:
        """A block whose first line has `row` lines before it."""
        numbers, rows = row + 1 + np.arange(len(empty), dtype=np.int64), len(empty)
        if empty.any() and self.options.empty == "error":
            raise refuse_empty(piece.label, int(numbers[empty][0]))
        if empty.any() and self.options.empty == "drop":
            numbers = numbers[~empty]
            found = replace(found, offsets=np.concatenate([[0], found.offsets[1:][~empty]]))
        used = len(numbers)
        source = Input(piece.path, rows, used, rows - used)
        none = np.empty((used, 0))
        return Sample(side, none, (), (source,), kept=(numbers,), sequences=found)

    def _events(self, piece: Piece, side: str) -> Iterator[Sample]:
        try:
            found, inputs, _ = read_events([piece.path], self.options, None)
        except NothingLeftError:  # --where leaves out all events of this file
            return
        yield Sample(side, np.empty((len(found), 0)), (), inputs, sequences=found)


def _opened(
    path: str, groups: tuple[int, ...] | None, first: int, options: SequenceOptions,
    symbols: Symbols, stack: ExitStack,
) -> Found:  # fmt: skip
    """Open a file, or some row groups of it whose first row has the number `first`."""
    if groups is not None:
        file = groups_file(path, groups)
        stack.callback(file.close)
        return blocks_of_column(file, options, symbols, labelled(path), first)
    opened = open_path(path, None)
    stack.callback(opened.close)
    return open_blocks(opened, options, symbols)


@frozen
class SequenceSurvey(Pieces):
    """What is known of all files of sequences before any of them is read; a `contract.Spans`.

    Attributes
    ----------
    name : str
        Of the column of sequences.
    remarks : tuple of Notice
    """

    name: str
    remarks: tuple[Notice, ...] = ()

    columns: Sequence[str] = ()
    categorical: Sequence[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def kinds(self) -> Mapping[str, str]:
        return {}

    @property
    def megabytes(self) -> float:
        """What all sequences may take in memory."""
        sizes = {p.path: (p.stamp[0], p) for span in self.spans for p in span.pieces}
        return sum(size * _bytes(piece) for size, piece in sizes.values()) / 1e6

    def notices(
        self,
        levels: Sequence[Mapping[str, Mapping[str, int]]],
        ranges: Mapping[str, tuple[Any, Any, Any]],
    ) -> tuple[Notice, ...]:
        """What there is to say of the files; refuses a side without a sequence."""
        for side, (rows, *_) in ranges.items():
            if not rows:
                raise DataError(f"{side}: no sequence is left. At least one is needed.")
        return self.remarks


def _bytes(piece: Piece) -> int:
    packed = piece.groups is not None or plain_name(piece.path) != piece.path
    return PACKED_BYTES if packed else TEXT_BYTES


def survey_sequences(
    sides: Mapping[str, Sequence[str]], options: SequenceOptions
) -> SequenceSurvey:
    """Look at every file: whether it is there, and holds its sequences like the others.

    Raises
    ------
    UsageError, DataError
        With a message for the user. No sequence is read.
    """
    require_lasting(sides)
    written = {
        side: tuple(one for path in paths for one in expanded(path, side))
        for side, paths in sides.items()
    }
    files = {side: [absolute(path) for path in paths] for side, paths in written.items()}
    pieces: dict[str, list[Piece]] = {}
    look = _look if options.id is None else _look_at_events
    for side, paths in files.items():
        name = look(paths, options)
        pieces[side] = []
        for number, path in enumerate(paths):
            groups = options.id is None and is_parquet(path, options.input_format)
            pieces[side] += pieces_of(path, number, stamp(path) or (0, 0), groups)
    return SequenceSurvey(
        SequenceFiles(options),
        tuple(spans_of_pieces(pieces, SPAN_ROWS, whole=False)),
        written,
        name,
        tuple(repeated(files)),
    )


def _look(paths: Sequence[str], options: SequenceOptions) -> str:
    """Name the column of sequences, which all files have, and write in one way."""
    first: Found | None = None
    for path in paths:
        with ExitStack() as stack:
            groups = () if is_parquet(path, options.input_format) else None
            found = _opened(path, groups, 1, options, Symbols(), stack)
        first = first or found
        if (found.name, found.held) != (first.name, first.held):
            raise DataError(
                f"{labelled(path)} holds {_held(found)}, and {labelled(paths[0])} {_held(first)}: "
                "files of one data set hold their sequences in one way; name the column with "
                "--column, or write all of them alike"
            )
    assert first is not None
    return first.name


def _held(found: Found) -> str:
    inside = found.held in ("lists", "texts")
    return f"{found.held} in column {shown(found.name)}" if inside else found.held


def _look_at_events(paths: Sequence[str], options: SequenceOptions) -> str:
    reading, openers = event_tables(paths, options)
    with ExitStack() as stack:
        firsts, selection, plan = open_firsts({"data": openers}, reading, stack)
        for opener in openers[1:]:
            table = named_like(opener(), firsts["data"])
            try:
                require_columns(table, selection)
                require_kinds(table, plan)
            finally:
                table.close()
    assert options.symbol is not None
    return options.symbol
