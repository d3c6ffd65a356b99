"""Options and wording of alarms that are shared by the sequential tests."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import replace
from typing import Any

from ...betting.detector import KINDS, Detector
from ...betting.starts import log_weight
from ...betting.wealth import Wealth, unmoved
from ...errors import UsageError
from ...params import NULL, option
from ...result import Result, unvarying

# exp of more is no float64.
MOST_LOG = 700.0


def detect(unit: str = "blocks") -> Any:
    return option(
        False,
        "Look for a change at any time, and raise an alarm; false alarms come on average after "
        f"--run-length {unit} or later.",
        section=NULL,
        brief="Look for a change at any time, raise alarms.",
    )


def run_length(unit: str = "blocks") -> Any:
    return option(
        10_000,
        f"With --detect: {unit} until a false alarm, on average, at least.",
        section=NULL,
        brief="With --detect: time until a false alarm.",
    )


def on_alarm() -> Any:
    return option(
        "stop",
        "With --detect, after an alarm: look at no more rows; keep the alarm and go on; or begin "
        "anew, and report later batches by themselves.",
        choices=("stop", "latch", "restart"),
        section=NULL,
    )


def detector() -> Any:
    return option(
        "sr",
        "With --detect: Shiryaev-Roberts, which adds up the evidence of all times of change, or "
        "CUSUM, which takes the largest.",
        choices=KINDS,
        section=NULL,
    )


def check_detection(params: Any) -> None:
    """Refuse options of --detect that cannot be, or that come without it.

    Raises
    ------
    UsageError
    """
    if not 2 <= params.run_length <= 10**12:
        raise UsageError(f"--run-length {params.run_length}: give a whole number from 2 on")
    if params.detect:
        return
    for name, default in (("run_length", 10_000), ("on_alarm", "stop"), ("detector", "sr")):
        if getattr(params, name) != default:
            raise UsageError(f"--{name.replace('_', '-')}: is for --detect")


def check_given(params: Any, given: Set[str]) -> None:
    """Refuse --alpha together with --detect, even at its default.

    Raises
    ------
    UsageError
    """
    if params.detect and "alpha" in given:
        raise UsageError(
            f"--alpha {params.alpha}: --detect has no level, since a monitor that runs for ever "
            "raises a false alarm some day. Say how rare these should be with --run-length NUMBER"
        )


def decisive(result: Result, wealth: Wealth | None) -> Result:
    """Return the result, without a verdict where no bet could win or lose."""
    if result.verdict == "not rejected" and wealth is not None and unmoved(wealth):
        return unvarying(result, "arrangement of the rows", "a column or a block is constant")
    return result


def evidence(
    wealth: Wealth, alpha: float, used: int, row: int, tau: float | None = None
) -> dict[str, Any]:
    """The evidence of a stream, in natural logarithms where it says so.

    With `tau` (`betting.starts`) also what a bet that began now would have to win.
    """
    late = {}
    if tau is not None:
        late = {
            "late_start": {
                "from_row": used + 1,
                "log_e_needed": math.log(1 / alpha) - log_weight(wealth.rounds + 1, tau),
                "log_e_needed_at_first_row": math.log(1 / alpha) - log_weight(1, tau),
            }
        }
    return {
        "log_e": wealth.log_e,
        "largest_log_e": wealth.largest,
        "largest_after_row": wealth.largest_row,
        "log_e_needed": math.log(1 / alpha),
        **late,
        "rows_used": used,
        "bets": wealth.rounds,
        "decided_after_row": row or None,
    }


def alarms(found: Detector, params: Any, used: int, unit: str = "blocks") -> dict[str, Any]:
    """What a detector says."""
    return {
        "statistic": math.exp(min(max(found.log_m, -MOST_LOG), MOST_LOG)),
        "threshold": params.run_length,
        "kind": params.detector,
        "rounds": found.rounds,
        "unit": unit,
        "rows_used": used,
        "alarms": [
            {"after_row": int(row), "probably_began_after_row": int(begun)}
            for row, begun in zip(found.alarms, found.begins, strict=True)
        ],
    }


def numbers(wealth: Wealth | None, found: Detector | None, params: Any) -> dict[str, Any]:
    """The numbers of the Result: evidence of a test, or the statistic of a detector."""
    if found is not None:
        statistic = math.exp(min(max(found.log_m, -MOST_LOG), MOST_LOG))
        return {"statistic": statistic, "threshold": float(params.run_length)}
    assert wealth is not None
    return {
        "p_value": math.exp(-wealth.largest),
        "e_value": math.exp(min(wealth.log_e, MOST_LOG)),
        "threshold": 1 / params.alpha,
    }


def when(found: Detector) -> str:
    """Where the last alarm was, in words."""
    if not len(found.alarms):
        return ""
    many = f" ({len(found.alarms)} alarms so far)" if len(found.alarms) > 1 else ""
    return (
        f"alarm after {int(found.alarms[-1]):,} rows; the change probably began after row "
        f"{int(found.begins[-1]):,}{many}"
    )


def of_this_run(result: Result, state: Any, since: int) -> Result:
    """What a detector that begins anew says of the rows of this run alone.

    Parameters
    ----------
    result : Result
        Of the whole stream.
    state : State
        Of the test, after these rows.
    since : int
        Rows of the stream before them.

    Returns
    -------
    Result
        With --on-alarm restart "rejected" only if there was an alarm after row `since`: an earlier
        one has been dealt with. Otherwise as it was.
    """
    found = result.explanation.get("detector")
    if not found or state.params.on_alarm != "restart" or not since:
        return result
    core = state.core
    new = {int(row) for row in core.detector.alarms if row > since}
    doubtful = {int(row) for row in getattr(core, "doubtful", ())}
    if new - doubtful or not len(core.detector.alarms):
        return result
    if new:
        return replace(result, verdict="no verdict")
    summary = f"no alarm in the rows of this run; before them {when(core.detector)}"
    return replace(
        result, verdict="not rejected", explanation={**result.explanation, "summary": summary}
    )
