"""A stream against a finite reference, for ever: several bets on the same rows, side by side.

The wings are the conformal scores, novelty and every column (`conformal`), and the `relay`. Wing k
has a wealth W^k, kept awake by `starts`, and a weight pi_k: novelty 1/3, the columns 1/3 together,
the relay 1/3.

**Claim.** P(max_k pi_k W^k_t >= 1/alpha at any t) <= alpha, so min(1, 1 / max_k pi_k sup_t W^k_t)
is a p-value at any time.

**Proof.** Each W^k is a supermartingale from 1 in a filtration of its own, so by Ville's inequality
pi_k W^k ever reaches 1/alpha with probability at most alpha pi_k. The sum over k is alpha. QED

The *mean* of the W^k is another matter: there is no filtration in which all are fair (see
`conformal`), so it is no e-value when one stops as one likes, and neither is the maximum. From the
p-value there is one for every time: g(p) = p^(-1/2) / 2, which is decreasing with integral 1
(Vovk and Wang 2021, arXiv 1912.06116).

**Detection.** Let M^k be the statistic of `detector` of wing k, in rounds of its own, and L rows
the run length that is wanted. M_s + (t - s) is a nonnegative supermartingale up to t rounds, so
P(max_{s<=t} M_s >= a) <= t / a. An alarm is raised where M^k >= 2 L r_k / pi_k for any k, r_k the
rounds per row: 1 for scores, 1/8 at most for the relay. With N the row of the first alarm

    P(N <= t) <= sum_k r_k t pi_k / (2 L r_k) = t / (2 L),   E[N] >= sum_t (1 - t / (2 L))^+ >= L.

If all begin anew after each alarm, at most t / (2 L) false alarms are expected in t rows: a wing
that resets at its own alarms has at most t r_k / a_k on average (M + (t - s) + a_k #alarms is a
supermartingale), and resets at other times never add one, since M is increasing in what it was.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import conformal, relay, round_loops, starts
from .blocks import Design
from .detector import NOTHING
from .rows import Rows
from .scores import Scores

Array = NDArray[np.float64]
Ends = NDArray[np.int64]


@frozen
class State:
    """What the rows so far taught."""

    conformal: conformal.State
    relay: relay.State


@frozen
class Found:
    """New evidence.

    Attributes
    ----------
    rows : ndarray of int64 (n,)
        The number of every row.
    p : ndarray (S, n)
        Conformal p-values of every score.
    ends, factors, wealth : ndarrays (k,), (k, E), (k,)
        Blocks of the relay: the row at their end, log factors, its log wealth.
    """

    rows: Ends
    p: Array
    ends: Ends
    factors: Array
    wealth: Array

    def part(self, first: int, last: int) -> Found:
        """The evidence of rows first, ..., last - 1, counted from 0."""
        rows = self.rows[first:last]
        a, b = np.searchsorted(self.ends, [rows[0], rows[-1] + 1])
        blocks = slice(int(a), int(b))
        return Found(
            rows,
            self.p[:, first:last],
            self.ends[blocks],
            self.factors[blocks],
            self.wealth[blocks],
        )


def begin(design: Design, scores: Scores, reference: Rows) -> State:
    """The state before the first row; the rows of the reference are in random order."""
    return State(
        conformal.begin(scores, reference), relay.begin(relay.design_of(design), reference)
    )


def step(
    design: Design, scores: Scores, state: State, rows: Rows, reference: Rows
) -> tuple[State, Found]:
    """Take more rows of the stream."""
    first = state.conformal.seen
    bags, p = conformal.step(design, scores, state.conformal, rows)
    passed, ends, factors, wealth = relay.step(
        relay.design_of(design), state.relay, rows, reference
    )
    number = first + np.arange(1, len(rows) + 1, dtype=np.int64)
    return State(bags, passed), Found(number, p, ends, factors, wealth)


def log_shares(scores: int) -> Array:
    """ln pi of all wings: the scores, novelty first, then the relay."""
    return np.log(np.array([1.0, *[1.0 / (scores - 1)] * (scores - 1), 1.0]) / 3)


@frozen
class Evidence:
    """Where the wings stand.

    Attributes
    ----------
    rounds : int
        Rows.
    begun : ndarray (S, E)
        Log wealth of every expert on every score.
    log_w : ndarray (S + 1,)
        Log wealth of every wing.
    largest : ndarray (S + 1,)
        Its maximum so far.
    """

    rounds: int
    begun: Array
    log_w: Array
    largest: Array


def no_evidence(scores: int) -> Evidence:
    """Nothing seen."""
    begun = np.array([starts.begin(conformal.EXPERTS)] * scores)
    return Evidence(0, begun, np.zeros(scores + 1), np.zeros(scores + 1))


def settle(evidence: Evidence, found: Found) -> tuple[Evidence, Array]:
    """Add new evidence.

    Returns
    -------
    evidence : Evidence
    log_most : ndarray (n,)
        ln max_k pi_k W^k after every row.
    """
    S, n = found.p.shape
    begun, paths = evidence.begun.copy(), np.empty((S + 1, n))
    for k in range(S):
        factors = conformal.bets(found.p[k])
        begun[k], paths[k] = starts.settle(begun[k], evidence.rounds, factors, conformal.TAU)
    paths[S] = _by_row(found, float(evidence.log_w[S]), found.wealth)
    largest = np.maximum(evidence.largest, paths.max(axis=1))
    most = (paths + log_shares(S)[:, None]).max(axis=0)
    return Evidence(evidence.rounds + n, begun, paths[:, -1].copy(), largest), most


def _by_row(found: Found, before: float, after: Array) -> Array:
    """What is known after every row, from what blocks leave at their ends."""
    place = np.searchsorted(found.ends, found.rows, "right")
    return np.asarray(np.concatenate([[before], after])[place])


@frozen
class Watch:
    """Where the detectors of all wings stand, as in `detector`.

    Attributes
    ----------
    sums, maxima, since : ndarrays (S, E)
    relay_sums, relay_maxima, relay_since : ndarrays (F,)
    relay_end : int
        Row at the end of the last block.
    log_m : ndarray (S + 1,)
        Log of the mean of every wing.
    """

    sums: Array
    maxima: Array
    since: Ends
    relay_sums: Array
    relay_maxima: Array
    relay_since: Ends
    relay_end: int
    log_m: Array


def anew(scores: int, blocks: int, row: int) -> Watch:
    """Nothing seen after row `row`; `blocks` experts of the relay."""
    shape = (scores, conformal.EXPERTS)
    return Watch(
        np.full(shape, NOTHING),
        np.zeros(shape),
        np.full(shape, row, np.int64),
        np.full(blocks, NOTHING),
        np.zeros(blocks),
        np.full(blocks, row, np.int64),
        row,
        np.full(scores + 1, NOTHING),
    )


def watch(before: Watch, found: Found, kind: str) -> tuple[Watch, Array]:
    """Add new evidence.

    Returns
    -------
    watch : Watch
    log_most : ndarray (n,)
        ln max_k M^k pi_k / (2 r_k) after every row, which raises an alarm from ln L on.
    """
    S, n = found.p.shape
    paths, rule = np.empty((S + 1, n)), kind == "sr"
    sums, maxima, since = before.sums.copy(), before.maxima.copy(), before.since.copy()
    last = int(found.rows[0]) - 1
    for k in range(S):
        state = sums[k], maxima[k], since[k], paths[k]
        round_loops.detect(conformal.bets(found.p[k]), found.rows, last, math.inf, rule, *state)
    known = before.relay_sums.copy(), before.relay_maxima.copy(), before.relay_since.copy()
    after = np.empty(len(found.ends))
    round_loops.detect(found.factors, found.ends, before.relay_end, math.inf, rule, *known, after)
    paths[S] = _by_row(found, float(before.log_m[S]), after)
    end = int(found.ends[-1]) if len(found.ends) else before.relay_end
    now = Watch(sums, maxima, since, *known, end, paths[:, -1].copy())
    return now, (paths + _log_rates(S)[:, None]).max(axis=0)


def changed(state: Watch) -> tuple[int, int]:
    """The wing that says most, and the row after which its change probably began."""
    S = len(state.sums)
    k = int(np.argmax(state.log_m + _log_rates(S)))
    if k == S:
        return k, int(state.relay_since[np.argmax(state.relay_maxima)])
    return k, int(state.since[k, np.argmax(state.maxima[k])])


def _log_rates(scores: int) -> Array:
    """ln of pi / (2 r) of all wings."""
    out = log_shares(scores) - math.log(2)
    out[-1] += math.log(relay.SIZE)
    return out
