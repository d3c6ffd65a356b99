"""What independence tests report: kernels in combination, dependent pairs of columns, all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..result import Result
from ..wording import printable
from .wording import number

MOST_PAIRS = 5
# A matrix of more columns than this would not fit in 80 characters.
MOST_COLUMNS = 9
NAME = 10
CELL = 7
LISTED = 20
HEIGHTS, WIDEST = "▁▂▃▄▅▆▇█", 50


def combinations(result: Result) -> str:
    """Bandwidths of tests with one kernel per block of columns."""
    count = int(result.kernel["combinations"])
    best = result.explanation.get("strongest", {}).get("bandwidths", [])
    shown = " and ".join(number(h) for h in best if h is not None)
    if count == 1:
        return f", bandwidths {shown}" if shown else ""
    text = f", {count} combinations of bandwidths"
    return f"{text}, strongest at {shown}" if shown else text


def dependence(result: Result) -> Iterator[tuple[str, str]]:
    """Which pairs of columns depend on each other, and how."""
    given = result.explanation.get("explained")
    if given:
        names = ", ".join(printable(name) for name in result.explanation["given"])
        shares = [f"{100 * share:.0f} %" for share in given]
        what = f"{shares[0]} of the first block, {shares[-1]} of the second"
        if len(shares) > 2:
            low, high = (f"{100 * share:.0f} %" for share in (min(given), max(given)))
            kind = "columns" if "all_pairs" in result.explanation else "blocks"
            what = f"{low} to {high} of the {kind}"
        yield "given", f"{names}: explains {what}{_learned(result.explanation.get('learners', []))}"
    found = result.explanation.get("delay")
    if found:
        ratios = [point["ratio"] for point in found["curve"]]
        first, last = (found["curve"][k]["lag"] for k in (0, -1))
        most = f"{number(max(ratios))} times other lags, {found['kernel']} kernel"
        yield "delay", f"{found['lag']} rows ({most})"
        yield "lags", f"{first} {sparkline(ratios)} {last}"
    rows = result.explanation.get("dependence", [])
    for k, row in enumerate(rows[:MOST_PAIRS]):
        z = f", {number(row['z'])} sd above independence" if row["z"] is not None else ""
        kind = f"{row['kind']}, {row['measure']} {row['strength']:.2f}"
        yield "" if k else "dependent", f"{row['x']} ~ {row['y']}: {kind}{z}"
    if len(rows) > MOST_PAIRS:
        yield "", f"and {len(rows) - MOST_PAIRS} more pairs of columns"


def sparkline(values: Sequence[float]) -> str:
    """Heights from 0 to the largest as one character each; of many values the largest of some."""
    step = -(-len(values) // WIDEST)
    heights = [max(values[k : k + step]) for k in range(0, len(values), step)]
    top = max(heights)
    return "".join(HEIGHTS[min(7, int(8 * h / top))] if top > 0 else HEIGHTS[0] for h in heights)


def _learned(learners: Sequence[Sequence[str]]) -> str:
    """By which learners, if they were chosen out of fold."""
    found = list(dict.fromkeys(name for block in learners for name in block))
    return f" out of fold ({', '.join(found)})" if found else ""


def pairs_table(result: Result) -> list[str]:
    """Lines of the matrix (where it fits) and of the list of dependent pairs."""
    pairs = result.explanation.get("all_pairs", ())
    if not pairs:
        return []
    names = list(dict.fromkeys(name for pair in pairs for name in (pair["x"], pair["y"])))
    how = result.null.get("correction", "Holm")
    how = "Holm's correction" if how == "Holm" else how
    unsure = "; ? no verdict" if any(pair["reject"] is None for pair in pairs) else ""
    lines = ["", f"  p-values after {how}; * dependent{unsure}"]
    lines += _matrix(names, pairs) if len(names) <= MOST_COLUMNS else []
    found = sorted((p for p in pairs if p["reject"]), key=_strength)
    for pair in found[:LISTED]:
        label = f"{_short(pair['x'], 18)} ~ {_short(pair['y'], 18)}"
        if "kind" in pair:
            more = f"{pair['kind']} {pair['strength']:+.2f}"
            more += f" at lag {pair['lag']}" if "lag" in pair else ""
        else:
            more = f"after row {pair['decided_after_row']:,}"
        lines.append(f"* {label:<40} p {number(pair['adjusted_p_value']):<8} {more}")
    if len(found) > LISTED:
        lines.append(f"  and {len(found) - LISTED} more dependent pairs; --format json has all")
    return lines


def _strength(pair: Mapping[str, Any]) -> float:
    """Smaller for a pair to be listed before others."""
    if "decided_after_row" in pair:
        return float(pair["decided_after_row"])
    return -float(pair["z"] or 0)


def _matrix(names: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = {(p["y"], p["x"]): _cell(p) for p in pairs}
    width = min(NAME, max(len(_short(name, NAME)) for name in names))
    # A cell ends in a star or a blank, so names end one place earlier.
    columns = "".join(f"{_short(name, CELL - 2):>{CELL - 1}} " for name in names[:-1])
    rows = [
        f"  {_short(row, width):<{width}}" + "".join(cells[row, c] for c in names[:k])
        for k, row in enumerate(names)
        if k
    ]
    return [(" " * (width + 2) + columns).rstrip(), *map(str.rstrip, rows)]


def _cell(pair: Mapping[str, Any]) -> str:
    mark = "?" if pair["reject"] is None else "*" if pair["reject"] else " "
    p = pair["adjusted_p_value"]
    shown = "<.001" if p < 0.0005 else f"{p:.3f}"  # a p-value is never 0
    return f"{shown:>{CELL - 1}}{mark}"


def _short(name: str, width: int) -> str:
    text = printable(name)
    return text if len(text) <= width else text[: width - 1] + "…"
