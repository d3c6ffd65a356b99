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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Forms
from ...engine.work import single_blas
from ...errors import UsageError
from ...findings import Facts, Line
from ...kernels import BandwidthGrid, Rows
from ...nulls import aggregate, informative
from ...nulls.aggregate import signed_distance, standardise, studentise
from .effect import Pairs, unbiased_mmd

Array = NDArray[np.float64]

# Normal scores are put in cells of this width, up to `FAR` on either side.
CELL, FAR = 0.1, 3.2
WIDTHS = (0.25, 0.5, 1.0, 2.0)
# Columns from which on single ones are looked at; pairs that are looked at, at most.
FEW_COLUMNS, MOST_PAIRS = 3, 1300
# Rows whose distances give the bandwidths of whitened scores, at most.
DISTANCE_ROWS = 500
# Share of the robust geometry that is added to the largest of all.
KEPT = 0.6
TITLES = {
    "robust": "all columns together",
    "whitened": "all columns together, without their correlation",
    "columns": "single columns",
    "pairs": "pairs of columns",
}


@dataclass(frozen=True)
class Blocked:
    """Rows in the order of blocks, and the permutations of these.

    Attributes
    ----------
    rows : Rows
        In an order that says nothing about labels but by the blocks.
    missing : ndarray of bool (N, d) or None
    starts : ndarray of int (G + 1,)
    signs : ndarray of int8 (G, B + 1)
    weights : ndarray (N,) or None
    pairs : Pairs
    """

    rows: Rows
    missing: NDArray[np.bool_] | None
    starts: NDArray[np.int64]
    signs: NDArray[np.int8]
    weights: Array | None
    pairs: Pairs

    def block_sums(self, values: Array) -> Array:
        """Sums of (N, p) values over the rows of every block, (G, p)."""
        if len(self.starts) > len(values):
            return values
        return np.asarray(np.add.reduceat(values, self.starts[:-1], axis=0))

    def unbiased(self, quadratic: Array, linear: Array, total: Array) -> Array:
        """MMD^2 of kernels whose forms these are; (K, B + 1)."""
        return unbiased_mmd(Forms(quadratic, linear, total, np.ones(len(total))), self.pairs)


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
        "--kernel": (params.kernel, "gaussian"),
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
    smaller : int
        Rows of the smaller sample.
    choose : callable
        Bandwidths for rows.
    sums : callable
        Forms of rows and bandwidth grids.
    rng : numpy.random.Generator
        Chooses the rows whose distances give bandwidths.
    """
    found = {"robust": standardise(robust)}
    z = normal_scores(blocked.rows.values, blocked.missing)
    d, width = z.shape[1], blocked.rows.width
    y = whitened(z) if d > 1 else z
    if d > 1:
        rows = Rows(y, blocked.rows.codes)
        few = rows
        if len(y) > DISTANCE_ROWS:
            few = rows.take(rng.choice(len(y), DISTANCE_ROWS, replace=False))
        grids = [replace(b, bandwidths=b.bandwidths[::2], squaring=False) for b in choose(few)]
        forms = sums(rows, grids)
        T = unbiased_mmd(forms, blocked.pairs)
        keep = informative(T, forms.size)
        if keep.any():
            found["whitened"] = standardise(
                aggregate(T[keep], forms.size[keep], "mahalanobis", smaller)
            )
    if d and width >= FEW_COLUMNS:
        found["columns"] = _columns(z, blocked)
    if d > 1 and d * (d - 1) // 2 <= MOST_PAIRS:
        found["pairs"] = _pairs(y, blocked)
    return found


def combined(scores: dict[str, Array]) -> Array:
    """S of the module's formula, (B + 1,)."""
    return standardise(np.max([*scores.values()], axis=0)) + KEPT * scores["robust"]


def geometry_found(scores: dict[str, Array]) -> Facts:
    """Which geometry stands out most, as observed."""
    observed = {name: float(score[0]) for name, score in scores.items()}
    strongest = max(observed, key=observed.__getitem__)
    text = f"{TITLES[strongest]} stand out most, of {len(scores)} geometries"
    value = {"strongest": strongest, "scores": observed}
    return Facts("geometry", value, (Line("geometry", text),))


def normal_scores(values: Array, missing: NDArray[np.bool_] | None) -> Array:
    """Normal quantiles of the pooled ranks in units of their spread; ties share their mean rank.

    Missing cells, and constant columns, are 0.
    """
    from scipy.special import ndtri

    out = np.zeros(values.shape)
    for c, column in enumerate(values.T):
        there = np.ones(len(column), bool) if missing is None else ~missing[:, c]
        _, place, counts = np.unique(column[there], return_inverse=True, return_counts=True)
        if len(counts) > 1:
            ranks = counts.cumsum() - counts / 2  # mean rank - 1/2
            z = ndtri(ranks / counts.sum())[place]
            out[there, c] = z / z.std()
    return out


def whitened(z: Array) -> Array:
    """Scores without their correlation, by the symmetric root: a coordinate stays a column's.

    The correlation is drawn to that of independent columns by d / (N + d).
    """
    n, d = z.shape
    used = np.flatnonzero(z.any(axis=0))
    centred = z[:, used] - z[:, used].mean(axis=0)
    out = z.copy()
    with single_blas():
        unit = centred / np.sqrt(np.einsum("ij,ij->j", centred, centred))
        if len(used) <= n:
            squares, vectors = np.linalg.eigh(unit.T @ unit)
            axes = vectors.T
        else:
            _, singular, axes = np.linalg.svd(unit, full_matrices=False)
            squares = singular**2
        share = d / (n + d)
        along = z[:, used] @ axes.T
        out[:, used] -= along @ axes
        out[:, used] /= np.sqrt(share)
        out[:, used] += along / np.sqrt((1 - share) * squares + share) @ axes
    return out


