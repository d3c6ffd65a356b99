"""The picture of `dqm check`: the p-values of batches, one after another, and alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..findings import number
from ..picture import Curve, Panel, Picture
from ..result import Result


def picture(results: Sequence[Result], lines: Sequence[Mapping[str, Any]] | None) -> Picture:
    """Return p over the batches.

    Parameters
    ----------
    results : sequence of Result
        Of the batches that were judged, with alarms.
    lines : sequence of mapping, or None
        The history of the calibration with these batches; None without a history.

    Returns
    -------
    Picture
        One panel, with a vertical line where an alarm begins. Batches without a verdict have a
        place, but no dot; no panel if none has a verdict.
    """
    if lines is None:
        lines = [
            {"batch": r.explanation["batch"], "p_value": r.p_value,
             "alarm": r.explanation["alarm"]["alarm"]}
            for r in results
        ]  # fmt: skip
    places = [k for k, line in enumerate(lines, 1) if line["p_value"] is not None]
    if not places:
        return Picture()
    alpha = results[-1].explanation["alarm"].get("level", results[-1].alpha)
    heights = [-np.log10(lines[k - 1]["p_value"]) for k in places]
    alarms = [bool(line.get("alarm")) for line in lines]
    begun = [k for k, now in enumerate(alarms, 1) if now and not (k > 1 and alarms[k - 2])]
    curve = Curve(
        np.array(places, np.float64), np.array(heights), "p-value",
        np.array(begun, np.float64) if begun else None, "p-value", level=-float(np.log10(alpha)),
        level_words=f"level {number(alpha)}", across="batch", dots=True, base=0.1,
    )  # fmt: skip
    first, last = (str(lines[k]["batch"]) for k in (0, -1))
    words = [first if len(lines) == 1 else f"1: {first}; {len(lines):,}: {last}"]
    if missing := len(lines) - len(places):
        words.append(f"{missing:,} without a verdict")
    panel = Panel("p-value of every batch", tuple(words), (curve,), strong=any(alarms))
    note = (
        "The farther up, the smaller p; a batch that reaches the dotted line is rejected by "
        "itself (orange). Broken vertical lines: an alarm begins."
    )
    return Picture((), (panel,), (), (note,))
