"""Markdown, good to paste into a pull request: a headline, and tables of what was found."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from ..errors import printable
from ..findings import Pairs, Table
from ..result import Answer, Result
from .outline import Entry, outline

# Rows of a table; more would hide what comes after it.
MOST_ROWS = 50
# Characters that make a link, an emphasis, code or a mention out of what a file says.
_MARKS = re.compile(r"[\\`*_\[\]#|~@$<>&]|(?<=:)/(?=/)|(?<=www)\.")


def render(answer: Result | Answer, color: bool = False) -> str:
    return "\n\n".join(_blocks(answer)) + "\n"


def _blocks(answer: Result | Answer) -> Iterator[str]:
    shape = outline(answer)
    if shape.headline is not None:
        title, sentence = escaped(shape.headline.title), escaped(shape.headline.sentence)
        yield f"### {title}: {sentence}" if sentence else f"### {title}"
    meaning = [str(note.value) for note in shape.notes if note.role == "meaning"]
    yield from map(escaped, meaning)
    entries = (*shape.facts, *shape.reasons)
    if entries:
        yield _table(("", ""), _joined(entries))
    for found in shape.tables:
        yield from _titled(found)
    for note in shape.notes:
        if note.role == "advice" and note.value:
            yield "#### What to do\n\n" + _list(note.value)
    if shape.warnings:
        yield "#### Warnings\n\n" + _list(
            f"why: {text}" if label == "why" else text for label, text in shape.warnings
        )


def _joined(entries: Sequence[Entry]) -> list[list[str]]:
    """Rows of labels; an entry without one is a further line of that before."""
    rows: list[list[str]] = []
    for label, text in entries:
        if label or not rows:
            rows.append([escaped(label), escaped(text)])
        else:
            rows[-1][1] += f"<br>{escaped(text)}"
    return rows


def _titled(found: Table | Pairs) -> Iterator[str]:
    if not found.columns:
        return
    head, rows = [c.title for c in found.columns], found.rows()
    if found.title:
        yield f"#### {escaped(found.title)} ({len(rows):,})"
    cells = [[escaped(cell) for cell in row] for row in rows]
    for row, strong in zip(cells, getattr(found, "strong", ()), strict=False):
        row[0] = f"**{row[0]}**" if strong and row[0] else row[0]
    yield _table([escaped(text) for text in head], cells)
    if len(rows) > MOST_ROWS:
        yield f"and {len(rows) - MOST_ROWS:,} more rows"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows[:MOST_ROWS]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(text)}" for text in texts)


def escaped(text: str) -> str:
    """Text from anywhere, on one line, without what markdown or HTML would obey."""
    return _MARKS.sub(_escape, printable(text))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return html.escape(character) if character in "<>&" else f"\\{character}"
