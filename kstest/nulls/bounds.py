"""p-values of "the effect is at most so large", for one column of two independent samples.

A test of no change rejects whatever is not zero if there are rows enough. The null hypotheses here
are intervals, and their p-values, solved for the size of the effect, are confidence bounds
(`largest`). Each is one-sided in one direction of the change unless it says otherwise.

==================== ==================================== ==================================
effect               p-value                              holds
==================== ==================================== ==================================
sup |F - G|          `distance_p_value`, both directions  at all numbers of rows
share of a level     `share_p_value`                      at all numbers of rows
total variation      `variation_p_value`                  levels seen, as many as expected
mean, in sd          `Means.p_value`                      many rows; skewness taken out
==================== ==================================== ==================================

Those of rank correlations are in `rank_bounds`.

References
----------
Massart (1990), Annals of Probability 18; McDiarmid (1989), Surveys in Combinatorics; Clopper and
Pearson (1934), Biometrika 26; Berger and Boos (1994), JASA 89; Johnson (1978), JASA 73; Hall
(1992), JRSS B 54.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

# Probability that a share is outside of the range in which it is looked for (Berger and Boos).
OUTSIDE = 1e-9
# Values of it that are looked at.
GRID = 129
# Kurtosis over rows above which a standard deviation is not known well enough.
FEW = 0.075
# Halvings of an interval when a p-value is solved for the effect.
HALVINGS = 40


def distance_p_value(distance: float, most: float, m: int, n: int) -> float:
    """p-value of sup |F - G| <= `most`, from the same of the distribution functions of two samples.

    The distance exceeds its true value by at most sup (F_m - F) + sup (G - G_n) in the direction
    where it is largest. By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart each is
    stochastically at most a Rayleigh variable of scale 1 / (2 sqrt(m)), and they are independent,
    so twice the tail of the sum of two such bounds the probability; with or without ties.

    Examples
    --------
    >>> round(distance_p_value(0.2, 0.1, 500, 500), 3)
    0.053
    """
    t = distance - most
    if t <= 0:
        return 1.0
    a, b = 1 / (4 * m), 1 / (4 * n)
    both = a + b
    width, centre = math.sqrt(a * b / both), t * a / both
    # P(X + Y > t) = P(X > t) + integral over x <= t of the density of X times P(Y > t - x)
    low, high = -centre / width, (t - centre) / width
    inside = math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))
    first = width**2 * (math.exp(-(low**2) / 2) - math.exp(-(high**2) / 2))
    mean = first + centre * width * math.sqrt(math.pi / 2) * inside
    tail = math.exp(-(t**2) / (2 * a)) + math.exp(-(t**2) / (2 * both)) * mean / a
    return min(1.0, 2 * tail)


def share_p_value(x: Array, n: int, y: Array, m: int, most: float) -> Array:
    """p-values of q - p <= `most` for shares q, seen x of n times, and p, seen y of m times.

    Parameters
    ----------
    x, y : ndarray (K,)
        One pair of counts for each level.
    n, m : int
    most : float

    Notes
    -----
    For every p, and q = p + most, the exact tails P(Bin(n, q) >= x) and P(Bin(m, p) <= y) are
    independent p-values, which Stouffer's sum joins, with weights in proportion to the standard
    deviations at p and q. The largest of these over p in its Clopper-Pearson interval of
    probability 1 - `OUTSIDE`, and `OUTSIDE` added to it, is valid at all numbers of rows (Berger
    and Boos 1994), and as sharp as the test of a normal difference where there are many.
    """
    from scipy.special import betainc, betaincc, betaincinv, ndtr, ndtri

    x, y = (np.asarray(v, dtype=np.float64)[:, None] for v in (x, y))
    with np.errstate(all="ignore"):
        low = np.where(y > 0, betaincinv(y, m - y + 1, OUTSIDE / 2), 0.0)
        high = np.where(y < m, betaincinv(y + 1, m - y, 1 - OUTSIDE / 2), 1.0)
        p = low + (high - low) * np.linspace(0, 1, GRID)
        q = np.minimum(p + most, 1.0)
        upper = np.where(x > 0, betainc(np.maximum(x, 1), n - x + 1, q), 1.0)
        lower = np.where(y < m, betaincc(y + 1, np.maximum(m - y, 1), p), 1.0)
        a, b = np.sqrt(q * (1 - q) / n), np.sqrt(p * (1 - p) / m)
        size = np.hypot(a, b)
        z = [
            np.where(w > 0, -ndtri(tail) * w, 0.0)
            for w, tail in ((a / size, upper), (b / size, lower))
        ]
        joined = np.where(size > 0, ndtr(-(z[0] + z[1])), 1.0)
    return np.asarray(np.minimum(joined.max(axis=1) + OUTSIDE, 1.0))


def variation_p_value(distance: float, most: float, m: int, n: int, levels: int) -> float:
    """p-value of total variation <= `most`, from that of the shares of levels in two samples.

    One row changes it by 1 / m or 1 / n at most, so McDiarmid's inequality bounds how far it
    exceeds its mean, which is at most the true value and half of the sum over levels of
    sqrt(v P(seen)), v the variance of the difference of shares; by Cauchy and Schwarz that sum is
    at most sqrt((1 / m + 1 / n) E[levels seen]). Their number stands for its mean.
    """
    both = 1 / m + 1 / n
    t = distance - most - math.sqrt(max(levels - 1, 0) * both) / 2
    return math.exp(-2 * t**2 / both) if t > 0 else 1.0


@frozen
class Means:
    """Two samples of one column, in units of the reference's standard deviation.

    Attributes
    ----------
    shift : float
        Mean of the sample minus that of the reference.
    m, n : int
        Rows of reference and sample.
    moments : ndarray (7,)
        Mean of z^k of the reference, z its standardised values.
    variance, third, fourth : float
        Central moments of the sample.
    """

    shift: float
    m: int
    n: int
    moments: Array
    variance: float
    third: float
    fourth: float

    @classmethod
    def of(cls, reference: Array, sample: Array, w: Array, v: Array) -> Means | None:
        """Look at the values of both sides and how often each occurs.

        None where the reference does not vary.
        """
        unit = float(max(np.abs(reference).max(initial=0.0), np.abs(sample).max(initial=0.0)))
        if not unit:
            return None
        m, n = float(w.sum()), float(v.sum())
        x, y = reference / unit, sample / unit
        centre = float(w @ x) / m
        x = x - centre
        sd = math.sqrt(float(w @ x**2) / max(m - 1, 1))
        if sd <= 1e-12:
            return None
        y = (y - centre) / sd
        shift = float(v @ y) / n
        y = y - shift
        moments = np.array([float(w @ (x / sd) ** k) / m for k in range(7)])
        moments[2] = 1.0
        second, third, fourth = (float(v @ y**k) for k in (2, 3, 4))
        return cls(shift, int(m), int(n), moments, second / max(n - 1, 1), third / n, fourth / n)

    def p_value(self, most: float, sign: int) -> float:
        """p-value of sign (mean of sample - mean of reference) <= most sd of the reference.

        The studentised difference sign (y - x) - most s, with the delta method for s, and its
        skewness taken out by Hall's cubic, which is right to the order 1 / n for finite sixth
        moments; the bias of s, (mu_4 - 1) / (8 m), is taken out before.
        """
        from scipy.special import ndtr

        _, _, _, mu3, mu4, mu5, mu6 = self.moments
        mu3, mu5, third, c = sign * mu3, sign * mu5, sign * self.third, most / 2
        spread = 1 + 2 * c * mu3 + c**2 * (mu4 - 1)
        skew = mu3 + 3 * c * (mu4 - 1) + 3 * c**2 * (mu5 - 2 * mu3) + c**3 * (mu6 - 3 * mu4 + 2)
        variance = self.variance / self.n + max(spread, 1e-12) / self.m
        excess = sign * self.shift - most - most * (mu4 - 1) / (8 * self.m)
        t = excess / math.sqrt(variance)
        a = (third / self.n**2 - skew / self.m**2) / variance**1.5
        return float(ndtr(-(t + a / 6 + a * t**2 / 3 + a**2 * t**3 / 27)))

    @property
    def known(self) -> bool:
        """Whether both sides have rows enough for their tails: kurtosis over rows is small.

        It is the squared relative error of the variance, and the reason for which a bound in
        units of the standard deviation can be wrong: 40 rows of a normal distribution are enough,
        200 of an exponential one, and thousands of a lognormal one.
        """
        sample = self.fourth / self.variance**2 if self.variance else 0.0
        return bool(max(self.moments[4] / self.m, sample / self.n) <= FEW)


def largest(p_value: Callable[[float], float], most: float, level: float) -> float:
    """The largest effect in [0, most] that is rejected at a level: its lower confidence bound.

    Parameters
    ----------
    p_value : callable
        Of "the effect is at most this", not falling.
    most : float
        The observed effect.
    level : float
    """
    if p_value(0.0) > level:
        return 0.0
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(middle) <= level else (low, middle)
    return low
