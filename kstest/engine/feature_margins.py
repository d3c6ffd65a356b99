"""Margins of low rank: independence tests in time proportional to the number of rows.

A block of columns is mapped to Nystrom features F (n, q) at landmark rows of its own, so that
F F' stands for its kernel matrix; a permutation of the rows of another block cannot move them, and
the permutation test is exact like one with the kernel. One numeric column has a kernel of so low a
rank that nothing is lost: q of its principal directions are kept, and one whose variance is a
share c of the largest raises a standard score by at most n c, however it depends on the other
block (the mean of n^2 l m r^2 over n |l| |m|, for directions of variance l and m with correlation
r). Left out are those below 1 / n.

With the columns of F centred, the rows in s bins of h, and C_ab = F_a' H_b (q x q') the cross
products of bin a of one block with bin b of another, the sum over all pairs of rows under a
permutation p of the bins is

    sum_ij k~(i, j) l~(p(i), p(j)) = | sum_a C_a,p(a) |^2,

which the inner products of all C_ab give for all permutations. The pairs i = i are taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid, Rows
from .margins import Index
from .tiles import cross_values
from .work import Work, run_tasks, silent, single_blas

Array = NDArray[np.float64]

# Directions of landmark rows with less than this share of the largest are rounding.
CUT = 1e-6
# Landmarks of a block of one column, and of several.
SINGLE, SEVERAL = 128, 64
# Permutations that are looked up at a time.
STEP = 256


@frozen
class FeatureMargin:
    """Features of one block of columns, in the order of the test.

    Attributes
    ----------
    features : list of ndarray of float32 (n, q)
        Per bandwidth, centred; q depends on it.
    own : list of ndarray of float64 (n,)
        k~(i, i), per bandwidth.
    grid : BandwidthGrid
    landmarks : int
        How many rows the features were made at.
    """

    features: list[NDArray[np.float32]]
    own: list[Array]
    grid: BandwidthGrid
    landmarks: int = 0

    def __len__(self) -> int:
        return len(self.features[0])

    def take(self, rows: Index) -> FeatureMargin:
        """The same rows in another order; `rows` is a permutation of them."""
        features, own = [f[rows] for f in self.features], [v[rows] for v in self.own]
        return replace(self, features=features, own=own)

    @cached_property
    def centred_square(self) -> Array:
        """Sum of k~(i, j)^2 over i != j, per bandwidth; 0 where only rounding is left."""
        found = []
        for features, own in zip(self.features, self.own, strict=True):
            inner = (features.T @ features).astype(np.float64)
            whole, diagonal = float((inner * inner).sum()), float(own @ own)
            found.append(whole - diagonal if whole - diagonal > 1e-5 * whole else 0.0)
        return np.array(found)


def landmark_rows(rows: Rows) -> int:
    """Return how many landmarks a block gets by its columns."""
    return SINGLE if rows.width == 1 else SEVERAL


def feature_margins(
    blocks: Sequence[tuple[Rows, BandwidthGrid]],
    landmarks: Sequence[Rows],
    work: Work,
) -> list[FeatureMargin]:
    """Make the features of every block.

    Parameters
    ----------
    blocks : sequence of (rows, BandwidthGrid)
        Scaled rows, n in every block; kernels with k(x, x) = 1.
    landmarks : sequence of Rows
        Of each block, a few of its rows, chosen without looking at other blocks.
    work : Work
    """
    tasks = [(*block, marks) for block, marks in zip(blocks, landmarks, strict=True)]
    with single_blas():
        return list(run_tasks(_feature_margin, tasks, work))


def _feature_margin(rows: Rows, grid: BandwidthGrid, landmarks: Rows) -> FeatureMargin:
    features = _features(rows, landmarks, grid)
    own = [np.einsum("iq,iq->i", f, f, dtype=np.float64) for f in features]
    return FeatureMargin(features, own, grid, len(landmarks))


def _features(rows: Rows, landmarks: Rows, grid: BandwidthGrid) -> list[NDArray[np.float32]]:
    """Centred features of every bandwidth."""
    maps = []
    (_, inner), *_ = list(cross_values(landmarks, landmarks, grid))
    for values in inner:
        values, vectors = np.linalg.eigh(values)
        kept = values > CUT * values[-1]
        maps.append(vectors[:, kept] / np.sqrt(values[kept]))
    found: list[list[NDArray[np.float32]]] = [[] for _ in maps]
    for _, parts in cross_values(rows, landmarks, grid):
        for l, part in enumerate(parts):
            found[l].append((part @ maps[l]).astype(np.float32))
    out = []
    for pieces in found:
        features = np.concatenate(pieces)
        features -= features.mean(axis=0, dtype=np.float64).astype(np.float32)
        out.append(_principal(features))
    return out


def _principal(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred features in their principal directions, without those too small to be seen."""
    variances, directions = np.linalg.eigh((features.T @ features).astype(np.float64))
    kept = variances > variances[-1] / len(features)
    return np.asarray(features @ directions[:, kept].astype(np.float32))


