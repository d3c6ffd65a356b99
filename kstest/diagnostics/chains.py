"""Chains of a sampler: what their rows are worth, and whether they have mixed.

Rows of a chain depend on each other. The autocorrelation time of a column is the number of rows
that are worth one independent row for its mean; the effective sample size is the number of rows
over it. Both are taken of ranks (Vehtari, Gelman, Simpson, Carpenter, Burkner 2021, Bayesian
Analysis 16, 667-718, arXiv 1903.08008), so that heavy tails do no harm, and of the sizes of
deviations as well: a chain may remember its spread and not its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..lean import fdtrc, ndtri

Array = NDArray[np.float64]

# R-hat from which on chains disagree by something, and how rarely well mixed ones may seem to.
LEAST_R_HAT, FALSE_WARNINGS = 1.05, 1e-3
# Rows of a chain, or of half of it, that say something about its dependence, and autocorrelation
# times in it: of a shorter one the time is not seen.
LEAST_PART, LEAST_TIMES = 10, 3
# A variance within chains of less than this share is rounding.
STILL = 1e-12
# By how much a time may be too small.
DOUBT = 2.0


@frozen
class Memory:
    """How long the columns of some chains remember.

    Attributes
    ----------
    correlations : list of ndarray
        Of each column: the autocorrelation at lags 0, 1, ..., up to where it is lost in noise.
    times : ndarray (k,)
        Autocorrelation times in rows, at least 1.
    """

    correlations: Sequence[Array]
    times: Array

    def seen(self, rho: float) -> Array:
        """Autocorrelation times where a lag counts rho^lag: what such signs see of them."""
        return np.array([_time(r * rho ** np.arange(len(r))) for r in self.correlations])


def scores_of_ranks(x: Array) -> Array:
    """Normal scores of the ranks of every column, and of its sizes of deviations; (n, 2 d)."""
    sizes = np.abs(x - np.median(x, axis=0))
    return np.column_stack([_normal(column) for column in (*x.T, *sizes.T)])


def _normal(column: Array) -> Array:
    """Normal scores; equal values share the mean of their ranks."""
    _, place, count = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return np.asarray(ndtri((ranks - 0.375) / (len(column) + 0.25)))


def memory(x: Array, lengths: NDArray[np.int64], together: bool = True) -> Memory:
    """Autocorrelation of columns within chains.

    Parameters
    ----------
    x : ndarray (n, k)
        The rows of one chain after the other.
    lengths : ndarray of int (C,)
        Of the chains.
    together : bool
        Whether chains are taken to be of one law. Then the variance of their means counts as
        dependence, as in Vehtari and others: a chain that is short against its memory hides it.
        Otherwise, and for a single chain, that is made good by the autocorrelation time found.
    """
    between, within = _autocovariances(x, lengths)
    several = together and len(lengths) > 1
    found = []
    for lagged, mean_square in zip(within.T, between, strict=True):
        total = lagged[0] + (mean_square if several else 0.0)
        if not total > 0 or not lagged[0] > STILL * total:
            found.append(np.ones(int(lengths.max())))
            continue
        r = _positive((lagged + (mean_square if several else 0.0)) / total)
        for _ in range(0 if several else 3):
            lost = len(lengths) * max(_time(r), 1.0) * lagged[0] / len(x)
            r = _positive((lagged[: len(r)] + lost) / (lagged[0] + lost))
        found.append(r)
    return Memory(found, np.array([_time(r) for r in found]))


def _time(r: Array) -> float:
    return max(1.0, float(2 * r.sum() - 1))


def _autocovariances(x: Array, lengths: NDArray[np.int64]) -> tuple[Array, Array]:
    """Variance of the means of chains, (k,), and autocovariances within them, (lags, k)."""
    n, longest = len(x), int(lengths.max())
    within, between = np.zeros((longest, x.shape[1])), np.zeros(x.shape[1])
    mean = x.mean(axis=0)
    for rows in np.split(x, np.cumsum(lengths)[:-1]):
        centre, m = rows.mean(axis=0), len(rows)
        between += m / n * (centre - mean) ** 2
        power = np.abs(np.fft.rfft(rows - centre, 2 * m, axis=0)) ** 2
        within[:m] += np.fft.irfft(power, axis=0)[:m] / n
    return between, within


def _positive(r: Array) -> Array:
    """The initial monotone positive sequence (Geyer 1992): sums of two lags fall, and end at 0."""
    if len(r) < 2:
        return r[:1]
    pairs = r[: len(r) // 2 * 2].reshape(-1, 2)
    sums = pairs.sum(axis=1)
    ends = np.flatnonzero(sums[1:] <= 0)
    count = 1 + (int(ends[0]) if len(ends) else len(sums) - 1)
    falling = np.minimum.accumulate(np.maximum(sums[:count], 0.0))
    out = pairs[:count].copy()
    over = sums[:count] > falling
    out[over] *= (falling[over] / sums[:count][over])[:, None]
    return out.ravel()


@frozen
class Mixing:
    """Whether chains could be draws of one law.

    Attributes
    ----------
    r_hat : float
        The largest of the columns: the spread of all rows over that within halves of chains.
    column : int
        Where.
    apart : bool
        Whether chains differ by more than their dependence explains.
    """

    r_hat: float
    column: int
    apart: bool


def mixing(x: Array, lengths: NDArray[np.int64]) -> Mixing | None:
    """Compare chains, or the halves of one; None where they have too few rows.

    The sign: R-hat above 1.05, and means of chains that spread beyond what the autocorrelation
    within them explains, in one of 1,000 data sets (F distribution, Bonferroni over columns). That
    autocorrelation is found too small in chains that are not long against it, so it counts twice,
    and of chains of fewer than `LEAST_TIMES` autocorrelation times nothing is said. R-hat alone is
    large for all of those, however well they mix.
    """
    halves = _parts(lengths, 2)
    if halves is None:
        return None
    places, sizes = halves
    between, within = _autocovariances(x[places], sizes)
    r_hat = np.sqrt(1 + _ratio(between, within[0]))
    if len(lengths) > 1:
        places, sizes = _parts(lengths, 1) or halves
    between, within = _autocovariances(x[places], sizes)
    found = memory(x[places], sizes, together=False)
    n, many = len(places), len(sizes) - 1
    F = n * _ratio(between, within[0]) / many / found.times / DOUBT
    lags = np.array([len(r) for r in found.correlations])
    free = np.maximum(1.0, n / (2 * lags + 1))
    p = np.array([fdtrc(many, df, f) for f, df in zip(F, free, strict=True)])
    long_enough = n / len(sizes) > LEAST_TIMES * found.times
    apart = long_enough & (p < FALSE_WARNINGS / len(p)) & (r_hat > LEAST_R_HAT)
    apart |= np.isinf(F)  # each stands still, at places of their own
    c = int(np.argmax(np.where(apart, r_hat, 0.0) if apart.any() else r_hat))
    return Mixing(float(r_hat[c]), c, bool(apart.any()))


def _parts(
    lengths: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Rows of `count` equal parts of every chain that is long enough, and their numbers."""
    firsts = np.cumsum(lengths) - lengths
    found = [
        np.arange(first + k * (m // count), first + (k + 1) * (m // count))
        for first, m in zip(firsts.tolist(), lengths.tolist(), strict=True)
        for k in range(count)
        if m // count >= LEAST_PART
    ]
    if len(found) < 2:
        return None
    return np.concatenate(found), np.array([len(part) for part in found])


def _ratio(between: Array, within: Array) -> Array:
    """Their quotient, infinite where nothing varies within."""
    start = np.where(between > 0, np.inf, 0.0)
    return np.asarray(np.divide(between, within, out=start, where=within > STILL * between))


def repeats(
    marks: NDArray[np.uint64], lengths: NDArray[np.int64], step: int = 1
) -> tuple[int, int]:
    """How many rows are left of every `step`-th of each chain, and how many repeat the one before.

    Parameters
    ----------
    marks : ndarray (n,)
        Equal where rows are.
    """
    left = again = 0
    for chain in np.split(marks, np.cumsum(lengths)[:-1]):
        some = chain[::step]
        left += len(some)
        again += int((some[1:] == some[:-1]).sum())
    return left, again
