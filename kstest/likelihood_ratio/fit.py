"""The fit: weighted logistic regression of batch against reference on whitened features.

With reference weights w_i and batch weights u_j the loss of f(x) = a'phi(x) is

    sum_R w_i log(1 + exp(f)) + sum_D u_j log(1 + exp(-f)) + (rho / 2) |a|^2,

whose minimiser estimates the log ratio of the densities of batch and reference. Published practice
takes one Newton step from f = 0, where it is ridge regression on the targets +2 and -2; that
understates large ratios, so pictures and explanations take the converged fit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError
from ..lean import cholesky, solve

Array = NDArray[np.float64]

MOST_STEPS = 50
CONVERGED = 1e-10  # half the squared Newton decrement, in units of the loss


@frozen
class Fit:
    """Coefficients, and how they were found.

    Attributes
    ----------
    coefficients : ndarray (r,)
    steps : int
        Newton steps taken.
    converged : bool
    """

    coefficients: Array
    steps: int
    converged: bool


@frozen
class OneStep:
    """The step from f = 0 for all batches of one expected size; the reference's part is factored.

    Attributes
    ----------
    gram : ndarray (r, r)
        N/4 sum_i |v_i| phi phi' + rho, v the reference weights with sum 1, N the expected size.
    half_mean : ndarray (r,)
        N/2 sum_i v_i phi.
    """

    gram: Array
    half_mean: Array

    def solve(self, phi: Array, weights: Array | None) -> Array:
        """Return the coefficients for a batch.

        Parameters
        ----------
        phi : ndarray (n, r)
            Features of the batch.
        weights : ndarray (n,), optional

        Notes
        -----
        With fewer events than features the matrix of the batch has low rank: Woodbury's identity
        then solves n equations in place of r.
        """
        total = phi.sum(axis=0) if weights is None else weights @ phi
        gradient = self.half_mean - total / 2
        half = phi / 2 if weights is None else phi * (np.sqrt(weights) / 2)[:, None]
        if len(phi) >= self.gram.shape[0] / 2:
            return np.asarray(-solve(_factor(self.gram + half.T @ half), gradient))
        solved = solve(self._factored, np.column_stack([gradient, half.T]))
        inner = np.eye(len(phi)) + half @ solved[:, 1:]
        correction = solve(_factor(inner), half @ solved[:, 0])
        return np.asarray(solved[:, 1:] @ correction - solved[:, 0])

    @cached_property
    def _factored(self) -> Array:
        return _factor(self.gram)


def one_step(gram: Array, mean: Array, expected: float, ridge: float) -> OneStep:
    """Prepare the step from f = 0.

    Parameters
    ----------
    gram, mean : ndarray (r, r) and (r,)
        sum_i |v_i| phi_i phi_i' and sum_i v_i phi_i over the reference, v with sum 1.
    expected : float
        N, the expected total weight of a batch.
    ridge : float
        Penalty rho in units of the whole loss, which holds a weight of 2 N.
    """
    return OneStep(expected / 4 * gram + ridge * np.eye(len(gram)), expected / 2 * mean)


def _factor(matrix: Array) -> Array:
    try:
        return cholesky(matrix)
    except np.linalg.LinAlgError:
        raise DataError(
            "the fit has no solution in double precision: give a larger --ridge or --cut"
        ) from None


# Sums over the reference at coefficients a: sum v log(1 + e^f), sum v s(f) phi, and
# sum |v| s(f) (1 - s(f)) phi phi'.
ReferenceSums = Callable[[Array], tuple[float, Array, Array]]


def newton(
    sums: ReferenceSums, phi: Array, weights: Array | None, expected: float, ridge: float
) -> Fit:
    """Minimise the loss by Newton steps from f = 0, each halved until the loss falls.

    Parameters
    ----------
    sums : callable
        See `ReferenceSums`.
    phi : ndarray (n, r)
        Features of the batch.
    weights : ndarray (n,), optional
    expected, ridge : float
        As for `one_step`.
    """
    u = np.ones(len(phi)) if weights is None else weights
    a = np.zeros(phi.shape[1])
    loss, gradient, hessian = _objective(sums, phi, u, expected, ridge, a)
    for step in range(1, MOST_STEPS + 1):
        direction = -solve(_factor(hessian), gradient)
        decrement = -float(gradient @ direction)
        size, found = 1.0, _objective(sums, phi, u, expected, ridge, a + direction)
        while found[0] > loss - 1e-4 * size * decrement + 1e-12 * abs(loss) and size > 1e-6:
            size /= 2
            found = _objective(sums, phi, u, expected, ridge, a + size * direction)
        a = a + size * direction
        loss, gradient, hessian = found
        if decrement / 2 < CONVERGED * max(1.0, abs(loss)):
            return Fit(a, step, True)
    return Fit(a, MOST_STEPS, False)


def _objective(
    sums: ReferenceSums, phi: Array, u: Array, expected: float, ridge: float, a: Array
) -> tuple[float, Array, Array]:
    base, slope, curve = sums(a)
    f = phi @ a
    s = logistic(f)
    loss = expected * base + float(u @ np.logaddexp(0, -f)) + ridge / 2 * float(a @ a)
    gradient = expected * slope - phi.T @ (u * (1 - s)) + ridge * a
    hessian = expected * curve + (phi.T * (u * s * (1 - s))) @ phi + ridge * np.eye(len(a))
    return loss, gradient, hessian


def logistic(f: Array) -> Array:
    """Return 1 / (1 + exp(-f)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(f / 2)))
