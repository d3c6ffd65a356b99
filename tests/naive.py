"""Slow and obvious versions of what the engine does; the fast code must equal them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.linalg import sqrtm

PROFILES = {
    "gaussian": lambda x, y, h: math.exp(-sum((x - y) ** 2) / (2 * h * h)),
    "laplace": lambda x, y, h: math.exp(-sum(abs(x - y)) / h),
    "imq": lambda x, y, h: 1 / math.sqrt(1 + sum((x - y) ** 2) / h**2),
    "rational-quadratic": lambda x, y, h: 1 / (1 + sum((x - y) ** 2) / (2 * h * h)),
    "matern32": lambda x, y, h: _matern32(math.sqrt(3 * sum((x - y) ** 2)) / h),
    "matern52": lambda x, y, h: _matern52(math.sqrt(5 * sum((x - y) ** 2)) / h),
    "energy": lambda x, y, h: -math.sqrt(sum((x - y) ** 2)),
}


def _matern32(v):
    return (1 + v) * math.exp(-v)


def _matern52(v):
    return (1 + v + v * v / 3) * math.exp(-v)


def kernel_matrix(rows, name, h):
    """K with a zero diagonal, entry by entry."""
    k = PROFILES[name]
    n = len(rows)
    return np.array(
        [[0.0 if i == j else k(rows[i], rows[j], h) for j in range(n)] for i in range(n)]
    )


def block_sums(K, starts):
    """Sum of K over every pair of blocks."""
    blocks = [range(a, b) for a, b in itertools.pairwise(starts)]
    return np.array([[sum(K[i, j] for i in a for j in b) for b in blocks] for a in blocks])


def mmd2_unbiased(X, Y, name, h):
    """The U-statistic as three double sums."""
    k, m, n = PROFILES[name], len(X), len(Y)
    xx = sum(k(X[i], X[j], h) for i in range(m) for j in range(m) if i != j)
    yy = sum(k(Y[i], Y[j], h) for i in range(n) for j in range(n) if i != j)
    xy = sum(k(x, y, h) for x in X for y in Y)
    return xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * xy / (m * n)


def p_value(observed, replicates):
    return (1 + sum(t >= observed for t in replicates)) / (1 + len(replicates))


def shares(x, z):
    return sum(v <= z for v in x) / len(x)


def kolmogorov_smirnov(x, y):
    return max(abs(shares(x, z) - shares(y, z)) for z in (*x, *y))


def cramer_von_mises(x, y):
    """Anderson's T; of ties the mean over just before and at their value."""
    m, n, total = len(x), len(y), 0.0
    pooled = sorted((*x, *y))
    for z in pooled:
        below = max((v for v in pooled if v < z), default=-math.inf)
        for at in (z, below):
            total += (shares(x, at) - shares(y, at)) ** 2 / 2
    return m * n / (m + n) ** 2 * total


def anderson_darling(x, y):
    """Equation 7 of Scholz and Stephens (1987): mid-ranks."""
    pooled = [*x, *y]
    N, total = len(pooled), 0.0
    for sample in (x, y):
        for z in sorted(set(pooled)):
            ties = pooled.count(z)
            B = sum(v < z for v in pooled) + ties / 2
            M = sum(v < z for v in sample) + list(sample).count(z) / 2
            variance = B * (N - B) - N * ties / 4
            if variance > 0:
                part = ties / N * (N * M - len(sample) * B) ** 2 / variance
                total += part / len(sample)
    return (N - 1) / N * total


def anderson_darling_deviation(m, n):
    """Standard deviation over all permutations of equation 3, the form without mid-ranks."""
    every = []
    for chosen in itertools.combinations(range(1, m + n + 1), m):
        other = [k for k in range(1, m + n + 1) if k not in chosen]
        total = 0.0
        for sample in (chosen, other):
            for j in range(1, m + n):
                M = sum(v <= j for v in sample)
                part = ((m + n) * M - j * len(sample)) ** 2 / (j * (m + n - j))
                total += part / len(sample) / (m + n)
        every.append(total)
    return float(np.std(every))


def energy_distance(x, y):
    def mean(a, b):
        return sum(abs(u - v) for u in a for v in b) / (len(a) * len(b))

    return math.sqrt(max(2 * mean(x, y) - mean(x, x) - mean(y, y), 0.0))


