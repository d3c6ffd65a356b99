"""Whether an alarm can be raised at all: p-values of toys have a smallest one."""

from __future__ import annotations

import math
from typing import Any

from ..errors import UsageError
from ..nulls.online import Rule
from ..result import Notice, Result
from .calibration import ANALYTIC_ROWS, Calibration

CLOSE = 1 + 1e-12


def require_reachable(calibration: Calibration, params: Any, control: str = "persistence") -> None:
    """Refuse a level that no p-value can reach, and a distribution that does not hold.

    Parameters
    ----------
    calibration : Calibration
    params : Params of `check` or `explain`
    control : str
        Its rule. An online rule is refused if it could not even reject the first batch, for which
        it has a level as large as it gets without a rejection.

    Raises
    ------
    UsageError
        With the number of toys, or of runs, that suffices.
    """
    if params.null == "analytic":
        _require_analytic(calibration)
        return
    level = params.alpha if control == "persistence" else Rule(control, params.alpha).level
    smallest = calibration.smallest_p_value
    if smallest <= level * CLOSE:
        return
    runs = calibration.settings["tolerance"]
    among, more = ("good runs", "runs") if runs else ("toys", "--toys")
    what = "" if control == "persistence" else f"--control {control} with "
    allows = "" if control == "persistence" else f", and {control} begins with level {level:.3g}"
    other = ", or use --null analytic" if _analytic(calibration) else ""
    raise UsageError(
        f"{what}--alpha {params.alpha:g}: an alarm is impossible at this number of {among}, the "
        f"smallest p-value is {smallest:.3g}{allows}; calibrate with at least {toys_for(level):,} "
        f"{more}{other}"
    )


def toys_for(level: float) -> int:
    """The smallest number of toys B with 1 / (1 + B) <= level."""
    return math.ceil((1 / level - 1) / CLOSE)


def beyond_toys(result: Result, level: float, control: str) -> tuple[Notice, ...]:
    """Say when a batch is farther than all toys, and these are too few to tell at this level.

    Such a batch may be a good one that is rare, or as bad as can be: there is no verdict on it.
    """
    toys = result.null.get("replicates")
    if toys is None or result.p_value is None or level * CLOSE >= result.p_value:
        return ()
    if result.p_value > CLOSE / (1 + toys):
        return ()
    return (
        Notice(
            "too-few-toys",
            f"p is at most {result.p_value:.3g}, as the batch is farther from the reference than "
            f"all of {toys:,} from good events, but {control} allows {level:.3g} here: calibrate "
            f"with at least {toys_for(level):,} --toys (more for later batches), or use --null "
            "analytic, which takes a large reference",
        ),
    )


def _analytic(calibration: Calibration) -> bool:
    sizes = range(len(calibration.sizes))
    offered = all(calibration.analytic_offered(g) for g in sizes)
    return offered and not calibration.settings["tolerance"]


def _require_analytic(calibration: Calibration) -> None:
    if calibration.settings["tolerance"]:
        raise UsageError("--null analytic: knows no differences between runs; use --null toys")
    if calibration.reference.signed:
        raise UsageError("--null analytic: not for negative weights; use --null toys")
    bad = [s for g, s in enumerate(calibration.sizes) if not calibration.analytic_offered(g)]
    if bad:
        raise UsageError(
            f"--null analytic: batches of {bad[0]:,} events need a reference of at least "
            f"{ANALYTIC_ROWS * bad[0]:,} rows (effective ones, with weights), this one has "
            f"{calibration.reference.effective_rows:,.0f}; use --null toys"
        )
