"""The statistic and its replicates, from sums over pairs of rows or from features at landmarks.

With k a kernel of the given columns and r_i the residuals,

    T = sum_{i != j} r_i r_j k(w_i, w_j) / (n (n - 1)),

in units of the mean square of r. Under the null hypothesis r_i becomes

    r*_i = e_i r_i + G_i . c,   c = mean_j e_j IF_j,

e random signs, G the gradients and IF the influence of a fit (`estimate`), or a fresh draw of the
outcome less its mean (`distributions`). With signs of bins of rows r* is linear in few numbers, the
signs and c, so one table of sums serves all draws: the kernel's sums over pairs of bins, of rows
weighted by r and once more by every column of G.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from .estimate import Fit

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


@dataclass(frozen=True)
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
    """Statistics under random signs, corrected for what was fitted."""
    n, bins = len(rows), len(cut.starts) - 1
    placed, r = rows.take(cut.order), residual[cut.order]
    r = r / np.sqrt(np.mean(r**2))
    G, influence = _scaled(fit, cut, residual)
    table, marks = _table(placed, r, G, cut.starts, grids, params.features, work)
    within = np.arange(bins)
    unsigned = table[:, within, within].sum(axis=1)
    table[:, within, within] = 0  # pairs within a bin see no sign
    signs = independent_signs(bins, params.draws, rng).astype(np.float64)
    shift = np.add.reduceat(influence, cut.starts[:-1], axis=0).T @ signs / n
    shift[:, 0] = 0
    pairs = n * (n - 1.0)
    T = signed_sums(table, np.vstack([signs, shift])) / pairs
    size = kernel_size(placed, grids)
    if G.shape[1]:
        bare = signed_sums(table[:, :bins, :bins], signs)[:, 1:]
        own = np.add.reduceat(r[:, None] * G, cut.starts[:-1], axis=0)
        squares = n + 2 * ((own.T @ signs) * shift).sum(0) + (shift * (G.T @ G @ shift)).sum(0)
        # With pairs of a row with itself the sum is 0 where every value of w has its parameter.
        whole = (T * pairs + unsigned[:, None] + squares)[:, 1:]
        size[whole.std(axis=1) <= NOTHING_LEFT * bare.std(axis=1)] = 0
    return Found(T, size, marks)


def _scaled(fit: Fit | None, cut: Cut, residual: Array) -> tuple[Array, Array]:
    """Gradients and influence in the order of the sums, in units that suit single precision."""
    n = len(residual)
    if fit is None:
        return np.zeros((n, 0)), np.zeros((n, 0))
    unit = np.sqrt((fit.gradient**2).mean(axis=0))
    size = np.sqrt(np.mean(residual**2))
    return (fit.gradient / unit)[cut.order], (fit.influence * unit / size)[cut.order]


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
