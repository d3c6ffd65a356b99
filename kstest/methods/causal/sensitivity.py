"""How strong a hidden cause would have to be to explain a rejection away.

A cause that is not among the covariates may move the odds of treatment of every row by a factor
between 1 / L and L (Tan 2006). The weight of a row then lies between 1 + (w - 1) / L and
1 + (w - 1) L, where w is one over the probability of its own arm. The smallest statistic over all
such weights is a convex problem, and L is enlarged until that minimum falls below the critical
value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...findings import Facts, Line, number
from .nuisances import Robust

Array = NDArray[np.float64]
Labels = NDArray[np.bool_]

# Steps of the minimisation, halvings of the interval of log L, and the largest L that is tried.
STEPS, HALVINGS, MOST = 300, 10, 20.0


def least_statistic(base: Array, left: Array, low: Array, high: Array, enough: float) -> float:
    """Minimum of n |base + mean_i w_i left_i|^2 over low <= w <= high.

    Parameters
    ----------
    base : ndarray (d,)
    left : ndarray (n, d)
    low, high : ndarray (n,)
    enough : float
        Below this the minimisation stops.

    Notes
    -----
    Projected gradients with Nesterov's momentum (Beck and Teboulle 2009).
    """
    n = len(left)
    curvature = 2 * float(np.linalg.eigvalsh(left.T @ left)[-1]) / n
    w = extrapolated = (low + high) / 2
    momentum, best = 1.0, np.inf
    for _ in range(STEPS):
        gradient = 2 * (left @ (base + extrapolated @ left / n))
        step = np.clip(extrapolated - gradient / max(curvature, 1e-300), low, high)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        extrapolated = step + (momentum - 1) / following * (step - w)
        w, momentum = step, following
        mean = base + w @ left / n
        best = min(best, n * float(mean @ mean))
        if best < enough:
            break
    return best


def odds_factor(robust: Robust, block: slice, treated: Labels, critical: float) -> float:
    """Smallest L with which the statistic of one kernel can fall below its critical value.

    1 if it is below without any hidden cause, and `MOST` if it never falls below.
    """
    own = np.where(treated, robust.propensity, 1 - robust.propensity)
    weight = 1 / own
    predicted = robust.predicted[:, block]
    left = (robust.phi[:, block] - predicted) * own[:, None]
    base = predicted.mean(axis=0)

    def explained(factor: float) -> bool:
        low, high = 1 + (weight - 1) / factor, 1 + (weight - 1) * factor
        return least_statistic(base, left, low, high, critical) < critical

    if explained(1.0):
        return 1.0
    if not explained(MOST):
        return MOST
    below, above = 0.0, float(np.log(MOST))
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        below, above = (below, middle) if explained(np.exp(middle)) else (middle, above)
    return float(np.exp(below))


def sensitivity_found(robust: Robust, block: slice, treated: Labels, critical: float) -> Facts:
    """Say it of the kernel that stands out most: it would have to be explained away too."""
    factor = odds_factor(robust, block, treated, critical)
    text = (
        f"a hidden cause that multiplies the odds of treatment by less than {number(factor)} could "
        "not explain this away"
    )
    return Facts("sensitivity", {"odds_factor": factor}, (Line("hidden", text, "numbers"),))
