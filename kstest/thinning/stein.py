"""Stein thinning: rows of a chain that stand for a density, wherever the chain began.

Greedy choice (Riabiz et al. 2022, arXiv 2005.03952): with u the Stein kernel of the density, each
next row is the one with the smallest

    u(x_j, x_j) / 2 + sum over chosen i of u(x_i, x_j),

with the two corrections of Benard, Staber, Da Veiga (2023, arXiv 2301.13528): log p(x_j) / M is
subtracted, where the density is known beside its score, lest rows gather in regions of low density
where the score vanishes; and the positive part of the Laplacian of log p is added to u(x_j, x_j),
where the density has no bounds, lest they gather at saddles. The weights of separate modes are not
found either way, since the score does not know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Work
from ..engine.stein import SteinPoints, pair_numbers, stein_sums
from ..errors import DataError
from ..kernels import KERNELS, BandwidthGrid, stein_bandwidths
from ..methods.stein.data import Given, coordinates, given_data, outside_support, require_numbers
from ..methods.stein.statistic import Frame
from ..sample import Sample

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows whose distances give the bandwidth.
DISTANCE_ROWS = 1000
STEP = 1e-4


def stein_thinned(
    samples: Sequence[Sample], params: Any, rng: np.random.Generator, work: Work
) -> tuple[Index, dict[str, float]]:
    """Choose rows by a density.

    Returns
    -------
    rows : ndarray of int (M,)
        In the order in which they were chosen; with repetitions, unless --distinct.
    facts : dict
        The kernel Stein discrepancy of the chosen rows, of every k-th and of random ones.
    """
    require_numbers(samples[0])
    options = SimpleNamespace(
        target=params.target, param=params.param, allow_python=params.allow_python, score_prefix=""
    )
    given = given_data(samples, options)
    outside = outside_support(given)
    if outside:
        raise DataError(f"data: {outside}; choose rows with --where")
    Y, S = coordinates(given)
    frame = Frame.of(Y, given.transforms, params.coordinates)
    points = frame.points(Y, S)
    few = rng.choice(len(Y), min(len(Y), DISTANCE_ROWS), replace=False)
    grid = stein_bandwidths(KERNELS["imq"], points.embedded()[few], "median")
    chosen = _greedy(points, grid, _bias(given, frame, params.rows), params.rows, params.distinct)
    choices = {
        "ksd": chosen,
        "every_kth": np.linspace(0, len(Y) - 1, params.rows).astype(np.int64),
        "random": rng.choice(len(Y), min(params.rows, len(Y)), replace=False),
    }
    facts = {name: _discrepancy(points.take(rows), grid, work) for name, rows in choices.items()}
    return chosen, {"bandwidth": grid.bandwidths[0], **facts}


def _discrepancy(points: SteinPoints, grid: BandwidthGrid, work: Work) -> float:
    """Square root of the mean of u over all pairs of some rows."""
    m = len(points)
    total = stein_sums(points, np.array([0, m]), grid, work).blocks[0, 0, 0]
    return float(np.sqrt(max(total + points.own(grid)[0].sum(), 0.0)) / m)


def _greedy(
    points: SteinPoints, grid: BandwidthGrid, bias: Array, wanted: int, distinct: bool
) -> Index:
    total, whole = (points.own(grid)[0] + bias) / 2, slice(0, len(points))
    chosen = []
    for _ in range(wanted):
        best = int(np.argmin(total))
        chosen.append(best)
        (row,) = pair_numbers(points, slice(best, best + 1), whole).stein(grid)
        total += row[0]
        if distinct:
            total[best] = np.inf
    return np.array(chosen)


def _bias(given: Given, frame: Frame, wanted: int) -> Array:
    """What the corrections add to u(x_j, x_j)."""
    out = np.zeros(len(given.X))
    target = given.target
    assert target is not None
    if target.logpdf is not None:
        out -= 2 * np.asarray(target.logpdf(given.X)) / wanted
    if all(transform.real for transform in target.transforms):
        out += _laplacian(given, frame)
    return np.where(np.isfinite(out), out, 0.0)


def _laplacian(given: Given, frame: Frame) -> Array:
    """Positive part of the Laplacian of log p in the kernel's coordinates, by differences."""
    assert given.target is not None
    axes = np.linalg.inv(frame.forward)
    out = np.zeros(len(given.X))
    for c, axis in enumerate(axes):
        ends = []
        for sign in (1, -1):
            X = given.X + sign * STEP * axis
            ends.append(frame.points(*given.target.unconstrain(X)).scores[:, c])
        out += (ends[0] - ends[1]) / (2 * STEP)
    return np.maximum(out, 0.0)
