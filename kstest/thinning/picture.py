"""The picture of thinning: the kept rows on all rows, how near they are, and every column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import printable
from ..findings import number
from ..kernels import SCALES, scale_columns
from ..methods.describe import series_of
from ..methods.distribution import LARGEST
from ..methods.two_samples.picture import side_by_side
from ..picture import Band, Panel, Picture, Points
from ..sample import Sample
from .search import Thinned

Array = NDArray[np.float64]

# Rows that are drawn as points, of all and of the kept ones.
DRAWN = 2000
# The axes end at these quantiles of all rows, if the far rows would make them so much longer.
FAR, LONGER = 0.002, 1.5
# Columns that a direction is named by.
NAMED = 3


def picture(sample: Sample, found: Thinned) -> Picture:
    """Return what there is to draw of thinned rows.

    Parameters
    ----------
    sample : Sample
        All rows, in the order of the file.
    found : Thinned
        Of this sample.

    Returns
    -------
    Picture
        Rows as points: of two numeric columns as they are, of more in the first two principal
        directions of the scaled columns (drawn by some of the rows, where there are many). The
        distance by bandwidth, as the certificate has it, beside that of as many random rows. The
        distributions of all columns, those first that differ most.
    """
    index = np.sort(found.index)
    kept = replace(sample.take(index), name="kept")
    columns, left = side_by_side((sample, kept))
    panels = [*_plane(sample, index, found), *_certificate(found), *columns]
    notes = [] if found.stein is None else [_discrepancies(found)]
    return Picture((series_of(sample), series_of(kept)), tuple(panels), left, tuple(notes))


def _plane(sample: Sample, index: NDArray[np.int64], found: Thinned) -> Iterator[Panel]:
    """All rows and the kept ones as points, where there are two numeric columns or more."""
    if min(len(sample.columns), sample.n) < 2 or np.abs(sample.values).max() > LARGEST:
        return
    rng = np.random.default_rng(0)
    some = rng.choice(sample.n, min(sample.n, DRAWN), replace=False)
    few = rng.choice(index, min(len(index), DRAWN), replace=False)
    title, axes, places = _directions(sample, some, few, found.params["scale"])
    (all_places, kept_places), words = _within(places)
    if len(some) < sample.n:
        words.insert(0, f"points: {len(some):,} of the rows, and {len(few):,} of the kept ones")
    if len(sample.columns) == 2 and sample.missing is not None:
        words.append("without rows that have missing cells")
    yield Panel(title, tuple(words), (Points((all_places, kept_places), *axes),))


def _directions(
    sample: Sample, some: NDArray[np.int64], few: NDArray[np.int64], scale: str
) -> tuple[str, tuple[str, str], tuple[Array, Array]]:
    """Title, names of the axes, and places of rows in the plane that shows most of them."""
    names = sample.columns
    if len(names) == 2:
        if sample.missing is not None:
            some, few = (rows[~sample.missing[rows].any(axis=1)] for rows in (some, few))
        first, second = map(printable, names)
        return f"{first} and {second}", names, (sample.values[some], sample.values[few])
    scaled = scale_columns(sample.values, scale if scale in SCALES else "robust", sample.missing)
    middle = scaled[some].mean(axis=0)
    axes = np.linalg.svd(scaled[some] - middle, full_matrices=False)[2][:2]
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    named = tuple(_direction(axis, names) for axis in axes)
    places = tuple((scaled[rows] - middle) @ axes.T for rows in (some, few))
    return "two principal directions", (named[0], named[1]), (places[0], places[1])


def _direction(axis: Array, names: tuple[str, ...]) -> str:
    """The largest parts of a direction, such as ``0.71 a - 0.7 b + ...``."""
    order = np.argsort(-np.abs(axis), kind="stable")[:NAMED]
    signs = np.where(axis > 0, "+", "-")
    parts = [f"{signs[c]} {abs(axis[c]):.2g} {printable(names[c])}" for c in order]
    return " ".join(parts).removeprefix("+ ") + " + ..." * (len(names) > NAMED)


def _within(places: tuple[Array, Array]) -> tuple[tuple[Array, Array], list[str]]:
    """The places that are not far from all others, and how many are."""
    every = places[0]
    if not len(every):
        return places, []
    low, high = np.quantile(every, [FAR, 1 - FAR], axis=0)
    room = (LONGER - 1) * (high - low)
    long = np.ptp(every, axis=0) > LONGER * (high - low)
    low, high = np.where(long, low - room, -np.inf), np.where(long, high + room, np.inf)
    inside = [((part >= low) & (part <= high)).all(axis=1) for part in places]
    beyond = [int((~part).sum()) for part in inside]
    words = [f"beyond the axes: {beyond[0]:,}, and {beyond[1]:,}"] if any(beyond) else []
    return (places[0][inside[0]], places[1][inside[1]]), words


def _certificate(found: Thinned) -> Iterator[Panel]:
    """The distance of the kept rows from all rows at every bandwidth."""
    told = sorted(found.distances, key=lambda d: d.bandwidth)
    if not told:
        return
    x, y, low, high, random = np.array(
        [[d.bandwidth, d.mmd, d.lower, d.upper, d.random] for d in told]
    ).T
    words = ["broken line: as many rows at random"]
    if (low < high).any():
        words.append("band: bounds, each of 99.9 %")
    axis = "bandwidth, in units of the scaled columns"
    band = Band(x, y, low, high, random, "distance (MMD)", axis, logarithmic=len(x) > 1)
    yield Panel("how near the kept rows are to all", tuple(words), (band,))


def _discrepancies(found: Thinned) -> str:
    facts = {key: number(value) for key, value in (found.stein or {}).items()}
    return (
        f"Kernel Stein discrepancy of the chosen rows from the target: {facts['ksd']}; of every "
        f"k-th row {facts['every_kth']}, of random rows {facts['random']}. Rows that were chosen "
        "twice count twice."
    )
