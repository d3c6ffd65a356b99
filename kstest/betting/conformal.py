"""A conformal test martingale: a finite reference against a stream that does not end.

The reference is cut into parts. Part 0 fixes units and the first score. Then come stages, of 32,
64, 128, ... rows of the stream, the last without end. Stage k has a score, a function of a row
that depends on parts before k and on earlier stages only, and a bag that starts with the scores of
part k. For each row of the stream, with score s, in turn

    p = ( #{bag > s} + U (#{bag = s} + 1) ) / (#bag + 1),    U uniform,

and then its score joins the bag.

**Claim.** If all rows, of reference and stream, are exchangeable, these p-values are independent
and uniform (Vovk, Gammerman, Shafer 2005): within a stage because its score is fixed before, and
part k and the rows of the stage are exchangeable given all that it depends on; across stages
because this holds whatever came before. A bet b(p) >= 0 with integral 1 is then fair, and a
product of bets a martingale in the filtration of the p-values.

Products of conformal *e*-values would not be one (Vovk, Nouretdinov, Gammerman 2020, arXiv
2006.02329), nor would p-values against the same reference without its growing bag be independent.

Score of stage 1: how little a row is like the reference. Later: the witness, how much more it is
like the earlier stream than like the earlier reference. Scores are put into `BINS` bins, quantiles
of reference rows that were used before; a bin is a score too, so this is exact, and the bag is a
table of counts whatever the length of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import leaves
from .blocks import Design
from .features import RUNGS, Circle, Scale, learn_scale, points
from .rows import Rows
from .starts import horizon

Array = NDArray[np.float64]

FIRST_STAGE = 32
BINS = 256
MOST_STAGES = 10
# A part of fewer rows makes coarse p-values.
LEAST_PART = 25
LEAST_REFERENCE = 2 * LEAST_PART
TILTS = np.array([-1.0, -0.5, -0.25, -0.1, 0.1, 0.25, 0.5, 1.0])
POWERS = np.array([0.25, 0.5, 0.75, 0.9])
EXPERTS = len(TILTS) + len(POWERS)
# Rows of the first part that fix the bandwidth: a median of distances needs no more.
MOST_SCALE = 500
SLICE = 4096
# Rows within which late starts of a bet are about as dear as early ones; see `starts`.
TAU = horizon(1)


@dataclass(frozen=True)
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    seen : int
        Rows of the stream.
    stage : int
        From 1.
    left : int
        Rows until the stage ends; -1 in the last one.
    counts : ndarray (BINS,)
        The bag.
    edges : ndarray (BINS - 1,)
    weights : ndarray (R, 2, D)
        The score is the sum over these times the features.
    stream, reference : ndarray (1, R, 2, D)
        Sums of features over rows of the stream, and over the parts of the reference so far.
    rows : ndarray (2,)
        Numbers of both.
    """

    seen: int
    stage: int
    left: int
    counts: Array
    edges: Array
    weights: Array
    stream: Array
    reference: Array
    rows: Array
    scale: Scale


