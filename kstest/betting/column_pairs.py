"""All pairs of columns of one stream: the bets of `blocks`, and e-BH over the pairs' wealths.

Pair (a, b), a before b in the file, is bet on as `blocks` does with x = a and y = b, to the last
bit, but what depends on one column is computed once for all of its pairs: features, their sums, and
the guard. A column that comes first in some pairs and second in others has a `Margin` for each
place, since x and y have frequencies of their own. The arrangements of a block are those of its
number, the same for all pairs.

**Which wealths.** The blocks of all pairs end at the same rows. If hypothesis (a, b) is true in the
sense of `blocks` *given the earlier rows of all columns*, as it is where rows are independent, then
its wealth is a martingale in what is known of all columns at the ends of blocks, however the pairs
depend on each other. After every block the pairs are

- without a verdict from the row on where the guard has flagged both columns; their evidence counts
  as nothing from then on: that row may lie within a block whose bet is then never settled, and a
  wealth that is kept because the next factor looks bad is none to be counted;
- in doubt while both columns have a guard wealth of at least `guard.DOUBT`, while the dependence
  may go with the time (`lagged.sure`), or before row `guard.LEAST_ROWS`: their evidence counts as
  at most 1 for as long;
- rejected where `ebh.rejected` says so of this evidence. A rejected pair is stopped: it keeps the
  wealth it has, and takes no more work.

So what counts is never more than the wealth would be if all bets but those of rejected pairs went
on. Smaller evidence is evidence, and stopped martingales are martingales, so by `ebh` the rejected
pairs have a false discovery rate of at most alpha at every time at which one likes to look, and
over the whole stream; none is taken back. Running maxima would not do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import blocks, ebh, guard, lagged, loops, starts
from .blocks import Design
from .column_margins import Margin, Side
from .features import BANDWIDTHS, points
from .rows import Rows

Array = NDArray[np.float64]
Index = NDArray[np.int64]

OPEN, REJECTED, UNSOUND = 0, 1, 2


@frozen
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    start, windows, weight
        As in `blocks.State`.
    firsts, seconds : tuple of Margin
        Columns 0 to d - 2 as x, and columns 1 to d - 1 as y.
    open : ndarray of int64 (a,)
        Pairs that are not decided, in the order of `pairs`.
    joint : ndarray (a, H, R, 2, D)
    experts : ndarray (a, games, E)
        Log wealths of what the experts of open pairs have begun to bet.
    near, beyond : ndarray (m,)
        Log wealths of `lagged`; 0 where the design has none.
    log_e, largest : ndarray (m,)
        Log wealth of every pair now, or where it was decided, and its maximum, at least 0.
    outcome : ndarray of int64 (m,)
        `OPEN`, `REJECTED` or `UNSOUND`.
    row : ndarray of int64 (m,)
        Where that was decided, or 0.
    guards : ndarray (m, 2)
        The guard's evidence about both columns then, or now.
    flagged : ndarray of int64 (m, 2)
        Rows where the guard had flagged them by then, or 0.
    """

    start: int
    windows: int
    weight: Array
    firsts: tuple[Margin, ...]
    seconds: tuple[Margin, ...]
    open: Index
    joint: Array
    experts: Array
    log_e: Array
    near: Array
    beyond: Array
    largest: Array
    outcome: Index
    row: Index
    guards: Array
    flagged: Index


def pairs(columns: int) -> Index:
    """Places of both columns of every pair among the firsts and the seconds, (m, 2)."""
    found = [(i, j - 1) for i, j in combinations(range(columns), 2)]
    return np.array(found, np.int64).reshape(-1, 2)


def begin(design: Design, columns: Sequence[Rows], guarded: bool) -> State:
    """The state before the first row; `columns` shows them, one Rows each."""
    m, H = len(pairs(len(columns))), len(design.half_lives)
    shape = (H, BANDWIDTHS, 2, design.features)
    sides = [
        tuple(
            Margin(
                rows.values[:0],
                rows.marks[:0],
                None,
                np.zeros(shape),
                guard.begin(rows) if guarded else None,
                starts.begin(guard.EXPERTS),
            )
            for rows in part
        )
        for part in (columns[:-1], columns[1:])
    ]
    return State(
        start=0,
        windows=0,
        weight=np.zeros(H),
        firsts=sides[0],
        seconds=sides[1],
        open=np.arange(m),
        joint=np.zeros((m, *shape)),
        experts=np.tile(starts.begin(design.experts), (m, design.games, 1)),
        log_e=np.zeros(m),
        near=np.zeros(m),
        beyond=np.zeros(m),
        largest=np.zeros(m),
        outcome=np.zeros(m, np.int64),
        row=np.zeros(m, np.int64),
        guards=np.zeros((m, 2)),
        flagged=np.zeros((m, 2), np.int64),
    )


