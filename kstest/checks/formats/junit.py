"""JUnit XML, which CI servers show as tests: a test case per check.

A rejection that counts is a failure, a check that could not run an error, and one without a
verdict, acknowledged or below the severity that counts is skipped with the reason.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from ..outcome import Outcome, Report
from .rows import label, sentence

# What XML 1.0 has no way to write.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, color: bool = False) -> str:
    """Return the XML document."""
    fail_on = str(report.settings["fail_on"])
    suite = ET.Element("testsuite", name="kstest", timestamp=report.started[:19])
    kinds = [_case(suite, outcome, fail_on) for outcome in report.outcomes]
    suite.set("tests", str(len(kinds)))
    for kind, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(plural, str(kinds.count(kind)))
    suite.set("time", f"{report.seconds:.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, outcome: Outcome, fail_on: str) -> str:
    name, text = _clean(label(outcome)), _clean(sentence(outcome))
    case = ET.SubElement(
        suite, "testcase", name=name, classname=f"kstest.{outcome.test}",
        time=f"{outcome.seconds:.3f}",
    )  # fmt: skip
    kind = _kind(outcome, fail_on)
    if kind:
        found = ET.SubElement(case, kind, message=text)
        if kind != "skipped":
            found.set("type", outcome.status.replace(" ", "-"))
            found.text = text
    return kind


def _kind(outcome: Outcome, fail_on: str) -> str:
    if outcome.status == "error":
        return "error"
    if outcome.alarm(fail_on):
        return "failure"
    return "" if outcome.status == "not rejected" and not outcome.changes else "skipped"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
