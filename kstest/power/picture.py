"""The picture of a plan: power against the number of rows."""

from __future__ import annotations

import numpy as np

from ..picture import Band, Panel, Picture
from .search import Plan


def picture(plan: Plan) -> Picture:
    """Return the power of every number of rows that was tried.

    The band is two standard errors wide on either side, and the broken line is the power that was
    asked for. Rows are on a logarithmic axis.
    """
    rows = np.array([s.rows for s in plan.sizes], np.float64)
    power, error = (
        np.array([getattr(s, name) for s in plan.sizes]) for name in ("power", "standard_error")
    )
    band = Band(
        rows,
        power,
        np.maximum(power - 2 * error, 0.0),
        np.minimum(power + 2 * error, 1.0),
        np.full(len(rows), plan.power),
        "power",
        "rows a side",
        logarithmic=True,
    )
    asked = f"broken line: the power that was asked for, {plan.power:g}"
    note = f"Band: two standard errors, of {plan.test['draws']} simulated tests at every size."
    return Picture((), (Panel(f"kstest {plan.test['method']}", (asked,), (band,)),), (), (note,))
