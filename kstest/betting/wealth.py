"""The wealth of a stream of bets: experts, their mean, its maximum, its path.

The bets may begin in any round, see `starts`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import starts

Array = NDArray[np.float64]

# Points kept of the path, for pictures: from here on every second one is dropped.
MOST_POINTS = 128
# Log wealths below this are rounding.
UNMOVED = 1e-9


@frozen
class Wealth:
    """Evidence so far.

    Attributes
    ----------
    rounds : int
        Bets that were settled.
    log_e : float
        Log of the wealth, `starts.settle`: an e-value at any stopping time.
    largest : float
        Its maximum so far, 0 at least: exp(-largest) is a p-value at any time.
    largest_row : int
        Row of the stream where that was.
    stride : int
        Rounds between two points of the path.
    experts : ndarray (E,)
        Log wealths of what has begun to bet, -inf before the first round.
    rows, path : ndarray (k,)
        Some rows and log_e there.
    """

    rounds: int
    log_e: float
    largest: float
    largest_row: int
    stride: int
    experts: Array
    rows: NDArray[np.int64]
    path: Array


def begin(experts: int) -> Wealth:
    """Wealth 1, no bet begun."""
    begun = starts.begin(experts)
    return Wealth(0, 0.0, 0.0, 0, 1, begun, np.empty(0, np.int64), np.empty(0))


def unmoved(wealth: Wealth) -> bool:
    """Tell whether there were bets and none won or lost anything."""
    moved = max(abs(wealth.log_e), wealth.largest, float(np.abs(wealth.path).max(initial=0.0)))
    return wealth.rounds > 0 and moved < UNMOVED


def settle(
    wealth: Wealth, ends: NDArray[np.int64], log_factors: Array, tau: float
) -> tuple[Wealth, Array]:
    """Take the factors of more rounds.

    Parameters
    ----------
    wealth : Wealth
    ends : ndarray of int64 (t,)
        Row of the stream at the end of every round.
    log_factors : ndarray (t, E)
    tau : float
        Rounds within which late starts are about as dear as early ones; the same in all calls.

    Returns
    -------
    wealth : Wealth
    log_e : ndarray (t,)
        After every round.
    """
    if not len(ends):
        return wealth, np.empty(0)
    experts, log_e = starts.settle(wealth.experts, wealth.rounds, log_factors, tau)
    return recorded(replace(wealth, experts=experts), ends, log_e), log_e


def recorded(wealth: Wealth, ends: NDArray[np.int64], log_e: Array) -> Wealth:
    """Enter log_e after more rounds: the latest, the largest, the path."""
    if not len(ends):
        return wealth
    best = int(np.argmax(log_e))
    larger = log_e[best] > wealth.largest
    known = wealth.rows, wealth.path, wealth.stride
    rows, path, stride = thinned(known, wealth.rounds, ends, log_e)
    return replace(
        wealth,
        rounds=wealth.rounds + len(ends),
        log_e=float(log_e[-1]),
        largest=float(log_e[best]) if larger else wealth.largest,
        largest_row=int(ends[best]) if larger else wealth.largest_row,
        stride=stride,
        rows=rows,
        path=path,
    )


def thinned(
    known: tuple[NDArray[np.int64], Array, int], done: int, ends: NDArray[np.int64], values: Array
) -> tuple[NDArray[np.int64], Array, int]:
    """A path of rounds stride, 2 stride, ... with more rounds, however they arrived.

    Parameters
    ----------
    known : rows, path, stride
    done : int
        Rounds before.
    ends, values : ndarray (t,)
        Of the new rounds.
    """
    rows, path, stride = known
    number = done + 1 + np.arange(len(ends))
    numbers = np.concatenate([stride * np.arange(1, len(rows) + 1), number])
    rows, path = np.concatenate([rows, ends]), np.concatenate([path, values])
    keep = numbers % stride == 0
    while np.count_nonzero(keep) > MOST_POINTS:
        stride *= 2
        keep = numbers % stride == 0
    return rows[keep], path[keep], stride
