"""The classical two-sample statistics of one column, from the counts of its cells.

Every function takes `first`, shape (C, b), the rows of the first sample in each cell under b
permutations, and `both`, shape (C,), the rows of both samples there, and returns the statistic
under each permutation, shape (b,). Large values speak against the null hypothesis, and the
statistic is the same for both ways to call the samples. A permutation that leaves one side empty
has the value 0. A cell is one value to them: rows in it are tied.

Notation: m and n rows, N = m + n; F and G the shares of either sample up to and including a cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Permuted labels from which on a sum row by row is faster.
WIDE = 64
# Counts whose largest difference is looked for at a time.
AT_ONCE = 1 << 21


def kolmogorov_smirnov(first: Array, both: Array) -> Array:
    """max |F - G|."""
    sizes = _sizes(first, both)
    step = max(1, AT_ONCE // max(1, first.shape[1]))
    top, below, all_below = np.zeros(first.shape[1]), np.zeros(first.shape[1]), 0.0
    for start in range(0, len(both), step):  # millions of cells without a copy of all
        part = slice(start, start + step)
        mine, all_mine = first[part].copy(), both[part].copy()
        mine[0] += below
        all_mine[0] += all_below
        difference, ends, all_ends = _from(mine, all_mine, *sizes)
        below, all_below = ends.copy(), all_ends
        np.maximum(top, difference.max(axis=0), out=top)
        np.maximum(top, -difference.min(axis=0), out=top)
    return top


def cramer_von_mises(first: Array, both: Array) -> Array:
    """Return T = m n / N^2 sum over all rows of (F - G)^2 (Anderson 1962).

    Of tied rows, the mean of the squares just before and at their value is taken: then the
    statistic does not change when the sign of the column does. Without ties that is Anderson's T
    and equal to scipy.stats.cramervonmises_2samp; with ties SciPy's sum over mid-ranks has a term
    of the ties alone, which drowns the difference where m and n are far apart.
    """
    squares = np.square(_difference(first, both))
    m, n = _sizes(first, both)
    at = both @ squares
    before = both[1:] @ squares[:-1]
    # Without ties the squares before all rows sum to the same as those at them.
    return np.asarray(m * n / both.sum() ** 2 * (at + before) / 2)


def anderson_darling(first: Array, both: Array) -> Array:
    """Return A^2_akN of Scholz and Stephens (1987, JASA 82, equation 7), but for (N - 1) / N.

    That is the mid-rank version for two samples; `standard_anderson_darling` has the factor.
    """
    m, n = _sizes(first, both)
    total = both.sum()
    middle = both.cumsum() - both / 2
    variance = middle * (total - middle) - total * both / 4
    use = np.divide(both, variance, out=np.zeros_like(both), where=variance > 1e-12 * total**2)
    difference = _difference(first, both)
    difference[1:] += difference[:-1].copy()  # F - G at mid-ranks, times two
    return np.asarray(m * n * (use @ difference**2) / 4)


def energy(values: Array, first: Array, both: Array) -> Array:
    """Energy distance, sqrt(2 integral of (F - G)^2 dx) (Székely 2003; Székely, Rizzo 2013).

    `values`, shape (C,), are those of the cells, increasing. Its square is
    2 E|X - Y| - E|X - X'| - E|Y - Y'|.
    """
    unit = float(np.abs(values).max(initial=0.0)) or 1.0
    widths = np.diff(values / unit)  # no difference of huge values overflows
    squares = _difference(first, both)[:-1] ** 2
    return np.asarray(np.sqrt(2 * (widths @ squares)) * np.sqrt(unit))


def chi_squared(first: Array, both: Array) -> Array:
    """Pearson's chi-squared of the table of cells by samples."""
    m, n = _sizes(first, both)
    expected = both[:, None] * (m / both.sum())
    inverse = np.divide(1.0, both, out=np.zeros_like(both), where=both > 0)
    variation = inverse @ (first - expected) ** 2
    product = m * n
    out = np.zeros_like(variation)
    return np.asarray(np.divide(variation * both.sum() ** 2, product, out=out, where=product > 0))


def total_variation(first: Array, both: Array) -> Array:
    """Largest difference between the shares of any set of cells."""
    m, n = _sizes(first, both)
    return np.asarray(np.abs(_share(first, m) - _share(both[:, None] - first, n)).sum(axis=0) / 2)


def standard_anderson_darling(a2: float, m: int, n: int) -> float:
    """(A^2 - 1) / sd(A^2) of what `anderson_darling` returns; NaN below 4 rows.

    The statistic T_2N of Scholz and Stephens, with the standard deviation of their equation (4):
    that of the form without mid-ranks, as in SciPy.
    """
    N = m + n
    if N < 4 or min(m, n) < 1:
        return float("nan")
    k, H = 2, 1 / m + 1 / n
    inverse = 1 / np.arange(1.0, N)
    h = inverse.sum()
    # g = sum_{i=1}^{N-2} sum_{j=i+1}^{N-1} 1 / ((N - i) j)
    later = h - inverse.cumsum()
    g = float((later[:-1] / (N - np.arange(1.0, N - 1))).sum())
    a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * H
    b = (2 * g - 4) * k**2 + 8 * h * k + (2 * g - 14 * h - 4) * H - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * k**2 + (4 * h - 4 * g + 6) * k + (2 * h - 6) * H + 4 * h
    d = (2 * h + 6) * k**2 - 4 * h * k
    variance = (a * N**3 + b * N**2 + c * N + d) / ((N - 1) * (N - 2) * (N - 3))
    return float((a2 * (N - 1) / N - (k - 1)) / np.sqrt(variance))


def _sizes(first: Array, both: Array) -> tuple[Array, Array]:
    m = first.sum(axis=0)
    return m, both.sum() - m


def _share(part: Array, size: Array) -> Array:
    return np.divide(part, size, out=np.zeros_like(part), where=size > 0)


def _difference(first: Array, both: Array) -> Array:
    """F - G after each cell, shape (C, b); 0 where a side is empty."""
    return _from(first.copy(), both, *_sizes(first, both))[0]


def _from(first: Array, both: Array, m: Array, n: Array) -> tuple[Array, Array, float]:
    """F - G after each cell, in the memory of `first`; and all rows before the end."""
    used = (m > 0) & (n > 0)
    by_m, by_n = (np.divide(1.0, k, out=np.zeros_like(k), where=used) for k in (m, n))
    # below / m - (all - below) / n, with few passes over the largest array of these tests.
    out = _cumulated(first)
    below = both.cumsum()
    ends = (out[-1].copy(), float(below[-1])) if len(out) else (np.zeros_like(m), 0.0)
    out *= by_m + by_n
    out -= below[:, None] * by_n
    return out, *ends


def _cumulated(first: Array) -> Array:
    if first.shape[1] < WIDE:
        return np.asarray(first.cumsum(axis=0, out=first))
    for k in range(1, len(first)):  # row by row: four times as fast as NumPy's column by column
        first[k] += first[k - 1]
    return first