COLUMN_STATISTICS = {
    "ks": kolmogorov_smirnov,
    "cvm": cramer_von_mises,
    "ad": anderson_darling,
    "energy": energy_distance,
}


def u_centred(K):
    """The U-centred matrix, entry by entry; K has a zero diagonal."""
    n = len(K)
    r, t = K.sum(axis=1), K.sum()
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                out[i, j] = K[i, j] - (r[i] + r[j]) / (n - 2) + t / ((n - 1) * (n - 2))
    return out


def hsic_unbiased(X, Y, name, hx, hy):
    """Song et al. (2012), equation (5), from the kernel matrices without diagonal."""
    K, L, n = kernel_matrix(X, name, hx), kernel_matrix(Y, name, hy), len(X)
    one = np.ones(n)
    mixed = one @ K @ L @ one
    terms = np.trace(K @ L) + K.sum() * L.sum() / ((n - 1) * (n - 2)) - 2 * mixed / (n - 2)
    return terms / (n * (n - 3))


def dhsic(blocks, name, widths):
    """Pfister et al. (2018), equation (3), as sums over all indices."""
    n = len(blocks[0])
    K = [kernel_matrix(b, name, h) + np.eye(n) for b, h in zip(blocks, widths, strict=True)]
    first = sum(math.prod(k[i, j] for k in K) for i in range(n) for j in range(n)) / n**2
    second = math.prod(k.sum() / n**2 for k in K)
    third = sum(math.prod(k[i].sum() / n for k in K) for i in range(n)) / n
    return first + second - 2 * third


def stein_kernel(x, y, sx, sy, name, h, step=1e-4):
    """u(x, y) with every derivative of the kernel by central differences."""
    k, d = PROFILES[name], len(x)
    e = np.eye(d) * step

    def by_x(x, y, c):
        return (k(x + e[c], y, h) - k(x - e[c], y, h)) / (2 * step)

    def by_y(x, y, c):
        return (k(x, y + e[c], h) - k(x, y - e[c], h)) / (2 * step)

    both = sum((by_x(x, y + e[c], c) - by_x(x, y - e[c], c)) / (2 * step) for c in range(d))
    first = sum(sx[c] * by_y(x, y, c) + sy[c] * by_x(x, y, c) for c in range(d))
    return float(sx @ sy) * k(x, y, h) + first + both


def stein_matrix(X, S, name, h):
    """u of all pairs, from the formulas of the radial derivatives; zero diagonal."""
    r2 = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    cross = ((S[:, None] - S[None]) * (X[:, None] - X[None])).sum(axis=2)
    d = X.shape[1]
    if name == "gaussian":
        k = np.exp(-r2 / (2 * h**2))
        U = k * (S @ S.T + cross / h**2 + d / h**2 - r2 / h**4)
    else:
        q = 1 / (1 + r2 / h**2)
        U = S @ S.T * q**0.5 + q**1.5 / h**2 * (cross + d) - 3 / h**4 * r2 * q**2.5
    np.fill_diagonal(U, 0)
    return U


def jump(x, i, j, scale, modes, covariances):
    """Liu, Duncan, Gandy (2023): from mode i to mode j, places measured from their mean."""
    centre = np.mean(modes, axis=0)
    root = [sqrtm(c).real for c in covariances]
    start, end = centre + scale * (modes[i] - centre), centre + scale * (modes[j] - centre)
    return end + root[j] @ np.linalg.solve(root[i], x - start)


def mode_shares(x, modes, covariances):
    """Shares of normal distributions at the modes in the density at x, equal weights."""
    each = [
        math.exp(-0.5 * (x - m) @ np.linalg.solve(C, x - m)) / math.sqrt(np.linalg.det(C))
        for m, C in zip(modes, covariances, strict=True)
    ]
    return np.array(each) / sum(each)


