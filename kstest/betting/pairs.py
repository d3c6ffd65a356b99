"""SKIT as published: rows two at a time, a payoff from a kernel witness, a betting fraction.

Null hypothesis: given the past, the pair of x is independent of the pair of y, and x1, x2 or y1, y2
are exchangeable. The payoff is then symmetric about 0 (`payoffs`), the wealth a martingale.

The witness keeps rows, `Design.most_rows` of them; later rows are tested, not learned, which is as
valid and bounds state and time.

Reference: Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), Sequential Kernelized Independence
Testing, ICML, arXiv 2212.07383.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import bets, pair_loops, payoffs, symmetric
from .features import Scale, learn_scale
from .rows import Rows
from .starts import horizon

Array = NDArray[np.float64]

WARM_UP = 20
# Pairs of rows within which late starts of a bet are about as dear as early ones; see `starts`.
TAU = horizon(2)


@frozen
class Design:
    """What does not change over a stream; words as in `payoffs`, `bets`, `symmetric`.

    Attributes
    ----------
    bandwidths : tuple of (float or None)
        None: the median distance of the first 20 rows, which are learned and not tested.
    most_rows : int
        Rows that the witness keeps.
    """

    payoff: str = "hsic"
    bet: str = "mixture"
    transform: str = "none"
    kernel: str = "gaussian"
    scale: str = "robust"
    bandwidths: tuple[float | None, float | None] = (None, None)
    most_rows: int = 2000

    @property
    def used_bet(self) -> str:
        return "full" if self.transform == "predictive" else self.bet

    @property
    def experts(self) -> int:
        return bets.experts(self.used_bet)

    @property
    def games(self) -> int:
        return 1

    @property
    def tau(self) -> float:
        return TAU

    @property
    def warm_up(self) -> int:
        given = self.scale == "none" and (None not in self.bandwidths or self.kernel == "linear")
        return 0 if given else WARM_UP


@frozen
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    seen : int
        Rows that were tested or learned.
    pairs : int
        Pairs that were tested.
    learned : int
        Rows of `x_values`, ... that the witness knows; one more may wait for its partner.
    x_values, ... : ndarray
        In units of the scale once that is known.
    sums : ndarray (2, learned)
        See `pair_loops.hsic_pairs`.
    totals : ndarray (1,)
    u, v : ndarray
        Weights of the functions of coco and kcc on the first rows.
    memory : ndarray (2,)
        Of the bet.
    """

    seen: int
    pairs: int
    learned: int
    x_values: Array
    x_marks: NDArray[np.uint64]
    y_values: Array
    y_marks: NDArray[np.uint64]
    sums: Array
    totals: Array
    u: Array
    v: Array
    memory: Array
    past: symmetric.Past
    x_scale: Scale | None = None
    y_scale: Scale | None = None


def begin(design: Design, x: Rows, y: Rows) -> State:
    """The state before the first row; `x` and `y` show the columns."""
    none = np.empty(0)
    return State(
        seen=0,
        pairs=0,
        learned=0,
        x_values=x.values[:0],
        x_marks=x.marks[:0],
        y_values=y.values[:0],
        y_marks=y.marks[:0],
        sums=np.empty((2, 0)),
        totals=np.zeros(1),
        u=none,
        v=none,
        memory=bets.memory(design.used_bet),
        past=symmetric.begin(),
    )


def step(design: Design, state: State, x: Rows, y: Rows) -> tuple[State, NDArray[np.int64], Array]:
    """Take more rows.

    Returns
    -------
    state : State
    ends : ndarray of int64 (t,)
        Rows of the stream up to the end of every pair that was tested.
    log_factors : ndarray (t, E)
    """
    if state.x_scale is None or state.y_scale is None:
        x = Rows(state.x_values, state.x_marks).followed_by(x)
        y = Rows(state.y_values, state.y_marks).followed_by(y)
        if len(x) < max(design.warm_up, 1):
            state = replace(
                state, x_values=x.values, x_marks=x.marks, y_values=y.values, y_marks=y.marks
            )
            return state, np.empty(0, np.int64), np.empty((0, design.experts))
        state = _warmed(design, state, x, y)
        x, y = x[design.warm_up :], y[design.warm_up :]
    return _tested(design, state, x, y)


def _warmed(design: Design, state: State, x: Rows, y: Rows) -> State:
    """Fix units and bandwidths by the first rows, and learn these."""
    scales = [
        learn_scale(rows[: max(design.warm_up, 1)], design.scale, design.kernel, bandwidth)
        if design.warm_up
        else Scale(np.zeros(rows.values.shape[1]), np.ones(rows.values.shape[1]), bandwidth or 1.0)
        for rows, bandwidth in zip((x, y), design.bandwidths, strict=True)
    ]
    state = replace(
        state,
        x_values=x.values[:0],
        x_marks=x.marks[:0],
        y_values=y.values[:0],
        y_marks=y.marks[:0],
        x_scale=scales[0],
        y_scale=scales[1],
    )
    first, _, _ = _tested(design, state, x[: design.warm_up], y[: design.warm_up], test=False)
    return first


