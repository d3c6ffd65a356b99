"""GitLab's code quality report: what is new in a merge request stands beside the file of checks."""

from __future__ import annotations

import hashlib
import json

from ...wording import printable
from ..outcome import Report
from . import happened, notable, place

SEVERITIES = {"error": "critical", "warning": "minor"}


def render(report: Report, color: bool = False) -> str:
    """A list of the checks to look at; the fingerprint of a check is the same in every run."""
    found = []
    for kind, outcome in notable(report):
        path, line = place(report, outcome)
        identity = json.dumps([outcome.name, outcome.unit, outcome.status])
        found.append(
            {
                "description": f"{printable(outcome.label)}: {happened(outcome)}",
                "check_name": f"kstest {printable(outcome.name)}",
                "fingerprint": hashlib.sha256(identity.encode()).hexdigest(),
                "severity": SEVERITIES[kind],
                "location": {"path": path, "lines": {"begin": line}},
            }
        )
    return json.dumps(found, indent=2) + "\n"
