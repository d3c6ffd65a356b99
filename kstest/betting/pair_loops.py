"""The compiled loops of the test of pairs: kernel values, the HSIC payoff, betting fractions.

As in `loops`: nothing outside this file is called, sums run in row order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import loop
from ..kernels.compiled import pair_value


@loop
def hsic_pairs(
    x: Any, mx: Any, y: Any, my: Any, start: Any, limit: Any, code: Any, gammas: Any,
    sums: Any, totals: Any, covariance: Any, norm: Any,
) -> Any:  # fmt: skip
    """Witness differences of pairs of rows, and the norm of the witness, for HSIC.

    Parameters
    ----------
    x, y : float64 (n, p), (n, q)
        Rows that were learned, then new ones; `mx`, `my` their marks.
    start : int
        Rows that were learned. Pairs are the rows start, start + 1; start + 2, start + 3; ...
    limit : int
        Rows that may be learned.
    code : int
    gammas : float64 (2,)
    sums : float64 (2, n)
        Row sums of both kernel matrices over the learned rows; changed in place.
    totals : float64 (1,)
        Sum of the products of both matrices; changed in place.
    covariance, norm : float64 (pairs,)
        Half the sample covariance of k(x1, .) - k(x2, .) and l(y1, .) - l(y2, .) over the learned
        rows, and the HSIC of these. Both 0 while nothing was learned.

    Returns
    -------
    int
        Rows that are learned now.
    """
    N = start
    k = np.zeros((2, x.shape[0]))
    l = np.zeros((2, x.shape[0]))
    for t in range(covariance.shape[0]):
        first = start + 2 * t
        product = 0.0
        mean_a = 0.0
        mean_b = 0.0
        for j in range(N):
            for s in range(2):
                k[s, j] = pair_value(x, first + s, x, j, mx, mx, code, gammas[0])
                l[s, j] = pair_value(y, first + s, y, j, my, my, code, gammas[1])
            a = k[0, j] - k[1, j]
            b = l[0, j] - l[1, j]
            product += a * b
            mean_a += a
            mean_b += b
        covariance[t] = 0.0
        norm[t] = 0.0
        if N > 0:
            covariance[t] = 0.5 * (product / N - (mean_a / N) * (mean_b / N))
            all_k = 0.0
            all_l = 0.0
            cross = 0.0
            for j in range(N):
                all_k += sums[0, j]
                all_l += sums[1, j]
                cross += sums[0, j] * sums[1, j]
            n = float(N)
            norm[t] = totals[0] / n**2 + (all_k / n**2) * (all_l / n**2) - 2 * cross / n**3
        if limit < N + 2:
            continue
        for s in range(2):
            new_k = 0.0
            new_l = 0.0
            for j in range(N):
                sums[0, j] += k[s, j]
                sums[1, j] += l[s, j]
                new_k += k[s, j]
                new_l += l[s, j]
                totals[0] += 2 * k[s, j] * l[s, j]
            for o in range(2):
                if o != s:
                    between_k = pair_value(x, first + s, x, first + o, mx, mx, code, gammas[0])
                    between_l = pair_value(y, first + s, y, first + o, my, my, code, gammas[1])
                else:
                    between_k = pair_value(x, first + s, x, first + s, mx, mx, code, gammas[0])
                    between_l = pair_value(y, first + s, y, first + s, my, my, code, gammas[1])
                new_k += between_k
                new_l += between_l
                totals[0] += between_k * between_l
            sums[0, N + s] = new_k
            sums[1, N + s] = new_l
        N += 2
    return N


@loop
def weighted_sums(
    new: Any,
    new_marks: Any,
    old: Any,
    old_marks: Any,
    weights: Any,
    code: Any,
    gamma: Any,
    out: Any,
) -> None:
    """out[i] = sum_j weights[j] k(new_i, old_j)."""
    for i in range(new.shape[0]):
        total = 0.0
        for j in range(weights.shape[0]):
            if weights[j] != 0.0:
                total += weights[j] * pair_value(new, i, old, j, new_marks, old_marks, code, gamma)
        out[i] = total


@loop
def kernel_matrix(x: Any, marks: Any, code: Any, gamma: Any, out: Any) -> None:
    """The symmetric matrix of kernel values, (n, n)."""
    for i in range(x.shape[0]):
        for j in range(i + 1):
            out[i, j] = pair_value(x, i, x, j, marks, marks, code, gamma)
            out[j, i] = out[i, j]


@loop
def newton_bets(payoffs: Any, memory: Any, out: Any) -> None:
    """log(1 + lambda_t f_t) of the online Newton step; `memory` (2,) is lambda and A."""
    for t in range(payoffs.shape[0]):
        f = payoffs[t]
        out[t] = np.log(1.0 + memory[0] * f)
        z = f / (1.0 + memory[0] * f)
        memory[1] += z * z
        step = 2.0 / (2.0 - np.log(3.0)) * z / memory[1]
        memory[0] = min(0.5, max(0.0, memory[0] + step))


@loop
def adaptive_bets(payoffs: Any, most: Any, memory: Any, out: Any) -> None:
    """log(1 + lambda_t f_t) of aGRAPA; `memory` (2,) is the sum of f and of f^2."""
    for t in range(payoffs.shape[0]):
        f = payoffs[t]
        bet = min(most, max(0.0, memory[0] / memory[1]))
        out[t] = np.log(1.0 + bet * f)
        memory[0] += f
        memory[1] += f * f


@loop
def constant_bets(payoffs: Any, constants: Any, out: Any) -> None:
    """log(1 + lambda f_t) for every constant bet lambda; out (t, constants)."""
    for t in range(payoffs.shape[0]):
        for k in range(constants.shape[0]):
            out[t, k] = np.log(1.0 + constants[k] * payoffs[t])
