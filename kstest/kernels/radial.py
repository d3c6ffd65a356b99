"""The kernels, one entry each.

To add one, append a `Kernel` to `_ALL`: every test that can use it, the help text and the contract
tests pick it up. It then runs at NumPy's speed. For the speed of the compiled loops give it a
`branch` number, and that branch in `compiled.py` beside this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.floating[Any]]


@frozen
class Kernel:
    """A kernel k(x, y) = phi(u), where u is a scaled distance of x and y.

    Attributes
    ----------
    name : str
    geometry : {'euclidean', 'cityblock'}
        The distance D is |x - y|^2 (squared, Euclidean) or the sum of |x_c - y_c|.
    factor : float
        a h^2 of u = a D (Euclidean) or a h (city-block), h the bandwidth.
    profile : callable
        phi, applied in place to an array of u >= 0.
    formula : str
        For the help text; r is the distance, h the bandwidth.
    ratio : float or None
        If set, the kernel with bandwidth h / ratio is the square of the kernel with bandwidth h,
        so a grid of bandwidths costs one evaluation of phi and one multiplication per bandwidth.
    branch : int or None
        Number of the branch in `compiled.profile_sum`; None means NumPy only. 0 is exp(-u).
    stein_branch, pair_branch : int or None
        The same in `compiled.stein_strip`, and in `compiled.pair_value`.
    has_bandwidth : bool
        If not, the kernel is not bounded either; else k(x, x) = 1.
    derivatives : callable or None
        Takes squared distances r^2 (left as they are) and the factor a, and returns phi, -2 phi'
        and 4 phi'', derivatives with respect to r^2. Needed by the Stein kernel; None where phi
        is not smooth enough or not bounded.
    spectrum : callable or None
        Takes uniform numbers from (0, 1), shape (2 m,), and returns m independent frequencies of
        one coordinate for bandwidth 1: k is the characteristic function of their distribution in
        each coordinate. Needed by random features.
    """

    name: str
    geometry: str
    factor: float
    profile: Callable[[Array], None]
    formula: str
    ratio: float | None = None
    branch: int | None = None
    stein_branch: int | None = None
    pair_branch: int | None = None
    has_bandwidth: bool = True
    derivatives: Callable[[Array, float], tuple[Array, Array, Array]] | None = None
    spectrum: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None

    def scale(self, h: float) -> float:
        """The factor a of u = a D at bandwidth h."""
        if not self.has_bandwidth:
            return self.factor
        return self.factor / (h if self.geometry == "cityblock" else h**2)


def _exponential(u: Array) -> None:
    np.negative(u, out=u)
    np.exp(u, out=u)


def _gaussian_derivatives(r2: Array, a: float) -> tuple[Array, Array, Array]:
    phi = np.exp(-a * r2)
    return phi, 2 * a * phi, 4 * a * a * phi


def _normal(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal frequencies, by Box and Muller."""
    return np.asarray(np.sqrt(-2 * np.log(u[::2])) * np.cos(2 * np.pi * u[1::2]))


def _cauchy(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.tan(np.pi * (u[::2] - 0.5)))


def _inverse_multiquadric_derivatives(r2: Array, a: float) -> tuple[Array, Array, Array]:
    w = 1 / (1 + a * r2)
    phi = np.sqrt(w)
    first = a * phi * w
    return phi, first, 3 * a * first * w


def _inverse_multiquadric(u: Array) -> None:
    u += 1
    np.sqrt(u, out=u)
    np.reciprocal(u, out=u)


def _rational_quadratic(u: Array) -> None:
    u += 1
    np.reciprocal(u, out=u)


def _matern32(u: Array) -> None:
    np.sqrt(u, out=u)
    v = np.exp(-u)
    u += 1
    u *= v


def _matern52(u: Array) -> None:
    root = np.sqrt(u)
    u /= 3
    u += 1
    u += root
    np.negative(root, out=root)
    np.exp(root, out=root)
    u *= root


def _negative_distance(u: Array) -> None:
    np.sqrt(u, out=u)
    np.negative(u, out=u)


_ALL = (
    Kernel(
        "gaussian",
        "euclidean",
        0.5,
        _exponential,
        "exp(-r^2 / (2 h^2))",
        ratio=math.sqrt(2),
        branch=0,
        stein_branch=0,
        pair_branch=0,
        derivatives=_gaussian_derivatives,
        spectrum=_normal,
    ),
    Kernel(
        "laplace",
        "cityblock",
        1.0,
        _exponential,
        "exp(-r / h), r = sum of |x_c - y_c|",
        ratio=2.0,
        branch=0,
        pair_branch=1,
        spectrum=_cauchy,
    ),
    Kernel(
        "imq",
        "euclidean",
        1.0,
        _inverse_multiquadric,
        "(1 + r^2 / h^2)^(-1/2)",
        branch=1,
        stein_branch=1,
        derivatives=_inverse_multiquadric_derivatives,
    ),
    Kernel(
        "rational-quadratic",
        "euclidean",
        0.5,
        _rational_quadratic,
        "(1 + r^2 / (2 h^2))^(-1)",
        branch=2,
    ),
    Kernel(
        "matern32",
        "euclidean",
        3.0,
        _matern32,
        "(1 + v) exp(-v), v = sqrt(3) r / h",
        branch=3,
    ),
    Kernel(
        "matern52",
        "euclidean",
        5.0,
        _matern52,
        "(1 + v + v^2/3) exp(-v), v = sqrt(5) r / h",
        branch=4,
    ),
    # Energy distance: not bounded and only conditionally positive definite, which MMD allows
    # (Sejdinovic, Sriperumbudur, Gretton, Fukumizu 2013, arXiv 1207.6076).
    Kernel(
        "energy",
        "euclidean",
        1.0,
        _negative_distance,
        "-r (no bandwidth)",
        branch=5,
        has_bandwidth=False,
    ),
)

KERNELS: dict[str, Kernel] = {k.name: k for k in _ALL}

# What a test may need of a kernel: an attribute, and what is said of a kernel without it.
NEEDS = {
    "derivatives": "the Stein kernel needs two derivatives, and it has none here",
    "spectrum": "the test needs random frequencies, and it has none here",
    "pair_branch": "the test needs it for single pairs of rows, and it has no such branch",
    "has_bandwidth": "it is not bounded, so that a single row could decide",
}


def missing(kernel: Kernel, *needs: str) -> str:
    """Return the first of some needs, keys of `NEEDS`, that a kernel does not meet, or ''."""
    return next((n for n in needs if getattr(kernel, n) is None or getattr(kernel, n) is False), "")


def serving(*needs: str) -> tuple[str, ...]:
    """Return the names of the kernels that have what a test needs."""
    return tuple(name for name, kernel in KERNELS.items() if not missing(kernel, *needs))


def lacking(*needs: str) -> dict[str, str]:
    """Return for each of the other kernels why it does not serve."""
    found = {name: missing(kernel, *needs) for name, kernel in KERNELS.items()}
    return {name: NEEDS[need] for name, need in found.items() if need}
