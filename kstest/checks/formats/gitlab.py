"""Code quality report of GitLab: a JSON list of what a merge request should show."""

from __future__ import annotations

import hashlib
import json

from ..outcome import Outcome, Report
from .rows import label, sentence


def render(report: Report, color: bool = False) -> str:
    """Return the JSON list; checks without anything to say are not in it."""
    fail_on = str(report.settings["fail_on"])
    found = [
        {
            "description": f"kstest {label(outcome)}: {sentence(outcome)}",
            "check_name": outcome.test,
            # The same from run to run, so that GitLab tells new findings from known ones.
            "fingerprint": hashlib.sha256(f"{label(outcome)}\0{outcome.test}".encode()).hexdigest(),
            "severity": _severity(outcome, fail_on),
            "location": {"path": report.config, "lines": {"begin": 1}},
        }
        for outcome in report.outcomes
        if outcome.status != "not rejected" or outcome.changes
    ]
    return json.dumps(found, indent=2) + "\n"


def _severity(outcome: Outcome, fail_on: str) -> str:
    if outcome.status == "error":
        return "blocker"
    if outcome.alarm(fail_on):
        return "major"
    return "info" if outcome.acknowledged is not None else "minor"
