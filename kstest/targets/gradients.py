"""The gradient of a user's log density: exact by JAX or torch, or by differences.

Differences are central ones at two steps, extrapolated (Richardson 1911, Philosophical Transactions
of the Royal Society A 210, 307-357); what the extrapolation changed is the estimate of the error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calls import Call, compiled, padded

Array = NDArray[np.float64]

# Steps in units of the width of a column, each tried where the one before left a larger error.
STEPS = (1e-2, 1e-3, 1e-4)
# Relative error of a derivative at which no other step is tried.
GOOD = 1e-7
# A smaller part of a value is lost in rounding.
SMALLEST = 1e-7


def gradient(density: Call, X: Array) -> Callable[[Array], Array] | None:
    """The exact gradient, (n, d) to (n, d); None where the function's library has none.

    Parameters
    ----------
    density : Call
    X : ndarray (n, d)
        Rows at which torch is asked whether it can.
    """
    if density.library == "jax":
        return _by_jax(density)
    if density.library == "torch" and _by_torch(density, X[:1]) is not None:
        return lambda Z: np.asarray(_by_torch(density, Z))
    return None


def _by_jax(density: Call) -> Callable[[Array], Array]:
    jax: Any = sys.modules["jax"]

    # Rows do not depend on each other, so the gradient of the sum has theirs.
    def total(Z: Any) -> Any:
        return jax.numpy.sum(density.over_rows(Z))

    one = jax.grad(lambda z: jax.numpy.sum(density.function(z))) if density.single else None
    slopes = compiled(jax.grad(total), one)

    def found(Z: Array) -> Array:
        with density.precision():
            return density.numbers(padded(slopes, density.given, Z))

    return found


def _by_torch(density: Call, Z: Array) -> Array | None:
    torch: Any = sys.modules["torch"]
    with torch.enable_grad():
        z = density.given(Z).requires_grad_()
        parts = [density.function(row) for row in z] if density.single else [density.function(z)]
        total = sum(part.sum() for part in parts)
        if not getattr(total, "requires_grad", False):
            return None
        (slopes,) = torch.autograd.grad(total, z, allow_unused=True)
    return np.zeros_like(Z) if slopes is None else density.numbers(slopes)


def by_differences(density: Call, X: Array, widths: Array) -> tuple[Array, Array]:
    """The gradient and an estimate of its error, (n, d) both.

    Parameters
    ----------
    density : Call
    X : ndarray (n, d)
    widths : ndarray (d,)
        A length of each column over which the density may change.
    """
    G, error = np.full(X.shape, np.nan), np.full(X.shape, np.inf)
    for step in STEPS:
        h = np.maximum(step * widths, SMALLEST * np.abs(X))
        wide, narrow = _central(density, X, h)
        off = np.abs(wide - narrow) / 3
        better = off < error
        G[better] = ((4 * narrow - wide) / 3)[better]
        error[better] = off[better]
        if (error <= GOOD * (np.abs(G) + 1 / widths)).all():
            break
    return G, error


def _central(density: Call, X: Array, h: Array) -> tuple[Array, Array]:
    """Central differences at the steps h and h / 2, a column at a time."""
    out = np.empty((2, *X.shape))
    for c in range(X.shape[1]):
        ends = np.repeat(X[None], 4, axis=0)
        for end, way in zip(ends, (1, -1, 0.5, -0.5), strict=True):
            end[:, c] += way * h[:, c]
        values = density(ends.reshape(-1, X.shape[1])).reshape(4, len(X))
        for k in range(2):
            up, down = 2 * k, 2 * k + 1
            out[k, :, c] = (values[up] - values[down]) / (ends[up, :, c] - ends[down, :, c])
    return out[0], out[1]