def perturbed(X, logpdf, modes, covariances, scales, steps, rng):
    """Rows after their jumps, per scale, a row and a jump at a time; draws come as in kstest."""
    out = np.array([X.copy() for _ in scales])
    for _ in range(steps):
        size = len(scales) * len(X)
        heights = rng.random(size)
        others = rng.integers(1, len(modes), size=size)
        uniform = 1 - rng.random(size)
        for k, scale in enumerate(scales):
            for r in range(len(X)):
                at = k * len(X) + r
                x = out[k, r]
                here = mode_shares(x, modes, covariances)
                i = int((np.cumsum(here)[:-1] <= heights[at]).sum())
                j = (i + others[at]) % len(modes)
                y = jump(x, i, j, scale, modes, covariances)
                volume = np.linalg.det(covariances[j]) / np.linalg.det(covariances[i])
                ratio = math.exp(logpdf(y) - logpdf(x)) * math.sqrt(volume)
                ratio *= mode_shares(y, modes, covariances)[j] / here[i]
                if uniform[at] < min(1.0, ratio):
                    out[k, r] = y
    return out


def edits(x, alphabet, kinds, last):
    """The set of sequences that one edit of the last so many places makes."""
    n, found = len(x), set()
    for p in range(max(0, n - last), n):
        if "substitution" in kinds:
            found |= {(*x[:p], a, *x[p + 1 :]) for a in alphabet}
        if "deletion" in kinds:
            found.add((*x[:p], *x[p + 1 :]))
    for p in range(max(0, n - last + 1), n + 1):
        if "insertion" in kinds:
            found |= {(*x[:p], a, *x[p:]) for a in alphabet}
    return found - {x}


BALANCING = {
    "barker": lambda t: t / (1 + t),
    "metropolis": lambda t: min(1, t),
    "root": math.sqrt,
}


def subsequence_kernel(x, y, shortest, longest, equal_lengths=False):
    """Contiguous subsequences: sum of sqrt(share in x * share in y), over lengths their mean."""
    if equal_lengths and len(x) != len(y):
        return 0.0
    total = 0.0
    for length in range(shortest, longest + 1):
        parts = [[s[i : i + length] for i in range(len(s) - length + 1)] for s in (x, y)]
        for z in set(parts[0]) & set(parts[1]):
            total += math.sqrt(
                parts[0].count(z) / len(parts[0]) * parts[1].count(z) / len(parts[1])
            )
    return total / (longest - shortest + 1)


def hamming_kernel(x, y):
    """exp(-Hamming distance / length) for equal lengths, else 0."""
    if len(x) != len(y):
        return 0.0
    return math.exp(-sum(a != b for a, b in zip(x, y, strict=True)) / max(len(x), 1))


def zanella_stein(x, y, weight, alphabet, kinds, last, balancing, kernel):
    """h(x, y) as a double sum over neighbours; `weight` is the unnormalised probability."""
    g, total = BALANCING[balancing], 0.0
    for u in edits(x, alphabet, kinds, last):
        for v in edits(y, alphabet, kinds, last):
            total += (
                g(weight(u) / weight(x))
                * g(weight(v) / weight(y))
                * (kernel(u, v) - kernel(u, y) - kernel(x, v) + kernel(x, y))
            )
    return total


def chain_weight(rows, order):
    """Probability under a Markov chain; `rows` by the last symbols, the end under None."""

    def weight(x):
        p = 1.0
        for i, symbol in enumerate((*x, None)):
            p *= rows.get(tuple(x[max(0, i - order) : i]), {}).get(symbol, 0.0)
        return p

    return weight


