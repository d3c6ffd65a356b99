"""Log ratios from a Python function, neighbour by neighbour."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..targets import LogRatio
from .sequence_near import Neighbourhood

Symbols = tuple[str, ...]


def neighbours(x: Symbols, alphabet: Symbols, near: Neighbourhood) -> Iterator[Symbols | None]:
    """Yield the entries of `sequence_loops` in order; None for those of weight 0."""
    n = len(x)
    low, low_insert = max(0, n - near.positions), max(0, n - near.positions + 1)
    if near.substitution:
        for p in range(low, n):
            for a in alphabet:
                yield None if a == x[p] else (*x[:p], a, *x[p + 1 :])
    if near.insertion:
        for p in range(low_insert, n + 1):
            for a in alphabet:
                yield None if p > low_insert and a == x[p - 1] else (*x[:p], a, *x[p:])
    if near.deletion:
        for p in range(low, n):
            yield None if p > low and x[p] == x[p - 1] else (*x[:p], *x[p + 1 :])


def function_ratios(
    codes: NDArray[np.int32],
    offsets: NDArray[np.int64],
    first: int,
    last: int,
    distribution: LogRatio,
    near: Neighbourhood,
    out: NDArray[np.float64],
) -> None:
    """Log ratios of all neighbours of sequences first <= s < last."""
    e = 0
    for s in range(first, last):
        x = tuple(distribution.alphabet[c] for c in codes[offsets[s] : offsets[s + 1]])
        for y in neighbours(x, distribution.alphabet, near):
            out[e] = -math.inf if y is None else _ratio(distribution, x, y)
            e += 1


def _ratio(distribution: LogRatio, x: Symbols, y: Symbols) -> float:
    try:
        value = float(distribution.function(x, y))
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value) or value == math.inf:
        raise UsageError(
            f"target: the log ratio of {y!r} to {x!r} is no number below infinity; a sequence of "
            "the data must be possible under the model"
        )
    return value
