"""Online control of the false discovery rate: the share of false ones among all alarms.

Each rule gives every batch a level of its own, from the decisions before it; the batch is rejected
if its p-value is at most that level. LOND holds for p-values that depend on each other positively,
as those from common toys do (Zrnic, Ramdas, Jordan 2021, arXiv 1812.05068); LORD, SAFFRON and ADDIS
are proven for independent ones and find more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

CONTROLS = ("persistence", "lond", "lord", "saffron", "addis")
# The published factor of Javanmard and Montanari (2018), with which the sequence has the sum 0.976,
# and that with which j^-1.6 (Ramdas et al. 2018) has the sum 1: at most 1 is needed.
LORD_FACTOR, POWER_FACTOR = 0.07720838, 0.4374901658


def gamma_lord(j: int) -> float:
    return LORD_FACTOR * math.log(max(j, 2)) / (j * math.exp(math.sqrt(math.log(j))))


def gamma_power(j: int) -> float:
    return float(POWER_FACTOR * j**-1.6)


class Rule:
    """A rule and what it has seen.

    Parameters
    ----------
    name : {'lond', 'lord', 'saffron', 'addis'}
    alpha : float
        False discovery rate to keep to.
    """

    def __init__(self, name: str, alpha: float) -> None:
        self._name, self._alpha = name, alpha
        self._seen: list[float] = []
        self._rejected: list[int] = []  # times, from 1

    @property
    def level(self) -> float:
        """Level of the next batch."""
        return _LEVELS[self._name](self._alpha, self._seen, self._rejected)

    def add(self, p: float) -> bool:
        """Judge the next batch."""
        rejected = p <= self.level
        self._seen.append(p)
        if rejected:
            self._rejected.append(len(self._seen))
        return rejected


def _lond(alpha: float, seen: list[float], rejected: list[int]) -> float:
    """alpha gamma_t (D + 1), D rejections so far (Javanmard and Montanari 2015, 1502.06197)."""
    return alpha * gamma_power(len(seen) + 1) * (len(rejected) + 1)


def _lord(alpha: float, seen: list[float], rejected: list[int]) -> float:
    """LORD++ with W_0 = alpha / 10 (Ramdas, Yang, Wainwright, Jordan 2017, 1710.00499)."""
    t, w = len(seen) + 1, alpha / 10
    total = w * gamma_lord(t)
    for place, when in enumerate(rejected):
        total += (alpha - w if place == 0 else alpha) * gamma_lord(t - when)
    return total


def _saffron(alpha: float, seen: list[float], rejected: list[int], keep: float = 0.5) -> float:
    """SAFFRON with lambda = 1/2, W_0 = alpha / 2 (Ramdas, Zrnic, Wainwright, Jordan 2018).

    min(lambda, (1 - lambda) [W_0 gamma(t - C_0+) + (alpha - W_0) gamma(t - tau_1 - C_1+) + alpha
    sum_j gamma(t - tau_j - C_j+)]), C_j+ the candidates p <= lambda since the j-th rejection.
    """
    t, w = len(seen) + 1, alpha / 2

    def candidates(since: int) -> int:
        return sum(p <= keep for p in seen[since:])

    total = w * gamma_power(t - candidates(0))
    for place, when in enumerate(rejected):
        share = alpha - w if place == 0 else alpha
        total += share * gamma_power(t - when - candidates(when))
    return min(keep, (1 - keep) * total)


def _addis(
    alpha: float, seen: list[float], rejected: list[int], keep: float = 0.25, drop: float = 0.5
) -> float:
    """ADDIS with tau = 1/2, lambda = tau / 2, W_0 = alpha / 2 (Tian and Ramdas 2019, 1905.11465).

    Like SAFFRON on the batches with p <= tau alone, in time that counts only these; levels are
    (tau - lambda) [...], and p-values above tau, which are conservative, cost nothing.
    """
    w = alpha / 2

    def clock(since: int) -> int:
        """1 + batches with lambda < p <= tau since a time."""
        return 1 + sum(keep < p <= drop for p in seen[since:])

    total = w * gamma_power(clock(0))
    for place, when in enumerate(rejected):
        share = alpha - w if place == 0 else alpha
        total += share * gamma_power(clock(when))
    return min(keep, (drop - keep) * total)


_LEVELS: dict[str, Callable[[float, list[float], list[int]], float]] = {
    "lond": _lond,
    "lord": _lord,
    "saffron": _saffron,
    "addis": _addis,
}
