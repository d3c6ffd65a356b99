"""Runs a sequential test: rows come in chunks, evidence is reported as it grows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from ..errors import UsageError
from ..plot import check as check_plot
from ..plot import draw
from ..report import render
from ..result import Notice, Result
from ..sample import Sample
from ..sources import Feed, columns_of, given_options, read_feeds, read_options
from . import output
from .command import arguments, deliver, working

OPTIONS = [
    click.Option(
        ["--look-every"],
        type=click.IntRange(1),
        metavar="ROWS",
        help="With --format jsonl: a line after so many rows. Default: as the rows arrive.",
    ),
]


@dataclass
class Stream:
    """A stream under test and where its answers come from."""

    name: str
    module: Any
    params: Any
    given: Mapping[str, Any]
    feeds: Mapping[str, Feed]
    work: Any
    started: datetime
    clock: float
    notices: tuple[Notice, ...] = ()

    def result(self, state: Any) -> Result:
        """What is known, with inputs, options and provenance."""
        from ..run import origin

        found: Result = self.module.result(state)
        shape = [
            Sample(side, state.columns.sample().values, (), tuple(feed.inputs))
            for side, feed in self.feeds.items()
        ]
        seconds = time.perf_counter() - self.clock
        reading = given_options(self.given)
        notes = [note for feed in self.feeds.values() for note in feed.notices()]
        return replace(
            found,
            warnings=(*self.notices, *notes, *found.warnings),
            **origin(shape, self.params, self.started, seconds, self.work, reading),
        )


def run(name: str, module: Any, given: dict[str, Any]) -> int:
    """Run a sequential test from the shell and return its exit code."""
    if given["cite"]:
        output.write(module.REFERENCES, given["output"])
        return 0
    sides, params = arguments(module, given)
    output.check(given["output"])
    if given["look_every"] and given["form"] != "jsonl":
        raise UsageError("--look-every: is for --format jsonl, a line per look")
    plot = given.get("plot")
    if plot is not None:
        check_plot(plot)
        output.check(plot, "--plot")
    reading = read_options(module.SAMPLES, given, columns_of(module, params))
    stdin = sys.stdin.buffer if sys.stdin else None
    started, clock = datetime.now(UTC), time.perf_counter()
    with read_feeds(sides, reading, stdin) as feeds, working(given, "reading rows") as work:
        stream = Stream(name, module, params, given, feeds, work, started, clock)
        result, shown = _follow(stream)
    if plot is not None:
        output.write(draw(result, module.picture([], params, result), plot), plot, "--plot")
    if not shown:
        deliver(lambda color: render(result, given["form"], color), given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def _follow(stream: Stream) -> tuple[Result, bool]:
    """Take the rows until they end or the test is decided; say whether a look was shown last."""
    module, given = stream.module, stream.given
    looks = given["form"] == "jsonl" and given["output"] is None
    state, shown = begin(stream), False
    for sample in _pieces(stream.feeds[module.SAMPLES[-1]], given["look_every"]):
        state = module.step(state, sample)
        if looks:
            shown = True
            output.write(render(stream.result(state), "jsonl"), None)
        if module.decided(state):
            break
    return stream.result(state), shown


def begin(stream: Stream) -> Any:
    """The state of a new stream."""
    from ..methods.stream_rows import Columns

    *others, side = stream.module.SAMPLES
    plan = stream.feeds[side].plan
    missing = stream.feeds[side].policy == "indicator"
    columns = Columns(plan.columns, plan.categorical, plan.first.names, missing)
    return stream.module.init(stream.params, columns, *(stream.feeds[o].samples() for o in others))


def _pieces(feed: Feed, rows: int | None) -> Iterator[Sample]:
    """The samples of a feed, or parts of them that end after every `rows` rows."""
    seen = 0
    for sample in feed.samples():
        first = 0
        while rows and first < sample.n:
            last = min(sample.n, first + rows - seen % rows)
            yield sample.part(first, last)
            seen += last - first
            first = last
        if not rows:
            yield sample
