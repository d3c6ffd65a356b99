"""Margins: one block of columns each, as kernel values centred over all rows.

Independence tests multiply the kernel matrices of two or more margins entry by entry, after the
rows of one were permuted. Centring K first (its rows then sum to 0) makes permuting the other
matrix enough, and keeps float32 sums of products small: without it the answer would be a tiny
difference of large numbers. Nothing of size n x n is kept; a value is made when it is needed.

The centring is that of the unbiased HSIC (U-centring; Székely and Rizzo 2014, arXiv 1310.2926):

    k~_ij = k_ij - r_i / (n - 2) - r_j / (n - 2) + t / ((n - 1)(n - 2)),   k~_ii = 0,

with r_i = sum_{j != i} k_ij and t = sum_i r_i, stored as k~_ij = k_ij - e_i - e_j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import Bank
from .blocks import single_suffices
from .tiles import Array
from .work import Work, run_tasks, single_blas

Index = NDArray[np.int64]

# Up to this many columns distances are summed difference by difference, which rounds less than
# the matrix product and is as fast.
DIRECT_COLUMNS = 4
# Up to this many rows everything is float64: it costs nothing there.
DOUBLE_ROWS = 512
SPAN = 256
STRIP = 2048


@dataclass(frozen=True)
class Margin:
    """Rows of one block of columns, in the order of the test, with their kernels.

    Attributes
    ----------
    rows : ndarray (n, d)
        float32 or float64.
    norms : ndarray (n,)
        |x|^2.
    bank : Bank
        R bandwidths of one kernel.
    sums : ndarray of float64 (R, n)
        Row sums of the kernel matrix without its diagonal.
    squares : ndarray of float64 (R, n)
        The same of its squared values.
    offsets : ndarray (R, n)
        The e_i of the centring; 0 where values are not centred.
    """

    rows: Array
    norms: Array
    bank: Bank
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    offsets: Array

    @property
    def mean_square(self) -> NDArray[np.float64]:
        """Mean of k(i, j)^2 over i != j, per rung; shape (R,)."""
        n = len(self.rows)
        return np.asarray(self.squares.sum(axis=1) / (n * (n - 1)))

    @property
    def centred_square(self) -> NDArray[np.float64]:
        """Sum of k~(i, j)^2 over i != j, per rung; 0 where only rounding is left."""
        n, total = len(self.rows), self.sums.sum(axis=1)
        whole = self.squares.sum(axis=1)
        found = whole - 2 / (n - 2) * np.einsum("ri,ri->r", self.sums, self.sums)
        found += total**2 / ((n - 1) * (n - 2))
        rounding = 100 * np.finfo(self.rows.dtype).eps ** 2 + 1e-13
        return np.where(found > rounding * whole, found, 0.0)

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, i: Index, j: Index, own: bool, out: Array) -> None:
        """Write the centred kernel values of P tiles.

        Parameters
        ----------
        i, j : ndarray of int (P, a) and (P, b)
            Rows and columns of each tile.
        own : bool
            Whether a row may meet itself; its value is then 0.
        out : ndarray (R, P, a, b)
        """
        distance = self._distances(i, j)
        same = i[:, :, None] == j[:, None, :] if own else None
        for r, factor in enumerate(self.bank.factors):
            part = out[r]
            np.multiply(distance, distance.dtype.type(factor), out=part)
            self.bank.kernel.profile(part)
            part -= self.offsets[r][i][:, :, None]
            part -= self.offsets[r][j][:, None, :]
            if same is not None:
                part[same] = 0

    def _distances(self, i: Index, j: Index) -> Array:
        x, y = self.rows[i], self.rows[j]
        cityblock = self.bank.kernel.geometry == "cityblock"
        if cityblock or x.shape[2] <= DIRECT_COLUMNS:
            total = np.zeros((*i.shape, j.shape[1]), x.dtype)
            for c in range(x.shape[2]):
                step = x[:, :, None, c] - y[:, None, :, c]
                total += np.abs(step, out=step) if cityblock else np.multiply(step, step, out=step)
            return total
        product: Array = x @ y.transpose(0, 2, 1)
        product *= -2
        product += self.norms[i][:, :, None]
        product += self.norms[j][:, None, :]
        return np.maximum(product, 0, out=product)


def margins(
    blocks: Sequence[tuple[NDArray[np.float64], Bank]], centred: bool, work: Work
) -> list[Margin]:
    """Prepare the margins of a test: one pass over all pairs, for the row sums.

    Parameters
    ----------
    blocks : sequence of (rows, Bank)
        Scaled rows (n, d_l) of each block, all of the same n.
    centred : bool
        Whether values are to be U-centred.
    work : Work
    """
    found = [_bare(rows, bank) for rows, bank in blocks]
    tasks: list[Callable[[], None]] = []
    for margin in found:
        for first in range(0, len(margin), SPAN):
            tasks.append(lambda m=margin, f=first: _row_sums(m, f))  # type: ignore[misc]
    with single_blas():
        run_tasks(tasks, [1.0] * len(tasks), work)
    return [_centred(margin) for margin in found] if centred else found


def _bare(rows: NDArray[np.float64], bank: Bank) -> Margin:
    single = len(rows) > DOUBLE_ROWS and single_suffices(rows, bank)
    dtype: Any = np.float32 if single else np.float64
    x = np.ascontiguousarray(rows - rows.mean(axis=0), dtype)
    shape = (len(bank), len(rows))
    norms = np.einsum("ij,ij->i", x, x)
    return Margin(x, norms, bank, np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype))


def _row_sums(margin: Margin, first: int) -> None:
    """Sum the rows first to first + SPAN: each task its own rows, so no order matters."""
    n = len(margin)
    i = np.arange(first, min(first + SPAN, n))[None]
    for start in range(0, n, STRIP):
        j = np.arange(start, min(start + STRIP, n))[None]
        out = np.empty((len(margin.bank), 1, i.size, j.size), margin.rows.dtype)
        margin.values(i, j, True, out)
        tile = out[:, 0]
        margin.sums[:, i[0]] += tile.sum(axis=2, dtype=np.float64)
        margin.squares[:, i[0]] += np.einsum("rij,rij->ri", tile, tile)


def _centred(margin: Margin) -> Margin:
    n = len(margin)
    total = margin.sums.sum(axis=1, keepdims=True)
    offsets = margin.sums / (n - 2) - total / (2 * (n - 1) * (n - 2))
    return replace(margin, offsets=offsets.astype(margin.rows.dtype))
