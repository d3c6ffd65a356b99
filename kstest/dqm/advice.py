"""What the verdict on a batch means, and what to do, in sentences for who is on shift."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..result import Result
from . import alarms
from .calibration import Calibration
from .findings import Column

# A column without which the evidence falls by this many powers of ten stands out.
STRONG = 2.0
MOST_NAMES = 5


def meaning(calibration: Calibration, result: Result) -> str:
    """Say how sure the verdict is."""
    if result.p_value is None:
        return "The batch could not be judged. Nothing is said about it either way."
    if result.null["replicates"] is None:
        chance = f"A good batch is as far from the reference with probability {_p(result)}."
    elif calibration.settings["tolerance"]:
        count = result.null["replicates"]
        chance = (
            f"By the differences between {count:,} good runs, about {100 * result.p_value:.2g} "
        )
        chance += "% of the batches of another good run are as far from the reference."
    else:
        chance = _among_toys(result.p_value, result.null["replicates"])
    if result.reject:
        percent = f"{100 * result.alpha:.3g} %"
        return f"{chance} At level {result.alpha:g}, {percent} of good batches are rejected."
    return f"{chance} That is no proof: a change may be too small for this many events."


def _p(result: Result) -> str:
    return f"{result.p_value or 0.0:.4g}"


def _among_toys(p: float, toys: int) -> str:
    """Counts behind p = (1 + #) / (1 + toys)."""
    farther = round(p * (1 + toys)) - 1
    count = "none is" if farther == 0 else f"{farther:,} {'is' if farther == 1 else 'are'}"
    return f"Of {toys:,} batches drawn from good events, {count} as far from the reference."


def advice(result: Result, ranking: Sequence[Column]) -> list[str]:
    """Say what to look at and what to do next."""
    if result.p_value is None:
        return [
            "Join it with the events that follow, or calibrate for smaller batches as well "
            "(calibrate --batch-size 100..1000)."
        ]
    if not result.reject:
        return ["Nothing. The columns below come in the order of what little evidence there is."]
    return [
        _where(result.alpha, ranking),
        _again(str(result.params.get("persistence", ""))),
        "If the change is wanted (new thresholds, voltages, gas or trigger), calibrate anew with "
        "good events from after it.",
    ]


def _where(alpha: float, ranking: Sequence[Column]) -> str:
    """Which columns to look at, by what is left of the evidence without them."""
    first = ranking[0]
    named = f"{first.column} ({first.words})"
    if first.log10_p_without is None:
        return f"Look at {named}."
    if first.log10_p_without > math.log10(alpha):
        return f"Look at {named}: without it the batch would look good."
    needed = [c.column for c in ranking if c.evidence > -c.log10_p / 2]
    strong = [c.column for c in ranking if c.evidence >= STRONG]
    names = ", ".join(strong[:MOST_NAMES]) + ", ..." * (len(strong) > MOST_NAMES)
    if len(needed) == 1 or len(strong) <= 1:
        return f"Look first at {named}: it carries most of the evidence, but not all."
    return f"Look first at {named}. No column alone explains it: how {names} go together changed."


def _again(persistence: str) -> str:
    if not persistence:
        return "Check the batches before and after it."
    k, n = alarms.parse(persistence)
    if k == n == 1:
        return "Check the batches before and after it: by chance one of them may be rejected."
    return (
        "Check the batches before and after it (kstest dqm check, in order of time): one alone may "
        f"be chance, {k} rejected of the last {n} are an alarm."
    )
