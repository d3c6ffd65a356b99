"""Over time: adds to the Result of every batch whether there is an alarm after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..result import Notice, Result
from . import alarms
from .calibration import Calibration
from .online import Rule

SENTENCES = {
    True: "the batch differs from good events",
    False: "no evidence at this level that the batch differs from good events",
}


def with_alarms(
    calibration: Calibration, results: Sequence[Result], params: Any, before: Sequence[float]
) -> Iterator[Result]:
    """Add to each result whether there is an alarm after it, and by which rule."""
    if params.control == "persistence":
        yield from _persistent(calibration, results, params, before)
        return
    rule = Rule(params.control, params.alpha)
    for p in before:
        rule.add(p)
    smallest = calibration.smallest_p_value if params.null == "toys" else 0.0
    for result in results:
        level = rule.level
        state: dict[str, Any] = {
            "rule": params.control,
            "level": level,
            "possible": smallest <= level,
            "alarm": False,
        }
        if result.p_value is not None:
            rejected = rule.add(result.p_value)
            state["alarm"] = rejected
            result = replace(
                result,
                verdict="rejected" if rejected else "not rejected",
                threshold=None,
                explanation={**result.explanation, "summary": SENTENCES[rejected]},
            )
        found = [*_online_notices(params, smallest, level)]
        yield replace(
            result,
            explanation={**result.explanation, "alarm": state},
            warnings=(*result.warnings, *found),
        )


def _online_notices(params: Any, smallest: float, level: float) -> Iterator[Notice]:
    if smallest > level:
        yield Notice(
            "alarm-impossible",
            f"alarm impossible at this number of toys: {params.control} allows p up to "
            f"{level:.2g}, the smallest is {smallest:.2g}; calibrate with more "
            "--toys, or use --null analytic",
        )
    if params.control != "lond":
        yield Notice(
            "dependent-p-values",
            "p-values of one calibration depend on each other through its reference and toys; "
            f"{params.control} is proven for independent ones, lond holds for such dependence",
        )


def _persistent(
    calibration: Calibration, results: Sequence[Result], params: Any, before: Sequence[float]
) -> Iterator[Result]:
    k, n = alarms.parse(params.persistence)
    past = [p <= params.alpha for p in before]
    states = list(alarms.persistent([*past, *(r.reject for r in results)], k, n))[len(past) :]
    level = params.alpha
    if params.null == "toys":
        step = calibration.smallest_p_value
        level = np.floor(params.alpha / step * (1 + 1e-12)) * step
    rate = alarms.false_alarms(float(level), k, n)
    for result, alarm in zip(results, states, strict=True):
        state = {
            "rule": f"{k} of the last {n}",
            "alarm": alarm,
            "false_alarms_per_batch": rate,
            "false_alarms_per_day": rate * params.per_day if params.per_day else None,
        }
        yield replace(result, explanation={**result.explanation, "alarm": state})
