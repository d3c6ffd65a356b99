"""How text is set: 80 columns, a heading, labelled paragraphs."""

from __future__ import annotations

import textwrap

from ..errors import printable

WIDTH = 80
LABEL = 12
COLORS = {"rejected": "31", "not rejected": "32", "no verdict": "33"}


def painted(title: str, verdict: str, color: bool) -> str:
    """The title in the colour of a verdict, if there are to be colours."""
    return f"\x1b[1;{COLORS[verdict]}m{title}\x1b[0m" if color else title


def heading(title: str, shown: str, text: str) -> list[str]:
    """The first lines: the title, as it is to be shown, and a sentence."""
    lines = textwrap.wrap(text, WIDTH - len(title) - 2)
    return [f"{shown}: {lines[0]}" if lines else shown, *("  " + line for line in lines[1:])]


def entry(label: str, text: str) -> list[str]:
    """A labelled paragraph."""
    lines = textwrap.wrap(
        printable(text), WIDTH - LABEL - 2, break_long_words=True, break_on_hyphens=False
    )
    labels = [label, *[""] * len(lines)]
    return [f"  {name:<{LABEL}}{line}" for name, line in zip(labels, lines, strict=False)]