def falkon(X, Y, centres, sigma, penalty, weight, tolerance=1e-7, most=100_000):
    """One Newton step of logistic Falkon for weighted cross-entropy, by conjugate gradients.

    After Marteau-Ferey, Bach, Rudi (2019) and Meanti et al. (2020): X has label 0 and weight
    `weight`, Y label 1. Preconditioner from the loss at the centres, which are rows of X here; all
    in float64. Returns the extended statistic of the fit.
    """
    both = np.vstack([X, Y])
    n, M = len(both), len(centres)

    def gram(a, b):
        return np.exp(-((a[:, None, :] - b[None, :, :]) ** 2).sum(-1) / (2 * sigma**2))

    K, KM = gram(both, centres), gram(centres, centres)
    label = np.r_[np.zeros(len(X)), np.ones(len(Y))]
    w = np.where(label == 1, 1.0, weight)
    T = np.linalg.cholesky(KM + 1e-13 * M * np.eye(M)).T
    A = np.linalg.cholesky(weight / 4 * T @ T.T / M + penalty * np.eye(M)).T
    inverse_T, inverse_A = np.linalg.inv(T), np.linalg.inv(A)
    gradient = w * np.where(label == 1, -0.5, 0.5)
    b = inverse_A.T @ (inverse_T.T @ (K.T @ gradient) / n)

    def hessian(v):
        u = inverse_A @ v
        return inverse_A.T @ (
            inverse_T.T @ (K.T @ (w / 4 * (K @ (inverse_T @ u)))) / n + penalty * u
        )

    x, r = np.zeros(M), b.copy()
    p, rr = r.copy(), r @ r
    for step in range(1, most):
        q = hessian(p)
        size = rr / (p @ q)
        x += size * p
        r = b - hessian(x) if step % 10 == 0 else r - size * q
        new = r @ r
        if new < tolerance**2:
            break
        p, rr = r + new / rr * p, new
    f = K @ (inverse_T @ (inverse_A @ -x))
    return 2 * (f[label == 1].sum() - weight * np.expm1(f[label == 0]).sum())


def learned_ratio_loss(a, phi_x, phi_y, v, u, expected, ridge):
    """Weighted logistic loss, event by event."""
    loss = ridge / 2 * float(a @ a)
    for phi, weight in zip(phi_x, v, strict=True):
        loss += expected * weight * math.log1p(math.exp(float(phi @ a)))
    for phi, weight in zip(phi_y, u, strict=True):
        loss += weight * math.log1p(math.exp(-float(phi @ a)))
    return loss


def quadratic_tail(weights, t):
    """P(sum c_j X_j^2 >= t) by numerical inversion (Imhof 1961)."""
    from scipy.integrate import quad

    def integrand(u):
        angle = 0.5 * sum(np.arctan(c * u) for c in weights) - 0.5 * t * u
        size = np.prod([(1 + c * c * u * u) ** 0.25 for c in weights])
        return np.sin(angle) / (u * size)

    return 0.5 + quad(integrand, 0, np.inf, limit=2000)[0] / np.pi


def events(frame, event, order, hits, channel=None):
    """Hits to events, one by one: columns as lists, in the order of the file."""
    names = list(dict.fromkeys(frame[event]))
    rows = [frame[frame[event] == name].sort_values(order, kind="stable") for name in names]
    column, places = channel or (None, [str(k + 1) for k in range(hits)])
    out = {}
    for name in frame.columns.drop([event] if column is None else [event, column]):
        for k, place in enumerate(places):
            out[f"{name}_{place}"] = values = []
            for own in rows:
                some = own[name].iloc[k : k + 1]
                if column is not None:
                    some = own[name][own[column] == int(place)].iloc[:1]
                values.append(some.iloc[0] if len(some) else None)
    return out | {"hits": [len(own) for own in rows]}


def online_levels(name, alpha, p_values):
    """Levels of an online rule, each from its published formula and all that came before."""
    from kstest.nulls.online import gamma_lord, gamma_power

    levels, rejected = [], []
    for t in range(1, len(p_values) + 1):
        seen = p_values[: t - 1]

        def count(since, low, high, seen=seen):
            return sum(low < p <= high for p in seen[since:])

        def earned(w, gamma, clock):
            shares = [w, *(alpha - w if k == 0 else alpha for k in range(len(rejected)))]
            return sum(s * gamma(clock(tau)) for s, tau in zip(shares, [0, *rejected], strict=True))

        if name == "lond":
            level = alpha * gamma_power(t) * (len(rejected) + 1)
        elif name == "lord":
            level = earned(alpha / 10, gamma_lord, lambda tau, t=t: t - tau)
        elif name == "saffron":
            total = earned(alpha / 2, gamma_power, lambda tau, t=t: t - tau - count(tau, -1, 0.5))
            level = min(0.5, 0.5 * total)
        else:
            total = earned(alpha / 2, gamma_power, lambda tau: 1 + count(tau, 0.25, 0.5))
            level = min(0.25, 0.25 * total)
        levels.append(level)
        if p_values[t - 1] <= level:
            rejected.append(t)
    return levels
