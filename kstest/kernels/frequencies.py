"""Kernels on the cells of a discrete distribution, for comparing frequencies with probabilities.

With counts c of n rows, probabilities p and d = c / n - p, a kernel K gives the statistic n d' K d.
Each entry is good at one kind of misfit, and no kernel by itself leads everywhere
(``benchmarks/discrete.py``):

========================  =====================================================================
Gaussian bandwidth grid           bumps, waves, wrong spread, from the widest to single cells
diag(1 / p)               Pearson's chi-squared: cells that have nothing to do with each other
Anderson-Darling          too many small or large values: sum_j p_j D_j^2 / (P_j (1 - P_j)), D and
                          P the sums of d and p up to cell j (Anderson and Darling 1952)
discrete Stein            spikes at the edges, such as those of a sampler that is stuck
========================  =====================================================================

The Stein kernel is A K A' with the operator (A f)(x) = sum_y g(p(y) / p(x)) (f(y) - f(x)) over the
neighbours y of x and g(t) = t / (1 + t) (Zanella 2020, arXiv 1711.07424; as a Stein operator: Shi,
Zhou, Hwang, Titsias, Mackey 2022, arXiv 2202.09497): p' A = 0, and cells at an edge have one
neighbour only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bandwidths import bandwidth_grid, quantile
from .radial import KERNELS

Array = NDArray[np.float64]

# Distances that stand for those of all pairs of draws.
DISTANCES = 1000


def cell_kernels(positions: Array, p: Array, n: int, ordered: bool) -> tuple[dict[str, Array], int]:
    """Return kernels on L cells by name, (L, L) or the (L,) diagonal, and how many are Gaussian.

    Parameters
    ----------
    positions : ndarray (L,)
        Ascending.
    p : ndarray (L,)
        Above 0, sum 1.
    n : int
        Rows. The chi-squared kernel is diag(1 / (p + 1 / n)), so that a row in a cell where hardly
        any is expected does not drown all others.
    ordered : bool
        Whether neighbouring cells are alike. Where not, only diagonal kernels are returned.
    """
    single = {"chi-squared": 1 / (p + 1 / n)}
    if not ordered:
        return {"equal": np.ones(len(p)), **single}, 0
    apart = np.abs(positions[:, None] - positions)
    distances = _distances(positions, p)
    widths = bandwidth_grid(KERNELS["gaussian"], distances).bandwidths
    made = {f"Gaussian {h:.6g}": np.exp(-((apart / h) ** 2) / 2) for h in widths}
    median = quantile(distances, 0.5)
    return {
        **made,
        **single,
        "Anderson-Darling": _anderson_darling(p),
        "Stein": _stein(np.exp(-((apart / median) ** 2) / 2), p),
    }, len(widths)


def sizes(kernels: dict[str, Array], p: Array) -> Array:
    """Return the root mean square of each kernel, centred, between two draws of p; (K,).

    Notes
    -----
    Centred as (I - 1 p') K (I - p 1'); it is what the statistic's spread is proportional to.
    """
    out = []
    for K in kernels.values():
        if K.ndim == 1:
            # tr(C S C S) with S = diag(p) - p p', which needs no matrix where C is diagonal.
            mean = float(p**2 @ K)
            moment = float(p**2 @ K**2) - 2 * float(p**3 @ K**2) + mean**2
        else:
            half = K - p @ K
            centred = half - (half @ p)[:, None]
            moment = float(p @ centred**2 @ p)
        out.append(np.sqrt(max(moment, 0.0)))
    return np.array(out)


def _distances(positions: Array, p: Array) -> Array:
    """Quantiles of the distance of two draws of p that differ, ascending."""
    i, j = np.triu_indices(len(p), 1)
    distances, weights = positions[j] - positions[i], p[i] * p[j]
    order = np.argsort(distances, kind="stable")
    heights = np.cumsum(weights[order])
    wanted = (np.arange(DISTANCES) + 0.5) / DISTANCES * heights[-1]
    return np.asarray(distances[order][np.searchsorted(heights, wanted)])


def _anderson_darling(p: Array) -> Array:
    P = np.cumsum(p)[:-1]
    weight = np.append(p[:-1] / (P * np.maximum(1 - P, 1e-12)), 0.0)
    # K_ab = sum of the weights from cell max(a, b) on.
    after = np.cumsum(weight[::-1])[::-1]
    place = np.arange(len(p))
    return np.asarray(after[np.maximum(place[:, None], place)])


def _stein(K: Array, p: Array) -> Array:
    """A K A'; t / (1 + t) with t = p(y) / p(x) is p(y) / (p(x) + p(y))."""
    up, down = p[1:] / (p[1:] + p[:-1]), p[:-1] / (p[1:] + p[:-1])
    A = np.diag(up, 1) + np.diag(down, -1)
    A -= np.diag(A.sum(axis=1))
    return np.asarray(A @ K @ A.T)
