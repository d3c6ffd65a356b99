"""Sums over pairs of products of two margins, for all circular shifts of one against the other.

With the rows of both margins in circles, shifting the second by k places pairs them anew:

    T_k = sum_{i != j} k~(i, j) l~(i + k, j + k).

Of all pairs whose rows are d places apart this is the circular correlation of two sequences of n
values. So one Fourier transform a distance and bandwidth serves n pairings, n^2 log n operations
in all, where a matrix product of permuted matrices takes n^2 for each pairing.

Which circles are drawn, and why the test is exact, is in `kstest.nulls.pairings`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .margins import Index, Margin
from .products import kernel_table
from .residuals import Residual
from .tiles import Array
from .work import Work, run_tasks, single_blas

# Distances whose sequences are transformed and multiplied at a time.
DISTANCES = 32


def shift_products(
    left: Margin | Residual, right: Margin | Residual, circle: Index, circles: Index, work: Work
) -> NDArray[np.float64]:
    """Evaluate sum_{i != j} k~(a(i), a(j)) l~(b(i + k), b(j + k)) for all shifts k.

    Parameters
    ----------
    left, right : Margin or Residual
        Of n rows; R and R' bandwidths.
    circle : ndarray of int (n,)
        a, the rows of the left margin in a circle.
    circles : ndarray of int (M, n)
        Per circle of the right margin b.
    work : Work

    Returns
    -------
    ndarray (R, R', M, n)

    Notes
    -----
    Memory: both kernel matrices, n^2 (R + R') numbers. Time: (R + M R') n^2 log(n) / 2 for the
    transforms, and R R' M n^2 / 2 complex multiply-adds in matrix products.
    """
    n = len(circle)
    tables = [kernel_table(margin, n, work) for margin in (left, right)]
    distances = np.arange(1, n // 2 + 1)
    tasks = [
        (*tables, circle, circles, distances[k : k + DISTANCES])
        for k in range(0, len(distances), DISTANCES)
    ]
    bandwidths = tables[0].shape[1], tables[1].shape[1]
    spectrum = np.zeros((n // 2 + 1, bandwidths[0], len(circles) * bandwidths[1]), complex)
    with single_blas():
        for found in run_tasks(_spectrum, tasks, work):
            spectrum += found
    sums = np.fft.irfft(spectrum, n, axis=0).reshape(n, bandwidths[0], -1, bandwidths[1])
    return np.ascontiguousarray(sums.transpose(1, 3, 2, 0))


def _spectrum(
    left: Array, right: Array, circle: Index, circles: Index, distances: Index
) -> NDArray[np.complex128]:
    """Transform of T, of pairs of rows that are so far apart; (frequencies, R, M R')."""
    n = len(circle)
    x = _transformed(left, circle, distances)
    # A distance of d and one of n - d hold the same pairs; of n / 2 there is only one.
    x *= np.where(2 * distances == n, 1.0, 2.0)[:, None, None]
    y = np.concatenate([_transformed(right, some, distances) for some in circles], axis=2)
    return np.asarray(x.conj().transpose(1, 2, 0) @ y.transpose(1, 0, 2))


def _transformed(table: Array, circle: Index, distances: Index) -> NDArray[np.complex128]:
    """Transforms of the values of all pairs of rows that far apart; (distances, frequencies, R)."""
    n = len(circle)
    partners = np.concatenate([circle, circle])[distances[:, None] + np.arange(n)]
    values = np.take(table, circle * n + partners, axis=0)
    return np.asarray(np.fft.rfft(values.astype(np.float64, copy=False), axis=1))
