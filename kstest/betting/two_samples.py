"""Block e-values for two samples: swap labels within a block, and compare.

**Claim.** Let a block hold b rows of a stream and b rows of a reference that were not used before.
If given all earlier rows these 2b rows are exchangeable (as when all rows are independent draws of
one distribution), then E[E | past] = 1 for each factor E = exp(c z_0) / mean_m exp(c z_m), where
z_m is the sum of the witness over b of the 2b rows: the stream's for m = 0, and those that random
arrangements call the stream otherwise, standardised over all arrangements.

**Proof.** As in `blocks`: composing the arrangements with a uniform one leaves the distribution of
the rows as it is, and makes z_0, ..., z_M exchangeable; each then takes an equal share of their
mean. QED

The witness is mean over earlier stream rows less mean over earlier reference rows of the kernel,
from sums of features. A reference of m rows is used up by m rows of the stream: rows that are used
twice would make the e-values dependent given the reference (Shaer et al. 2026, arXiv 2602.13848).
For a reference that must last, see `relay` and `conformal`.

References: Shekhar and Ramdas (2021), arXiv 2112.09162, for the game; Koning (2023), arXiv
2310.01153, for the permutation e-value.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import loops
from .blocks import ARRANGEMENTS, STRENGTHS, Design
from .features import BANDWIDTHS, Circle, Scale, learn_scale, points
from .rows import Rows

Array = NDArray[np.float64]

# Rows of the reference, at most, that fix units and bandwidths; all but 20 of these rows stay in
# use.
WARM_UP = 20
FIRST_SIZES = (4, 4, 8, 8)


@frozen
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    start : int
        Rows of the stream that are no longer kept.
    windows : int
        Blocks that were settled.
    taken : int
        Rows of the reference that were used.
    values, marks : ndarray
        Rows of the stream that wait for a block to fill.
    stream, reference : ndarray (H, R, 2, D)
        Sums of features.
    weights : ndarray (2, H)
    exhausted : bool
        Whether the reference has too few rows left for a block.
    """

    start: int
    windows: int
    taken: int
    values: Array
    marks: NDArray[np.uint64]
    stream: Array
    reference: Array
    weights: Array
    scale: Scale
    exhausted: bool = False


def begin(design: Design, reference: Rows) -> State:
    """The state before the first row of the stream."""
    H = len(design.half_lives)
    shape = (H, BANDWIDTHS, 2, design.features)
    scale = learn_scale(reference[:WARM_UP], design.scale, design.kernel, design.bandwidths[0])
    state = State(
        start=0,
        windows=0,
        taken=min(WARM_UP, len(reference)),
        values=reference.values[:0],
        marks=reference.marks[:0],
        stream=np.zeros(shape),
        reference=np.zeros(shape),
        weights=np.zeros((2, H)),
        scale=scale,
    )
    first = reference[: state.taken]
    taught = points(circle(design, state).angles(first))
    learn(lasting(design), state.reference, state.weights[1], taught)
    return state


def circle(design: Design, state: State) -> Circle:
    """The features."""
    seed = 2 * design.seed + 1
    return Circle.of(state.scale, design.marks, seed, design.features, design.kernel)


def lasting(design: Design) -> tuple[float, ...]:
    """Half-lives of the reference: it does not change, so nothing of it is forgotten."""
    return (math.inf,) * len(design.half_lives)


def left(state: State, reference: Rows) -> int:
    """Rows of the reference that were not used."""
    return len(reference) - state.taken


def step(
    design: Design, state: State, rows: Rows, reference: Rows
) -> tuple[State, NDArray[np.int64], Array]:
    """Take more rows of the stream, each beside a row of the reference while there are some.

    Returns
    -------
    state : State
    ends : ndarray of int64 (t,)
        Rows of the stream up to the end of every block.
    log_factors : ndarray (t, E)
    """
    rows = Rows(state.values, state.marks).followed_by(rows)
    sums = [a.copy() for a in (state.stream, state.reference, state.weights)]
    state = replace(state, stream=sums[0], reference=sums[1], weights=sums[2])
    turn, ends, factors, used = circle(design, state), [], [], 0
    while True:
        first = FIRST_SIZES[state.windows] if state.windows < len(FIRST_SIZES) else design.size
        size = min(first, design.size)
        if used + size > len(rows) or size > left(state, reference):
            break
        mine = points(turn.angles(rows[used : used + size]))
        theirs = points(turn.angles(reference[state.taken : state.taken + size]))
        known = state.stream, state.reference, state.weights
        factors.append(block_factors(design, state.windows, known, mine, theirs))
        learn(design.half_lives, state.stream, state.weights[0], mine)
        learn(lasting(design), state.reference, state.weights[1], theirs)
        used += size
        ends.append(state.start + used)
        state = replace(state, windows=state.windows + 1, taken=state.taken + size)
    # Rows for which there is no partner any more will never be tested.
    exhausted = left(state, reference) < size
    if exhausted:
        used = len(rows)
    state = replace(
        state,
        exhausted=exhausted,
        start=state.start + used,
        values=rows.values[used:].copy(),
        marks=rows.marks[used:].copy(),
    )
    found = np.array(factors).reshape(len(factors), design.experts)
    return state, np.array(ends, np.int64), found


def block_factors(
    design: Design,
    number: int,
    sums: tuple[Array, Array, Array],
    mine: tuple[Array, Array],
    theirs: tuple[Array, Array],
) -> Array:
    """Log factors of all experts on one block, (E,).

    Parameters
    ----------
    design : Design
    number : int
        Of the block.
    sums : ndarrays (H, R, 2, D), (H, R, 2, D), (2, H)
        Sums of features of stream and reference, their weights.
    mine, theirs : pairs of ndarrays (R, b, D)
        Features of the block's rows of stream and reference, see `features.points`.
    """
    H, size = len(design.half_lives), mine[0].shape[1]
    out = np.zeros((H, BANDWIDTHS, len(STRENGTHS)))
    stream, reference, weights = sums
    if not weights[0].all():  # the first block only teaches
        return out.reshape(-1)
    values = np.empty((H, BANDWIDTHS, 2 * size))
    both = [np.concatenate([a, b], axis=1) for a, b in zip(mine, theirs, strict=True)]
    loops.witness_values(*both, stream, reference, weights, values)
    order = np.empty((ARRANGEMENTS + 1, 2 * size), np.int64)
    loops.permutations(np.uint64(design.seed), np.uint64(number), order)
    loops.label_e_values(values, size, order, STRENGTHS, out)
    return out.reshape(-1)


def learn(
    half_lives: tuple[float, ...], sums: Array, weight: Array, some: tuple[Array, Array]
) -> None:
    """Add rows to sums and weights, in place, after fading what was there."""
    rows = some[0].shape[1]
    keep = np.array([0.5 ** (rows / h) for h in half_lives])
    loops.add_points(*some, keep, sums)
    np.multiply(weight, keep, out=weight)
    np.add(weight, rows, out=weight)
