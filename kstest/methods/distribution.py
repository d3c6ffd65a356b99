"""The distribution of one column in each sample, as few numbers as a drawing needs.

Bins and levels are chosen from all samples together, so that their shares can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..picture import Bars, Histogram
from ..sample import MISSING_CODE, Sample

Array = NDArray[np.float64]

# Numeric columns with at most this many values are drawn value by value.
FEW_VALUES = 16
# Bars of a categorical column; the other levels share the last.
MOST_LEVELS = 10
FEWEST_BINS, MOST_BINS = 12, 48
# Bins of so few points of a lattice are not worth their smoothness: every point gets a bin of its
# own, as one value may be all that differs.
FEW_POINTS, MOST_POINTS = 3, 64
# The axis ends at these quantiles of the samples if the far values would make it 1.5 times as long.
FAR = 0.005
LONGER = 1.5
# Beyond this matplotlib's own arithmetic overflows.
LARGEST = 1e100
DECADES = 1000.0


def numeric(parts: Sequence[Array], weights: Sequence[Array | None]) -> Histogram | Bars | None:
    """Return the distribution of the numbers of each sample.

    Parameters
    ----------
    parts : sequence of ndarray (n_s,)
        Finite values of each sample, missing ones left out.
    weights : sequence of (ndarray (n_s,) or None)

    Returns
    -------
    Histogram or Bars or None
        Bars for few distinct values. None if there are no values, or some too large to draw.
    """
    both = np.concatenate(parts)
    if not len(both) or np.abs(both).max() > LARGEST:
        return None
    distinct = np.unique(both)
    if len(distinct) <= FEW_VALUES:
        index = [np.searchsorted(distinct, part) for part in parts]
        return Bars(
            number_labels(distinct), tuple(map(_counts, index, weights, [distinct] * len(parts)))
        )
    logarithmic = _spans_decades(both)
    if logarithmic:
        edges = np.exp(bin_edges([np.log(part) for part in parts], np.log(distinct)))
        # Rounding must not put the first or the last value outside.
        ends = distinct[[0, -1]]
        edges[[0, -1]] = np.where(np.isclose(edges[[0, -1]], ends), ends, edges[[0, -1]])
    else:
        edges = bin_edges(parts, distinct)
    shares = []
    for part, weight in zip(parts, weights, strict=True):
        total = len(part) if weight is None else float(weight.sum())
        shares.append(np.histogram(part, edges, weights=weight)[0] / (total or 1.0))
    return Histogram(edges, tuple(shares), logarithmic)


def _spans_decades(values: Array) -> bool:
    """Whether positive numbers ask for a logarithmic axis.

    98 % of them span three powers of ten, which those of an exponential distribution do not, and
    their logarithms are less skewed (by the skewness of Bowley, at the quantiles .05 and .95).
    """
    if values.min() <= 0:
        return False
    lowest, low, middle, high, highest = np.quantile(values, [0.01, 0.05, 0.5, 0.95, 0.99])
    if highest < DECADES * lowest or low == high:
        return False
    skew, log_skew = (
        (a + c - 2 * b) / (c - a) for a, b, c in ((low, middle, high), np.log([low, middle, high]))
    )
    return bool(abs(log_skew) < abs(skew))


def categorical(samples: Sequence[Sample], place: int) -> Bars:
    """Return the shares of the levels of categorical column `place`, the frequent ones first.

    Where there are many, those whose shares differ most are kept and the others joined.
    """
    levels = len(samples[0].levels[place])
    # Code -1, a missing cell, comes last.
    codes = [np.where(s.codes[:, place] < 0, levels, s.codes[:, place]) for s in samples]
    every = np.arange(levels + 1)
    shares = np.array([_counts(c, s.weights, every) for c, s in zip(codes, samples, strict=True)])
    used = np.flatnonzero(shares.any(axis=0))
    rest = np.empty(0, np.int64)
    if len(used) > MOST_LEVELS:
        apart = np.ptp(shares[:, used], axis=0)
        by_difference = used[np.lexsort([used, -shares[:, used].sum(axis=0), -apart])]
        used, rest = by_difference[: MOST_LEVELS - 1], by_difference[MOST_LEVELS - 1 :]
    used = used[np.lexsort([used, -shares[:, used].sum(axis=0)])]
    labels = [
        "(missing)" if k == levels else samples[0].level_name(place, int(k)) for k in used.tolist()
    ]
    table = shares[:, used]
    if len(rest):
        labels.append(f"({len(rest):,} others)")
        table = np.hstack([table, shares[:, rest].sum(axis=1, keepdims=True)])
    return Bars(tuple(labels), tuple(table), upright=False)


def largest_difference(drawing: Histogram | Bars) -> float:
    """Largest difference of the shares below a value, or of the shares of a set of levels."""
    change = drawing.shares[1] - drawing.shares[0]
    if isinstance(drawing, Bars) and not drawing.upright:
        return float(np.abs(change).sum() / 2)
    return float(np.abs(change.cumsum()).max())


def present(sample: Sample, place: int) -> tuple[Array, Array | None]:
    """Values of numeric column `place` that are not missing, and their weights."""
    values = sample.values[:, place]
    if sample.missing is None:
        return values, sample.weights
    there = ~sample.missing[:, place]
    return values[there], None if sample.weights is None else sample.weights[there]


def missing_share(sample: Sample, place: int, is_categorical: bool) -> float:
    """Share of the rows of a sample whose cell in a column is missing."""
    if is_categorical:
        return float((sample.codes[:, place] == MISSING_CODE).mean())
    return 0.0 if sample.missing is None else float(sample.missing[:, place].mean())


def bin_edges(parts: Sequence[Array], distinct: Array) -> Array:
    """Edges of common bins of equal width.

    The width is that of Freedman and Diaconis (1981) for the finer sample. Values on a lattice,
    such as whole numbers, get the same number of its points in every bin: else bins with one
    point more would stand out.
    """
    low, high = float(distinct[0]), float(distinct[-1])
    inner = np.array([np.quantile(part, [FAR, 1 - FAR]) for part in parts if len(part)])
    near = float(inner[:, 0].min()), float(inner[:, 1].max())
    if near[0] < near[1] and high - low > LONGER * (near[1] - near[0]):
        low, high = near
    widths = [
        2 * float(np.subtract(*np.quantile(part, [0.75, 0.25]))) / len(part) ** (1 / 3)
        for part in parts
        if len(part)
    ]
    fine = min((w for w in widths if w > 0), default=math.inf)
    count = int(np.clip((high - low) / fine, FEWEST_BINS, MOST_BINS))
    width = (high - low) / count
    step = _lattice(distinct, width)
    if step:
        points = max(1, round(width / step))
        if points <= FEW_POINTS and (high - low) / step < MOST_POINTS:
            points = 1
        first = low - step / 2
        bins = math.ceil((high - first) / (points * step) - 1e-9)
        return np.asarray(first + points * step * np.arange(bins + 1))
    return np.unique(np.linspace(low, high, count + 1))


def _lattice(distinct: Array, width: float) -> float:
    """Step of the lattice on which all values lie; 0 if there is none as coarse as the bins."""
    step = float(np.diff(distinct).min())
    if step < width / 50:
        return 0.0
    places = (distinct - distinct[0]) / step
    return step if np.abs(places - np.rint(places)).max() < 1e-3 else 0.0


def number_labels(values: Array) -> tuple[str, ...]:
    """Write numbers with as many digits as it takes to tell them apart."""
    for digits in (4, 6, 9, 12):
        labels = tuple(f"{v:.{digits}g}" for v in values)
        if len(set(labels)) == len(labels):
            return labels
    return tuple(map(repr, values.tolist()))


def _counts(
    index: NDArray[np.int64], weights: Array | None, distinct: NDArray[np.generic]
) -> Array:
    counts = np.bincount(index, weights, len(distinct)).astype(np.float64)
    return np.asarray(counts / (counts.sum() or 1.0))
