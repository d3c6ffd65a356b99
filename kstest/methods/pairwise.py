"""All pairs of columns in one run: exact p-values, and Holm's correction over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ..engine import Work
from ..nulls import holm_adjusted, p_value
from ..result import Result
from .arrangement import Plan
from .column_blocks import Block
from .dependence import describe, kernel_block
from .independence import Statistics, combined, largest_z, pair_statistics

_NONE = "no evidence at this level that any of {total} pairs of columns depend on each other"
_SOME = "{count} of {total} pairs of columns are dependent (Holm's correction)"


def test_pairs(
    base: Result,
    blocks: Sequence[Block],
    how: Plan,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test every pair of columns; the p-value is the smallest adjusted one.

    Holm multiplies the smallest of m p-values by m, so at least 2 m / alpha - 1 permutations are
    used: they cost little, and without them nothing could be rejected.
    """
    pairs = list(combinations(range(len(blocks)), 2))
    needed = math.ceil(2 * len(pairs) / params.alpha) - 1
    params = replace(params, permutations=max(params.permutations, needed))
    p, z = np.ones(len(pairs)), []
    last: Statistics | None = None
    for k, found in enumerate(pair_statistics(blocks, pairs, how, params, rng, work)):
        T = combined(found, params.aggregate, len(blocks[0]))
        p[k] = 1.0 if T is None else p_value(T)
        z.append(largest_z(found))
        last = found
    assert last is not None  # two columns at least
    adjusted = holm_adjusted(p)
    rejected = adjusted <= params.alpha
    rows = [
        {
            "x": blocks[x].names[0],
            "y": blocks[y].names[0],
            "p_value": float(p[k]),
            "adjusted_p_value": float(adjusted[k]),
            "reject": bool(rejected[k]),
            "z": z[k],
            **describe(blocks[x], blocks[y]).to_dict(),
        }
        for k, (x, y) in enumerate(pairs)
    ]
    summary = (_SOME if rejected.any() else _NONE).format(
        count=int(rejected.sum()), total=len(pairs)
    )
    return replace(
        base,
        verdict="rejected" if rejected.any() else "not rejected",
        p_value=float(adjusted.min()),
        null={**base.null, "replicates": params.permutations, "correction": "Holm"},
        kernel=kernel_block(last, params, of_pairs=True),
        explanation={"summary": summary, "all_pairs": rows},
    )
