"""A table in Markdown, for comments and summaries."""

from __future__ import annotations

import html
import re

from ...findings import number
from ...wording import printable
from ..forms import TITLES, sentence
from ..outcome import Report
from . import happened

HEAD = ("check", "verdict", "p-value", "adjusted", "level", "what was found")


def render(report: Report, color: bool = False) -> str:
    """The answer first, then a row per check."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for outcome in report.outcomes:
        numbers = (outcome.p_value, outcome.adjusted, outcome.alpha)
        texts = ["" if v is None else number(v) for v in numbers]
        status = f"**{outcome.status}**" if outcome.status != "not rejected" else outcome.status
        rows.append((_cell(outcome.label), status, *texts, _cell(happened(outcome))))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"**{TITLES[report.exit_code][0]}**: {_cell(sentence(report))}\n\n{table}\n"


def _cell(text: str) -> str:
    """Text that stays text: no markup, no tags, no further cell, no mention of a person."""
    safe = re.sub(r"([\\`*_\[\]~#|!])", r"\\\1", html.escape(printable(text), quote=False))
    return safe.replace("@", "@\N{WORD JOINER}")
