"""One line for Nagios and Icinga, and their own exit codes."""

from __future__ import annotations

from ...wording import printable
from ..forms import sentence
from ..outcome import Report

WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
OK, WARNING, CRITICAL, UNKNOWN = range(4)


def exit_code(report: Report) -> int:
    """2 for an alarm, 3 if a check could not run or has no verdict, 1 for others that rejected."""
    if report.exit_code == 1:
        return CRITICAL
    if report.exit_code != 0:
        return UNKNOWN
    open_ones = [o for o in report.outcomes if o.acknowledged is None]
    return WARNING if any(o.status == "rejected" or o.changes for o in open_ones) else OK


def render(report: Report, color: bool = False) -> str:
    """The state, what was found, and the p-values as performance data."""
    data = [f"time={report.seconds:.3f}s;;;0"]
    for outcome in report.outcomes:
        p = outcome.p_value if outcome.adjusted is None else outcome.adjusted
        name = "".join("_" if c in "='|" else c for c in printable(outcome.label))
        value = "U" if p is None else f"{p:.10f}"  # no exponents: not all readers know them
        data.append(f"'{name} p'={value};;{outcome.alpha:.10f}:;0;1")
    return f"{line(exit_code(report), sentence(report))} | {' '.join(data)}\n"


def line(code: int, words: str) -> str:
    """The line without performance data, which a bar would begin."""
    return f"KSTEST {WORDS[code]} - {printable(words).replace('|', '/')}"
