"""All pairs of columns in one run: exact p-values, and Holm's correction over them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ...engine import Work
from ...nulls import holm_adjusted, p_value, varies
from ...result import Result, Verdict, unvarying
from .arrangement import Arranged
from .doubt import UNLEARNED, Curves, doubt_notice
from .kinds import describe, within
from .result import kernel_block
from .rungs import Statistics, combined, largest_z
from .statistics import Made, landmarks_used, pair_statistics

_NONE = "no evidence at this level that any of {total} pairs of columns depend on each other{given}"
_SOME = "{count} of {total} pairs of columns are dependent{given} (Holm's correction)"


def test_pairs(
    base: Result,
    data: Arranged,
    made: Made,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test every pair of columns; the p-value is the smallest adjusted one.

    Holm multiplies the smallest of m p-values by m, so at least 2 m / alpha - 1 permutations are
    used: they cost little, and without them nothing could be rejected.
    """
    blocks, given = data.blocks, data.given
    pairs = list(combinations(range(len(blocks)), 2))
    needed = math.ceil(2 * len(pairs) / params.alpha) - 1
    params = replace(params, permutations=max(params.permutations, needed))
    p, z = np.ones(len(pairs)), []
    last: Statistics | None = None
    seen = False
    for k, found in enumerate(pair_statistics(data, made, pairs, params, rng, work)):
        T = combined(found, params.aggregate, len(blocks[0]))
        p[k] = 1.0 if T is None else p_value(T)
        seen = seen or (T is not None and varies(T))
        z.append(largest_z(found))
        last = found
    assert last is not None  # two columns at least
    if not seen:
        return unvarying(base, "pairing of the rows", "the columns are constant")
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
    return replace(
        base,
        verdict=verdict,
        p_value=None if doubtful.all() else float(adjusted[~doubtful].min()),
        null={**base.null, "replicates": params.permutations, "correction": "Holm"},
        kernel=kernel_block(last, params, landmarks_used(made), of_pairs=True),
        explanation={**base.explanation, "summary": summary, "all_pairs": rows},
    )
