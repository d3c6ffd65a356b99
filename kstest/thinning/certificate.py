"""How far the kept rows are from all rows: the MMD at every bandwidth, and what it is worth.

With k a kernel, k(x, x) = 1, n rows x and the M kept ones z among them,

    MMD^2 = A - 2 B + C,   A = mean k(x, x'),  B = mean k(x, z),  C = mean k(z, z'),

all pairs, those of a row with itself included. Up to `EXACT` pairs it is summed. Beyond, the kernel
is split by landmark rows into a part of low rank, which is summed over all rows and is a lower
bound, and the rest r, which is positive definite too; the means of r are estimated from a random
sample of rows, with a jackknife over its blocks, so that the bounds hold with 99.9 % each.

M random rows have MMD^2 = (1 - A) / M on average: kept rows whose MMD is that of W random rows are
worth W.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.tiles import cross_values
from ..engine.work import Work, run_tasks
from ..kernels import BandwidthGrid, Rows
from . import loops
from .halving import Index, Points

Array = NDArray[np.float64]

# Pairs of rows up to which the MMD is summed.
EXACT = 1e8
# Pairs of kept and other rows by which candidates are compared.
COMPARED = 3e8
LANDMARKS, SAMPLED, BLOCKS = 512, 2048, 16
# 99.95 % of Student's t with BLOCKS - 1 degrees of freedom.
QUANTILE = 4.073
# Added to the kernel of the landmarks, in which equal rows would make it singular.
JITTER = 1e-6
TASK_ROWS = 64


@dataclass(frozen=True)
class Distance:
    """The MMD of the kept rows to all rows at a bandwidth.

    Attributes
    ----------
    bandwidth : float
    mmd, lower, upper : float
        Equal where it was summed over all pairs.
    random : float
        Root mean square MMD of as many rows at random.
    worth : float
        Number of random rows that are as near.
    """

    bandwidth: float
    mmd: float
    lower: float
    upper: float
    random: float
    worth: float


def sums(points: Points, at: Points, work: Work) -> Array:
    """Sums over all rows of the kernel at every row of `at`, by bandwidth; (M, L)."""
    m = at.columns.shape[1]
    parts = [np.arange(i, min(i + TASK_ROWS, m)) for i in range(0, m, TASK_ROWS)]
    return np.concatenate(list(run_tasks(_sums, [(points, at.take(p)) for p in parts], work)))


def _sums(points: Points, at: Points) -> Array:
    out = np.empty((at.columns.shape[1], points.count))
    loops.sums(
        points.columns, points.norms, points.codes, at.columns, at.norms, at.codes, points.apart,
        points.factor, out,
    )  # fmt: skip
    return out


def compared(points: Points, kept: list[Index], rng: np.random.Generator, work: Work) -> Array:
    """What is lower for the better of several choices of rows: C - 2 B, summed over bandwidths.

    Of many rows it is the mean over some of the kept ones, and B over some of all.
    """
    n, m = points.columns.shape[1], len(kept[0])
    some = np.sort(rng.choice(m, min(m, int(COMPARED / m) + 1), replace=False))
    few = int(COMPARED / len(some))
    inner = points if few >= n else points.take(np.sort(rng.choice(n, few, replace=False)))
    found = []
    for rows in kept:
        at = points.take(rows[some])
        own, whole = sums(points.take(rows), at, work).mean(0), sums(inner, at, work).mean(0)
        found.append((own / m - 2 * whole / inner.columns.shape[1]).sum())
    return np.array(found)


def distances(
    rows: Rows, points: Points, grid: BandwidthGrid, kept: Index, rng: np.random.Generator,
    work: Work,
) -> tuple[Distance, ...]:  # fmt: skip
    """Measure the kept rows against all rows."""
    n, m = len(rows), len(kept)
    if n * n / 2 <= EXACT:
        at = points.take(kept)
        A = sums(points, points, work).mean(0) / n
        found = A - 2 * sums(points, at, work).mean(0) / n + sums(at, at, work).mean(0) / m
        found = np.maximum(found, 0.0)
        return _told(grid, A, found, found, found, m)
    A, low, rest, error = _by_landmarks(rows, points, grid, kept, rng, work)
    estimate = low + np.maximum(rest, 0)
    lower = np.maximum(low, low + rest - QUANTILE * error)
    return _told(grid, A, estimate, lower, low + np.maximum(rest + QUANTILE * error, 0), m)


def _told(
    grid: BandwidthGrid, A: Array, square: Array, lower: Array, upper: Array, m: int
) -> tuple[Distance, ...]:
    random = np.sqrt(np.maximum(1 - A, 0) / m)
    found = []
    for l, h in enumerate(grid.bandwidths):
        mmd, low, high = (float(np.sqrt(s[l])) for s in (square, lower, upper))
        worth = m * (random[l] / mmd) ** 2 if mmd > 0 else np.inf
        found.append(Distance(float(h), mmd, low, high, float(random[l]), float(worth)))
    return tuple(found)


def _by_landmarks(
    rows: Rows, points: Points, grid: BandwidthGrid, kept: Index, rng: np.random.Generator,
    work: Work,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """A; the part of low rank of the squared MMD; its rest, and the standard error of that."""
    n = len(rows)
    drawn = rng.permutation(n)
    marks = np.sort(drawn[:LANDMARKS])
    sample = drawn[LANDMARKS : LANDMARKS + SAMPLED]
    few = kept if len(kept) <= SAMPLED else rng.choice(kept, SAMPLED, replace=False)
    at = points.take(marks)
    whole = sums(points, at, work) / n
    own = sums(points.take(kept), at, work) / len(kept)
    A, low, rest, error = (np.zeros(len(grid)) for _ in range(4))
    for l in range(len(grid)):
        one = replace(grid, bandwidths=grid.bandwidths[l : l + 1], squaring=False)
        features = _Features(rows.take(marks), one)
        mean, mean_own = features.of(whole[:, l]), features.of(own[:, l])
        low[l] = ((mean - mean_own) ** 2).sum()
        a, _, rest[l], error[l] = _rest(rows, features, one, sample, few, len(kept))
        A[l] = (mean**2).sum() + a
    return A, low, rest, error


class _Features:
    """The kernel's features at landmark rows: phi(x) = K^(-1/2) k(landmarks, x)."""

    def __init__(self, marks: Rows, grid: BandwidthGrid) -> None:
        from scipy.linalg import cholesky

        self.marks, self.grid = marks, grid
        K = _values(marks, marks, grid)
        K[np.diag_indices(len(K))] = 1 + JITTER
        self.root = cholesky(K, lower=True)

    def of(self, values: Array) -> Array:
        """Features from kernel values at the landmarks (r, ...)."""
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self.root, values, lower=True))


