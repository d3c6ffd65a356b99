"""Distributions of the number of symbols of a sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

MOST = 10_000
ACCEPTED = (
    '{"fixed": 20}, {"uniform": [2, 20]}, {"poisson": 10}, or weights by length such as '
    '{"1": 0.5, "2": 0.5}'
)


def length_distribution(given: Any, where: str) -> NDArray[np.float64]:
    """Return log weights of the lengths 0, 1, ..., from the value of a key ``length``.

    Parameters
    ----------
    given : object
        Read from JSON.
    where : str
        File and key, for messages.
    """
    if not isinstance(given, dict) or not given:
        raise DataError(f"{where}: accepted: {ACCEPTED}")
    name, value = next(iter(given.items()))
    if name == "fixed" and len(given) == 1:
        return _log({_whole(value, where): 1.0})
    if name == "uniform" and len(given) == 1:
        if not isinstance(value, list) or len(value) != 2:
            raise DataError(f"{where}: uniform takes the shortest and the longest length")
        low, high = (_whole(v, where) for v in value)
        if low > high:
            raise DataError(f"{where}: uniform takes the shortest length first")
        return _log(dict.fromkeys(range(low, high + 1), 1.0))
    if name == "poisson" and len(given) == 1:
        mean = _weight(value, where)
        if not 0 < mean <= MOST / 2:
            raise DataError(f"{where}: poisson takes a mean above 0, at most {MOST // 2:,}")
        n = np.arange(min(MOST, int(mean + 40 * math.sqrt(mean) + 100)) + 1)
        return np.asarray(n * math.log(mean) - mean - [math.lgamma(k + 1.0) for k in n])
    weights = {_whole(key, where): _weight(v, where) for key, v in given.items()}
    if not sum(weights.values()) > 0:
        raise DataError(f"{where}: every length has the weight 0")
    return _log(weights)


def _log(weights: dict[int, float]) -> NDArray[np.float64]:
    out = np.zeros(max(weights) + 1)
    for n, weight in weights.items():
        out[n] = weight
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(out))


def _whole(value: Any, where: str) -> int:
    text = _shown(value)
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))
    if isinstance(value, bool) or not digits or int(text) > MOST:
        raise DataError(
            f"{where}: found {text!r} for a length, a whole number up to {MOST:,}; accepted: "
            f"{ACCEPTED}"
        )
    return int(text)


def _shown(value: Any) -> str:
    """A value for a message; Python writes out no whole number of thousands of digits."""
    if isinstance(value, int) and not -1e40 < value < 1e40:
        return f"a whole number of {value.bit_length():,} bits"
    return str(value)[:40]


def _weight(value: Any, where: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 <= value < 1e15:
        raise DataError(f"{where}: found {_shown(value)!r} where a number of at least 0 is needed")
    return float(value)
