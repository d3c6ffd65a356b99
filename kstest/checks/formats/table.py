"""CSV: a row per check."""

from __future__ import annotations

import csv
import io

from ...wording import printable
from ..outcome import Report

COLUMNS = (
    "name", "unit", "test", "severity", "status", "p_value", "adjusted", "alpha", "level",
    "over_time", "acknowledged", "seconds", "message",
)  # fmt: skip


def render(report: Report, color: bool = False) -> str:
    """Absent values are empty cells, numbers have all their digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["run", "started", *COLUMNS, "changes"])
    for outcome in report.outcomes:
        values = [getattr(outcome, name) for name in COLUMNS]
        cells = [printable(v) if isinstance(v, str) else v for v in values]
        changes = "; ".join(printable(change.message) for change in outcome.changes)
        writer.writerow([report.run, report.started, *cells, changes])
    return stream.getvalue()
