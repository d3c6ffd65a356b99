"""Tables as text: rows in columns, and all pairs of columns as a matrix and a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import printable
from ..findings import Pairs, Table, number

# A matrix of more columns than this would not fit in 80 characters.
MOST_COLUMNS = 9
NAME = 10
CELL = 7
LISTED = 20


def table(found: Table) -> list[str]:
    """Lines of a table: the first column to the left if it is text, others to the right."""
    title = [f"  {found.title}"] * bool(found.title)
    rows = [[c.title for c in found.columns], *found.rows()]
    return [*title, *(_row(found, row) for row in rows)]


def _row(found: Table, row: Sequence[str]) -> str:
    cells = []
    for cell, column in zip(row, found.columns, strict=True):
        text = printable(cell)
        if column.form == "<":  # a name, whose end tells names apart
            text = text if len(text) < column.width else "…" + text[-(column.width - 2) :]
            cells.append(f"{text:<{column.width}}")
        elif column.form == "last":
            cells.append(f"  {text}")
        else:
            cells.append(f"{text:>{column.width}}")
    return "".join(cells).rstrip()


def pairs(found: Pairs) -> list[str]:
    """Lines of the matrix (where it fits) and of the list of dependent pairs."""
    names = list(dict.fromkeys(name for pair in found.value for name in (pair["x"], pair["y"])))
    unsure = "; ? no verdict" if any(pair["reject"] is None for pair in found.value) else ""
    lines = [f"  p-values after {found.correction}; * dependent{unsure}"]
    lines += _matrix(names, found.value) if len(names) <= MOST_COLUMNS else []
    order = sorted(range(len(found.value)), key=lambda k: found.ranks[k])
    rejected = [k for k in order if found.value[k]["reject"]]
    for k in rejected[:LISTED]:
        pair = found.value[k]
        label = f"{_short(pair['x'], 18)} ~ {_short(pair['y'], 18)}"
        lines.append(f"* {label:<40} p {number(pair['adjusted_p_value']):<8} {found.words[k]}")
    if len(rejected) > LISTED:
        lines.append(f"  and {len(rejected) - LISTED} more dependent pairs; --format json has all")
    return lines


def _matrix(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = {(p["y"], p["x"]): _cell(p) for p in rows}
    width = min(NAME, max(len(_short(name, NAME)) for name in names))
    # A cell ends in a star or a blank, so names end one place earlier.
    columns = "".join(f"{_short(name, CELL - 2):>{CELL - 1}} " for name in names[:-1])
    lines = [
        f"  {_short(row, width):<{width}}" + "".join(cells[row, c] for c in names[:k])
        for k, row in enumerate(names)
        if k
    ]
    return [(" " * (width + 2) + columns).rstrip(), *map(str.rstrip, lines)]


def _cell(pair: Mapping[str, Any]) -> str:
    mark = "?" if pair["reject"] is None else "*" if pair["reject"] else " "
    p = pair["adjusted_p_value"]
    shown = "<.001" if p < 0.0005 else f"{p:.3f}"  # a p-value is never 0
    return f"{shown:>{CELL - 1}}{mark}"


def _short(name: str, width: int) -> str:
    text = printable(name)
    return text if len(text) <= width else text[: width - 1] + "…"
