"""The kernel Stein tests in whole NumPy matrices, a comparator of the benchmarks.

`ksd` is the U-statistic with a Gaussian kernel and multinomial weights (Liu, Lee, Jordan 2016),
`ksdagg` the aggregated test over bandwidths with random signs (Schrab, Guedj, Gretton 2022,
arXiv 2202.00824). Both are written from the papers in the way their authors' NumPy code works: an
n x n matrix per bandwidth and one product with the draws. The kernel is symmetric and computed
once by a product of matrices, so this is no slow form; `ksd_by_coordinates` is, see there.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist


def _squares(X):
    norms = (X**2).sum(axis=1)
    return np.maximum(norms[:, None] + norms[None, :] - 2 * X @ X.T, 0)


def gaussian_stein(X, S, squares, width2):
    """h(x, y) for k = exp(-|x - y|^2 / (2 width2)), n x n."""
    k = np.exp(-squares / (2 * width2))
    own = (S * X).sum(axis=1)
    cross = S @ X.T
    drift = own[:, None] + own[None, :] - cross - cross.T  # (s(x) - s(y)) . (x - y)
    return k * (S @ S.T + drift / width2 + X.shape[1] / width2 - squares / width2**2)


def imq_stein(X, S, squares, width2):
    """h(x, y) for k = (1 + |x - y|^2 / width2)^(-1/2), n x n."""
    base = 1 + squares / width2
    own = (S * X).sum(axis=1)
    cross = S @ X.T
    drift = own[:, None] + own[None, :] - cross - cross.T
    k = base**-0.5
    flat = (drift + X.shape[1]) / width2 * base**-1.5
    return k * (S @ S.T) + flat - 3 * squares / width2**2 * base**-2.5


def ksd(X, S, draws=500, seed=0, one_by_one=False):
    """p-value, one bandwidth (median distance), multinomial weights in one product or a loop."""
    rng = np.random.default_rng(seed)
    n = len(X)
    h = gaussian_stein(X, S, _squares(X), np.median(pdist(X[:1000])) ** 2)
    np.fill_diagonal(h, 0)
    W = (rng.multinomial(n, np.full(n, 1 / n), draws).T - 1) / n
    null = [w @ h @ w for w in W.T.copy()] if one_by_one else np.einsum("ib,ib->b", W, h @ W)
    return (1 + (np.asarray(null) >= h.sum() / n**2).sum()) / (1 + draws)


def ksd_by_coordinates(X, S, draws=500, seed=0):
    """p-value as the public package kgof comes to it, step by step, in our writing.

    Both gradients of the kernel are added column by column, each from a kernel matrix computed
    anew, and draws are made one at a time.
    """
    rng = np.random.default_rng(seed)
    n, d = X.shape
    width2 = np.median(pdist(X[:1000])) ** 2

    def kernel():
        return np.exp(-_squares(X) / (2 * width2))

    def slope(column):
        return -kernel() * (X[:, [column]] - X[:, [column]].T) / width2

    left, right = np.zeros((n, n)), np.zeros((n, n))
    for column in range(d):
        left += slope(column) * S[:, column]
        right += (-slope(column).T * S[:, column]).T
    squares = _squares(X)
    h = kernel() * (S @ S.T) + left + right
    h += np.exp(-squares / (2 * width2)) / width2 * (d - squares / width2)
    np.fill_diagonal(h, 0)
    W = (rng.multinomial(n, np.full(n, 1 / n), draws) - 1) / n
    null = [w @ h @ w for w in W]
    return (1 + (np.asarray(null) >= h.sum() / n**2).sum()) / (1 + draws)


def ksdagg(X, S, bandwidths=10, draws=500, second=500, alpha=0.05, seed=0):
    """Whether the aggregate rejects; `draws` estimate quantiles, `second` the correction."""
    rng = np.random.default_rng(seed)
    n, squares = len(X), _squares(X)
    widths = np.geomspace(1, np.sqrt(squares.max()), bandwidths)  # the published collection
    signs = rng.choice([-1.0, 1.0], (n, draws + second))
    seen, null = np.empty(bandwidths), np.empty((bandwidths, draws + second))
    for place, width in enumerate(widths):
        h = imq_stein(X, S, squares, width**2)
        np.fill_diagonal(h, 0)
        seen[place] = h.sum()
        null[place] = np.einsum("ib,ib->b", signs, h @ signs)
    first = np.sort(np.column_stack([null[:, :draws], seen]), axis=1)
    low, high = 0.0, float(bandwidths)
    for _ in range(50):
        u = (low + high) / 2
        level = np.ceil((draws + 1) * (1 - min(u * alpha / bandwidths, 0.999))).astype(int) - 1
        over = (null[:, draws:] > first[:, level][:, None]).any(axis=0).mean()
        low, high = (u, high) if over <= alpha else (low, u)
    level = np.ceil((draws + 1) * (1 - low * alpha / bandwidths)).astype(int) - 1
    return bool((seen > first[:, level]).any())
