"""What toys of one pool have in common, and how far it makes them too narrow a distribution.

Toys of N events from a pool of N_P have N / N_P of their events in common, on average. To second
order t is a quadratic form in xi - delta, xi the batch's fluctuation about the truth and delta the
reference's (see `distribution`), so that for two toys

    Cov(t, t') / Var(t) = v = (r + 2 kappa f) / (1 + 2 kappa),        kappa = N / N_R,

with f and r mean and mean square of the share of a toy that another one has, too: r = f^2 if toys
are drawn at random. (The weights of the quadratic form cancel.) A fresh batch shares nothing with
them: around their mean it has 1 + v times the variance of t, they have 1 - v. So the distribution
that they show is stretched by sqrt((1 + v) / (1 - v)) about its mean. With a pool of 20 batches
that is 1.2 % for N_R = 8 N and 2.6 % for N_R = 2 N, without which a level of .05 would be .052 and
.055. It holds on average over references and pools, in the normal approximation;
`benchmarks/README.md` has measured levels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Where toys are nearly one and the same no stretch helps; a pool so small has a warning.
LARGEST = 0.9


def stretch_of(how: str, size: float, pool_rows: int, reference_rows: float) -> float:
    """Return the factor by which the spread of toys falls short of that of fresh batches.

    Parameters
    ----------
    how : {'subsets', 'replacement', 'disjoint', 'consecutive'}
        1 for disjoint toys, which share nothing, and for those with replacement, whose spread
        counts the pool's own fluctuation already (they are conservative).
    size, pool_rows : float
        N and N_P, events.
    reference_rows : float
        N_R, effective ones.

    Examples
    --------
    >>> round(stretch_of("subsets", 500, 10_000, 4_000), 4)
    1.0121
    """
    if how not in ("subsets", "consecutive"):
        return 1.0
    f, kappa = min(size / pool_rows, 1.0), size / reference_rows
    square = f * f
    if how == "consecutive":
        # First rows are uniform over N_P - N: moments of 1 - distance / N where that is positive.
        g = size / max(pool_rows - size, size)
        f, square = g - g * g / 3, 2 * g / 3 - g * g / 6
    v = min((square + 2 * kappa * f) / (1 + 2 * kappa), LARGEST)
    return math.sqrt((1 + v) / (1 - v))


def stretched(toys: Array, factor: float) -> Array:
    """Widen the distribution of every width about its mean; shape (K, B) stays."""
    centre = toys.mean(axis=1, keepdims=True)
    return np.asarray(centre + factor * (toys - centre))
