"""What can be proved of a target's score: how fast it changes, or how large it gets.

Sequential tests by the Stein kernel need a bound of it that holds at every row. It follows from a
Lipschitz constant of the score, or from a bound of its norm, in the coordinates of `Target.charts`.
Only laws for which one of them is known in closed form have a certificate; for others the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Certificate:
    """A proved property of the score in coordinates z = y @ units.

    Attributes
    ----------
    units : ndarray (d, d)
    lipschitz : float or None
        |score(z) - score(z')| <= lipschitz |z - z'|.
    bound : float or None
        |score(z)| <= bound.
    """

    units: Array
    lipschitz: float | None
    bound: float | None = None


# Derivative of the score in the coordinate of the chart, at most, by family (a column each).
_LIPSCHITZ: dict[str, Callable[[dict[str, Any]], Any]] = {
    "normal": lambda v: 1 / v["sd"] ** 2,
    "student_t": lambda v: (v["df"] + 1) / v["df"] / v["scale"] ** 2,
    "logistic": lambda v: 0.5 / v["scale"] ** 2,
    "lognormal": lambda v: 1 / v["log_sd"] ** 2,
    # logit of a beta law: score a - (a + b) / (1 + e^-y), of slope (a + b) / 4 at most
    "beta": lambda v: (v["a"] + v["b"]) / 4,
    "uniform": lambda v: 0.5 + 0 * v["low"],
}
_BOUND: dict[str, Callable[[dict[str, Any]], Any]] = {"laplace": lambda v: 1 / v["scale"]}
_REASONS = {
    "gamma": "the score of the logarithm of a gamma law grows exponentially",
    "exponential": "the score of the logarithm of an exponential law grows exponentially",
    "von_mises": "an angle has another kernel",
}


def of_family(name: str, values: dict[str, Any], d: int) -> Certificate | str:
    """The certificate of d independent columns of one family, or why there is none."""
    if name in _LIPSCHITZ:
        constants = np.broadcast_to(_LIPSCHITZ[name](values), (d,))
        return Certificate(np.diag(np.sqrt(constants)), 1.0)
    if name in _BOUND:
        return Certificate(np.diag(np.broadcast_to(_BOUND[name](values), (d,))), None, d**0.5)
    return _REASONS.get(name, f"nothing is proved of the score of {name}")


def of_mixture(means: Array, covariances: Array) -> Certificate | str:
    """The certificate of a mixture of K normal laws, whatever its weights.

    Where all covariances are one matrix, in coordinates that make it the identity, the derivative
    of the score is -I plus the covariance of the means under the shares of the components. That
    lies between 0 and D^2 / 4, D the largest distance of two means (Popoviciu).
    """
    if not (covariances == covariances[0]).all():
        return "the score of a mixture changes without bound if its covariances are not all equal"
    units = np.linalg.inv(np.linalg.cholesky(covariances[0])).T
    z = means @ units
    widest = float(((z[:, None] - z[None]) ** 2).sum(axis=2).max())
    return Certificate(units, max(1.0, widest / 4 - 1))


def of_product(parts: Sequence[Certificate | str]) -> Certificate | str:
    """The certificate of independent columns, a part each."""
    for part in parts:
        if isinstance(part, str):
            return part
    known = [part for part in parts if isinstance(part, Certificate)]
    units = np.diag([part.units[0, 0] for part in known])
    if all(part.lipschitz is not None for part in known):
        return Certificate(units, max(part.lipschitz or 0.0 for part in known))
    if all(part.bound is not None for part in known):
        return Certificate(units, None, len(known) ** 0.5)
    return "some of its columns have a bounded score, others one that changes boundedly"
