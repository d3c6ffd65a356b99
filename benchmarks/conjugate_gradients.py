"""One fit of logistic Falkon in NumPy, as its papers describe it, to time another solver against.

Falkon itself (Meanti et al. 2020, arXiv 2006.10350) is no package of the index; this is its
algorithm for the setting of published scripts: weighted cross-entropy with one penalty, hence one
Newton step from zero, solved by conjugate gradients with the preconditioner of Marteau-Ferey, Bach,
Rudi (2019, arXiv 1907.01771) until the squared residual is below 1e-7, or after `most` iterations.
All in float64 by BLAS and LAPACK, without forming an inverse.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

TOLERANCE = 1e-7


def fit(X, Y, centres, sigma, penalty, weight, most=1000):
    """Return the extended statistic and the number of iterations.

    X (n, d) has label 0 and weight `weight`, Y (m, d) label 1; `centres` (M, d) are rows of X.
    """
    both, n, M = np.vstack([X, Y]), len(X) + len(Y), len(centres)
    K = np.exp(-cdist(both, centres, "sqeuclidean") / (2 * sigma**2))
    KM = np.exp(-cdist(centres, centres, "sqeuclidean") / (2 * sigma**2))
    KM[np.diag_indices(M)] += 1e-13 * M
    T = cholesky(KM)
    A = weight / 4 * (T @ T.T) / M
    A[np.diag_indices(M)] += penalty
    A = cholesky(A)

    def back(v):
        return solve_triangular(T, solve_triangular(A, v))

    def forth(v):
        return solve_triangular(A, solve_triangular(T, v, trans=1), trans=1)

    new = np.arange(n) >= len(X)
    w = np.where(new, 1.0, weight)
    b = forth(K.T @ (w * np.where(new, -0.5, 0.5)) / n)

    def hessian(v):
        u = solve_triangular(A, v)
        Ku = K @ solve_triangular(T, u)
        own = solve_triangular(T, K.T @ (w / 4 * Ku) / n, trans=1)
        return solve_triangular(A, own + penalty * u, trans=1)

    x, r = np.zeros(M), b.copy()
    p, rr = r.copy(), r @ r
    step = 0
    while rr >= TOLERANCE and step < most:
        step += 1
        q = hessian(p)
        size = rr / (p @ q)
        x += size * p
        r = b - hessian(x) if step % 10 == 0 else r - size * q
        p, rr = r + (r @ r) / rr * p, r @ r
    f = K @ back(-x)
    return 2 * (f[new].sum() - weight * np.expm1(f[~new]).sum()), step