def _columns(z: Array, blocked: Blocked) -> Array:
    """S_B: the mean over columns at four widths, and the largest column at each."""
    total = np.zeros((len(WIDTHS), blocked.signs.shape[1]))
    largest = np.full(total.shape, -np.inf)
    count = 0
    for T in _single(z, blocked):
        total += T
        varies = T.std(axis=1) > 1e-12 * np.abs(T).max(axis=1)
        largest[varies] = np.maximum(largest[varies], studentise(T[varies]))
        count += 1
    parts = []
    for rows in (total / max(count, 1), largest):
        finite = rows[np.isfinite(rows).all(axis=1)]
        use = finite[finite.std(axis=1) > 1e-12]
        if len(use):
            parts.append(standardise(signed_distance(use)))
    return standardise(np.max(parts, axis=0)) if parts else np.zeros(total.shape[1])


def _single(z: Array, blocked: Blocked) -> Iterator[Array]:
    """MMD^2 of every column by itself: Gaussian kernels of cells, equality of categories."""
    edges = np.arange(-FAR + CELL, FAR - CELL / 2, CELL)
    middles = np.concatenate([[edges[0] - CELL], edges]) + CELL / 2
    squares = (middles[:, None] - middles) ** 2
    kernels = [np.exp(-squares / (2 * h * h)) for h in WIDTHS]
    for column in z.T:
        if column.any():
            yield _of_cells(np.searchsorted(edges, column), kernels, blocked)
    for codes in blocked.rows.codes.T:
        levels, place = np.unique(codes, return_inverse=True)
        if len(levels) > 1:
            T = _of_cells(place, [None], blocked, len(levels))
            yield np.repeat(T, len(WIDTHS), axis=0)


def _of_cells(
    place: NDArray[np.int64], kernels: Sequence[Array | None], blocked: Blocked, count: int = 0
) -> Array:
    """MMD^2 of kernels between cells (None: equality); (K, B + 1)."""
    count = count or max(len(k) for k in kernels if k is not None)
    blocks = len(blocked.signs)
    of_row = np.repeat(np.arange(blocks), np.diff(blocked.starts))
    H = np.bincount(of_row * count + place, blocked.weights, blocks * count).reshape(blocks, count)
    v = blocked.signs.astype(np.float64)
    squares = blocked.pairs.squares
    with single_blas():
        u, h = H.T @ v, H.sum(axis=0)
        own = squares @ v
        parts = []
        for kernel in kernels:
            Ku = u if kernel is None else kernel @ u
            Kh = h if kernel is None else kernel @ h
            parts.append(
                (np.einsum("cb,cb->b", u, Ku) - squares.sum(), h @ Ku - own, h @ Kh - squares.sum())
            )
    quadratic, linear, total = (np.array(part) for part in zip(*parts, strict=True))
    return blocked.unbiased(quadratic, linear, total)


def _pairs(y: Array, blocked: Blocked) -> Array:
    """S_C: sum and largest of the features of all pairs."""
    total = np.zeros(blocked.signs.shape[1])
    largest = np.full(len(total), -np.inf)
    v = blocked.signs.astype(np.float64)
    w = np.ones(len(y)) if blocked.weights is None else blocked.weights
    for j in range(y.shape[1] - 1):
        features = _features(y[:, j], y[:, j + 1 :])
        if not features.shape[1]:
            continue
        weighted = features * w[:, None]
        sums, squares = blocked.block_sums(weighted), blocked.block_sums(weighted**2)
        with single_blas():
            D, q = sums.T @ v, squares.sum(axis=0)
            t = sums.sum(axis=0)
            T = blocked.unbiased(D**2 - q[:, None], D * t[:, None] - squares.T @ v, t**2 - q)
        total += T.sum(axis=0)
        use = T.std(axis=1) > 1e-12 * np.abs(T).max(axis=1)
        if use.any():
            largest = np.maximum(largest, studentise(T[use]).max(axis=0))
    if not np.isfinite(largest).all():
        return np.zeros(len(total))
    return standardise(np.maximum(standardise(total), standardise(largest)))


def _features(one: Array, others: Array) -> Array:
    """Centred features of unit spread of a column with others, (N, 5 k) at most.

    Of a and b, and of u, v = (a + b, a - b) / sqrt(2): a b, a (b^2 - 1), (a^2 - 1) b, u (v^2 - 1)
    and (u^2 - 1) v. The last two see tails that depend on each other at one end, as of a copula:
    the spread across the diagonal changes along it, which in a and b is spread over four features.
    The turn is the same for all pairs, so there are no axes to estimate; features of (b, a), or of
    a column of the other sign, are the same up to order and sign.
    """
    a, b = np.broadcast_arrays(one[:, None], others)
    u, v = (a + b) / np.sqrt(2), (a - b) / np.sqrt(2)
    third = [f for x, y in ((a, b), (u, v)) for f in (x * (y * y - 1), (x * x - 1) * y)]
    features = np.concatenate([a * b, *third], axis=1)
    features -= features.mean(axis=0)
    spread = features.std(axis=0)
    use = spread > 1e-9
    return np.asarray(features[:, use] / spread[use])
