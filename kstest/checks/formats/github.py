"""Annotations of GitHub Actions, and the summary of the step.

GitHub shows ten annotations of a kind per step; more are counted in the last one.
"""

from __future__ import annotations

import os

from ...errors import OutputError
from ...wording import printable
from ..forms import sentence
from ..outcome import Outcome, Report
from . import happened, markdown, notable, place

MOST = 10
SUMMARY = "GITHUB_STEP_SUMMARY"
LARGEST = 2**20  # bytes of a summary


def render(report: Report, color: bool = False) -> str:
    """One workflow command per check that is to be looked at; one plain line first."""
    found = notable(report)
    shown = found if len(found) <= MOST else found[: MOST - 1]
    lines = [f"kstest: {_harmless(sentence(report))}"]
    lines += [_annotation(report, kind, outcome) for kind, outcome in shown]
    rest = found[len(shown) :]
    if rest:
        kind = rest[0][0]
        lines.append(f"::{kind} title=kstest::{len(rest)} more checks to look at")
    return "\n".join(lines) + "\n"


def _annotation(report: Report, kind: str, outcome: Outcome) -> str:
    path, line = place(report, outcome)
    title = f"kstest {printable(outcome.label)}"
    where = f"file={_property(path)},line={line},title={_property(title)}"
    return f"::{kind} {where}::{_data(happened(outcome))}"


def _harmless(text: str) -> str:
    """Without the older form of a command, which is obeyed in the middle of a line."""
    return text.replace("##[", "## [")


def _data(text: str) -> str:
    text = _harmless(text).replace("%", "%25")
    return text.replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summarize(report: Report) -> None:
    """Append the report to the summary of the step, where there is one.

    Raises
    ------
    OutputError
    """
    path = os.environ.get(SUMMARY)
    if not path:
        return
    text = markdown.render(report).encode()
    if len(text) > LARGEST:
        text = f"kstest: {sentence(report)} (too many checks for a summary)\n".encode()
    try:
        with open(path, "ab") as stream:
            stream.write(text)
    except OSError as error:
        raise OutputError(f"{SUMMARY} {path}: cannot be written: {error.strerror}") from error
