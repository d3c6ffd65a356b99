"""Online control of the false discovery rate: the share of false ones among all alarms.

Each rule gives every batch a level of its own, from the decisions before it; the batch is rejected
if its p-value is at most that level. LOND holds for p-values that depend on each other positively,
as those from common toys do (Zrnic, Ramdas, Jordan 2021, arXiv 1812.05068); LORD, SAFFRON and ADDIS
are proven for independent ones and find more.

All but LOND spend wealth in the same way: what is earned at a time c of the rule's own clock is
spent as gamma(1), gamma(2), ... while that clock goes on,

    level = factor x sum_c earned(c) gamma(now - c + 1),  cut at `cap`,

and they differ in when the clock ticks. So a level is computed anew only at a tick, and costs one
product of two vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

CONTROLS = ("persistence", "lond", "lord", "saffron", "addis")
# The published factor of Javanmard and Montanari (2018), with which the sequence has the sum 0.976,
# and that with which j^-1.6 (Ramdas et al. 2018) has the sum 1: at most 1 is needed.
LORD_FACTOR, POWER_FACTOR = 0.07720838, 0.4374901658


def gamma_lord(j: int) -> float:
    return LORD_FACTOR * math.log(max(j, 2)) / (j * math.exp(math.sqrt(math.log(j))))


def gamma_power(j: int) -> float:
    return float(POWER_FACTOR * j**-1.6)


@frozen
class Spending:
    """How a rule spends its wealth.

    Attributes
    ----------
    gamma : callable
        The share that is spent at the j-th tick, j = 1, 2, ...; they add up to at most 1.
    first : float
        The wealth at the beginning, as a share of alpha. The first rejection earns what is left
        of alpha, every other one alpha.
    keep, drop : float
        The clock ticks at p-values above `keep`, up to `drop`.
    """

    gamma: Callable[[int], float]
    first: float
    keep: float
    drop: float

    @property
    def factor(self) -> float:
        """What of the p-values that tick is spent: all, where every one ticks."""
        return self.drop - max(self.keep, 0.0)

    @property
    def cap(self) -> float:
        return self.keep if self.keep > 0 else 1.0


SPENDING = {
    # LORD++ with W_0 = alpha / 10 (Ramdas, Yang, Wainwright, Jordan 2017, 1710.00499).
    "lord": Spending(gamma_lord, 1 / 10, -1.0, 1.0),
    # SAFFRON with lambda = 1/2, W_0 = alpha / 2 (Ramdas, Zrnic, Wainwright, Jordan 2018).
    "saffron": Spending(gamma_power, 1 / 2, 0.5, 1.0),
    # ADDIS with tau = 1/2, lambda = tau / 2, W_0 = alpha / 2 (Tian and Ramdas 2019, 1905.11465):
    # p-values above tau, which are conservative, cost nothing.
    "addis": Spending(gamma_power, 1 / 2, 0.25, 0.5),
}


class Rule:
    """A rule and what it has seen.

    Parameters
    ----------
    name : {'lond', 'lord', 'saffron', 'addis'}
    alpha : float
        False discovery rate to keep to.
    """

    def __init__(self, name: str, alpha: float) -> None:
        self._alpha, self._spending = alpha, SPENDING.get(name)
        self._seen = self._rejections = self._now = 0
        self._shares, self._earned = np.empty(0), np.zeros(64)
        if self._spending is not None:
            self._earned[0] = alpha * self._spending.first
        self._total = self._spent()

    @property
    def level(self) -> float:
        """Level of the next batch."""
        if self._spending is None:
            # alpha gamma_t (D + 1), D rejections so far (Javanmard and Montanari 2015, 1502.06197).
            return self._alpha * gamma_power(self._seen + 1) * (self._rejections + 1)
        return min(self._spending.cap, self._spending.factor * self._total)

    def add(self, p: float, rejected: bool | None = None) -> bool:
        """Judge the next batch.

        `rejected` is what was made of it where more than its level had a say, such as a correction
        over several tests. Only a p-value of at most its level may count as a rejection.
        """
        rejected = p <= self.level and rejected is not False
        self._seen += 1
        ticks = self._spending is not None and self._spending.keep < p <= self._spending.drop
        self._now += ticks
        if self._now == len(self._earned):
            self._earned = np.concatenate([self._earned, np.zeros(len(self._earned))])
        if rejected and self._spending is not None:
            share = 1 - self._spending.first if self._rejections == 0 else 1.0
            self._earned[self._now] += self._alpha * share
        self._rejections += rejected
        if ticks or rejected:
            self._total = self._spent()
        return rejected

    def _spent(self) -> float:
        """What the next batch may have of all that was earned, before factor and cap."""
        if self._spending is None:
            return 0.0
        n = self._now + 1
        if len(self._shares) < n:
            places = range(len(self._shares) + 1, 2 * n + 63)
            more = [self._spending.gamma(j) for j in places]
            self._shares = np.concatenate([self._shares, more])
        return float(self._earned[:n] @ self._shares[n - 1 :: -1])
