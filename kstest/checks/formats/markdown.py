"""Markdown, for a pull request or a chat: a table with a line per check."""

from __future__ import annotations

from ...findings import number
from ...report.markdown import escaped
from ..outcome import Report
from .rows import label, sentence


def render(report: Report, color: bool = False) -> str:
    """Return a heading and a table."""
    fail_on = str(report.settings["fail_on"])
    alarms = sum(o.alarm(fail_on) for o in report.outcomes)
    count = len(report.outcomes)
    title = f"{alarms} of {count} checks alarm" if alarms else f"{count} checks, no alarm"
    lines = [
        f"### kstest: {title}",
        "",
        "| check | verdict | p | what |",
        "| --- | --- | --- | --- |",
    ]
    for o in report.outcomes:
        verdict = f"**{o.status}**" if o.alarm(fail_on) or o.status == "error" else o.status
        p = "" if o.p_value is None else number(o.p_value)
        what = sentence(o).partition(": ")[2] if o.status != "not rejected" else ""
        what = what or "; ".join(change.message for change in o.changes)
        lines.append(f"| {escaped(label(o))} | {verdict} | {p} | {escaped(what)} |")
    return "\n".join(lines) + "\n\n"