def counted(state: State, row: int, guarded: bool) -> Array:
    """Log evidence of every pair as it counts after `row`: at most 0 where there is doubt, and
    -inf without a verdict."""
    counts = np.where(state.outcome == UNSOUND, -np.inf, state.log_e)
    if not guarded:
        return counts
    unsure = (state.guards >= math.log(guard.DOUBT)).all(axis=1) | (row < guard.LEAST_ROWS)
    unsure |= ~lagged.sure(state.near, state.beyond)
    return np.where(unsure & (state.outcome == OPEN), np.minimum(counts, 0.0), counts)


def step(
    design: Design, state: State, columns: Sequence[Rows], level: float, guarded: bool
) -> tuple[State, Index, Array]:
    """Take more rows, up to the one where every pair is decided.

    Parameters
    ----------
    design : Design
    state : State
    columns : sequence of Rows
        The new rows of every column.
    level : float
        log(1 / alpha), of the false discovery rate.
    guarded : bool

    Returns
    -------
    state : State
    ends : ndarray of int64 (t,)
        Rows of the stream up to the end of each block.
    values : ndarray (t,)
        `ebh.largest` of the evidence that counts, after each block.
    """
    table = _Table(design, state, columns)
    ends, values = [], []
    for end in table.blocks():
        table.heed_guard(end)
        if not len(table.open):
            break
        table.bet()
        values.append(table.decide(end, level, guarded))
        ends.append(end)
        if not len(table.open):
            break
    if len(table.open):
        table.heed_guard(table.rows)
    return table.kept(), np.array(ends, np.int64), np.array(values)


