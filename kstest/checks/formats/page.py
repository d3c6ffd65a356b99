"""The page of a run: alarms first, evidence over time, pictures of what differs, what is new."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import UsageError
from ...findings import number
from ...plot import check as require_plot
from ...report.html import values
from ...report.pages import rendered
from ...report.trend import Point, Trend, trend
from ..forms import TITLES, sentence
from ..outcome import Outcome, Report
from ..past import evidence, news, since
from . import notable

SIGNS = {0: "✓", 1: "▲", 2: "✕", 3: "?", 70: "✕"}
WORDS = {"rejected": "REJECTED", "error": "ERROR", "no verdict": "no verdict"}
# Pictures of so many checks, and so many columns of each; details of so many checks.
MOST_PICTURES, MOST_PANELS, MOST_CARDS = 12, 6, 100


def render(report: Report, color: bool = False) -> str:
    """A file of HTML; without matplotlib it has no pictures, and says so."""
    title, verdict = TITLES[report.exit_code]
    # A check that could not run comes after those that alarm.
    found = sorted(notable(report), key=lambda one: (one[0] != "error", one[1].status == "error"))
    order = [o for _, o in found] + [o for o in report.outcomes if o not in [x for _, x in found]]
    cards, notes = _cards(report, found)
    return rendered(
        "run.html",
        title=f"{title}: {sentence(report)}",
        headline={"title": title, "verdict": verdict if report.exit_code else "not rejected",
                  "sentence": sentence(report), "sign": SIGNS[report.exit_code]},
        report=report,
        when=f"{report.started[:16].replace('T', ' ')} UTC",
        news=news(report),
        first=report.run is None or report.run - 1 not in report.past.runs,
        cards=cards,
        notes=notes,
        rows=[_row(report, outcome) for outcome in order],
        events=[_event(event) for event in report.past.events][::-1],
        facts=list(_facts(report)),
    )  # fmt: skip


def _row(report: Report, outcome: Outcome) -> dict[str, Any]:
    """A line of the table of all checks."""
    p = outcome.p_value if outcome.adjusted is None else outcome.adjusted
    e = None if outcome.result is None else outcome.result.e_value
    evident = "" if p is None else number(p)
    if p is None and e is not None:
        evident = f"e {number(e)}"
    return {
        "label": outcome.label,
        "test": outcome.test,
        "kind": _kind(report, outcome),
        "status": WORDS.get(outcome.status, outcome.status),
        "known": outcome.acknowledged,
        "warn": outcome.severity == "warn",
        "changes": len(outcome.changes),
        "p": evident,
        "key": p if p is not None else "" if not e else min(1.0, 1 / e),
        "alpha": number(outcome.alpha),
        "trend": _trend(report, outcome),
        "seconds": f"{outcome.seconds:.2f}",
    }


def _kind(report: Report, outcome: Outcome) -> str:
    """'loud' for what makes the exit code, 'unsure' for what else is to be looked at."""
    if outcome.alarm(str(report.settings["fail_on"])) or outcome.status == "error":
        return "loud"
    return "unsure" if outcome.status != "not rejected" or outcome.changes else "calm"


def _trend(report: Report, outcome: Outcome) -> Trend | None:
    rows = report.past.of(outcome)
    if not rows:
        return None
    ends = [report.past.started(rows[k]["run"])[:16].replace("T", " ") for k in (0, -1)]
    events = [e for e in report.past.events if e["name"] == outcome.name]
    marks = []
    for event in events:
        place = sum(row["id"] <= event["after"] for row in rows)
        if place > 0:
            marks.append((place, _event(event)["words"]))
    return trend([_point(report, row) for row in rows], outcome.alpha, (ends[0], ends[1]), marks)


def _point(report: Report, row: Mapping[str, Any]) -> Point:
    p, rejected = evidence(row), row["status"] == "rejected"
    if row["status"] in ("error", "no verdict"):
        p = None
    when = report.past.started(row["run"])[:16].replace("T", " ")
    words = f"run {row['run']}, {when}, {row['status']}"
    words += "" if p is None else f", p {number(p)}"
    words += f", {row['unit']}" if row["unit"] and not row["series"] else ""
    return Point(p, rejected, rejected and row["acknowledged"] is None, words)


def _event(event: Mapping[str, Any]) -> dict[str, str]:
    until = f" until {event['until']}" if event["until"] else ""
    why = f": {event['why']}" if event["why"] else ""
    kind = {"ack": "acknowledged", "reset": "begun anew"}.get(event["kind"], event["kind"])
    return {
        "when": str(event["made"])[:16].replace("T", " "),
        "name": event["name"],
        "words": f"{kind}{until}{why}",
    }


def _cards(
    report: Report, found: Sequence[tuple[str, Outcome]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """All about the checks that are to be looked at, and what is left out."""
    cards, notes = [], []
    drawn = 0
    for place, (_, outcome) in enumerate(found[:MOST_CARDS]):
        pictures = None
        if outcome.picture is not None and outcome.picture.panels:
            drawn += 1
            pictures = _pictures(outcome, f"c{place}p") if drawn <= MOST_PICTURES else None
        cards.append(_card(report, outcome, pictures))
    if any(o.picture is not None and o.picture.panels for _, o in found) and not _can_draw():
        notes.append(f"Pictures need matplotlib: {INSTALL}")
    elif drawn > MOST_PICTURES:
        notes.append(f"Pictures of the first {MOST_PICTURES} of {drawn} checks.")
    if len(found) > MOST_CARDS:
        notes.append(f"Details of the first {MOST_CARDS} of {len(found)} checks to look at.")
    return cards, notes


INSTALL = "python3 -m pip install 'kstest[plot]'"


def _can_draw() -> bool:
    try:
        require_plot("page.html")
    except UsageError:
        return False
    return True


def _pictures(outcome: Outcome, name: str) -> Any:
    """Drawings of the columns that differ most."""
    if not _can_draw() or outcome.picture is None:
        return None
    from ...plot.figure import drawings
    from ...plot.page import shown

    some = outcome.picture.panels
    telling = [panel for panel in some if panel.strong] or list(some)
    picture = replace(outcome.picture, panels=tuple(telling[:MOST_PANELS]), notes=())
    return shown(picture, drawings(picture), name)


def _card(report: Report, outcome: Outcome, pictures: Any) -> dict[str, Any]:
    result = outcome.result
    about = None if result is None else values(result)
    if about is not None and not about["entries"]:
        about = None
    return {
        "row": _row(report, outcome),
        "kind": _kind(report, outcome),
        "message": outcome.message,
        "numbers": "; ".join(_numbers(outcome)),
        "since": since(report, outcome),
        "changes": [change.message for change in outcome.changes],
        "acknowledged": outcome.acknowledged,
        "repeated": outcome.repeated,
        "pictures": pictures,
        "answer": about,
        "ack": f"kstest ack {shlex.quote(outcome.name)} --until DATE --why TEXT",
    }


def _numbers(outcome: Outcome) -> Iterator[str]:
    if outcome.p_value is not None:
        yield f"p {number(outcome.p_value)}"
        if outcome.adjusted is not None and outcome.adjusted != outcome.p_value:
            yield f"{number(outcome.adjusted)} after the correction"
    elif outcome.result is not None and outcome.result.e_value is not None:
        yield f"e {number(outcome.result.e_value)}"
    yield f"level {number(outcome.alpha)}"
    yield f"test {outcome.test}"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    """When and by what it was made, and what is promised."""
    yield "made", f"{report.started.replace('T', ' ')}, in {report.seconds:g} s"
    if report.command:
        yield "command", report.command
    yield "date in paths", report.date.replace("T", " ")
    yield "checks", f"{report.config}, SHA-256 {report.digest[:16]}"
    if report.run is not None:
        yield "run", f"{report.run} of the history; kstest show {report.run} has all of it"
    yield "kstest", str(report.provenance.get("kstest", ""))
    if report.settings.get("correction", "none") != "none" and len(report.outcomes) > 1:
        yield "correction", f"{report.settings['correction']}, over the checks of this run"
    for text in report.control:
        kind, _, words = text.partition(": ")
        yield "over time", f"{kind}: {words}"
