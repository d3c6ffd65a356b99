"""For people: the verdict, then the numbers that carry it, in 80 columns."""

from __future__ import annotations

from ..findings import Headline, Pairs
from ..result import Answer, Result
from .layout import entry, heading, painted
from .outline import outline
from .tables import pairs, table


def render(answer: Result | Answer, color: bool = False) -> str:
    shape = outline(answer)
    body = [li for pair in (*shape.facts, *shape.reasons) for li in entry(*pair)]
    last = [li for pair in shape.warnings for li in entry(*pair)]
    first: list[str] = []
    for found in shape.tables:
        if isinstance(found, Pairs):
            last += ["", *pairs(found)]
        elif found.printed == "first":
            first += ["", *table(found), ""]
        elif found.printed == "middle":
            body += ["", *table(found)]
        elif found.printed == "last":
            last += ["", *table(found)]
    return "\n".join([*_head(shape.headline, color), *first, *body, *last]) + "\n"


def _head(found: Headline | None, color: bool) -> list[str]:
    if found is None:
        return []
    title = painted(found.title, found.verdict, color) if found.verdict else found.title
    return heading(found.title, title, found.sentence)
