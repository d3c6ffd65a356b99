"""How much to bet on a payoff f in [-1, 1] whose mean given the past is at most 0 under H0.

The wealth is multiplied by 1 + lambda f, and lambda, from [0, 1), may depend on the past only.

- `ons`: the online Newton step, lambda_1 = 0, A_0 = 1, z_t = f_t / (1 + lambda_t f_t),
  A_t = A_{t-1} + z_t^2, lambda_{t+1} = lambda_t + 2 / (2 - ln 3) z_t / A_t, kept within [0, 1/2]
  (Cutkosky and Orabona 2018; Shekhar and Ramdas 2021, arXiv 2112.09162).
- `agrapa`: mean over second moment of the past payoffs, kept within [0, 0.9], with one payoff of
  mean 1e-3 and second moment 1 to start with (Waudby-Smith and Ramdas 2024, JRSS B 86).
- `mixture`: the mean of the wealths of the constant bets 0.05, 0.10, ..., 0.95.
- `full`: lambda = 1, for payoffs that are bets already (`symmetric`, predictive).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import pair_loops

Array = NDArray[np.float64]

BETS = ("mixture", "ons", "agrapa")
CONSTANTS = np.arange(1, 20) / 20
LARGEST = 0.9


def experts(bet: str) -> int:
    """Wealths that are kept."""
    return len(CONSTANTS) if bet == "mixture" else 1


def memory(bet: str) -> Array:
    """What a bet knows before the first payoff."""
    return np.array([1e-3, 1.0]) if bet == "agrapa" else np.array([0.0, 1.0])


def log_factors(bet: str, payoffs: Array, remembered: Array) -> tuple[Array, Array]:
    """Bet on payoffs one after the other.

    Parameters
    ----------
    bet : str
        One of `BETS`, or ``full``.
    payoffs : ndarray (t,)
        In [-1, 1].
    remembered : ndarray (2,)
        From `memory`, or from the call before.

    Returns
    -------
    log_factors : ndarray (t, experts)
    remembered : ndarray (2,)

    Examples
    --------
    >>> import numpy
    >>> factors, _ = log_factors("ons", numpy.array([0.5, 0.5]), memory("ons"))
    >>> numpy.exp(factors[:, 0]).round(4)
    array([1.  , 1.25])
    """
    known = remembered.copy()
    constants = {"mixture": CONSTANTS, "full": np.ones(1)}.get(bet)
    if constants is not None:
        table = np.empty((len(payoffs), len(constants)))
        pair_loops.constant_bets(payoffs, constants, table)
        return table, known
    out = np.empty(len(payoffs))
    if bet == "ons":
        pair_loops.newton_bets(payoffs, known, out)
    else:
        pair_loops.adaptive_bets(payoffs, LARGEST, known, out)
    return out[:, None], known
