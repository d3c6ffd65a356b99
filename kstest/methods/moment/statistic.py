"""The statistic and its replicates, from sums over pairs of rows or from features at landmarks.

With k a kernel of the given columns and r_i the residuals,

    T = sum_{i != j} r_i r_j k(w_i, w_j) / (n (n - 1)),

in units of the mean square of r. Under the null hypothesis r_i becomes

    r*_i = e_i r_i + G_i . c,   c = mean_j e_j IF_j,

e random signs, G the gradients and IF the influence of a fit (`estimate`), where r are residuals
from a fit to other rows, or a fresh draw of the
outcome less its mean (`distributions`). With signs of bins of rows r* is linear in few numbers, the
signs and c, so one table of sums serves all draws: the kernel's sums over pairs of bins, of rows
weighted by r and once more by every column of G.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import (
    Work,
    block_sums,
    landmark_count,
    landmark_sums,
    quadratic_forms,
    signed_sums,
)
from ...engine.blocks import series_serves
from ...engine.landmarks import drawn_sums
from ...kernels import BandwidthGrid, Rows
from ...nulls import independent_signs
from .distributions import Cut, Drawn
from .estimate import TINY, Fit

Array = NDArray[np.float64]

# Rows (times one more than the parameters) up to which all pairs are summed.
MANY_ROWS = 20_000
# The same for outcomes that are drawn anew, whose draws share no sums.
MANY_DRAWN = 4096
# Landmarks of drawn outcomes, whose features meet every draw of every row.
DRAWN_LANDMARKS = 128
# A corrected sum that varies by less than this share of the uncorrected is rounding: the fit makes
# it 0 whatever the data are.
NOTHING_LEFT = 1e-4
SIZED = 500


@frozen
class Found:
    """Statistics of L bandwidths, the observed ones first.

    Attributes
    ----------
    T : ndarray (L, B + 1)
    size : ndarray (L,)
        Root mean square of the kernel; 0 where the fit leaves nothing of the statistic.
    landmarks : int
        0 for sums over all pairs.
    """

    T: Array
    size: Array
    landmarks: int = 0


def signed(
    rows: Rows,
    residual: Array,
    fit: Fit | None,
    cut: Cut,
    grids: Sequence[BandwidthGrid],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Found:
    """Statistics under random signs, corrected for what was fitted.

    After a fit the statistic and every draw are in units of their own sum of squares: residuals
    that are as large as from a fit to other rows are larger than those of the data.
    """
    n, bins = len(rows), len(cut.starts) - 1
    pairs, within = n * (n - 1.0), np.arange(bins)
    placed, unit = rows.take(cut.order), np.sqrt(np.mean(residual**2))
    r = (residual if fit is None else fit.loose)[cut.order] / unit
    G, influence = _scaled(fit, cut, r)
    table, marks = _table(placed, r, G, cut.starts, grids, params.features, work)
    signs = independent_signs(bins, params.draws, rng).astype(np.float64)
    size = kernel_size(placed, grids)
    if fit is None:
        table[:, within, within] = 0  # pairs within a bin see no sign
        return Found(signed_sums(table, signs) / pairs, size, marks)
    shift = np.add.reduceat(influence, cut.starts[:-1], axis=0).T @ signs / n
    own = np.add.reduceat(r[:, None] * G, cut.starts[:-1], axis=0)
    squares = r @ r + 2 * ((own.T @ signs) * shift).sum(0) + (shift * (G.T @ G @ shift)).sum(0)
    forms = signed_sums(table, np.vstack([signs, shift]))
    observed = residual[cut.order] / unit
    alone = _table(placed, observed, G[:, :0], np.array([0, n]), grids, params.features, work)[0]
    T = forms * (n / np.maximum(squares, TINY)) / pairs
    T[:, 0] = alone[:, 0, 0] / pairs
    # With pairs of a row with itself the sum is 0 where every value of w has its parameter.
    table[:, within, within] = 0
    bare = signed_sums(table[:, :bins, :bins], signs)[:, 1:]
    size[(forms + squares)[:, 1:].std(axis=1) <= NOTHING_LEFT * bare.std(axis=1)] = 0
    return Found(T, size, marks)


def _scaled(fit: Fit | None, cut: Cut, r: Array) -> tuple[Array, Array]:
    """Gradients and influence of residuals r, in the order of the sums and of mean square 1."""
    n = len(r)
    if fit is None:
        return np.zeros((n, 0)), np.zeros((n, 0))
    unit = np.sqrt((fit.gradient**2).mean(axis=0))
    return (fit.gradient / unit)[cut.order], -n * (fit.pull * unit)[cut.order] * r[:, None]


def _table(
    placed: Rows,
    r: Array,
    G: Array,
    starts: NDArray[np.int64],
    grids: Sequence[BandwidthGrid],
    features: str,
    work: Work,
) -> tuple[Array, int]:
    """Kernel sums over bins of rows weighted by r, then over all rows weighted by each gradient.

    Returns (L, bins + P, bins + P), without pairs of a row with itself, and the landmarks used.
    """
    n, count = G.shape
    bins = len(starts) - 1
    whole = Rows(np.tile(placed.values, (1 + count, 1)), np.tile(placed.codes, (1 + count, 1)))
    weights = np.concatenate([r, G.T.ravel()])
    edges = np.concatenate([starts, n + n * np.arange(1, count + 1)])
    many = features == "auto" and len(whole) > MANY_ROWS
    many = many and not series_serves(whole, len(edges) - 1, grids)
    if many or features not in ("auto", "none"):
        marks = min(landmark_count(n) if features == "auto" else int(features), n)
        some = placed.take(slice(0, marks))
        return landmark_sums(whole, edges, some, grids, work, weights)[0], marks
    table = block_sums(whole, edges, grids, work, False, weights).blocks
    # a row beside its own copy: k = 1
    own = np.add.reduceat(r[:, None] * G, starts[:-1], axis=0)
    table[:, :bins, bins:] -= own
    table[:, bins:, :bins] -= own.T
    cross = G.T @ G
    table[:, bins:, bins:] -= cross - np.diag(np.diag(cross))
    return table, 0


def redrawn(
    rows: Rows,
    residual: Array,
    drawn: Drawn,
    cut: Cut,
    grids: Sequence[BandwidthGrid],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Found:
    """Statistics of the data and of outcomes drawn anew.

    Neither landmarks nor bandwidths, nor the order of the rows, know an outcome.
    """
    n = len(rows)
    placed, r, drawn = rows.take(cut.order), residual[cut.order], drawn.take(cut.order)
    unit, size = n * (n - 1.0) * drawn.size, kernel_size(placed, grids)
    asked = params.features
    if asked == "none" or (asked == "auto" and n <= MANY_DRAWN):
        values = np.column_stack([r, drawn.draw(slice(0, n), params.draws, rng)])
        forms = quadratic_forms(placed, np.arange(n + 1), values, grids, work)
        return Found(forms.quadratic / unit, size)
    marks = min(DRAWN_LANDMARKS if asked == "auto" else int(asked), n)
    some = placed.take(slice(0, marks))
    T = drawn_sums(placed, some, grids, r, drawn.draw, params.draws, rng, work)
    return Found(T / unit, size, marks)


def kernel_size(placed: Rows, grids: Sequence[BandwidthGrid]) -> Array:
    """Root mean square of the kernels over pairs of some rows, which lie in random order."""
    few = placed.take(np.linspace(0, len(placed) - 1, min(len(placed), SIZED)).astype(np.int64))
    m = len(few)
    sums = block_sums(few, np.array([0, m]), grids, Work(threads=1), True)
    assert sums.squares is not None
    return np.asarray(np.sqrt(2 * sums.squares / (m * (m - 1))))
