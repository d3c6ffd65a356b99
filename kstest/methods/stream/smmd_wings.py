"""The default mode of the sequential two-sample test: what its wings have come to, and their words.

See `kstest.betting.wings` for the bets and why the largest of them decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from kstest.frozen import frozen

from ...betting import conformal, starts
from ...betting import wings as bets
from ...betting.blocks import Design
from ...betting.rows import Rows
from ...betting.scores import Scores
from ...betting.wealth import Array, Wealth, recorded, thinned
from ...errors import printable
from ...findings import Facts, Line, number
from ...sample import Columns
from .course import Course
from .detection import MOST_LOG

# Rows after an alarm that are looked at together; the next ones are twice as many.
FIRST_SPAN = 64
# Bets that are named.
BEST = 4


@frozen(kw_only=True)
class Winged(Course):
    """A course of wings: their state, and their evidence or detectors."""

    wings: bets.State | None = None
    evidence: bets.Evidence | None = None
    watch: bets.Watch | None = None


C = TypeVar("C", bound=Winged)


def begun(core: C, design: Design, scores: Scores, reference: Rows) -> C:
    """The course before the first row."""
    state, many = bets.begin(design, scores, reference), len(scores.edges)
    if core.detector is None:
        return replace(core, wings=state, evidence=bets.no_evidence(many))
    return replace(core, wings=state, watch=bets.anew(many, len(state.relay.begun), 0))


def advanced(core: C, params: Any, design: Design, scores: Scores, rows: Rows, known: Rows) -> C:
    """Take more rows of the stream, up to the decision; `known` is the reference."""
    assert core.wings is not None
    state, found = bets.step(design, scores, core.wings, rows, known)
    core = replace(core, wings=state)
    if not len(found.rows):
        return core
    return (
        _settled(core, params, found) if core.detector is None else _followed(core, params, found)
    )


def _settled(core: C, params: Any, found: bets.Found) -> C:
    assert core.evidence is not None
    assert core.wealth is not None
    now, most = bets.settle(core.evidence, found)
    crossed = np.flatnonzero(most >= math.log(1 / params.alpha))
    verdict, row = "", 0
    if len(crossed):
        found = found.part(0, int(crossed[0]) + 1)
        now, most = bets.settle(core.evidence, found)
        verdict, row = "rejected", int(found.rows[-1])
    wealth = recorded(core.wealth, found.rows, most)
    used = int(found.rows[-1])
    return replace(core, evidence=now, wealth=wealth, verdict=verdict, row=row, used=used)


def _followed(core: C, params: Any, found: bets.Found) -> C:
    """Detectors over more rows; after an alarm as `on_alarm` says."""
    assert core.watch is not None
    assert core.detector is not None
    detector, now, level = core.detector, core.watch, math.log(params.run_length)
    alarms, begins = detector.alarms.tolist(), detector.begins.tolist()
    first, span, largest = 0, FIRST_SPAN, detector.largest
    path: list[Array] = []
    while first < len(found.rows):
        part = found.part(first, first + span)
        after, most = bets.watch(now, part, params.detector)
        quiet = params.on_alarm == "latch" and bool(alarms)
        crossed = np.flatnonzero(most >= level)[: 0 if quiet else 1]
        span *= 2
        if len(crossed):
            part = part.part(0, int(crossed[0]) + 1)
            after, most = bets.watch(now, part, params.detector)
            alarms.append(int(part.rows[-1]))
            begins.append(bets.changed(after)[1])
            span = FIRST_SPAN
        now, first = after, first + len(part.rows)
        largest = max(largest, float(most.max()))
        path.append(most)
        if len(crossed) and params.on_alarm == "stop":
            break
        if len(crossed) and params.on_alarm == "restart":
            now = bets.anew(len(now.sums), len(now.relay_sums), int(part.rows[-1]))
            largest = float(now.log_m[0])
    values = np.concatenate(path)
    known = detector.rows, detector.path, detector.stride
    rows, points, stride = thinned(known, detector.rounds, found.rows[:first], values)
    used = int(found.rows[first - 1])
    detector = replace(
        detector,
        rounds=detector.rounds + first,
        last=used,
        log_m=float(values[-1]),
        largest=largest,
        alarms=np.array(alarms[-100:], np.int64),
        begins=np.array(begins[-100:], np.int64),
        rows=rows,
        path=points,
        stride=stride,
    )
    core = replace(core, detector=detector, watch=now, used=used)
    stopped = params.on_alarm == "stop" and bool(alarms)
    return replace(core, verdict="rejected", row=used) if stopped else core


def names(columns: Columns) -> list[str]:
    """The wings in their order, for people."""
    found = ["novelty", *(f"column {name}" for name in columns.names)]
    if columns.missing:
        found += [f"missing cells of {name}" for name in columns.numeric]
    return [*found, "relay"]


def numbers(wealth: Wealth) -> dict[str, float]:
    """The numbers of the Result: the largest weighted wealth, its p-value, the e-value of that."""
    p = math.exp(-wealth.largest)
    return {
        "statistic": math.exp(min(wealth.log_e, MOST_LOG)),
        "p_value": p,
        "e_value": 0.5 * math.exp(min(0.5 * wealth.largest, MOST_LOG)),
    }


def evidence(core: Winged, params: Any, scheme: str, columns: Columns) -> Facts:
    """The finding ``evidence``: that of every wing, in natural logarithms."""
    now, wealth = core.evidence, core.wealth
    assert now is not None
    assert wealth is not None
    shares = bets.log_shares(len(now.begun))
    best = int(np.argmax(now.largest + shares))
    listed = zip(names(columns), shares, now.log_w, now.largest, strict=True)
    needed = math.log(1 / params.alpha)
    value: dict[str, Any] = {
        "log_weighted_wealth": wealth.log_e,
        "largest_log_weighted_wealth": wealth.largest,
        "largest_after_row": wealth.largest_row,
        "log_needed": needed,
        "rows_used": core.used,
        "bets": wealth.rounds,
        "decided_after_row": core.row or None,
        "strongest": names(columns)[best],
        "late_change_needs_log": late_change(needed, core.used),
        "wings": [
            {
                "name": name,
                "share": math.exp(share),
                "log_wealth": float(w),
                "largest_log_wealth": float(largest),
            }
            for name, share, w, largest in listed
        ],
    }
    return Facts("evidence", value, tuple(_lines(wealth, value, params, scheme)))


def _lines(wealth: Wealth, value: dict[str, Any], params: Any, scheme: str) -> Iterator[Line]:
    """The largest weighted wealth of several bets, and the bets that came farthest."""
    found = numbers(wealth)
    most = number(math.exp(min(wealth.largest, MOST_LOG)))
    ranked = sorted(value["wings"], key=lambda w: -math.log(w["share"]) - w["largest_log_wealth"])
    parts = [
        f"{printable(w['name'])} "
        f"{number(w['share'] * math.exp(min(w['largest_log_wealth'], MOST_LOG)))}"
        for w in ranked[:BEST]
    ]
    more = f", and {len(ranked) - BEST} more" if len(ranked) > BEST else ""
    needed = value["late_change_needs_log"]
    late = (
        f"from row {value['rows_used'] + 1:,} on: found when the bets on it have won about "
        f"{number(math.exp(needed))} times their stake ({needed:.1f} nats)"
    )
    level = f"{number(found['p_value'])}, valid at any time; level {number(params.alpha)}"
    yield Line(
        "evidence",
        f"{number(found['statistic'])}, at most {most} (after {wealth.largest_row:,} rows); "
        f"{number(1 / params.alpha)} rejects",
        "evidence",
    )
    yield Line("best bets", ", ".join(parts) + more, "evidence")
    yield Line("p-value", level, "evidence")
    yield Line("e-value", f"{number(found['e_value'])}, from the p-value", "evidence")
    yield Line("late change", late, "evidence", only=("not rejected", "no verdict"))
    yield Line("bets", f"{wealth.rounds:,}, {scheme}, seed {params.seed}", "evidence")


def late_change(needed: float, row: int) -> float:
    """ln of what a bet of novelty has to win on a change that begins after `row`, about."""
    return needed + math.log(3) - starts.log_weight(row + 1, conformal.TAU)
