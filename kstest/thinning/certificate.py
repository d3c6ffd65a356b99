"""How far the kept rows are from all rows: the MMD at every bandwidth, and what it is worth.

With k a kernel, k(x, x) = 1, n rows x and the M kept ones z among them,

    MMD^2 = A - 2 B + C,   A = mean k(x, x'),  B = mean k(x, z),  C = mean k(z, z'),

all pairs, those of a row with itself included. Up to `EXACT` pairs, and of one or two columns, it
is summed. Beyond, the kernel is split by landmark rows into a part of low rank, which is summed
over all rows and is a lower bound, and the rest r, which is positive definite too; the means of r
are estimated from a random sample of rows, with a jackknife over its blocks, so that the bounds
hold with 99.9 % each.

M random rows have MMD^2 = (1 - A) / M on average: kept rows whose MMD is that of W random rows are
worth W.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import block_sums
from ..engine.blocks import series_serves
from ..engine.work import Work, run_tasks
from ..kernels import BandwidthGrid, Rows
from . import loops
from .halving import Index, Points

Array = NDArray[np.float64]

# Pairs of rows up to which the MMD is summed.
EXACT = 2e8
# Pairs of kept and other rows by which candidates are compared.
COMPARED = 3e8
LANDMARKS, SAMPLED, BLOCKS = 512, 2048, 16
# 99.95 % of Student's t with BLOCKS - 1 degrees of freedom.
QUANTILE = 4.073
# Added to the kernel of the landmarks, in which equal rows would make it singular.
JITTER = 1e-5
TASK_ROWS = 64


@frozen
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


def sums(points: Points, at: Points, work: Work, precise: bool = False) -> Array:
    """Sums over all rows of the kernel at every row of `at`, by bandwidth; (M, L)."""
    m = at.columns.shape[1]
    parts = [np.arange(i, min(i + TASK_ROWS, m)) for i in range(0, m, TASK_ROWS)]
    tasks = [(points, at.take(part), precise) for part in parts]
    return np.concatenate(list(run_tasks(_sums, tasks, work)))


def _sums(points: Points, at: Points, precise: bool) -> Array:
    out = np.empty((at.columns.shape[1], points.count))
    if precise:
        loops.precise_sums(
            points.columns, points.codes, at.columns, at.codes, float(points.apart),
            float(points.factor), out,
        )  # fmt: skip
        return out
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
    order = np.concatenate([kept, np.setdiff1d(np.arange(n), kept)])
    if n * n / 2 <= EXACT or series_serves(rows, 2, [grid]):
        table = block_sums(rows.take(order), np.array([0, m, n]), [grid], work, False).blocks
        own, cross, rest = table[:, 0, 0], table[:, 0, 1], table[:, 1, 1]
        A = (own + 2 * cross + rest + n) / n**2  # k(x, x) = 1
        found = np.maximum(A - 2 * (own + cross + m) / (n * m) + (own + m) / m**2, 0.0)
        return _told(grid, A, found, found, found, m)
    A, low, rest, error = _by_landmarks(points, kept, rng, work)
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
    points: Points, kept: Index, rng: np.random.Generator, work: Work
) -> tuple[Array, Array, Array, Array]:
    """A; the part of low rank of the squared MMD; its rest, and the standard error of that."""
    n = points.columns.shape[1]
    drawn = rng.permutation(n)
    marks = points.take(np.sort(drawn[:LANDMARKS]))
    sample = drawn[LANDMARKS : LANDMARKS + SAMPLED]
    few = kept if len(kept) <= SAMPLED else rng.choice(kept, SAMPLED, replace=False)
    whole = sums(points, marks, work, precise=True) / n
    own = sums(points.take(kept), marks, work, precise=True) / len(kept)
    A, low, rest, error = (np.zeros(points.count) for _ in range(4))
    for l in range(points.count):
        features = _Features(marks, float(points.factor) * 2.0**l)
        mean, mean_own = features.of(whole[:, l]), features.of(own[:, l])
        low[l] = ((mean - mean_own) ** 2).sum()
        a, _, rest[l], error[l] = _rest(points, features, sample, few, len(kept))
        A[l] = (mean**2).sum() + a
    return A, low, rest, error


class _Features:
    """The features of exp(-factor |x - y|^2) at landmarks: phi(x) = K^(-1/2) k(landmarks, x)."""

    def __init__(self, marks: Points, factor: float) -> None:
        from scipy.linalg import cholesky

        self.marks, self.factor = marks, factor
        K = self.values(marks, marks)
        K[np.diag_indices(len(K))] = 1 + JITTER
        self.root = cholesky(K, lower=True)

    def of(self, values: Array) -> Array:
        """Features from kernel values at the landmarks (r, ...)."""
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self.root, values, lower=True))

    def values(self, x: Points, y: Points) -> Array:
        """Kernel values, in float64."""
        from scipy.spatial.distance import cdist

        square = cdist(x.columns.T, y.columns.T, "sqeuclidean")
        for one, other in zip(x.codes, y.codes, strict=True):
            square += float(x.apart) * (one[:, None] != other[None])
        return np.asarray(np.exp(-self.factor * square))


def _rest(
    points: Points, features: _Features, sample: Index, few: Index, m: int
) -> tuple[float, float, float, float]:
    """Means of r over all pairs of rows, over kept pairs, A - 2 B + C of r, and its error."""
    n = points.columns.shape[1]
    x, z = points.take(sample), points.take(few)
    fx, fz = (features.of(features.values(features.marks, some)) for some in (x, z))
    same = sample[:, None] == few[None]
    dx, dz = 1 - (fx**2).sum(0), 1 - (fz**2).sum(0)
    xx, zz, xz = (
        features.values(u, v) - fu.T @ fv
        for u, v, fu, fv in ((x, x, fx, fx), (z, z, fz, fz), (x, z, fx, fz))
    )
    # Pairs of a row with itself have their own share of all pairs.
    for values, own in ((xx, np.eye(len(sample), dtype=bool)), (zz, np.eye(len(few), dtype=bool)),
                       (xz, same)):  # fmt: skip
        values[own] = 0
    edges = np.arange(BLOCKS) * len(sample) // BLOCKS
    # All kept rows are there, or a sample, whose blocks are left out with those of the others.
    parts = np.arange(BLOCKS) * len(few) // BLOCKS if m > len(few) else np.array([0])
    table = _Table(
        n, m, _summed(xx, edges, edges), _summed(zz, parts, parts), _summed(xz, edges, parts),
        _summed(1.0 - same, edges, parts), np.add.reduceat(dx, edges), np.add.reduceat(dz, parts),
        np.diff(edges, append=len(sample)), np.diff(parts, append=len(few)),
    )  # fmt: skip
    A, C, whole = table.means(None)
    without = np.array([table.means(k)[2] for k in range(BLOCKS)])
    error = np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean()) ** 2).sum())
    return A, C, whole, float(error)


def _summed(table: Array, rows: Index, columns: Index) -> Array:
    """Sums over blocks that begin at these rows and columns."""
    return np.asarray(np.add.reduceat(np.add.reduceat(table, rows, axis=0), columns, axis=1))


@frozen
class _Table:
    """Sums of r over pairs of blocks of sampled rows (x) and of kept ones (z), and counts."""

    n: int
    m: int
    xx: Array
    zz: Array
    xz: Array
    pairs: Array
    x_own: Array
    z_own: Array
    x_rows: Index
    z_rows: Index

    def means(self, left_out: int | None) -> tuple[float, float, float]:
        """A, C, and A - 2 B + C of r, without one block."""
        a, c = np.ones(len(self.x_rows)), np.ones(len(self.z_rows))
        if left_out is not None:
            a[left_out] = 0
            if len(c) > 1:
                c[left_out] = 0
        n, m, x, z = self.n, self.m, float(a @ self.x_rows), float(c @ self.z_rows)
        pairs, z_own = float(a @ self.pairs @ c), float(c @ self.z_own) / z
        xx, zz, xz = float(a @ self.xx @ a), float(c @ self.zz @ c), float(a @ self.xz @ c)
        A = float(a @ self.x_own) / x / n + (1 - 1 / n) * xx / max(x * (x - 1), 1)
        C = z_own / m + (1 - 1 / m) * zz / max(z * (z - 1), 1)
        B = z_own / n + (1 - 1 / n) * xz / max(pairs, 1)
        return A, C, A - 2 * B + C
