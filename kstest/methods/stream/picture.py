"""What there is to draw about a stream: how the evidence grew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...betting import guard
from ...betting.detector import Detector
from ...betting.wealth import Wealth
from ...picture import Curve, Panel, Picture

Array = NDArray[np.float64]

# What is drawn at least: far below it is lost whichever way.
LOWEST = -50.0
E_VALUE = "e-value"
# The largest weighted wealth of several bets is no e-value.
WEIGHTED = "weighted wealth"


def main_panel(title: str, core: Any, params: Any, label: str = E_VALUE) -> Panel:
    """The evidence of a test, or the statistic of its detector, and where it decides."""
    if core.detector is None:
        marks = [core.row] * (core.row > 0)
        return rejection_panel(title, core.wealth, params.alpha, marks, label=label)
    level = math.log(params.run_length)
    words = f"alarm at {params.run_length:,}"
    return _panel(title, core.detector, words, core.detector.alarms.tolist(), level, "alarm")


def rejection_panel(
    title: str,
    wealth: Wealth,
    alpha: float,
    rows: Sequence[int],
    words: str = "",
    label: str = E_VALUE,
) -> Panel:
    """Evidence against a null hypothesis; `rows` are those of a decision."""
    level = math.log(1 / alpha)
    words = words or f"rejects at {label} {1 / alpha:.4g}"
    return _panel(title, wealth, words, rows, level, "rejects", label)


def guard_panel(title: str, found: Wealth | Detector, params: Any) -> Panel:
    """What the guard says of a block of columns, and from where on it matters."""
    words = "above the line: rows depend on their time"
    level, name = math.log(guard.FLAG), "noticed"
    if isinstance(found, Detector):
        level, name = math.log(params.run_length) / 2, "in doubt"
    panel = _panel(title, found, words, (), level, name)
    (curve,) = panel.drawings
    seen = isinstance(curve, Curve) and float(curve.y.max()) >= level
    return replace(panel, small=not seen)


def _panel(
    title: str,
    found: Wealth | Detector,
    words: str,
    marks: Sequence[int],
    level: float,
    level_words: str,
    label: str = E_VALUE,
) -> Panel:
    rows, values = _course(found)
    lines = np.array(marks, np.float64) if len(marks) else None
    curve = Curve(
        rows,
        np.maximum(values, LOWEST),
        "statistic" if isinstance(found, Detector) else label,
        lines,
        title,
        level=level,
        level_words=level_words,
        across="rows of the stream",
        base=math.e,
    )
    return Panel(title, (words,), (curve,), strong=bool(len(marks)))


def _course(found: Wealth | Detector) -> tuple[Array, Array]:
    """The thinned path, with the point that decides: the largest evidence, the latest statistic."""
    if isinstance(found, Detector):
        row, value, worth = found.last, found.log_m, found.log_m > 0
    else:
        row, value, worth = found.largest_row, found.largest, found.largest > 0
    rows = np.concatenate([[0.0], found.rows.astype(np.float64), [float(row)] * worth])
    values = np.concatenate([[0.0], found.path, [value] * worth])
    order = np.unique(rows, return_index=True)[1]
    return rows[order], values[order]


def evidence_picture(
    panels: Sequence[Panel | None], detector: bool = False, label: str = E_VALUE
) -> Picture:
    """All panels that there are."""
    many = "" if label == E_VALUE else ", the largest of several bets"
    what = (
        f"the {label}{many}, on a logarithmic axis. Above 1 the bet against the null "
        "hypothesis has won so far. The dotted line is where it decides; a dashed one marks the "
        "row where it did."
    )
    if detector:
        what = (
            "the detector's statistic on a logarithmic axis, the evidence for a change at any "
            "earlier row together. The dotted line is where it raises an alarm; dashed ones mark "
            "the rows where it did."
        )
    notes = (f"Over the rows of the stream: {what}",)
    return Picture(panels=tuple(p for p in panels if p is not None), notes=notes)
