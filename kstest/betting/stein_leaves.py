"""The compiled loops of the sequential Stein test; see `stein`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.jit import inline, leaf

STEP = 0.02
GRID = 400


@inline
def stein(u: Any, s: Any, i: Any, v: Any, t: Any, j: Any) -> Any:
    """The Stein kernel of rows i and j, for (1 + r^2)^(-1/2), r in units of the bandwidth."""
    d = u.shape[1]
    q = 0.0
    both = 0.0
    cross = 0.0
    for c in range(d):
        gap = v[j, c] - u[i, c]
        q += gap * gap
        both += s[i, c] * t[j, c]
        cross += (s[i, c] - t[j, c]) * gap
    w = 1.0 / (1.0 + q)
    k = np.sqrt(w)
    first = -0.5 * k * w
    second = 0.75 * k * w * w
    return k * both + 2 * first * cross - 2 * d * first - 4 * q * second


@leaf
def largest_loss(size: Any, d: Any, lipschitz: Any, bound: Any) -> Any:
    """A number that -h(y, x) exceeds at no x, for a row y whose score has norm `size`.

    With r = |x - y|, from |score(x) - score(y)| <= lipschitz r, or where that is negative from
    |score| <= bound. The supremum over r is taken on a grid; a bound of the slope between its
    points, and of what comes after its end, is added.
    """
    most = 0.0
    for g in range(GRID + 1):
        r = STEP * g
        w = 1.0 / (1.0 + r * r)
        k = np.sqrt(w)
        fall = r * k * w
        trace = -d * k * w + 3 * r * r * k * w * w
        if lipschitz >= 0:
            value = k * lipschitz * r * size - k * size * size + lipschitz * r * fall + trace
        else:
            value = k * bound * size + fall * (size + bound) + trace
        most = max(most, value)
    # Slopes: |k'| <= 0.385, |(r k)'| <= 1, |(r^2 k w)'| <= 1, |k''| <= 1, that of the trace is
    # at most 5 + 3 d.
    end = STEP * GRID
    if lipschitz >= 0:
        slope = lipschitz * size + 0.385 * size * size + lipschitz + 5 + 3 * d
        after = lipschitz * size + lipschitz / end + 3 / end**3
    else:
        slope = 0.385 * bound * size + size + bound + 5 + 3 * d
        after = bound * size / end + (size + bound) / end**2 + 3 / end**3
    return max(most + slope * STEP / 2, after)


@leaf
def stein_bets(
    u: Any, s: Any, start: Any, limit: Any, lipschitz: Any, bound: Any, losses: Any, memory: Any,
    out: Any,
) -> Any:  # fmt: skip
    """Log factors of rows one after the other, each learned after its turn.

    Parameters
    ----------
    u, s : float64 (n, d)
        Rows and scores: those that were learned, then new ones.
    start, limit : int
        Rows that were learned, and that may be.
    lipschitz, bound : float
    losses : float64 (1,)
        Sum of `largest_loss` over the learned rows; changed in place.
    memory : float64 (2,)
        Sums of the payoffs and of their squares; changed in place.
    out : float64 (n - start,)

    Returns
    -------
    int
        Rows that are learned now.
    """
    n, d = u.shape
    learned = start
    for i in range(start, n):
        total = 0.0
        for j in range(learned):
            total += stein(u, s, j, u, s, i)
        g = total / losses[0] if learned > 0 and losses[0] > 0 else 0.0
        g = max(g, -1.0)
        bet = 0.0
        if memory[0] > 0:
            bet = min(0.95, memory[0] / (memory[0] + memory[1]))
        out[i - start] = np.log(1.0 + bet * g)
        memory[0] += g
        memory[1] += g * g
        if learned < limit:
            size = 0.0
            for c in range(d):
                size += s[i, c] * s[i, c]
            losses[0] += largest_loss(np.sqrt(size), d, lipschitz, bound)
            learned += 1
    return learned
