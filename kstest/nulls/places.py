"""Which bin a row belongs to, where nobody sees all rows: a keyed bijection of row numbers.

A row whose number on its side is i goes to place pi(i), pi a bijection of 0..n - 1 that is drawn
by a key; bins are stretches of places. So every bin has exactly one size, any process that knows
the key finds the bin of a row by its number alone, and the rows of a bin are spread over the whole
side whatever order the files are in.

Two nearer ideas are wrong. The bins of ``hash(row) % G`` have sizes that differ, and bins of
unequal size are not exchangeable. Dealing the rows of every file to all bins alike takes the
differences between files out of the bins, and not out of the difference of the samples: true null
hypotheses about sorted or partitioned files are then rejected nearly always.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .partition import MOST_BINS, Partition, bin_counts

Words = NDArray[np.uint64]
ROUNDS = 6


def scattered(number: NDArray[np.int64], n: int, keys: Words) -> NDArray[np.int64]:
    """Return the places pi(i) of row numbers i; pi is a bijection of 0..n - 1.

    Parameters
    ----------
    number : ndarray of int (k,)
        From 0 to n - 1.
    n : int
        At least 1.
    keys : ndarray of uint64 (ROUNDS,)

    Notes
    -----
    A Feistel network of ROUNDS rounds on 2 b bits, 4^b >= n, walked along its cycles until the
    place is below n (Black, Rogaway 2002). Pseudorandom, not random: what follows from uniform
    bijections holds as far as its rounds mix, which tests measure.
    """
    half = np.uint64(max(1, (max(n - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    out = _feistel(number.astype(np.uint64), half, mask, keys)
    beyond = np.flatnonzero(out >= n)
    while len(beyond):
        out[beyond] = _feistel(out[beyond], half, mask, keys)
        beyond = beyond[out[beyond] >= n]
    return out.astype(np.int64)


def _feistel(words: Words, half: np.uint64, mask: np.uint64, keys: Words) -> Words:
    left, right = words >> half, words & mask
    for key in keys:
        left, right = right, left ^ (mixed(right ^ key) & mask)
    return (left << half) | right


def mixed(words: Words) -> Words:
    """Words of which every bit depends on all bits of the given ones (the end of splitmix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))


@frozen
class Places:
    """Bins of the rows of two sides, by number.

    Attributes
    ----------
    rows : (int, int)
        Of the first and second side.
    size : int
        Rows of a bin.
    keys : ndarray of uint64 (2, ROUNDS)
    column : tuple of ndarray of int (bins + 1,)
        The block of every bin of a side, and last that of the rows whose label is fixed.
    """

    rows: tuple[int, int]
    size: int
    keys: Words
    column: tuple[NDArray[np.int64], NDArray[np.int64]]

    def blocks(self, side: int, number: NDArray[np.int64]) -> NDArray[np.int64]:
        """Block of the rows of a side, by their numbers from 0."""
        column = self.column[side]
        place = scattered(number, self.rows[side], self.keys[side]) // self.size
        return column[np.minimum(place, len(column) - 1)]


def placed(m: int, n: int, size: int, rng: np.random.Generator) -> tuple[Places, Partition]:
    """Cut m rows of one side and n of another into bins of `size` rows, without a list of rows.

    Returns
    -------
    places : Places
    cut : Partition
        As `partition` makes it, but for `order`, which is empty.
    """
    counts = bin_counts(m, n, size, MOST_BINS)
    keys = rng.integers(2**64, size=(2, ROUNDS), dtype=np.uint64)
    movable = sum(counts)
    shuffle = rng.permutation(movable)  # shuffle[bin] is the block
    labels = np.empty(movable, np.int8)
    labels[shuffle] = np.repeat(np.array([1, -1], np.int8), counts)
    rest = [rows - count * size for rows, count in zip((m, n), counts, strict=True)]
    last, columns = movable, []
    for left, bins in zip(rest, (shuffle[: counts[0]], shuffle[counts[0] :]), strict=True):
        columns.append(np.append(bins, last))
        last += left > 0
    fixed = [sign for sign, left in zip((1, -1), rest, strict=True) if left]
    lengths = [size] * movable + [left for left in rest if left]
    cut = Partition(
        order=np.zeros(0, np.int64),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        movable=movable,
        labels=np.concatenate([labels, np.array(fixed, np.int8)]),
        size=size,
        unit="rows" if size == 1 else "bins of rows",
    )
    return Places((m, n), size, keys, (columns[0], columns[1])), cut
