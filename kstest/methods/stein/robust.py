"""Robust KSD: is the sample within a share of contamination of the target?

At large n every model is rejected, since no model is exactly right. The null hypothesis here is
wider: the data come from (1 - eps) P + eps R with any R at all. It needs a Stein kernel that is
bounded, which a tilt by w(x) = (1 + |x - a|^2 / c^2)^(-1/2) brings about:

    u~(x, y) = w(x) w(y) u(x, y) with the score s + grad log w in place of s,

and then KSD(Q, P) <= theta = eps sqrt(tau), tau >= sup_x u~(x, x) (Liu and Briol 2024, arXiv
2408.05854). The bound tau has to be known, not estimated: a maximum over the data is no bound.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work, signed_sums
from ...engine.stein import SteinPoints, stein_sums
from ...errors import UsageError
from ...findings import Facts
from ...kernels import BandwidthGrid
from ...nulls import independent_signs, sign_bins
from ...targets import Target, tilted_bound
from .statistic import Setup

Array = NDArray[np.float64]


def tilted(points: SteinPoints, rows: Array) -> SteinPoints:
    """Tilt the kernel; `rows` (n, d) are the coordinates measured from a, c^2 = d."""
    c2 = float(rows.shape[1])
    weights = 1 / np.sqrt(1 + np.einsum("ij,ij->i", rows, rows) / c2)
    return replace(
        points,
        scores=np.ascontiguousarray(points.scores - rows / c2 * weights[:, None] ** 2),
        weights=weights,
    )


def certified_bound(target: Target | None, made: Setup) -> float:
    """Return tau >= sup u~(x, x) for a mixture of normal distributions.

    With r = |x - a| the score of a mixture is at most that of its steepest component,
    L (r + M): L the largest eigenvalue of a precision, M the largest distance of a mean from a; see
    `kstest.targets.tilted_bound`, with level -2 d phi'(0).

    Raises
    ------
    UsageError
        If no bound is known for this target.
    """
    if target is None or target.components is None:
        name = target.name if target else "score columns"
        raise UsageError(
            f"--contamination: no bound of the Stein kernel is known for {name}; targets "
            "normal, multivariate_normal and gaussian_mixture have one, or give --bound NUMBER "
            "if you can prove one"
        )
    means, covariances = target.components
    frame, d = made.frame, means.shape[1]
    off = (means - frame.centre) @ frame.forward
    most = float(np.sqrt(np.einsum("ij,ij->i", off, off)).max())
    steep = max(
        float(np.linalg.eigvalsh(frame.backward.T @ np.linalg.inv(C) @ frame.backward).max())
        for C in covariances
    )
    return tilted_bound(steep * most, steep, math.sqrt(d), slope_at_zero(made.grid) * d)


def slope_at_zero(grid: BandwidthGrid) -> float:
    """Return -2 phi'(0)."""
    derivatives = grid.kernel.derivatives
    assert derivatives is not None
    return float(derivatives(np.zeros(1), float(grid.factors[0]))[1][0])


def robust(
    Y: Array,
    points: SteinPoints,
    made: Setup,
    target: Target | None,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Array, tuple[Facts, ...], int]:
    """Return statistics (B + 1,), the observed one less theta, what they rest on, and the bins.

    The observed statistic is max(0, sqrt(V) - theta), a replicate sqrt(V*) with centred random
    signs, so that it copies the deviation of the empirical from the true mean feature whatever
    that is.
    """
    if not made.frame.line.all():
        raise UsageError("--contamination: takes columns on a line, not angles")
    tau = params.bound or certified_bound(target, made)
    theta = params.contamination * math.sqrt(tau)
    heavy = tilted(points, (Y - made.frame.centre) @ made.frame.forward)
    n, starts = len(heavy), sign_bins(len(heavy))
    sums = stein_sums(heavy, starts, made.grid, work)
    blocks = sums.blocks[0]
    own = np.add.reduceat(heavy.own(made.grid)[0], starts[:-1])
    blocks[np.diag_indices(len(blocks))] += own
    size = np.diff(starts)[:, None] / n
    signs = independent_signs(len(blocks), params.draws, rng).astype(np.float64)
    signs[:, 1:] -= (size * signs[:, 1:]).sum(axis=0)
    V = np.maximum(signed_sums(blocks[None], signs)[0], 0) / n**2
    T = np.sqrt(V)
    distance = float(T[0])
    T[0] = max(0.0, distance - theta)
    found = (
        Facts("contamination", params.contamination),
        Facts("bound", tau),
        Facts("theta", theta),
        Facts("distance", distance),
    )
    return T, found, len(blocks)
