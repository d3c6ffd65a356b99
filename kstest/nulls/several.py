"""p-values of several tests from the same permutations, and their correction.

`holm` controls the family-wise error strongly, whatever the dependence between the tests: all it
needs is that the p-value of every test in which nothing differs is valid by itself, and that of a
permutation test is. With B permutations and K tests its smallest value is K / (B + 1), so it asks
for more of them: see `replicates` and `besag_clifford`.

`step_down` is Westfall and Young's step-down of the largest statistic (1993; Ge, Dudoit, Speed
2003). It uses the dependence between the tests and controls the family-wise error strongly where
the permutations leave the joint distribution of the unaffected tests alone (subset pivotality).
Where only the dependence between columns differs between the samples, they do not: with unequal
numbers of rows it then names columns that do not differ, many times more often than the level says.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Values within this share of their spread are ties: sums in single precision are no better.
TIED = 1e-6
# Smallest p-values of Holm's correction are at most alpha over this.
RESOLUTION = 4
# Permuted labels at most, where alpha can be reached with them.
MOST = 100_000
# Permuted labels as extreme as the observed one after which no more are looked at.
ENOUGH = 20


def tie_ranks(statistics: Array) -> Array:
    """p-value of every statistic among all permutations of its test; shape (K, B + 1).

    Column 0 holds the p-values (1 + #{b >= 1: T_b >= T_0}) / (1 + B), the others what they would
    be had another permutation been observed.
    """
    out = np.empty_like(statistics)
    for row, values in zip(out, statistics, strict=True):
        ordered = np.sort(values)
        tie = TIED * float(values.std())
        row[:] = (len(values) - np.searchsorted(ordered, values - tie)) / len(values)
    return out


def step_down(statistics: Array) -> Array:
    """Adjusted p-values of K tests; shape (K,).

    Parameters
    ----------
    statistics : ndarray (K, B + 1)
        Large values speak against the null. They are compared between tests in units of their
        own spread over the permutations, which does not affect validity, only whom it favours.
    """
    mean, spread = statistics.mean(axis=1, keepdims=True), statistics.std(axis=1, keepdims=True)
    z = np.divide(
        statistics - mean, spread, out=np.full_like(statistics, -np.inf), where=spread > 0
    )
    order = np.argsort(-z[:, 0], kind="stable")
    largest = np.maximum.accumulate(z[order][::-1], axis=0)[::-1]
    adjusted = (largest >= z[order, :1] - TIED).mean(axis=1)
    out = np.empty(len(order))
    out[order] = np.maximum.accumulate(adjusted)
    return out


def holm(statistics: Array) -> Array:
    """Adjusted p-values of K tests by Holm (1979); shape (K,)."""
    return holm_adjusted(tie_ranks(statistics)[:, 0])


def holm_adjusted(p: Array) -> Array:
    """Adjusted p-values of K tests by Holm (1979), from their p-values; shape (K,)."""
    order = np.argsort(p, kind="stable")
    raw = p[order] * np.arange(len(order), 0, -1)
    out = np.empty(len(order))
    out[order] = np.minimum(np.maximum.accumulate(raw), 1.0)
    return out


def benjamini_hochberg(p: Array) -> Array:
    """Adjusted p-values of K tests by Benjamini and Hochberg (1995); shape (K,).

    The false discovery rate is controlled where the p-values are independent, or depend on each
    other positively.
    """
    order = np.argsort(-p, kind="stable")
    raw = p[order] * len(order) / np.arange(len(order), 0, -1)
    out = np.empty(len(order))
    out[order] = np.minimum(np.minimum.accumulate(raw), 1.0)
    return out


def benjamini_yekutieli(p: Array) -> Array:
    """Adjusted p-values of K tests by Benjamini and Yekutieli (2001); shape (K,).

    The false discovery rate is controlled whatever the dependence.
    """
    harmonic = float((1 / np.arange(1, len(p) + 1)).sum())
    return np.asarray(np.minimum(benjamini_hochberg(p) * harmonic, 1.0))


def replicates(tests: int, alpha: float, given: int) -> int:
    """Permuted labels with which Holm's correction of this many tests resolves alpha; at least
    `given`.

    The smallest adjusted p-value is then at most alpha / `RESOLUTION`, or alpha for very many
    tests.
    """
    least = math.ceil(tests / alpha)
    return max(given, least, min(RESOLUTION * least, MOST)) if tests > 1 else given


def besag_clifford(statistics: Array, enough: int = ENOUGH) -> float:
    """p-value of a statistic among permutations that are looked at one by one.

    Parameters
    ----------
    statistics : ndarray (B + 1,)
        The observed one first; large values speak against the null.
    enough : int

    Notes
    -----
    h / l if the h-th permutation as extreme as the observed one is the l-th that was drawn, else
    (1 + #{b: T_b >= T_0}) / (1 + B). Valid at every sample size (Besag and Clifford 1991,
    Biometrika 78), and of a test that is far from rejecting only the first few permutations count.
    """
    tie = TIED * float(statistics.std())
    extreme = np.flatnonzero(statistics[1:] >= statistics[0] - tie)
    if len(extreme) >= enough:
        return enough / (1 + int(extreme[enough - 1]))
    return (1 + len(extreme)) / len(statistics)


CORRECTIONS: dict[str, Callable[[Array], Array]] = {"westfall-young": step_down, "holm": holm}
# Of p-values that are there already, from tests that share nothing.
P_VALUE_CORRECTIONS: dict[str, Callable[[Array], Array]] = {
    "holm": holm_adjusted,
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
    "none": lambda p: p,
}
