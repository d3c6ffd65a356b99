"""p-values of several tests from the same labellings, and their correction.

`step_down` is Westfall and Young's step-down of the largest statistic (1993; Ge, Dudoit, Speed
2003). It uses the dependence between the tests and controls the family-wise error strongly where
the labellings leave the joint law of the unaffected tests alone (subset pivotality). `holm` does
so under any dependence, and is coarser: with B labellings and K tests it is at least K / (B + 1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Values within this share of their spread are ties: sums in single precision are no better.
TIED = 1e-6


def tie_ranks(statistics: Array) -> Array:
    """p-value of every statistic among all labellings of its test; shape (K, B + 1).

    Column 0 holds the p-values (1 + #{b >= 1: T_b >= T_0}) / (1 + B), the others what they would
    be had another labelling been observed.
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
        own spread over the labellings, which does not affect validity, only whom it favours.
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


CORRECTIONS: dict[str, Callable[[Array], Array]] = {"westfall-young": step_down, "holm": holm}
