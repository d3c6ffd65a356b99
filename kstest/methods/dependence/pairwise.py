"""All pairs of columns in one run: exact p-values, and Holm's correction over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...findings import Note
from ...nulls import holm_adjusted, p_value, varies
from ...result import Result, Verdict, unvarying
from .arrangement import Arranged
from .combinations import Statistics, combined, largest_z
from .doubt import UNLEARNED, Curves, doubt_notice
from .kinds import describe, within
from .result import all_pairs, kernel_block
from .statistics import Made, coarser, landmarks_used, pair_statistics

# Pairs with a p-value up to so many alpha get one from more permutations.
AGAIN = 2.0
# Permutations of a stage over those of the one before, about; and of the first at most, where
# several follow.
GROWTH, FIRST = 6.0, 199

_NONE = "no evidence at this level that any of {total} pairs of columns depend on each other{given}"
_SOME = "{count} of {total} pairs of columns are dependent{given} (Holm's correction)"


def _p_values(
    data: Arranged,
    made: Made,
    pairs: Sequence[tuple[int, int]],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> tuple[NDArray[np.float64], list[float | None], Statistics]:
    """p-values of some pairs, NaN where no pairing differs, the largest z of each, and the last."""
    p, z = np.full(len(pairs), np.nan), []
    for k, found in enumerate(pair_statistics(data, made, pairs, params, rng, work)):
        T = combined(found, params.aggregate, len(data.blocks[0]))
        if T is not None:
            p[k] = p_value(T) if varies(T) else np.nan
        z.append(largest_z(found))
    return p, z, found


def _in_stages(
    data: Arranged,
    made: Made,
    pairs: Sequence[tuple[int, int]],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> tuple[NDArray[np.float64], list[float | None], Statistics, int]:
    """p-values and largest z of all pairs, the statistics of the last, and permutations at most.

    All pairs get a p-value from the permutations that were asked for (of half as many bins, where
    that is cheaper; from `FIRST` of them, where Holm's correction takes more than were asked for
    anyway), and those with at most t_1 = `AGAIN` alpha another one from `GROWTH` times as many, and
    so on up to 2 m / alpha, with falling t_k. A pair's p-value is that of its last stage. It is at
    most t, where t_(k+1) < t <= t_k, only if that of stage k + 1 is: it stopped there at most at t,
    or went on because it was at most t_(k+1). So it is exact if every stage is.
    """
    needed, asked = math.ceil(2 * len(pairs) / params.alpha) - 1, params.permutations
    first = coarser(data, made, rng) or (data, made)
    drawn = min(asked, FIRST) if needed > asked else asked
    few = replace(params, permutations=drawn)
    p, z, last = _p_values(*first, pairs, few, rng, work)
    bound = AGAIN * params.alpha
    counts = [asked] if drawn < asked else []
    if needed > asked:
        steps = max(1, round(math.log(needed / asked, GROWTH)))
        counts += [math.ceil(asked * (needed / asked) ** (k / steps)) for k in range(1, steps + 1)]
    elif first[0] is not data:
        counts = [asked]
    most = drawn
    for count in counts:
        close = [k for k in range(len(pairs)) if p[k] <= bound]
        if not close:
            break
        more = replace(params, permutations=count)
        p[close], again, last = _p_values(data, made, [pairs[k] for k in close], more, rng, work)
        for k, value in zip(close, again, strict=True):
            z[k] = value
        bound *= drawn / count
        drawn = most = count
    return p, z, last, most


def test_pairs(
    base: Result,
    data: Arranged,
    made: Made,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test every pair of columns; the p-value is the smallest adjusted one.

    Holm multiplies the smallest of m p-values by m, so nothing could be rejected with fewer than
    m / alpha permutations. Most pairs need no such p-value: see `_in_stages`.
    """
    blocks, given = data.blocks, data.given
    pairs = list(combinations(range(len(blocks)), 2))
    p, z, last, drawn = _in_stages(data, made, pairs, params, rng, work)
    if np.isnan(p).all():
        return unvarying(base, "pairing of the rows", "the columns are constant")
    p = np.nan_to_num(p, nan=1.0)
    adjusted = holm_adjusted(p)
    rejected = adjusted <= params.alpha
    doubtful = np.zeros(len(pairs), np.bool_)
    if rejected.any() and data.targets is not None:
        curves = Curves.of(data, rng)
        doubtful = rejected & [curves.doubtful(*pair) for pair in pairs]
        if doubtful.any():
            some = [pair for pair, doubt in zip(pairs, doubtful, strict=True) if doubt]
            notice = doubt_notice(data, curves, some, float(adjusted[doubtful].min()))
            base = replace(base, warnings=(notice, *base.warnings))
            rejected &= ~doubtful
    label = None if given is None else given.label
    if label is not None:
        blocks = [within(block, label) for block in blocks]
    rows = [
        {
            "x": blocks[x].names[0],
            "y": blocks[y].names[0],
            "p_value": float(p[k]),
            "adjusted_p_value": float(adjusted[k]),
            "reject": None if doubtful[k] else bool(rejected[k]),
            "z": z[k],
            **describe(blocks[x], blocks[y], label).to_dict(),
        }
        for k, (x, y) in enumerate(pairs)
    ]
    summary = (_SOME if rejected.any() else _NONE).format(
        count=int(rejected.sum()),
        total=len(pairs),
        given=f" given {' '.join(given.block.names)}" if given else "",
    )
    verdict: Verdict = "rejected" if rejected.any() else "not rejected"
    if doubtful.any() and not rejected.any():
        verdict, summary = "no verdict", UNLEARNED
    return base.told(
        Note("summary", summary),
        all_pairs(rows),
        verdict=verdict,
        p_value=None if doubtful.all() else float(adjusted[~doubtful].min()),
        null={**base.null, "replicates": drawn, "correction": "Holm"},
        kernel=kernel_block(last, params, landmarks_used(made), of_pairs=True),
    )
