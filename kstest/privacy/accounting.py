"""What a release protects: from noise to rho, and from rho to epsilon and delta.

Sums q(X) of whole numbers in several coordinates, with independent discrete Gaussian noise of
variance parameter sigma^2 in each, are rho-zCDP with

    rho = D^2 / (2 sigma^2),   D = max |q(X) - q(X')| (Euclidean) over neighbours X, X':

the Renyi divergence of order a between two discrete Gaussians whose centres are whole numbers k
apart is at most a k^2 / (2 sigma^2), and those of independent coordinates add up. rho of several
releases of the same rows add up, too, also where later ones are chosen in view of earlier ones (Bun
and Steinke 2016, arXiv 1605.02065). And rho-zCDP implies (epsilon, delta)-DP for

    delta = min over a > 1 of exp((a - 1)(a rho - epsilon)) (1 - 1/a)^a / (a - 1),

all of it in Canonne, Kamath and Steinke (2020), arXiv 2004.00010, section 2. Any a gives a bound
that holds, so a minimum that is not quite found costs noise, never privacy. The exact delta of the
continuous Gaussian (Balle and Wang 2018) is not used: it does not hold for discrete noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from kstest.frozen import frozen

from ..lean import brentq
from .features import AMPLITUDE, PAIRS, WIDTH, length_squared

# Rounding of the conversion is far below it.
MARGIN = 1e-9
# What may be asked for.
EPSILON, DELTA = (1e-6, 1e3), (1e-100, 0.1)


def epsilon_of(rho: float, delta: float) -> float:
    """Return the smallest epsilon found, so that rho-zCDP implies (epsilon, delta)-DP.

    Examples
    --------
    >>> from kstest.privacy.accounting import epsilon_of
    >>> round(epsilon_of(0.02, 1e-6), 3)
    0.9
    """
    if rho <= 0:
        return 0.0

    def log_slope(at: float) -> float:
        # (a - 1)^2 times the derivative of `bound`, with b = a - 1 = exp(at).
        b = math.exp(at)
        return rho * b * b + math.log1p(b) + math.log(delta)

    # log1p(b) is below b, so the first sign is negative; the second is positive.
    low = math.log(-math.log(delta) / 1e9)
    high = math.log(1 + math.sqrt(-math.log(delta) / rho))
    best = math.exp(brentq(log_slope, low, high, 1e-12, 1e-12))
    return max(0.0, _bound(rho, delta, best)) * (1 + MARGIN)


def _bound(rho: float, delta: float, b: float) -> float:
    """Epsilon by the order a = 1 + b: the formula above, solved for epsilon."""
    a = 1 + b
    log_share = math.log(b) - math.log1p(b)  # of 1 - 1/a
    return a * rho + (a * log_share - math.log(b) - math.log(delta)) / b


def rho_for(epsilon: float, delta: float) -> float:
    """Return the largest rho found that implies (epsilon, delta)-DP.

    Examples
    --------
    >>> from kstest.privacy.accounting import epsilon_of, rho_for
    >>> abs(epsilon_of(rho_for(1.0, 1e-6), 1e-6) - 1) < 1e-6
    True
    """
    high = epsilon + 1.0
    while epsilon_of(high, delta) < epsilon:
        high *= 2
    low = high
    while epsilon_of(low, delta) > epsilon:
        low /= 4
    found = math.exp(
        brentq(
            lambda log_rho: epsilon_of(math.exp(log_rho), delta) - epsilon,
            math.log(low), math.log(high), 1e-13, 1e-13,
        )
    )  # fmt: skip
    while epsilon_of(found, delta) > epsilon:
        found *= 1 - MARGIN
    return found


@frozen
class Privacy:
    """The promise of a release, and the noise that keeps it.

    Attributes
    ----------
    epsilon, delta : float
        As asked for.
    sigma2 : int
        Variance parameter of the noise, in the units of `features`.
    rows_per_group : int or None
        Neighbours replace all rows of one user, at most so many; None: one row.
    """

    epsilon: float
    delta: float
    sigma2: int
    rows_per_group: int | None = None

    @classmethod
    def of(cls, epsilon: float, delta: float, rows_per_group: int | None = None) -> Privacy:
        """Find the noise."""
        rho = Fraction(rho_for(epsilon, delta))
        sigma2 = Fraction(sensitivity_squared(rows_per_group)) / (2 * rho)
        return cls(epsilon, delta, math.ceil(sigma2), rows_per_group)

    @property
    def rho(self) -> Fraction:
        """By zCDP."""
        return Fraction(sensitivity_squared(self.rows_per_group), 2 * self.sigma2)

    def noise(self, n: int) -> float:
        """Standard deviation of a coordinate of the mean feature of n rows, |feature| = 1."""
        return math.sqrt(self.sigma2 / PAIRS) / (AMPLITUDE * n)

    def rows_free(self, batch: int) -> int:
        """Rows of a reference from which on its noise is a tenth of a batch's own variance."""
        return math.ceil(self.noise(1) * math.sqrt(10 * WIDTH * batch))


def sensitivity_squared(rows_per_group: int | None = None) -> int:
    """Square of the most by which the sum of features changes between neighbours.

    Replacing one row x by x' changes it by v(x') - v(x), of length at most |v(x)| + |v(x')|, which
    is at most twice the root of `length_squared`; replacing g rows at most g times that. Rounding
    is within, since v is what the table holds.
    """
    return 4 * length_squared() * (rows_per_group or 1) ** 2


def total(spent: Iterable[Privacy]) -> Fraction:
    """Rho of several releases of the same rows."""
    return sum((one.rho for one in spent), Fraction(0))
