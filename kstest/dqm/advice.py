"""What the verdict on a batch means, and what to do, in sentences for who is on shift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..result import Result
from . import alarms
from .calibration import Calibration
from .findings import Column

# A column without which the evidence falls by this many powers of ten stands out.
STRONG = 2.0
MOST_NAMES = 5
MOSTLY_RATE = "mostly the rate, not the shape"


def meaning(calibration: Calibration, result: Result) -> str:
    """Say how sure the verdict is."""
    if result.p_value is None:
        return "The batch could not be judged. Nothing is said about it either way."
    if result.explanation.get("windows"):
        windows = result.explanation["windows"]
        count = sum(bool(w["reject"]) for w in windows)
        chance = (
            f"Of {len(windows):,} windows of the file, {count:,} {'is' if count == 1 else 'are'} "
            f"rejected, each by itself; together that has p {_p(result)} (Simes' rule)."
        )
    elif result.null["replicates"] is None:
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


def advice(
    result: Result,
    ranking: Sequence[Column],
    beyond: Sequence[Mapping[str, Any]] = (),
    rate: Mapping[str, Any] | None = None,
) -> list[str]:
    """Say what to look at and what to do next.

    Parameters
    ----------
    result : Result
    ranking : sequence of Column
        The one without which most of the evidence is lost comes first.
    beyond : sequence of mapping
        Columns with events beyond the range of the reference.
    rate : mapping, optional
        What the number of events has to do with it.
    """
    if result.p_value is None:
        return [
            "Join it with the events that follow, or calibrate for smaller batches as well "
            "(calibrate --batch-size 100..1000)."
        ]
    if not result.reject:
        return ["Nothing. The columns below come in the order of what little evidence there is."]
    return [
        _rate(rate) if rate and rate["sentence"] == MOSTLY_RATE else _where(result.alpha, ranking),
        _again(str(result.params.get("persistence", ""))),
        *(
            f"Look at events beyond the range of the reference: {row['sentence']}."
            for row in beyond
        ),
        "If the change is wanted (new thresholds, voltages, gas or trigger), calibrate anew with "
        "good events from after it.",
    ]


def _rate(rate: Mapping[str, Any]) -> str:
    more = "more" if rate["events"] > rate["expected"] else "fewer"
    return (
        f"Look at the rate: {rate['events']:,} events are {more} than the {rate['expected']:,.6g} "
        "that are expected, and that is most of the evidence."
    )


def _where(alpha: float, ranking: Sequence[Column]) -> str:
    """Which columns to look at: those that differ by themselves, by what is lost without them."""
    tested = [c.p_value for c in ranking if c.p_value is not None]
    if not tested:
        return _by_evidence(alpha, ranking)
    differ = [c for c in ranking if c.differs]
    if not differ:
        return _in_no_column(ranking, min(tested))
    first, *others = differ
    named = f"{first.column} ({first.words})"
    if first.log10_p_without is None:
        return f"Look at {named}."
    if first.log10_p_without > math.log10(alpha):
        return f"Look at {named}: without it the batch would look good."
    if others:
        names = ", ".join(c.column for c in others[:MOST_NAMES])
        names += ", ..." * (len(others) > MOST_NAMES)
        alone = "No column alone explains it"
        return f"Look first at {named}. {alone}: how {names} changed counts, too."
    return (
        f"Look first at {named}, the only column that differs by itself. The batch differs without "
        "it, too: how the others go together changed, or they changed too little to be named."
    )


def _in_no_column(ranking: Sequence[Column], smallest: float) -> str:
    text = (
        f"No single column differs by itself (p {smallest:.2g} or more, corrected for all of "
        "them): how they go together changed, or too little to say where"
    )
    strong = [c.column for c in ranking if c.evidence >= STRONG and c.t_without is not None]
    if not strong or len(ranking) == 1:
        return f"{text}."
    one = "one of " if len(strong) > 1 else ""
    return f"{text}. Much of the evidence is lost without {one}{', '.join(strong[:MOST_NAMES])}."


def _by_evidence(alpha: float, ranking: Sequence[Column]) -> str:
    """The same where columns could not be tested by themselves."""
    first = ranking[0]
    named = f"{first.column} ({first.words})"
    if first.log10_p_without is None:
        return f"Look at {named}."
    if first.log10_p_without > math.log10(alpha):
        return f"Look first at {named}: without it the batch would look good."
    return f"Look first at {named}: it carries most of the evidence, but not all."


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
