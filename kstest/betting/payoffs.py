"""Payoffs of two rows: what swapping their y changes, by a witness learned from earlier rows.

Under H0 the pairs (x1, y1), (x2, y2) and the swapped ones have one distribution given the past, so
with any witness g the payoff

    f = 1/2 [ g(x1, y1) + g(x2, y2) - g(x1, y2) - g(x2, y1) ]

is symmetric about 0. If g has unit norm in the product space of kernels with k(x, x) <= 1 and
k >= 0, then |f| <= 1: the feature differences have norm sqrt(2 - 2k) <= sqrt(2) each.

- `hsic`: g is the embedding of the joint distribution less that of the product of the margins, from
all
  earlier rows; f = 1 / (2 H) [ mean(a b) - mean(a) mean(b) ] with a_j = k(x1, X_j) - k(x2, X_j),
  b_j likewise in y, H^2 the biased HSIC of the earlier rows.
- `coco`, `kcc`: g(x, y) = u(x) v(y), the functions of unit norm with the largest covariance
  (constrained covariance, Gretton et al. 2005), or correlation with a ridge of 0.1 (kernel
  canonical correlation, Bach and Jordan 2002), learned anew at 2, 8, 18, 32, ... rows.

Reference: Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), arXiv 2212.07383. Their program bets
half as much on `coco` and `kcc` (1/4 for 1/2), which the bound above does not ask for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..kernels import KERNELS, serving
from . import pair_loops
from .rows import Rows

Array = NDArray[np.float64]

PAYOFFS = ("hsic", "coco", "kcc")
# Kernels by their branch in `kstest.kernels.compiled.pair_value`: those that blocks take too, and
# the inner product, which has no bandwidth.
NEEDS = ("spectrum", "pair_branch")
CODES = {name: KERNELS[name].pair_branch or 0 for name in serving(*NEEDS)} | {"linear": 2}
SMALLEST_NORM = 1e-12
# Share of the trace that incomplete Cholesky leaves; singular values below are dropped.
RESIDUAL = 1e-3
SMALLEST_SINGULAR = 1e-8
RIDGE = 0.1


def normalised(covariance: Array, norm: Array) -> Array:
    """HSIC payoffs from the output of `pair_loops.hsic_pairs`."""
    return np.clip(covariance / np.sqrt(np.maximum(norm, SMALLEST_NORM)), -1.0, 1.0)


def gamma(kernel: str, bandwidth: float) -> float:
    """The factor of the (squared) distance: 1 / (2 h^2) gaussian, 1 / h laplace."""
    return 1.0 / bandwidth if kernel == "linear" else KERNELS[kernel].scale(bandwidth)


def refit_sizes(limit: int) -> list[int]:
    """Rows at which `coco` and `kcc` learn: 2 m^2."""
    return [2 * m * m for m in range(1, math.isqrt(limit // 2) + 1)]


def singular_pair(
    x: Rows, y: Rows, payoff: str, kernel: str, gammas: tuple[float, float]
) -> tuple[Array, Array]:
    """Weights of the two functions of `coco` or `kcc` on the rows, (n,) each.

    u(x) = sum_i weights_i k(X_i, x), of norm at most 1 and mean 0 over the rows.
    """
    code = CODES[kernel]
    factors = [_factor(rows, code, g) for rows, g in zip((x, y), gammas, strict=True)]
    n = len(x)
    (U, s, left), (V, t, right) = factors
    if not len(s) or not len(t):
        return np.zeros(n), np.zeros(n)
    c, d = np.ones_like(s), np.ones_like(t)
    if payoff == "kcc":
        c, d = 1 / np.sqrt(s**2 / n + RIDGE), 1 / np.sqrt(t**2 / n + RIDGE)
    M = (c * s)[:, None] * (U.T @ V) * (d * t) / n
    a, _, b = np.linalg.svd(M, full_matrices=False)
    return _weights(U, s, c, a[:, 0], left), _weights(V, t, d, b[0], right)


def _weights(U: Array, s: Array, c: Array, a: Array, residual: float) -> Array:
    weights = U @ (c / s * a)
    centred = np.asarray(weights - weights.mean())
    # The part of the kernel matrix that the factor leaves out adds at most this to the norm.
    norm = math.sqrt(float(np.sum((c * a) ** 2) + residual * np.sum(centred**2)))
    return np.asarray(centred / norm)


def _factor(rows: Rows, code: int, gamma: float) -> tuple[Array, Array, float]:
    """Singular vectors and values of the centred incomplete Cholesky factor; trace left out."""
    n = len(rows)
    K = np.empty((n, n))
    pair_loops.kernel_matrix(rows.values, rows.marks, code, gamma, K)
    left = np.diag(K).copy()
    columns: list[Array] = []
    while len(columns) < n and left.sum() > RESIDUAL * n:
        j = int(np.argmax(left))
        column = K[:, j].copy()
        for earlier in columns:
            column -= earlier * earlier[j]
        column /= math.sqrt(left[j])
        columns.append(column)
        left = np.maximum(left - column**2, 0)
        left[j] = 0
    if not columns:
        return np.empty((n, 0)), np.empty(0), 0.0
    G = np.column_stack(columns)
    U, s, _ = np.linalg.svd(G - G.mean(axis=0), full_matrices=False)
    keep = s > SMALLEST_SINGULAR
    return U[:, keep], s[keep], float(left.sum())
