"""Payoffs from the sign and size of a statistic that is symmetric about 0 under H0.

If x1 and x2 are exchangeable given the past and y1, y2, swapping them turns the witness difference
W into -W, so W is symmetric about 0 given the past; kernels need not be bounded, and the
distributions may drift. Any odd function of W chosen from the past has mean 0 (Podkopaev et al.
2023, section 4):

- `tanh`: tanh(W / s), s the distance of the 10 % and 90 % quantiles of past W;
- `sign`: sign(W) / 2;
- `rank`: sign(W) times the rank of |W| among past ones, divided by their number;
- `predictive`: tanh(theta W), theta = mean / variance of past W, to be bet in full: the likelihood
  ratio of N(mu, s^2) against its symmetrised distribution given |W| is 1 + tanh(mu W / s^2).

Scale and ranks refer to the last `MEMORY` values, so that the state stays small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

TRANSFORMS = ("none", "tanh", "sign", "rank", "predictive")
MEMORY = 256
SMALLEST_SCALE = 1e-4
SIGN_PAYOFF = 0.5
# Beyond this tanh is 1 in float64, and a bet of everything would be lost.
STEEPEST = 15.0


@frozen
class Past:
    """What is kept of the past values.

    Attributes
    ----------
    recent : ndarray (at most MEMORY,)
    moments : ndarray (3,)
        Number, sum and sum of squares of all.
    """

    recent: Array
    moments: Array


def begin() -> Past:
    """Nothing yet."""
    return Past(np.empty(0), np.zeros(3))


def payoffs(transform: str, differences: Array, past: Past) -> tuple[Array, Past]:
    """Turn witness differences into payoffs in [-1, 1], one after the other.

    Parameters
    ----------
    transform : str
        One of `TRANSFORMS` but ``none``.
    differences : ndarray (t,)
    past : Past

    Examples
    --------
    >>> import numpy
    >>> payoffs("sign", numpy.array([2.0, -0.1, 0.0]), begin())[0]
    array([ 0.5, -0.5,  0. ])
    """
    recent, moments = past.recent.tolist(), past.moments.copy()
    out = np.empty(len(differences))
    for t, w in enumerate(differences.tolist()):
        out[t] = _payoff(transform, w, recent, moments)
        recent.append(w)
        del recent[:-MEMORY]
        moments += (1.0, w, w * w)
    return out, Past(np.array(recent), moments)


def _payoff(transform: str, w: float, recent: list[float], moments: Array) -> float:
    if transform == "sign":
        return SIGN_PAYOFF * float(np.sign(w))
    if transform == "rank":
        smaller = sum(abs(v) < abs(w) for v in recent)
        equal = 1 + sum(abs(v) == abs(w) for v in recent)
        return float(np.sign(w)) * (smaller + 0.5 * equal) / (len(recent) + 1)
    if len(recent) < 2:
        return float(np.tanh(w)) if transform == "tanh" else 0.0
    if transform == "tanh":
        low, high = np.quantile(recent, (0.1, 0.9))
        return float(np.tanh(w / max(high - low, SMALLEST_SCALE)))
    n, total, squares = moments.tolist()
    variance = max(squares / n - (total / n) ** 2, SMALLEST_SCALE**2)
    return float(np.tanh(np.clip(total / n / variance * w, -STEEPEST, STEEPEST)))