class _Table:
    """The pairs while rows are taken; `State` is what is kept between."""

    def __init__(self, design: Design, state: State, columns: Sequence[Rows]) -> None:
        self.design, self.windows, self.start = design, state.windows, state.start
        self.state, self.open, self.pairs = state, state.open, pairs(len(columns))
        self.joint, self.experts = state.joint.copy(), state.experts.copy()
        self.log_e, self.largest = state.log_e.copy(), state.largest.copy()
        self.near, self.beyond = state.near.copy(), state.beyond.copy()
        self.outcome, self.row = state.outcome.copy(), state.row.copy()
        self.guards, self.flagged = state.guards.copy(), state.flagged.copy()
        self.weight = state.weight.copy()
        self.place = np.arange(len(state.open))  # of an open pair in `joint` and `experts`
        places = ((state.firsts, columns[:-1], 1), (state.seconds, columns[1:], 2))
        needed = self.needed()
        self.sides = [
            [
                Side(design, margin, rows, place, k in needed[place - 1])
                for k, (margin, rows) in enumerate(zip(margins, some, strict=True))
            ]
            for margins, some, place in places
        ]
        self.used = self.in_use()
        self.length = len(self.used[0].rows) if self.used else 0
        self.rows = self.start + self.length
        self.looks = self.used[0].looks if self.used else np.empty(0, np.int64)
        self.look = 0
        self.done = 0  # rows that need not be kept
        self.scratch = np.zeros((2, *state.joint.shape[1:]))

    def needed(self) -> tuple[set[int], set[int]]:
        """Columns of open pairs, in either place."""
        return set(self.pairs[self.open, 0].tolist()), set(self.pairs[self.open, 1].tolist())

    def in_use(self) -> list[Side]:
        needed = self.needed()
        return [s for p in (0, 1) for k, s in enumerate(self.sides[p]) if k in needed[p]]

    def blocks(self) -> Iterator[int]:
        """Go through the blocks that are complete; yields the row where each ends."""
        if not self.used or (not self.warmed() and self.length < blocks.WARM_UP):
            return
        if not self.warmed():
            for side in self.used:
                side.warm(blocks.WARM_UP)
                side.points = points(side.circle().angles(side.rows[: blocks.WARM_UP]))
            self.learn(blocks.WARM_UP)
            self.done = blocks.WARM_UP
        while True:
            rows = self.design.stride * self.design.window(self.windows)
            if self.done + rows > self.length:
                return
            # Angles of a slice of whole windows at a time; a row's depend on that row only.
            most = max(blocks.SLICE // len(self.used), rows)
            upto, offset = min(self.length, self.done + most), self.done
            for side in self.used:
                side.angles = side.circle().angles(side.rows[offset:upto])
            while self.done + rows <= upto:
                window = slice(self.done - offset, self.done - offset + rows)
                for side in self.used:
                    side.points = points(side.angles[window])
                self.done += rows
                yield self.start + self.done
                self.windows += 1
                rows = self.design.stride * self.design.window(self.windows)

    def warmed(self) -> bool:
        return self.used[0].scale is not None

    def bet(self) -> None:
        """Settle the bets on the block that has ended, and learn from it."""
        orders = blocks.arrangements(self.design, self.windows)
        wealths = (self.log_e, self.near, self.beyond)[: self.design.games]
        for k, pair in zip(self.place, self.open, strict=True):
            x, y = self.both(int(pair))
            witness = self.joint[k], x.sums, y.sums, self.weight
            factors = blocks.factors(self.design, orders, x.points, y.points, witness)
            parts = np.split(factors[None], self.design.games, axis=1)
            for begun, part, log_e in zip(self.experts[k], parts, wealths, strict=True):
                more = starts.settle(begun, self.windows, part, self.design.tau)
                begun[:], log_e[pair] = more[0], more[1][0]
        self.largest = np.maximum(self.largest, self.log_e)
        self.learn(orders.shape[0] * orders.shape[2])

    def learn(self, rows: int) -> None:
        keep = blocks.fading(self.design, rows)
        for k, pair in zip(self.place, self.open, strict=True):
            x, y = self.both(int(pair))
            loops.add_joint(*x.points, *y.points, keep, self.joint[k], *self.scratch)
        for side in self.used:
            side.learn(keep)
        self.weight = self.weight * keep + rows

    def both(self, pair: int) -> tuple[Side, Side]:
        i, j = self.pairs[pair]
        return self.sides[0][i], self.sides[1][j]

    def heed_guard(self, upto: int) -> None:
        """Take what the guard said up to a row."""
        while self.look < len(self.looks) and self.looks[self.look] <= upto and len(self.open):
            for side in self.used:
                side.heed(self.look)
            for pair in self.open:
                sides = self.both(int(pair))
                self.guards[pair] = [side.log_e for side in sides]
                self.flagged[pair] = [side.flagged for side in sides]
            unsound = (self.flagged[self.open] > 0).all(axis=1)
            self.close(unsound, UNSOUND, int(self.looks[self.look]))
            self.look += 1

    def decide(self, end: int, level: float, guarded: bool) -> float:
        """e-BH over the evidence after a block; returns log of the largest k e_(k) / m."""
        now = replace(
            self.state,
            log_e=self.log_e,
            near=self.near,
            beyond=self.beyond,
            guards=self.guards,
            outcome=self.outcome,
        )
        evidence = counted(now, end, guarded)
        found = ebh.rejected(evidence, level)
        self.close(found[self.open], REJECTED, end)
        return ebh.largest(evidence)

    def close(self, decided: Any, outcome: int, row: int) -> None:
        """Stop open pairs."""
        if decided.any():
            gone = self.open[decided]
            self.outcome[gone], self.row[gone] = outcome, row
            self.open, self.place = self.open[~decided], self.place[~decided]
            self.used = self.in_use()

    def kept(self) -> State:
        sides = [
            tuple(side.kept(self.done, k in needed) for k, side in enumerate(part))
            for part, needed in zip(self.sides, self.needed(), strict=True)
        ]
        return State(
            self.start + self.done,
            self.windows,
            self.weight,
            sides[0],
            sides[1],
            self.open,
            self.joint[self.place],
            self.experts[self.place],
            self.log_e,
            self.near,
            self.beyond,
            self.largest,
            self.outcome,
            self.row,
            self.guards,
            self.flagged,
        )
