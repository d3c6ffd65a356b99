"""The picture of a batch: each column in reference, batch and reweighted reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..methods.distribution import categorical, numeric, present
from ..picture import LOG_RATIO, Bars, Curve, Drawing, Histogram, Panel, Picture
from ..result import Result
from ..sample import Sample
from .advice import STRONG
from .findings import Column, Ratios
from .marginal import beyond_note

Array = NDArray[np.float64]

MOST_PANELS = 12
# Log ratios are drawn where a bin of the batch or of the reference, scaled to the batch's size, has
# this many events, with half an event added to both; and cut at this size.
FEWEST = 5
HALF = 0.5
LARGEST = 2.0
NOTES = (
    "Reweighted: the reference with every event weighted by the ratio that was learned, as "
    "smoothly as predicts events best that were left out. Where it follows the batch, the ratio "
    "has caught the difference; where the reference has no events it cannot follow.",
    "Heights are the share of events in a bin. Below: batch over reference in each bin, on a "
    "logarithmic scale, as observed and as learned; above the line (orange) the batch has more "
    "events, below it (blue) fewer. Numbers at the right of a strip are the ratios at its edges. "
    "Bins with fewer than 5 events are left at the line.",
)


def picture(
    pair: tuple[Sample, Sample],
    shares: Array,
    ratios: Ratios,
    ranking: Sequence[Column],
    result: Result,
) -> Picture:
    """Return the panels, the columns with the most evidence first.

    Parameters
    ----------
    pair : two Samples
        Reference and batch with common categories.
    shares : ndarray (N_R,)
        Weights of the reference with sum 1.
    ratios : Ratios
    ranking : sequence of Column
    result : Result
    """
    reference, batch = pair
    reweighted = np.maximum(shares, 0) * np.exp(np.minimum(ratios.reference, 700))
    third = replace(reference, name="reweighted", weights=reweighted)
    why = result.explanation
    ends: dict[str, list[float]] = defaultdict(list)
    for row in why["beyond"]:
        ends[row["column"]].append(row["bound"])
    panels = [
        _panel((reference, batch, third), column, bool(result.reject), ends[column.column])
        for column in ranking[:MOST_PANELS]
    ]
    series = (
        f"reference: {reference.n:,} events",
        f"batch: {Path(str(result.explanation['batch'])).name}, {batch.n:,} events",
        "reference, reweighted by the learned ratio",
    )
    beyond = beyond_note(why["beyond"], why["beyond_events"], batch.n)
    notes = (*NOTES, f"{beyond} Broken vertical lines: where it ends.") if beyond else NOTES
    return Picture(series, tuple(panels), tuple(c.column for c in ranking[MOST_PANELS:]), notes)


def _panel(
    samples: Sequence[Sample], column: Column, rejected: bool, ends: Sequence[float]
) -> Panel:
    drawing = _distribution(samples, column.column)
    drawings: tuple[Drawing, ...] = ()
    if drawing is not None:
        lines = np.array(ends) if ends and isinstance(drawing, Histogram) else None
        drawings = (drawing, *_log_ratios(drawing, [s.n for s in samples], lines))
    words = [column.words]
    if column.t_without is not None:
        words.append(f"t {column.t:.4g} with all columns, {column.t_without:.4g} without this one")
    if column.p_value is not None:
        words[0] = f"{words[0]} (p {column.p_value:.2g} by itself)"
    marked = column.differs if column.p_value is not None else column.evidence >= STRONG
    return Panel(column.column, tuple(words), drawings, rejected and marked)


def _distribution(samples: Sequence[Sample], name: str) -> Histogram | Bars | None:
    if name in samples[0].categorical:
        return categorical(samples, samples[0].categorical.index(name))
    place = samples[0].columns.index(name)
    parts, weights = zip(*(present(s, place) for s in samples), strict=True)
    return numeric(parts, weights)


def _log_ratios(
    drawing: Histogram | Bars, counts: Sequence[int], lines: Array | None = None
) -> list[Curve]:
    """log10 of batch over reference, as observed and as learned."""
    if isinstance(drawing, Bars):
        if not drawing.upright:
            return []
        x: Any = np.arange(len(drawing.labels), dtype=float)
    else:
        x = (drawing.edges[1:] + drawing.edges[:-1]) / 2
    reference, batch, learned = (shares * counts[1] for shares in drawing.shares)
    known = drawing.shares[0] * counts[0] >= FEWEST
    curves = []
    for label, events, where in (
        ("observed", batch, np.maximum(reference, batch) >= FEWEST),
        ("learned", learned, known),
    ):
        y = np.zeros(len(x))
        y[where] = np.log10((events[where] + HALF) / (reference[where] + HALF))
        curves.append(Curve(x, np.clip(y, -LARGEST, LARGEST), label, lines, LOG_RATIO))
    return curves
