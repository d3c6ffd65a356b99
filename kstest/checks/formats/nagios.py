"""One line of a Nagios plugin with performance data, and the exit code that Nagios reads.

| exit code | Nagios | when |
| --- | --- | --- |
| 0 | OK | no alarm |
| 1 | WARNING | a rejection that is only warned of, or acknowledged |
| 2 | CRITICAL | an alarm |
| 3 | UNKNOWN | a check could not run, or has no verdict |
"""

from __future__ import annotations

from ...findings import number
from ..outcome import Outcome, Report
from .rows import label, sentence

WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}
SHOWN = 3


def exit_code(report: Report) -> int:
    """The exit code that Nagios reads."""
    if report.exit_code == 1:
        return 2
    if report.exit_code != 0:
        return 3
    return int(any(o.status == "rejected" or o.changes for o in report.outcomes))


def render(report: Report, color: bool = False) -> str:
    """Return the line."""
    telling = [o for o in report.outcomes if o.status != "not rejected" or o.changes]
    words = "; ".join(f"{label(o)} {sentence(o)}" for o in telling[:SHOWN])
    if len(telling) > SHOWN:
        words += f"; and {len(telling) - SHOWN} more"
    words = words or f"{len(report.outcomes)} checks, no alarm"
    data = " ".join(_data(o) for o in report.outcomes if o.p_value is not None)
    status = f"KSTEST {WORDS[exit_code(report)]} - {_plain(words)}"
    return f"{status} | {data}\n" if data else f"{status}\n"


def _plain(text: str) -> str:
    """Without the bar, which begins the performance data."""
    return " ".join(text.replace("|", "/").split())


def _data(outcome: Outcome) -> str:
    name = _plain(label(outcome)).replace("'", "''").replace("=", "_")
    return f"'{name}'={number(outcome.p_value or 0.0)};;;0;1"
