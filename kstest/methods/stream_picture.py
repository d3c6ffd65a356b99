"""What there is to draw about a stream: how the evidence grew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..betting.detector import Detector
from ..betting.wealth import Wealth
from ..picture import Curve, Panel, Picture


def evidence_panel(
    title: str,
    found: Wealth | Detector,
    words: str,
    marks: Sequence[int],
    level: float | None = None,
) -> Panel:
    """The path of a wealth, or of a detector, over the rows; lines at the rows of `marks`.

    `level` is where it rejects or alarms: a horizontal line.
    """
    rows = np.concatenate([[0.0], found.rows.astype(np.float64)])
    values = np.concatenate([[0.0], found.path])
    lines = np.array(marks, np.float64) if len(marks) else None
    curve = Curve(rows, np.maximum(values, -50.0), "log e", lines, title, level)
    return Panel(title, (words,), (curve,), strong=bool(len(marks)))


def evidence_picture(panels: Sequence[Panel | None]) -> Picture:
    """All panels that there are."""
    notes = (
        "Over the rows of the stream: the natural logarithm of the e-value, which starts at 0. "
        "Above 0 the bet against the null hypothesis has won so far. The dotted line is where it "
        "rejects or raises an alarm; a dashed one marks the row where it did.",
    )
    return Picture(panels=tuple(p for p in panels if p is not None), notes=notes)
