"""Forms of a report: text for people, JSON for programs. They render a `Report` and never compute.

To add a form, write a module with `render(report, color) -> str` and name it in `FORMS`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ..findings import number
from ..report.layout import WIDTH, entry, heading, painted
from ..result import plain
from ..wording import printable
from .outcome import Outcome, Report

SCHEMA_VERSION = 1
NAME, LISTED = 24, 5
TITLES = {
    1: ("ALARM", "rejected"),
    2: ("ERROR", "no verdict"),
    3: ("NO VERDICT", "no verdict"),
    70: ("ERROR", "no verdict"),
    0: ("OK", "not rejected"),
}


def render(report: Report, form: str, color: bool = False) -> str:
    """Return the report in the given form, ending in a newline."""
    if form in ("text", "json"):
        return text(report, color) if form == "text" else as_json(report)
    rendered: str = import_module(FORMS[form]).render(report, color)
    return rendered


def text(report: Report, color: bool = False) -> str:
    """For people: the answer first, then a line per check, in 80 columns."""
    title, verdict = TITLES[report.exit_code]
    head = heading(title, painted(title, verdict, color), sentence(report))
    table = [line for o in report.outcomes for line in _lines(o)]
    body = [line for label, words in _facts(report) for line in entry(label, words)]
    return "\n".join([*head, *table, *body]) + "\n"


def sentence(report: Report) -> str:
    """What the run found, with the names of the checks that matter."""
    every, count = report.outcomes, len(report.outcomes)
    fail_on = str(report.settings["fail_on"])
    checks = f"{count} check{'s' * (count != 1)}"
    alarms = [o for o in every if o.alarm(fail_on)]
    errors = [o for o in every if o.status == "error"]
    parts = []
    if alarms:
        parts.append(f"{_names(alarms)} of {checks}")
    if errors:
        parts.append(f"{_names(errors)} could not run" + ("" if alarms else f", of {checks}"))
    silent = [o for o in every if o.status == "no verdict"]
    if silent:
        parts.append(f"no verdict on {_names(silent)}" + ("" if parts else f", of {checks}"))
    if not parts:
        parts.append(f"{checks}, no alarm")
    quiet = sum(o.acknowledged is not None and o.status == "rejected" for o in every)
    if quiet:
        parts.append(f"{quiet} acknowledged")
    return "; ".join(parts)


def _names(outcomes: list[Outcome]) -> str:
    first = ", ".join(printable(o.label) for o in outcomes[:LISTED])
    more = len(outcomes) - LISTED
    return f"{first} and {more} more" if more > 0 else first


def _lines(outcome: Outcome) -> Iterator[str]:
    """A check: name, verdict and numbers, then what there is to say."""
    name = printable(outcome.label)
    if len(name) > NAME:
        yield f"  {name[: WIDTH - 2]}"
        name = ""
    numbers = ""
    if outcome.p_value is not None:
        numbers = f"p {number(outcome.p_value)}"
        if outcome.adjusted is not None and outcome.adjusted != outcome.p_value:
            numbers += f", adjusted {number(outcome.adjusted)}"
        numbers += f", level {number(outcome.alpha)}"
    word: str = outcome.status
    word = word.upper() if word in ("rejected", "error") else word
    warned = " (warn)" if outcome.severity == "warn" and outcome.status == "rejected" else ""
    yield f"  {name:<{NAME}}  {f'{word}{warned}':<16} {numbers}".rstrip()
    if outcome.status != "not rejected" and outcome.message:
        yield from _indented(outcome.message)
    limits = [] if outcome.result is None else list(_limits(outcome.result.params))
    if limits:
        yield from _indented(", ".join(limits))
    for change in outcome.changes:
        yield from _indented(change.message)
    if outcome.acknowledged is not None and (outcome.status == "rejected" or outcome.changes):
        yield from _indented(f"acknowledged {outcome.acknowledged}")
    if outcome.repeated:
        yield from _indented("the same data were checked before; they count once")


def _limits(params: Mapping[str, Any]) -> Iterator[str]:
    """What a change has to exceed; said whatever came of it."""
    if params.get("min_effect"):
        yield f"min-effect {params['min_effect']}"
    if params.get("tolerance"):
        yield f"tolerance {params['tolerance']:g}"


def _indented(words: str) -> Iterator[str]:
    for line in textwrap.wrap(printable(words), WIDTH - 4, break_on_hyphens=False):
        yield f"    {line}"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    corrected = report.settings["correction"]
    if corrected != "none" and len(report.outcomes) > 1:
        yield "correction", f"{corrected}, over the checks of this run"
    for sentence in report.control:
        kind, _, words = sentence.partition(": ")
        yield ("over time", f"{kind}: {words}")
    if report.run is not None:
        yield "run", f"{report.run} in the history; kstest show {report.run} has all of it"


def as_json(report: Report) -> str:
    """For programs: one object; strict, absent numbers are null."""
    return json.dumps(to_dict(report), indent=2, allow_nan=False) + "\n"


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain Python values."""
    keys = ("run", "started", "date", "seconds", "config", "digest", "settings", "control")
    found: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "exit_code": report.exit_code}
    found |= {key: plain(getattr(report, key)) for key in keys}
    found["provenance"] = plain(report.provenance)
    found["outcomes"] = [_outcome(o) for o in report.outcomes]
    return found


def _outcome(outcome: Outcome) -> dict[str, Any]:
    names = [n for n in outcome.__dataclass_fields__ if n not in ("result", "bug", "picture")]
    found = {name: plain(getattr(outcome, name)) for name in names}
    found["result"] = None if outcome.result is None else outcome.result.to_dict()
    return found


_FORMATS = f"{__package__}.formats"
# The module of each; that of the first two is this one.
FORMS = {
    "text": __name__,
    "json": __name__,
    "junit": f"{_FORMATS}.junit",
    "github": f"{_FORMATS}.github",
    "gitlab": f"{_FORMATS}.gitlab",
    "prometheus": f"{_FORMATS}.prometheus",
    "nagios": f"{_FORMATS}.nagios",
    "markdown": f"{_FORMATS}.markdown",
    "csv": f"{_FORMATS}.table",
    "html": f"{_FORMATS}.page",
}