def feature_products(
    margins: Sequence[FeatureMargin],
    pairs: Sequence[tuple[int, int]],
    permutations: Sequence[Index],
    size: int,
    work: Work,
) -> list[Array]:
    """Evaluate sum_{i != j} k~(i, j) l~(p(i), p(j)) for pairs of margins and permutations of bins.

    Parameters and result are those of `kstest.engine.products.table_products`. The sums are shifted
    so that their mean over all permutations of rows is 0, as with U-centred kernels.
    """
    tasks = [
        (margins[x], margins[y], orders, size)
        for (x, y), orders in zip(pairs, permutations, strict=True)
    ]
    with single_blas():
        found = list(run_tasks(_pair, tasks, silent(work)))
    work.progress(1.0)
    return found


def _pair(x: FeatureMargin, y: FeatureMargin, orders: Index, size: int) -> Array:
    """Products of one pair of blocks; (R, R', B)."""
    found = _table(x, y, orders.shape[1], size).sums(orders)
    return np.ascontiguousarray(found.T).reshape(len(x.features), len(y.features), -1)


@frozen
class _Table:
    """What a permutation p of s bins looks up: one sum for each of K pairs of bandwidths.

    constant + sum_a single[a, p(a)] + 2 sum_{a < c} double[(a, c), (p(a), p(c))].

    Attributes
    ----------
    double : ndarray of float32 (s (s - 1) / 2, s^2, K)
        <C_ab, C_cd>: all bandwidths of a cell side by side, since they are looked up together.
    single : ndarray (s, s, K)
        |C_ab|^2 + 2 <C_ab, C_fixed> less the pairs i = i.
    constant : ndarray (K,)
    """

    double: NDArray[np.float32]
    single: Array
    constant: Array

    def sums(self, orders: Index) -> Array:
        """Sums of every permutation; (B, K)."""
        bins = len(self.single)
        out = np.empty((len(orders), len(self.constant)))
        for start in range(0, len(orders), STEP):  # so that a step's sums stay in the cache
            places = orders[start : start + STEP]
            double = np.zeros((len(places), out.shape[1]), np.float32)
            for k, (a, c) in enumerate(combinations(range(bins), 2)):
                double += self.double[k].take(places[:, a] * bins + places[:, c], axis=0)
            part = out[start : start + STEP]
            part[:] = self.constant
            for a in range(bins):
                part += self.single[a].take(places[:, a], axis=0)
            part += 2 * double
        return out


def _table(x: FeatureMargin, y: FeatureMargin, bins: int, size: int) -> _Table:
    """Inner products of the cross products of all pairs of bins."""
    count, moving = len(x.features) * len(y.features), slice(0, bins * size)
    first, second = np.triu_indices(bins, 1)
    double = np.empty((count, len(first), bins, bins), np.float32)
    single, constant = np.empty((count, bins**2)), np.empty(count)
    places = iter(range(count))
    for left in x.features:
        columns = left[moving].reshape(bins, 1, size, -1).transpose(0, 1, 3, 2)
        for right in y.features:
            place = next(places)
            meeting = np.matmul(columns, right[moving].reshape(1, bins, size, -1))
            crossed = meeting.reshape(bins**2, -1)
            rest = (left[bins * size :].T @ right[bins * size :]).ravel()
            inner = crossed @ crossed.T
            single[place] = inner.diagonal() + 2 * (crossed @ rest)
            constant[place] = rest @ rest
            double[place] = inner.reshape(bins, bins, bins, bins)[first, :, second]
    own = [np.array(margin.own) for margin in (x, y)]
    diagonals, rest = _diagonals(own[0], own[1], bins, size)
    n = len(x)
    trace = np.outer(own[0].sum(axis=1), own[1].sum(axis=1)).ravel() / (n * (n - 1))
    cells = (single - diagonals).reshape(count, bins, bins).transpose(1, 2, 0)
    table = double.reshape(count, -1).T.reshape(len(first), bins**2, count)
    return _Table(np.ascontiguousarray(table), np.ascontiguousarray(cells), constant - rest - trace)


def _diagonals(x: Array, y: Array, bins: int, size: int) -> tuple[Array, Array]:
    """Sums of k~(i, i) l~(j, j), row i of bin a with its counterpart j of bin b; of fixed rows.

    Shapes (R R', s^2) and (R R',).
    """
    moving = slice(0, bins * size)
    left, right = (v[:, moving].reshape(len(v) * bins, size) for v in (x, y))
    table = (left @ right.T).reshape(len(x), bins, len(y), bins).transpose(0, 2, 1, 3)
    return table.reshape(-1, bins**2), (x[:, bins * size :] @ y[:, bins * size :].T).ravel()
