"""Runs a sequential test: rows come in chunks, evidence is reported as it grows and may be kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from ..archive import ledger as ledgers
from ..betting.warm import load
from ..contract import StreamTest
from ..errors import UsageError
from ..files import destinations, output
from ..inputs import choose
from ..inputs.roles import advising
from ..params import STREAM
from ..report import render
from ..result import Notice, Result
from ..sample import Columns, Sample
from ..sources import Rewritten, Waiting, given_options, read_feeds
from ..sources.feeds import Feed, common_notices
from ..streams import fingerprint, state_file
from ..streams.batch import Batch, pieces
from ..streams.state_file import Saved
from .call import (
    answer,
    arguments,
    files_of,
    note,
    plotted,
    require_plot,
    standard_input,
    working,
)
from .command import LOCK_TIMEOUT
from .help import Option

OPTIONS = [
    Option(
        ["--state"],
        metavar="FILE",
        help="Go on with the stream in FILE, or begin one, and keep there what the rows taught.",
        section=STREAM,
        brief="Begin a stream that is kept in FILE, or go on with it.",
    ),
    Option(
        ["--batch-id"],
        metavar="NAME",
        help="With --state: a name of these rows. The name of other rows is refused. Rows that "
        "were counted are not counted again, with or without it.",
        section=STREAM,
    ),
    Option(
        ["--allow-duplicate"],
        is_flag=True,
        help="With --state: count these rows even if they were counted before.",
        section=STREAM,
    ),
    LOCK_TIMEOUT,
    Option(
        ["--follow"],
        is_flag=True,
        help="Wait at the end of the file for rows that are appended, until the test is decided.",
        section=STREAM,
        brief="Wait for rows that are appended to the file.",
    ),
    Option(
        ["--look-every"],
        type=click.IntRange(1),
        metavar="ROWS",
        help="With --format jsonl: a line after so many rows. Default: as the rows arrive.",
        section=STREAM,
    ),
]
# Seconds between two savings of a batch that is still being read.
CHECKPOINT = 5.0


@dataclass
class Run:
    """A run of the command: what was asked for and where the rows come from.

    `since` is the number of rows that the stream had before this run.
    """

    name: str
    test: StreamTest[Any, Any]
    params: Any
    reading: Any
    given: Mapping[str, Any]
    feeds: Mapping[str, Feed]
    work: Any
    waiting: Waiting
    started: datetime
    clock: float
    since: int = 0

    @property
    def feed(self) -> Feed:
        """The stream."""
        return self.feeds[self.test.inputs.roles[-1]]

    @property
    def looks(self) -> bool:
        """Whether every look is shown."""
        return self.given["form"] == "jsonl" and self.given["output"] is None

    def columns(self) -> Columns:
        plan = self.feed.plan
        if self.feed.stream is not None:
            return Columns(self.feed.stream.names, (), self.feed.stream.names)
        missing = self.feed.policy == "indicator"
        return Columns(plan.columns, plan.categorical, plan.first.names, missing)

    def result(self, state: Any, notices: tuple[Notice, ...] = ()) -> Result:
        """What is known, with inputs, options and provenance."""
        from ..run import origin, records_found, told_of_records, unvarying_rows

        found = self.test.result(state, self.since)
        if not (self.feed.varies or self.given["state"]):
            found = unvarying_rows(found)
        sides = [
            Sample(side, state.columns.sample().values, (), tuple(feed.inputs))
            for side, feed in self.feeds.items()
        ]
        if self.feed.stream is not None:
            found = replace(found, warnings=(*notices, *found.warnings))
            found, notices = told_of_records(found, found.columns), ()
            found = found.told(*records_found(self.feed.stream.samples()))
        seconds = time.perf_counter() - self.clock
        notes = [note for feed in self.feeds.values() for note in feed.notices()]
        notes += common_notices(self.feeds)
        reading = given_options(self.given)
        return replace(
            found,
            warnings=(*notices, *notes, *found.warnings),
            **origin(sides, self.params, self.started, seconds, self.work, reading),
        )


def run(name: str, test: StreamTest[Any, Any], given: dict[str, Any]) -> int:
    """Run a sequential test from the shell and return its exit code."""
    if given["cite"]:
        output.write(test.references, given["output"])
        return 0
    sides, params = arguments(test.inputs, given)
    result, shown, state = taken(name, test, given, sides, params)
    plotted(result, partial(test.drawing, state), given)
    if not shown:
        return answer(result, given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def taken(
    name: str,
    test: StreamTest[Any, Any],
    given: Mapping[str, Any],
    sides: dict[str, list[str]],
    params: Any,
) -> tuple[Result, bool, Any]:
    """Take the rows of a run, and keep what they taught.

    Returns the result, whether a look at it was shown already, and the state.
    """
    _check(given)
    destinations.require(given, files_of(sides), params)
    reading = choose(test.inputs, params, given)
    if reading.missing == "indicator" and "missing" not in test.inputs.accepts:
        raise UsageError(f"kstest {name} makes no use of --missing indicator; use --missing drop.")
    follow = test.inputs.roles[-1] if given["follow"] else ""
    waiting, started, clock = Waiting(), datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(advising(reading, test.inputs.accepts))
        saved = None
        if given["state"]:
            from ..archive import locked

            stack.enter_context(locked(given["state"], given["lock_timeout"]))
            if state_file.exists(given["state"]):
                saved = state_file.read(given["state"])
                fingerprint.require_same(given["state"], saved, name, params, reading)
        feeds = stack.enter_context(read_feeds(sides, reading, standard_input(), follow, waiting))
        work = stack.enter_context(working(given, "reading rows"))
        this = Run(name, test, params, reading, given, feeds, work, waiting, started, clock)
        if test.require is not None:  # what is refused needs no compiled loops
            test.require(params, this.columns())
        load(work, name, getattr(params, "mode", ""))
        return _batch(this, saved)


def _check(given: Mapping[str, Any]) -> None:
    if given["look_every"] and given["form"] != "jsonl":
        raise UsageError("--look-every: is for --format jsonl, a line per look")
    for name in ("batch_id", "allow_duplicate"):
        if given[name] and not given["state"]:
            raise UsageError(
                f"--{name.replace('_', '-')}: is for --state FILE, which counts batches"
            )
    require_plot(given)


def _batch(this: Run, saved: Saved | None) -> tuple[Result, bool, Any]:
    """Take the rows until they end or the test is decided.

    Returns the result, whether a look at it was shown already, and the state.
    """
    test, path, given = this.test, this.given["state"], this.given
    columns = this.columns()
    sides = test.inputs.roles[:-1]
    reference: Iterable[Sample] = this.feeds[sides[0]].samples() if sides else ()
    if saved is not None:
        fingerprint.require_columns(path, saved, columns)
        state, ledger = saved.state, saved.ledger
        if this.feed.stream is not None:
            this.feed.stream.cut = saved.cut
        # A batch that was cut off is gone on with: its rows so far are rows of this run.
        this.since = max(0, state.core.used - (ledger.open[-1].rows if ledger.open else 0))
        state = state if test.attach is None else test.attach(state, reference)
        columns = state.columns
    else:
        state, ledger = test.init(this.params, columns, reference), ledgers.begin()
    if test.decided(state):
        said = "the stream was decided before: these rows are not looked at"
        return this.result(state, (Notice("stream-decided", said),)), False, state
    batch = Batch(state, ledger, given["batch_id"], path or "", given["allow_duplicate"])
    this.waiting.idle = lambda: _checkpoint(this, batch, CHECKPOINT) if path else None
    try:
        _take(this, batch, columns if path else None)
    except (KeyboardInterrupt, Rewritten):
        if path and not _checkpoint(this, batch) and batch.taken.rows > batch.saved_rows:
            note(
                f"{batch.taken.rows:,} rows are not counted, since they may be part of a batch "
                "that was; give them again"
            )
        raise
    if not path:
        return this.result(batch.state, _ending(this)), batch.shown, batch.state
    if this.waiting.ended and _checkpoint(this, batch):
        return this.result(batch.state, _ending(this)), batch.shown, batch.state
    return _counted(this, batch)


def _take(this: Run, batch: Batch, columns: Columns | None) -> None:
    """Take the rows until they end or the test is decided."""
    test, given = this.test, this.given
    cuts = [] if columns is None else batch.cuts()
    for sample in pieces(this.feed, given["look_every"], cuts):
        batch.take(test, sample, columns)
        if given["follow"] and columns is not None:
            batch.require_new()
        if columns is not None and not batch.may_save():
            continue  # the rows may be counted already, and this state is one of evidence twice
        if this.looks:
            batch.shown = True
            output.write(render(this.result(batch.state), "jsonl"), None)
        if test.decided(batch.state):
            break
        if columns is not None:
            _checkpoint(this, batch, CHECKPOINT)


def _ending(this: Run) -> tuple[Notice, ...]:
    """What to say where a file that was followed came to an end."""
    if not this.waiting.ended:
        return ()
    kept = ", and with the same --state for what was counted" if this.given["state"] else ""
    words = f"{this.waiting.ended}: its rows are counted. Follow the new file{kept}"
    return (Notice("file-ended", words),)


def _counted(this: Run, batch: Batch) -> tuple[Result, bool, Any]:
    """Enter the batch and save the state, unless it was counted before."""
    if batch.counted() and not this.given["allow_duplicate"]:
        if batch.saved_rows:
            _save(this, batch.before, batch.ledger)
        said = "these rows were counted before: nothing has changed"
        result = this.result(batch.before, (Notice("batch-counted", said),))
        return result, False, batch.before
    _save(this, batch.state, batch.ended(), ended=True)
    return this.result(batch.state, _ending(this)), batch.shown, batch.state


def _checkpoint(this: Run, batch: Batch, every: float | None = None) -> bool:
    """Save the state in the middle of a batch, at most once in so many seconds.

    Returns whether all rows so far are saved. A file that was followed and ended ends its record.
    """
    rows = batch.taken.rows
    early = every is not None and time.monotonic() - batch.saved <= every
    if rows > batch.saved_rows and not early and batch.may_save():
        _save(this, batch.state, batch.so_far(), ended=bool(this.waiting.ended))
        batch.saved, batch.saved_rows = time.monotonic(), rows
    return rows == batch.saved_rows


def _save(this: Run, state: Any, ledger: ledgers.Ledger, ended: bool = False) -> None:
    test, reading = fingerprint.options(this.params, this.reading)
    stream = this.feed.stream
    cut: tuple[str, ...] = ()
    if stream is not None:
        cut = stream.ended() if ended else stream.cut
    state_file.write(this.given["state"], Saved(this.name, test, reading, state, ledger, cut))
