"""A line per check, for spreadsheets."""

from __future__ import annotations

import csv
import io

from ...wording import printable
from ..outcome import Report
from .rows import sentence

COLUMNS = (
    "run", "date", "check", "unit", "test", "status", "alarm", "p_value", "adjusted", "alpha",
    "severity", "acknowledged", "seconds", "message",
)  # fmt: skip


def render(report: Report, color: bool = False) -> str:
    """Return the table, quoted as RFC 4180 asks."""
    fail_on = str(report.settings["fail_on"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for o in report.outcomes:
        names = [report.run, report.date, printable(o.name), printable(o.unit), o.test, o.status]
        numbers = [int(o.alarm(fail_on)), o.p_value, o.adjusted, o.alpha]
        rest = [o.severity, o.acknowledged, round(o.seconds, 3), sentence(o)]
        writer.writerow([*names, *numbers, *rest])
    return text.getvalue()
