"""Slow, obvious versions of the bets: the formulas of the papers, one value at a time."""

from __future__ import annotations

import math

import numpy as np


def hsic_payoffs(x, y, gamma_x, gamma_y):
    """f of every pair of rows after the first, by the definition of the normalised witness."""
    k = np.exp(-gamma_x * (x[:, None] - x[None]) ** 2)
    l = np.exp(-gamma_y * (y[:, None] - y[None]) ** 2)
    out = []
    for t in range(2, len(x) - 1, 2):
        past = range(t)

        def witness(i, j, past=past, t=t):
            joint = sum(k[i, s] * l[j, s] for s in past) / t
            return joint - sum(k[i, s] for s in past) * sum(l[j, s] for s in past) / t**2

        K, L = k[:t, :t], l[:t, :t]
        H = np.eye(t) - 1 / t
        norm = math.sqrt(np.trace(K @ H @ L @ H)) / t
        a, b = t, t + 1
        swap = witness(a, a) + witness(b, b) - witness(a, b) - witness(b, a)
        out.append(swap / 2 / norm)
    return np.array(out)


def ons_wealth(payoffs):
    wealth, bet, A = [1.0], 0.0, 1.0
    for f in payoffs:
        wealth.append(wealth[-1] * (1 + bet * f))
        z = f / (1 + bet * f)
        A += z * z
        bet = min(0.5, max(0.0, bet + 2 / (2 - math.log(3)) * z / A))
    return np.array(wealth[1:])


def block_e_values(cos_sin_x, cos_sin_y, past_x, past_y, orders, strengths):
    """E of one block for every strength, from complex features; rows of the past one by one."""
    n = len(past_x)
    joint = sum(u * v for u, v in zip(past_x, past_y, strict=True)) / n
    delta = joint - sum(past_x) * sum(past_y) / n**2

    def witness(i, j):
        return float(np.sum(np.conj(delta) * cos_sin_x[i] * cos_sin_y[j]).real)

    B = len(cos_sin_x)
    G = np.array([[witness(i, j) for j in range(B)] for i in range(B)])
    scores = np.array([sum(G[i, o[i]] for i in range(B)) for o in orders])
    G = G - G.mean(axis=0) - G.mean(axis=1)[:, None] + G.mean()
    sd = math.sqrt((G**2).sum() / (B - 1))
    z = scores / sd
    return [math.exp(c * z[0]) / np.mean(np.exp(c * z)) for c in strengths]


def wealth_of_all_starts(factors, tau, first_share=0.5):
    """W_t by its definition: for every start the money that begins there, and its products."""
    n, experts = factors.shape

    def waiting(t):
        return (1 - first_share) / (1 + math.log(1 + t / tau)) if t else 1.0

    found = []
    for t in range(1, n + 1):
        total = waiting(t)
        for j in range(1, t + 1):
            products = [math.prod(factors[j - 1 : t, e]) for e in range(experts)]
            total += (waiting(j - 1) - waiting(j)) * sum(products) / experts
        found.append(total)
    return np.array(found)
