"""The rule of the published implementation of SKIT, written from its description and repaired.

HSIC payoffs of pairs of rows against a witness of all earlier rows, Gaussian kernels
exp(-gamma d^2) with gamma = 1 on columns as they are: there the kernel is fixed by the first pair,
so later choices of gamma (the median heuristic, say) have no effect. Bets are a mixture of 19
constant fractions (the default there) or the online Newton step (that of the paper).

Podkopaev, Bloebaum, Kasiviswanathan, Ramdas (2023), arXiv 2212.07383, sections 2 and 3.

>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=1000)
>>> y = 0.5 * x + rng.normal(size=1000)
>>> stop(x, y, "ons", gammas=(0.25, 0.2)), stop(x, y, "mixture", gammas=(0.25, 0.2))
(194, 168)
"""

from __future__ import annotations

import numpy as np

GRID = np.arange(1, 20) / 20
NEWTON = 2 / (2 - np.log(3))


def payoffs(x, y, gammas=(1.0, 1.0)):
    """Payoffs of rows 3 and 4, 5 and 6, ...; the first pair only teaches."""
    K, L = (np.exp(-g * (z[:, None] - z) ** 2) for g, z in zip(gammas, (x, y), strict=True))
    k_sums, l_sums = np.zeros(len(x)), np.zeros(len(x))
    trace, out = 0.0, []
    for n in range(0, len(x) - 1, 2):
        if n:
            a, b = K[n, :n] - K[n + 1, :n], L[n, :n] - L[n + 1, :n]
            k, l = k_sums[:n], l_sums[:n]
            norm = trace / n**2 + k.sum() * l.sum() / n**4 - 2 * (k @ l) / n**3
            norm = np.sqrt(max(norm, 1e-12)) + 1e-6 * (n == 2)
            out.append((np.mean(a * b) - a.mean() * b.mean()) / (2 * norm))
        for i in (n, n + 1):
            trace += 2 * (K[i, :i] @ L[i, :i]) + 1
            for sums, G in ((k_sums, K), (l_sums, L)):
                sums[:i] += G[i, :i]
                sums[i] = G[i, : i + 1].sum()
    return np.array(out)


def wealth(f, bet):
    """After every payoff."""
    if bet == "mixture":
        return np.cumprod(1 + GRID * f[:, None], axis=0).mean(axis=1)
    fraction, curvature, log_k, out = 0.0, 1.0, 0.0, []
    for value in f:
        log_k += np.log1p(fraction * value)
        out.append(log_k)
        z = value / (1 + fraction * value)
        curvature += z * z
        fraction = min(0.5, max(0.0, fraction + NEWTON * z / curvature))
    return np.exp(out)


def stop(x, y, bet, alpha=0.05, gammas=(1.0, 1.0)):
    """Rows until a rejection; None if there is none."""
    crossed = np.flatnonzero(wealth(payoffs(x, y, gammas), bet) >= 1 / alpha)
    return 2 * int(crossed[0]) + 4 if len(crossed) else None
