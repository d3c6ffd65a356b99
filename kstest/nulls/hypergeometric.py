"""Null distribution of two histograms: entries dealt to two sides, bin by bin.

Under the null hypothesis that all entries are exchangeable, the counts of one side are multivariate
hypergeometric given the pooled counts and both totals. The list of bins is halved again and again:
of the entries of one side that fall into a part, those of its left half are hypergeometric. The
cost is that of bins times draws, whatever the counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

# NumPy's generator takes numbers of entries below this.
LIMIT = 10**9
# Beyond it, a part of the entries this small is binomial among them, and no larger one.
THIN = 10**4


def exact_draws(both: Counts) -> bool:
    """Whether `bin_counts` of these pooled counts is exact: fewer than 10^9 entries in all."""
    return int(both.sum()) < LIMIT


def bin_counts(both: Counts, total: int, draws: int, rng: np.random.Generator) -> Counts:
    """Draw the counts of the side with `total` entries; shape (C, draws).

    Parameters
    ----------
    both : ndarray of int (C,)
        Pooled counts.
    total : int
        Entries of the side, at most their sum.
    draws : int
    rng : numpy.random.Generator

    Notes
    -----
    Exact below 10^9 entries. Beyond, a part of them all is binomial where it is thin (fewer than
    10^4 entries expected, or left out) and otherwise normal with the exact mean and variance: a
    part of 10^9 entries and more.
    """
    out = np.empty((len(both), draws), np.int64)
    sums = np.concatenate([[0], np.cumsum(both)])

    def deal(first: int, last: int, dealt: Counts) -> None:
        if last - first == 1:
            out[first] = dealt
            return
        middle = (first + last) // 2
        left, right = int(sums[middle] - sums[first]), int(sums[last] - sums[middle])
        to_left = _hypergeometric(left, right, dealt, rng)
        deal(first, middle, to_left)
        deal(middle, last, dealt - to_left)

    deal(0, len(both), np.full(draws, total, np.int64))
    return out


def _hypergeometric(good: int, bad: int, drawn: Counts, rng: np.random.Generator) -> Counts:
    if good + bad < LIMIT:
        return np.asarray(rng.hypergeometric(good, bad, drawn), dtype=np.int64)
    whole, k = float(good) + float(bad), drawn.astype(np.float64)
    share = good / whole
    mean = k * share
    low, high = np.maximum(0, drawn - bad), np.minimum(drawn, good)
    # in doubles: products of these numbers leave 64 bits
    spread = np.sqrt(np.maximum(mean * (1 - share) * (whole - k) / (whole - 1), 0))
    found = np.rint(mean + spread * rng.standard_normal(len(k)))
    few = np.minimum(mean, k - mean) < THIN  # of the drawn ones
    found[few] = rng.binomial(drawn[few], share)
    rest = k / whole  # of good ones, or bad ones, each is drawn with this probability
    if good < THIN:
        found = rng.binomial(good, rest).astype(np.float64)
    elif bad < THIN:
        found = k - rng.binomial(bad, rest)
    return np.clip(found.astype(np.int64), low, high)
