"""What the sequential independence test has to say: verdict, evidence, guard, remedies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...betting import guard
from ...betting.blocks import STRENGTHS
from ...betting.features import BANDWIDTHS, WIDEST
from ...betting.starts import horizon
from ...findings import Column, Facts, Finding, Line, Table, number, summary
from ...result import Notice, Result, Verdict
from .detection import MOST_LOG, alarms, decisive, evidence, numbers, scheme_of, when
from .skit_state import State

if TYPE_CHECKING:
    from ...picture import Picture

_SUMMARIES = {
    "rejected": "the blocks are dependent",
    "unsound": "both blocks depend on the time of the row, so dependence cannot be told from that",
    "waits": (
        "the evidence would do, but it may come from the time of the rows rather than from the rows"
    ),
    "": "not enough evidence so far that the blocks depend on each other",
    "none": "too few rows to decide",
}
GUARD_OFF = Notice(
    "guard-off",
    "nobody looked whether rows depend on their time; if both blocks do, they look dependent",
)


def too_few_rows(used: int) -> Notice:
    """Why there is no bet yet."""
    return Notice(
        "too-few-rows",
        f"{used} row{'s' * (used != 1)} used: the first 20 fix units and bandwidths, and bets "
        "begin after that",
    )


def report(state: State) -> Result:
    """Build the Result of a stream so far."""
    core, params = state.core, state.params
    key = _outcome(state)
    verdicts: dict[str, Verdict] = {"rejected": "rejected", "": "not rejected"}
    text = _SUMMARIES[key]
    if core.detector is not None and len(core.detector.alarms):
        text += f"; {when(core.detector)}"
    elif core.verdict:
        text += f"; decided after {core.row:,} rows"
    tau = None if core.verdict else _tau(params)
    scheme = scheme_of(_null(state))
    findings: tuple[Finding, ...] = (
        summary(text),
        Facts("blocks", [list(side) for side in state.sides]),
        evidence(core.wealth, params, scheme, core.used, core.row, tau)
        if core.detector is None
        else alarms(core.detector, params, scheme, core.used),
        *_guarded(state),
        *_neighbours(state),
        *_strongest(state),
    )
    so_far = Result(
        method="skit",
        verdict=verdicts.get(key, "no verdict"),
        alpha=params.alpha,
        **numbers(core.wealth, core.detector, params),
        n={"data": core.used},
        d=sum(map(len, state.sides)),
        columns=tuple(name for side in state.sides for name in side),
        kernel=_kernel(state),
        null=_null(state),
        findings=findings,
        warnings=tuple(_notices(state)),
    )
    return decisive(so_far, core.wealth)


def _outcome(state: State) -> str:
    """A key of `_SUMMARIES`."""
    core = state.core
    if core.detector is None:
        if core.verdict or not core.wealth.rounds:
            return core.verdict or "none"
        # What has crossed the line and is not rejected waits for the guard.
        return "waits" if core.wealth.largest >= math.log(1 / state.params.alpha) else ""
    if len(core.detector.alarms) > len(core.doubtful):
        return "rejected"
    if len(core.doubtful):
        return "unsound"
    return "" if core.detector.rounds else "none"


def _guarded(state: State) -> Iterator[Table]:
    watch = state.core.watch
    if watch is None:
        return
    rows = [
        {
            "block": block,
            "e_value": math.exp(min(float(watch.log_e[k]), MOST_LOG)),
            "flagged_after_row": int(watch.flagged[k]) or None,
        }
        for k, block in enumerate(("x", "y"))
    ]
    seen = [
        f"{row['block']} after row {row['flagged_after_row']:,}"
        for row in rows
        if row["flagged_after_row"]
    ]
    text = f"rows depend on their time in {' and '.join(seen)}" if seen else "nothing seen"
    columns = (
        Column("block", "block"),
        Column("e_value", "e-value"),
        Column("flagged_after_row", "flagged after row"),
    )
    yield Table("guard", rows, columns, "Guard", (Line("guard", text, "evidence"),))


def _neighbours(state: State) -> Iterator[Facts]:
    """Evidence for dependence between rows near each other, and of same rows beyond that."""
    core = state.core
    if core.near is None or core.beyond is None:
        return
    both = {"near": core.near.log_e, "beyond": core.beyond.log_e}
    yield Facts("neighbours", {f"log_e_{name}": value for name, value in both.items()})


def _kernel(state: State) -> dict[str, Any]:
    params = state.params
    some: Any = state.core.pairs or state.core.blocks
    widths = [s.bandwidth if s is not None else None for s in (some.x_scale, some.y_scale)]
    if params.mode == "pairs":
        return {"name": params.kernel, "bandwidths": [widths], "combinations": 1}
    grid = [[None if h is None else WIDEST * h / 2**r for h in widths] for r in range(BANDWIDTHS)]
    return {"name": params.kernel, "bandwidths": grid, "combinations": BANDWIDTHS}


def _strongest(state: State) -> Iterator[Facts]:
    """The bandwidths whose experts won most."""
    core = state.core
    if core.blocks is None or not core.wealth.rounds:
        return
    # Experts are half-lives by bandwidths by strengths.
    best = int(core.wealth.experts.argmax()) // len(STRENGTHS) % BANDWIDTHS
    widths = _kernel(state)["bandwidths"][best]
    text = " and ".join(number(h) for h in widths if h is not None)
    yield Facts(
        "strongest", {"bandwidths": widths}, (Line("kernel", text, "kernel"),) if text else ()
    )


def _null(state: State) -> dict[str, Any]:
    if state.params.mode == "pairs":
        return {"scheme": "swaps within pairs of rows", "replicates": None, "exact": True}
    rows = state.params.block
    return {"scheme": f"permutations of blocks of {rows} rows", "replicates": 99, "exact": True}


def _notices(state: State) -> list[Notice]:
    core, params = state.core, state.params
    outcome = _outcome(state)
    if outcome == "unsound":
        return [Notice("unsound-order", _remedies(state))]
    if outcome == "waits":
        return [Notice("guard-waits", _waiting(state))]
    if outcome == "none":
        return [too_few_rows(core.used)]
    watch = core.watch
    if core.detector is not None and params.guard == "on":
        return []
    if watch is None:
        return [GUARD_OFF]
    flagged = [name for name, row in zip(("x", "y"), watch.flagged, strict=True) if row]
    if flagged and params.guard == "on":
        return [
            Notice(
                "serial-dependence",
                f"the rows of block {flagged[0]} depend on their time (noticed after row "
                f"{int(watch.flagged[watch.flagged > 0][0]):,}); the test holds, since the other "
                "block shows no such sign",
            )
        ]
    return []


def _tau(params: Any) -> float:
    """That of the bets, see `betting.starts`."""
    return horizon(2 if params.mode == "pairs" else params.block * params.strided)


def _waiting(state: State) -> str:
    """Why a stream whose evidence would do is not decided yet."""
    core, least = state.core, guard.LEAST_ROWS
    if core.used < least:
        return f"nothing is decided before row {least}, when the guard has seen enough"
    return (
        "the rows of both blocks may depend on their time: rows near each other look as dependent "
        "as the same rows, or both guards are in doubt. More rows decide. "
        f"{remedies(state.params)}"
    )


def _remedies(state: State) -> str:
    watch = state.core.watch
    noticed = (
        f"at the alarm after row {int(state.core.doubtful[-1]):,}"
        if watch is None
        else (
            f"after rows {int(watch.flagged[0]):,} and {int(watch.flagged[1]):,}, e-value "
            f"{guard.FLAG:g} each"
        )
    )
    return (
        f"the rows of both blocks depend on their time (noticed {noticed}): a common season or "
        f"memory looks like dependence. {remedies(state.params)}"
    )


def remedies(params: Any) -> str:
    """What to try where rows depend on their time."""
    choices = [f"use every N-th row (--thin {2 * max(params.thin, 2)} or more)"]
    if params.mode == "blocks":
        choices.append(f"compare rows far apart (--strided {2 * max(params.strided, 8)})")
    choices.append(
        "take out the season of a calendar column, of mean and spread (--residualise COLUMN)"
    )
    return f"Remedies: {', or '.join(choices)}"


def draw(state: State) -> Picture:
    """Evidence of the test and of the guard over the rows."""
    core, params = state.core, state.params
    guards: list[tuple[str, Any]] = [
        ("guard of x", core.detector_x or core.wealth_x),
        ("guard of y", core.detector_y or core.wealth_y),
    ]
    from .picture import evidence_picture, guard_panel, main_panel

    panels = [main_panel("dependence", core, params)]
    panels += [guard_panel(title, found, params) for title, found in guards if found is not None]
    return evidence_picture(panels, params.detect)
