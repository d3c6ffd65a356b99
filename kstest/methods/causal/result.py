"""What `effect` says: the claim and what it rests on, the mean beside it, and the bandwidths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...findings import Facts, Finding, Line, Note, by_bandwidth, number
from .data import Study
from .features import OutcomeFeatures
from .options import RANDOMISED, Params
from .quantiles import curves, deciles, shares
from .statistic import standard_error

Array = NDArray[np.float64]


def sentence(made: Study, rejected: bool, params: Params) -> str:
    """What was found."""
    outcome = ", ".join(made.outcomes.names)
    what = f"the treatment changes the distribution of {outcome}"
    if not params.treatment:
        what = f"{outcome} changed from {made.arms[0]} to {made.arms[1]}"
    if made.covariates.names:
        what += " beyond what the covariates explain"
    return what if rejected else f"no evidence at this level that {what}"


def claim(params: Params) -> Note:
    """What the verdict rests on."""
    if params.design == RANDOMISED:
        within = f" within {params.strata}" if params.strata else ""
        text = f"the treatment being drawn by lot{within}, and covariates from before the treatment"
    elif not params.treatment:
        text = "rows of the same covariates being compared; a change of these is no part of it"
    else:
        text = (
            "every common cause of treatment and outcome being among the covariates, and these "
            "from before the treatment"
        )
    if params.overlap == "weights":
        text += "; about rows that could have been in either arm, weighted by the chance of both"
    return Note("claim", text, lines=(Line("rests on", text),), role="meaning")


def normal_quantile(share: float) -> float:
    """What a standard normal value exceeds with this probability."""
    from scipy.special import ndtri

    return float(-ndtri(share))


def mean_difference(
    made: Study, psi: OutcomeFeatures, effect: Array, influence: Array, alpha: float
) -> Facts:
    """Difference of the means of every numeric outcome, with its interval.

    Parameters
    ----------
    made : Study
    psi : OutcomeFeatures
    effect, influence : ndarray (k,), (n, k)
        In units of `psi.units`.
    alpha : float
    """
    z = normal_quantile(alpha / 2)
    error = standard_error(influence, made.groups)
    numeric = made.outcomes.names[: len(psi.units)]
    rows, lines = [], []
    for name, unit, mean, wide in zip(numeric, psi.units, effect, error, strict=True):
        middle, half = float(mean * unit), float(z * wide * unit)
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


def distributions(
    made: Study,
    psi: OutcomeFeatures,
    arms: tuple[Array, Array],
    params: Params,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    """Deciles of both arms, and shares of both for the picture."""
    y = made.outcomes.values[:, 0]
    found = curves(arms, y, psi.points, made.groups, params.alpha, rng)
    edges, (none, one) = shares(found)
    value = {"edges": edges, "control": none, "treated": one}
    name = made.outcomes.names[0]
    return deciles(found, made.arms, name, params.alpha), Facts("shares", value)


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
