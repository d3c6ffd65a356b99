"""Selftest: a calibration that cannot raise an alarm is worse than none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs
from ..engine import Work, single_blas
from ..errors import UsageError
from ..findings import Facts, Headline, Line, number
from ..kernels import Rows
from ..params import NULL, check_choices, option, seed
from ..result import Answer
from .calibration import Calibration


@frozen
class Params:
    """Options of `selftest`; see the help of each field."""

    alpha: float = option(
        0.01, "Level of both tests.", section=NULL, brief="Level of both tests; 0.01 by default."
    )
    shift: float = option(
        0.5,
        "Shift of every numeric column, in standard deviations.",
        brief="Shift of every column, in spreads; 0.5.",
    )
    share: float = option(
        0.5,
        "Share of events whose categories change, where no column is numeric.",
        brief="Share of events whose categories change.",
    )
    seed: int = seed()

    def __post_init__(self) -> None:
        check_choices(self)
        if not 0 < self.alpha < 1:
            raise UsageError(f"--alpha {self.alpha}: give a number between 0 and 1, such as 0.01")
        if not 0 < self.share <= 1:
            raise UsageError(f"--share {self.share}: give a share above 0, up to 1")


INPUTS = Inputs(
    roles=(),
    params=Params,
    example="kstest dqm selftest drift.cal",
    description="""\
Judges a batch of good events that calibrate put aside, which must not be rejected, and the same
batch after a known change, which must be: numeric columns shifted, or a share of the events given
the reference's rarest categories.""",
)


@single_blas()
def selftest(calibration: Calibration, params: Params, work: Work) -> dict[str, Any]:
    """Judge a good batch and a changed one.

    Returns
    -------
    dict
        ``passed``; p-values ``good`` and ``changed``, and the smallest there can be;
        ``change`` in words; ``events``.
    """
    rows = calibration.held_out
    g = len(calibration.sizes) - 1
    if not len(rows):
        raise UsageError(
            "the pool was too small to put a batch aside; calibrate with at least "
            f"{2 * calibration.sizes[g]:,} good events"
        )
    rng = np.random.default_rng(params.seed)
    if rows.values.shape[1]:
        changed = Rows(rows.values + params.shift, rows.codes)
        words = f"all numeric columns shifted by {params.shift:g} standard deviations"
    else:
        codes, hit = rows.codes.copy(), rng.random(len(rows)) < params.share
        for j in range(codes.shape[1]):
            counts = np.bincount(calibration.reference.rows.codes[:, j] + 1)
            rarest = int(np.where(counts > 0, counts, counts.max() + 1).argmin()) - 1
            codes[hit, j] = rarest
        changed = Rows(rows.values, codes)
        words = f"{100 * params.share:g} % of the events given the rarest categories"
    weights = calibration.held_out_weights
    good, bad = calibration.scores([rows, changed], [weights, weights], g, work)
    return {
        "passed": good.p_value > params.alpha >= bad.p_value,
        "good": good.p_value,
        "changed": bad.p_value,
        "alpha": params.alpha,
        "change": words,
        "events": len(rows),
        "smallest_p_value": calibration.smallest_p_value,
    }


def answer(found: Mapping[str, Any]) -> Answer:
    """Whether a calibration can raise an alarm and keep quiet, as findings."""
    level = number(found["alpha"])
    quiet = "quiet" if found["good"] > found["alpha"] else f"REJECTED at {level}"
    alarm = "rejected" if found["changed"] <= found["alpha"] else f"NOT REJECTED at {level}"
    lines = {
        "good": [Line("good batch", f"p {number(found['good'])}: {quiet}")],
        "changed": [Line("changed", f"p {number(found['changed'])}: {alarm}")],
        "change": [Line("change", f"{found['change']}, {found['events']:,} events")],
        "smallest_p_value": [],
    }
    if found["smallest_p_value"] > found["alpha"]:
        text = (
            f"No p-value of this calibration is below {number(found['smallest_p_value'])}: "
            "calibrate with more toys or runs, or give --alpha as it will be given to check."
        )
        lines["smallest_p_value"].append(Line("advice", text))
    if found["good"] <= found["alpha"]:
        text = (
            f"A good batch is rejected by chance with probability {level}: another --seed of "
            "calibrate puts another batch aside."
        )
        lines["smallest_p_value"].append(Line("advice", text))
    passed = found["passed"]
    return Answer(
        tuple(Facts(key, value, tuple(lines.get(key, ()))) for key, value in found.items()),
        Headline("PASSED" if passed else "FAILED"),
    )
