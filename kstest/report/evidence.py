"""What sequential tests report: evidence that is valid at any time, and what the guard saw."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..result import Result
from .wording import number


def evidence(result: Result) -> Iterator[tuple[str, str]]:
    """The e-value, the p-value that is valid at any time, and how they came about."""
    if "detector" in result.explanation:
        yield from _detector(result)
    else:
        yield from _wealth(result)
    seen = [
        f"{part['block']} after row {part['flagged_after_row']:,}"
        for part in result.explanation.get("guard", ())
        if part["flagged_after_row"]
    ]
    if "guard" in result.explanation:
        words = f"rows depend on their time in {' and '.join(seen)}" if seen else "nothing seen"
        yield "guard", words
    kept = result.explanation.get("state")
    if kept:
        yield "counted", f"{kept['rows']:,} rows in {kept['batches']:,} batches"


def _detector(result: Result) -> Iterator[tuple[str, str]]:
    found = result.explanation["detector"]
    names = {"sr": "Shiryaev-Roberts", "cusum": "CUSUM"}
    unit, rare = found["unit"], f"{found['threshold']:,}"
    yield (
        "statistic",
        f"{names[found['kind']]} {number(found['statistic'])} after {found['rounds']:,} {unit}; "
        f"alarm from {rare} on, so false alarms are {rare} {unit} apart or more, on average",
    )
    for alarm in found["alarms"][-5:]:
        began = f"probably began after row {alarm['probably_began_after_row']:,}"
        yield "alarm", f"after row {alarm['after_row']:,}; {began}"
    yield "bets", f"{_scheme(result)}, seed {result.params.get('seed')}"


def _wealth(result: Result) -> Iterator[tuple[str, str]]:
    found = result.explanation["evidence"]
    most = number(math.exp(min(found["largest_log_e"], 700)))
    yield (
        "e-value",
        f"{number(result.e_value or 0.0)}, at most {most} (after {found['largest_after_row']:,} "
        f"rows); {number(result.threshold or math.nan)} rejects",
    )
    yield (
        "p-value",
        f"{number(result.p_value or 0.0)}, valid at any time; level {number(result.alpha)}",
    )
    yield "bets", f"{found['bets']:,}, {_scheme(result)}, seed {result.params.get('seed')}"


def _scheme(result: Result) -> str:
    replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
    return f"{replicates} x {scheme}" if replicates else str(scheme)
