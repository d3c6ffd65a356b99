"""Reports: a Result as text for people or for programs. Reports never compute.

To add a format, write a module with `render(result, color) -> str` and name it here.
"""

from __future__ import annotations

from importlib import import_module

from ..result import Result

FORMATS: dict[str, str] = {
    "text": "kstest.report.text",
    "json": "kstest.report.json",
    "jsonl": "kstest.report.jsonl",
}


def render(result: Result, form: str, color: bool = False) -> str:
    """Return the result in the given format, ending in a newline."""
    text: str = import_module(FORMATS[form]).render(result, color)
    return text
