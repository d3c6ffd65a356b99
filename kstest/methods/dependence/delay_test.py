"""The test of dependence at an unknown delay, of two blocks or of all pairs of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ...diagnostics.dependence import centred
from ...diagnostics.drift import drifting
from ...engine import Work
from ...findings import Facts, Line, number, summary
from ...nulls import holm_adjusted
from ...result import Notice, Result, Verdict, unvarying
from ...sample import Sample
from .column_blocks import Block
from .delays import LEAST_WINDOWS, Array, Delay, Lags, delay, spectra
from .kinds import describe
from .result import all_pairs, dependence

HEIGHTS, WIDEST = "▁▂▃▄▅▆▇█", 50

_ALONE = {
    True: "the blocks are dependent, most at {where}",
    False: "no evidence at this level that the blocks depend on each other at these lags",
}
_PAIRS = {
    True: "{count} of {total} pairs of columns are dependent at some lag (Holm's correction)",
    False: "no evidence at this level that any of {total} pairs of columns depend on each other "
    "at these lags",
}
DRIFTS = "no decision is possible: both series change over the record"


def test_delays(
    base: Result,
    data: Sample,
    names: Sequence[tuple[str, ...]],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test whether two blocks of a series, or any pair of columns, depend at one of the lags.

    No verdict where fewer than `LEAST_WINDOWS` windows of other shifts exist, and where a rejection
    rests on two series that both drift: shifting either of them is then no draw of the null.
    """
    lags = Lags.parse(params.lags)
    needed = max(LEAST_WINDOWS, int(np.ceil(_pairs(names, params) / params.alpha)) - 1)
    windows = len(lags.windows(data.n)) - 1
    base = replace(
        base,
        null={
            "scheme": f"circular shifts of one series, in windows of {len(lags)} lags",
            "replicates": windows,
            "exact": False,
        },
        kernel={
            "name": "gaussian,linear",
            "bandwidths": [],
            "combinations": 2,
            "scale": params.scale,
        },
    )
    if windows < needed:
        return _refused(base, data.n, lags, needed, windows)
    blocks = [Block.of(data, block) for block in names]
    transforms = spectra(blocks, params.scale, rng, work)
    drifts = [drifting(centred(block.sample(data, "block"))) for block in blocks]
    if params.all_pairs:
        return _every_pair(base, data, blocks, transforms, drifts, lags)
    found = delay(transforms[0], transforms[1], lags, params.alpha)
    if found is None:
        return unvarying(base, "shift of the series", "a block is constant")
    rejected = found.p_value <= params.alpha
    where = _where(found.lag, *(" ".join(block.names) for block in blocks))
    told = base.told(
        summary(_ALONE[rejected].format(where=where)),
        Facts("blocks", [list(block.names) for block in blocks]),
        _delay(found, lags),
        verdict="rejected" if rejected else "not rejected",
        statistic=found.statistic,
        p_value=found.p_value,
        threshold=found.threshold if np.isfinite(found.threshold) else None,
    )
    if not rejected:
        return told
    if all(drifts) or found.uneven:
        return _drifts(told, blocks)
    return told.told(dependence(_described(data, names[0], names[1], found.lag)))


def _delay(found: Delay, lags: Lags) -> Facts:
    """The finding of that name: the delay, and the dependence at every asked lag."""
    curve = [{"lag": lags.first + k, "ratio": float(v)} for k, v in enumerate(found.curve)]
    most = f"{number(float(found.curve.max()))} times other lags, {found.kernel} kernel"
    lines = (
        Line("delay", f"{found.lag} rows ({most})"),
        Line("lags", f"{lags.first} {sparkline(found.curve)} {lags.last}"),
    )
    return Facts("delay", {"lag": found.lag, "kernel": found.kernel, "curve": curve}, lines)


