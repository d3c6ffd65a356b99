"""Values on all rows with their exact derivatives: forward-mode differentiation.

Every value carries its derivative with respect to each column that it depends on, and each
function says what it does to both (Griewank and Walther 2008, Evaluating Derivatives, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kstest.frozen import frozen


@frozen
class Dual:
    """A value on all rows, and its derivative with respect to each column that it depends on."""

    value: Any
    slopes: Mapping[int, Any]

    def through(self, value: Any, slope: Any) -> Dual:
        """Return f(self), given f and f' at self."""
        return Dual(value, {c: slope * s for c, s in self.slopes.items()})


def add(a: Dual, b: Dual, sign: float = 1.0) -> Dual:
    slopes = dict(a.slopes)
    for c, s in b.slopes.items():
        slopes[c] = slopes[c] + sign * s if c in slopes else sign * s
    return Dual(a.value + sign * b.value, slopes)


def multiply(a: Dual, b: Dual) -> Dual:
    slopes = {c: s * b.value for c, s in a.slopes.items()}
    for c, s in b.slopes.items():
        slopes[c] = slopes[c] + s * a.value if c in slopes else s * a.value
    return Dual(a.value * b.value, slopes)


def power(a: Dual, exponent: float) -> Dual:
    if exponent == 0:
        return Dual(np.ones_like(a.value), {})
    return a.through(a.value**exponent, exponent * a.value ** (exponent - 1))


def divide(a: Dual, b: Dual) -> Dual:
    return multiply(a, power(b, -1.0))


def _lgamma(x: Any) -> tuple[Any, Any]:
    from scipy.special import digamma, gammaln

    return gammaln(x), digamma(x)


def _erf(x: Any) -> tuple[Any, Any]:
    from scipy.special import erf

    return erf(x), 2 / math.sqrt(math.pi) * np.exp(-x * x)


def _exp(x: Any) -> tuple[Any, Any]:
    value = np.exp(x)
    return value, value


def _sqrt(x: Any) -> tuple[Any, Any]:
    value = np.sqrt(x)
    return value, 0.5 / value


# Each gives f and f'.
FUNCTIONS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "exp": _exp,
    "log": lambda x: (np.log(x), 1 / x),
    "log1p": lambda x: (np.log1p(x), 1 / (1 + x)),
    "expm1": lambda x: (np.expm1(x), np.exp(x)),
    "sqrt": _sqrt,
    "sin": lambda x: (np.sin(x), np.cos(x)),
    "cos": lambda x: (np.cos(x), -np.sin(x)),
    "tanh": lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2),
    "abs": lambda x: (np.abs(x), np.sign(x)),
    "lgamma": _lgamma,
    "erf": _erf,
}


def _logsumexp(items: Sequence[Dual]) -> Dual:
    top = items[0].value
    for item in items[1:]:
        top = np.maximum(top, item.value)
    shares = [np.exp(item.value - top) for item in items]
    total = sum(shares)
    slopes: dict[int, Any] = {}
    for item, share in zip(items, shares, strict=True):
        for c, s in item.slopes.items():
            slopes[c] = slopes.get(c, 0.0) + share / total * s
    return Dual(top + np.log(total), slopes)


def _choose(items: Sequence[Dual], better: Callable[[Any, Any], Any]) -> Dual:
    best = items[0]
    for item in items[1:]:
        take = better(item.value, best.value)
        columns = {**best.slopes, **item.slopes}
        best = Dual(
            np.where(take, item.value, best.value),
            {c: np.where(take, item.slopes.get(c, 0.0), best.slopes.get(c, 0.0)) for c in columns},
        )
    return best


SEVERAL: dict[str, Callable[[Sequence[Dual]], Dual]] = {
    "logsumexp": _logsumexp,
    "min": lambda items: _choose(items, np.less),
    "max": lambda items: _choose(items, np.greater),
}