def stages(reference: int) -> int:
    """Stages that a reference of so many rows is cut for."""
    return max(1, min(MOST_STAGES, reference // LEAST_PART - 1))


def part(reference: Rows, number: int) -> Rows:
    """Part `number` of the reference, from 0: all of one size, the last with the rest."""
    count = stages(len(reference)) + 1
    size = len(reference) // count
    return reference[number * size : (number + 1) * size if number < count - 1 else None]


def begin(design: Design, reference: Rows) -> State:
    """The state before the first row of the stream."""
    first = part(reference, 0)
    scale = learn_scale(first[:MOST_SCALE], design.scale, design.kernel, design.bandwidths[0])
    shape = (1, RUNGS, 2, design.features)
    state = State(
        seen=0,
        stage=0,
        left=0,
        counts=np.zeros(BINS),
        edges=np.zeros(BINS - 1),
        weights=np.zeros(shape[1:]),
        stream=np.zeros(shape),
        reference=np.zeros(shape),
        rows=np.zeros(2),
        scale=scale,
    )
    state = _taught(design, state, first)
    return _next(design, state, reference)


def step(
    design: Design, state: State, rows: Rows, reference: Rows
) -> tuple[State, NDArray[np.int64], Array]:
    """Take more rows of the stream.

    Returns
    -------
    state : State
    ends : ndarray of int64 (n,)
        The number of every row.
    log_factors : ndarray (n, E)
    """
    p, done = np.empty(len(rows)), 0
    first = state.seen
    turn = circle(design, state)
    while done < len(rows):
        more = min(SLICE, len(rows) - done)
        more = min(more, state.left) if state.left >= 0 else more
        some = points(turn.angles(rows[done : done + more]))
        state, p[done : done + more] = _bet(design, state, some)
        done += more
        if state.left == 0:
            state = _next(design, state, reference)
    factors = np.empty((len(p), EXPERTS))
    leaves.p_value_bets(p, TILTS, POWERS, factors)
    return state, first + np.arange(1, len(rows) + 1, dtype=np.int64), factors


def circle(design: Design, state: State) -> Circle:
    """The features; a reference without categories has none in the stream."""
    marks = design.marks
    return Circle.of(state.scale, marks, 2 * design.seed + 1, design.features, design.kernel)


def _bet(design: Design, state: State, some: tuple[Array, Array]) -> tuple[State, Array]:
    """p-values of rows of one stage, from their features."""
    rows = some[0].shape[1]
    bins = _bins(state, some)
    counts, stream, p = state.counts.copy(), state.stream.copy(), np.empty(rows)
    leaves.conformal_p_values(bins, np.uint64(design.seed), np.uint64(state.seen), counts, p)
    leaves.add_points(*some, np.ones(1), stream)
    state = replace(
        state,
        seen=state.seen + rows,
        left=state.left - rows if state.left > 0 else state.left,
        counts=counts,
        stream=stream,
        rows=state.rows + np.array([rows, 0]),
    )
    return state, p


def _next(design: Design, state: State, reference: Rows) -> State:
    """Begin the next stage: its score, its bins, its bag; then the part teaches, too."""
    last = stages(len(reference))
    stage = state.stage + 1
    old = state.reference[0] / state.rows[1]
    new = -old if not state.rows[0] else state.stream[0] / state.rows[0] - old
    # Each bandwidth counts alike, in units of the norm of its own witness.
    size = np.sqrt((new**2).sum(axis=(1, 2)))
    weights = new / np.maximum(size, 1e-300)[:, None, None]
    state = replace(
        state,
        stage=stage,
        left=FIRST_STAGE * 2 ** (stage - 1) if stage < last else -1,
        weights=weights,
    )
    turn = circle(design, state)
    known = _scores(state, points(turn.angles(part(reference, stage - 1))))
    state = replace(state, edges=np.quantile(known, np.arange(1, BINS) / BINS))
    bag = part(reference, stage)
    bins = _bins(state, points(turn.angles(bag)))
    state = replace(state, counts=np.bincount(bins, minlength=BINS).astype(np.float64))
    return _taught(design, state, bag)


def _taught(design: Design, state: State, rows: Rows) -> State:
    """The reference sums with more rows."""
    sums = state.reference.copy()
    leaves.add_points(*points(circle(design, state).angles(rows)), np.ones(1), sums)
    return replace(state, reference=sums, rows=state.rows + np.array([0, len(rows)]))


def _scores(state: State, some: tuple[Array, Array]) -> Array:
    out = np.empty((1, RUNGS, some[0].shape[1]))
    nothing = np.zeros((1, *state.weights.shape))
    leaves.witness_values(*some, state.weights[None], nothing, np.ones((2, 1)), out)
    total = np.zeros(out.shape[2])
    for row in out[0]:
        total += row
    return total


def _bins(state: State, some: tuple[Array, Array]) -> NDArray[np.int64]:
    return np.searchsorted(state.edges, _scores(state, some), side="right")
