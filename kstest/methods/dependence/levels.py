"""How numbers differ between the levels of a category: in location, spread or shape."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LOCATION, SPREAD, SHAPE, OTHER = "by level", "spread by level", "shape by level", "other"
RATIO = "correlation ratio"
MEASURES = {
    LOCATION: RATIO,
    SPREAD: f"{RATIO} of the spread",
    SHAPE: f"{RATIO} of the shape",
}
# Rows of a level from which on its own median and spread say something of single rows.
FEWEST = {SPREAD: 10, SHAPE: 20}
# A share of the variance this many standard deviations above chance is worth a name.
NOTABLE = 3.0


def describe_levels(values: Array, codes: NDArray[np.int32]) -> tuple[str, float, str]:
    """Name what differs most between levels.

    Parameters
    ----------
    values : ndarray (n,)
    codes : ndarray of int (n,)
        Level of each row.

    Returns
    -------
    kind : {'by level', 'spread by level', 'shape by level', 'other'}
    strength : float
        A correlation ratio, from 0 to 1: the root of the share of the variance that lies between
        levels.
    measure : str

    Notes
    -----
    Location is the correlation ratio of the ranks; spread that of the ranks of distances from the
    level's median (Brown and Forsythe 1974, with ranks: Conover, Johnson and Johnson 1981); shape
    the largest of those of the Legendre polynomials of degree 2 to 4 (Neyman 1937) of the ranks of
    (x - median) / (median distance from it). Named is the one with the largest share of the
    variance beyond (k - 1) / (n - 1), which k levels give by chance; ``other``, with the largest
    all the same, if none is clearly more than that.
    """
    _, level = np.unique(codes, return_inverse=True)
    found = [(LOCATION, centred_ranks(values), level)]
    rows = _in_levels(level, FEWEST[SPREAD])
    own = values - _medians(values, level)
    found.append((SPREAD, centred_ranks(np.abs(own[rows])), level[rows]))
    scale = _medians(np.abs(own), level)
    rows = _in_levels(level, FEWEST[SHAPE]) & (scale > 0)
    u = centred_ranks(own[rows] / scale[rows])
    for polynomial in (
        (3 * u**2 - 1) / 2,
        (5 * u**3 - 3 * u) / 2,
        (35 * u**4 - 30 * u**2 + 3) / 8,
    ):
        found.append((SHAPE, polynomial, level[rows]))
    shares = [(kind, *_share(scores, of)) for kind, scores, of in found]
    kind, share, _, beyond = max(shares, key=lambda s: (s[3] > NOTABLE, s[2]))
    strength, measure = math.sqrt(share), MEASURES[kind]
    return (kind if beyond > NOTABLE else OTHER), strength, measure


def centred_ranks(column: Array) -> Array:
    """Return mid-ranks, from -1 to 1, with mean 0."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray((2 * middle[inverse] - len(column) - 1) / max(1, len(column)))


def _in_levels(level: Index, fewest: int) -> NDArray[np.bool_]:
    """Rows of levels with rows enough."""
    return np.asarray(np.bincount(level)[level] >= fewest) if len(level) else np.zeros(0, bool)


def _medians(values: Array, level: Index) -> Array:
    """The median of its level for every row."""
    out = np.empty(len(values))
    order = np.argsort(level, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(level[order])) + 1):
        out[rows] = np.median(values[rows]) if len(rows) else 0.0
    return out


def _share(scores: Array, level: Index) -> tuple[float, float, float]:
    """Share of the variance between levels, what is beyond chance, and in its deviations."""
    n, k = len(scores), len(np.unique(level))
    scores = scores - scores.mean() if n else scores
    total = float(scores @ scores)
    if k < 2 or n <= k or total <= 0:
        return 0.0, 0.0, 0.0
    _, place, counts = np.unique(level, return_inverse=True, return_counts=True)
    share = min(1.0, float(np.bincount(place, scores) ** 2 @ (1 / counts)) / total)
    chance = (k - 1) / (n - 1)
    # (n - 1) share is nearly a chi-squared of k - 1 degrees of freedom.
    return (
        share,
        (share - chance) / (1 - chance),
        (share - chance) * (n - 1) / math.sqrt(2 * (k - 1)),
    )
