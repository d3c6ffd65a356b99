"""Feeds: rows of files and streams a block at a time, for tests that keep only what they learned.

What `collect` does for tests that need all rows at once; the same plan, columns, conditions and
rules for missing cells. A feed can be endless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Input, Sample
from kstest.sources.collect import open_firsts
from kstest.sources.join import join
from kstest.sources.levels import Levels
from kstest.sources.match import Selection, named_like, require_columns
from kstest.sources.notices import refuse_missing
from kstest.sources.nulls import Nulls
from kstest.sources.options import ReadOptions
from kstest.sources.plan import Plan, require_kinds
from kstest.sources.rows import Rows
from kstest.sources.table import Table
from kstest.sources.watch import Watch
from kstest.sources.where import Cells, holds

Opener = Callable[[], Table]


@dataclass
class Feed:
    """The rows of one side.

    Attributes
    ----------
    side : str
    plan : Plan
        Which columns.
    watch : Watch
        What all feeds of the run have shown.
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
    watch: Watch
    nulls: Nulls | None = None
    inputs: list[Input] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    bad_rows: int = 0

    def samples(self) -> Iterator[Sample]:
        """Yield the used rows block by block; the codes of categories hold within a block only."""
        for table in self._tables():
            yield from self._of(table)
        self.watch.notices()

    def notices(self) -> tuple[Notice, ...]:
        """What is to be said about the rows of this side so far."""
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

    def _of(self, table: Table) -> Iterator[Sample]:
        plan, start, place = self.plan, 0, len(self.inputs)
        self.inputs.append(Input(table.path, 0, 0, 0))
        for block in table.blocks(plan.wanted(table)):
            levels = [Levels() for _ in plan.coded]
            rows = Rows(table, plan, levels, self.policy)
            columns: dict[str, Cells] = dict(zip(plan.texts, block.texts, strict=True))
            columns |= {name: block.values[:, k] for k, name in enumerate(plan.numbers)}
            if plan.where is None:
                rows.add(block, start)
            else:
                kept = np.flatnonzero(holds(plan.where, columns))
                rows.add(block, start, kept, block.rows - kept.size)
            start += block.rows
            part, chunks = rows.finish(None, start)
            refuse_missing([part], plan.all_names, self.policy)
            self._count(place, part.input)
            self.bad_rows += part.bad_rows
            if part.bad_rows:
                for name, count in zip(plan.all_names, part.missing.tolist(), strict=True):
                    self.missing[name] = self.missing.get(name, 0) + count
            if part.input.rows_used:
                sample = join({self.side: chunks}, {self.side: [part]}, plan, levels)[0]
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
        watch = Watch(plan, next(iter(firsts.values())).label, tuple(sides))
        yield {
            side: Feed(
                side, plan, selection, options.missing, firsts[side], openers[1:], watch, nulls
            )
            for side, openers in sides.items()
        }


def common_notices(feeds: Mapping[str, Feed]) -> tuple[Notice, ...]:
    """What is to be said about all feeds of a run together, so far."""
    feed = next(iter(feeds.values()))
    unmet = feed.nulls.notices() if feed.nulls is not None and feed.inputs else ()
    return (*unmet, *feed.watch.notices())
