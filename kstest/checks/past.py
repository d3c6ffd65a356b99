"""What the history knows of the checks of a run: evidence over time, and what changed since."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ..findings import Note
from ..result import Notice, Result
from .config import Check
from .history import History
from .outcome import Change, Outcome, Past, Report

# Runs before this one that are shown.
RECENT = 60


def with_past(report: Report, history: History | None) -> Report:
    """Add what the history knows to a report, which is in it."""
    if history is None or report.run is None:
        return report
    found = defaultdict(list)
    with history.transaction():
        first = report.run - RECENT
        rows = history.rows("outcomes", "WHERE run > ? AND run <= ? ORDER BY id", first, report.run)
        runs = history.rows("runs", "WHERE id > ? AND id <= ? ORDER BY id", first, report.run)
        events = history.rows("events", "ORDER BY id")
    for row in rows:
        found[row["name"], row["series"]].append(row)
    return replace(report, past=Past(dict(found), {r["id"]: r for r in runs}, events))


def restored(
    run: Mapping[str, Any],
    outcomes: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any] | None],
    checks: Mapping[str, Check],
) -> Report:
    """A run as a report again, from its rows.

    Parameters
    ----------
    run : mapping
        Row of the run.
    outcomes, results : sequence
        Rows of its outcomes, and the whole result of each, None where it was dropped.
    checks : mapping of str to Check
        Those of the file of now, for what a history does not have: level and severity of changes.
    """
    found = [
        _outcome(row, result, checks.get(row["name"]))
        for row, result in zip(outcomes, results, strict=True)
    ]
    keys = ("config", "digest", "started", "date", "seconds")
    return Report(
        **{key: run[key] for key in keys},
        settings=json.loads(run["settings"]),
        outcomes=tuple(found),
        run=run["id"],
        provenance={"kstest": run["version"]},
        code=run["exit_code"],
    )


def _outcome(
    row: Mapping[str, Any], result: Mapping[str, Any] | None, check: Check | None
) -> Outcome:
    same = ("name", "unit", "test", "severity", "over_time", "status", "level", "p_value",
            "adjusted", "message", "acknowledged", "seconds")  # fmt: skip
    level = row["level"] if row["level"] is not None else (result or {}).get("alpha", 0.05)
    return Outcome(
        **{name: row[name] for name in same},
        alpha=level if check is None else check.alpha,
        changes=tuple(Change(**change) for change in json.loads(row["changes"])),
        schema="warn" if check is None else check.schema,
        result=None if result is None else _result(result),
    )


def _result(found: Mapping[str, Any]) -> Result:
    """Numbers, warnings and files of a result; of its findings the sentence."""
    kept = {f.name: found[f.name] for f in fields(Result) if f.name in found}
    kept |= {name: tuple(kept.get(name, ())) for name in ("columns", "inputs")}
    kept["warnings"] = tuple(
        Notice(**{f.name: one[f.name] for f in fields(Notice) if f.name in one})
        for one in found.get("warnings", ())
    )
    summary = found.get("explanation", {}).get("summary")
    notes = () if summary is None else (Note("summary", summary),)
    return Result(**{**kept, "findings": notes})


def evidence(row: Mapping[str, Any]) -> float | None:
    """The p-value that counted; of evidence that grows the one that it bounds, 1 / e."""
    for name in ("adjusted", "p_value"):
        if row[name] is not None:
            return float(row[name])
    return min(1.0, 1 / row["e_value"]) if row["e_value"] else None


def since(report: Report, outcome: Outcome) -> str:
    """For how long the outcome has been the same, in words; empty without a history."""
    rows = report.past.of(outcome)
    same = 0
    for row in reversed(rows):
        if row["status"] != outcome.status:
            break
        same += 1
    if not same:
        return ""
    begun, every = report.past.started(rows[-same]["run"])[:16].replace("T", " "), len(rows)
    if same == every:
        words = f"{outcome.status} in all of the last {every:,}"
        return words if every > 1 else "for the first time"
    if same == 1:
        return f"{outcome.status} for the first time in {every:,}, was {rows[-2]['status']} before"
    return f"{outcome.status} in the last {same:,} of {every:,}, since {begun} UTC"


def news(report: Report) -> list[str]:
    """What is not as it was in the run before, the alarms first."""
    if report.run is None:
        return []
    before = report.past.runs.get(report.run - 1)
    if before is None:
        return []
    found = sorted(_changed(report), key=lambda one: one[0])
    words = [text for _, text in found]
    names = {o.name for o in report.outcomes}
    last = (rows[-1] for rows in _before(report).values())
    gone = {row["name"] for row in last if row["run"] == before["id"]} - names
    words += [f"{name} was not part of this run" for name in sorted(gone)]
    if before["digest"] != report.digest:
        words.append("the file of the checks was edited")
    if before["version"] != report.provenance.get("kstest", before["version"]):
        words.append(f"kstest {before['version']} ran before")
    return words


def _before(report: Report) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The outcomes of earlier runs."""
    every = {key: [r for r in rows if r["run"] != report.run] for key, rows in
             report.past.outcomes.items()}  # fmt: skip
    return {key: rows for key, rows in every.items() if rows}


def _changed(report: Report) -> Iterator[tuple[int, str]]:
    """Sentences, with their order."""
    order = {"rejected": 0, "error": 1, "no verdict": 2, "not rejected": 3}
    for outcome in report.outcomes:
        earlier = [r for r in report.past.of(outcome) if r["run"] != report.run]
        if not earlier:
            yield order[outcome.status], f"{outcome.label}: new, {outcome.status}"
            continue
        last = earlier[-1]
        if last["status"] != outcome.status:
            words = f"{outcome.label}: {outcome.status}, was {last['status']}"
            yield order[outcome.status], words
        known = {change["message"] for change in json.loads(last["changes"])}
        fresh = [c.message for c in outcome.changes if c.message not in known]
        yield from ((order["rejected"], f"{outcome.label}: {message}") for message in fresh)
        gone = len(known) - (len(outcome.changes) - len(fresh))
        if gone > 0 and outcome.status != "error":
            s = "s" * (gone != 1)
            yield order["not rejected"], f"{outcome.label}: {gone} change{s} of columns no more"
        if (last["acknowledged"] is None) != (outcome.acknowledged is None):
            known_now = outcome.acknowledged is not None
            said = f"acknowledged {outcome.acknowledged}" if known_now else "acknowledged no more"
            yield order["no verdict"], f"{outcome.label}: {said}"
