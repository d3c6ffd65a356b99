"""The picture of a test of frequencies: each column's cells beside their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...picture import Bars, Panel, Picture
from ...result import Result
from ...sample import Sample
from ...targets import DiscreteTarget, joined
from ..describe import series_of
from .verdict import placed

MOST_PANELS = 12
# Bars of a column; more cells are joined with their neighbours.
MOST_BARS = 40


def picture(
    samples: Sequence[Sample], target: DiscreteTarget, params: Any, result: Result
) -> Picture:
    """Return shares of the rows beside those of the target, the most surprising column first."""
    data = samples[0]
    series = [series_of(data), f"target: {target.name}"]
    tested = {c["column"]: c for c in result.explanation.get("columns", ())}
    order = sorted(target.columns, key=lambda c: tested.get(c, {}).get("adjusted_p_value", 1.0))
    panels = [_panel(data, target, name, tested.get(name), params.alpha) for name in order]
    notes = []
    if not result.reject:
        notes.append("The test does not reject: no difference seen here counts as evidence.")
    return Picture(
        tuple(series), tuple(panels[:MOST_PANELS]), tuple(order[MOST_PANELS:]), tuple(notes)
    )


def _panel(data: Sample, target: DiscreteTarget, name: str, found: Any, alpha: float) -> Panel:
    distribution = target.distributions[target.columns.index(name)]
    place = placed(data, name, distribution)
    outside = place < 0
    cells, which = (
        joined(distribution, MOST_BARS)
        if distribution.ordered
        else (distribution, np.arange(len(distribution)))
    )
    counts = np.bincount(which[place[~outside]], minlength=len(cells)) / len(place)
    shown = np.sort(np.argsort(-(counts + cells.probability), kind="stable")[:MOST_BARS])
    labels = tuple(cells.labels[k] if cells.labels else cells.name(k, k) for k in shown.tolist())
    words = []
    if outside.any():
        words.append(f"{100 * outside.mean():.3g} % of the rows have values of probability 0")
    if found:
        words.append(f"p {found['adjusted_p_value']:.3g}")
        words += [found["words"]] if found["words"] else []
    bars = Bars(labels, (counts[shown], cells.probability[shown]), upright=not cells.labels)
    strong = bool(found) and found["adjusted_p_value"] <= alpha
    return Panel(name, tuple(words), (bars,), strong)
