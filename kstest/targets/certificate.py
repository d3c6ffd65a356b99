"""What can be proved of a target's score: how fast it grows.

Tests whose guarantee rests on a bound of the Stein kernel need one that holds at every row. It
follows from a line that the norm of the score stays below, in the coordinates of
`Target.transforms`, once the kernel is tilted (`tilted_bound`). Distributions for which such a line
is known in closed form have a certificate; for others the reason why not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

# Cells of the radius on which a bound is taken, and where its tail begins, in units of the tilt.
CELLS = 20_000
TAIL = 1e4


@frozen
class Certificate:
    """A proved property of the score in coordinates z = y @ units.

    Attributes
    ----------
    units : ndarray (d, d)
    centre : ndarray (d,)
    offset, slope : float
        |score(z)| <= offset + slope |z - centre|.
    """

    units: Array
    centre: Array
    offset: float
    slope: float


# By family: the point where the score in the coordinate of the transform is 0, and what its
# derivative does not exceed.
_LINEAR: dict[str, Callable[[dict[str, Any]], tuple[Any, Any]]] = {
    "normal": lambda v: (v["mean"], 1 / v["sd"] ** 2),
    "student_t": lambda v: (v["location"], (v["df"] + 1) / v["df"] / v["scale"] ** 2),
    "cauchy": lambda v: (v["location"], 2 / v["scale"] ** 2),
    # log of a half-Cauchy variable: score 1 - 2 / (1 + e^-2z), of slope 1 at most
    "half_cauchy": lambda v: (np.log(v["scale"]), 1 + 0 * v["scale"]),
    "logistic": lambda v: (v["location"], 0.5 / v["scale"] ** 2),
    "lognormal": lambda v: (v["log_mean"], 1 / v["log_sd"] ** 2),
    # logit of a beta distribution: score a - (a + b) / (1 + e^-y), of slope (a + b) / 4 at most
    "beta": lambda v: (np.log(v["a"] / v["b"]), (v["a"] + v["b"]) / 4),
    "uniform": lambda v: (0 * v["low"], 0.5 + 0 * v["low"]),
}
# The score of a Laplace distribution has one size.
_LEVEL: dict[str, Callable[[dict[str, Any]], tuple[Any, Any]]] = {
    "laplace": lambda v: (v["location"], 1 / v["scale"]),
}
_REASONS = {
    "gamma": "the score of the logarithm of a gamma distribution grows exponentially",
    "exponential": "the score of the logarithm of an exponential distribution grows exponentially",
    "von_mises": "an angle has another kernel",
}


def of_family(name: str, values: dict[str, Any], d: int) -> Certificate | str:
    """The certificate of d independent columns of one family, or why there is none."""
    if name in _LINEAR:
        centres, constants = np.broadcast_arrays(*_LINEAR[name](values), np.empty(d))[:2]
        units = np.sqrt(constants)
        return Certificate(np.diag(units), centres * units, 0.0, 1.0)
    if name in _LEVEL:
        centres, units = np.broadcast_arrays(*_LEVEL[name](values), np.empty(d))[:2]
        return Certificate(np.diag(units), centres * units, math.sqrt(d), 0.0)
    return _REASONS.get(name, f"nothing is proved of the score of {name}")


def of_mixture(means: Array, covariances: Array) -> Certificate:
    """The certificate of a mixture of normal distributions, whatever its weights.

    Its score is a mean of those of its components, so at most the largest of these. In coordinates
    in which the mean of the covariances is the identity,

        |score(z)| <= max_k |P_k (z - m_k)| <= slope (|z - centre| + max_k |m_k - centre|),

    slope the largest eigenvalue of any of the precisions P_k.
    """
    units = np.linalg.inv(np.linalg.cholesky(covariances.mean(axis=0))).T
    z = means @ units
    centre = (z.min(axis=0) + z.max(axis=0)) / 2
    back = np.linalg.inv(units)
    slope = max(
        float(np.linalg.eigvalsh(back @ np.linalg.inv(C) @ back.T).max()) for C in covariances
    )
    widest = math.sqrt(float(((z - centre) ** 2).sum(axis=1).max()))
    return Certificate(units, centre, slope * widest, slope)


def of_product(parts: Sequence[Certificate | str]) -> Certificate | str:
    """The certificate of independent columns, a part each.

    |score|^2 = sum_c (offset_c + slope_c r_c)^2, and the norm of a sum is at most the sum of norms.
    """
    for part in parts:
        if isinstance(part, str):
            return part
    known = [part for part in parts if isinstance(part, Certificate)]
    return Certificate(
        np.diag([part.units[0, 0] for part in known]),
        np.array([part.centre[0] for part in known]),
        math.sqrt(sum(part.offset**2 for part in known)),
        max(part.slope for part in known),
    )


def tilted_bound(offset: float, slope: float, c: float, level: float) -> float:
    """Return a number that a tilted Stein kernel does not exceed, nowhere.

    With the tilt w = (1 + r^2 / c^2)^(-1/2) of the distance r from a centre, and |score| <=
    offset + slope r, the kernel of a row with itself is at most (w (offset + slope r) + |grad w|)^2
    + level w^2, `level` the trace of the untilted kernel's derivatives at distance 0 (Liu and Briol
    2024, arXiv 2408.05854). The supremum over r is bounded cell by cell from the monotony of the
    parts, and beyond the last cell by its limit.
    """
    r = np.concatenate([[0.0], np.geomspace(1e-4, TAIL, CELLS)]) * c
    w = 1 / np.sqrt(1 + (r / c) ** 2)
    gradient = r / c**2 * w**3
    largest = np.maximum(gradient[:-1], gradient[1:])
    peak = c / math.sqrt(2)  # where |grad w| is largest
    largest[(r[:-1] <= peak) & (peak <= r[1:])] = 2 / (3 * math.sqrt(3) * c)
    cells = (w[:-1] * (offset + slope * r[1:]) + largest) ** 2 + level * w[:-1] ** 2
    tail = (offset * w[-1] + slope * c + gradient[-1]) ** 2 + level * w[-1] ** 2
    return float(max(cells.max(), tail))
