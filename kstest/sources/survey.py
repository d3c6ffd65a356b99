"""A look at all files before any row is read: schemas, row groups, sizes; and their spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from kstest.sources.collect import open_firsts
from kstest.sources.join import notes_on, words_of
from kstest.sources.match import named_like, require_columns
from kstest.sources.nulls import Nulls
from kstest.sources.options import ReadOptions
from kstest.sources.pieces import (
    Piece,
    Pieces,
    is_parquet,
    pieces_of,
    repeated,
    require_lasting,
    spans_of_pieces,
)
from kstest.sources.plan import Plan
from kstest.sources.planning import require_kinds
from kstest.sources.spans import SpanFiles, opener
from kstest.sources.stores import absolute, expanded, stamp

# Rows of a span, at least where files have as many.
SPAN_ROWS = 1_000_000
# Options of reading that look at a table as a whole.
WHOLE = ("group", "chain", "unit", "weights", "counts", "explode", "sample_column", "pivot")


@frozen
class Survey(Pieces):
    """What is known of all files of a table before any row is read.

    Attributes
    ----------
    plan : Plan
        Which columns.
    remarks : tuple of Notice
    """

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
    def megabytes(self) -> float:
        """What all rows take in memory."""
        width = len(self.plan.numbers) + len(self.plan.texts) / 2
        return sum(span.rows for span in self.spans) * width * 8 / 1e6

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
    written = {
        side: tuple(one for path in paths for one in expanded(path, side))
        for side, paths in sides.items()
    }
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
                by_groups = is_parquet(path, options.input_format)
                pieces[side] += pieces_of(path, number, found or (0, 0), by_groups)
        selection.excluded.require_matches(tuple(seen))
    return Survey(
        SpanFiles({side: paths[0] for side, paths in files.items()}, options),
        tuple(spans_of_pieces(pieces, SPAN_ROWS)),
        {side: tuple(paths) for side, paths in written.items()},
        plan,
        tuple(repeated(files)),
    )


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
    require_lasting(sides)