def sparkline(values: Array) -> str:
    """Heights from 0 to the largest as one character each; of many values the largest of some."""
    step = -(-len(values) // WIDEST)
    heights = [float(max(values[k : k + step])) for k in range(0, len(values), step)]
    top = max(heights)
    return "".join(HEIGHTS[min(7, int(8 * h / top))] if top > 0 else HEIGHTS[0] for h in heights)


def _pairs(names: Sequence[Any], params: Any) -> int:
    return len(names) * (len(names) - 1) // 2 if params.all_pairs else 1


def _where(lag: int, x: str, y: str) -> str:
    """Say which of two follows the other."""
    if lag == 0:
        return "lag 0"
    first, second = (x, y) if lag > 0 else (y, x)
    return f"lag {lag}: {second} follows {first} by {abs(lag)} row{'s' * (abs(lag) > 1)}"


def _described(data: Sample, x: Sequence[str], y: Sequence[str], lag: int) -> list[dict[str, Any]]:
    """Describe the pairs of columns at the delay, the strongest first."""
    early = slice(max(0, -lag), data.n - max(0, lag))
    late = slice(max(0, lag), data.n - max(0, -lag))
    rows = [
        {
            "x": a,
            "y": b,
            "z": None,
            **describe(_part(data, a, early), _part(data, b, late), None).to_dict(),
        }
        for a in x
        for b in y
    ]
    return sorted(rows, key=lambda row: -abs(row["strength"]))


def _part(data: Sample, name: str, rows: slice) -> Block:
    whole = Block.of(data, (name,))
    missing = None if whole.missing is None else whole.missing[rows]
    return Block(whole.names, whole.values[rows], whole.codes[rows], missing)


def _every_pair(
    base: Result,
    data: Sample,
    blocks: Sequence[Block],
    transforms: Sequence[Any],
    drifts: Sequence[bool],
    lags: Lags,
) -> Result:
    pairs = list(combinations(range(len(blocks)), 2))
    found = [delay(transforms[i], transforms[j], lags, base.alpha) for i, j in pairs]
    if all(one is None for one in found):
        return unvarying(base, "shift of the series", "the columns are constant")
    p = np.array([1.0 if one is None else one.p_value for one in found])
    adjusted = holm_adjusted(p)
    rejected = adjusted <= base.alpha
    doubtful = rejected & np.array(
        [
            (one is not None and one.uneven) or (drifts[i] and drifts[j])
            for (i, j), one in zip(pairs, found, strict=True)
        ]
    )
    rows = [
        {
            "x": blocks[i].names[0],
            "y": blocks[j].names[0],
            "p_value": float(p[k]),
            "adjusted_p_value": float(adjusted[k]),
            "reject": None if doubtful[k] else bool(rejected[k]),
            **_told(data, blocks[i], blocks[j], found[k]),
        }
        for k, (i, j) in enumerate(pairs)
    ]
    clear = rejected & ~doubtful
    several = sorted({k for pair, bad in zip(pairs, doubtful, strict=True) if bad for k in pair})
    told = base.told(
        all_pairs(rows), p_value=float(adjusted.min()), null={**base.null, "correction": "Holm"}
    )
    if several:
        told = _drifts(told, [blocks[k] for k in several])
    if several and not clear.any():
        return told
    verdict: Verdict = "rejected" if clear.any() else "not rejected"
    text = _PAIRS[bool(clear.any())].format(count=int(clear.sum()), total=len(pairs))
    return told.told(summary(text), verdict=verdict)


def _told(data: Sample, x: Block, y: Block, found: Delay | None) -> dict[str, Any]:
    """Standardised statistic, lag and kind of one pair."""
    lag = 0 if found is None else found.lag
    described = _described(data, x.names, y.names, lag)[0]
    kind = {name: described[name] for name in ("kind", "strength", "measure", "spearman")}
    return {"z": None if found is None else found.statistic, "lag": lag, **kind}


def _drifts(base: Result, blocks: Sequence[Block]) -> Result:
    names = ", ".join(repr(name) for block in blocks for name in block.names)
    notice = Notice(
        "not-stationary",
        f"{names}: a common course over the record (a trend, steps, changes of spread) may be all "
        "that they share, and then a shifted series is no draw of the null. "
        "Take differences or take the trend out first, or test a stretch without a trend (--where)",
    )
    return base.told(summary(DRIFTS), verdict="no verdict", warnings=(notice, *base.warnings))


def _refused(base: Result, n: int, lags: Lags, needed: int, windows: int) -> Result:
    why = (
        f"{n:,} rows have {max(windows, 0)} windows of {len(lags)} shifts far from the asked "
        f"lags, and {needed} are needed at level {base.alpha}: take {lags.rows_needed(needed):,} "
        "rows, or fewer lags"
    )
    return base.told(summary("too few rows to decide"), warnings=(Notice("too-few-rows", why),))
