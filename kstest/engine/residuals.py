"""Residual margins: kernel values of one block of columns after another block was smoothed out.

With Phi the features of a kernel (K = Phi Phi') and H a linear smoother over the rows, made from
the other block Z alone, the residuals Phi - H Phi have the kernel matrix

    K~ = (I - H) K (I - H)',    H = U D U',

U (n, q) with orthonormal columns, the first of them constant, D = diag(d), 0 <= d <= 1. Ridge
regression has d_j = s_j / (s_j + lambda), s_j the eigenvalues of Z's kernel (Zhang, Peters,
Janzing, Schoelkopf 2012, arXiv 1202.3775). As q is small, a value needs no n x n matrix: with
A = K U,

    K~_ij = k_ij - u_i . a_j - a_i . u_j,    rows a of  A D - U (D U'K U D) / 2.

Optionally the values are multiplied by a kernel of Z, for dependences whose direction changes
with Z, or 1 is added to them, for products over more than two blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import BandwidthGrid, Rows
from .margins import SPAN, STRIP, Index, Margin, bare
from .tiles import Array
from .work import Work, run_tasks, silent, single_blas

Numbers = NDArray[np.float64]

# Rows whose values against all others give the mean square of a residual kernel.
SQUARE_ROWS = 512
# Kernel values of units of rows with themselves that are held at a time.
TRACE_VALUES = 1_000_000


@frozen
class Basis:
    """Directions of a smoother, from the block that is smoothed out.

    Attributes
    ----------
    vectors : ndarray (n, q)
        Orthonormal; the first column is constant.
    strengths : ndarray (q,)
        Eigenvalues s_j; infinite for directions that are always taken out whole.
    """

    vectors: Numbers
    strengths: Numbers

    def take(self, index: Index) -> Basis:
        return Basis(self.vectors[index], self.strengths)


@frozen
class Residual:
    """A margin of residuals, with the interface that `products` needs of a `Margin`.

    Attributes
    ----------
    base : Margin
        Not centred.
    left, right : tuple of ndarray (n, q)
        Per bandwidth the rows a and u of the module's formula.
    weight : Margin or None
        Of one bandwidth: multiplies the values of every bandwidth.
    shift : float
        Added to every value but the 0 of a row with itself.
    apart : int
        Values within a run of this many rows are 0, as that of a row with itself: rows that move
        together and are as close to the regression as each other would pass for dependent.
    centred_square : ndarray (R,)
        Sum of squared values over i != j, without the shift, from the rows in `SQUARE_ROWS` scaled
        up.
    explained : ndarray (R,)
        Share of the features' variance that the smoother takes out.
    freedom : ndarray (R,)
        Degrees of freedom of the smoother, tr(H), per row (or unit of rows, see `residuals`).
    """

    base: Margin
    left: tuple[Array, ...]
    right: tuple[Array, ...]
    weight: Margin | None
    centred_square: Numbers
    explained: Numbers
    freedom: Numbers
    shift: float = 0.0
    apart: int = 1

    @property
    def rows(self) -> Array:
        return self.base.rows

    @property
    def grid(self) -> BandwidthGrid:
        return self.base.grid

    def __len__(self) -> int:
        return len(self.base)

    @property
    def pairs(self) -> int:
        """Ordered pairs of rows of different runs."""
        runs, rest = divmod(len(self), self.apart)
        return len(self) ** 2 - runs * self.apart**2 - rest**2

    def values(self, i: Index, j: Index, own: bool, out: Array) -> None:
        """As `Margin.values`."""
        self.base.values(i, j, False, out)
        for part, left, right in zip(out, self.left, self.right, strict=True):
            part -= left[i] @ right[j].transpose(0, 2, 1)
            part -= right[i] @ left[j].transpose(0, 2, 1)
        if self.weight is not None:
            factor = np.empty((1, *out.shape[1:]), self.weight.rows.dtype)
            self.weight.values(i, j, False, factor)
            out *= factor
        out += out.dtype.type(self.shift)
        if own:
            first, second = i // self.apart, j // self.apart
            out[:, first[:, :, None] == second[:, None, :]] = 0


def residuals(
    rows: Rows,
    grid: BandwidthGrid,
    bases: Sequence[Basis],
    penalties: Numbers,
    weights: Sequence[Margin | None],
    work: Work,
    unit: int = 1,
    apart: int = 1,
) -> list[Residual]:
    """Smooth one block out of another, and return its margin once per element of `weights`.

    Parameters
    ----------
    rows : Rows
        n scaled rows of the block whose residuals are wanted.
    grid : BandwidthGrid
    bases : sequence of Basis
        Smoothers to choose from, each with every penalty.
    penalties : ndarray (P,)
        The lambda of the ridge regressions.
    weights : sequence of (Margin or None)
    work : Work
    unit : int
        Rows that count as one observation of the regression, consecutive ones, equal in Z.
    apart : int
        See `Residual`.

    Notes
    -----
    Basis and penalty are chosen per bandwidth by generalised cross-validation (Craven and Wahba
    1978): the smallest tr(K~) / (1 - tr(H) / n)^2. Of units the same for their means: rows of one
    unit have one value of Z, and what they have in common besides would pass for a function of Z
    if each row counted.
    """
    base = bare(rows, grid)
    vectors = np.hstack([basis.vectors for basis in bases]).astype(base.rows.dtype)
    with single_blas():
        images = _images(base, vectors, work)
        traces, count = _traces(base, unit), len(base) // unit
        left, right, explained, freedom = [], [], [], []
        for r in range(len(grid)):
            trace = float(traces[r])
            d, columns, share = choose_smoother(images[r], trace, bases, penalties, count)
            U, A = vectors[:, columns], images[r][:, columns]
            inner = d[:, None] * (U.T.astype(np.float64) @ A) * d
            left.append((A * d - U @ (inner / 2)).astype(base.rows.dtype))
            right.append(np.ascontiguousarray(U))
            explained.append(share)
            freedom.append(d.sum() / count)
        shares = np.array(explained), np.array(freedom)
        measure = np.ones(len(grid)), *shares
        plain = Residual(base, tuple(left), tuple(right), None, *measure, apart=apart)
        return [_measured(replace(plain, weight=weight)) for weight in weights]


def _traces(base: Margin, unit: int) -> Numbers:
    """Sum over units of their rows' mean kernel value times their number, per bandwidth; (R,)."""
    rows = np.arange(len(base)).reshape(-1, unit)
    total = np.zeros(len(base.grid))
    step = max(1, TRACE_VALUES // unit**2)
    for k in range(0, len(rows), step):
        some = rows[k : k + step]
        tile = np.empty((len(total), len(some), unit, unit), base.rows.dtype)
        base.values(some, some, False, tile)
        total += tile.sum(axis=(1, 2, 3), dtype=np.float64) / unit
    return total


def choose_smoother(
    image: Numbers, trace: float, bases: Sequence[Basis], penalties: Numbers, count: int
) -> tuple[Numbers, slice, float]:
    """Choose basis and penalty by generalised cross-validation.

    Parameters
    ----------
    image : ndarray (n, q)
        K U, of the bases' vectors side by side.
    trace : float
        Of K.
    bases : sequence of Basis
    penalties : ndarray (P,)
    count : int
        Observations of the regression.

    Returns
    -------
    tuple
        d, the columns of the chosen basis, and the share explained.
    """
    first, best = 0, (np.inf, np.zeros(0), slice(0, 0), 0.0)
    for basis in bases:
        columns = slice(first, first + len(basis.strengths))
        first = columns.stop
        along = np.einsum("ij,ij->j", basis.vectors, image[:, columns])
        total = max(trace - along[0], 0.0)
        for penalty in penalties:
            d = 1 / (1 + penalty / basis.strengths)
            left = max(trace - float((1 - (1 - d) ** 2) @ along), 0.0)
            score = left / max(1 - d.sum() / count, 1e-12) ** 2
            if score < best[0]:
                best = score, d, columns, 1 - left / total if total > 0 else 0.0
    return best[1:]


def _images(base: Margin, vectors: Array, work: Work) -> Numbers:
    """K U per bandwidth, the diagonal included; (R, n, q)."""
    n = len(base)
    out = np.zeros((len(base.grid), n, vectors.shape[1]))
    tasks = [(base, vectors, first) for first in range(0, n, SPAN)]
    for (*_, first), image in zip(tasks, run_tasks(_span_image, tasks, silent(work)), strict=True):
        out[:, first : first + SPAN] = image
    return out


def _span_image(base: Margin, vectors: Array, first: int) -> Numbers:
    """Some rows of K U."""
    n = len(base)
    i = np.arange(first, min(first + SPAN, n))[None]
    out = np.zeros((len(base.grid), i.size, vectors.shape[1]))
    for start in range(0, n, STRIP):
        j = np.arange(start, min(start + STRIP, n))[None]
        tile = np.empty((len(base.grid), 1, i.size, j.size), base.rows.dtype)
        base.values(i, j, False, tile)
        out += tile[:, 0] @ vectors[j[0]]
    return out


def _measured(made: Residual) -> Residual:
    """Fill in the sum of squares."""
    n = len(made)
    some = np.unique(np.linspace(0, n - 1, min(n, SQUARE_ROWS)).astype(np.int64))
    total = np.zeros(len(made.grid))
    for start in range(0, n, STRIP):
        j = np.arange(start, min(start + STRIP, n))[None]
        tile = np.empty((len(total), 1, len(some), j.size), made.rows.dtype)
        made.values(some[None], j, True, tile)
        total += np.einsum("rpij,rpij->r", tile, tile, dtype=np.float64)
    return replace(made, centred_square=total * n / len(some))
