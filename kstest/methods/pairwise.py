"""All pairs of columns in one run: exact p-values, and Holm's correction over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Work
from ..nulls import p_value
from ..result import Result
from .dependence import describe, kernel_block
from .independence import Plan, Values, combined, largest_z, pair_statistics

_NONE = "no evidence at this level that any of {total} pairs of columns depend on each other"
_SOME = "{count} of {total} pairs of columns are dependent (Holm's correction)"


def test_pairs(
    base: Result,
    values: Sequence[Values],
    names: Sequence[tuple[str, ...]],
    how: Plan,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Test every pair of columns; the p-value is the smallest adjusted one.

    Holm multiplies the smallest of m p-values by m, so at least 2 m / alpha - 1 permutations are
    used: they cost little, and without them nothing could be rejected.
    """
    pairs = list(combinations(range(len(values)), 2))
    needed = math.ceil(2 * len(pairs) / params.alpha) - 1
    params = replace(params, permutations=max(params.permutations, needed))
    found = pair_statistics(values, pairs, how, params, rng, work)
    T = [combined(some, params.aggregate, len(values[0])) for some in found]
    p = np.array([1.0 if t is None else p_value(t) for t in T])
    adjusted = holm(p)
    rejected = adjusted <= params.alpha
    rows = [
        {
            "x": names[x][0],
            "y": names[y][0],
            "p_value": float(p[k]),
            "p_adjusted": float(adjusted[k]),
            "reject": bool(rejected[k]),
            "z": largest_z(found[k]),
            **describe(values[x][:, 0], values[y][:, 0]).to_dict(),
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
        kernel=kernel_block(found[0], params, of_pairs=True),
        explanation={"summary": summary, "pairs": rows},
    )


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values: valid whatever the dependence between the tests.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(steps, 1.0)
    return out
