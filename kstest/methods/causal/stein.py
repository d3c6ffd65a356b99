"""Counterfactual goodness of fit: is the outcome, had all rows been in one arm, from a density?

Stein's identity E[s(Y) psi(Y) + psi'(Y)] = 0 holds feature by feature for Y of a density with score
s, so that xi(y) = s(y) psi(y) + psi'(y) takes the place of the outcome's features, for one arm:

    phi = A / pi (xi(Y) - b(x)) + b(x),    b(x) = E[xi(Y) | x, A = 1]

(Martinez-Taboada and Kennedy 2024). In an exponential family the score, and with it xi, is linear
in the parameters theta: phi = phi_0 + sum_l theta_l phi_l. Then theta is the least squares solution
of mean phi = 0, rows contribute -(F'F)^-1 F' phi to its error with F = [mean phi_1, ..., mean
phi_p], and what a fitted family leaves is tested off the columns of F.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...errors import DataError, UsageError
from ...targets import Target, resolve
from ...wording import shown
from .data import Study
from .features import BANDWIDTHS, LANDMARKS

Array = NDArray[np.float64]

# Eigenvalues of landmark kernels below this share of the largest are rounding.
RANK = 1e-8
# Landmarks of the bandwidth: quantiles of the coordinates.
MEDIAN_ROWS = 400


@frozen
class Family:
    """An exponential family of one column.

    Attributes
    ----------
    terms : int
        Number p of parameters theta.
    slopes : callable
        Coordinates (n,) to the derivatives of the sufficient statistics, (n, p).
    positive : bool
        Whether values have to be above 0; the coordinate is then their logarithm.
    names : tuple of str
        Of the parameters that are reported.
    natural : callable
        theta, centre and unit of the coordinates to the reported parameters.
    """

    terms: int
    slopes: Callable[[Array], Array]
    positive: bool
    names: tuple[str, ...]
    natural: Callable[[Array, float, float], Array]


def _powers(most: int) -> Callable[[Array], Array]:
    return lambda u: np.stack([k * u ** (k - 1) for k in range(1, most + 1)], axis=1)


def _normal(theta: Array, centre: float, unit: float) -> Array:
    return np.array([centre - unit * theta[0] / (2 * theta[1]), unit / np.sqrt(-2 * theta[1])])


def _gamma(theta: Array, centre: float, unit: float) -> Array:
    return np.array([theta[0], -np.exp(centre) / theta[1]])


def _quartic(theta: Array, centre: float, unit: float) -> Array:
    return theta


FAMILIES = {
    "normal": Family(2, _powers(2), False, ("mean", "sd"), _normal),
    "gamma": Family(2, lambda u: np.stack([np.ones_like(u), np.exp(u)], axis=1), True,
                    ("shape", "scale"), _gamma),
    "lognormal": Family(2, _powers(2), True, ("log_mean", "log_sd"), _normal),
    "quartic": Family(4, _powers(4), False, ("t1", "t2", "t3", "t4"), _quartic),
}  # fmt: skip


@frozen
class SteinFeatures:
    """Stein features of the outcomes of one arm; zero in the rows of the other.

    Attributes
    ----------
    values : ndarray (n, D (1 + p))
        xi without parameters, then what each parameter adds.
    blocks : tuple of slice
        Of each bandwidth among the D.
    bandwidths : tuple of float
        In coordinates.
    centre, unit : float
        Of the coordinates of a family.
    """

    values: Array
    blocks: tuple[slice, ...]
    bandwidths: tuple[float, ...]
    centre: float
    unit: float


def stein_features(made: Study, target: str, family: str) -> SteinFeatures:
    """Features of the arm that is treated.

    Raises
    ------
    UsageError, DataError
        For several outcomes, a target of several columns, and values outside the support.
    """
    name = _only(made)
    y = made.outcomes.values[made.treated]
    if target:
        u, fixed = _scores(resolve(target, (name,)), y, name)
        slopes, centre, unit = np.empty((len(u), 0)), 0.0, 1.0
    else:
        kind = FAMILIES[family]
        u, centre, unit = _coordinates(kind, y[:, 0], name)
        slopes, fixed = kind.slopes(u), np.zeros(len(u))
    parts, more, blocks, widths, start = [], [], [], [], 0
    some = np.sort(u)[np.linspace(0, len(u) - 1, min(len(u), MEDIAN_ROWS)).astype(int)]
    gaps = np.abs(some[:, None] - some)[np.triu_indices(len(some), 1)]
    median = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
    marks = np.unique(np.quantile(u, np.linspace(0, 1, LANDMARKS)))
    for factor in BANDWIDTHS:
        psi, slope = smooth(u, marks, factor * median)
        parts.append(fixed[:, None] * psi + slope)
        more.append([column[:, None] * psi for column in slopes.T])
        blocks.append(slice(start, start + psi.shape[1]))
        widths.append(factor * median)
        start += psi.shape[1]
    added = [np.hstack([block[l] for block in more]) for l in range(slopes.shape[1])]
    values = np.zeros((len(made.treated), start * (1 + len(added))))
    values[made.treated] = np.hstack([*parts, *added])
    return SteinFeatures(values, tuple(blocks), tuple(widths), centre, unit)


def smooth(u: Array, marks: Array, h: float) -> tuple[Array, Array]:
    """Nystrom features of the kernel exp(-r^2 / (2 h^2)), and their derivatives; (n, D) each."""
    table = np.exp(-((marks[:, None] - marks) ** 2) / (2 * h**2))
    values, vectors = np.linalg.eigh(table)
    sound = values > RANK * values[-1]
    W = vectors[:, sound] / np.sqrt(values[sound])
    apart = u[:, None] - marks
    K = np.exp(-(apart**2) / (2 * h**2))
    return K @ W, (-apart / h**2 * K) @ W


@frozen
class Fit:
    """A fitted family.

    Attributes
    ----------
    left : ndarray (n, D)
        What rows contribute to what the family leaves.
    theta, influence : ndarray (p,), (n, p)
    """

    left: Array
    theta: Array
    influence: Array


def fitted(phi: Array, terms: int) -> Fit:
    """Least squares solution of mean phi = 0, and what is left of phi.

    Parameters
    ----------
    phi : ndarray (n, D (1 + p))
    terms : int
        p.
    """
    n = len(phi)
    parts = phi.reshape(n, 1 + terms, -1)
    F = parts[:, 1:].mean(axis=0).T
    inverse = np.linalg.pinv(F)
    theta = -inverse @ parts[:, 0].mean(axis=0)
    rows = parts[:, 0] + np.einsum("l,nld->nd", theta, parts[:, 1:])
    influence = -rows @ inverse.T
    return Fit(rows + influence @ F.T, theta, influence)


def parameters(family: str, fit: Fit, seen: SteinFeatures) -> tuple[Array, Array]:
    """The reported parameters, and what rows contribute to their errors; (p,), (n, p).

    NaN where theta belongs to no distribution of the family.
    """
    kind = FAMILIES[family]
    with np.errstate(all="ignore"):
        value = kind.natural(fit.theta, seen.centre, seen.unit)
        steps = 1e-6 * np.maximum(np.abs(fit.theta), 1e-3)
        slopes = np.stack([
            (kind.natural(fit.theta + step, seen.centre, seen.unit) - value) / step.sum()
            for step in np.diag(steps)
        ])  # fmt: skip
    return value, fit.influence @ slopes


def _only(made: Study) -> str:
    if made.outcomes.values.shape[1] != 1 or made.outcomes.codes.shape[1]:
        raise UsageError("--target and --fit: need one --outcome, a column of numbers")
    return made.outcomes.names[0]


def _scores(target: Target, y: Array, name: str) -> tuple[Array, Array]:
    """Coordinates on the line, and scores with respect to them."""
    if target.fitted or target.refit is not None:
        raise UsageError(
            f"--target {target.name}: fitted parameters are not those of the arm had it all rows; "
            f"use --fit ({', '.join(FAMILIES)})"
        )
    if target.transforms[0].angle:
        raise UsageError(f"--target {target.name}: angles are not accepted by this test")
    if target.find(y) is not None or target.find(y, edge=True) is not None:
        mask = target.transforms[0].outside(y[:, 0]) | target.transforms[0].edge(y[:, 0])
        raise DataError(
            f"column {shown(name)}: {int(mask.sum()):,} values, such as {y[mask, 0][0]:.6g}, lie "
            f"outside the target's support {target.transforms[0]} or on its edge: they are no "
            "draws from it"
        )
    u, s = target.unconstrain(np.ascontiguousarray(y))
    if not (np.isfinite(u) & np.isfinite(s)).all():
        raise DataError(
            f"column {shown(name)}: the target has no finite score at some of its values"
        )
    return u[:, 0], s[:, 0]


def _coordinates(kind: Family, y: Array, name: str) -> tuple[Array, float, float]:
    """Coordinates of a family, with their centre and unit in those of the data or logarithms."""
    if kind.positive and not (y > 0).all():
        raise DataError(
            f"column {shown(name)}: {int((y <= 0).sum()):,} values are not above 0, and the family "
            "is one of positive numbers; use --fit normal or quartic, or leave those rows out"
        )
    v = np.log(y) if kind.positive else y
    centre = float(np.median(v))
    spread = float(np.subtract(*np.quantile(v, [0.75, 0.25]))) / 1.349
    unit = 1.0 if kind is FAMILIES["gamma"] else spread or float(v.std()) or 1.0
    return (v - centre) / unit, centre, unit
