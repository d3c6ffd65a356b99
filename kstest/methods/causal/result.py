"""What `effect` says: the claim and what it rests on, the mean beside it, and the bandwidths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...findings import Facts, Finding, Line, Note, by_bandwidth, number
from .data import Study
from .features import OutcomeFeatures
from .options import RANDOMISED, Params

Array = NDArray[np.float64]


def sentence(made: Study, rejected: bool, two_files: bool) -> str:
    """What was found."""
    outcome = ", ".join(made.outcomes.names)
    beyond = "beyond what the covariates explain" if made.covariates.names else ""
    if two_files:
        what = f"{outcome} changed from {made.arms[0]} to {made.arms[1]} {beyond}".strip()
    else:
        what = f"the treatment changes the distribution of {outcome} {beyond}".strip()
    return what if rejected else f"no evidence at this level that {what}"


def claim(params: Params, two_files: bool) -> Note:
    """What the verdict rests on."""
    if params.design == RANDOMISED:
        text = "the treatment drawn by lot, and covariates from before the treatment"
    elif two_files:
        text = "rows of the same covariates being compared; a change of these is no part of it"
    else:
        text = (
            "every common cause of treatment and outcome being among the covariates, and these "
            "from before the treatment"
        )
    return Note("claim", text, lines=(Line("rests on", text),), role="meaning")


def mean_difference(
    made: Study,
    psi: OutcomeFeatures,
    difference: tuple[Array, Array],
    alpha: float,
) -> Facts:
    """Difference of the means of every numeric outcome, with its interval."""
    from scipy.special import ndtri

    z = float(-ndtri(alpha / 2))
    numeric = made.outcomes.names[: len(psi.units)]
    rows, lines = [], []
    for name, unit, mean, error in zip(numeric, psi.units, *difference, strict=True):
        middle, half = float(mean * unit), float(z * error * unit)
        rows.append({"column": name, "difference": middle, "low": middle - half,
                     "high": middle + half})  # fmt: skip
        lines.append(
            Line(
                "mean",
                f"{name} {number(middle)} ({100 * (1 - alpha):.3g} % interval "
                f"{number(middle - half)} to {number(middle + half)})",
                "numbers",
            )
        )
    return Facts("mean_difference", rows, tuple(lines))


def strongest(T: Array, keep: NDArray[np.bool_], psi: OutcomeFeatures) -> tuple[Finding, ...]:
    """The statistic of every bandwidth, and the one that stands out most."""
    spread = T.std(axis=1)
    z = np.where(keep, (T[:, 0] - T.mean(axis=1)) / np.where(keep, spread, 1.0), -np.inf)
    rows = [
        {"sees": "residual" if left else "outcome", "bandwidth": h, "statistic": float(t),
         "z": float(value) if kept else None}
        for left, h, t, value, kept in zip(
            psi.residual, psi.bandwidths, T[:, 0], z, keep, strict=True
        )
    ]  # fmt: skip
    return by_bandwidth(rows, int(z.argmax()), "statistic")
