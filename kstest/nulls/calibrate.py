"""p-value and threshold from an observed statistic and its replicates under the null."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Aggregated statistics divide small differences by small spreads; permutations that are equal in
# exact arithmetic may then differ by this share of the spread.
TIED = 1e-9


def p_value(statistics: NDArray[np.float64]) -> float:
    """Return (1 + #{b >= 1: T_b >= T_0}) / (1 + B); never 0.

    Parameters
    ----------
    statistics : ndarray (B + 1,)
        The observed statistic first; large values speak against the null.

    Notes
    -----
    Valid at every sample size if the B + 1 statistics are exchangeable under the null (Phipson
    and Smyth 2010, arXiv 1603.05766). Replicates within rounding of the observed value count as
    ties: within 100 machine epsilons (scipy's tolerance) of the observed value, or within 1e-9 of
    the spread of the replicates, whichever is larger. Counting a near tie is never invalid.
    """
    observed, replicates = statistics[0], statistics[1:]
    count = int(np.count_nonzero(replicates >= observed - _tolerance(statistics)))
    return (1 + count) / (1 + len(replicates))


def varies(statistics: NDArray[np.float64]) -> bool:
    """Tell whether the statistic is not the same under every draw of the null, the data included.

    Where it is, p is 1 whatever the data are: a test has no verdict (`kstest.result.unvarying`).
    """
    return bool(np.ptp(statistics) > _tolerance(statistics))


def threshold(statistics: NDArray[np.float64], alpha: float) -> float:
    """Return the smallest value that the observed statistic must exceed for p <= alpha."""
    replicates = np.sort(statistics[1:])[::-1]
    # p <= alpha needs 1 + #{T_b >= T_0} <= alpha (1 + B).
    allowed = math.floor(alpha * len(statistics) * (1 + 1e-12)) - 1
    return float(replicates[min(max(allowed, 0), len(replicates) - 1)])


def _tolerance(statistics: NDArray[np.float64]) -> float:
    rounding = 100 * float(np.finfo(np.float64).eps) * abs(float(statistics[0]))
    return max(rounding, TIED * float(np.std(statistics)))
