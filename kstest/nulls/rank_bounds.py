"""Bounds of rank correlations that are not zero, and of those of sizes of ranks.

A correlation of ranks is a function of the joint distribution through both marginals: the error
that their estimation adds is in the delta method here. Under independence it would vanish, away
from it it does not.

References
----------
Hoeffding (1948), Annals of Mathematical Statistics 19, section 9; Borkowf (2002), Computational
Statistics and Data Analysis 39.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .bounds import FEW

Array = NDArray[np.float64]

LARGEST, LEAST = 1 - 1e-12, 0.5


@frozen
class RankCorrelation:
    """A correlation of ranks, or of their distances from the middle.

    Attributes
    ----------
    r : float
    error : float
        Standard error.
    known : bool
        Whether there are rows enough for ties: of a column nearly all of whose values are equal
        there are not.
    """

    r: float
    error: float
    known: bool

    @classmethod
    def of(cls, x: Array, y: Array, fold_x: bool = False, fold_y: bool = False) -> RankCorrelation:
        """Correlate two columns, shape (n,); folded, the distance of ranks from the middle.

        With a and b standardised, r = mean(a b), a row adds a b - r (a^2 + b^2) / 2, and by moving
        the ranks of the rows above it mean over j of (b_j - r a_j) s_j 1{x_j > x}, s the slope
        of a, and the same of b.
        """
        n = len(x)
        sides = [_Side.of(column, fold) for column, fold in ((x, fold_x), (y, fold_y))]
        if n < 3 or any(side is None for side in sides):
            return cls(0.0, math.inf, False)
        one, two = (side for side in sides if side is not None)
        a, b = one.a, two.a
        r = float(a @ b) / n
        effect = a * b - r * (a**2 + b**2) / 2
        effect += one.above((b - r * a) * one.slope) + two.above((a - r * b) * two.slope)
        r = min(max(r, -LARGEST), LARGEST)
        # on Fisher's scale no error is below half of that of a normal distribution
        error = max(float(effect.std()), LEAST * (1 - r**2)) / math.sqrt(n)
        tails = max(float((z**4).mean()) / n for z in (a, b))
        return cls(r, error, tails <= FEW)

    def p_value(self, most: float, sign: int) -> float:
        """p-value of sign r <= `most`, asymptotic, on Fisher's scale."""
        from scipy.special import ndtr

        if sign * self.r <= most:
            return 1.0
        apart = math.atanh(sign * self.r) - math.atanh(most)
        return float(ndtr(-apart * (1 - self.r**2) / self.error))


@frozen
class _Side:
    """Standardised (folded) ranks of a column, their slope, and which rows are tied."""

    a: Array
    slope: Array
    place: NDArray[np.int64]

    @classmethod
    def of(cls, column: Array, fold: bool) -> _Side | None:
        _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
        rank = ((np.cumsum(counts) - counts / 2) / len(column) - 0.5)[place]
        a, slope = (np.abs(rank), np.sign(rank)) if fold else (rank, np.ones(len(rank)))
        a = a - a.mean()
        spread = float(a.std())
        if spread < 1e-12:
            return None
        return cls(a / spread, slope / spread, place)

    def above(self, g: Array) -> Array:
        """Mean over rows j of g_j 1{x_j > x_i}, of ties a half; less its mean."""
        total = np.bincount(self.place, g).astype(np.float64)
        found = (total[::-1].cumsum()[::-1] - total / 2)[self.place] / len(g)
        return np.asarray(found - found.mean())
