"""Features: kernel values at a few centres, whitened, so that a kernel model becomes linear.

With centres c_1, ..., c_M, K_MM = V E V' and W = V E^(-1/2) the features phi(x) = W' k(x, c) have
phi(x)'phi(z) equal to the Nystrom kernel k(x, c) K_MM^-1 k(c, z), and the penalty alpha' K_MM alpha
of the model f(x) = sum_j alpha_j k(x, c_j) becomes |a|^2, alpha = W a. Eigenvalues below a cut
are left out: at a tiny ridge the cut regularises too, so it is a setting and is stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine import cross_values, single_blas
from ..kernels import KERNELS, MISMATCH, Bank, Rows, pair_distances
from ..kernels.bandwidths import quantile

Array = NDArray[np.float64]

GAUSSIAN = KERNELS["gaussian"]
# Rows whose distances give the widths.
DISTANCE_ROWS = 1000
# Squarings that keep twelve digits.
MOST_SQUARES = 12
WIDTHS = 4
# Centres of every category, at least.
EACH = 3


@dataclass(frozen=True)
class Features:
    """Features of one width.

    Attributes
    ----------
    bandwidth : float
        Of the Gaussian kernel exp(-r^2 / (2 h^2)).
    whitening : ndarray (M, r)
        W; r is the rank that the cut leaves.
    """

    bandwidth: float
    whitening: Array

    @property
    def rank(self) -> int:
        return int(self.whitening.shape[1])


@single_blas()
def nystrom(centres: Rows, widths: Sequence[float], cut: float) -> tuple[Features, ...]:
    """Return the features of every width at these centres.

    Parameters
    ----------
    centres : Rows, M of them
    widths : sequence of float
    cut : float
        Eigenvalues of K_MM up to this share of the largest are left out.
    """
    found = []
    for h, gram in zip(widths, _kernel_values(centres, centres, widths), strict=True):
        values, vectors = np.linalg.eigh((gram + gram.T) / 2)
        kept = values > cut * values[-1]
        # In the order in which a file keeps it: sums then round in the same way.
        found.append(Features(h, np.ascontiguousarray(vectors[:, kept] / np.sqrt(values[kept]))))
    return tuple(found)


def _kernel_values(rows: Rows, centres: Rows, widths: Sequence[float]) -> list[Array]:
    blocks = [found for _, found in blocks_of(rows, centres, widths)]
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def blocks_of(
    rows: Rows, centres: Rows, widths: Sequence[float]
) -> Iterator[tuple[slice, list[Array]]]:
    """Yield kernel values at the centres, block of rows by block, an array per width."""
    bank, keep = _bank(tuple(widths))
    for place, values in cross_values(rows, centres, bank, keep):
        yield place, [np.asarray(v, np.float64) for v in values]


def _bank(widths: tuple[float, ...]) -> tuple[Bank, list[int] | None]:
    """A bank that squares its way to widths that allow it, and the places of these widths."""
    steps = [2 * math.log2(widths[0] / h) for h in widths]
    places = [round(step) for step in steps]
    even = all(abs(step - m) < 1e-9 for step, m in zip(steps, places, strict=True))
    if len(widths) == 1 or not even or places != sorted(set(places)) or places[-1] > MOST_SQUARES:
        return Bank(GAUSSIAN, widths), None
    ladder = tuple(widths[0] / math.sqrt(2) ** m for m in range(places[-1] + 1))
    return Bank(GAUSSIAN, ladder, squaring=True), places


@single_blas()
def transform(rows: Rows, centres: Rows, features: Sequence[Features]) -> list[Array]:
    """Return phi of every row for every width; shapes (n, r_k)."""
    out = [np.empty((len(rows), f.rank)) for f in features]
    for place, found in blocks_of(rows, centres, [f.bandwidth for f in features]):
        for phi, values, f in zip(out, found, features, strict=True):
            np.matmul(values, f.whitening, out=phi[place])
    return out


def choose_widths(rows: Rows, rng: np.random.Generator) -> tuple[float, ...]:
    """Return the widths that are combined by default, widest first.

    2, sqrt(2), 1 and 1 / sqrt(2) times the median distance between rows of the reference: where the
    kernel is neither nearly constant nor zero between most rows, and one exponential serves all.
    """
    if len(rows) > DISTANCE_ROWS:
        rows = rows.take(rng.choice(len(rows), DISTANCE_ROWS, replace=False))
    median = quantile(pair_distances(rows, "euclidean"), 0.5)
    return tuple(2 * median / math.sqrt(2) ** m for m in range(WIDTHS))


def choose_centres(rows: Rows, count: int, how: str, rng: np.random.Generator) -> Rows:
    """Return different rows of the reference as centres.

    Parameters
    ----------
    rows : Rows
    count : int
        Centres at most; fewer where fewer rows differ.
    how : {'uniform', 'kmeans++'}
        Rows at random, or each with a probability in proportion to its squared distance to the
        nearest centre so far (Arthur and Vassilvitskii 2007), which covers rare regions.
    """
    whole = np.hstack([rows.values, rows.codes])
    distinct = np.sort(np.unique(whole, axis=0, return_index=True)[1])
    if len(distinct) <= count:
        return rows.take(distinct)
    if how == "uniform":
        # From all rows, so that frequent values are as likely as they are frequent.
        order = rng.permutation(len(whole))
        first = np.sort(np.unique(whole[order], axis=0, return_index=True)[1])[:count]
        return rows.take(np.sort(order[first]))
    candidates = rows.take(distinct)
    chosen = [int(rng.integers(len(candidates)))]
    nearest = _squares(candidates, chosen[0])
    while len(chosen) < count:
        total = float(nearest.sum())
        pick = int(np.searchsorted(nearest.cumsum(), rng.random() * total, side="right"))
        chosen.append(min(pick, len(candidates) - 1))
        np.minimum(nearest, _squares(candidates, chosen[-1]), out=nearest)
    return candidates.take(np.sort(chosen))


def _squares(rows: Rows, place: int) -> Array:
    """Squared distances of all rows to one of them."""
    apart = ((rows.values - rows.values[place]) ** 2).sum(axis=1)
    differ = (rows.codes != rows.codes[place]).sum(axis=1)
    return np.asarray(apart + MISMATCH["euclidean"] * differ)


def cover(centres: Rows, values: Sequence[Sequence[int]], rng: np.random.Generator) -> Rows:
    """Add centres until every value that a column of codes may have has at least a few.

    A category without a centre of its own is as far from all centres: no function of the model is
    large there and small at the known ones, and a batch full of it would look good.

    Parameters
    ----------
    centres : Rows
    values : sequence of sequence of int
        For each column of codes the values that may occur, in the reference or not.
    rng : numpy.random.Generator
    """
    numbers, codes = [centres.values], [centres.codes]
    for column, wanted in enumerate(values):
        for value in wanted:
            lacking = min(EACH, len(centres)) - int((centres.codes[:, column] == value).sum())
            if lacking > 0:
                copied = rng.choice(len(centres), lacking, replace=False)
                changed = centres.codes[copied].copy()
                changed[:, column] = value
                numbers.append(centres.values[copied])
                codes.append(changed)
    return Rows(np.concatenate(numbers), np.concatenate(codes))
