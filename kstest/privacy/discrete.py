"""Draws from the discrete Gaussian distribution, exact: whole numbers and nothing else.

P(X = x) is proportional to exp(-x^2 / (2 sigma^2)) on the whole numbers. Floating-point noise would
have gaps that give away the sum behind it (Mironov 2012); here every probability is a ratio of
whole numbers, and the only source of chance is `below`, by default the system's entropy.

Algorithms 1 to 3 of Canonne, Kamath and Steinke (2020), The Discrete Gaussian for Differential
Privacy, arXiv 2004.00010. Time depends on what is drawn; who can measure it learns of the noise.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from math import isqrt

# From a whole number n to one of 0, ..., n - 1, all equally likely.
Below = Callable[[int], int]


def discrete_gaussian(sigma2: int, below: Below = secrets.randbelow) -> int:
    """Draw a whole number from the discrete Gaussian.

    Parameters
    ----------
    sigma2 : int
        At least 1.
    below : callable
        The source of chance. Anything but the default is for tests: noise that somebody can draw
        again protects nothing.

    Examples
    --------
    >>> from kstest.privacy.discrete import discrete_gaussian
    >>> abs(discrete_gaussian(10**12)) < 10**8
    True
    """
    t = isqrt(sigma2) + 1
    while True:
        y = _laplace(t, below)
        # exp(-(|y| - sigma^2 / t)^2 / (2 sigma^2))
        if _exponential((abs(y) * t - sigma2) ** 2, 2 * sigma2 * t * t, below):
            return y


def _laplace(t: int, below: Below) -> int:
    """A discrete Laplace number of scale t: P(x) proportional to exp(-|x| / t)."""
    while True:
        u = below(t)
        if not _exponential(u, t, below):
            continue
        v = 0
        while _exponential(1, 1, below):
            v += 1
        x, negative = u + t * v, below(2)
        if x or not negative:  # zero would come twice
            return -x if negative else x


def _exponential(p: int, q: int, below: Below) -> bool:
    """True with probability exp(-p / q)."""
    while p > q:
        if not _of_part(1, 1, below):
            return False
        p -= q
    return _of_part(p, q, below)


def _of_part(p: int, q: int, below: Below) -> bool:
    """True with probability exp(-p / q), p <= q: a run of ever rarer events has odd length."""
    k = 1
    while below(q * k) < p:
        k += 1
    return k % 2 == 1
