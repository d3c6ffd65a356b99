"""A look at all files before any row is read: schemas, row groups, sizes; and their spans."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field
from typing import Any

import numpy as np

from kstest.diagnostics.tracks import Track
from kstest.diagnostics.tracks import notices as track_notices
from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.params import option_name
from kstest.result import Notice
from kstest.sample import Input
from kstest.sources.collect import open_firsts
from kstest.sources.columnar import PARQUET
from kstest.sources.join import notes_on, words_of
from kstest.sources.match import named_like, require_columns
from kstest.sources.nulls import Nulls
from kstest.sources.options import ReadOptions
from kstest.sources.paths import is_query, is_store
from kstest.sources.plan import Plan
from kstest.sources.planning import require_kinds
from kstest.sources.remote import require_no_password
from kstest.sources.spans import Piece, Span, SpanFiles, is_parquet, opener
from kstest.sources.stores import absolute, expanded, labelled, open_file, shown_path, stamp
from kstest.sources.stream import converting
from kstest.wording import label

# Rows of a span, at least where files have as many, and spans at most.
SPAN_ROWS, MOST_SPANS = 1_000_000, 256
# What a row of text is taken to be, before it is read, for the progress.
ROW_BYTES = 32
# Options of reading that look at a table as a whole.
WHOLE = ("group", "chain", "unit", "weights", "counts", "explode", "sample_column", "pivot")


@frozen
class Survey:
    """What is known of all files before any row is read.

    Attributes
    ----------
    files : SpanFiles
    spans : tuple of Span
    paths : mapping of str to tuple of str
        As they were written, by side.
    plan : Plan
        Which columns.
    remarks : tuple of Notice
    """

    files: SpanFiles
    spans: tuple[Span, ...]
    paths: Mapping[str, tuple[str, ...]]
    plan: Plan = field(repr=False)
    remarks: tuple[Notice, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Numeric columns."""
        return self.plan.columns

    @property
    def categorical(self) -> tuple[str, ...]:
        return self.plan.categorical

    @property
    def names(self) -> tuple[str, ...]:
        """All columns of the first file."""
        return tuple(self.plan.first.names)

    @property
    def kinds(self) -> Mapping[str, str]:
        """What the columns hold."""
        return self.plan.kinds

    @property
    def numbered(self) -> bool:
        """Whether the number of rows is known, and not a guess."""
        return all(p.groups is not None for span in self.spans for p in span.pieces)

    @property
    def megabytes(self) -> float:
        """What all rows take in memory."""
        width = len(self.plan.numbers) + len(self.plan.texts) / 2
        return sum(span.rows for span in self.spans) * width * 8 / 1e6

    @property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of every local file."""
        pieces = (piece for span in self.spans for piece in span.pieces)
        return {p.path: p.stamp for p in pieces if not is_store(p.path)}

    def inputs(self, side: str, counts: Sequence[tuple[int, ...]]) -> tuple[Input, ...]:
        """Files of a side, from the rows read, used, dropped and filtered of each."""
        return tuple(
            Input(shown_path(path), read, used, dropped, None, filtered)
            for path, (read, used, dropped, filtered) in zip(self.paths[side], counts, strict=True)
        )

    def notices(
        self,
        levels: Sequence[Mapping[str, Mapping[str, int]]],
        ranges: Mapping[str, tuple[Any, Any, Any]],
    ) -> tuple[Notice, ...]:
        """What there is to say of the columns; refuses text that is no category, and no rows.

        Parameters
        ----------
        levels : sequence of mapping
            For every categorical column, by side, how often each level occurs.
        ranges : mapping
            Rows, smallest and largest values of the numeric columns by side.
        """
        for side, (rows, *_) in ranges.items():
            if not rows:
                raise DataError(
                    f"{side}: no row is left after --where and --missing. Look at the values of "
                    "its columns."
                )
        found = list(self.remarks)
        for name, sides in zip(self.plan.categorical, levels, strict=True):
            texts = sorted({text for some in sides.values() for text in some})
            counts = {s: np.array([some.get(t, 0) for t in texts]) for s, some in sides.items()}
            words = words_of(self.plan, name, self.plan.first.label, texts, counts)
            found += notes_on(self.plan, words)
        tracks = {}
        for side, (rows, low, high) in ranges.items():
            tracks[side] = track = Track(len(low))
            track.rows[:], track.low, track.high = rows, low, high
            track.rising[:] = track.falling[:] = track.even[:] = False  # of spans nobody knows
        return (*found, *track_notices(self.plan.columns, self.plan.kinds, tracks))


def survey(sides: Mapping[str, Sequence[str]], options: ReadOptions) -> Survey:
    """Look at every file: its columns, its row groups, and whether all agree.

    Raises
    ------
    UsageError, DataError
        With a message for the user. No row is read.
    """
    _require_rowwise(sides, options)
    written = {side: _expanded(paths, side) for side, paths in sides.items()}
    files = {side: [absolute(path) for path in paths] for side, paths in written.items()}
    nulls = Nulls.of(options)
    openers = {s: [opener(p, s, options, nulls) for p in paths] for s, paths in files.items()}
    pieces: dict[str, list[Piece]] = {side: [] for side in files}
    with ExitStack() as stack:
        firsts, selection, plan = open_firsts(openers, options, stack)
        seen: dict[str, None] = {}
        for side, paths in files.items():
            for number, path in enumerate(paths):
                found = stamp(path)
                table = (
                    firsts[side]
                    if not number
                    else named_like(openers[side][number](), firsts[side])
                )
                try:
                    require_columns(table, selection)
                    require_kinds(table, plan)
                    seen.update(dict.fromkeys(table.names))
                finally:
                    if number:
                        table.close()
                pieces[side] += _pieces(path, number, found or (0, 0), options)
        selection.excluded.require_matches(tuple(seen))
    return Survey(
        SpanFiles({side: paths[0] for side, paths in files.items()}, options),
        tuple(_spans(pieces)),
        {side: tuple(paths) for side, paths in written.items()},
        plan,
        tuple(_repeated(files)),
    )


def _repeated(files: Mapping[str, Sequence[str]]) -> Iterator[Notice]:
    """The same file twice: rows that are no independent draws."""
    seen: dict[str, str] = {}
    for side, paths in files.items():
        for path in paths:
            place = path if is_store(path) else os.path.realpath(path)
            here = f"{labelled(path)} ({side})"
            if place in seen:
                yield Notice(
                    "same-file",
                    f"{seen[place]} and {here} are the same file: the rows are not independent "
                    "draws.",
                )
                return
            seen[place] = here


def _require_rowwise(sides: Mapping[str, Sequence[str]], options: ReadOptions) -> None:
    """Refuse what cannot be read span by span."""
    for name in WHOLE:
        if getattr(options, name) is not None:
            raise UsageError(
                f"{option_name(name)}: not with files that are read in two passes (--scheduler); "
                "leave one of the two out"
            )
    if options.missing == "indicator":
        raise UsageError(
            "--missing indicator: not with files that are read in two passes (--scheduler); use "
            "--missing drop"
        )
    for path in (path for paths in sides.values() for path in paths):
        if is_store(path):
            require_no_password(path)
        if is_query(path) or path.startswith(("http://", "https://")):
            raise UsageError(
                f"{label(path)}: not with --scheduler, which reads files twice and in parts; "
                "accepted: local files, s3://, gs:// and abfs://"
            )
    if any(path == "-" for paths in sides.values() for path in paths):
        raise UsageError(
            "-: standard input can be read only once, and --scheduler reads twice; name a file"
        )


def _expanded(paths: Sequence[str], side: str) -> tuple[str, ...]:
    return tuple(one for path in paths for one in expanded(path, side))


def _spans(pieces: Mapping[str, Sequence[Piece]]) -> Iterator[Span]:
    """Put pieces together to spans of about one size, fixed by the files alone."""
    total = sum(piece.rows for some in pieces.values() for piece in some)
    target = max(SPAN_ROWS, -(-total // MOST_SPANS))
    for side, some in pieces.items():
        held: list[Piece] = []
        for piece in some:
            if held and (piece.groups is None or sum(p.rows for p in held) + piece.rows > target):
                yield Span(side, tuple(held))
                held = []
            held.append(piece)
            if piece.groups is None:
                yield Span(side, tuple(held))
                held = []
        if held:
            yield Span(side, tuple(held))


def _pieces(
    path: str, number: int, found: tuple[int, int], options: ReadOptions
) -> Iterator[Piece]:
    """A piece for every row group, or one for a file without them."""
    if not is_parquet(path, options):
        yield Piece(path, number, None, 0, max(1, found[0] // ROW_BYTES), found)
        return
    import pyarrow.parquet as pq

    with converting(labelled(path)), open_file(path) as file:
        metadata = pq.ParquetFile(file, **PARQUET).metadata
        rows = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    if not sum(rows):
        raise DataError(f"{labelled(path)}: has columns but no rows. At least one row is needed.")
    first = 0
    for group, count in enumerate(rows):
        if count:
            yield Piece(path, number, (group,), first, count, found)
        first += count
