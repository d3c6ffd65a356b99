"""Single columns and pairs of them as explicit features: geometries of `kstest mmd --scale auto`.

A feature phi with kernel phi(x) phi(y) has MMD^2 = (mean_x phi - mean_y phi)^2. All that is needed
of it are its sums by block, so that N rows are read once and the permutations cost the number of
blocks. Differences are in units of sqrt(1 / m + 1 / n), the standard error of a feature of variance
1 (with weights, of sum w^2 / (sum w)^2), so that permutations with sides of other sizes compare.

A column's normal scores are put in cells, and the kernels are diagonal in cosines of these: on
[-FAR, FAR], with mirrors at the ends, a Gaussian of width h is

    sum_n 2 h sqrt(2 pi) / L  exp(-(n pi h / L)^2 / 2) cos(n pi s) cos(n pi t),   L = 2 FAR,

with s, t the shares of L below x and y; n = 0 is the same for all rows. All widths share the
features. Features of pairs are polynomials: their sums by block follow from matrix products of the
rows of a block with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine.work import single_blas
from ...kernels import Rows
from ...nulls.aggregate import signed_distance, standardise, studentise

Array = NDArray[np.float64]

# Normal scores are put in this many cells, from -FAR to FAR; beyond, in those at the ends.
CELLS, FAR = 64, 3.2
WIDTHS = (0.25, 0.5, 1.0, 2.0)
# Cosines: of those left out the narrowest kernel has less than .01 of its first.
MODES = 24
# Features whose permutations are looked at together: they stay in the cache of a processor.
TOGETHER = 240
# Products of columns that are kept at a time, numbers.
KEPT_PRODUCTS = 4_000_000
# Squared differences below this, or varying by less than this share, are rounding.
VARIANCE, ROUNDING = 1e-18, 1e-12


@frozen
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
    """

    rows: Rows
    missing: NDArray[np.bool_] | None
    starts: NDArray[np.int64]
    signs: NDArray[np.int8]
    weights: Array | None


@frozen
class Contrasts:
    """Differences of means between the sides of every permutation.

    Attributes
    ----------
    shares : ndarray (G,)
        Share of the weight that every block has.
    signs : ndarray (G, B + 1)
        Signs of the blocks, in units that make differences of means of sums.
    """

    shares: Array
    signs: Array

    @classmethod
    def of(cls, blocked: Blocked) -> Contrasts:
        if blocked.weights is None:
            masses = squares = np.diff(blocked.starts).astype(np.float64)
        else:
            w = blocked.weights
            masses, squares = (np.add.reduceat(v, blocked.starts[:-1]) for v in (w, w * w))
        first = (blocked.signs > 0).astype(np.float64)
        x, xx = masses @ first, squares @ first
        y, yy = masses.sum() - x, squares.sum() - xx
        # (1 / x + 1 / y) / 2 over the root of xx / x^2 + yy / y^2; 0 where a side weighs nothing
        spread = np.sqrt(xx * y**2 + yy * x**2)
        weighty = (x > 0) & (y > 0)
        unit = np.divide((x + y) / 2, spread, out=np.zeros_like(spread), where=weighty)
        return cls(masses / masses.sum(), blocked.signs * unit)

    def squared(self, sums: Array) -> Array:
        """Squared differences of features, from their sums by block (G, p); (p, B + 1)."""
        centred = sums - self.shares[:, None] * sums.sum(axis=0)
        with single_blas():
            found = centred.T @ self.signs
        found *= found
        return np.asarray(found)


def columns_score(z: Array, blocked: Blocked) -> Array:
    """S_B: the mean over columns at four widths, and the largest column at each.

    Parameters
    ----------
    z : ndarray (N, d)
        Normal scores of columns that vary.
    blocked : Blocked

    Returns
    -------
    ndarray (B + 1,)
    """
    total = np.zeros((len(WIDTHS), blocked.signs.shape[1]))
    largest = np.full(total.shape, -np.inf)
    for T in single(z, blocked, Contrasts.of(blocked)):
        total += T.sum(axis=0)
        for k in range(len(WIDTHS)):
            use = _varying(T[:, k])
            if use.any():
                np.maximum(largest[k], studentise(T[use, k]).max(axis=0), out=largest[k])
    parts = []
    for rows in (total, largest):
        finite = rows[np.isfinite(rows).all(axis=1)]
        finite = finite[_varying(finite)]
        if len(finite):
            parts.append(standardise(signed_distance(finite)))
    return standardise(np.max(parts, axis=0)) if parts else np.zeros(total.shape[1])


def single(z: Array, blocked: Blocked, contrasts: Contrasts) -> Iterator[Array]:
    """MMD^2 of some columns at a time, each by itself, at every width; (c, K, B + 1).

    Of categories with the kernel that is 1 where they are equal, whatever the width.
    """
    blocks = len(blocked.signs)
    of_row = np.repeat(np.arange(blocks), np.diff(blocked.starts))

    def counts(place: NDArray[np.int64], cells: int) -> Array:
        """Weight of every cell in every block."""
        found = np.bincount(of_row * cells + place, blocked.weights, blocks * cells)
        return found.reshape(blocks, cells).astype(np.float64)

    share = (np.arange(CELLS) + 0.5) / CELLS
    n, h = np.arange(1, MODES + 1), np.array(WIDTHS)[:, None]
    length = 2 * FAR
    factors = 2 * h * np.sqrt(2 * np.pi) / length * np.exp(-((n * np.pi * h / length) ** 2) / 2)
    cosines = np.cos(np.pi * share[:, None] * n)
    step = TOGETHER // MODES
    for first in range(0, z.shape[1], step):
        some = z[:, first : first + step].T
        with single_blas():
            sums = np.hstack([counts(_cells(column), CELLS) @ cosines for column in some])
            squared = contrasts.squared(sums).reshape(len(some), MODES, -1)
            yield factors @ squared
    for codes in blocked.rows.codes.T:
        levels, place = np.unique(codes, return_inverse=True)
        if len(levels) > 1:
            T = contrasts.squared(counts(place, len(levels))).sum(axis=0)
            yield np.broadcast_to(T, (1, len(WIDTHS), len(T)))


