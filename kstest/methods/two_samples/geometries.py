"""Several geometries of the same rows under one exact level: `kstest mmd`, `--scale auto`.

One grid of bandwidths on columns in robust units sees what changes the distances of many rows. It
is nearly blind where one heavy column fills the distances, where columns are correlated, where many
columns are unchanged, and where only the dependence of two of them changes. So the permutations are
looked at in four ways:

`robust`   all columns together, in robust units: what `--scale robust` does, S_R
`whitened` all columns together: normal scores of the pooled ranks, without their correlation, S_W
`columns`  every column by itself, on its normal scores: their mean and the largest of them, S_B
`pairs`    products of two whitened scores, and of one with the square of the other, these also
           after every pair by itself is turned by 45 degrees, S_C

Each S is in units of its spread over the permutations, and

    S = Z(max(S_R, S_W, S_B, S_C)) + 0.6 S_R,

Z standardising again. Ranks, correlations, cells and the choice of geometries are functions of the
pooled rows, and every step treats the observed permutation like any other: the p-value is exact.
`benchmarks/geometries.py` prints what it finds and what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Forms
from ...engine.work import single_blas
from ...errors import UsageError
from ...findings import Facts, Line
from ...kernels import BandwidthGrid, Rows
from ...lean import ndtri
from ...nulls import aggregate, informative
from ...nulls.aggregate import standardise
from .effect import Pairs, unbiased_mmd
from .marginals import Blocked, columns_score, pairs_score

Array = NDArray[np.float64]

# Columns from which on single ones are looked at; pairs that are looked at, at most.
FEW_COLUMNS, MOST_PAIRS = 3, 1300
# Rows whose distances give the bandwidths of whitened scores, at most.
DISTANCE_ROWS = 500
# Ranks whose quantiles are found without SciPy, at most.
FEW_RANKS = 10_000
# Rows that are turned at a time.
TURNED_ROWS = 65_536
# Share of the robust geometry that is added to the largest of all.
KEPT = 0.6
TITLES = {
    "robust": "all columns together",
    "whitened": "all columns together, without their correlation",
    "columns": "single columns",
    "pairs": "pairs of columns",
}
SHORT = {
    "robust": "robust units",
    "whitened": "uncorrelated",
    "columns": "single columns",
    "pairs": "pairs",
}


def check_scale(params: Any) -> None:
    """Refuse what --scale auto does not go with."""
    found = other_than_auto(params)
    if params.scale == "auto" and found is not None:
        name, given, needed = found
        raise UsageError(
            f"--scale auto with {name} {given}: several geometries are combined with {name} "
            f"{needed} only; leave it out, or give --scale robust"
        )


def other_than_auto(params: Any) -> tuple[str, Any, Any] | None:
    """The first option that several geometries do not go with: name, what was given, is needed."""
    asked = {
        "--kernel": (params.kernel.strip(), "gaussian"),
        "--bandwidth": (params.bandwidth, "aggregate"),
        "--aggregate": (params.aggregate, "mahalanobis"),
        "--tolerance": (params.tolerance, 0.0),
    }
    for name, (found, needed) in asked.items():
        if found != needed:
            return name, found, needed
    return None


def scores(
    robust: Array,
    blocked: Blocked,
    pairs: Pairs,
    smaller: int,
    choose: Callable[[Rows], Sequence[BandwidthGrid]],
    sums: Callable[[Rows, Sequence[BandwidthGrid]], Forms],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Return the score of every geometry under every permutation, `robust` first.

    Parameters
    ----------
    robust : ndarray (B + 1,)
        The combined statistic of the robust geometry.
    blocked : Blocked
    pairs : Pairs
    smaller : int
        Rows of the smaller sample.
    choose : callable
        Bandwidths for rows.
    sums : callable
        Forms of rows and every other bandwidth of grids.
    rng : numpy.random.Generator
        Chooses the rows whose distances give bandwidths.
    """
    found = {"robust": standardise(robust)}
    if blocked.rows.values.shape[1] < 2 and blocked.rows.width < FEW_COLUMNS:
        return found
    z = normal_scores(blocked.rows.values, blocked.missing)
    d, categories = z.shape[1], int(np.ptp(blocked.rows.codes, axis=0).astype(bool).sum())
    several = columns_score(z, blocked) if d + categories >= FEW_COLUMNS else None
    if d > 1:
        y = whitened(z)  # z is gone
        found |= _whitened_score(Rows(y, blocked.rows.codes), pairs, smaller, choose, sums, rng)
    if several is not None:
        found["columns"] = several
    if d > 1 and d * (d - 1) // 2 <= MOST_PAIRS:
        found["pairs"] = pairs_score(y, blocked)
    return found


