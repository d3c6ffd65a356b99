"""Cross products of features by bin: independence tests of rows that nobody keeps.

A block of columns is mapped to features f (n, R) that serve all its kernels at once: Nystrom
features at landmark rows of every kernel, side by side, in the principal directions that they have
in a few rows. The kernel l is |f W_l|^2 there. The cross products of two blocks, f' h, are additive
over rows, and so are the covariances within a bin,

    D_g = sum_{i in g} (f_i - mean_g f) (h_i - mean_g h)',

which, where the blocks are independent, have mean 0 and are independent of each other. They are
known from one pass over the rows; `kstest.engine.feature_margins`, which permutes rows, needs
cross products of all pairs of bins, and rows of both side by side.

Features are rounded to multiples of `QUANTUM`, so that their products add up exactly: sums are
the same in any order and however the rows are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels import BandwidthGrid, Rows
from .blocks import single_suffices
from .tiles import Points, cross_values, tile_values

Array = NDArray[np.float64]
Single = NDArray[np.float32]

# Directions of landmark rows, and of features, with less than these shares of the largest variance
# are rounding.
CUT, FINEST = 1e-6, 1e-5
# Features of a block at most: sums take 8 bytes for every pair of them and bin, 34 MB.
MOST = 128
# Rows that say which directions vary.
FEW = 4096
# Features have variances from FINEST to the number of kernels.
QUANTUM = 2.0**-10
TILE = 512


@dataclass(frozen=True)
class FeatureMap:
    """Features of one block of columns.

    Attributes
    ----------
    landmarks : Rows
        r rows.
    grids : tuple of BandwidthGrid
        L kernels in all.
    table : ndarray of float32 (L r, R)
        Kernel values at the landmarks, kernel after kernel, times this are features.
    centre : ndarray of float32 (R,)
        Their mean in a few rows.
    weights : tuple of ndarray (R, q)
        W_l of every kernel.
    size : ndarray (L,)
        Root of the mean square of the centred kernel; 0 where the few rows are all alike to it.
    """

    landmarks: Rows
    grids: tuple[BandwidthGrid, ...]
    table: Single
    centre: Single
    weights: tuple[Array, ...]
    size: Array

    @property
    def kernels(self) -> list[tuple[str, float]]:
        """Name and bandwidth of every kernel."""
        return [(grid.kernel.name, h) for grid in self.grids for h in grid.bandwidths]

    def features(self, rows: Rows) -> Single:
        """Return 1 and the features of rows, multiples of QUANTUM; shape (n, 1 + R)."""
        r, near = len(self.landmarks), self._near
        both = Rows(
            np.concatenate([self.landmarks.values, rows.values]),
            np.concatenate([self.landmarks.codes, rows.codes]),
        )
        kinds = [np.float32 if single_suffices(near, grid) else np.float64 for grid in self.grids]
        points = [Points.of(both, kind, self._middle) for kind in kinds]
        out = np.empty((len(rows), 1 + len(self.centre)), np.float32)
        out[:, 0] = 1
        side = np.empty((min(TILE, len(rows)), len(self.table)), np.float32)
        for first in range(0, len(rows), TILE):
            at = slice(first, min(first + TILE, len(rows)))
            own, place = side[: at.stop - at.start], 0
            for some, grid in zip(points, self.grids, strict=True):
                shifted = slice(r + at.start, r + at.stop)
                for values in tile_values(some, shifted, slice(0, r), grid):
                    own[:, place : place + r] = values
                    place += r
            found = own @ self.table
            found -= self.centre
            found *= np.float32(1 / QUANTUM)
            np.rint(found, out=found)
            np.multiply(found, np.float32(QUANTUM), out=out[at, 1:])
        return out

    @property
    def _middle(self) -> Array:
        """Centre of the distances: the same for all batches of rows."""
        return np.asarray(np.median(self.landmarks.values, axis=0))

    @property
    def _near(self) -> Rows:
        return Rows(self.landmarks.values - self._middle, self.landmarks.codes)


def feature_map(landmarks: Rows, few: Rows, grids: Sequence[BandwidthGrid]) -> FeatureMap:
    """Choose the features of a block from rows that are in no sum.

    Parameters
    ----------
    landmarks, few : Rows
        Kernels are compared at the landmarks; the others say which directions vary.
    grids : sequence of BandwidthGrid
        Kernels with a bandwidth.
    """
    maps, parts, scales, sizes = [], [], [], []
    few = few.take(slice(FEW))
    for inner, values in _kernel_values(landmarks, few, grids):
        table, variances = _principal(inner, values)
        top = np.sqrt(variances[-1]) if len(variances) else 1.0
        maps.append(table / top)
        parts.append(values @ maps[-1])
        scales.append(top)
        sizes.append(np.sqrt((variances**2).sum()))
    side = np.hstack(parts)
    centre = side.mean(axis=0)
    _, directions = _directions(side - centre)
    cuts = np.cumsum([part.shape[1] for part in parts])[:-1]
    rotations = np.split(directions, cuts)
    return FeatureMap(
        landmarks,
        tuple(grids),
        np.concatenate([m @ w for m, w in zip(maps, rotations, strict=True)]).astype(np.float32),
        (centre @ directions).astype(np.float32),
        tuple(np.asarray(s * w.T) for s, w in zip(scales, rotations, strict=True)),
        np.array(sizes),
    )


def _kernel_values(
    landmarks: Rows, few: Rows, grids: Sequence[BandwidthGrid]
) -> Iterator[tuple[Array, Array]]:
    """Values of every kernel at the landmarks: of the landmarks, (r, r), and of others."""
    for grid in grids:
        both = []
        for rows in (landmarks, few):
            blocks = [values for _, values in cross_values(rows, landmarks, grid)]
            both.append([np.concatenate(some) for some in zip(*blocks, strict=True)])
        yield from zip(*both, strict=True)


def _principal(inner: Array, values: Array) -> tuple[Array, Array]:
    """Nystrom features in their principal directions: table (r, q) and variances (q,)."""
    found, vectors = np.linalg.eigh(inner)
    kept = found > CUT * found[-1]
    table = vectors[:, kept] / np.sqrt(found[kept])
    features = values @ table
    variances, directions = _directions(features - features.mean(axis=0))
    return table @ directions, variances


def _directions(centred: Array) -> tuple[Array, Array]:
    """Variances in increasing order, and their directions, of those that count."""
    if not centred.shape[1]:
        return np.empty(0), np.empty((0, 0))
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = (variances > FINEST * variances[-1]) & (variances > 1e-12)
    return variances[kept][-MOST:], directions[:, kept][:, -MOST:]


def add_cross_products(left: Single, right: Single, bins: NDArray[np.int64], out: Array) -> None:
    """Add f' h of every bin to `out`.

    Parameters
    ----------
    left, right : ndarray of float32 (n, 1 + R), (n, 1 + R')
        As `FeatureMap.features` returns them.
    bins : ndarray of int (n,)
        Bin of every row.
    out : ndarray (G, 1 + R, 1 + R')
        Exact: in any order up to 10^10 rows.
    """
    order = np.argsort(bins, kind="stable")
    present, starts = np.unique(bins[order], return_index=True)
    for g, some in zip(present, np.split(order, starts[1:]), strict=True):
        out[g] += left[some].astype(np.float64).T @ right[some].astype(np.float64)


def bin_covariances(sums: Array) -> tuple[Array, Array]:
    """D_g (G, R, R') and n_g - 1 (G,) of sums of cross products; see the module."""
    n = sums[:, 0, 0]
    means = sums[:, 1:, :1] / n[:, None, None]
    return sums[:, 1:, 1:] - means * sums[:, :1, 1:], n - 1


def kernel_pairs(x: FeatureMap, y: FeatureMap) -> list[tuple[int, int]]:
    """Places of kernels of one name in both blocks: every bandwidth with all of the other."""
    names = [[name for name, _ in side.kernels] for side in (x, y)]
    return [(l, m) for l, own in enumerate(names[0]) for m, other in enumerate(names[1])
            if own == other]  # fmt: skip


def bin_products(D: Array, x: FeatureMap, y: FeatureMap) -> Iterator[Array]:
    """Yield <W_l' D_a V_m, W_l' D_b V_m> for all bins a and b, (G, G), per pair of kernels l, m."""
    left, place = D, -1
    for l, m in kernel_pairs(x, y):
        if l != place:
            left, place = np.matmul(x.weights[l].T, D), l
        flat = np.matmul(left, y.weights[m]).reshape(len(D), -1)
        yield flat @ flat.T
