"""Feeds: rows of files and streams a block at a time, for tests that keep only what they learned.

What `collect` does for tests that need all rows at once; the same plan, columns, conditions and
rules for missing cells. A feed can be endless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kstest.diagnostics.tracks import Track
from kstest.diagnostics.tracks import notices as track_notices
from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Input, Sample
from kstest.sources.collect import open_firsts
from kstest.sources.convert import Levels
from kstest.sources.gathered import Gathered
from kstest.sources.join import join, notes_on, words_of
from kstest.sources.match import Selection, named_like, require_columns
from kstest.sources.notices import merged, refuse_missing
from kstest.sources.nulls import Nulls
from kstest.sources.options import ReadOptions
from kstest.sources.plan import Plan
from kstest.sources.planning import require_kinds
from kstest.sources.rows import Rows
from kstest.sources.table import Coded, Table

if TYPE_CHECKING:
    from kstest.sources.unit_streams import Stream

Opener = Callable[[], Table]


@dataclass
class Feed:
    """The rows of one side.

    Attributes
    ----------
    side : str
    plan : Plan
        Which columns.
    watch : Watch or None
        What all feeds of the run have shown, if anybody asks.
    nulls : Nulls or None
        What --null-values names, of all feeds.
    inputs : list of Input
        What was read so far, a file each.
    """

    side: str
    plan: Plan
    selection: Selection
    policy: str
    first: Table
    openers: Sequence[Opener]
    watch: Watch | None
    nulls: Nulls | None = None
    inputs: list[Input] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    bad_rows: int = 0
    stream: Stream | None = None
    remarks: list[tuple[str, Notice]] = field(default_factory=list)

    def samples(self) -> Iterator[Sample]:
        """Yield the used rows block by block; the codes of categories hold within a block only."""
        rows = (some for table in self._tables() for some in self.of(table))
        if self.stream is None:
            yield from rows
        else:
            for sample in self.stream.records(self.side, rows):
                if self.watch is not None:
                    self.watch.add(self.side, sample)
                yield sample
        if self.watch is not None:
            self.watch.notices()

    @property
    def varies(self) -> bool:
        """Whether some row of the sides differs from another, as far as anybody looked."""
        return self.watch is None or self.watch.vary()

    def notices(self) -> tuple[Notice, ...]:
        """What is to be said about the rows of this side so far."""
        if self.stream is not None:
            return self.stream.notices(self.side)
        if not self.bad_rows:
            return ()
        counts = ", ".join(f"{name!r}: {count:,}" for name, count in self.missing.items() if count)
        read = sum(i.rows_read - i.rows_filtered for i in self.inputs)
        message = (
            f"Missing or infinite values, {self.side}: {counts} ({self.bad_rows:,} of {read:,}"
        )
        return (Notice("missing-values", f"{message} rows)."),)

    def _tables(self) -> Iterator[Table]:
        yield self.first
        for opener in self.openers:
            table = named_like(opener(), self.first)
            try:
                require_columns(table, self.selection)
                require_kinds(table, self.plan)
                yield table
            finally:
                table.close()

    def of(self, table: Table, start: int = 0) -> Iterator[Sample]:
        """Yield the used rows of a table whose first row is row `start` (from 0) of its file."""
        plan, place = self.plan, len(self.inputs)
        self.inputs.append(Input(table.path, 0, 0, 0))
        self.remarks += [(table.label, notice) for notice in table.notices]
        if plan.where is not None:
            from kstest.sources.where import holds
        for block in table.blocks(plan.wanted(table)):
            levels = [Levels() for _ in plan.coded]
            kept = Gathered()
            rows = Rows(table, plan, levels, self.policy, kept)
            if plan.where is None:
                rows.add(block, start)
            else:
                chosen = np.flatnonzero(holds(plan.where, plan.cells(block)))
                rows.add(block, start, chosen, block.rows - chosen.size)
            start += block.rows
            part = rows.finish(None, start)
            refuse = self.policy if self.stream is None else "records"
            refuse_missing([part], plan.all_names, refuse, len(plan.names))
            self._count(place, part.input)
            self.bad_rows += part.bad_rows
            if part.bad_rows:
                for name, count in zip(plan.all_names, part.missing.tolist(), strict=True):
                    self.missing[name] = self.missing.get(name, 0) + count
            if part.input.rows_used:
                sample = join({self.side: kept}, {self.side: [part]}, plan, levels)[0]
                if self.watch is not None and self.stream is None:
                    self.watch.add(self.side, sample)
                yield sample
        if not start:
            raise DataError(f"{table.label}: has columns but no rows. At least one row is needed.")
        self.inputs[place] = replace(self.inputs[place], sha256=table.digest())

    def _count(self, place: int, more: Input) -> None:
        so_far = self.inputs[place]
        self.inputs[place] = replace(
            so_far,
            rows_read=so_far.rows_read + more.rows_read,
            rows_used=so_far.rows_used + more.rows_used,
            rows_dropped=so_far.rows_dropped + more.rows_dropped,
            rows_filtered=so_far.rows_filtered + more.rows_filtered,
        )


@contextmanager
def open_feeds(
    sides: Mapping[str, Sequence[Opener]], options: ReadOptions, nulls: Nulls | None = None
) -> Iterator[dict[str, Feed]]:
    """Open the first table of every side, match their columns and yield a feed for each."""
    with ExitStack() as stack:
        firsts, selection, plan = open_firsts(sides, options, stack)
        watched, policy, stream = plan, options.missing, None
        if options.units is not None:
            from kstest.sources.unit_streams import Stream

            stream = Stream(options.units, plan.columns, plan.categorical)
            watched = replace(plan, columns=stream.names, categorical=(), kinds={})
            policy = "indicator" if policy == "drop" else policy
        watch = Watch(watched, next(iter(firsts.values())).label, tuple(sides))
        yield {
            side: Feed(side, plan, selection, policy, firsts[side], openers[1:], watch, nulls,
                       stream=stream)
            for side, openers in sides.items()
        }  # fmt: skip


def common_notices(feeds: Mapping[str, Feed]) -> tuple[Notice, ...]:
    """What is to be said about all feeds of a run together, so far."""
    feed = next(iter(feeds.values()))
    unmet = feed.nulls.notices() if feed.nulls is not None and feed.inputs else ()
    remarks = merged([remark for feed in feeds.values() for remark in feed.remarks])
    return (*remarks, *unmet, *(feed.watch.notices() if feed.watch is not None else ()))


# Cells of a column after which it is asked whether they are categories, and again at the end. In
# 200 of 500 equally frequent categories 165 differ.
FIRST_LOOK = 200
# Categories that are counted; more are an identifier or an endless stream of names.
MOST_COUNTED = 1 << 17


@dataclass
class Watch:
    """Counts and ranges of all sides of a run.

    Attributes
    ----------
    plan : Plan
    label : str
        Of the first file.
    tracks : dict of str to Track
        By side.
    """

    plan: Plan
    label: str
    sides: tuple[str, ...]
    tracks: dict[str, Track] = field(init=False)
    _levels: list[Levels] = field(init=False)
    _counts: dict[str, list[NDArray[np.int64]]] = field(init=False)
    _looked: bool = False
    _holes: bool = False

    def __post_init__(self) -> None:
        texts = self.plan.categorical
        self.tracks = {side: Track(len(self.plan.columns)) for side in self.sides}
        self._levels = [Levels() for _ in texts]
        self._counts = {side: [np.zeros(0, np.int64) for _ in texts] for side in self.sides}

    def add(self, side: str, sample: Sample) -> None:
        """Take more rows of a side.

        Raises
        ------
        DataError
            For text that is no category.
        """
        if sample.missing is not None or (sample.codes < 0).any():
            self._holes = True
        if len(self.sides) > 1:
            self.tracks[side].add(sample.values, sample.missing)
        for j in range(len(sample.categorical)):
            known = self._levels[j]
            if len(known) > MOST_COUNTED:
                continue
            codes = known.add(Coded(sample.codes[:, j], sample.levels[j]))
            counts = np.bincount(codes[codes >= 0], minlength=len(known))
            before = self._counts[side][j]
            counts[: len(before)] += before
            self._counts[side][j] = counts
        rows = sum(int(c[0].sum()) for c in self._counts.values() if c)
        if not self._looked and rows >= FIRST_LOOK:
            self._looked = True
            self.notices()

    def vary(self) -> bool:
        """Whether some row of two sides differs from another; true of one side."""
        if len(self.sides) != 2 or not any(t.rows.any() for t in self.tracks.values()):
            return True
        low = np.min([t.low for t in self.tracks.values()], axis=0)
        high = np.max([t.high for t in self.tracks.values()], axis=0)
        levels = any(len(known) > 1 for known in self._levels)
        return bool((high > low).any()) or levels or self._holes

    def notices(self) -> tuple[Notice, ...]:
        """Look at all columns as they are so far; refuse text that is no category."""
        found: list[Notice] = []
        for j, name in enumerate(self.plan.categorical):
            size = len(self._levels[j])
            counts = {
                side: np.pad(some[j], (0, size - len(some[j])))
                for side, some in self._counts.items()
                if some[j].any()
            }
            if counts:
                words = words_of(self.plan, name, self.label, self._levels[j].texts, counts)
                found += notes_on(self.plan, words)
        return (*found, *track_notices(self.plan.columns, self.plan.kinds, self.tracks))
