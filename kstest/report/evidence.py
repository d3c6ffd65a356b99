"""What sequential tests report: evidence that is valid at any time, and what the guard saw."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..result import Result
from .wording import number


def evidence(result: Result) -> Iterator[tuple[str, str]]:
    """The e-value, the p-value that is valid at any time, and how they came about."""
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
    replicates, scheme = result.null.get("replicates"), result.null.get("scheme")
    times = f"{replicates} x {scheme}" if replicates else str(scheme)
    yield "bets", f"{found['bets']:,}, {times}, seed {result.params.get('seed')}"
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
