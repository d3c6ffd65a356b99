"""Sums over pairs of rows of products of inner products, from features instead of kernel values.

With features A and B of two blocks of columns, and W of a third factor,

    sum_{i, j} (a_i . a_j) (b_i . b_j) (w_i . w_j) = || sum_i a_i x b_i x w_i ||^2

(x: outer product). So a product of low-rank kernels summed over all pairs of rows costs one matrix
product of the features, and no n x n matrix. Pairs within one unit of rows are taken off again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def pair_sums(
    A: Numbers,
    B: Numbers,
    slices: tuple[Sequence[slice], Sequence[slice]],
    factors: Numbers,
    size: int,
) -> Numbers:
    """Sum products of inner products over the pairs of rows of different units.

    Parameters
    ----------
    A, B : ndarray (b, n, p) and (b, n, p')
        Features of both blocks, b draws of them.
    slices : two sequences of slice
        Which columns of A, and of B, are the features of one kernel.
    factors : ndarray (n, w)
        Features of a kernel by which the products are multiplied too.
    size : int
        Rows of a unit, consecutive ones; the last may be short.

    Returns
    -------
    ndarray (K, K', 2, b)
        Per kernel of A and kernel of B: without the factor, and with it.
    """
    rows, columns = slices
    out = np.zeros((len(rows), len(columns), 2, len(A)))
    for k in range(-1, factors.shape[1]):
        left = A if k < 0 else A * factors[:, k, None]
        meeting = np.matmul(left.transpose(0, 2, 1), B)
        squares = meeting * meeting
        for r, c in np.ndindex(out.shape[:2]):
            out[r, c, int(k >= 0)] += squares[:, rows[r], columns[c]].sum(axis=(1, 2))
    inner = [within(A, some, size) for some in rows], [within(B, some, size) for some in columns]
    weight = within(factors[None], slice(None), size)
    for r, c in np.ndindex(out.shape[:2]):
        own = inner[0][r] * inner[1][c]
        out[r, c, 0] -= own.sum(axis=(1, 2, 3))
        out[r, c, 1] -= (own * weight).sum(axis=(1, 2, 3))
    return out


def joint_sums(parts: Sequence[Numbers], size: int) -> Numbers:
    """Sum the products of the inner products of three blocks or more; shape (b,).

    Parameters
    ----------
    parts : sequence of ndarray (b, n, p_l)
        Features of each block, few: the products of all of them are made.
    size : int
        As in `pair_sums`.
    """
    *others, last = parts
    left, own = others[0], within(others[0], slice(None), size)
    for part in others[1:]:
        left = (left[:, :, :, None] * part[:, :, None, :]).reshape(*left.shape[:2], -1)
        own = own * within(part, slice(None), size)
    own = own * within(last, slice(None), size)
    meeting = np.matmul(left.transpose(0, 2, 1), last)
    return np.asarray((meeting * meeting).sum(axis=(1, 2)) - own.sum(axis=(1, 2, 3)))


def within(A: Numbers, columns: slice, size: int) -> Numbers:
    """Inner products of rows of one unit; shape (b, units, size, size), short units padded by 0."""
    some = A[:, :, columns]
    short = -some.shape[1] % size
    if short:
        some = np.concatenate([some, np.zeros((len(some), short, some.shape[2]))], axis=1)
    if size == 1:
        return np.asarray(np.einsum("bip,bip->bi", some, some)[:, :, None, None])
    units = some.reshape(len(some), -1, size, some.shape[2])
    return np.asarray(np.matmul(units, units.transpose(0, 1, 3, 2)))
