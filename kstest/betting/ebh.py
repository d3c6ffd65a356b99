"""e-BH: which of many hypotheses to reject, given an e-value for each.

Of m hypotheses with e-values sorted downwards, e_(1) >= ... >= e_(m), reject those with the k
largest, for the largest k with k e_(k) / m >= 1 / alpha (Wang and Ramdas 2022).

**What it controls.** If E[e_j] <= 1 for every j whose hypothesis is true, the expected share of
true hypotheses among the rejected ones (the false discovery rate, FDR) is at most alpha m_0 / m,
m_0 being how many are true, *however the e-values depend on each other*: a false rejection with k
rejected has e_j >= m / (alpha k), so

    FDR = E[ sum_{j true} 1{j rejected} / k ] <= sum_{j true} E[ alpha e_j / m ] <= alpha m_0 / m.

**Looking at will.** Let e_j be wealths K_j(t) that are, under hypothesis j, martingales started at
1 in what is known of *all* hypotheses at time t. Then E[K_j(T)] <= 1 at every stopping time T, also
one that looks at the other wealths, and the set rejected by the wealths *at T* has FDR <= alpha.

- Running maxima are no e-values: P(sup_t K_j(t) >= c) is up to 1 / c for every c, whose integral
  has no end, so E[sup_t K_j(t)] can be infinite, and the sum above too. (For one hypothesis that
  does no harm: Ville's inequality bounds the probability, and nothing is divided by k.)
- Wealths now may be used, but a set that was rejected today may be smaller tomorrow, and the union
  of what was ever rejected has no FDR <= alpha.
- Stopped wealths may be used: K_j(min(t, T_j)), each with a stopping time T_j of its own, is a
  martingale too. Here T_j is the time when e-BH rejects j. One that is rejected together with
  k - 1 others keeps K_j >= m / (alpha k), and so do these, so it stays rejected: the set only
  grows, its FDR is at most alpha at every stopping time, and (let T grow) so is that of its union
  over the whole stream. What is bounded is the mean of the share at a time T, chosen as one likes
  while looking, not the mean of its largest value over all times.

Evidence may be made smaller at any time, for any reason: e' <= e has E[e'] <= 1 too.

References: Wang and Ramdas (2022), JRSS B 84, arXiv 2009.02824; Ramdas, Gruenwald, Vovk, Shafer
(2023), Statistical Science 38.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def largest(log_e: Array) -> float:
    """log of max_k k e_(k) / m, the e-value of "all m hypotheses are true".

    It is at most the mean of the e-values, so it is an e-value where they are. e-BH rejects
    something if and only if this is at least 1 / alpha.
    """
    return float(_steps(np.sort(log_e)[::-1]).max())


def adjusted(log_e: Array) -> Array:
    """log of the smallest alpha at which e-BH rejects each hypothesis; 0 at most.

    Parameters
    ----------
    log_e : ndarray (m,)

    Returns
    -------
    ndarray (m,)
        -max over k >= rank of log(k e_(k) / m).

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(adjusted(np.log([100.0, 30.0, 1.0]))).round(3).tolist()
    [0.03, 0.05, 1.0]
    """
    order = np.argsort(-log_e, kind="stable")
    # Equal e-values have one fate, that of the last of them.
    best = np.maximum.accumulate(_steps(log_e[order])[::-1])[::-1]
    out = np.empty_like(best)
    out[order] = np.minimum(-best, 0.0)
    return out


def rejected(log_e: Array, level: float) -> NDArray[np.bool_]:
    """Which hypotheses e-BH rejects at level = log(1 / alpha)."""
    return np.asarray(-adjusted(log_e) >= level)


def thresholds(m: int, level: float) -> Array:
    """log of the e-value that each of the k largest of m must reach for k rejections, k = 1 to m.

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(thresholds(3, np.log(20))).round(6).tolist()
    [60.0, 30.0, 20.0]
    """
    return level + math.log(m) - np.log(np.arange(1, m + 1))


def needed(log_e: Array, level: float) -> Array:
    """log of the e-value from which on each hypothesis is rejected, with the others as they are.

    Parameters
    ----------
    log_e : ndarray (m,)
    level : float
        log(1 / alpha).

    Returns
    -------
    ndarray (m,)

    Examples
    --------
    One that stands beside others needs less:

    >>> import numpy as np
    >>> np.exp(needed(np.log([100.0, 25.0, 1.0]), np.log(20))).round(6).tolist()
    [60.0, 30.0, 20.0]
    """
    least = thresholds(len(log_e), level)
    order = np.argsort(-log_e, kind="stable")
    downwards, out = log_e[order], np.empty(len(log_e))
    # For k rejections the (k - 1)-th largest of the others must reach the threshold of k. It is at
    # k - 1 where it stands before the one in question, else at k.
    before = np.concatenate([[np.inf], downwards[:-1]]) >= least
    behind = downwards >= least
    for place, one in enumerate(order):
        reached = np.where(np.arange(len(least)) <= place, before, behind)
        out[one] = least[np.flatnonzero(reached)[-1]]
    return out


def _steps(downwards: Array) -> Array:
    """log(k e_(k) / m) for k = 1 to m."""
    m = len(downwards)
    return downwards + np.log(np.arange(1, m + 1)) - math.log(m)
