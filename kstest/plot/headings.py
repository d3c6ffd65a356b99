"""Lines of text above and below the panels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from ..findings import Headline
from ..picture import Picture
from ..report.outline import facts, notice_label
from ..report.outline import sentence as said
from ..result import Answer, Result
from .lettering import cut, wrapped
from .panels import DARK, GREY

# Sizes in points.
LARGE, MEDIUM, NORMAL, SMALL = 15.0, 10.0, 9.0, 8.0

COLORS = {"rejected": "#8f1d14", "not rejected": "#0b4f6c", "no verdict": "#5f4700"}
WARNING = COLORS["no verdict"]
MOST_WARNINGS = 4
MOST_FILES = 4
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
    if isinstance(result, Result):
        verdict = f"{result.verdict.upper()} (kstest {result.method})"
        first = Line(verdict, LARGE, COLORS[result.verdict], bold=True)
        told, numbers = sentence(result), facts(result)
    else:
        head = result.headline or Headline("kstest")
        first = Line(head.title, LARGE, COLORS.get(head.verdict or "", DARK), bold=True)
        told, numbers = ended(head.sentence), iter(())
    yield first
    yield Line(cut(origin(result), width, SMALL), color=GREY)
    for line in wrapped(told, width, MEDIUM, 3):
        yield Line(line, MEDIUM)
    for label, text in numbers:
        if label in ("p-value", "null", "tolerance", "effect"):
            yield Line(cut(f"{label}: {text}", width, NORMAL), NORMAL)
    for notice in result.warnings[:MOST_WARNINGS]:
        label = notice_label(result, notice).capitalize()
        for line in wrapped(f"{label}: {notice.message}", width, SMALL, 4):
            yield Line(line, color=WARNING)
    more = len(result.warnings) - MOST_WARNINGS
    if more > 0:
        yield Line(f"and {more} more warnings", color=WARNING)


def origin(result: Result | Answer) -> str:
    """Files and day; the day is that of SOURCE_DATE_EPOCH, where that is set, as in other tools."""
    every = result.documents()
    inputs = [i for one in every for i in one.get("inputs") or ()]
    paths = dict.fromkeys(str(i["path"]) for i in inputs if i.get("path"))
    files = [path.rsplit("/", 1)[-1] for path in paths]
    named, more = ", ".join(files[:MOST_FILES]), len(files) - MOST_FILES
    named += f" and {more:,} more" * (more > 0)
    day = str((every[-1].get("provenance") or {}).get("started", ""))[:10]
    if os.environ.get("SOURCE_DATE_EPOCH", "").isdecimal():
        epoch = int(os.environ["SOURCE_DATE_EPOCH"])
        day = datetime.fromtimestamp(epoch, UTC).date().isoformat()
    return "; ".join(filter(None, [named, day]))


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
    return ended(said(result.findings))


def ended(text: str) -> str:
    """A text without capital and full stop, with them."""
    return text[:1].upper() + text[1:] + "." * bool(text)
