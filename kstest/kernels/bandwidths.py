"""Bandwidths: the widths a test tries, from the distances of the pooled rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .radial import Kernel
from .rows import MISMATCH, Rows

# A bandwidth grid longer than this reaches widths at which single precision no longer tells
# neighbouring rows apart, and costs more than its bandwidths find.
MOST_BANDWIDTHS = 20


@frozen
class BandwidthGrid:
    """One kernel at several bandwidths, widest first.

    `squaring` says that each bandwidth is the one before divided by the kernel's ratio, so that
    the engine may square values instead of evaluating the kernel again.
    """

    kernel: Kernel
    bandwidths: tuple[float, ...]
    squaring: bool = False

    @property
    def factors(self) -> NDArray[np.float64]:
        """The factor a of u = a D, per bandwidth; shape (L,)."""
        return np.array([self.kernel.scale(h) for h in self.bandwidths])

    def __len__(self) -> int:
        return len(self.bandwidths)


def pair_distances(rows: Rows | NDArray[np.float64], geometry: str) -> NDArray[np.float64]:
    """Return the positive distances of all pairs i < j of a few rows, in no order.

    Duplicates are left out: they say nothing about width, and would make a lower quantile 0.
    The distances are Euclidean (not squared) or city-block.
    """
    rows = Rows.of(rows)
    x = rows.values
    if geometry == "cityblock":
        parts = [np.abs(x[i + 1 :] - x[i]).sum(axis=1) for i in range(len(x) - 1)]
        distances = np.concatenate(parts) if parts else np.empty(0)
    else:
        centred = x - x.mean(axis=0)
        square = np.einsum("ij,ij->i", centred, centred)
        gram = square[:, None] + square[None, :]
        products = centred @ centred.T
        gram -= np.multiply(products, 2, out=products)
        distances = _upper(gram)
        # The GEMM form leaves rounding noise where rows are equal.
        noise = 8 * np.finfo(float).eps * (square.max() if len(square) else 0.0)
        distances[distances <= noise] = 0
    for code in rows.codes.T:
        distances += MISMATCH[geometry] * _upper(code[:, None] != code)
    distances = distances[distances > 0]
    return distances if geometry == "cityblock" else np.sqrt(distances, out=distances)


def _upper(matrix: NDArray[Any]) -> NDArray[Any]:
    """Entries i < j, row after row."""
    parts = [row[i + 1 :] for i, row in enumerate(matrix)]
    return np.concatenate(parts) if parts else np.empty(0, matrix.dtype)


def quantiles(distances: NDArray[np.float64], *levels: float) -> tuple[float, ...]:
    """Return quantiles of distances; 1.0 if there are none (all rows equal).

    Each is one of the distances: sorted, that of place `level` times their number.
    """
    last = len(distances) - 1
    if last < 0:
        return (1.0,) * len(levels)
    places = [min(last, int(level * len(distances))) for level in levels]
    parted = np.partition(distances, places)  # a fifth of the time of sorting
    return tuple(float(parted[place]) for place in places)


def quantile(distances: NDArray[np.float64], level: float) -> float:
    """Return one of the `quantiles`."""
    return quantiles(distances, level)[0]


def median_distance(rows: NDArray[np.float64], geometry: str) -> float:
    """Return the median distance of different rows of a few; where that is 0 their mean, or 1.

    For the first rows of a stream, which are fewer than `pair_distances` is made for: every
    difference is taken directly, duplicates count, and there is always a width.
    """
    if not rows.shape[1]:
        return 1.0
    difference = rows[:, None] - rows[None]
    power = 1 if geometry == "cityblock" else 2
    d = (np.abs(difference) ** power).sum(-1)[np.triu_indices(len(rows), 1)]
    middle = float(np.median(d)) or float(d.mean()) or 1.0
    return middle if power == 1 else math.sqrt(middle)


def bandwidth_grid(kernel: Kernel, distances: NDArray[np.float64]) -> BandwidthGrid:
    """Return the bandwidth grid: from twice the 95 % quantile of the distances to half the 5 %.

    Gaussian and Laplace kernels descend by a ratio of their own (each bandwidth the square of the
    one before), other kernels by sqrt(2). Kernels without a bandwidth give a bandwidth grid of one.
    """
    if not kernel.has_bandwidth:
        return BandwidthGrid(kernel, (1.0,))
    step = kernel.ratio or math.sqrt(2)
    high, low = quantiles(distances, 0.95, 0.05)
    top, bottom = 2 * high, low / 2
    count = 1 + math.ceil(math.log(top / bottom) / math.log(step))
    return BandwidthGrid(
        kernel,
        tuple(top / step**i for i in range(min(count, MOST_BANDWIDTHS))),
        squaring=kernel.ratio is not None,
    )


def around_median(kernel: Kernel, distances: NDArray[np.float64], reach: int = 2) -> BandwidthGrid:
    """Return the bandwidths 2^i times the median distance, i = reach, ..., -reach.

    The collection of HSICAgg (Schrab, Kim, Guedj, Gretton 2022, arXiv 2206.09194).
    """
    if not kernel.has_bandwidth:
        return BandwidthGrid(kernel, (1.0,))
    median = quantile(distances, 0.5)
    return BandwidthGrid(kernel, tuple(median * 2.0**i for i in range(reach, -reach - 1, -1)))


def choose(
    kernel: Kernel, distances: NDArray[np.float64], rule: str, collection: str
) -> BandwidthGrid:
    """Return the bandwidths of a rule: the median distance, or the collection of an aggregate.

    ``fuse`` and ``mmdagg`` come with the ten bandwidths of their papers' code, so that their
    results can be reproduced: evenly spaced from half the 5 % to twice the 95 % quantile of the
    distances (Biggs, Schrab, Gretton 2023), and geometric from half the smallest to twice the
    largest distance (Schrab et al. 2023; without that code's absolute lower bounds, which make
    it depend on the unit of measurement). ``octaves`` are those `around_median`. Everything else
    descends the `bandwidth_grid`.
    """
    if rule == "median":
        return BandwidthGrid(kernel, (quantile(distances, 0.5),))
    if collection == "fuse":
        high, low = quantiles(distances, 0.95, 0.05)
        ends = 2 * high, low / 2
        return BandwidthGrid(kernel, tuple(float(h) for h in np.linspace(*ends, 10)))
    if collection == "mmdagg":
        high, low = quantiles(distances, 1.0, 0.0)
        ends = 2 * high, low / 2
        return BandwidthGrid(kernel, tuple(float(h) for h in np.geomspace(*ends, 10)))
    if collection == "octaves":
        return around_median(kernel, distances)
    return bandwidth_grid(kernel, distances)


# Bandwidths that a test of goodness of fit combines. Their number is fixed, so that simulated
# samples, each with bandwidths of its own, can be compared bandwidth by bandwidth.
STEIN_BANDWIDTHS = 10


def stein_bandwidths(
    kernel: Kernel, rows: NDArray[np.float64], rule: str, finest: float = 0.0
) -> BandwidthGrid:
    """Return bandwidths for the Stein kernel: the median distance, or ten around it.

    Parameters
    ----------
    kernel : Kernel
    rows : ndarray (n, d)
        A few hundred rows, in no particular order.
    rule : {'median', 'aggregate'}
        ``aggregate`` descends geometrically from twice the 95 % quantile of the pairwise
        distances to half the 5 % quantile.
    finest : float
        ``aggregate`` ends here, if that is earlier: narrower kernels would see how values were
        rounded.
    """
    distances = pair_distances(rows, kernel.geometry)
    if rule == "median":
        return BandwidthGrid(kernel, (quantile(distances, 0.5),))
    high, low = quantiles(distances, 0.95, 0.05)
    ends = 2 * high, min(max(low / 2, finest), high)
    return BandwidthGrid(kernel, tuple(float(h) for h in np.geomspace(*ends, STEIN_BANDWIDTHS)))
