"""Options and wording of alarms that are shared by the sequential tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ...betting.detector import KINDS, Detector
from ...betting.starts import log_weight
from ...betting.wealth import Wealth, unmoved
from ...errors import UsageError
from ...findings import Facts, Line, number, summary
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


def scheme_of(null: Mapping[str, Any]) -> str:
    """What bets rest on, from `Result.null`."""
    replicates, scheme = null.get("replicates"), null.get("scheme")
    return f"{replicates} x {scheme}" if replicates else str(scheme)


def evidence(
    wealth: Wealth,
    params: Any,
    scheme: str,
    used: int,
    row: int,
    tau: float | None = None,
    thresholds: Sequence[float] | None = None,
) -> Facts:
    """The finding ``evidence``: that of a stream, in natural logarithms where it says so.

    With `tau` (`betting.starts`) also what a bet that began now would have to win; with
    `thresholds` the e-values that e-BH asks of each of 1, 2, ... pairs.
    """
    alpha = params.alpha
    late: dict[str, Any] = {}
    if tau is not None:
        late = {
            "late_start": {
                "from_row": used + 1,
                "log_e_needed": math.log(1 / alpha) - log_weight(wealth.rounds + 1, tau),
                "log_e_needed_at_first_row": math.log(1 / alpha) - log_weight(1, tau),
            }
        }
    value = {
        "log_e": wealth.log_e,
        "largest_log_e": wealth.largest,
        "largest_after_row": wealth.largest_row,
        "log_e_needed": math.log(1 / alpha),
        **late,
        "rows_used": used,
        "bets": wealth.rounds,
        "decided_after_row": row or None,
        **({} if thresholds is None else {"pair_thresholds": list(thresholds)}),
    }
    said = numbers(wealth, None, params)
    most = number(math.exp(min(wealth.largest, MOST_LOG)))
    texts = [
        (
            "e-value",
            f"{number(said['e_value'])}, at most {most} (after {wealth.largest_row:,} rows); "
            f"{number(said['threshold'])} rejects{_ranks(thresholds)}",
        ),
        ("p-value", f"{number(said['p_value'])}, valid at any time; level {number(alpha)}"),
        ("bets", f"{wealth.rounds:,}, {scheme}, seed {params.seed}"),
    ]
    lines = [Line(label, text, "evidence") for label, text in texts]
    if late:
        lines.append(
            Line("late change", _late(**late["late_start"]), "evidence", only=("not rejected",))
        )
    return Facts("evidence", value, tuple(lines))


def _late(from_row: int, log_e_needed: float, log_e_needed_at_first_row: float) -> str:
    own = number(math.exp(min(log_e_needed, MOST_LOG)))
    return (
        f"one from row {from_row:,} on rejects once its own rows win e-value {own} or less, "
        f"{log_e_needed:.3g} nats; from the first row on {log_e_needed_at_first_row:.3g}"
    )


def _ranks(least: Sequence[float] | None) -> str:
    """What e-BH asks of one pair, of each of two, ..., of all."""
    if not least or len(least) < 2:
        return ""
    more = [f"{number(value)} each for {k}" for k, value in enumerate(least[1:-1][:2], 2)]
    words = [f"one pair needs {number(least[0])}", *more]
    words += ["..."] * (len(least) > 4) + [f"{number(least[-1])} each for all {len(least)}"]
    return f" some: {', '.join(words)}"


def alarms(found: Detector, params: Any, scheme: str, used: int, unit: str = "blocks") -> Facts:
    """The finding ``detector``."""
    value = {
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
    kind = {"sr": "Shiryaev-Roberts", "cusum": "CUSUM"}[params.detector]
    rare = f"{params.run_length:,}"
    text = (
        f"{kind} {number(value['statistic'])} after {found.rounds:,} {unit}; alarm from {rare} on, "
        f"so false alarms are {rare} {unit} apart or more, on average"
    )
    last = zip(found.alarms[-5:], found.begins[-5:], strict=True)
    meaning = (
        f"An alarm was raised. While nothing changes, alarms are {rare} {unit} apart or more, on "
        "average."
    )
    lines = [
        Line("statistic", text, "evidence"),
        *(
            Line(
                "alarm",
                f"after row {int(row):,}; probably began after row {int(begun):,}",
                "evidence",
            )
            for row, begun in last
        ),
        Line("bets", f"{scheme}, seed {params.seed}", "evidence"),
        Line("", meaning, "meaning", only=("rejected",)),
    ]
    return Facts("detector", value, tuple(lines))


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
    text = f"no alarm in the rows of this run; before them {when(core.detector)}"
    return result.told(summary(text), verdict="not rejected")
