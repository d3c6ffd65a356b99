"""Gaussian multipliers: a null distribution for samples of weighted rows that are not exchangeable.

Where the rows of one side are weighted (a simulation) and those of the other are not, no
permutation is exact. The difference of the two weighted means of any function f is compared with

    sum_i e_i (f(x_i) - mean f),   e_i = xi_i p_i / max(1 - p_i, 1 - MOST_SHARE),   xi_i normal,

on each side by itself, p_i the share of row i in the weight of its side. 1 / (1 - p_i) makes
p_i (f(x_i) - mean f) / (1 - p_i) the exact change of the mean when row i is left out (the
jackknife), and lets weights be negative. Asymptotic: it rests on independent rows (or groups of
rows), none of which carries the variance, and on a finite variance of w f(x). Signs in place of
normal numbers, and no leverage, reject up to half of the true nulls where weights are heavy.

Multipliers of weighted bootstraps: van der Vaart and Wellner (1996), Weak Convergence and Empirical
Processes, chapter 2.9; for kernels Chwialkowski, Sejdinovic, Gretton (2014), arXiv 1408.5404.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A row's share of its side that is believed: its leverage stays finite.
MOST_SHARE = 0.95


def multipliers(
    shares: Array, side: NDArray[np.int8], unit: NDArray[np.int64], draws: int,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Return what every block's share is multiplied by; shape (G, draws + 1).

    Parameters
    ----------
    shares : ndarray (G,)
        Share of each block of rows in the weight of its side; any sign, 1 in all on each side.
    side : ndarray of int8 (G,)
        +1 and -1.
    unit : ndarray of int (G,)
        Blocks of one unit (two sides of one group) share their multiplier.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray
        Column 0 is the side, the observed difference; every column times `shares` sums to 0 over
        both sides, the others over each side.
    """
    xi = rng.standard_normal((int(unit.max()) + 1, draws))[unit]
    lifted = xi / np.maximum(1 - shares, 1 - MOST_SHARE)[:, None]
    for one in (1, -1):
        of = side == one
        lifted[of] -= shares[of] @ lifted[of]
    return np.hstack([side[:, None].astype(np.float64), lifted * side[:, None]])