def _values(x: Rows, y: Rows, grid: BandwidthGrid) -> Array:
    return np.concatenate([values[0] for _, values in cross_values(x, y, grid)]).astype(np.float64)


def _rest(
    rows: Rows, features: _Features, grid: BandwidthGrid, sample: Index, few: Index, m: int
) -> tuple[float, float, float, float]:
    """Means of r over all pairs of rows, over kept pairs, A - 2 B + C of r, and its error."""
    n = len(rows)
    x, z = rows.take(sample), rows.take(few)
    fx, fz = (features.of(_values(features.marks, some, grid)) for some in (x, z))
    # Without pairs of a row with itself, which have their own share of all pairs.
    xx, zz, xz = _values(x, x, grid) - fx.T @ fx, _values(z, z, grid) - fz.T @ fz, None
    xz = _values(x, z, grid) - fx.T @ fz
    same = sample[:, None] == few[None]
    dx, dz = 1 - (fx**2).sum(0), 1 - (fz**2).sum(0)
    np.fill_diagonal(xx, 0)
    np.fill_diagonal(zz, 0)
    xz[same] = 0
    block = np.arange(len(sample)) * BLOCKS // len(sample)
    part = np.arange(len(few)) * BLOCKS // len(few) if m > len(few) else None

    def means(left_out: int | None) -> tuple[float, float, float]:
        a = np.ones(len(sample), bool) if left_out is None else block != left_out
        c = np.ones(len(few), bool)
        if part is not None and left_out is not None:
            c = part != left_out
        na, nc = int(a.sum()), int(c.sum())
        A = dx[a].mean() / n + (1 - 1 / n) * float(a @ xx @ a) / max(na * (na - 1), 1)
        C = dz[c].mean() / m + (1 - 1 / m) * float(c @ zz @ c) / max(nc * (nc - 1), 1)
        pairs = na * nc - int(same[np.ix_(a, c)].sum())
        B = dz[c].mean() / n + (1 - 1 / n) * float(a @ xz @ c) / max(pairs, 1)
        return A, C, A - 2 * B + C

    A, C, whole = means(None)
    without = np.array([means(k)[2] for k in range(BLOCKS)])
    error = np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean()) ** 2).sum())
    return A, C, whole, float(error)
