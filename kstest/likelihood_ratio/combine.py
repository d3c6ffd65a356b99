"""Several widths, one statistic.

Each width's statistic is turned into a p-value by its analytic null law, a fixed increasing
function, and the p-values are combined. Whatever these p-values are worth, the combination is a
fixed function of the batch, so that comparing it with the combinations of the same toys is as
valid as for one width (Grosso and Letizia 2024, arXiv 2408.12296, rank among the toys instead,
which ties the largest values).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _average(log_p: Array) -> Array:
    # log of the mean of p without underflow
    top = log_p.max(axis=0)
    return np.asarray(-(top + np.log(np.exp(log_p - top).mean(axis=0))))


COMBINATIONS: dict[str, Callable[[Array], Array]] = {
    "minimum": lambda log_p: -log_p.min(axis=0),
    "product": lambda log_p: -log_p.sum(axis=0),
    "average": _average,
}


def combine(log_p: Array, how: str) -> Array:
    """Return the combined statistic, large against the null.

    Parameters
    ----------
    log_p : ndarray (K,) or (K, T)
        Logarithms of the analytic p-values of each width.
    how : {'minimum', 'product', 'average'}
        minus log of the smallest, of the product, or of the mean of the p-values.
    """
    return np.asarray(COMBINATIONS[how](log_p))


def combined_tail(log_p: Array, how: str) -> float:
    """Return an analytic p-value of several widths, valid however they depend on each other.

    K times the smallest; for the average twice the mean (Rueschendorf 1982).
    """
    if len(log_p) == 1:
        found = float(log_p[0])
    elif how == "average":
        found = math.log(2) - float(_average(log_p[:, None])[0])
    else:
        found = math.log(len(log_p)) + float(log_p.min())
    return math.exp(max(min(found, 0.0), -700.0))
