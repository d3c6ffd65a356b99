"""Statistics of every bandwidth, observed and under the null: multipliers, or labels permuted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...engine import Work

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Labels = NDArray[np.bool_]

# Numbers that are drawn at a time.
CHUNK = 1 << 22


def multiplier_statistics(
    phi: Array,
    blocks: Sequence[slice],
    draws: int,
    rng: np.random.Generator,
    groups: Index | None = None,
) -> Array:
    """n |mean phi|^2 of every block, and its replicates; shape (K, draws + 1).

    Parameters
    ----------
    phi : ndarray (n, D)
    blocks : sequence of slice
    draws : int
    rng : numpy.random.Generator
    groups : ndarray of int (n,), optional
        Rows of a group depend on each other: they share their multiplier.

    Notes
    -----
    Replicates are |sum_g e_g sum_{i in g} (phi_i - mean phi)|^2 G / (n (G - 1)) with independent
    normal e_g for the G groups, or rows (van der Vaart and Wellner 1996, chapter 2.9): asymptotic.
    """
    n = len(phi)
    mean = phi.mean(axis=0)
    sums = np.empty((draws + 1, phi.shape[1]))
    sums[0] = math.sqrt(n) * mean
    centred = sums_of(phi - mean, groups)
    units = len(centred)
    factor = math.sqrt(units / (n * (units - 1)))
    step = max(1, CHUNK // units)
    for first in range(1, draws + 1, step):
        last = min(first + step, draws + 1)
        sums[first:last] = rng.standard_normal((last - first, units)) @ centred * factor
    return _squares(sums, blocks)


def sums_of(values: Array, groups: Index | None) -> Array:
    """Sums over the rows of every group, numbered from 0; (G, ...)."""
    if groups is None:
        return values
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def standard_error(influence: Array, groups: Index | None) -> Array:
    """Standard error of the mean of rows, or of rows in groups; (k,)."""
    sums = sums_of(influence - influence.mean(axis=0), groups)
    units = len(sums)
    return np.asarray(np.sqrt((sums**2).sum(axis=0) * units / (units - 1)) / len(influence))


def cross_statistic(phi: Array, rng: np.random.Generator) -> tuple[float, float]:
    """The cross statistic and its p-value.

    sqrt(m) mean f / sd f with f_i = <phi_i, mean of phi over the other half>, i in the first half
    of m random rows; standard normal in the limit (Martinez Taboada, Ramdas, Kennedy 2023).
    """
    from scipy.special import ndtr

    order = rng.permutation(len(phi))
    m = len(phi) // 2
    f = phi[order[:m]] @ phi[order[m:]].mean(axis=0)
    spread = float(f.std(ddof=1))
    value = math.sqrt(m) * float(f.mean()) / spread if spread > 0 else 0.0
    return value, float(ndtr(-value))


def permutation_statistics(
    left: Array,
    treated: Labels,
    strata: Index,
    blocks: Sequence[slice],
    draws: int,
    rng: np.random.Generator,
    work: Work,
) -> Array:
    """|sum over the treated of r|^2 / n of every block, and its replicates; shape (K, draws + 1).

    Parameters
    ----------
    left : ndarray (n, D)
        r, of mean 0 within every stratum: the sum is then that of the difference of the arms.
    treated : ndarray of bool (n,)
        Permuted within `strata`.
    strata : ndarray of int (n,)
    blocks, draws, rng, work
        As above.
    """
    n = len(left)
    sums = np.empty((draws + 1, left.shape[1]))
    sums[0] = treated.astype(float) @ left / math.sqrt(n)
    places = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    step = max(1, CHUNK // n)
    for first in range(1, draws + 1, step):
        last = min(first + step, draws + 1)
        labels = np.empty((last - first, n))
        for rows in places:
            labels[:, rows] = rng.permuted(np.tile(treated[rows], (last - first, 1)), axis=1)
        sums[first:last] = labels @ left / math.sqrt(n)
        work.progress(last / (draws + 1))
    return _squares(sums, blocks)


def within(left: Array, strata: Index) -> Array:
    """Less the mean of the stratum."""
    _, place, counts = np.unique(strata, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), *left.shape[1:]))
    np.add.at(sums, place, left)
    return np.asarray(left - (sums.T / counts).T[place])


def permutations_of(treated: Labels, strata: Index) -> float:
    """Logarithm of the number of different labels."""
    total = 0.0
    for s in np.unique(strata):
        some = treated[strata == s]
        n, k = len(some), int(some.sum())
        total += math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return total


def studentised_maximum(T: Array) -> Array:
    """max_k (T_kb - mean_b T_kb) / sd_b T_kb, the observed column treated like any other; (B + 1,).

    Permutations stay exact: the observed labels enter mean and spread as the others do. On the
    designs of ``benchmarks/effect.py`` it had more power than the aggregates of `kstest.nulls`
    against shifts.
    """
    spread = T.std(axis=1, keepdims=True)
    return np.asarray(((T - T.mean(axis=1, keepdims=True)) / spread).max(axis=0))


def _squares(sums: Array, blocks: Sequence[slice]) -> Array:
    return np.array([(sums[:, block] ** 2).sum(axis=1) for block in blocks])
