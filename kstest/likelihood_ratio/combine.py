"""Several widths, one p-value.

Each width's statistic gets its rank among the toys and the batch together, ranks are combined, and
the batch's combination is compared with those of the toys: exact if batch and toys are
exchangeable, as nothing in it knows which is the batch (min-p of Grosso and Letizia 2024, arXiv
2408.12296). The largest toy of a width ties with every batch beyond it; analytic tails break ties.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..nulls import tie_ranks

Array = NDArray[np.float64]

COMBINATIONS = ("minimum", "product", "average")


def combine(statistics: Array, log_tails: Array, how: str) -> Array:
    """Return one statistic of several widths, large against the null.

    Parameters
    ----------
    statistics, log_tails : ndarray (K, B + 1)
        Statistics and logarithms of their analytic p-values, those of the batch first.
    how : {'minimum', 'product', 'average'}
        Of the rank p-values #{T_b >= T} / (B + 1) of the widths.

    Returns
    -------
    ndarray (B + 1,)
        Minus the number of the smallest rank plus a part below 1 that grows with the analytic
        evidence; or minus the logarithm of the product or the mean.
    """
    if len(statistics) == 1:
        return np.asarray(statistics[0])
    p = tie_ranks(statistics)
    if how == "product":
        return np.asarray(-np.log(p).sum(axis=0))
    if how == "average":
        return np.asarray(-np.log(p.mean(axis=0)))
    evidence = -log_tails.min(axis=0)
    ranks = np.rint(p.min(axis=0) * statistics.shape[1])
    return np.asarray(evidence / (1 + evidence) - ranks)


def combined_tail(log_p: Array, how: str) -> float:
    """Return an analytic p-value of several widths, valid however they depend on each other.

    K times the smallest; for the average twice the mean (Rueschendorf 1982).

    Parameters
    ----------
    log_p : ndarray (K,)
        Logarithms of the analytic p-values.
    how : {'minimum', 'product', 'average'}
    """
    if len(log_p) == 1:
        found = float(log_p[0])
    elif how == "average":
        top = float(log_p.max())
        found = math.log(2 * float(np.exp(log_p - top).mean())) + top
    else:
        found = math.log(len(log_p)) + float(log_p.min())
    return math.exp(max(min(found, 0.0), -700.0))
