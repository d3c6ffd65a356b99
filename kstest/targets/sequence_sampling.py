"""Exact draws of sequences, all of them step by step at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .sequence_model import Array, Drawn, Hidden, Windows, joined

# No draw may be longer: a chain that all but never stops would never end.
LONGEST = 100_000
# Cells of the tables of a distribution with lengths of their own, one table per number of symbols
# left.
MOST_CELLS = 1 << 24

Sampler = Callable[[int, np.random.Generator], Drawn]


def window_sampler(distribution: Windows, name: str) -> Sampler | None:
    """Return a sampler of a distribution of windows, or None where there is none.

    Without lengths the rows of the table must be probabilities. With lengths the weights are
    arbitrary, and the next symbol is drawn by the total weight of what may follow it.
    """
    base = distribution.symbols + 1
    contexts = base ** (distribution.size - 1)
    weights = np.exp(distribution.table.reshape(contexts, base))
    begin = contexts - 1  # all digits S
    if not len(distribution.lengths):
        rows = _Rows(weights)
        return lambda n, rng: _until_stop(rows, begin, distribution.symbols, contexts, n, rng, name)
    if len(distribution.lengths) * contexts * distribution.symbols > MOST_CELLS:
        return None
    return _with_lengths(distribution, weights, begin, contexts)


def _until_stop(
    rows: _Rows, begin: int, S: int, contexts: int, n: int, rng: np.random.Generator, name: str
) -> Drawn:
    state = np.full(n, begin)
    alive, lengths = np.arange(n), np.zeros(n, np.int64)
    steps: list[tuple[Any, Any]] = []
    while len(alive):
        drawn = rows.draw(state, rng)
        going = drawn < S
        alive, drawn = alive[going], drawn[going]
        steps.append((alive, drawn))
        lengths[alive] += 1
        state = (state[going] * (S + 1) + drawn) % contexts
        _require_end(len(steps), name)
    return joined(lengths, steps)


def _with_lengths(
    distribution: Windows, weights: Array, begin: int, contexts: int
) -> Sampler | None:
    """Draw the length, then symbols weighted by all their continuations of that length."""
    S, most = distribution.symbols, len(distribution.lengths)
    after = (np.arange(contexts)[:, None] * (S + 1) + np.arange(S)) % contexts
    ahead, scale = weights[:, S].copy(), 0.0
    totals = np.full(most, -np.inf)
    tables = np.zeros((most, contexts, S))
    for left in range(most):
        if left:
            tables[left] = weights[:, :S] * ahead[after]
            ahead = tables[left].sum(axis=1)
        if not (top := ahead.max()) > 0:
            break
        ahead, scale = ahead / top, scale + np.log(top)
        if ahead[begin] > 0:
            totals[left] = np.log(ahead[begin]) + scale + distribution.lengths[left]
    if not np.isfinite(totals).any():
        return None
    chance = np.exp(totals - totals.max())
    chance /= chance.sum()
    rows = _Rows(tables.reshape(most * contexts, S))

    def sample(n: int, rng: np.random.Generator) -> Drawn:
        lengths = rng.choice(most, n, p=chance).astype(np.int64)
        state, steps = np.full(n, begin), []
        for t in range(int(lengths.max(initial=0))):
            alive = np.flatnonzero(lengths > t)
            drawn = rows.draw((lengths[alive] - t) * contexts + state[alive], rng)
            state[alive] = (state[alive] * (S + 1) + drawn) % contexts
            steps.append((alive, drawn))
        return joined(lengths, steps)

    return sample


def hidden_sampler(distribution: Hidden, name: str) -> Sampler | None:
    """Return a sampler of a hidden Markov model."""
    states = len(distribution.start)
    begin, emit = _Rows(distribution.start[None]), _Rows(distribution.emission)
    onward = _Rows(np.column_stack([distribution.transition, distribution.stop]))
    chance: Array | None = None
    if len(distribution.lengths):
        onward = _Rows(distribution.transition)
        chance = np.exp(distribution.lengths - distribution.lengths.max())
        chance[0] *= distribution.empty
        if not chance.sum() > 0:
            return None
        chance /= chance.sum()

    def sample(n: int, rng: np.random.Generator) -> Drawn:
        wanted = None if chance is None else rng.choice(len(chance), n, p=chance)
        alive = np.flatnonzero(
            rng.random(n) >= distribution.empty if wanted is None else wanted > 0
        )
        state = begin.draw(np.zeros(len(alive), np.int64), rng)
        lengths, steps = np.zeros(n, np.int64), []
        while len(alive):
            steps.append((alive, emit.draw(state, rng)))
            lengths[alive] += 1
            state = onward.draw(state, rng)
            going = state < states if wanted is None else wanted[alive] > len(steps)
            alive, state = alive[going], state[going]
            _require_end(len(steps), name)
        return joined(lengths, steps)

    return sample


class _Rows:
    """Draws from the rows of a table of weights, by one binary search for all."""

    def __init__(self, weights: Array) -> None:
        sums = np.cumsum(weights, axis=1)
        total = sums[:, -1:]
        shares = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
        # Row r occupies (r, r + 1]. Behind its last possible entry it is full, exactly.
        last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0, axis=1)
        shares[np.arange(weights.shape[1]) >= last[:, None]] = 1.0
        self._width = weights.shape[1]
        self._edges = (shares + np.arange(len(weights))[:, None]).ravel()

    def draw(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        # Below 1 by enough for rows + u not to round up to the next row.
        u = np.minimum(rng.random(len(rows)), 1 - 2.0**-26)
        found = np.searchsorted(self._edges, rows + u, side="right") - rows * self._width
        return np.asarray(found, dtype=np.int64)


def _require_end(steps: int, name: str) -> None:
    if steps > LONGEST:
        raise DataError(
            f"--target {name}: draws sequences of more than {LONGEST:,} symbols; its stop "
            "probability is too small for --null parametric. Use --null wild"
        )
