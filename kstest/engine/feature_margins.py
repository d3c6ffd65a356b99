"""Margins of low rank: independence tests in time proportional to the number of rows.

A block of columns is mapped to Nystrom features F (n, q) at landmark rows of its own, so that
F F' stands for its kernel matrix; a permutation of the rows of another block cannot move them, and
the permutation test is exact like one with the kernel. One numeric column has a kernel of so low a
rank that nothing is lost: what is left out is below CUT of the largest direction.

With the columns of F centred, the rows in s bins of h, and C_ab = F_a' H_b (q x q') the cross
products of bin a of one block with bin b of another, the sum over all pairs of rows under a
permutation p of the bins is

    sum_ij k~(i, j) l~(p(i), p(j)) = | sum_a C_a,p(a) |^2,

which s^2 inner products of the C_ab give for all permutations. The pairs i = i are taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels import Bank, Rows
from .margins import Index
from .tiles import cross_values
from .work import Work, run_tasks, silent, single_blas

Array = NDArray[np.float64]

# Directions with less than this share of the largest are left out.
CUT = 1e-6
# Landmarks of a block of one column, and of several.
SINGLE, SEVERAL = 128, 64
# Numbers of the cross products of all bins that are held at once: 200 MB.
HELD = 50_000_000


@dataclass(frozen=True)
class FeatureMargin:
    """Features of one block of columns, in the order of the test.

    Attributes
    ----------
    features : list of ndarray of float32 (n, q)
        Per bandwidth, centred; q depends on it.
    own : list of ndarray of float64 (n,)
        k~(i, i), per bandwidth.
    bank : Bank
    landmarks : int
        How many rows the features were made at.
    """

    features: list[NDArray[np.float32]]
    own: list[Array]
    bank: Bank
    landmarks: int = 0

    def __len__(self) -> int:
        return len(self.features[0])

    @property
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
    blocks: Sequence[tuple[Rows, Bank]],
    landmarks: Sequence[Rows],
    work: Work,
) -> list[FeatureMargin]:
    """Make the features of every block.

    Parameters
    ----------
    blocks : sequence of (rows, Bank)
        Scaled rows, n in every block; kernels with k(x, x) = 1.
    landmarks : sequence of Rows
        Of each block, a few of its rows, chosen without looking at other blocks.
    work : Work
    """
    tasks = [(*block, marks) for block, marks in zip(blocks, landmarks, strict=True)]
    with single_blas():
        return list(run_tasks(_feature_margin, tasks, work))


def _feature_margin(rows: Rows, bank: Bank, landmarks: Rows) -> FeatureMargin:
    features = _features(rows, landmarks, bank)
    own = [np.einsum("iq,iq->i", f, f, dtype=np.float64) for f in features]
    return FeatureMargin(features, own, bank, len(landmarks))


def _features(rows: Rows, landmarks: Rows, bank: Bank) -> list[NDArray[np.float32]]:
    """Centred features of every bandwidth."""
    maps = []
    (_, inner), *_ = list(cross_values(landmarks, landmarks, bank))
    for values in inner:
        values, vectors = np.linalg.eigh(values)
        kept = values > CUT * values[-1]
        maps.append(vectors[:, kept] / np.sqrt(values[kept]))
    found: list[list[NDArray[np.float32]]] = [[] for _ in maps]
    for _, parts in cross_values(rows, landmarks, bank):
        for l, part in enumerate(parts):
            found[l].append((part @ maps[l]).astype(np.float32))
    out = []
    for pieces in found:
        features = np.concatenate(pieces)
        features -= features.mean(axis=0, dtype=np.float64).astype(np.float32)
        out.append(features)
    return out


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
    count = orders.shape[1]
    out = np.empty((len(x.features), len(y.features), len(orders)))
    left = np.cumsum([0, *(f.shape[1] for f in x.features)])
    right = np.cumsum([0, *(f.shape[1] for f in y.features)])
    F, H = np.hstack(x.features), np.hstack(y.features)
    moving = slice(0, count * size)
    crossed = F[moving].reshape(count, size, -1), H[moving].reshape(count, size, -1)
    still = F[count * size :].T @ H[count * size :]
    own = [np.array(m.own) for m in (x, y)]
    # For a wide block the bandwidths of the left are taken one after the other.
    step = len(x.features) if count**2 * F.shape[1] * H.shape[1] <= HELD else 1
    for first in range(0, len(x.features), step):
        some = slice(left[first], left[first + step])
        tables = np.matmul(
            np.ascontiguousarray(crossed[0][:, :, some].transpose(0, 2, 1))[:, None],
            crossed[1][None],
        )  # (s, s, q, q')
        for k in range(first, first + step):
            part = slice(left[k] - some.start, left[k + 1] - some.start)
            for l in range(len(y.features)):
                cells = tables[:, :, part, right[l] : right[l + 1]].reshape(count**2, -1)
                rest = still[left[k] : left[k + 1], right[l] : right[l + 1]].ravel()
                out[k, l] = _squares(cells, rest, orders, count)
    out -= _diagonals(own[0], own[1], orders, count, size)
    n = len(x)
    trace = np.outer(own[0].sum(axis=1), own[1].sum(axis=1)) / (n * (n - 1))
    return np.asarray(out - trace[:, :, None])


def _squares(
    cells: NDArray[np.float32], rest: NDArray[np.float32], orders: Index, count: int
) -> Array:
    """|rest + sum_a C_a,p(a)|^2 of every permutation, from inner products of the C; shape (B,)."""
    rows = np.vstack([cells, rest[None]])
    table = (rows @ rows.T).astype(np.float64)
    picked = np.arange(count) * count + orders  # (B, s)
    picked = np.hstack([picked, np.full((len(orders), 1), count**2)])
    total = table.diagonal()[picked].sum(axis=1)
    for a in range(count):
        total += 2 * table[picked[:, a, None], picked[:, a + 1 :]].sum(axis=1)
    return np.asarray(total)


def _diagonals(x: Array, y: Array, orders: Index, count: int, size: int) -> Array:
    """Sums of k~(i, i) l~(p(i), p(i)) of every permutation; shape (R, R', B)."""
    moving = slice(0, count * size)
    left, right = (v[:, moving].reshape(len(v), count, size) for v in (x, y))
    table = np.einsum("rai,qbi->rqab", left, right, optimize=True)
    rest = x[:, count * size :] @ y[:, count * size :].T
    found = table[:, :, np.arange(count)[None], orders].sum(axis=3)
    return np.asarray(found + rest[:, :, None])
