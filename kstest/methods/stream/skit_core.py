"""The state of a stream under the sequential independence test, and how it takes rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ...betting import blocks, column_pairs, decision, guard, lagged, pairs
from ...betting.detector import Detector, follow
from ...betting.detector import begin as begin_detector
from ...betting.rows import Rows
from ...betting.wealth import Array, Wealth, recorded, settle
from ...betting.wealth import begin as begin_wealth
from .season import Season, begin_season

Design = blocks.Design | pairs.Design


@frozen
class Bets:
    """What does not change over a stream.

    Attributes
    ----------
    design : Design
    level : float
        log(1 / alpha).
    seed : int
    stride : int
    guarded, seasonal : bool
    alarm : object or None
        With the options `run_length`, `on_alarm` and `detector` of an e-detector.
    """

    design: Design
    level: float
    seed: int
    stride: int
    guarded: bool
    seasonal: bool
    alarm: Any = None


def no_rows() -> decision.Ends:
    return np.empty(0, np.int64)


@frozen
class Core:
    """What is kept of the rows so far; a state file holds this and nothing else of the stream.

    Attributes
    ----------
    rows : int
        Rows that arrived, among them those that --thin and --residualise leave out.
    used : int
        Rows that were bet on or learned.
    verdict : {'', 'rejected', 'unsound'}
    row : int
        Used rows when that was decided. Later rows are not looked at.
    wealth : Wealth
        With all pairs of columns: that of e-BH, max_k k e_(k) / m.
    every : column_pairs.State or None
        All pairs of columns.
    doubtful : ndarray of int64
        Rows of alarms at which the guard saw a pattern in time on both sides.
    near, beyond : Wealth or None
        Whether the dependence goes with the time; see `betting.lagged`.
    """

    rows: int
    used: int
    verdict: str
    row: int
    wealth: Wealth
    blocks: blocks.State | None = None
    pairs: pairs.State | None = None
    guard_x: guard.State | None = None
    guard_y: guard.State | None = None
    wealth_x: Wealth | None = None
    wealth_y: Wealth | None = None
    watch: decision.Watch | None = None
    near: Wealth | None = None
    beyond: Wealth | None = None
    season: Season | None = None
    every: column_pairs.State | None = None
    detector: Detector | None = None
    detector_x: Detector | None = None
    detector_y: Detector | None = None
    doubtful: decision.Ends = field(default_factory=no_rows)


def begin(how: Bets, x: Rows, y: Rows) -> Core:
    """The state before the first row; `x` and `y` show the columns."""
    core = Core(0, 0, "", 0, begin_wealth(how.design.experts))
    if how.alarm is not None:
        core = replace(core, detector=begin_detector(how.design.experts))
    if isinstance(how.design, pairs.Design):
        core = replace(core, pairs=pairs.begin(how.design, x, y))
    else:
        core = replace(core, blocks=blocks.begin(how.design, x, y))
    if how.guarded:
        core = replace(core, guard_x=guard.begin(x), guard_y=guard.begin(y))
    if how.guarded and how.alarm is not None:
        watching = begin_detector(guard.EXPERTS)
        core = replace(core, detector_x=watching, detector_y=watching)
    elif how.guarded:
        core = replace(
            core,
            wealth_x=begin_wealth(guard.EXPERTS),
            wealth_y=begin_wealth(guard.EXPERTS),
            watch=decision.begin(),
        )
        if how.design.games > 1:
            one = begin_wealth(how.design.experts)
            core = replace(core, near=one, beyond=one)
    if how.seasonal:
        core = replace(core, season=begin_season(x.values.shape[1] + y.values.shape[1]))
    return core


def begin_pairs(how: Bets, columns: Sequence[Rows]) -> Core:
    """The same for all pairs of columns."""
    assert isinstance(how.design, blocks.Design)
    core = Core(0, 0, "", 0, begin_wealth(0))
    if how.seasonal:
        core = replace(core, season=begin_season(sum(c.values.shape[1] for c in columns)))
    return replace(core, every=column_pairs.begin(how.design, columns, how.guarded))


def advance_pairs(how: Bets, core: Core, columns: Sequence[Rows]) -> Core:
    """Take rows that are used, up to the one where every pair of columns is decided."""
    assert core.every is not None
    assert isinstance(how.design, blocks.Design)
    every, ends, values = column_pairs.step(how.design, core.every, columns, how.level, how.guarded)
    core = replace(core, every=every, wealth=recorded(core.wealth, ends, values))
    if len(every.open):
        return replace(core, used=core.used + len(columns[0]))
    verdict = "rejected" if (every.outcome == column_pairs.REJECTED).any() else "unsound"
    row = int(every.row.max())
    return replace(core, used=row, verdict=verdict, row=row)


def advance(how: Bets, core: Core, x: Rows, y: Rows) -> Core:
    """Take rows that are used, up to the decision."""
    if core.detector is not None:
        return _watch(how, core, x, y)
    before = [w for w in (core.wealth, core.near, core.beyond) if w is not None]
    core, ends, factors = _bet(how.design, core, x, y)
    games = np.split(factors, how.design.games, axis=1)
    tau = how.design.tau
    after = [settle(w, ends, game, tau) for w, game in zip(before, games, strict=True)]
    guards = _guards(how, core, x, y)
    margins = None if guards is None else (guards[0].look, guards[1].look)
    test = decision.Look(ends, after[0][1])
    neighbours = (after[1][1], after[2][1]) if len(after) == lagged.GAMES else None
    found = before[0].largest, core.watch, margins, neighbours
    verdict, row = decision.decide(how.level, test, *found)
    if row:  # evidence after the decision does not count
        within = ends <= row
        kept = zip(before, games, strict=True)
        after = [settle(w, ends[within], game[within], tau) for w, game in kept]
    used = row or core.used + len(x)
    core = replace(core, used=used, verdict=verdict, row=row, wealth=after[0][0])
    if neighbours is not None:
        core = replace(core, near=after[1][0], beyond=after[2][0])
    if guards is None or margins is None or core.watch is None:
        return core
    return replace(
        core,
        guard_x=guards[0].state,
        guard_y=guards[1].state,
        wealth_x=guards[0].settled(used),
        wealth_y=guards[1].settled(used),
        watch=decision.watched(core.watch, margins, used),
    )


def _watch(how: Bets, core: Core, x: Rows, y: Rows) -> Core:
    """Take rows under a detector, up to the alarm that ends it.

    The guard's wealths become detectors of their own; where both stand above the square root of
    the run length at an alarm, that alarm is doubtful.
    """
    assert core.detector is not None
    detector = core.detector
    core, ends, factors = _bet(how.design, core, x, y)
    level, kind = math.log(how.alarm.run_length), how.alarm.detector
    found, _ = follow(detector, ends, factors, level, kind, how.alarm.on_alarm)
    # By row: the oldest alarms are forgotten, so how many there are says nothing.
    new = found.alarms[found.alarms > detector.last]
    ended = how.alarm.on_alarm == "stop" and len(found.alarms) > 0
    used = int(found.alarms[-1]) if ended else core.used + len(x)
    if core.guard_x is not None and core.guard_y is not None:
        seen_x = guard.step(core.guard_x, x, 4 * how.seed + 1, how.stride)
        seen_y = guard.step(core.guard_y, y, 4 * how.seed + 2, how.stride)
        assert core.detector_x is not None
        assert core.detector_y is not None
        after, paths = [], []
        for standing, (_, guard_ends, guard_factors) in (
            (core.detector_x, seen_x),
            (core.detector_y, seen_y),
        ):
            within = guard_ends <= used
            looked = guard_ends[within], guard_factors[within]
            state, path = follow(standing, *looked, math.inf, kind, "latch")
            after.append(state)
            paths.append((looked[0], np.concatenate([[standing.log_m], path])))
        heights = [p[np.searchsorted(e, new, "right")] for e, p in paths]
        doubt = (np.array(heights) >= level / 2).all(axis=0)
        doubtful = np.concatenate([core.doubtful, new[doubt]])
        core = replace(
            core,
            guard_x=seen_x[0],
            guard_y=seen_y[0],
            detector_x=after[0],
            detector_y=after[1],
            doubtful=doubtful[np.isin(doubtful, found.alarms)],
        )
    verdict = "" if not ended else "unsound" if len(core.doubtful) else "rejected"
    return replace(core, detector=found, verdict=verdict, row=used if ended else 0, used=used)


def _bet(design: Design, core: Core, x: Rows, y: Rows) -> tuple[Core, decision.Ends, Array]:
    if isinstance(design, pairs.Design):
        assert core.pairs is not None
        some, ends, factors = pairs.step(design, core.pairs, x, y)
        return replace(core, pairs=some), ends, factors
    assert core.blocks is not None
    state, ends, factors = blocks.step(design, core.blocks, x, y)
    return replace(core, blocks=state), ends, factors


@frozen
class _Guarded:
    """The guard of one margin after more rows, and how to stop it earlier."""

    state: guard.State
    look: decision.Look
    before: Wealth
    factors: Array
    tau: float

    def settled(self, upto: int) -> Wealth:
        within = self.look.ends <= upto
        return settle(self.before, self.look.ends[within], self.factors[within], self.tau)[0]


def _guards(how: Bets, core: Core, x: Rows, y: Rows) -> tuple[_Guarded, _Guarded] | None:
    if core.guard_x is None or core.guard_y is None:
        return None
    assert core.wealth_x is not None
    assert core.wealth_y is not None
    return (
        _guarded(core.guard_x, core.wealth_x, x, 4 * how.seed + 1, how.stride),
        _guarded(core.guard_y, core.wealth_y, y, 4 * how.seed + 2, how.stride),
    )


def _guarded(state: guard.State, before: Wealth, rows: Rows, seed: int, stride: int) -> _Guarded:
    state, ends, factors = guard.step(state, rows, seed, stride)
    tau = guard.tau(stride)
    _, path = settle(before, ends, factors, tau)
    return _Guarded(state, decision.Look(ends, path), before, factors, tau)
