"""Prometheus' text format, for the textfile collector of the node exporter.

No sample has a timestamp: the collector refuses files with them.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from ...wording import printable
from ..outcome import BUG, ERROR, Outcome, Report

SUCCESS = "kstest_last_success_timestamp_seconds"


def render(report: Report, color: bool = False, earlier: str = "") -> str:
    """The samples of a run; `earlier` is what the file held, of which the last success stays.

    A success is a run in which every check could run, whatever it found.
    """
    fail_on = str(report.settings["fail_on"])
    now = time.time()
    kept = re.search(rf"^{SUCCESS} (\d+(?:\.\d+)?)$", earlier, flags=re.MULTILINE)
    success = float(kept[1]) if kept else 0.0
    if report.exit_code not in (ERROR, BUG) and all(o.status != "error" for o in report.outcomes):
        success = now
    lines: list[str] = []

    def family(name: str, words: str, samples: Iterable[tuple[str, float]]) -> None:
        some = [f"{name}{labels} {value!r}" for labels, value in samples]
        if some:
            lines.extend([f"# HELP {name} {words}", f"# TYPE {name} gauge", *some])

    every = list(_labelled(report))
    family("kstest_last_run_timestamp_seconds", "When the last run ended.", [("", now)])
    family(SUCCESS, "When all checks could run last; 0 for never.", [("", success)])
    family("kstest_run_duration_seconds", "Duration of the run.", [("", float(report.seconds))])
    family("kstest_run_exit_code", "Exit code of the run.", [("", float(report.exit_code))])
    family(
        "kstest_check_alarm",
        "Whether the check is an alarm.",
        [(where, float(o.alarm(fail_on))) for where, o in every],
    )
    family(
        "kstest_check_status",
        "1 for the status that the check has.",
        [(f'{where[:-1]},status="{o.status}"}}', 1.0) for where, o in every],
    )
    family(
        "kstest_check_p_value",
        "The p-value after the correction over the checks of the run.",
        [(w, float(p)) for w, o in every if (p := _adjusted(o)) is not None],
    )
    family("kstest_check_alpha", "The level.", [(w, float(o.alpha)) for w, o in every])
    family("kstest_check_duration_seconds", "Duration.", [(w, float(o.seconds)) for w, o in every])
    return "\n".join(lines) + "\n"


def _adjusted(outcome: Outcome) -> float | None:
    return outcome.p_value if outcome.adjusted is None else outcome.adjusted


def _labelled(report: Report) -> Iterator[tuple[str, Outcome]]:
    """Labels that differ: of a file with one series twice the collector takes nothing."""
    seen: Counter[str] = Counter()
    for outcome in report.outcomes:
        where = _labels(outcome)
        seen[where] += 1
        again = f',number="{seen[where]}"' if seen[where] > 1 else ""
        yield f"{where[:-1]}{again}}}", outcome


def _labels(outcome: Outcome) -> str:
    names = ("name", "unit", "test", "severity")
    values = {"check" if n == "name" else n: getattr(outcome, n) for n in names}
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in values.items()) + "}"


def _escaped(value: str) -> str:
    return printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
