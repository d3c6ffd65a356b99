"""Features: kernel values at a few centres, whitened, so that a kernel model becomes linear.

With centres c_1, ..., c_M, K_MM = V E V' and W = V E^(-1/2) the features phi(x) = W' k(x, c) have
phi(x)'phi(z) equal to the Nystrom kernel k(x, c) K_MM^-1 k(c, z), and the penalty alpha' K_MM alpha
of the model f(x) = sum_j alpha_j k(x, c_j) becomes |a|^2, alpha = W a. Eigenvalues below a cut
are left out: at a tiny ridge the cut regularises too, so it is a setting and is stored.

Distances are those of the columns as they are, or along axes z = A'x that take away the columns'
correlation: where columns are bound to each other, rows that break the bond are close to the others
beside the columns' own spread, and far along such axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import cross_values, single_blas
from ..kernels import KERNELS, MISMATCH, BandwidthGrid, Rows, pair_distances
from ..kernels.bandwidths import quantile
from ..kernels.whitening import whitening

Array = NDArray[np.float64]

GAUSSIAN = KERNELS["gaussian"]
# Rows whose distances give the widths.
DISTANCE_ROWS = 1000
# Squarings that keep twelve digits.
MOST_SQUARES = 12
# Widths of one kind of distance in units of its median, widest first: there a kernel is neither
# nearly constant nor zero between most rows, and one exponential serves all.
MULTIPLES = (2.0, math.sqrt(2), 1.0, 1 / math.sqrt(2))
SCALES = ("standard", "whiten")
# Widths where both kinds are combined.
HALVES = {"standard": (2.0, 1.0), "whiten": (32.0, math.sqrt(2))}
# Whitened axes count a direction up to ten times as much as it did: what is left of columns that
# are nearly copies of each other is mostly how they were rounded.
FLOOR = 0.01
# Centres of every category, at least.
EACH = 3


@frozen
class Features:
    """Features of one width.

    Attributes
    ----------
    bandwidth : float
        Of the Gaussian kernel exp(-r^2 / (2 h^2)).
    whitening : ndarray (M, r)
        W; r is the rank that the cut leaves.
    axes : ndarray (d, d) or None
        A, where distances are those of z = A'x, x the numeric columns.
    """

    bandwidth: float
    whitening: Array
    axes: Array | None = None

    @property
    def rank(self) -> int:
        return int(self.whitening.shape[1])


@single_blas()
def nystrom(
    centres: Rows, widths: Sequence[float], cut: float, axes: Array | None = None
) -> tuple[Features, ...]:
    """Return the features of every width at these centres.

    Parameters
    ----------
    centres : Rows, M of them
    widths : sequence of float
    cut : float
        Eigenvalues of K_MM up to this share of the largest are left out.
    axes : ndarray (d, d), optional
        See `Features`.
    """
    blocks = [found for _, found in blocks_of(centres, centres, widths, [axes] * len(widths))]
    grams = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    found = []
    for h, gram in zip(widths, grams, strict=True):
        values, vectors = np.linalg.eigh((gram + gram.T) / 2)
        kept = values > cut * values[-1]
        # In the order in which a file keeps it: sums then round in the same way.
        whitened = np.ascontiguousarray(vectors[:, kept] / np.sqrt(values[kept]))
        found.append(Features(h, whitened, axes))
    return tuple(found)


def blocks_of(
    rows: Rows, centres: Rows, widths: Sequence[float], axes: Sequence[Array | None]
) -> Iterator[tuple[slice, list[Array]]]:
    """Yield kernel values at the centres, block of rows by block, an array per width.

    Neighbouring widths with the same axes share their exponentials.
    """
    streams = []
    for _, group in groupby(zip(widths, axes, strict=True), key=lambda pair: id(pair[1])):
        some, (turned, *_) = zip(*group, strict=True)
        grid, keep = _grid(some)
        streams.append(cross_values(along(rows, turned), along(centres, turned), grid, keep))
    # Blocks have as many rows as the number of centres allows, so all streams cut alike.
    for parts in zip(*streams, strict=True):
        yield parts[0][0], [np.asarray(v, np.float64) for _, values in parts for v in values]


def along(rows: Rows, axes: Array | None) -> Rows:
    """Rows with their numeric columns along other axes."""
    return rows if axes is None else Rows(np.ascontiguousarray(rows.values @ axes), rows.codes)


def _grid(widths: tuple[float, ...]) -> tuple[BandwidthGrid, list[int] | None]:
    """A bandwidth grid that squares its way to widths that allow it, and the places of these
    widths."""
    steps = [2 * math.log2(widths[0] / h) for h in widths]
    places = [round(step) for step in steps]
    even = all(abs(step - m) < 1e-9 for step, m in zip(steps, places, strict=True))
    if len(widths) == 1 or not even or places != sorted(set(places)) or places[-1] > MOST_SQUARES:
        return BandwidthGrid(GAUSSIAN, widths), None
    tried = tuple(widths[0] / math.sqrt(2) ** m for m in range(places[-1] + 1))
    return BandwidthGrid(GAUSSIAN, tried, squaring=True), places


def feature_blocks(
    rows: Rows, centres: Rows, features: Sequence[Features]
) -> Iterator[tuple[slice, list[Array]]]:
    """Yield kernel values at the centres as the features need them, not whitened."""
    return blocks_of(rows, centres, [f.bandwidth for f in features], [f.axes for f in features])


@single_blas()
def transform(rows: Rows, centres: Rows, features: Sequence[Features]) -> list[Array]:
    """Return phi of every row for every width; shapes (n, r_k)."""
    out = [np.empty((len(rows), f.rank)) for f in features]
    for place, found in feature_blocks(rows, centres, features):
        for phi, values, f in zip(out, found, features, strict=True):
            np.matmul(values, f.whitening, out=phi[place])
    return out


def choose_features(
    rows: Rows,
    centres: Rows,
    widths: Sequence[float],
    scale: str,
    cut: float,
    rng: np.random.Generator,
) -> tuple[Features, ...]:
    """Return the features that are combined, those of the columns' own distances first.

    Parameters
    ----------
    rows, centres : Rows
        Of the reference, in units of the columns' standard deviations.
    widths : sequence of float
        Empty for those that `choose_widths` takes from the rows.
    scale : {'auto', 'both', 'standard', 'whiten'}
        Distances of the columns as they are, along whitened axes, or features of either
        kind. ``auto``: of either where widths are chosen, else of the columns as they are.
        Fewer than two numeric columns have no correlation.
    cut : float
        See `nystrom`.
    rng : numpy.random.Generator

    Notes
    -----
    Of either kind are chosen 2 and 1 median distances for the columns as they are, and along the
    other axes sqrt(2), which lies between them where columns are not correlated, and 32: so wide
    a kernel sees means and covariances and little else. Chosen by power (`benchmarks/README.md`,
    "Batches").
    """
    if scale == "auto":
        scale = "standard" if len(widths) else "both"
    several = rows.values.shape[1] > 1
    kinds = SCALES if scale == "both" else (scale,)
    kinds = kinds if several else SCALES[:1]
    found: tuple[Features, ...] = ()
    for kind in kinds:
        axes = whitened_axes(rows) if kind == "whiten" else None
        multiples = HALVES[kind] if len(kinds) > 1 else MULTIPLES
        own = widths or choose_widths(along(rows, axes), multiples, rng)
        found += nystrom(centres, own, cut, axes)
    return found


def whitened_axes(rows: Rows) -> Array:
    """Return axes (d, d) along which the numeric columns of these rows are not correlated."""
    return whitening(rows.values, floor=FLOOR).forward


def choose_widths(
    rows: Rows, multiples: Sequence[float], rng: np.random.Generator
) -> tuple[float, ...]:
    """Return widths in units of the median distance between rows of the reference."""
    if len(rows) > DISTANCE_ROWS:
        rows = rows.take(rng.choice(len(rows), DISTANCE_ROWS, replace=False))
    median = quantile(pair_distances(rows, "euclidean"), 0.5)
    return tuple(x * median for x in multiples)


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
