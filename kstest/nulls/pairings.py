"""How rows of several blocks of columns are paired anew under the null of independence.

Under the null hypothesis the blocks are independent and their rows exchangeable, so the rows of
one block may be permuted against those of another. Permuting whole bins of h rows, formed at
random, is a subgroup of those permutations, and exact for the same reason (Domingo-Enrich, Dwivedi,
Mackey 2025, arXiv 2502.07672); so is leaving the n - s h rows behind the last bin in place.

Three things serve exactness in finite arithmetic too. Every block is stored in a random order of
its bins, so the observed pairing is a uniform draw like all others, and a sum rounded in float32
cannot tell it from them. Permutations are drawn anew, never enumerated. And a grid of I x J
permutations stands for I J - 1 independent ones: the left blocks take alpha_i, the right ones
beta_j, all independent and uniform, and pairing (0, 0) is the observed one. Under the null
the array of statistics is then exchangeable in its rows and in its columns, so the observed one is
equally likely to have any rank in it, or in a random subset of B other cells. Different cells are
pairwise independent, so the p-value varies no more than with B independent draws.

Two blocks of which single rows move, all of which may meet, need no matrix of their own for every
permutation (`shift_grid`). The rows of the first lie in a random circle a, those of the second in
M circles: b_0, which is a with every row's own partner, turned by a random number of places, and
M - 1 others drawn at random. Cell (m, k) pairs a with b_m turned by k places. Under the null all M
circles are independent and uniform, whatever a is, so the array of M x n statistics keeps its
distribution when circles are exchanged or one of them is turned. These moves take any cell to any
other: the observed one, at the place that b_0 was turned by, is equally likely to have any rank.

Given further columns, bins move within cells only (`Pairing.cells`), cells being sets of bins in
which those columns are equal, or nearly: the same subgroup argument, for independence within cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Index = NDArray[np.int64]

# Bins of rows that are permuted; power does not grow beyond, cost does with the square.
PAIR_BINS = 16


@frozen
class Pairing:
    """Rows cut into bins, and the order in which each block stores its bins.

    Attributes
    ----------
    order : ndarray of int (n,)
        Rows, bin after bin; the rows from `bins` times `size` on never move.
    size, bins : int
        h rows in each of s bins.
    stored : tuple of ndarray of int (s,)
        Per block, the bin at each place.
    cells : ndarray of int (s,), or None
        Cell of each place, not decreasing; None where all bins may meet.
    """

    order: Index
    size: int
    bins: int
    stored: tuple[Index, ...]
    cells: Index | None = None

    @property
    def distinct(self) -> int:
        """Number of ways to pair two blocks anew, the observed one included."""
        if self.cells is None:
            return math.factorial(self.bins)
        counts = np.unique(self.cells, return_counts=True)[1]
        return math.prod(map(math.factorial, counts.tolist()))

    def rows(self, block: int) -> Index:
        """Return the rows in the order in which this block stores them."""
        moving = self.order[: self.bins * self.size].reshape(self.bins, self.size)
        return np.concatenate(
            [moving[self.stored[block]].ravel(), self.order[self.bins * self.size :]]
        )

    def observed(self, first: int, second: int) -> Index:
        """Return the place in the second block of the bin at each place of the first."""
        return np.argsort(self.stored[second])[self.stored[first]]


def pair_rows(
    order: Index, size: int, blocks: int, rng: np.random.Generator, cells: Index | None = None
) -> Pairing:
    """Cut rows, in the given order, into bins of `size`, and store each block's bins at random.

    With `cells` (s,) only so many bins are cut, and stored at random within their cells.
    """
    if cells is None:
        bins = len(order) // size
        return Pairing(order, size, bins, tuple(rng.permutation(bins) for _ in range(blocks)))
    stored = tuple(permutations_of(len(cells), 1, rng, cells)[0] for _ in range(blocks))
    return Pairing(order, size, len(cells), stored, cells)


def permutations_of(
    bins: int, count: int, rng: np.random.Generator, cells: Index | None = None
) -> Index:
    """Draw `count` independent uniform permutations of the bins, within cells; shape (count, s)."""
    if cells is None:
        return rng.permuted(np.broadcast_to(np.arange(bins), (count, bins)), axis=1)
    keys = rng.random((count, bins)) + np.cumsum(np.r_[0, np.diff(cells) > 0])
    return np.asarray(np.argsort(keys, axis=1))


@frozen
class PermutationGrid:
    """I x J permutations, of which B + 1 cells are used.

    Attributes
    ----------
    left, right : tuple of ndarray of int (I, s) and (J, s)
        Per block: the place that each position takes its bin from.
    cells : ndarray of int (B + 1,)
        Flat places in the I x J grid, the observed pairing, 0, first.
    """

    left: tuple[Index, ...]
    right: tuple[Index, ...]
    cells: Index


def permutation_grid(
    cut: Pairing, left: int, replicates: int, rng: np.random.Generator
) -> PermutationGrid:
    """Draw a grid of permutations; the first `left` blocks are on its left side.

    Every block is permuted independently of the others on its side, so for more than two blocks
    the cells are draws under joint independence.
    """
    high = math.isqrt(replicates + 1)
    wide = -(-(replicates + 1) // high)
    heights = [high if block < left else wide for block in range(len(cut.stored))]
    drawn = [permutations_of(cut.bins, height, rng, cut.cells) for height in heights]
    for block in range(1, len(drawn)):  # the cell (0, 0): every block as the first one has it
        drawn[block][0] = cut.observed(0, block)[drawn[0][0]]
    others = 1 + rng.choice(high * wide - 1, replicates, replace=False)
    cells = np.concatenate([[0], others]).astype(np.int64)
    return PermutationGrid(tuple(drawn[:left]), tuple(drawn[left:]), cells)


@frozen
class ShiftGrid:
    """A circle of rows against M others, each turned by 0 to n - 1 places: B + 1 cells are used.

    Attributes
    ----------
    left : ndarray of int (n,)
        Places of the first block in the order of its circle.
    right : ndarray of int (M, n)
        The same of the second block, circle by circle.
    cells : ndarray of int (B + 1,)
        Flat places in the M x n array, the observed pairing first.
    """

    left: Index
    right: Index
    cells: Index


def shift_grid(cut: Pairing, replicates: int, rng: np.random.Generator) -> ShiftGrid:
    """Draw circles for two blocks whose single rows move, wherever they are."""
    n = cut.bins
    left, away = rng.permutation(n), int(rng.integers(n))
    right = permutations_of(n, -(-(replicates + 1) // n), rng)
    right[0] = np.roll(cut.observed(0, 1)[left], away)
    others = rng.choice(right.size - 1, replicates, replace=False)
    others += others >= away
    return ShiftGrid(left, right, np.concatenate([[away], others]).astype(np.int64))


def table(cut: Pairing, pairs: Sequence[tuple[int, int]], drawn: Index) -> list[Index]:
    """Return the permutations of pairs of blocks: per pair (B + 1, s), the observed pairing first.

    All pairs get the same draws (B, s): each p-value is exact, and they may depend on each other.
    """
    return [np.concatenate([cut.observed(x, y)[None], drawn]) for x, y in pairs]
