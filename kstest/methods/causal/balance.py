"""Whether the weights make the covariates of both arms alike, as right ones do.

If pi(x) is the probability of treatment, A / pi - (1 - A) / (1 - pi) has mean 0 whatever function
of the covariates it is multiplied by. Where a feature of the covariates, or a product of two of
them, says otherwise, what decides on the treatment was not learned from these rows, and the verdict
rests on the predictions of the outcome alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...findings import number
from ...result import Notice
from .data import Study
from .features import CovariateFeatures
from .nuisances import Robust
from .statistic import standard_error

Array = NDArray[np.float64]

# Chance that one of all features is out of balance where the probabilities are right.
CHANCE = 0.01
# Differences of the weighted means, in standard deviations, from which on there is a warning
# (Austin 2009, Statistics in Medicine 28) and no verdict (Rubin 2001, Health Services and Outcomes
# Research Methodology 2).
NOTED, REFUSED = 0.1, 0.25
# Columns of which products are looked at, the first ones.
MOST_PAIRED = 12
# Rows of the smaller arm for each covariate or level, below which there is a warning (Peduzzi et
# al. 1996, Journal of Clinical Epidemiology 49).
ROWS_EACH = 10


@frozen
class Imbalance:
    """The feature of the covariates that weighting leaves furthest out of balance, by z.

    Attributes
    ----------
    what : str
    difference : float
        Of the weighted means of the arms, in standard deviations.
    z : float
    """

    what: str
    difference: float
    z: float

    @property
    def refused(self) -> bool:
        return abs(self.difference) > REFUSED


def imbalance(
    made: Study, covariates: CovariateFeatures, robust: Robust, weighted: bool
) -> Imbalance | None:
    """The largest difference that is neither small nor chance; None without one."""
    from scipy.special import ndtri

    pi, treated, names = robust.propensity, made.treated, covariates.names
    if not names:
        return None
    lines = covariates.values[:, : min(len(names), MOST_PAIRED)]
    one, other = np.triu_indices(lines.shape[1])
    X = np.hstack([covariates.values, lines[:, one] * lines[:, other]])
    weights = treated - pi if weighted else np.where(treated, 1 / pi, -1 / (1 - pi))
    share = float((pi * (1 - pi)).mean()) if weighted else 1.0
    left = X - X.mean(axis=0)
    spread = np.maximum(left.std(axis=0), 1e-9)
    influence = weights[:, None] * left / spread / share
    difference = influence.mean(axis=0)
    z = difference / np.maximum(standard_error(influence, made.groups), 1e-9)
    z[np.abs(difference) <= NOTED] = 0.0
    worst = int(np.abs(z).argmax())
    if abs(z[worst]) <= -float(ndtri(CHANCE / (2 * len(z)))):
        return None
    pair = worst - covariates.values.shape[1]
    what = "a curved function of the covariates"
    if worst < len(names):
        what = names[worst]
    elif pair >= 0:
        what = f"the product of {names[one[pair]]} and {names[other[pair]]}"
    return Imbalance(what, float(difference[worst]), float(z[worst]))


def out_of_balance(found: Imbalance) -> Notice:
    """Say what is out of balance, and what to do."""
    why = (
        f"weighting does not make the covariates of both arms alike: {found.what} still differs "
        f"by {number(abs(found.difference))} standard deviations (z {found.z:.1f}). These rows are "
        "too few, or the covariates too many, to learn who is treated: "
    )
    consequence = (
        "a difference of the outcome may come from there"
        if found.refused
        else "the level is only roughly kept"
    )
    return Notice(
        "not-balanced",
        f"{why}{consequence}. Take more rows, or fewer covariates (those that explain both); for a "
        "treatment that was drawn by lot, --design randomised needs no balance",
    )


def many_covariates(made: Study, covariates: CovariateFeatures) -> tuple[Notice, ...]:
    """Warn where rows are few beside the covariates and levels that are to be learned from them."""
    count, few = len(covariates.names), min(made.units)
    if few >= ROWS_EACH * count:
        return ()
    return (
        Notice(
            "many-covariates",
            f"{few:,} {'rows' if made.groups is None else 'groups'} of the smaller arm for "
            f"{count:,} covariates and levels: with fewer than {ROWS_EACH} for each the level is "
            "only roughly kept (.11 in place of .05 in simulations with four). "
            "Leave out covariates that explain only the treatment, or take more rows",
        ),
    )
