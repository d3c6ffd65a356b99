"""The compiled loops over rounds: wealth and detectors, conformal p-values and the bets on them.

As in `loops`: nothing outside this file and `kstest.kernels.compiled` is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import loop
from ..kernels.compiled import GOLDEN, TO_UNIT, mixed, u64

# The share of the money that is bet from the first round on; see `starts`.
FIRST_SHARE = 0.5


@loop
def starts_path(log_factors: Any, done: Any, tau: Any, begun: Any, out: Any) -> None:
    """The wealth of bets that may begin in any round, round by round; see `starts`.

    Parameters
    ----------
    log_factors : float64 (n, E)
    done : int
        Rounds before these.
    tau : float
    begun : float64 (E,)
        Log wealth of what has begun to bet, -inf for nothing; changed in place.
    out : float64 (n,)
        Log of the mean wealth of the experts and of the money that waits.
    """
    n, E = log_factors.shape
    for i in range(n):
        earlier = float(done + i)
        before = 1.0 + np.log1p(earlier / tau)
        gain = np.log1p(1.0 / (earlier + tau))
        waiting = (1.0 - FIRST_SHARE) / (before + gain)
        weight = waiting * gain / before
        if done + i == 0:
            weight += FIRST_SHARE
        more = np.log(weight)
        top = np.log(waiting)
        rest = top
        for e in range(E):
            larger = max(begun[e], more)
            smaller = min(begun[e], more)
            begun[e] = larger + np.log1p(np.exp(smaller - larger)) + log_factors[i, e]
            top = max(top, begun[e])
        total = 0.0
        for e in range(E):
            total += np.exp(begun[e] - top)
        out[i] = top + np.log(total / E + np.exp(rest - top))


@loop
def conformal_p_values(bins: Any, key: Any, first: Any, counts: Any, out: Any) -> None:
    """Smoothed conformal p-values of scores that are bins, each added to the bag after its turn.

    Parameters
    ----------
    bins : int64 (n,)
        Larger bins are stranger rows.
    key, first : uint64
        Of the uniform numbers that split ties, and the number of the first of these rows.
    counts : float64 (bins,)
        The bag; changed in place.
    out : float64 (n,)
    """
    total = 0.0
    for b in range(counts.shape[0]):
        total += counts[b]
    base = mixed(key)
    for i in range(bins.shape[0]):
        above = 0.0
        for b in range(bins[i] + 1, counts.shape[0]):
            above += counts[b]
        word = mixed(base + (first + u64(i)) * GOLDEN)
        u = (float(word >> u64(11)) + 0.5) * TO_UNIT
        out[i] = (above + u * (counts[bins[i]] + 1.0)) / (total + 1.0)
        counts[bins[i]] += 1.0
        total += 1.0


@loop
def p_value_bets(p: Any, tilts: Any, powers: Any, low_powers: Any, out: Any) -> None:
    """Log bets on p-values: 1 + e (1 - 2 p) for tilts e, k p^(k - 1) for powers k, and
    k (1 - p)^(k - 1) for low powers k."""
    T, P = tilts.shape[0], powers.shape[0]
    for i in range(p.shape[0]):
        low = np.log(max(p[i], 1e-300))
        high = np.log(max(1.0 - p[i], 1e-17))
        for k in range(T):
            out[i, k] = np.log(max(1.0 + tilts[k] * (1.0 - 2.0 * p[i]), 1e-300))
        for k in range(P):
            out[i, T + k] = np.log(powers[k]) + (powers[k] - 1.0) * low
        for k in range(low_powers.shape[0]):
            out[i, T + P + k] = np.log(low_powers[k]) + (low_powers[k] - 1.0) * high


@loop
def detect(
    log_factors: Any, ends: Any, before: Any, stop: Any, sums_rule: Any, sums: Any, maxima: Any,
    since: Any, out: Any,
) -> Any:  # fmt: skip
    """Rounds of an e-detector up to the first where the mean statistic reaches `stop`.

    Parameters
    ----------
    log_factors : float64 (n, E)
    ends : int64 (n,)
    before : int
        Row at the end of the round before the first.
    stop : float
        Log of the threshold.
    sums_rule : bool
        Shiryaev-Roberts; else CUSUM.
    sums, maxima, since : (E,)
        Log statistics and beginnings; changed in place.
    out : float64 (n,)
        Log of the mean of the statistics.

    Returns
    -------
    int
        Rounds that were taken.
    """
    n, E = log_factors.shape
    for t in range(n):
        top = -np.inf
        for e in range(E):
            larger = max(sums[e], 0.0)
            grown = larger + np.log(np.exp(sums[e] - larger) + np.exp(-larger))
            sums[e] = grown + log_factors[t, e]
            if maxima[e] <= 0.0:
                maxima[e] = 0.0
                since[e] = before
            maxima[e] += log_factors[t, e]
            top = max(top, sums[e] if sums_rule else maxima[e])
        total = 0.0
        for e in range(E):
            total += np.exp((sums[e] if sums_rule else maxima[e]) - top)
        out[t] = top + np.log(total / E)
        before = ends[t]
        if out[t] >= stop:
            return t + 1
    return n
