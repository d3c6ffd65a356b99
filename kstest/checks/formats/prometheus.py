"""Text format of Prometheus, for the textfile collector of the node exporter.

Gauges without timestamps, as the collector asks for. The file is renamed into place by
``--report prometheus:FILE``, so that the collector never reads half of it. The time of the run
tells a rule of alerts that runs have stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from ...wording import printable
from ..outcome import Outcome, Report

_GAUGES: tuple[tuple[str, str, Callable[[Outcome, str], float | None]], ...] = (
    ("kstest_check_alarm", "1 if the check makes the exit code 1.", lambda o, f: o.alarm(f)),
    ("kstest_check_rejected", "1 if the test rejects.", lambda o, f: o.status == "rejected"),
    ("kstest_check_error", "1 if the check could not run.", lambda o, f: o.status == "error"),
    (
        "kstest_check_no_verdict",
        "1 if the check has no verdict.",
        lambda o, f: o.status == "no verdict",
    ),
    (
        "kstest_check_acknowledged",
        "1 if an alarm of the check is known.",
        lambda o, f: o.acknowledged is not None,
    ),
    ("kstest_check_p_value", "p-value of the test.", lambda o, f: o.p_value),
    ("kstest_check_changes", "Columns that are not as before.", lambda o, f: len(o.changes)),
    ("kstest_check_duration_seconds", "Duration of the check.", lambda o, f: o.seconds),
)


def render(report: Report, color: bool = False) -> str:
    """Return the metrics."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    fail_on = str(report.settings["fail_on"])
    for name, words, value in _GAUGES:
        yield f"# HELP {name} {words}"
        yield f"# TYPE {name} gauge"
        for outcome in report.outcomes:
            number = value(outcome, fail_on)
            if number is not None:
                yield f"{name}{{{_labels(outcome)}}} {float(number):.10g}"
    code = report.exit_code
    started = datetime.fromisoformat(report.started).timestamp()
    whole = [
        ("kstest_run_exit_code", "Exit code of the run.", float(code)),
        ("kstest_run_duration_seconds", "Duration of the run.", report.seconds),
        ("kstest_run_time_seconds", "When the run began, in Unix time.", started),
    ]
    if not any(o.status == "error" for o in report.outcomes):
        words = "When the last run in which every check ran began, in Unix time."
        whole.append(("kstest_run_last_success_time_seconds", words, started))
    for name, words, number in whole:
        yield f"# HELP {name} {words}"
        yield f"# TYPE {name} gauge"
        yield f"{name} {number:.15g}"


def _labels(outcome: Outcome) -> str:
    pairs = {"check": outcome.name, "unit": outcome.unit, "test": outcome.test}
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in pairs.items())


def _escaped(text: str) -> str:
    text = "\n".join(printable(line) for line in text.splitlines())
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
