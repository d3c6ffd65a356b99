"""Multivariate normal distributions and their mixtures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .certificate import of_mixture
from .language import Spec, arguments
from .target import Target
from .transforms import REAL

Array = NDArray[np.float64]

LARGEST = 1e100

_MIXTURE_EXAMPLE = (
    "gaussian_mixture(weights=[0.3, 0.7], means=[[0, 0], [3, 1]], "
    "covariances=[1, [[2, 0], [0, 1]]])"
)


def multivariate_normal(spec: Spec, columns: tuple[str, ...]) -> Target:
    """`multivariate_normal(mean=[...], covariance=[[...], ...])`."""
    bound = arguments(spec, ("mean", "covariance"))
    if "covariance" not in bound or spec.fit:
        raise UsageError(
            "--target: multivariate_normal needs covariance, for example "
            "multivariate_normal(mean=[0, 0], covariance=[[1, 0.5], [0.5, 2]])"
        )
    d = len(columns)
    mean = _numbers(bound.get("mean", [0.0] * d), (d,), "multivariate_normal: mean")
    covariance = _covariance(bound["covariance"], d, "multivariate_normal: covariance")
    return gaussian_target(np.ones(1), mean[None], covariance[None], columns)


def mixture(spec: Spec, columns: tuple[str, ...]) -> Target:
    """`gaussian_mixture(weights=[...], means=[[...], ...], covariances=[...])`.

    A covariance is a matrix, a list of variances, or one variance for all columns.
    """
    bound = arguments(spec, ("weights", "means", "covariances"))
    if set(bound) != {"weights", "means", "covariances"} or spec.fit:
        raise UsageError(
            "--target: gaussian_mixture needs weights, means and covariances, for example "
            + _MIXTURE_EXAMPLE
        )
    d = len(columns)
    count = len(bound["weights"]) if isinstance(bound["weights"], list) else 1
    weights = _numbers(bound["weights"], (count,), "gaussian_mixture: weights")
    if not (weights > 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise UsageError(
            "--target: gaussian_mixture: weights must be above 0 and sum to 1, found a sum of "
            f"{weights.sum():.6g}"
        )
    means = bound["means"]
    if d == 1 and isinstance(means, list):
        means = [m if isinstance(m, list) else [m] for m in means]
    means = _numbers(means, (count, d), "gaussian_mixture: means")
    given = bound["covariances"]
    given = given if isinstance(given, list) else [given] * count
    if len(given) != count:
        raise UsageError(
            f"--target: gaussian_mixture: {len(given)} covariances for {count} weights"
        )
    where = "gaussian_mixture: covariances"
    covariances = np.stack([_covariance(c, d, where) for c in given])
    return gaussian_target(weights / weights.sum(), means, covariances, columns)


def gaussian_target(
    weights: Array, means: Array, covariances: Array, columns: tuple[str, ...]
) -> Target:
    """Return the Target of a mixture of K normal distributions.

    Parameters
    ----------
    weights : ndarray (K,)
    means : ndarray (K, d)
    covariances : ndarray (K, d, d)
        Positive definite.
    """
    roots = np.linalg.cholesky(covariances)
    inverses = np.linalg.inv(roots)  # (K, d, d)
    precisions = np.swapaxes(inverses, 1, 2) @ inverses
    diagonals = np.diagonal(roots, axis1=1, axis2=2)
    d = means.shape[1]
    constants = np.log(weights) - np.log(diagonals).sum(axis=1) - d / 2 * math.log(2 * math.pi)

    def components(X: Array) -> Array:
        """log of weight times density, (n, K)."""
        out = np.empty((len(X), len(weights)))
        for k, constant in enumerate(constants):
            z = (X - means[k]) @ inverses[k].T
            out[:, k] = constant - 0.5 * np.einsum("ij,ij->i", z, z)
        return out

    def logpdf(X: Array) -> Array:
        logs = components(X)
        top = logs.max(axis=1)
        return np.asarray(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)))

    def score(X: Array) -> Array:
        # Far from all components every density underflows; their ratios do not.
        logs = components(X)
        share = np.exp(logs - logs.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        out = np.zeros_like(X)
        for k, precision in enumerate(precisions):
            out -= share[:, k, None] * ((X - means[k]) @ precision)
        return out

    def sample(n: int, rng: np.random.Generator) -> Array:
        which = rng.choice(len(weights), n, p=weights)
        X = rng.standard_normal((n, d))
        for k, root in enumerate(roots):
            X[which == k] = X[which == k] @ root.T + means[k]
        return X

    def cdf(X: Array) -> Array:
        from scipy.special import ndtr

        return np.asarray((weights * ndtr((X - means[:, 0]) / roots[:, 0, 0])).sum(axis=1))[:, None]

    return Target(
        name="gaussian_mixture",
        columns=columns,
        transforms=(REAL,) * d,
        score=score,
        logpdf=logpdf,
        sample=sample,
        modes=means.copy(),
        components=(means, covariances),
        certificate=of_mixture(means, covariances),
        cdf=cdf if d == 1 else None,
    )


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full(1, np.nan)
    if array.shape != shape or not (np.abs(array) <= LARGEST).all():
        wanted = " x ".join(map(str, shape))
        found = " x ".join(map(str, array.shape)) or "one number"
        raise UsageError(
            f"--target: {what}: takes {wanted} numbers up to {LARGEST:g} (columns tested: "
            f"{shape[-1]}), "
            f"found {found}"
        )
    return array


def _covariance(value: Any, d: int, what: str) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full(1, np.nan)
    if array.ndim == 0:
        array = np.eye(d) * array
    elif array.ndim == 1:
        array = np.diag(array)
    array = _numbers(array, (d, d), what)
    if not np.allclose(array, array.T, rtol=1e-9, atol=0):
        raise UsageError(f"--target: {what}: a matrix is not symmetric")
    if not (np.diag(array) >= 1 / LARGEST).all():
        raise UsageError(f"--target: {what}: variances must be above 0, from {1 / LARGEST:g} on")
    try:
        np.linalg.cholesky(array)
    except np.linalg.LinAlgError:
        raise UsageError(f"--target: {what}: a matrix is not positive definite") from None
    return array
