"""The compiled loop of the novelty score; see `scores`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import loop
from ..kernels.compiled import scaled

LEAST = 1e-300


@loop
def novelty_scores(
    values: Any, marks: Any, known: Any, known_marks: Any, centre: Any, unit: Any, width: Any,
    city: Any, itself: Any, out: Any,
) -> None:  # fmt: skip
    """How little rows are like known rows: -ln mean_r 1 / (1 + d_r^2 / width^2 + categories).

    Parameters
    ----------
    values, known : float64 (n, p), (m, p)
    marks, known_marks : uint64 (n, c), (m, c)
        Every category that differs adds 1.
    centre, unit : float64 (p,)
    width : float
    city : bool
        City-block distance; else Euclidean.
    itself : bool
        The rows are the known ones, and each is compared with the others only.
    out : float64 (n,)
    """
    n, p = values.shape
    m = known.shape[0]
    z = np.empty((m, p))
    for r in range(m):
        for c in range(p):
            z[r, c] = scaled(known[r, c], centre[c], unit[c])
    row = np.empty(p)
    for i in range(n):
        for c in range(p):
            row[c] = scaled(values[i, c], centre[c], unit[c])
        total = 0.0
        for r in range(m):
            if itself and r == i:
                continue
            d = 0.0
            for c in range(p):
                gap = abs(row[c] - z[r, c]) / width
                d += gap if city else gap * gap
            if city:
                d *= d
            for c in range(marks.shape[1]):
                if marks[i, c] != known_marks[r, c]:
                    d += 1.0
            total += 1.0 / (1.0 + d)
        out[i] = -np.log(max(total / (m - 1 if itself else m), LEAST))