def _cells(z: Array) -> NDArray[np.int64]:
    """Cell of every score, 0 to CELLS - 1."""
    cells = np.floor(z * (CELLS / (2 * FAR))) + CELLS // 2
    return cells.clip(0, CELLS - 1).astype(np.int64)


def pairs_score(y: Array, blocked: Blocked) -> Array:
    """S_C: sum and largest of the features of all pairs.

    Parameters
    ----------
    y : ndarray (N, d)
        Whitened scores.
    blocked : Blocked

    Returns
    -------
    ndarray (B + 1,)
    """
    contrasts = Contrasts.of(blocked)
    total = np.zeros(blocked.signs.shape[1])
    largest = np.full(len(total), -np.inf)
    for sums in pair_sums(y, blocked):
        for first in range(0, sums.shape[1], TOGETHER):
            T = contrasts.squared(sums[:, first : first + TOGETHER])
            mean = T.mean(axis=1)
            T -= mean[:, None]
            spread = np.sqrt(np.einsum("fb,fb->f", T, T) / T.shape[1])
            use = (mean > VARIANCE) & (spread > ROUNDING * mean)
            if use.any():
                T = T[use]
                total += (1 / mean[use]) @ T
                T /= spread[use, None]
                np.maximum(largest, T.max(axis=0), out=largest)
    if not np.isfinite(largest).all():
        return np.zeros(len(total))
    return standardise(np.maximum(standardise(total), standardise(largest)))


def pair_sums(y: Array, blocked: Blocked) -> Iterator[Array]:
    """Sums by block of the features of a column with all later ones; (G, 5 k).

    Of a and b, and of u, v = (a + b, a - b) / sqrt(2): a b, a (b^2 - 1), (a^2 - 1) b, u (v^2 - 1)
    and (u^2 - 1) v. The last two see tails that depend on each other at one end, as of a copula:
    the spread across the diagonal changes along it, which in a and b is spread over four features.
    The turn is the same for all pairs, so there are no axes to estimate; features of (b, a), or of
    a column of the other sign, are the same up to order and sign.
    """
    d, root = y.shape[1], np.sqrt(2)
    w = np.ones(len(y)) if blocked.weights is None else blocked.weights
    plain = np.column_stack([_by_block(w * a, blocked.starts) for a in y.T])
    # Not **3, which takes eight times as long.
    cubes = np.column_stack([_by_block(w * a * a * a, blocked.starts) for a in y.T])
    step = max(1, KEPT_PRODUCTS // (4 * d * len(blocked.signs)))
    for low in range(0, d - 1, step):
        some = slice(low, min(low + step, d - 1))
        products = _products(y, some, w, blocked.starts)
        count = some.stop - some.start
        for j in range(some.start, some.stop):
            later, j0 = slice(j + 1, d), j - low
            ab, abb = products[:, j0, later], products[:, j0, d + j + 1 :]
            aab = products[:, count + j0, later]
            a, aaa, b, bbb = plain[:, [j]], cubes[:, [j]], plain[:, later], cubes[:, later]
            yield np.concatenate(
                [
                    ab,
                    abb - a,
                    aab - b,
                    (aaa + bbb - aab - abb) / (2 * root) - (a + b) / root,
                    (aaa - bbb + aab - abb) / (2 * root) - (a - b) / root,
                ],
                axis=1,
            )


def _products(y: Array, some: slice, w: Array, starts: NDArray[np.int64]) -> Array:
    """Sums by block of y and y^2 of some columns, times y and y^2 of all; (G, 2 c, 2 d)."""
    blocks, d = len(starts) - 1, y.shape[1]
    out = np.empty((blocks, 2 * (some.stop - some.start), 2 * d))
    if blocks == len(y):
        both = np.hstack([y, y * y])
        left = np.hstack([y[:, some], y[:, some] ** 2]) * w[:, None]
        return np.multiply(left[:, :, None], both[:, None, :], out=out)
    with single_blas():
        for g, (first, last) in enumerate(pairwise(starts)):
            part = y[first:last]
            both = np.hstack([part, part * part])
            left = np.hstack([part[:, some], part[:, some] ** 2]) * w[first:last, None]
            np.matmul(left.T, both, out=out[g])
    return out


def _by_block(values: Array, starts: NDArray[np.int64]) -> Array:
    """Sums of N values over the rows of every block, (G,)."""
    return values if len(starts) > len(values) else np.add.reduceat(values, starts[:-1])


def _varying(T: Array) -> NDArray[np.bool_]:
    """Which squared differences, (p, B + 1), vary by more than rounding."""
    return np.asarray(T.std(axis=1) > np.maximum(VARIANCE, ROUNDING * np.abs(T).max(axis=1)))
