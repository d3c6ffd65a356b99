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

from ..errors import DataError, UsageError
from ..kernels import median_distance
from ..methods.stein.data import Given, coordinates, given_data, outside_support, require_numbers
from ..methods.stein.statistic import Frame
from ..sample import Sample

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows whose distances give the bandwidth.
DISTANCE_ROWS = 1000
STEP = 1e-4


def stein_thinned(
    samples: Sequence[Sample], params: Any, rng: np.random.Generator
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
    if any(transform.angle for transform in given.transforms):
        raise UsageError("--target: has angles, and rows are chosen on the line only")
    Y, S = coordinates(given)
    frame = Frame.of(Y, given.transforms, params.coordinates)
    points = frame.points(Y, S)
    few = rng.choice(len(Y), min(len(Y), DISTANCE_ROWS), replace=False)
    width = median_distance(points.rows[few], "euclidean")
    kernel = _Stein(points.rows, points.scores, 1 / width**2)
    bias = _bias(given, frame, Y, params.rows)
    chosen = _greedy(kernel, bias, params.rows, params.distinct)
    spaced = np.linspace(0, len(Y) - 1, params.rows).astype(np.int64)
    random = rng.choice(len(Y), min(params.rows, len(Y)), replace=False)
    facts = {
        "bandwidth": float(width),
        "ksd": kernel.discrepancy(chosen),
        "every_kth": kernel.discrepancy(spaced),
        "random": kernel.discrepancy(random),
    }
    return chosen, facts


class _Stein:
    """The Stein kernel of the inverse multiquadric (1 + r^2 / h^2)^(-1/2); a = 1 / h^2."""

    def __init__(self, x: Array, s: Array, a: float) -> None:
        self.x, self.s, self.a = x, s, a
        self.own = np.einsum("ij,ij->i", s, s) + a * x.shape[1]

    def row(self, i: int) -> Array:
        """u(x_i, x_j) for all j."""
        gap = self.x - self.x[i]
        r2 = np.einsum("ij,ij->i", gap, gap)
        cross = np.einsum("ij,ij->i", self.s - self.s[i], gap) + self.x.shape[1]
        w = 1 / (1 + self.a * r2)
        return np.asarray(
            np.sqrt(w) * (self.s @ self.s[i] + self.a * w * (cross - 3 * self.a * r2 * w))
        )

    def discrepancy(self, rows: Index) -> float:
        """Square root of the mean of u over all pairs of these rows."""
        part = _Stein(self.x[rows], self.s[rows], self.a)
        total = sum(float(part.row(i).mean()) for i in range(len(rows)))
        return float(np.sqrt(max(total / len(rows), 0.0)))


def _greedy(kernel: _Stein, bias: Array, wanted: int, distinct: bool) -> Index:
    total = (kernel.own + bias) / 2
    chosen = []
    for _ in range(wanted):
        best = int(np.argmin(total))
        chosen.append(best)
        total += kernel.row(best)
        if distinct:
            total[best] = np.inf
    return np.array(chosen)


def _bias(given: Given, frame: Frame, Y: Array, wanted: int) -> Array:
    """What the corrections add to u(x_j, x_j)."""
    out = np.zeros(len(Y))
    target = given.target
    assert target is not None
    if target.logpdf is not None:
        out -= 2 * np.asarray(target.logpdf(given.X)) / wanted
    if all(transform.real for transform in target.transforms):
        out += _laplacian(given, frame, Y)
    return np.where(np.isfinite(out), out, 0.0)


def _laplacian(given: Given, frame: Frame, Y: Array) -> Array:
    """Positive part of the Laplacian of log p in the kernel's coordinates, by differences."""
    assert given.target is not None
    axes = np.linalg.inv(frame.forward)
    out = np.zeros(len(Y))
    for c, axis in enumerate(axes):
        ends = []
        for sign in (1, -1):
            X = given.X + sign * STEP * axis
            ends.append(frame.points(*given.target.unconstrain(X)).scores[:, c])
        out += (ends[0] - ends[1]) / (2 * STEP)
    return np.maximum(out, 0.0)
