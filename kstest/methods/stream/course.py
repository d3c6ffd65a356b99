"""What a stream under one guard has come to: evidence or alarms, and how to say it.

For the sequential tests of one block of columns, `smmd` and `sksd`. The test of independence has a
guard on either side, and its own rules (`skit_core`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from kstest.frozen import frozen

from ...betting import guard
from ...betting.decision import Ends
from ...betting.detector import Detector, follow
from ...betting.detector import begin as begin_detector
from ...betting.rows import Rows
from ...betting.wealth import Array, Wealth, settle
from ...betting.wealth import begin as begin_wealth
from ...findings import Finding, summary
from ...picture import Picture
from ...result import Verdict
from . import detection
from .picture import E_VALUE, evidence_picture, guard_panel, main_panel


@frozen(kw_only=True)
class Course:
    """What is kept of the rows so far, besides what the bets learned.

    Attributes
    ----------
    rows, used : int
        Rows of the stream that arrived, and that were used.
    verdict : {'', 'rejected'}
    row : int
        Used rows when that was decided.
    wealth, detector : Wealth or None, Detector or None
        One of them, as `detect` says.
    """

    rows: int = 0
    used: int = 0
    verdict: str = ""
    row: int = 0
    wealth: Wealth | None
    detector: Detector | None
    guard: guard.State
    guard_wealth: Wealth

    @property
    def rounds(self) -> int:
        """Bets that were settled."""
        return (self.detector or self.wealth or begin_wealth(1)).rounds

    @property
    def alarmed(self) -> bool:
        """Whether there was a rejection or an alarm."""
        return bool(self.verdict) or (self.detector is not None and len(self.detector.alarms) > 0)


C = TypeVar("C", bound=Course)


def opening(params: Any, experts: int, rows: Rows) -> dict[str, Any]:
    """The fields of a `Course` before the first row; `rows` shows the columns."""
    return {
        "wealth": None if params.detect else begin_wealth(experts),
        "detector": begin_detector(experts) if params.detect else None,
        "guard": guard.begin(rows),
        "guard_wealth": begin_wealth(guard.EXPERTS),
    }


def settled(core: C, params: Any, ends: Ends, factors: Array, used: int, tau: float) -> C:
    """Take the log factors of more rounds, up to the decision, else up to row `used`.

    `tau` is that of `betting.starts`.
    """
    if core.detector is not None:
        found = _followed(core.detector, params, ends, factors, params.on_alarm)[0]
        core = replace(core, detector=found, used=used)
        if params.on_alarm == "stop" and len(found.alarms):
            row = int(found.alarms[-1])
            return replace(core, verdict="rejected", row=row, used=row)
        return core
    assert core.wealth is not None
    wealth, path = settle(core.wealth, ends, factors, tau)
    crossed = np.flatnonzero(path >= math.log(1 / params.alpha))
    if not len(crossed):
        return replace(core, wealth=wealth, used=used)
    n = int(crossed[0]) + 1
    wealth, _ = settle(core.wealth, ends[:n], factors[:n], tau)
    row = int(ends[n - 1])
    return replace(core, wealth=wealth, verdict="rejected", row=row, used=row)


def until_alarm(core: Course, params: Any, ends: Ends, factors: Array) -> int:
    """How many of more rounds a detector takes until its next alarm; all, where none comes."""
    assert core.detector is not None
    return len(_followed(core.detector, params, ends, factors, "stop")[1])


def _followed(
    found: Detector, params: Any, ends: Ends, factors: Array, mode: str
) -> tuple[Detector, Array]:
    return follow(found, ends, factors, math.log(params.run_length), params.detector, mode)


def guarded(core: C, params: Any, rows: Rows) -> C:
    """Show the guard the rows that came last, of which those up to `core.used` count."""
    seen, ends, factors = guard.step(core.guard, rows, 4 * params.seed + 1)
    within = ends <= core.used
    kept, _ = settle(core.guard_wealth, ends[within], factors[within], guard.tau())
    return replace(core, guard=seen, guard_wealth=kept)


def flagged(core: Course) -> bool:
    """Whether the guard saw that rows depend on their time."""
    return core.guard_wealth.largest >= math.log(guard.FLAG)


def finding(
    core: Course,
    params: Any,
    begun: bool,
    words: Mapping[str, str],
    scheme: str,
    unit: str = "blocks",
    tau: float | None = None,
) -> tuple[Verdict, list[Finding]]:
    """Verdict and findings.

    Parameters
    ----------
    core : Course
    params : Params
    begun : bool
        Whether there were rows enough for a bet.
    words : mapping
        A summary for every verdict, and for "alarm".
    scheme : str
        What bets rest on, as the result's ``null`` has it.
    unit : {'blocks', 'rows'}
        What is a round.
    tau : float or None
        See `detection.evidence`.
    """
    found: Verdict = "not rejected" if begun and core.rounds else "no verdict"
    if core.alarmed:
        found = "rejected"
    text = words[found]
    if core.detector is not None and core.alarmed:
        text = f"{words['alarm']}; {detection.when(core.detector)}"
    elif core.verdict:
        text += f"; decided after {core.row:,} rows"
    findings: list[Finding] = [summary(text)]
    if core.detector is not None:
        findings.append(detection.alarms(core.detector, params, scheme, core.used, unit))
    if core.wealth is not None:
        late = None if core.verdict else tau
        findings.append(detection.evidence(core.wealth, params, scheme, core.used, core.row, late))
    return found, findings


def drawing(core: Course, params: Any, title: str, label: str = E_VALUE) -> Picture:
    """How the evidence of the test and of its guard grew."""
    main = main_panel(title, core, params, label)
    panels = [main, guard_panel("guard", core.guard_wealth, params)]
    return evidence_picture(panels, params.detect, label)
