"""Status: what a history says of all batches, for the crew of a shift. Nothing is judged anew."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kstest.frozen import frozen

from ..archive.database import Database, is_one, opened
from ..errors import DataError
from ..findings import Column, Facts, Finding, Headline, Line, Table, listed, number
from ..result import Answer
from ..wording import label, printable
from .history import CHECK, DIGITS, OF_ONE, read

TEST = "dqm check"
# A calibration is replaced if so many batches came since its last, of one that began later.
REPLACED = 3
# Batches in the drawing of a terminal, and in its table.
MOST_DRAWN, MOST_LISTED = 60, 15
UNKNOWN = "batches of an unknown calibration"
HEIGHTS = "▁▂▃▄▅▆▇█"


@frozen
class Entry:
    """A batch.

    Attributes
    ----------
    batch, started : str
    p : float or None
        None without a verdict.
    verdict : str
        Empty where a history of an earlier version does not say it.
    alarm : bool
        Whether there was an alarm after it.
    events : int or None
    """

    batch: str
    started: str
    p: float | None
    verdict: str
    alarm: bool
    events: int | None = None

    @property
    def rejected(self) -> bool:
        return self.verdict == "rejected"

    @property
    def when(self) -> str:
        return self.started[:16].replace("T", " ")


@frozen
class Course:
    """The batches of one calibration, or of one check of `kstest run`, in their order.

    Attributes
    ----------
    name : str
    entries : tuple of Entry
    level : float or None
        That of the last batch.
    rule : str
    events : tuple of mapping
        Acknowledgements and resets, with their ``place`` among the entries.
    acknowledged : str or None
        Until when and why an alarm is known now.
    replaced : bool
        Whether a later calibration took its place, so that its alarm counts no more.
    """

    name: str
    entries: tuple[Entry, ...]
    level: float | None
    rule: str
    events: tuple[Mapping[str, Any], ...] = ()
    acknowledged: str | None = None
    replaced: bool = False

    @property
    def alarm(self) -> bool:
        """Whether an alarm stands."""
        return self.entries[-1].alarm and not self.replaced

    @property
    def since(self) -> Entry:
        """The batch with which the state of now began."""
        now, first = self.entries[-1].alarm, self.entries[-1]
        for entry in reversed(self.entries):
            if entry.alarm is not now:
                break
            first = entry
        return first


def courses(path: str, now: datetime | None = None) -> list[Course]:
    """What a history has of batches: those with an alarm first, then the latest.

    Parameters
    ----------
    path : str
        A file of `kstest dqm check --history` or of `kstest run`, or lines of JSON.
    now : datetime, optional
        For acknowledgements.

    Raises
    ------
    DataError
        If there is none, it is damaged, or has no batch.
    """
    if not os.path.exists(path):
        raise DataError(
            f"history {label(path)}: is not there; kstest dqm check --history FILE begins one"
        )
    day = f"{(now or datetime.now()).astimezone():%Y-%m-%d}"
    lines, _ = read(path)
    found = []
    if is_one(path):
        with opened(path, new=False, kind=Database) as base:
            found = list(_checks(base, day))
            found += _calibrations(lines, base, day)
    else:
        found = list(_calibrations(lines, None, day))
    if not found:
        raise DataError(f"history {label(path)}: has no batch of kstest dqm check yet")
    order = {(True, False): 0, (True, True): 1, (False, False): 2, (False, True): 3}
    found.sort(key=lambda c: c.entries[-1].started, reverse=True)
    return sorted(found, key=lambda c: (order[c.alarm, c.acknowledged is not None], c.replaced))


def _calibrations(
    lines: Sequence[Mapping[str, Any]], base: Database | None, day: str
) -> Iterator[Course]:
    """What there is of each, with acknowledgements of it and of all."""
    places: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault(line["calibration"], []).append(place)
    for digest, mine in places.items():
        later = [other for other in places.values() if other[0] > mine[-1]]
        replaced = not digest or any(len(other) >= REPLACED for other in later)
        last = lines[mine[-1]]
        names = (CHECK, f"{OF_ONE}{digest}")
        events = [] if base is None else base.events(*names)
        known = None if base is None else base.acknowledged(day, *names)
        # Rows have numbers from 1 on.
        marks = [{**e, "place": sum(p < e["after"] for p in mine)} for e in events]
        yield Course(
            name=f"calibration {digest[:DIGITS]}" if digest else UNKNOWN,
            entries=tuple(map(_entry, (lines[p] for p in mine))),
            level=last.get("level"),
            rule=str(last.get("rule") or ""),
            events=tuple(m for m in marks if 0 < m["place"] < len(mine) + (not replaced)),
            acknowledged=None if replaced else known,
            replaced=replaced,
        )


def _entry(line: Mapping[str, Any]) -> Entry:
    return Entry(
        batch=str(line["batch"]),
        started=str(line["started"]),
        p=line["p_value"],
        verdict=str(line.get("verdict") or ("" if line["p_value"] is not None else "no verdict")),
        alarm=bool(line["alarm"]),
        events=line.get("events"),
    )


def _checks(base: Database, day: str) -> Iterator[Course]:
    """Checks of `kstest run` that are of batches; an alarm stands after the last run of each."""
    rows = base.rows("outcomes", "WHERE test = ? ORDER BY id", TEST)
    if not rows:
        return
    started = {r["id"]: str(r["started"]) for r in base.rows("runs", "ORDER BY id")}
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        alarms = {r["run"] for r in mine if r["status"] == "rejected" and not r["acknowledged"]}
        entries = [
            Entry(
                batch=row["unit"] or name,
                started=started.get(row["run"], ""),
                p=row["p_value"] if row["adjusted"] is None else row["adjusted"],
                verdict=row["status"],
                alarm=row["run"] in alarms,
            )
            for row in mine
        ]
        events = [
            {**e, "place": sum(r["id"] <= e["after"] for r in mine)} for e in base.events(name)
        ]
        yield Course(
            name=f"check {name}",
            entries=tuple(entries),
            level=mine[-1]["level"],
            rule="each run by itself"
            if mine[-1]["over_time"] == "per-run"
            else mine[-1]["over_time"],
            events=tuple(e for e in events if e["place"]),
            acknowledged=base.acknowledged(day, name),
        )


def headline(found: Sequence[Course]) -> Headline:
    """The alarm, if one stands and is not acknowledged; the exit code says the same."""
    alarms = [c for c in found if c.alarm]
    open_ones = [c for c in alarms if c.acknowledged is None]
    if alarms:
        first = (open_ones or alarms)[0]
        more = len(open_ones or alarms) - 1
        text = f"since batch {printable(first.since.batch)} ({first.since.when} UTC)"
        text += f", and of {more} more" if more else ""
        if sum(not c.replaced for c in found) > 1:
            text = f"{first.name}, {text}"
        return Headline("ALARM" if open_ones else "ACKNOWLEDGED ALARM", text, "rejected")
    last = max((c.entries[-1] for c in found), key=lambda entry: entry.started)
    count = sum(len(c.entries) for c in found)
    text = f"{count:,} batch{'es' * (count != 1)}, the last one {printable(last.batch)} "
    text += f"({last.when} UTC)"
    if last.p is None:
        return Headline("NO VERDICT", f"no verdict on the last batch; {text}", "no verdict")
    return Headline("NO ALARM", text, "not rejected")


def exit_code(found: Sequence[Course]) -> int:
    """1 if an alarm stands that is not acknowledged, 3 if the last batch has no verdict, else 0."""
    title = headline(found).title
    return {"ALARM": 1, "NO VERDICT": 3}.get(title, 0)


def answer(found: Sequence[Course]) -> Answer:
    """The status as findings."""
    entries = [(c, e) for c in found for e in c.entries]
    entries.sort(key=lambda one: one[1].started, reverse=True)
    rows = [
        {
            "started": e.started, "course": c.name, "batch": e.batch, "events": e.events, "p": e.p,
            "verdict": e.verdict, "alarm": e.alarm,
        }
        for c, e in entries
    ]  # fmt: skip
    columns = (
        Column("started", "time (UTC)", "<", 18),
        Column("batch", "batch", "<", 30),
        Column("p", "p", width=10),
        Column("verdict", "verdict", "last"),
    )
    cells = tuple(
        (e.when, e.batch, "" if e.p is None else number(e.p), e.verdict + "  alarm" * e.alarm)
        for _, e in entries[:MOST_LISTED]
    )
    left = len(entries) - MOST_LISTED
    title = "Last batches" + f" ({left:,} more in the history)" * (left > 0)
    value = [dict(_value(c)) for c in found]
    lines = [line for c in found for line in _lines(c, len(found) > 1)]
    strong = tuple(e.alarm for _, e in entries[:MOST_LISTED])
    table = Table("batches", rows, columns, title, cells=cells, strong=strong, printed="last")
    findings: tuple[Finding, ...] = (Facts("courses", value, tuple(lines)), table)
    return Answer(findings, headline(found))


def _value(course: Course) -> Iterator[tuple[str, Any]]:
    yield "name", course.name
    yield "batches", len(course.entries)
    yield "rejected", sum(e.rejected for e in course.entries)
    yield "alarm", course.alarm
    yield "since", course.since.started
    yield "level", course.level
    yield "rule", course.rule
    yield "acknowledged", course.acknowledged
    yield "replaced", course.replaced
    keys = ("kind", "made", "until", "why")
    yield "events", [{key: event[key] for key in keys} for event in course.events]


def _lines(course: Course, several: bool) -> Iterator[Line]:
    title = "batches of" if several else ""
    texts = [printable(course.name)] if several else []
    texts.append(summary(course))
    yield from listed(title or "batches", texts)
    yield from listed("trend", trend(course))
    last = course.entries[-1]
    yield Line("last batch", f"{printable(last.batch)}, {last.when} UTC, {age(last.started)}")
    if course.acknowledged is not None:
        yield Line("ack", printable(course.acknowledged))


def summary(course: Course) -> str:
    """Counts, and the state of now, in a line."""
    count, rejected = len(course.entries), sum(e.rejected for e in course.entries)
    text = f"{count:,} batch{'es' * (count != 1)}, {rejected:,} rejected"
    if course.rule:
        text += f", rule {course.rule}"
    if course.replaced:
        return f"{text}; an earlier calibration, its alarms count no more"
    state = "ALARM" if course.alarm else "no alarm"
    return f"{text}; {state} since {course.since.when} UTC"


def age(started: str, now: datetime | None = None) -> str:
    """How long ago, in words; empty for what is no time."""
    try:
        then = datetime.fromisoformat(started)
    except ValueError:
        return ""
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    hours = ((now or datetime.now(UTC)) - then).total_seconds() / 3600
    if hours < 1:
        return f"{max(0, round(60 * hours))} min ago"
    return f"{round(hours)} h ago" if hours < 48 else f"{round(hours / 24)} days ago"


def trend(course: Course) -> list[str]:
    """The last batches as a row of bars, the higher the smaller p; alarms are marked below it."""
    import math

    some = course.entries[-MOST_DRAWN:]
    smallest = min((e.p for e in some if e.p), default=1.0)
    top = max(2.0, min(12.0, -math.log10(max(smallest, 1e-300))))
    bars = "".join(
        "?" if e.p is None else HEIGHTS[min(7, int(8 * -math.log10(max(e.p, 1e-300)) / top))]
        for e in some
    )
    marks = "".join("^" if e.alarm else " " for e in some).rstrip()
    scale = f"p 1 to {number(10**-top)}, the last {len(some)} batches"
    return [bars, *([f"{marks} alarm"] if marks else []), scale]
