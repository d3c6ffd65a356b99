"""Annotations of a GitHub workflow, at most ten, and its step summary.

GitHub shows ten annotations a step; the alarms come first. The summary, in Markdown, goes to the
file that `GITHUB_STEP_SUMMARY` names, where that is set.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..outcome import Outcome, Report
from . import markdown
from .rows import label, sentence

MOST = 10


def render(report: Report, color: bool = False) -> str:
    """Return the lines of annotations, and write the step summary."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:  # GitHub asks for appending
            file.write(markdown.render(report))
    fail_on = str(report.settings["fail_on"])
    ranked = sorted(
        (o for o in report.outcomes if o.status != "not rejected" or o.changes),
        key=lambda o: ("error", "warning", "notice").index(_kind(o, fail_on)),
    )
    lines = [
        f"::{_kind(o, fail_on)} title={_property(f'kstest {label(o)}')}::{_data(sentence(o))}"
        for o in ranked[:MOST]
    ]
    if len(ranked) > MOST:
        lines[-1] = f"::notice title=kstest::and {len(ranked) - MOST + 1} more checks to look at"
    return "".join(f"{line}\n" for line in lines)


def _kind(outcome: Outcome, fail_on: str) -> str:
    if outcome.alarm(fail_on) or outcome.status == "error":
        return "error"
    return "notice" if outcome.acknowledged is not None else "warning"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
