"""Reports: an answer as text for people or for programs. Reports never compute.

To add a format, write a module with `render(answer, color) -> str` and name it here. An answer is
a Result, or an Answer where a command runs no single test; `outline` says of both what there is to
show, whatever the command was.
"""

from __future__ import annotations

from importlib import import_module

from ..result import Answer, Result

FORMATS: dict[str, str] = {
    "text": "kstest.report.text",
    "json": "kstest.report.json",
    "jsonl": "kstest.report.jsonl",
    "markdown": "kstest.report.markdown",
    "html": "kstest.report.html",
}


def render(answer: Result | Answer, form: str, color: bool = False) -> str:
    """Return the answer in the given format, ending in a newline."""
    text: str = import_module(FORMATS[form]).render(answer, color)
    return text
