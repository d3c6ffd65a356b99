"""Lines of text above and below the panels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..picture import Picture
from ..report.outline import facts, notice_label
from ..report.outline import sentence as said
from ..result import Answer, Result
from .lettering import cut, wrapped
from .panels import DARK

# Sizes in points.
LARGE, MEDIUM, NORMAL, SMALL = 15.0, 10.0, 9.0, 8.0

COLORS = {"rejected": "#8f1d14", "not rejected": "#0b4f6c", "no verdict": "#5f4700"}
WARNING = COLORS["no verdict"]
MOST_WARNINGS = 4
# Names of columns that are not drawn; more do not fit into four lines.
MOST_NAMES = 100


class Line(NamedTuple):
    """A line of text and how it is set."""

    text: str
    size: float = SMALL
    color: str = DARK
    bold: bool = False


def heading(result: Result | Answer, width: float) -> Iterator[Line]:
    """Verdict, the numbers that carry it, and warnings; `width` in points."""
    if isinstance(result, Answer):
        if result.headline is not None:
            yield Line(result.headline.title, LARGE, bold=True)
            for line in wrapped(result.headline.sentence, width, MEDIUM, 3):
                yield Line(line, MEDIUM)
        return
    verdict = f"{result.verdict.upper()} (kstest {result.method})"
    yield Line(verdict, LARGE, COLORS[result.verdict], bold=True)
    for line in wrapped(sentence(result), width, MEDIUM, 3):
        yield Line(line, MEDIUM)
    for label, text in facts(result):
        if label in ("p-value", "null", "tolerance", "effect"):
            yield Line(cut(f"{label}: {text}", width, NORMAL), NORMAL)
    for notice in result.warnings[:MOST_WARNINGS]:
        label = notice_label(result, notice).capitalize()
        for line in wrapped(f"{label}: {notice.message}", width, SMALL, 4):
            yield Line(line, color=WARNING)
    more = len(result.warnings) - MOST_WARNINGS
    if more > 0:
        yield Line(f"and {more} more warnings", color=WARNING)


def notes(picture: Picture, width: float) -> Iterator[Line]:
    """The same as `explained`, in lines."""
    for text in explained(picture):
        for line in wrapped(text, width, SMALL, 4):
            yield Line(line)


def explained(picture: Picture) -> list[str]:
    """How to read the panels, and what is not among them."""
    texts = [*picture.notes]
    if picture.left_out:
        names = ", ".join(name[:60] for name in picture.left_out[:MOST_NAMES])
        texts.append(f"Not drawn, {len(picture.left_out):,} more: {names}")
    return texts


def sentence(result: Result) -> str:
    """The summary as a sentence."""
    summary = said(result.findings)
    return summary[:1].upper() + summary[1:] + "." * bool(summary)
