"""The finite set Stein discrepancy test, a comparator of the benchmarks.

Written from Jitkrittum, Xu, Szabo, Fukumizu, Gretton (2017, arXiv 1705.07673), with a Gaussian
kernel. A fifth of the rows chooses J = 10 locations and the bandwidth by maximising the power
criterion FSSD^2 / (sigma_1 + 0.01); the others are tested against a weighted sum of chi-squares.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import pdist


def features(X, S, V, width2):
    """xi(x_i, v_j) = (s(x_i) - (x_i - v_j) / width2) k(x_i, v_j), n x J x d, over sqrt(d J)."""
    gap = X[:, None, :] - V[None, :, :]
    k = np.exp(-(gap**2).sum(axis=2) / (2 * width2))
    return (S[:, None, :] - gap / width2) * k[:, :, None] / np.sqrt(V.size), gap, k


def criterion(X, S, V, width2):
    """-FSSD^2 / (sigma_1 + 0.01) and its gradient in V; sigma_1^2 = 4 var(tau . mean tau)."""
    tau, gap, k = features(X, S, V, width2)
    n = len(X)
    mean = tau.mean(axis=0)
    along = (tau * mean).sum(axis=(1, 2))
    value = (n * (mean**2).sum() - (tau**2).sum() / n) / (n - 1)
    apart = along - along.mean()
    sigma = 2 * np.sqrt((apart**2).mean())
    bottom = sigma + 0.01
    d_value = (2 * mean - 2 * tau / n) / (n - 1)  # d value / d tau_i, as mean is sum / n
    d_sigma = np.zeros_like(tau)
    if sigma > 0:
        pull = (apart[:, None, None] * tau).mean(axis=0)
        d_sigma = 4 / (n * sigma) * (apart[:, None, None] * mean + pull)
    G = -(d_value / bottom - value / bottom**2 * d_sigma)
    xi = tau * np.sqrt(V.size)
    slope = (G * k[:, :, None]).sum(axis=0) / width2
    slope += np.einsum("nj,njd->jd", (G * xi).sum(axis=2), gap) / width2
    return -value / bottom, slope / np.sqrt(V.size)


def choose(X, S, places, rng):
    """Locations and squared bandwidth, from the training rows."""
    d = X.shape[1]
    cov = np.cov(X, rowvar=False).reshape(d, d) + 1e-6 * np.eye(d)
    start = rng.multivariate_normal(X.mean(axis=0), cov, places)
    median2 = np.median(pdist(X)) ** 2
    grid = median2 * np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    width2 = grid[np.argmin([criterion(X, S, start, w)[0] for w in grid])]

    def loss(flat):
        value, slope = criterion(X, S, flat.reshape(places, d), width2)
        return value, slope.ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 50})
    return found.x.reshape(places, d), width2


def p_value(X, S, places=10, share=0.2, draws=3000, seed=0):
    """p-value of the rows X (n x d) with scores S (n x d)."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    cut = int(share * len(X))
    train, rest = order[:cut], order[cut:]
    V, width2 = choose(X[train], S[train], places, rng)
    tau = features(X[rest], S[rest], V, width2)[0].reshape(len(rest), -1)
    n = len(tau)
    statistic = (n * (tau.mean(axis=0) ** 2).sum() - (tau**2).sum() / n) / (n - 1)
    weights = np.linalg.svd(tau - tau.mean(axis=0), compute_uv=False) ** 2 / n
    null = (rng.normal(size=(draws, len(weights))) ** 2 - 1) @ weights
    return (1 + (null >= n * statistic).sum()) / (1 + draws)
