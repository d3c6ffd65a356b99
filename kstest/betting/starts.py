"""A wealth that stays awake: the exact mixture over all rounds at which a bet may begin.

A product of factors loses a constant share a round while nothing happens, so after a long good time
it takes as long again to come back: the stream has gone deaf. Here the unit of money at the start
is shared out over the rounds at which a bet may begin, more for early ones; a bet that begins in
round j has not lost anything before. With factors f_{t,e} >= 0 of experts e = 1, ..., E,
E[f_{t,e} | past] <= 1, and

    T(t) = (1 - q) / (1 + ln(1 + t / tau)),    w_1 = 1 - T(1),    w_t = T(t-1) - T(t) for t >= 2,
    A_{0,e} = 0,    A_{t,e} = (A_{t-1,e} + w_t) f_{t,e},    W_t = 1/E sum_e A_{t,e} + T(t),

W_t is what all bets that have begun are worth, plus T(t), the money that waits.

**Claim.** W is a nonnegative supermartingale that starts at W_0 = 1 (a martingale if the factors
have mean 1), so P(W_t >= 1/alpha at any t) <= alpha (Ville 1939). It is the mixture

    W_t = sum_{j<=t} w_j 1/E sum_e prod_{s=j..t} f_{s,e} + T(t),    sum_{j<=t} w_j + T(t) = 1.

**Proof.** w_1 + T(1) = 1 = W_0, and w_t + T(t) = T(t-1) for t >= 2. With A_{0,e} = 0 therefore

    E[W_t | past] <= 1/E sum_e (A_{t-1,e} + w_t) + T(t) = W_{t-1}    for every t >= 1.

The sum follows by unrolling the recursion, and w_1 + ... + w_t + T(t) = 1 by telescoping. QED

**Price.** W_t >= T(t) at all times, which falls like 1 / ln t. A bet that begins at t costs

    ln 1/w_t = ln(t + tau) + 2 ln(1 + ln(1 + t / tau)) - ln(1 - q)    nats, for t >= 2 and about,

against one that began with everything; -ln q for the first round. Since all w_t add up to at most
1, the ln t cannot be had back by any choice of w.

The recursion is that of Shiryaev and Roberts (`detector`) with w_t for 1. It takes E numbers, and
no copies of a bet: what a factor is must not depend on when the bet began. Witnesses that have
learned for long from rows before a change hold it back; half-lives are the cure for that.

**Numbers.** Everything is kept in logarithms. With L_t = 1 + ln(1 + t / tau),

    w_t = (1 - q) (L_t - L_{t-1}) / (L_t L_{t-1}),    L_t - L_{t-1} = log1p(1 / (t - 1 + tau)),

which keeps all digits where T(t-1) - T(t) would lose them (t = 10^9).

References: own combination. Shiryaev (1963); Roberts (1966), Technometrics 8; mixtures over times
of change in e-processes: Shin, Ramdas, Rinaldo (2023), arXiv 2203.03532.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from . import round_loops

Array = NDArray[np.float64]

# The share of the money that is bet from the first round on.
FIRST_SHARE = round_loops.FIRST_SHARE
# Rows within which late starts are about as dear as early ones.
EARLY_ROWS = 64


def horizon(rows: float) -> float:
    """tau for rounds of so many rows: `EARLY_ROWS` rows in rounds, one round at least."""
    return max(1.0, EARLY_ROWS / rows)


def log_waiting(t: int, tau: float) -> float:
    """ln T(t), the money that no bet has taken after round t; T(0) counts the first share too.

    Examples
    --------
    >>> round(math.exp(log_waiting(0, 64)), 3), round(math.exp(log_waiting(10_000, 64)), 3)
    (1.0, 0.083)
    """
    if t == 0:
        return 0.0
    return math.log(1 - FIRST_SHARE) - math.log(1 + math.log1p(t / tau))


def log_weight(t: int, tau: float) -> float:
    """ln w_t, the money that begins to bet in round t, from 1.

    Examples
    --------
    >>> round(log_weight(1, 64), 3), round(log_weight(10_000, 64), 3)
    (-0.678, -13.513)
    """
    before, gain = 1 + math.log1p((t - 1) / tau), math.log1p(1 / (t - 1 + tau))
    weight = (1 - FIRST_SHARE) * gain / (before * (before + gain))
    return math.log(weight + FIRST_SHARE * (t == 1))


def begin(experts: int) -> Array:
    """ln A_0 of every expert: nothing has begun."""
    return np.full(experts, -np.inf)


def settle(begun: Array, done: int, log_factors: Array, tau: float) -> tuple[Array, Array]:
    """Take the factors of more rounds; however they are cut the numbers are the same to the bit.

    Parameters
    ----------
    begun : ndarray (E,)
        ln A of every expert, from `begin` or the call before.
    done : int
        Rounds before these.
    log_factors : ndarray (n, E)
    tau : float
        Rounds within which late starts are about as dear as early ones.

    Returns
    -------
    begun : ndarray (E,)
    log_wealth : ndarray (n,)
        ln W after every round.

    Examples
    --------
    Nothing is lost by a bet that never began:

    >>> losses = np.full((1000, 1), math.log(0.9))
    >>> _, log_wealth = settle(begin(1), 0, losses, tau=64)
    >>> bool(log_wealth[-1] > log_waiting(1000, 64) > -3)
    True
    """
    begun, out = begun.copy(), np.empty(len(log_factors))
    round_loops.starts_path(np.ascontiguousarray(log_factors), done, float(tau), begun, out)
    return begun, out
