"""The picture of a history: p-values, e-values and effects of every check, run by run.

A place per run, whatever the clocks said. `kstest.plot` draws it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..findings import Headline, number
from ..picture import Curve, Panel, Picture
from ..result import Answer
from .past import evidence

Row = Mapping[str, Any]
MOST_PANELS = 24
# What is farther out is drawn at the edge: 10 to this power.
MOST = 300.0
# More dots would be a band.
MOST_DOTS = 100
NOTES = (
    "p-values are drawn after the correction over the checks of their run, where there is one, "
    "p-values and e-values on logarithmic axes, the farther up the more evidence. A "
    "p-value that reaches the dotted line rejects; a stream rejects for good once its evidence got "
    "there at any row, also between two runs. Broken vertical lines: the check began anew. Runs "
    "without a verdict are not drawn.",
    "Effects are those of results that the history has kept whole, in the unit of the test.",
)


def picture(
    rows: Sequence[Row],
    runs: Mapping[int, Row],
    results: Sequence[Mapping[str, Any] | None],
    events: Sequence[Row],
    alphas: Mapping[str, float],
) -> tuple[Answer, Picture]:
    """What there is to draw, and what is said above it.

    Parameters
    ----------
    rows : sequence of mapping
        Outcomes, in their order.
    runs : mapping of int to mapping
        Their runs.
    results : sequence of mapping or None
        The whole result of each, None where it was dropped.
    events : sequence of mapping
        Acknowledgements and resets.
    alphas : mapping of str to float
        Levels of the checks that are known.
    """
    series: dict[tuple[str, str], list[tuple[Row, Any]]] = defaultdict(list)
    every = list(zip(rows, results, strict=True))
    for row, result in every:
        series[row["name"], row["series"]].append((row, result))
    panels, silent = [], []
    for (name, part), found in series.items():
        resets = [e["after"] for e in events if e["name"] == name and e["kind"] == "reset"]
        about = Panel(f"{name} {part}".rstrip(), (_words(found, runs),), (), _rejected(found) > 0)
        curves = list(_curves(found, resets, alphas.get(name)))
        panels += [
            Panel(f"{about.title}: {kind}", about.words, (curve,), about.strong)
            for kind, curve in curves
        ]
        silent += [f"{about.title} ({about.words[0]})"] * (not curves)
    panels.sort(key=lambda panel: not panel.strong)
    kept, more = panels[:MOST_PANELS], panels[MOST_PANELS:]
    checks = len({row["name"] for row in rows})
    spans = f"{len(runs):,} run{'s' * (len(runs) != 1)}"
    words = f"{checks} check{'s' * (checks != 1)} in {spans}, {_rejected(every)} "
    words += f"of {len(rows):,} outcomes rejected"
    left_out = (*silent, *(panel.title for panel in more))
    return Answer((), Headline("HISTORY", words)), Picture((), tuple(kept), left_out, NOTES)


def _rejected(found: Sequence[tuple[Row, Any]]) -> int:
    return sum(row["status"] == "rejected" for row, _ in found)


def _words(found: Sequence[tuple[Row, Any]], runs: Mapping[int, Row]) -> str:
    """How many outcomes of which kind, and when."""
    first, last = (str(runs[found[k][0]["run"]]["started"]) for k in (0, -1))
    begun, ended = first[:10], last[:10]
    if begun == ended:
        begun, ended = f"{begun} {first[11:16]}", last[11:16]
    others = [
        f", {sum(row['status'] == status for row, _ in found):,} {status}"
        for status in ("error", "no verdict")
        if any(row["status"] == status for row, _ in found)
    ]
    return f"{_rejected(found):,} of {len(found):,} rejected{''.join(others)}; {begun} to {ended}"


def _curves(
    found: Sequence[tuple[Row, Any]], resets: Sequence[int], alpha: float | None
) -> Iterator[tuple[str, Curve]]:
    """Curves with their kinds; only those of which there is a number."""
    judged = [
        (row, result) for row, result in found if row["status"] not in ("error", "no verdict")
    ]
    # The first run after each reset that is drawn.
    marks = {next((row["run"] for row, _ in judged if row["id"] > after), None) for after in resets}
    if judged:
        marks -= {judged[0][0]["run"]}
    lines = np.array(sorted(m for m in marks if m is not None), np.float64)
    p = [(row["run"], -_log(evidence(row))) for row, _ in judged if row["p_value"] is not None]
    if p:
        yield "p-value", _curve(p, "p-value", lines, alpha, base=0.1)
    e = [(row["run"], _log(row["e_value"])) for row, _ in judged if row["e_value"] is not None]
    if e:
        levels = [row["level"] for row, _ in judged if row["level"]]
        level = levels[-1] if levels else alpha
        yield "e-value", _curve(e, "e-value", lines, level, base=10.0)
    effects = [(row["run"], *_effect(result)) for row, result in judged if _effect(result)]
    if effects:
        name = effects[-1][1]
        same = [(run, value) for run, key, value in effects if key == name]
        yield "effect", _curve(same, f"effect ({name})", lines, None)


def _effect(result: Mapping[str, Any] | None) -> tuple[()] | tuple[str, float]:
    """The name and the size of the effect that a test reports; empty without."""
    about = (result or {}).get("explanation", {}).get("effect")
    for key, value in about.items() if isinstance(about, dict) else ():
        if isinstance(value, float) and key != "confidence":
            return key, value
    return ()


def _log(value: float | None) -> float:
    return max(-MOST, math.log10(value)) if value else -MOST


def _curve(
    points: Sequence[tuple[int, float]],
    label: str,
    marks: Any,
    level: float | None,
    base: float = 0.0,
) -> Curve:
    x, y = np.array(points, np.float64).T
    height, words = (None, "") if level is None else (-math.log10(level), f"level {number(level)}")
    return Curve(x, y, label, marks if len(marks) else None, label, level=height,
                 level_words=words, across="run", dots=len(x) <= MOST_DOTS, base=base)  # fmt: skip