def _whitened_score(
    rows: Rows,
    pairs: Pairs,
    smaller: int,
    choose: Callable[[Rows], Sequence[BandwidthGrid]],
    sums: Callable[[Rows, Sequence[BandwidthGrid]], Forms],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """S_W, where it varies."""
    few = rows
    if len(rows) > DISTANCE_ROWS:
        few = rows.take(rng.choice(len(rows), DISTANCE_ROWS, replace=False))
    forms = sums(rows, choose(few))
    T = unbiased_mmd(forms, pairs)
    keep = informative(T, forms.size)
    if not keep.any():
        return {}
    one = aggregate(T[keep], forms.size[keep], "mahalanobis", smaller)
    return {"whitened": standardise(one)}


def combined(scores: dict[str, Array]) -> Array:
    """S of the module's formula, (B + 1,)."""
    return standardise(np.max([*scores.values()], axis=0)) + KEPT * scores["robust"]


def geometry_found(scores: dict[str, Array], rejected: bool) -> Facts:
    """The finding ``geometry``: which are combined, and of a rejection which stands out most."""
    observed = {name: float(score[0]) for name, score in scores.items()}
    strongest = max(observed, key=observed.__getitem__)
    text = f"{TITLES[strongest]} stand out most, of {len(scores)} geometries"
    if not rejected:  # what chance raised is no news
        text = f"{len(scores)} combined: {', '.join(SHORT[name] for name in scores)}"
    value = {"strongest": strongest, "scores": observed}
    return Facts("geometry", value, (Line("geometry", text),))


def normal_scores(values: Array, missing: NDArray[np.bool_] | None) -> Array:
    """Normal quantiles of the pooled ranks in units of their spread; ties share their mean rank.

    Missing cells are 0. Of columns that vary: constant ones are left out, so that an answer does
    not depend on them.
    """
    out: Array = np.zeros(values.shape)
    used, untied = [], np.zeros(0)
    for c, column in enumerate(values.T):
        there: Any = slice(None) if missing is None else ~missing[:, c]
        order, counts = _ties(column[there])
        if len(counts) > 1:
            quantiles = untied
            if len(counts) < len(order) or len(counts) != len(untied):
                # of the mean rank - 1/2
                quantiles = _quantiles((counts.cumsum() - counts / 2) / len(order))
                untied = quantiles if len(counts) == len(order) else untied
            z = np.empty(len(order))
            z[order] = quantiles if len(counts) == len(order) else np.repeat(quantiles, counts)
            z /= z.std()
            out[there, c] = z
            used.append(c)
    return out if len(used) == values.shape[1] else out[:, used]


def _ties(column: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the values, and how often each occurs; less memory than `np.unique` takes."""
    order = np.argsort(column)
    values = column[order]
    other = values[1:] != values[:-1]
    if other.all():
        return order, np.broadcast_to(np.int64(1), len(order))
    firsts = np.flatnonzero(other) + 1
    return order, np.diff(firsts, prepend=0, append=len(order))


def _quantiles(p: Array) -> Array:
    """Normal quantiles; of a few without SciPy, whose import takes longer."""
    if len(p) > FEW_RANKS:
        return ndtri(p)
    quantile = NormalDist().inv_cdf
    return np.array([quantile(x) for x in p.tolist()])


def whitened(z: Array) -> Array:
    """Scores without their correlation, by the symmetric root: a coordinate stays a column's.

    They take the place of z where that saves a copy. The correlation is drawn to that of
    independent columns by d / (N + d).
    """
    n, d = z.shape
    share = d / (n + d)
    with single_blas():
        middle = z.mean(axis=0)
        if d <= n:
            gram = z.T @ z - n * np.outer(middle, middle)
            spread = np.sqrt(gram.diagonal())
            squares, vectors = np.linalg.eigh(gram / np.outer(spread, spread))
            root = (vectors / np.sqrt((1 - share) * squares.clip(0) + share)) @ vectors.T
            for first in range(0, n, TURNED_ROWS):
                some = z[first : first + TURNED_ROWS]
                some[:] = some @ root
            return z
        unit = z - middle
        unit /= np.sqrt(np.einsum("ij,ij->j", unit, unit))
        _, singular, axes = np.linalg.svd(unit, full_matrices=False)
        along = z @ axes.T
        inside = along / np.sqrt((1 - share) * singular**2 + share)
        return np.asarray((z - along @ axes) / np.sqrt(share) + inside @ axes)
