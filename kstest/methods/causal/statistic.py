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
    phi: Array, blocks: Sequence[slice], draws: int, rng: np.random.Generator, work: Work
) -> Array:
    """n |mean phi|^2 of every block, and its replicates; shape (K, draws + 1).

    Parameters
    ----------
    phi : ndarray (n, D)
    blocks : sequence of slice
    draws : int
    rng : numpy.random.Generator
    work : Work

    Notes
    -----
    Replicates are |sum_i e_i (phi_i - mean phi)|^2 / (n - 1) with independent normal e_i (van der
    Vaart and Wellner 1996, chapter 2.9): asymptotic.
    """
    n = len(phi)
    mean = phi.mean(axis=0)
    sums = np.empty((draws + 1, phi.shape[1]))
    sums[0] = math.sqrt(n) * mean
    centred = phi - mean
    step = max(1, CHUNK // n)
    for first in range(1, draws + 1, step):
        last = min(first + step, draws + 1)
        sums[first:last] = rng.standard_normal((last - first, n)) @ centred / math.sqrt(n - 1)
        work.progress(last / (draws + 1))
    return _squares(sums, blocks)


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
