"""Sequential goodness of fit: bets by the Stein kernel, with a certified bound.

If X has the density p, then E h_p(y, X) = 0 for the Stein kernel h_p and every row y (Stein's
identity: scores of certified targets grow at most linearly, the kernel and its derivatives are
bounded). From earlier rows X_i the payoff of a row x is

    g(x) = sum_i h_p(X_i, x) / sum_i M(X_i),    M(y) >= -inf_x h_p(y, x),

so g >= -1 and E g = 0 given the past, and 1 + lambda g with lambda from [0, 1) is a fair bet. That
g may be large the other way does no harm. The bet is lambda = m / (m + s), m and s the mean and the
mean square of the payoffs so far, 0 where m < 0.

M comes from what `kstest.targets.certificate` proves of the score. With kernel k(r) = (1 +
r^2)^(-1/2) and a Lipschitz constant L of the score,

    M(y) = sup_r [ k L r |s(y)| - k |s(y)|^2 + L r |k'| + k'' + (d - 1) k' / r ]_+ .

Rows are learned up to `most_rows`; later ones are tested by these.

Reference: Martinez-Taboada and Ramdas (2024), Sequential Kernelized Stein Discrepancy, arXiv
2409.17505.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import stein_leaves
from .decision import Ends

Array = NDArray[np.float64]

# In the certified coordinates, where a normal law has unit variance.
BANDWIDTHS = (0.5, 1.0, 2.0)
EXPERTS = len(BANDWIDTHS)


def most_rows(d: int) -> int:
    """Rows that are learned of d columns: few enough for a state of 32 kB."""
    return max(100, 2000 // d)


@dataclass(frozen=True)
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    seen : int
    z, scores : ndarray (learned, d)
        In certified coordinates.
    losses : ndarray (R,)
    memory : ndarray (R, 2)
    """

    seen: int
    z: Array
    scores: Array
    losses: Array
    memory: Array


def begin(d: int) -> State:
    """The state before the first row."""
    return State(0, np.empty((0, d)), np.empty((0, d)), np.zeros(EXPERTS), np.zeros((EXPERTS, 2)))


def step(
    state: State, z: Array, scores: Array, lipschitz: float | None, bound: float | None
) -> tuple[State, Ends, Array]:
    """Take more rows and their scores.

    Returns
    -------
    state : State
    ends : ndarray of int64 (n,)
    log_factors : ndarray (n, R)
    """
    start, n = len(state.z), len(z)
    all_z, all_s = np.concatenate([state.z, z]), np.concatenate([state.scores, scores])
    losses, memory, out = state.losses.copy(), state.memory.copy(), np.empty((n, EXPERTS))
    learned = start
    for k, h in enumerate(BANDWIDTHS):
        column = np.empty(n)
        learned = stein_leaves.stein_bets(
            np.ascontiguousarray(all_z / h),
            np.ascontiguousarray(all_s * h),
            start,
            most_rows(z.shape[1]),
            -1.0 if lipschitz is None else lipschitz * h * h,
            0.0 if bound is None else bound * h,
            losses[k : k + 1],
            memory[k],
            column,
        )
        out[:, k] = column
    ends = state.seen + np.arange(1, n + 1, dtype=np.int64)
    state = replace(
        state,
        seen=state.seen + n,
        z=all_z[:learned].copy(),
        scores=all_s[:learned].copy(),
        losses=losses,
        memory=memory,
    )
    return state, ends, out
