"""Formats of a report for other programs. They render and never compute.

A format is a module with `render(report, color) -> str`, named in `kstest.checks.forms.FORMS`.
All texts of users pass `kstest.wording.printable`, so that no control character is left; the
escaping of the format is done by the standard library where that can.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ...findings import number
from ...wording import printable
from ..outcome import Outcome, Report
from ..position import line_of


def happened(outcome: Outcome) -> str:
    """What there is to say about a check, in one line."""
    return "; ".join(_parts(outcome))


def _parts(outcome: Outcome) -> Iterator[str]:
    yield outcome.status
    if outcome.p_value is not None:
        yield f"p {number(outcome.p_value)}"
        if outcome.adjusted is not None and outcome.adjusted != outcome.p_value:
            yield f"adjusted {number(outcome.adjusted)}"
        yield f"level {number(outcome.alpha)}"
    if outcome.message:
        yield printable(outcome.message)
    yield from (printable(change.message) for change in outcome.changes)
    if outcome.acknowledged is not None:
        yield f"acknowledged {printable(outcome.acknowledged)}"


def notable(report: Report) -> list[tuple[str, Outcome]]:
    """The checks with something to look at, as 'error' or 'warning', the errors first.

    'error' is what the exit code takes note of.
    """
    fail_on = str(report.settings["fail_on"])
    found = []
    for outcome in report.outcomes:
        if outcome.alarm(fail_on) or outcome.status == "error":
            found.append(("error", outcome))
        elif outcome.status != "not rejected" or outcome.changes:
            found.append(("warning", outcome))
    return sorted(found, key=lambda one: one[0] != "error")


def place(report: Report, outcome: Outcome) -> tuple[str, int]:
    """Path of the file of checks, in the repository of a CI job, and the line of the check."""
    text = ""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(report.config, "rb") as stream:
        text = stream.read().decode()
    found = None
    for above in ((), ("tool", "kstest")):
        found = found or line_of(text, (*above, "checks", outcome.name))
    root = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR")
    path = os.path.relpath(report.config, root) if root else os.path.normpath(report.config)
    return printable(path).replace(os.sep, "/"), found or 1
