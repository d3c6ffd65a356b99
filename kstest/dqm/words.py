"""What dqm says of a batch, as findings: evidence, alarm, columns, rate, advice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import printable
from ..findings import (
    Column,
    Facts,
    Finding,
    Headline,
    Line,
    Note,
    Table,
    listed,
    number,
    plain,
)
from ..lean import ndtri_exp
from ..result import Result

# Events that are said in words, of those that are listed.
MOST_EVENTS = 5
# The order of what is said after the columns.
EVIDENCE, TOLERANCE, ALARM, CALIBRATED, RATE, BEYOND, RANKING, EVENTS = range(8)


def batch(label: str) -> Facts:
    """The name of the batch, which a page has in its title."""
    return Facts("batch", label, (Line(Path(label).name, label, "subject"),))


def statistic(title: str) -> Facts:
    return Facts("statistic", title, (Line(title, "", "statistic"),))


def z_value(p: float) -> float:
    """Return z with P(N(0, 1) >= z) = p, however small p is."""
    return -ndtri_exp(float(np.log(p)))


def z_text(value: float, least: str = "below -8") -> str:
    return f"{value:.2f}" if math.isfinite(value) else least


def evidence(
    p: float, analytic: float, used: int, events: int, whole: bool = True
) -> tuple[Facts, ...]:
    """The p-value as z, beside that of the analytic distribution, and how many events were judged.

    Parameters
    ----------
    p, analytic : float
    used, events : int
    whole : bool
        Whether events that were not judged are worth a word.
    """
    z, analytic_z = z_value(p), z_value(analytic)
    text = f"z {z_text(z)}; by the analytic distribution p {number(analytic)}"
    text += f", z {z_text(analytic_z)}" if analytic < 1 else ""
    lines = (Line("evidence", text, "numbers", EVIDENCE),)
    left = f"{used:,} of {events:,} events, a size that was calibrated; the others were not judged"
    told = (Line("used", left, "numbers", EVIDENCE),) if whole and used != events else ()
    return (
        Facts("z", z, lines),
        Facts("analytic_p_value", analytic),
        Facts("analytic_z", analytic_z),
        Facts("events_used", used, told),
    )


def windows(rows: Sequence[Mapping[str, Any]], used: int) -> Table:
    rejected = sum(bool(row["reject"]) for row in rows)
    text = (
        f"{rejected:,} of {len(rows):,} windows of {used // len(rows):,} events are rejected, each "
        "by itself; p is that of all together, by Simes' rule"
    )
    columns = Column("batch", "window"), Column("p_value", "p"), Column("reject", "rejected")
    lines = (Line("windows", text, "numbers", EVIDENCE),)
    return Table("windows", rows, columns, "Windows", lines)


def tolerance_text(runs: int) -> str:
    """That differences between good runs are allowed for."""
    return (
        f"usual differences between runs raise no alarm: toys come from {runs:,} good runs one by "
        f"one, so p is at least 1/{1 + runs:,}"
    )


def tolerance(runs: int | None) -> Facts:
    if not runs:
        return Facts("tolerance", runs)
    line = Line("tolerance", tolerance_text(runs), "numbers", TOLERANCE)
    return Facts("tolerance", runs, (line,))


def alarm(state: Mapping[str, Any], result: Result) -> Facts:
    """Whether there is an alarm after the batch, which is the headline; the exit code says so."""
    if state["alarm"]:
        title = "ACKNOWLEDGED ALARM" if state.get("acknowledged") else "ALARM"
        headline = Headline(title, state["summary"], "rejected")
    elif result.verdict == "no verdict":
        headline = Headline("NO VERDICT", state["summary"], "no verdict")
    else:
        headline = Headline("NO ALARM", state["summary"], "not rejected")
    own = str(result.verdict)
    if result.p_value is not None:
        own += f", p {number(result.p_value)}"
        own += f" at level {result.alpha:g}" if "level" not in state else ""
    lines = [
        Line("this batch", own, "numbers", ALARM),
        *listed("alarm", alarm_lines(state), "numbers", ALARM),
    ]
    if state.get("acknowledged"):
        lines.append(Line("ack", state["acknowledged"], "numbers", ALARM))
    return Facts("alarm", state, tuple(lines), headline)


def alarm_lines(state: Mapping[str, Any]) -> list[str]:
    """Whether there is one, by which rule, and how often that is false."""
    text = "YES" if state["alarm"] else "no"
    if "level" in state:
        deaf = "" if state["possible"] else ", below the smallest p-value of the toys"
        return [f"{text} ({state['rule']}), level {number(state['level'])}{deaf}"]
    rate, per_day = state["false_alarms_per_batch"], state["false_alarms_per_day"]
    if not state["judged"]:
        return [f"{text} (no batch has a verdict yet)"]
    count, among, needed = state["rejected"], state["among"], state["needed"]
    if f"{needed} of the last {among}" == state["rule"]:
        text += f" ({count} of the last {among} rejected, an alarm takes {needed})"
        often, later = f"one false alarm in {1 / rate:,.0f} batches expected", []
    else:
        alone = "a batch alone alarms if it is rejected"
        rule = alone if among == 1 else f"of {among} batches all have to be"
        rule = rule if needed == among else f"of {among} batches {needed} have to be"
        text += f" ({count} of {among} rejected; {rule})"
        often = f"by chance 1 good one in {1 / rate:,.0f} does"
        later = [f"the rule for more batches is {state['rule']}"]
    if per_day is not None:
        often = f"{number(per_day)} false alarms a day expected"
    return [text, often, *later]


def ranking(columns: Sequence[Any], rejected: bool, rate_tested: bool) -> Table:
    """Columns that differ by themselves, and what is left of the evidence without each."""
    rows = [plain(column) for column in columns]
    tested = any(row["p_value"] is not None for row in rows)
    named = [row for row in rows if row["differs"]] if tested else rows
    texts = [f"{printable(row['column'])}: {row['words']} ({_lost(row)})" for row in named]
    if tested and not named:
        how = ": how they go together changed, or too little"
        if rate_tested:
            how = ": the rate, how they go together, or too little"
        texts = [f"no column by itself{how if rejected else ''}"]
    lines = listed("driven by" if rejected else "differ in", texts, "numbers", RANKING)
    others = [row for row in rows if row not in named and row["t_without"] is not None]
    if others:
        each = [f"{number(row['t_without'])} without {printable(row['column'])}" for row in others]
        text = f"t {number(others[0]['t'])}, {', '.join(each)}"
        lines.append(Line("otherwise", text, "numbers", RANKING))
    shown = (
        Column("column", "column"),
        Column("p_value", "p, corrected"),
        Column("t", "t"),
        Column("t_without", "t without it"),
        Column("words", "what differs"),
    )
    strong = tuple(row["differs"] for row in rows)
    return Table("ranking", columns, shown, "Ranking of columns", tuple(lines), strong=strong)


def _lost(row: Mapping[str, Any]) -> str:
    p = "" if row["p_value"] is None else f"p {number(row['p_value'])} by itself; "
    if row["t_without"] is None:
        return f"{p}the only column"
    return f"{p}t {number(row['t'])}, without it {number(row['t_without'])}"


def beyond(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Columns with events beyond the range of the reference."""
    lines = tuple(Line("beyond", row["sentence"], "numbers", BEYOND) for row in rows)
    columns = (
        Column("column", "column"),
        Column("end", "where"),
        Column("share", "share of the events", "share"),
        Column("p_value", "p, corrected"),
    )
    return Table("beyond", rows, columns, "Beyond the reference", lines)


