"""The command `kstest dqm status`: all batches of a history, as text or as a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from ..dqm import status
from ..dqm.status import Course, Entry
from ..files import destinations, output
from ..findings import number
from ..report import FORMATS, pages, render
from ..report.trend import Point, trend
from .call import command_line, deliver, written
from .command import OUTPUT_OPTIONS
from .help import Argument, Command

SIGNS = {"ALARM": "▲", "ACKNOWLEDGED ALARM": "▲", "NO VERDICT": "?", "NO ALARM": "✓"}
# Batches in a table of the page; all are in the drawing.
MOST_ROWS = 500
EPILOG = """\b
Exit codes:
  0  no alarm, or acknowledged      2  could not run
  1  alarm                          3  the last batch has no verdict"""


def build(summary: str) -> click.Command:
    """Return the command."""
    names = ("form", "output", "quiet", "exit_zero", "debug")
    more = (
        "The history is that of kstest dqm check --history, or of kstest run with checks of "
        "batches. Nothing is judged anew. A page, which reloads itself every minute, is written "
        "by --format html, or to an output whose name ends in .html."
    )
    return Command(
        "status",
        callback=_run,
        params=[
            Argument(["history"], default=".kstest/history.db", required=False),
            *(o for o in OUTPUT_OPTIONS if o.name in names),
        ],
        help=f"{summary}\n\n{more}\n\n\b\nExample: kstest dqm status h.db -o status.html",
        short_help=summary,
        epilog=EPILOG,
    )


def _run(history: str, **given: Any) -> int:
    path = given["output"] or ""
    if path.endswith(".html") and "form" not in written():
        given["form"] = "html"
    if given["form"] == "html":
        pages.require()
    destinations.require(given, [history, f"{history}-wal", f"{history}-shm"])
    found = status.courses(history)
    if given["form"] == "html":
        output.write(page(found, history, command_line()), given["output"])
    else:
        assert given["form"] in FORMATS
        deliver(lambda color: render(status.answer(found), given["form"], color), given)
    code = status.exit_code(found)
    return 0 if given["exit_zero"] and code == 1 else code


def page(found: Sequence[Course], history: str, command: str) -> str:
    """The page for the crew of a shift: the alarm first, and largest."""
    head = status.headline(found)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    last = max((c.entries[-1] for c in found), key=lambda entry: entry.started)
    return pages.rendered(
        "status.html",
        title=f"{head.title}: {head.sentence}",
        headline={"title": head.title, "sentence": head.sentence, "sign": SIGNS[head.title],
                  "verdict": "no" if head.title == "ACKNOWLEDGED ALARM" else head.verdict},
        last=last,
        made=now,
        courses=[_course(c) for c in found],
        facts=[("made", f"{now[:16].replace('T', ' ')} UTC"), ("by", command),
               ("history", history)],
    )  # fmt: skip


def _course(course: Course) -> dict[str, Any]:
    ends = course.entries[0].when, course.entries[-1].when
    marks = [(e["place"], _event(e)) for e in course.events]
    rows = course.entries[::-1]
    return {
        "course": course,
        "summary": status.summary(course),
        "trend": trend([_point(e) for e in course.entries], course.level, ends, marks),
        "rows": [_row(e, course.replaced) for e in rows[:MOST_ROWS]],
        "left": len(rows) - MOST_ROWS,
        "events": [(str(e["made"])[:16].replace("T", " "), _event(e)) for e in course.events][::-1],
    }


def _event(event: Any) -> str:
    until = f" until {event['until']}" if event["until"] else ""
    kind = {"ack": "acknowledged", "reset": "begun anew"}.get(event["kind"], event["kind"])
    return f"{kind}{until}" + (f": {event['why']}" if event["why"] else "")


def _point(entry: Entry) -> Point:
    words = f"{entry.batch}, {entry.when}, {entry.verdict}"
    words += "" if entry.p is None else f", p {number(entry.p)}"
    return Point(entry.p, entry.rejected, entry.alarm, words)


def _row(entry: Entry, replaced: bool) -> dict[str, Any]:
    kind = (
        "loud"
        if entry.alarm and not replaced
        else "unsure"
        if entry.verdict != "not rejected"
        else "calm"
    )
    return {
        "entry": entry,
        "kind": kind if entry.verdict else "calm",
        "p": "" if entry.p is None else number(entry.p),
        "events": "" if entry.events is None else f"{entry.events:,}",
    }
