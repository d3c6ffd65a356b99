"""What sequential tests report: evidence that is valid at any time, and what the guard saw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..result import Result
from ..wording import printable
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
    if "wings" in found:
        yield from _wings(result)
    else:
        most = number(math.exp(min(found["largest_log_e"], 700)))
        yield (
            "e-value",
            f"{number(result.e_value or 0.0)}, at most {most} (after "
            f"{found['largest_after_row']:,} rows); {number(result.threshold or math.nan)} rejects"
            f"{_ranks(found)}",
        )
    yield (
        "p-value",
        f"{number(result.p_value or 0.0)}, valid at any time; level {number(result.alpha)}",
    )
    if "wings" in found:
        yield "e-value", f"{number(result.e_value or 0.0)}, from the p-value"
        if not result.reject:
            yield "late change", _late(found)
    yield "bets", f"{found['bets']:,}, {_scheme(result)}, seed {result.params.get('seed')}"
    late = found.get("late_start")
    if late and result.verdict == "not rejected":
        own = math.exp(min(late["log_e_needed"], 700))
        yield (
            "late change",
            f"one from row {late['from_row']:,} on rejects once its own rows win e-value "
            f"{number(own)} or less, {late['log_e_needed']:.3g} nats; from the first row on "
            f"{late['log_e_needed_at_first_row']:.3g}",
        )


def _ranks(found: Mapping[str, Any]) -> str:
    """What e-BH asks of one pair, of each of two, ..., of all."""
    least = found.get("pair_thresholds")
    if not least or len(least) < 2:
        return ""
    more = [f"{number(value)} each for {k}" for k, value in enumerate(least[1:-1][:2], 2)]
    words = [f"one pair needs {number(least[0])}", *more]
    words += ["..."] * (len(least) > 4) + [f"{number(least[-1])} each for all {len(least)}"]
    return f" some: {', '.join(words)}"


def _wings(result: Result) -> Iterator[tuple[str, str]]:
    """The largest weighted wealth of several bets, and the bets that came farthest."""
    found = result.explanation["evidence"]
    most = number(math.exp(min(found["largest_log_weighted_wealth"], 700)))
    yield (
        "evidence",
        f"{number(result.statistic or 0.0)}, at most {most} (after "
        f"{found['largest_after_row']:,} rows); {number(result.threshold or math.nan)} rejects",
    )
    ranked = sorted(found["wings"], key=lambda w: -math.log(w["share"]) - w["largest_log_wealth"])
    parts = [
        f"{printable(w['name'])} {number(w['share'] * math.exp(min(w['largest_log_wealth'], 700)))}"
        for w in ranked[:4]
    ]
    more = f", and {len(ranked) - 4} more" if len(ranked) > 4 else ""
    yield "best bets", ", ".join(parts) + more


def _late(found: Mapping[str, Any]) -> str:
    """What a change that begins now has to win."""
    needed = found["late_change_needs_log"]
    return (
        f"from row {found['rows_used'] + 1:,} on: found when the bets on it have won about "
        f"{number(math.exp(needed))} times their stake ({needed:.1f} nats)"
    )


def _scheme(result: Result) -> str:
    replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
    return f"{replicates} x {scheme}" if replicates else str(scheme)