def rate(value: Mapping[str, Any]) -> Facts:
    text = f"{value['events']:,} events"
    if value["tested"]:
        text += f" where {number(value['expected'])} are expected (z {value['z']:+.2f})"
    line = Line("rate", f"{text}; {value['sentence']}", "numbers", RATE)
    return Facts("rate", value, (line,))


def events(rows: Sequence[Mapping[str, Any]], records: bool = False) -> Table:
    """The events with the largest learned ratio; records begin in their row."""
    which = "the one that begins in row" if records else "row"
    texts = [
        f"{which} {row['row']}, {number(row['ratio'])} times as dense as in the reference"
        for row in rows[:MOST_EVENTS]
    ]
    columns = (
        Column("row", "row", "d"),
        Column("ratio", "times as dense"),
        Column("values", "values"),
    )
    lines = tuple(listed("events", texts, "numbers", EVENTS))
    return Table("events", rows, columns, "Events", lines)


def calibrated(record: Mapping[str, Any]) -> Facts:
    """When and with which reference the calibration was made."""
    inputs = [dict(i) for i in record["inputs"]]
    started = str(record["provenance"]["started"])
    paths = [printable(i["path"]) for i in inputs if i["sample"] == "reference"]
    shown = ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
    text = f"{started[:16].replace('T', ' ')} UTC, reference {shown}"
    value = {"started": record["provenance"]["started"], "inputs": inputs}
    return Facts("calibrated", value, (Line("calibrated", text, "numbers", CALIBRATED),))


def meant(meaning: str, advice: Sequence[str]) -> tuple[Finding, ...]:
    """What the verdict means, and what to do."""
    return Note("meaning", meaning, "meaning"), Note("advice", advice, "advice")