def _tested(
    design: Design, state: State, x: Rows, y: Rows, test: bool = True
) -> tuple[State, NDArray[np.int64], Array]:
    """Bet on every pair and learn it, or with `test` false only learn."""
    assert state.x_scale is not None
    assert state.y_scale is not None
    both = [
        Rows(values, marks).followed_by(_scaled(rows, scale))
        for rows, values, marks, scale in (
            (x, state.x_values, state.x_marks, state.x_scale),
            (y, state.y_values, state.y_marks, state.y_scale),
        )
    ]
    gammas = (
        payoffs.gamma(design.kernel, state.x_scale.bandwidth),
        payoffs.gamma(design.kernel, state.y_scale.bandwidth),
    )
    count, odd = divmod(len(both[0]) - state.learned, 2)
    differ = _hsic if design.payoff == "hsic" else _singular
    state, differences = differ(design, state, both[0], both[1], gammas, count)
    end = len(both[0]) - odd  # a last row waits for its partner
    kept = [part[: state.learned].followed_by(part[end:]) for part in both]
    state = replace(
        state,
        seen=state.seen + 2 * count,
        x_values=kept[0].values.copy(),
        x_marks=kept[0].marks.copy(),
        y_values=kept[1].values.copy(),
        y_marks=kept[1].marks.copy(),
    )
    if not test:
        return state, np.empty(0, np.int64), np.empty((0, design.experts))
    # The very first pair finds nothing learned: it is no bet.
    bare = int(count > 0 and state.seen == 2 * count and not design.warm_up)
    ends = state.seen - 2 * np.arange(count - 1, -1, -1, dtype=np.int64)
    differences, ends = differences[bare:], ends[bare:]
    past = state.past
    if design.transform != "none":
        differences, past = symmetric.payoffs(design.transform, differences, past)
    factors, memory = bets.log_factors(design.used_bet, differences, state.memory)
    state = replace(state, pairs=state.pairs + len(ends), memory=memory, past=past)
    return state, ends, factors


def _hsic(
    design: Design, state: State, x: Rows, y: Rows, gammas: tuple[float, float], count: int
) -> tuple[State, Array]:
    """Payoffs of `count` pairs, or where they are to be transformed the plain differences."""
    sums = np.zeros((2, len(x)))
    sums[:, : state.learned] = state.sums
    totals, covariance, norm = state.totals.copy(), np.empty(count), np.empty(count)
    learned = pair_loops.hsic_pairs(
        *(np.ascontiguousarray(a) for a in (x.values, x.marks, y.values, y.marks)),
        state.learned,
        design.most_rows,
        payoffs.CODES[design.kernel],
        np.array(gammas),
        sums,
        totals,
        covariance,
        norm,
    )
    found = covariance
    if design.transform == "none":
        found = payoffs.normalised(covariance, norm)
    return replace(state, learned=learned, sums=sums[:, :learned].copy(), totals=totals), found


def _singular(
    design: Design, state: State, x: Rows, y: Rows, gammas: tuple[float, float], count: int
) -> tuple[State, Array]:
    """The same for a product of two functions, which are learned anew now and then."""
    code, most = payoffs.CODES[design.kernel], design.most_rows
    sizes, start = payoffs.refit_sizes(most), state.learned
    learned, found = start, np.zeros(count)
    t = 0
    while t < count:
        # Pairs up to the next refit, or all where the witness knows enough.
        upto = count
        if learned < most:
            larger = next((s for s in sizes if s > learned), most)
            upto = min(count, t + max(1, (min(larger, most) - learned) // 2))
        new = slice(start + 2 * t, start + 2 * upto)
        values = []
        for rows, weights, g in ((x, state.u, gammas[0]), (y, state.v, gammas[1])):
            out = np.zeros(2 * (upto - t))
            old = rows[: len(weights)]
            pair_loops.weighted_sums(
                rows.values[new], rows.marks[new], old.values, old.marks, weights, code, g, out
            )
            values.append(out[0::2] - out[1::2])
        found[t:upto] = np.clip(0.5 * values[0] * values[1], -1.0, 1.0)
        learned = min(learned + 2 * (upto - t), max(most - most % 2, start))
        t = upto
        if learned in sizes and learned > len(state.u):
            u, v = payoffs.singular_pair(
                x[:learned], y[:learned], design.payoff, design.kernel, gammas
            )
            state = replace(state, u=u, v=v)
    return replace(state, learned=learned, sums=np.zeros((2, learned))), found


def _scaled(rows: Rows, scale: Scale) -> Rows:
    return Rows((rows.values - scale.centre) / scale.unit, rows.marks)
