"""For people: the verdict, then the numbers that carry it, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..result import Result
from .pairs import pairs_table
from .wording import number, printable

WIDTH = 80
LABEL = 12
MOST_PAIRS = 5
COLORS = {"rejected": "31", "not rejected": "32", "no verdict": "33"}


def render(result: Result, color: bool = False) -> str:
    verdict = result.verdict.upper()
    if color:
        verdict = f"\x1b[1;{COLORS[result.verdict]}m{verdict}\x1b[0m"
    lines = textwrap.wrap(str(result.explanation.get("summary", "")), WIDTH - len(verdict) - 2)
    head = [f"{verdict}: {lines[0]}" if lines else verdict, *("  " + line for line in lines[1:])]
    body = [line for label, text in _rows(result) for line in _entry(label, text)]
    table = pairs_table(result.explanation["pairs"]) if "pairs" in result.explanation else []
    return "\n".join([*head, *body, *table]) + "\n"


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    if result.p_value is not None:
        replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
        yield "p-value", f"{number(result.p_value)} at level {number(result.alpha)}"
        yield "null", f"{replicates} x {scheme}, seed {result.params.get('seed')}"
    if result.statistic is not None and result.threshold is not None:
        yield (
            "statistic",
            f"{number(result.statistic)} (rejects above {number(result.threshold)})",
        )
    if result.kernel:
        yield "kernel", _kernel(result)
    counts = ", ".join(f"{rows:,} {name}" for name, rows in result.n.items())
    dropped = sum(int(i["rows_dropped"]) for i in result.inputs)
    yield "rows", f"{counts}" + (f"; {dropped:,} dropped" if dropped else "")
    names = ", ".join(printable(c) for c in result.columns[:8])
    more = f", and {len(result.columns) - 8} more" if len(result.columns) > 8 else ""
    yield "columns", f"{names}{more}"
    yield from _dependence(result)
    for notice in result.warnings:
        label = "why" if result.verdict == "no verdict" and notice.code.startswith("too-") else ""
        yield label or "warning", notice.message


def _kernel(result: Result) -> str:
    text = str(result.kernel["name"])
    if "combinations" in result.kernel:
        return text + _combinations(result)
    widths = [h for h in result.kernel["bandwidths"] if h is not None]
    if len(widths) == 1:
        text += f", bandwidth {number(widths[0])}"
    elif widths:
        text += f", {len(widths)} bandwidths {number(min(widths))} to {number(max(widths))}"
    strongest = result.explanation.get("strongest", {})
    if len(result.kernel["bandwidths"]) > 1 and strongest.get("bandwidth") is not None:
        text += f", strongest at {number(strongest['bandwidth'])}"
    return text


def _combinations(result: Result) -> str:
    """Bandwidths of tests with one kernel per block of columns."""
    count = int(result.kernel["combinations"])
    best = result.explanation.get("strongest", {}).get("bandwidths", [])
    shown = " and ".join(number(h) for h in best if h is not None)
    if count == 1:
        return f", bandwidths {shown}" if shown else ""
    text = f", {count} combinations of bandwidths"
    return f"{text}, strongest at {shown}" if shown else text


def _dependence(result: Result) -> Iterator[tuple[str, str]]:
    """Which pairs of columns depend on each other, and how."""
    rows = result.explanation.get("columns", [])
    for k, row in enumerate(rows[:MOST_PAIRS]):
        z = f", {number(row['z'])} sd above independence" if row["z"] is not None else ""
        kind = f"{row['kind']}, rank correlation {row['correlation']:.2f}"
        yield "" if k else "dependent", f"{row['x']} ~ {row['y']}: {kind}{z}"
    if len(rows) > MOST_PAIRS:
        yield "", f"and {len(rows) - MOST_PAIRS} more pairs of columns"


def _entry(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(
        printable(text), WIDTH - LABEL - 2, break_long_words=True, break_on_hyphens=False
    )
    labels = [label, *[""] * len(lines)]
    return [f"  {name:<{LABEL}}{line}" for name, line in zip(labels, lines, strict=False)]
