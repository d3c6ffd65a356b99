"""Runs a sequential test: rows come in chunks, evidence is reported as it grows and may be kept."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from ..betting.warm import load
from ..errors import UsageError
from ..methods.stream.rows import Columns, row_bytes
from ..plot import check as check_plot
from ..plot import draw
from ..report import render
from ..result import Notice, Result
from ..sample import Sample
from ..sources import Feed, columns_of, common_notices, given_options, read_feeds, read_options
from . import fingerprint, output, state_file
from . import ledger as ledgers
from .command import arguments, deliver, working
from .state_file import Saved

OPTIONS = [
    click.Option(
        ["--state"],
        metavar="FILE",
        help="Go on with the stream in FILE, or begin one, and keep there what the rows taught.",
    ),
    click.Option(
        ["--batch-id"],
        metavar="NAME",
        help="With --state: a name of these rows. The name of other rows is refused. Rows that "
        "were counted are not counted again, with or without it.",
    ),
    click.Option(
        ["--allow-duplicate"],
        is_flag=True,
        help="With --state: count these rows even if they were counted before.",
    ),
    click.Option(
        ["--follow"],
        is_flag=True,
        help="Wait at the end of the file for rows that are appended, until the test is decided.",
    ),
    click.Option(
        ["--look-every"],
        type=click.IntRange(1),
        metavar="ROWS",
        help="With --format jsonl: a line after so many rows. Default: as the rows arrive.",
    ),
]
# Seconds between two savings of a batch that is still being read.
CHECKPOINT = 5.0


@dataclass
class Run:
    """A run of the command: what was asked for and where the rows come from."""

    name: str
    module: Any
    params: Any
    reading: Any
    given: Mapping[str, Any]
    feeds: Mapping[str, Feed]
    work: Any
    started: datetime
    clock: float

    @property
    def feed(self) -> Feed:
        """The stream."""
        return self.feeds[self.module.SAMPLES[-1]]

    @property
    def looks(self) -> bool:
        """Whether every look is shown."""
        return self.given["form"] == "jsonl" and self.given["output"] is None

    def columns(self) -> Columns:
        plan = self.feed.plan
        missing = self.feed.policy == "indicator"
        return Columns(plan.columns, plan.categorical, plan.first.names, missing)

    def result(self, state: Any, notices: tuple[Notice, ...] = ()) -> Result:
        """What is known, with inputs, options and provenance."""
        from ..run import origin, unvarying_rows

        found: Result = self.module.result(state)
        if not (self.feed.watch.vary() or self.given["state"]):
            found = unvarying_rows(found)
        sides = [
            Sample(side, state.columns.sample().values, (), tuple(feed.inputs))
            for side, feed in self.feeds.items()
        ]
        seconds = time.perf_counter() - self.clock
        notes = [note for feed in self.feeds.values() for note in feed.notices()]
        notes += common_notices(self.feeds)
        reading = given_options(self.given)
        return replace(
            found,
            warnings=(*notices, *notes, *found.warnings),
            **origin(sides, self.params, self.started, seconds, self.work, reading),
        )


def run(name: str, module: Any, given: dict[str, Any]) -> int:
    """Run a sequential test from the shell and return its exit code."""
    if given["cite"]:
        output.write(module.REFERENCES, given["output"])
        return 0
    sides, params = arguments(module, given)
    module.check_given(params, _given())
    _check(given)
    reading = read_options(module.SAMPLES, given, columns_of(module, params))
    stdin = sys.stdin.buffer if sys.stdin else None
    follow = module.SAMPLES[-1] if given["follow"] else ""
    started, clock = datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        saved = None
        if given["state"]:
            from ..archive import locked

            stack.enter_context(locked(given["state"]))
            if state_file.exists(given["state"]):
                saved = state_file.read(given["state"])
                fingerprint.require_same(given["state"], saved, name, params, reading)
        feeds = stack.enter_context(read_feeds(sides, reading, stdin, follow))
        work = stack.enter_context(working(given, "reading rows"))
        this = Run(name, module, params, reading, given, feeds, work, started, clock)
        if hasattr(module, "require"):  # what is refused needs no compiled loops
            module.require(params, this.columns())
        load(work)
        result, shown, state = _batch(this, saved)
    if given.get("plot"):
        picture = module.drawing(state)
        output.write(draw(result, picture, given["plot"]), given["plot"], "--plot")
    if not shown:
        deliver(lambda color: render(result, given["form"], color), given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def _given() -> set[str]:
    """Names of the options that were written on the command line."""
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    return {name for name in context.params if context.get_parameter_source(name) is source}


def _check(given: Mapping[str, Any]) -> None:
    output.check(given["output"])
    output.check(given["state"], "--state")
    if given["look_every"] and given["form"] != "jsonl":
        raise UsageError("--look-every: is for --format jsonl, a line per look")
    for name in ("batch_id", "allow_duplicate"):
        if given[name] and not given["state"]:
            raise UsageError(
                f"--{name.replace('_', '-')}: is for --state FILE, which counts batches"
            )
    if given.get("plot"):
        check_plot(given["plot"])
        output.check(given["plot"], "--plot")


def _batch(this: Run, saved: Saved | None) -> tuple[Result, bool, Any]:
    """Take the rows until they end or the test is decided.

    Returns the result, whether a look at it was shown already, and the state.
    """
    module, path = this.module, this.given["state"]
    columns = this.columns()
    others = [this.feeds[side].samples() for side in module.SAMPLES[:-1]]
    if saved is not None:
        fingerprint.require_columns(path, saved, columns)
        state, ledger = saved.state, saved.ledger
        state = module.attach(state, *others) if others else state
        columns = state.columns
    else:
        state, ledger = module.init(this.params, columns, *others), ledgers.begin()
    if module.decided(state):
        note = Notice(
            "stream-decided", "the stream was decided before: these rows are not looked at"
        )
        return this.result(state, (note,)), False, state
    batch = Batch(state, ledger)
    try:
        for sample in _pieces(this.feed, this.given["look_every"], batch.skipped):
            batch.take(module, sample, columns if path else None)
            if batch.skipped:
                continue
            if this.looks:
                batch.shown = True
                output.write(render(this.result(batch.state), "jsonl"), None)
            if module.decided(batch.state):
                break
            if path and time.monotonic() - batch.saved > CHECKPOINT:
                _checkpoint(this, batch)
    except KeyboardInterrupt:
        if path and batch.rows and not batch.skipped:
            _checkpoint(this, batch)
        raise
    if not path:
        return this.result(batch.state), batch.shown, batch.state
    return _counted(this, batch)


class Batch:
    """The rows of this run: the state after them, their digest, and what was counted before.

    Attributes
    ----------
    skipped : int
        Rows of a batch that was cut off, which are counted already if these begin alike.
    """

    def __init__(self, state: Any, ledger: ledgers.Ledger) -> None:
        self.before = self.state = state
        self.ledger, self.skipped = ledger, ledger.open_rows
        self.rows, self.digest = 0, hashlib.sha256()
        self.shown, self.saved = False, time.monotonic()

    def take(self, module: Any, sample: Sample, columns: Columns | None) -> None:
        """Take more rows; without `columns` nothing is kept, and no digest needed."""
        digest = self.digest
        if columns is not None:
            digest = digest.copy()
            digest.update(row_bytes(sample, columns))
        state, skipped = self.state, self.skipped
        rows = self.rows + sample.n
        if skipped and rows == skipped:
            skipped = 0
            known = digest.hexdigest() == self.ledger.open_content
            state = self.before if known else module.step(state, sample)
        else:
            state = module.step(state, sample)
        # Together, so that an interruption finds a state that belongs to its rows.
        self.state, self.rows, self.digest, self.skipped = state, rows, digest, skipped


def _counted(this: Run, batch: Batch) -> tuple[Result, bool, Any]:
    """Enter the batch and save the state, unless it was counted before."""
    given, content = this.given, batch.digest.hexdigest()
    again = ledgers.counted(batch.ledger, content, given["batch_id"], given["state"])
    if again and not given["allow_duplicate"]:
        note = Notice("batch-counted", "these rows were counted before: nothing has changed")
        return this.result(batch.before, (note,)), False, batch.before
    _save(this, batch.state, ledgers.with_batch(batch.ledger, content, given["batch_id"]))
    return this.result(batch.state), batch.shown, batch.state


def _checkpoint(this: Run, batch: Batch) -> None:
    """Save the state in the middle of a batch."""
    found = ledgers.with_open(batch.ledger, batch.rows, batch.digest.hexdigest())
    _save(this, batch.state, found)
    batch.saved = time.monotonic()


def _save(this: Run, state: Any, ledger: ledgers.Ledger) -> None:
    test, reading = fingerprint.options(this.params, this.reading)
    state_file.write(this.given["state"], Saved(this.name, test, reading, state, ledger))


def _pieces(feed: Feed, rows: int | None, first_end: int) -> Iterator[Sample]:
    """The samples of a feed, cut after every `rows` rows, and after the first `first_end`."""
    seen = 0
    for sample in feed.samples():
        done = 0
        while done < sample.n:
            more = sample.n - done
            if rows:
                more = min(more, rows - seen % rows)
            if seen < first_end:
                more = min(more, first_end - seen)
            yield sample if more == sample.n else sample.part(done, done + more)
            seen, done = seen + more, done + more
