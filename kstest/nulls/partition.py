"""How rows are cut into bins, and the permutations under which a two-sample test is repeated.

Under the null hypothesis the rows of both samples are exchangeable. Permuting rows, or permuting
whole bins of h rows formed at random within each sample, are both subgroups of the permutations
of all rows, so the permutation p-value is valid at every sample size (Hemerik and Goeman 2018;
for bins: Domingo-Enrich, Dwivedi, Mackey 2025, arXiv 2502.07672).

Two conditions make that true for bins. All bins that move have one common size on both sides:
bins of 10 and of 1 rows are not exchangeable. And the rows that are left over, or the surplus
bins of a much larger side, keep their label in every permutation: still a subgroup, and no row is
dropped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

# Bins of the smaller side. More change nothing measurable in power, and cost their square.
BINS = 64
# Bins that move, of both sides together; the others keep their label.
MOST_BINS = 512


@frozen
class Partition:
    """Rows of two samples, cut into blocks: those that move, and at most two that do not.

    Attributes
    ----------
    order : ndarray of int (N,)
        Rows of the pooled sample (first sample, then second) in block order.
    starts : ndarray of int (G + 1,)
        Block g holds order[starts[g]:starts[g + 1]].
    movable : int
        The first `movable` blocks are permuted; the others hold the rows whose label is fixed.
    labels : ndarray of int8 (G,)
        +1 where a block belongs to the first sample, -1 to the second.
    size : int
        Rows per block; 1 means that single rows are permuted, 0 that sizes differ.
    paired : bool
        Blocks 2 g and 2 g + 1 are the two parts of one group: they swap their labels, or not.
    unit : str
        What is permuted, in words: rows, bins of rows, groups, ...
    exact : bool
        False if the blocks are exchangeable only approximately.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    movable: int
    labels: NDArray[np.int8]
    size: int
    paired: bool = False
    unit: str = "bins of rows"
    exact: bool = True

    @property
    def scheme(self) -> str:
        """What the null distribution does, in words."""
        if self.paired:
            return f"swap of the two sides within {self.unit}"
        return f"permutation of {self.unit}"

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of every block, shape (G,)."""
        return np.diff(self.starts)

    @property
    def distinct(self) -> int:
        """Number of permutations that can give different statistics, the observed one included.

        If both samples have the same number of blocks, a permutation and its mirror image give
        the same statistic.
        """
        if self.paired:
            return int(2 ** (self.movable // 2 - 1))
        first = int(np.count_nonzero(self.labels[: self.movable] > 0))
        count = math.comb(self.movable, first)
        balanced = 2 * first == self.movable == len(self.labels)
        return count // 2 if balanced else count


def bin_size(smaller: int, bins: int = BINS) -> int:
    """Rows per bin for a smaller side of this many rows.

    Rounded down to a multiple of the vector length where that costs less than doubling the
    number of bins: a strip of 100 columns takes as long as one of 128.
    """
    size = max(1, smaller // bins)
    for multiple in (512, 64):
        if size >= multiple:
            return size - size % multiple
    return size


def bin_counts(m: int, n: int, size: int, most: int | None) -> tuple[int, int]:
    """Bins of `size` rows that move, of m rows of one side and n of another; `most` in all."""
    count_x, count_y = m // size, n // size
    if most is None:
        return count_x, count_y
    smaller = min(count_x, count_y)
    larger = max(most - smaller, smaller)
    return min(count_x, larger), min(count_y, larger)


def partition(
    m: int,
    n: int,
    size: int,
    rng: np.random.Generator,
    most: int | None = MOST_BINS,
    fixed: tuple[int, int] = (0, 0),
) -> Partition:
    """Cut m rows of one sample and n of another into bins of `size` rows, at random.

    Parameters
    ----------
    m, n : int
        Rows of the first and second sample.
    size : int
        Rows per bin, at most min(m, n); see `bin_size`.
    rng : numpy.random.Generator
        Shuffles the rows within each sample, and the order of the bins.
    most : int or None
        Bins at most; the surplus of the larger side is fixed. None: all move.
    fixed : (int, int)
        Rows of each sample, at least, that keep their label. What is computed from them alone may
        use their labels: given them, the other rows are exchangeable.
    """
    count_x, count_y = bin_counts(m - fixed[0], n - fixed[1], size, most)
    x, y = rng.permutation(m), m + rng.permutation(n)
    moving = np.concatenate([x[: count_x * size], y[: count_y * size]]).reshape(-1, size)
    labels = np.repeat(np.array([1, -1], np.int8), [count_x, count_y])
    # In random order, so that a rounded statistic is exchangeable too: see kstest.engine.
    shuffle = rng.permutation(len(moving))
    rest = [(1, x[count_x * size :]), (-1, y[count_y * size :])]
    rest = [(label, rows) for label, rows in rest if len(rows)]
    lengths = [size] * len(moving) + [len(rows) for _, rows in rest]
    return Partition(
        order=np.concatenate([moving[shuffle].ravel(), *(rows for _, rows in rest)]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        movable=len(moving),
        labels=np.concatenate([labels[shuffle], np.array([s for s, _ in rest], np.int8)]),
        size=size,
        unit="rows" if size == 1 else "bins of rows",
    )


def permuted_labels(
    cut: Partition, permutations: int, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Draw permutations of the blocks.

    Returns
    -------
    ndarray of int8 (G, permutations + 1)
        Column 0 is the observed permutation, the others are independent and uniform over the
        permutations of the bins.

    Notes
    -----
    The permuted labels start from a sorted vector, not from the observed labels, and mark the
    smaller side: the draws then do not depend on which sample is called the first.
    """
    out = np.empty((permutations + 1, len(cut.labels)), np.int8)
    out[:] = cut.labels
    if cut.paired:
        flips = rng.choice(np.array([-1, 1], np.int8), size=(permutations, cut.movable // 2))
        out[1:, : cut.movable] *= np.repeat(flips, 2, axis=1)
        return np.ascontiguousarray(out.T)
    observed = cut.labels[: cut.movable]
    sign = 1 if 2 * np.count_nonzero(observed > 0) <= cut.movable else -1
    template = np.full(cut.movable, -sign, np.int8)
    template[: np.count_nonzero(observed == sign)] = sign
    out[1:, : cut.movable] = rng.permuted(
        np.broadcast_to(template, (permutations, cut.movable)), axis=1
    )
    return np.ascontiguousarray(out.T)
