"""Runs checks: many at once, each by itself, and decides over all of them together."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..about import __version__
from ..columns import exclusion, quoted
from ..engine import single_blas
from ..errors import KstestError
from ..sources import read_options
from . import schema
from .config import Check, Config
from .control import Member, draws_needed, levels, prices
from .decide import decided
from .execute import Answer, answers, begun_alpha, prepared
from .groups import levels as groups
from .history import History, digest, head
from .outcome import Outcome, Report
from .unit import Unit, past_of

LOCK_TIMEOUT = 60.0


@dataclass
class Run:
    """What the units of a run have in common."""

    config: Config
    checks: Sequence[Check]
    now: datetime
    threads: int
    history: History | None
    pictures: bool = False
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.perf_counter)
    states: dict[str, str] = field(default_factory=dict)
    streams: dict[str, float] = field(default_factory=dict)


def run(
    config: Config,
    checks: Sequence[Check],
    now: datetime,
    threads: int,
    history: History | None,
    pictures: bool = False,
) -> Report:
    """Run checks and remember what they found, in one transaction.

    Parameters
    ----------
    config : Config
    checks : sequence of Check
        Those to run, a family.
    now : datetime
        For the dates in paths.
    threads : int
        For all of them together.
    history : History or None
    pictures : bool
        Whether to keep a picture of what is rejected.

    Returns
    -------
    Report
        An outcome per check, and per level of `by` or batch of dqm. A check that cannot run is an
        outcome, too, and stops no other.
    """
    this = Run(config, checks, now, threads, history, pictures)
    _share(this)
    # One limit around all: limits set within several threads would be undone in any order.
    with single_blas(), _threads(threads) as pool:
        planned = [u for units in pool.map(lambda c: _planned(this, c), checks) for u in units]
        planned = _with_draws(this, planned)
        each = max(1, threads // max(1, len(planned)))
        done = [u for some in pool.map(lambda u: _executed(this, u, each), planned) for u in some]
    return _remembered(this, done)


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for after an interruption."""
    pool = ThreadPoolExecutor(max_workers=count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _share(this: Run) -> None:
    """Files and levels of the streams: the level with which each began, or its share of alpha."""
    every = [c for c in this.config.checks.values() if c.over_time == "anytime"]
    for check in every:
        path = this.states[check.name] = _state(check, this.history)
        try:
            began = begun_alpha(path)
        except KstestError:
            began = None  # said when the stream is to go on
        this.streams[check.name] = check.alpha / len(every) if began is None else began


def _state(check: Check, history: History | None) -> str:
    """The file of a stream; another one after every reset."""
    began = history.resets(check.name) if history else 0
    again = f".{began}" if began else ""
    if check.state is not None:
        return f"{check.state}{again}"
    return os.path.join(".kstest", "states", f"{check.name}{again}.kst")


def _attempt(unit: Unit, work: Callable[[], list[Unit]]) -> list[Unit]:
    """Do something for a unit; whatever goes wrong becomes its error."""
    clock = time.perf_counter()
    try:
        found = work()
    except KstestError as error:
        found = [replace(unit, error=str(error))]
    except MemoryError:
        found = [replace(unit, error="not enough memory for this many rows and columns")]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        found = [replace(unit, error=f"{where}the system refuses: {error.strerror or error}")]
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error} (a bug in kstest {__version__})"
        found = [replace(unit, error=text, bug=True)]
    seconds = (time.perf_counter() - clock) / max(1, len(found))
    return [replace(u, seconds=u.seconds + seconds) for u in found]


def _planned(this: Run, check: Check) -> list[Unit]:
    """The units of a check, without results."""
    options = dict(check.options)
    if check.over_time == "anytime":
        options["alpha"] = this.streams[check.name]
    bare = Unit(check, "", options, {})

    def work() -> list[Unit]:
        inputs = check.files(this.now)
        unit = replace(bare, inputs=inputs)
        both = schema.sides(inputs)
        if check.schema != "off" and both is not None:
            given, _ = prepared(check.kind, options)
            try:
                found = schema.compared(*both, read_options(check.kind.roles, given))
            except KstestError:
                found = schema.Compared()  # the test says what is wrong with these files
            unit = replace(unit, changes=found.changes)
            if found.common != found.names and "columns" not in options:
                common = [name for name in found.common if name != check.by]
                narrowed = _narrowed(options, given["exclude"], found.names, common)
                unit = replace(unit, options=narrowed)
        if check.by is None:
            return [unit]
        some = groups(replace(check, options=unit.options), inputs)
        units = [replace(unit, label=label, options=o) for label, o in some.options.items()]
        first = replace(units[0], told=some.told)
        return [first, *(replace(u, changes=()) for u in units[1:])]

    return _attempt(bare, work)


def _narrowed(
    options: dict[str, Any], exclude: str | None, names: Sequence[str], common: Sequence[str]
) -> dict[str, Any]:
    """Options that leave out what only one side has, so that the rest can be tested."""
    left_out = exclusion(exclude, names, names)
    chosen = [name for name in common if left_out.keeps(name)]
    if not chosen:
        return options
    kept = {k: v for k, v in options.items() if k != "exclude"}
    return {**kept, "columns": quoted(chosen)}


