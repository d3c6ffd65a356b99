"""JUnit's XML, which Jenkins, GitLab and others read."""

from __future__ import annotations

from xml.etree import ElementTree

from ...wording import printable
from ..outcome import Report, counting
from . import happened


def render(report: Report, color: bool = False) -> str:
    """A test case per check.

    An alarm is a failure. A check that could not run, or has no verdict and enough severity for
    the exit code, is an error; without a verdict otherwise it is skipped.
    """
    fail_on = str(report.settings["fail_on"])
    counts = dict.fromkeys(("failure", "error", "skipped"), 0)
    suite = ElementTree.Element("testsuite", name="kstest")
    for outcome in report.outcomes:
        seconds = f"{outcome.seconds:.3f}"
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"kstest.{printable(outcome.name)}",
            name=printable(outcome.label),
            time=seconds,
        )
        kind = None
        if outcome.alarm(fail_on):
            kind = "failure"
        elif outcome.status == "error":
            kind = "error"
        elif outcome.status == "no verdict":
            kind = "error" if outcome.severity in counting(fail_on) else "skipped"
        words = happened(outcome)
        if kind is None:
            ElementTree.SubElement(case, "system-out").text = words
            continue
        counts[kind] += 1
        ElementTree.SubElement(case, kind, message=words)
    suite.attrib |= {
        "tests": str(len(report.outcomes)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{report.seconds:.3f}",
        "timestamp": report.started.partition("+")[0],
    }
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )
