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

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import MISMATCH, BandwidthGrid, Rows
from .blocks import single_suffices
from .tiles import Array
from .work import Work, run_tasks, silent, single_blas

Index = NDArray[np.int64]

# Up to this many columns distances are summed difference by difference, which rounds less than
# the matrix product and is as fast.
DIRECT_COLUMNS = 4
# Up to this many rows everything is float64: it costs nothing there.
DOUBLE_ROWS = 512
SPAN = 256
# Accumulators of the row sums.
LANES = 8
STRIP = 2048


@frozen
class Margin:
    """Rows of one block of columns, in the order of the test, with their kernels.

    Attributes
    ----------
    rows : ndarray (n, d)
        float32 or float64.
    norms : ndarray (n,)
        |x|^2.
    codes : ndarray of int32 (n, c)
        Categorical columns.
    grid : BandwidthGrid
        R bandwidths of one kernel.
    sums : ndarray of float64 (R, n)
        Row sums of the kernel matrix without its diagonal.
    squares : ndarray of float64 (R, n)
        The same of its squared values.
    offsets : ndarray (R, n)
        The e_i of the centring.
    centred : bool
        Whether values are centred.
    """

    rows: Array
    norms: Array
    codes: NDArray[np.int32]
    grid: BandwidthGrid
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    offsets: Array
    centred: bool = False

    @property
    def mean_square(self) -> NDArray[np.float64]:
        """Mean of k(i, j)^2 over i != j, per bandwidth; shape (R,)."""
        n = len(self.rows)
        return np.asarray(self.squares.sum(axis=1) / (n * (n - 1)))

    @property
    def centred_square(self) -> NDArray[np.float64]:
        """Sum of k~(i, j)^2 over i != j, per bandwidth; 0 where only rounding is left."""
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
        for r, factor in enumerate(self.grid.factors):
            part = out[r]
            np.multiply(distance, distance.dtype.type(factor), out=part)
            self.grid.kernel.profile(part)
            if self.centred:
                part -= self.offsets[r][i][:, :, None]
                part -= self.offsets[r][j][:, None, :]
            if same is not None:
                part[same] = 0

    def _distances(self, i: Index, j: Index) -> Array:
        geometry = self.grid.kernel.geometry
        out = self._numeric_distances(i, j, geometry == "cityblock")
        apart = self.rows.dtype.type(MISMATCH[geometry])
        for code in self.codes.T:
            out += apart * (code[i][:, :, None] != code[j][:, None, :])
        return out

    def _numeric_distances(self, i: Index, j: Index, cityblock: bool) -> Array:
        x, y = self.rows[i], self.rows[j]
        if x.shape[2] == 0:
            return np.zeros((len(i), i.shape[1], j.shape[1]), self.rows.dtype)
        if cityblock or x.shape[2] <= DIRECT_COLUMNS:
            total: Array | None = None
            for c in range(x.shape[2]):
                step = x[:, :, None, c] - y[:, None, :, c]
                step = np.abs(step, out=step) if cityblock else np.multiply(step, step, out=step)
                total = step if total is None else np.add(total, step, out=total)
            assert total is not None
            return total
        product: Array = x @ y.transpose(0, 2, 1)
        product *= -2
        product += self.norms[i][:, :, None]
        product += self.norms[j][:, None, :]
        return np.maximum(product, 0, out=product)


def margins(
    blocks: Sequence[tuple[Rows | NDArray[np.float64], BandwidthGrid]], centred: bool, work: Work
) -> list[Margin]:
    """Prepare the margins of a test: one pass over all pairs, for the row sums.

    Parameters
    ----------
    blocks : sequence of (rows, BandwidthGrid)
        Scaled rows of each block, n in all of them.
    centred : bool
        Whether values are to be U-centred.
    work : Work
    """
    found = [bare(Rows.of(rows), grid) for rows, grid in blocks]
    with single_blas():
        for margin in found:
            _add_row_sums(margin, work)
    return [_centred(margin) for margin in found] if centred else found


def bare(rows: Rows, grid: BandwidthGrid) -> Margin:
    """Return a margin that is not centred and does not know its sums."""
    single = len(rows) > DOUBLE_ROWS and single_suffices(rows, grid)
    dtype: Any = np.float32 if single else np.float64
    x = np.ascontiguousarray(rows.values - rows.values.mean(axis=0), dtype)
    shape = (len(grid), len(rows))
    norms = np.einsum("ij,ij->i", x, x)
    sums, squares, offsets = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype)
    return Margin(x, norms, rows.codes, grid, sums, squares, offsets)


def _add_row_sums(margin: Margin, work: Work) -> None:
    """Fill in the row sums from the upper triangle: a value counts for its row and its column.

    Tasks of one wave go on with accumulators of their own, which are joined in order at the end:
    the answer does not depend on the number of threads.
    """
    n = len(margin)
    lanes = np.zeros((min(LANES, -(-n // SPAN)), 2, len(margin.grid), n))
    starts = range(0, n, SPAN)
    for wave in range(0, len(starts), len(lanes)):
        chosen = starts[wave : wave + len(lanes)]
        tasks = [(margin, s, lanes[k, :, :, s:]) for k, s in enumerate(chosen)]
        for k, sums in enumerate(run_tasks(_span, tasks, silent(work))):
            lanes[k, :, :, chosen[k] :] = sums
        work.progress(1 - (1 - chosen[-1] / n) ** 2)
    for lane in lanes:
        np.add(margin.sums, lane[0], out=margin.sums)
        np.add(margin.squares, lane[1], out=margin.squares)


def _span(margin: Margin, first: int, before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add the rows first to first + SPAN against themselves and all later rows.

    Returns `before`, sums of values and of squares of the rows from `first` on, with these added;
    (2, R, n - first).
    """
    n, lane = len(margin), before.copy()
    stop = min(first + SPAN, n)
    i = np.arange(first, stop)[None]
    for start in (first, *range(stop, n, STRIP)):
        own = start == first
        j = np.arange(start, stop if own else min(start + STRIP, n))[None]
        out = np.empty((len(margin.grid), 1, i.size, j.size), margin.rows.dtype)
        margin.values(i, j, own, out)
        tile = out[:, 0]
        for kind in (0, 1):
            if kind:
                np.multiply(tile, tile, out=tile)
            lane[kind][:, i[0] - first] += tile.sum(axis=2, dtype=np.float64)
            if not own:
                lane[kind][:, j[0] - first] += tile.sum(axis=1, dtype=np.float64)
    return lane


def _centred(margin: Margin) -> Margin:
    n = len(margin)
    total = margin.sums.sum(axis=1, keepdims=True)
    offsets = margin.sums / (n - 2) - total / (2 * (n - 1) * (n - 2))
    return replace(margin, offsets=offsets.astype(margin.rows.dtype), centred=True)