def _with_draws(this: Run, units: list[Unit]) -> list[Unit]:
    """Give every test the permutations that it needs to reject at its level of this run."""
    family = sum(1 + (u.check.schema == "error") for u in units if u.check.over_time != "anytime")
    known: dict[tuple[str, str], float] = {}
    out = []
    for unit in units:
        check = unit.check
        name = next((n for n in ("permutations", "draws") if n in check.kind.options), None)
        if name is None or name in unit.options or check.over_time == "anytime" or unit.error:
            out.append(unit)
            continue
        key = check.name, unit.series
        if key not in known:
            past = [] if this.history is None else past_of(this.history, check, unit.series)
            known[key] = levels(check, past, 1)[0]
        given = check.kind.options[name].default
        count = draws_needed(Member(1.0, known[key], check.alpha), family, given)
        more = {} if count == given else {name: count}
        out.append(replace(unit, options={**unit.options, **more}))
    return out


def _executed(this: Run, unit: Unit, threads: int) -> list[Unit]:
    if unit.error:
        return [unit]
    check, state = unit.check, this.states.get(unit.check.name)

    def work() -> list[Unit]:
        found: list[Answer] = answers(
            check.kind, unit.inputs, unit.options, threads, state, LOCK_TIMEOUT, this.pictures
        )
        first, *rest = [
            replace(unit, label=a.label or unit.label, result=a.result, picture=a.picture)
            for a in found
        ]
        if unit.told and first.result is not None:
            said = (*first.result.warnings, *unit.told)
            first = replace(first, result=replace(first.result, warnings=said))
        return [first, *(replace(u, changes=()) for u in rest)]

    return _attempt(unit, work)


def _remembered(this: Run, units: Sequence[Unit]) -> Report:
    """Decide, and enter run and outcomes in the history."""
    history, config = this.history, this.config
    day = f"{this.started.astimezone():%Y-%m-%d}"
    if history is None:
        return _report(this, decided(this.config.settings, units, None, day))
    with history.transaction():
        report = _report(this, decided(config.settings, units, history, day))
        heads = history.heads()
        places = [_place(history, heads, u, o) for u, o in zip(units, report.outcomes, strict=True)]
        number = history.add(
            "runs",
            {
                "started": report.started,
                "date": report.date,
                "seconds": report.seconds,
                "version": __version__,
                "config": report.config,
                "digest": report.digest,
                "settings": json.dumps(report.settings),
                "exit_code": report.exit_code,
                "heads": json.dumps(heads),
            },
        )
        for unit, outcome, place in zip(units, report.outcomes, places, strict=True):
            _enter(history, number, unit, outcome, place)
        history.forget(config.settings.keep)
    return replace(report, run=number)


def _place(
    history: History, heads: dict[str, list[int]], unit: Unit, outcome: Outcome
) -> int | None:
    """Place of an outcome in its series, whose head is moved; None where it does not count."""
    if not _counts(outcome):
        return None
    key, since = head(outcome.name, unit.series), history.since(outcome.name)
    begun, place = heads.get(key, [since, 0])
    place = place if begun == since else 0
    heads[key] = [since, place + 1]
    return place


def _counts(outcome: Outcome) -> bool:
    """Whether an outcome uses up some of a level over time."""
    over_time = outcome.over_time in ("spending", "online-fdr")
    return over_time and outcome.p_value is not None and not outcome.repeated and bool(
        outcome.level
    )  # fmt: skip


def _enter(history: History, number: int, unit: Unit, outcome: Outcome, place: int | None) -> None:
    result = None if outcome.result is None else json.dumps(outcome.result.to_dict())
    changes = [
        {"code": c.code, "column": c.column, "message": c.message, "p_value": c.p_value}
        for c in outcome.changes
    ]
    row = {
        name: getattr(outcome, name)
        for name in (
            "name", "unit", "test", "severity", "over_time", "status", "p_value", "level",
            "adjusted", "acknowledged", "seconds", "message",
        )
    }  # fmt: skip
    found = outcome.result
    history.add(
        "outcomes",
        {
            **row,
            "run": number,
            "series": unit.series,
            "place": place,
            "counted": int(place is not None),
            "identity": unit.identity,
            "e_value": None if found is None else _plain(found.e_value),
            "statistic": None if found is None else _plain(found.statistic),
            "changes": json.dumps(changes),
            "result_digest": None if result is None else digest(result),
        },
        result,
    )


def _plain(value: Any) -> float | None:
    """A number that SQLite keeps to the bit; infinities are not numbers of a history."""
    return None if value is None or not math.isfinite(value) else float(value)


def _report(this: Run, outcomes: Sequence[Outcome]) -> Report:
    config = this.config
    members = sum(1 for o in outcomes if o.over_time != "anytime")
    names = {c.name for c in this.checks if c.over_time == "anytime"}
    streams = [a for name, a in this.streams.items() if name in names]
    plain = {k: v for k, v in vars(config.settings).items() if k != "origins"}
    return Report(
        config=config.path,
        digest=config.digest,
        started=this.started.isoformat(timespec="seconds"),
        date=this.now.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - this.clock, 3),
        settings=plain,
        outcomes=tuple(outcomes),
        control=tuple(prices(config.settings, this.checks, members, streams)),
        provenance={"kstest": __version__, "threads": this.threads},
    )
