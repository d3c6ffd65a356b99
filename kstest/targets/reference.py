"""Targets fitted to a reference sample of their own: a Gaussian mixture, or a kernel density.

The null hypothesis is composite: data and reference are draws from one distribution of that form,
whose parameters nobody knows. A test therefore has to simulate a reference too, fit it again and
draw data beside it (`Target.simulate`); with the fitted parameters taken as true it would reject
far too often.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .gaussian import gaussian_target
from .target import Target
from .transforms import REAL

Array = NDArray[np.float64]

MOST_COMPONENTS = 50
MOST_STEPS = 200
TOLERANCE = 1e-5  # of the mean log likelihood between two steps
RIDGE = 1e-6  # of the variances, so that no component shrinks to a point
TILE_ROWS = 512


def fitted_target(
    text: str, R: Array, columns: tuple[str, ...], rng: np.random.Generator
) -> Target:
    """Return the Target of ``fit:gmm:K`` or ``fit:kde`` for reference rows R (m, d)."""
    parts = text.strip().split(":")
    m, d = R.shape
    if parts[1:] == ["kde"]:
        if m < 10 + 2 * d:
            raise UsageError(f"--reference: {m} rows are too few for a kernel density")
        return _with_simulation(_kernel_density(R, columns), R, columns, text, None)
    if len(parts) != 3 or parts[1] != "gmm" or not parts[2].isdigit():
        raise UsageError(f"--target {text}: write fit:gmm:3 (components) or fit:kde")
    count = int(parts[2])
    if not 1 <= count <= MOST_COMPONENTS:
        raise UsageError(f"--target {text}: give 1 to {MOST_COMPONENTS} components")
    if m < count * (d + 1) * 5:
        raise UsageError(
            f"--reference: {m} rows are too few for {count} components in {d} columns; at least "
            f"{count * (d + 1) * 5} are needed"
        )
    start = _start(R, count, rng)
    found = expectation_maximisation(R, *start)
    return _with_simulation(gaussian_target(*found, columns), R, columns, text, found)


def _with_simulation(
    target: Target,
    R: Array,
    columns: tuple[str, ...],
    text: str,
    found: tuple[Array, Array, Array] | None,
) -> Target:
    assert target.sample is not None
    draw, m = target.sample, len(R)

    def simulate(n: int, rng: np.random.Generator) -> tuple[Array, Target]:
        again = draw(m, rng)
        if found is None:
            return draw(n, rng), _kernel_density(again, columns)
        return draw(n, rng), gaussian_target(*expectation_maximisation(again, *found), columns)

    names = ("density",) if found is None else ("weights", "means", "covariances")
    return replace(target, name=text, fitted=names, simulate=simulate)


def _start(R: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Begin from k-means, best of a few."""
    from scipy.cluster.vq import kmeans2

    spread = np.maximum(R.std(axis=0), 1e-300)
    Z = (R - R.mean(axis=0)) / spread
    best, best_cost = np.zeros(len(R), np.int64), np.inf
    for _ in range(5):
        centres, labels = kmeans2(Z, count, minit="++", rng=rng, missing="warn")
        cost = float(((Z - centres[labels]) ** 2).sum())
        if cost < best_cost and len(np.unique(labels)) == count:
            best, best_cost = labels, cost
    shares = np.eye(count)[best] * 0.9 + 0.1 / count
    return _maximise(R, shares)


def _maximise(R: Array, shares: Array) -> tuple[Array, Array, Array]:
    """Weights, means and covariances of rows that belong to components in these shares."""
    mass = shares.sum(axis=0)
    means = shares.T @ R / mass[:, None]
    floor = np.diag(RIDGE * np.maximum(R.var(axis=0), 1e-300))
    covariances = []
    for k, mean in enumerate(means):
        centred = R - mean
        covariances.append((centred * shares[:, k, None]).T @ centred / mass[k] + floor)
    return mass / mass.sum(), means, np.stack(covariances)


def expectation_maximisation(
    R: Array, weights: Array, means: Array, covariances: Array
) -> tuple[Array, Array, Array]:
    """Maximise the likelihood of a Gaussian mixture (Dempster, Laird, Rubin 1977)."""
    before = -np.inf
    for _ in range(MOST_STEPS):
        logs = _log_components(R, weights, means, covariances)
        top = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - top)
        total = shares.sum(axis=1, keepdims=True)
        now = float((top + np.log(total)).mean())
        if now - before < TOLERANCE:
            break
        before = now
        # A component that lost all rows keeps a trace, or its covariance would be 0 / 0.
        weights, means, covariances = _maximise(R, np.maximum(shares / total, 1e-12))
    return weights, means, covariances


def _log_components(R: Array, weights: Array, means: Array, covariances: Array) -> Array:
    roots = np.linalg.cholesky(covariances)
    inverses = np.linalg.inv(roots)
    out = np.empty((len(R), len(weights)))
    for k, weight in enumerate(weights):
        z = (R - means[k]) @ inverses[k].T
        size = np.log(weight) - np.log(np.diagonal(roots[k])).sum()
        out[:, k] = size - 0.5 * np.einsum("ij,ij->i", z, z)
    return out


def _kernel_density(R: Array, columns: tuple[str, ...]) -> Target:
    """Gaussian kernel density with Scott's bandwidth: covariance of R times m^(-2 / (d + 4))."""
    m, d = R.shape
    factor = m ** (-1.0 / (d + 4))
    covariance = np.atleast_2d(np.cov(R, rowvar=False)) * factor**2
    covariance += np.diag(RIDGE * np.maximum(R.var(axis=0), 1e-300))
    root = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(root)
    centre = R.mean(axis=0)
    Z = (R - centre) @ inverse.T
    norms = np.einsum("ij,ij->i", Z, Z) / 2

    def score(X: Array) -> Array:
        out = np.empty_like(X)
        for first in range(0, len(X), TILE_ROWS):
            z = (X[first : first + TILE_ROWS] - centre) @ inverse.T
            logs = z @ Z.T - norms
            logs -= logs.max(axis=1, keepdims=True)
            np.exp(logs, out=logs)
            nearest = logs @ Z / logs.sum(axis=1, keepdims=True)
            out[first : first + TILE_ROWS] = (nearest - z) @ inverse
        return out

    def sample(n: int, rng: np.random.Generator) -> Array:
        return np.asarray(R[rng.integers(0, m, n)] + rng.standard_normal((n, d)) @ root.T)

    return Target(
        name="fit:kde", columns=columns, transforms=(REAL,) * d, score=score, sample=sample
    )
