"""All pairs of columns as a table of colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...picture import HeatMap, Panel
from ...result import Result

# Columns of the map.
MOST_COLUMNS = 60


def pairs_map(pairs: Sequence[dict[str, Any]], result: Result) -> Panel:
    """Adjusted p-values of pairs; of many columns those with the smallest."""
    names = list(dict.fromkeys(name for pair in pairs for name in (pair["x"], pair["y"])))
    how = result.null.get("correction", "Holm")
    how = "Holm's correction" if how == "Holm" else how
    words = [f"p-values of pairs of columns after {how}; framed: dependent"]
    if len(names) > MOST_COLUMNS:
        least = dict.fromkeys(names, 1.0)
        for pair in pairs:
            for side in ("x", "y"):
                least[pair[side]] = min(least[pair[side]], pair["p_value"])
        kept = set(sorted(names, key=lambda name: least[name])[:MOST_COLUMNS])
        words.append(f"the {MOST_COLUMNS} of {len(names)} columns with the smallest p-values")
        names = [name for name in names if name in kept]
    place = {name: k for k, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    marked = np.zeros(values.shape, np.bool_)
    for pair in pairs:
        if pair["x"] in place and pair["y"] in place:
            cell = place[pair["y"]], place[pair["x"]]
            values[cell], marked[cell] = pair["adjusted_p_value"], bool(pair["reject"])
    lowest = min(result.alpha / 5, float(np.nanmin(values)))
    # Nothing stands above the diagonal: the first row and the last column are empty.
    drawn = HeatMap(
        tuple(names[1:]), tuple(names[:-1]), values[1:, :-1], "p-value",
        lowest, 1.0, logarithmic=True, marked=marked[1:, :-1],
    )  # fmt: skip
    return Panel("all pairs of columns", tuple(words), (drawn,), bool(result.reject))
