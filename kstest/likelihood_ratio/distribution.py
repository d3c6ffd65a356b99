"""The null distribution without toys: a quadratic form in normal variables, and its tail.

For one Newton step from f = 0 the statistic is to second order in f

    t = N^2 d'(2 B - N B S B) d        (extended),   B = (N S + 2 rho)^-1,
    t = N^2 (d + 2 m)' B d             (data only),

with S and m the second moment and the mean of the features under the reference and d the
difference of the features' means of batch and reference. Under the null d is close to normal with
covariance (C / N + Cov / N_R), C = Cov = S - m m', or C = S where the size of the batch is
Poisson. (For the data term alone the second moment that the batch adds to the Hessian counts as
much as d; the formula holds where the features come close to a constant function, which they do
unless the ridge is large.) So t is close to a weighted sum of chi-squareds with one degree of
freedom, the weights eigenvalues of that form, plus a normal term in the second case. It averages
over references: with the one that is at hand the distribution is shifted, which toys from a pool
see and this distribution does not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import single_blas
from ..lean import brentq, log_ndtr

Array = NDArray[np.float64]

# Weights below this share of the largest, summed, move no digit that matters.
SMALLEST = 1e-9
# Near the mean the saddlepoint formula divides zero by zero; its limit takes over.
NEAR_MEAN = 1e-3
# Relative precision of a quantile.
RELATIVE = 4 * float(np.finfo(float).eps)


@frozen
class QuadraticDistribution:
    """Distribution of sum_j (c_j X_j^2 + b_j X_j), X_j independent standard normal.

    Attributes
    ----------
    weights, linear : ndarray (r,)
        c > 0 and b.
    """

    weights: Array
    linear: Array

    @property
    def mean(self) -> float:
        return float(self.weights.sum())

    @property
    def variance(self) -> float:
        return float(2 * (self.weights**2).sum() + (self.linear**2).sum())

    def log_tail(self, t: float) -> float:
        """Return log P(T >= t) by the saddlepoint formula of Lugannani and Rice (1980).

        The relative error of the probability is a few per cent at most, and falls in the tail: at
        p = 10^-7 it costs as little as at 0.1.
        """
        c, b = self.weights, self.linear
        # P(T < lowest) = 0: each term is at least -b^2 / (4 c).
        lowest = -float((b**2 / (4 * c)).sum())
        if t <= lowest:
            return 0.0
        top = 1 / (2 * float(c.max()))
        excess = t - self.mean

        def slope(y: float) -> float:
            """K'(s) - t, with s between -infinity and 1 / (2 c_max) written as y in (-inf, 1)."""
            return self._cumulant(y * top, 1) - t

        low, high = (0.0, 0.5) if excess > 0 else (-1.0, 0.0)
        while excess > 0 and slope(high) < 0:
            low, high = high, (1 + high) / 2
        while excess <= 0 and slope(low) > 0:
            low, high = low * 4, low
            if low < -1e18:
                return 0.0
        s = top * brentq(slope, low, high, xtol=1e-15, rtol=1e-13)
        k, second = self._cumulant(s, 0), self._cumulant(s, 2)
        r = math.copysign(math.sqrt(max(2 * (s * t - k), 0.0)), s)
        q = s * math.sqrt(second)
        if abs(excess) < NEAR_MEAN * math.sqrt(self.variance):
            skew = self._cumulant(0.0, 3) / self._cumulant(0.0, 2) ** 1.5
            z = excess / math.sqrt(self.variance)
            density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
            return math.log(0.5 * math.erfc(z / math.sqrt(2)) - skew * density * (1 - z**2) / 6)
        # log of the normal tail plus density times (1/q - 1/r), without underflow
        normal = log_ndtr(-r)
        density = -r * r / 2 - 0.5 * math.log(2 * math.pi)
        ratio = math.exp(density - normal) * (1 / q - 1 / r)
        return min(0.0, normal + math.log1p(max(ratio, -1 + 1e-15)))

    def tail(self, t: float) -> float:
        """Return P(T >= t); positive as far as numbers reach."""
        return math.exp(max(self.log_tail(t), -700.0))

    def log_tails(self, t: Array) -> Array:
        """Return log P(T >= t) of several values; shape as t."""
        return np.array([self.log_tail(float(x)) for x in t.ravel()]).reshape(t.shape)

    def quantile(self, p: float) -> float:
        """Return the t with P(T >= t) = p."""
        spread = math.sqrt(self.variance)
        low, high = self.mean - spread, self.mean + spread
        while self.tail(low) < p:
            low -= spread
        while self.tail(high) > p:
            high += spread
        return brentq(lambda t: self.log_tail(t) - math.log(p), low, high, 1e-9, RELATIVE)

    def _cumulant(self, s: float, order: int) -> float:
        """Derivatives of the cumulant generating function K at s, orders 0 to 3."""
        c, b = self.weights, self.linear
        u = 1 - 2 * s * c
        if order == 0:
            return float((-0.5 * np.log(u) + 0.5 * s * s * b * b / u).sum())
        if order == 1:
            return float((c / u + b * b * s * (1 - s * c) / u**2).sum())
        if order == 2:
            return float((2 * c * c / u**2 + b * b / u**3).sum())
        return float((8 * c**3 / u**3 + 6 * b * b * c / u**4).sum())


@single_blas()
def null_distribution(
    gram: Array,
    mean: Array,
    expected: float,
    ridge: float,
    reference_rows: float,
    kind: str = "extended",
    poisson: bool = False,
    spread: Array | None = None,
) -> QuadraticDistribution:
    """Return the distribution of the statistic of one width under the null.

    Parameters
    ----------
    gram, mean : ndarray (r, r) and (r,)
        S and m of the reference, see `Reference`.
    expected : float
        N, expected weight of a batch.
    ridge : float
        rho, see `kstest.likelihood_ratio.fit.one_step`.
    reference_rows : float
        Effective number of rows of the reference.
    kind : {'extended', 'data'}
    poisson : bool
        Whether the number of events of a batch is Poisson and not fixed.
    spread : ndarray (r, r), optional
        C in place of the above, for batches with event weights.

    Notes
    -----
    Rests on N and N_R large enough for normal means, and on small f. Offered from N_R = 10 N on,
    where measured false alarms at 1 % and 5 % are those of `benchmarks/README.md`.
    """
    from scipy.linalg import cho_factor, cho_solve

    S = gram
    covariance = gram - np.outer(mean, mean)
    C = spread if spread is not None else (gram if poisson else covariance)
    form = expected * S + 2 * ridge * np.eye(len(gram))
    B = cho_solve(cho_factor(form), np.eye(len(gram)))
    Q = B if kind == "data" else 2 * B - expected * B @ S @ B
    root = _root(expected * C + expected**2 / reference_rows * covariance)
    values, vectors = np.linalg.eigh(root @ Q @ root)
    linear = np.zeros(len(values))
    if kind == "data":
        linear = 2 * expected * (vectors.T @ (root @ (B @ mean)))
    kept = values > SMALLEST * values[-1]
    return QuadraticDistribution(values[kept], linear[kept])


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
