"""Parameters of a residual: least squares, or two-step GMM with instruments, and their influence.

An estimator's influence function IF says what every row did to it: theta^ - theta = mean_i IF_i, up
to smaller terms. With G_i the gradient of residual r_i in the parameters,

    least squares:  IF_i = -A^-1 G_i r_i,  A = mean of G_i G_i' + r_i d G_i / d theta
    GMM:            IF_i = -(D' W D)^-1 D' W Z_i r_i,  D = mean of Z_i G_i'

with Z_i the instruments and 1, W = 1 in whitened instruments at first and then the inverse of the
covariance of Z_i r_i (Hansen 1982, Econometrica 50). Sandwich standard errors follow. Signs
multiply residuals from a fit to the other rows, or groups (`_left_out`): those of the fit itself
are too small where a row or a group decides on a parameter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...sample import MISSING_CODE
from ...wording import in_words
from ..dependence.column_blocks import Block
from .question import LARGEST, Question

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Moments = Callable[[Array], tuple[Array, Array]]

# A Jacobian of columns of length 1 that is worse conditioned does not say what all parameters are.
MOST_CONDITION = 1e8
# First-stage F below which instruments are weak (Staiger and Stock 1997, Econometrica 65).
WEAK = 10.0
RANK = 1e-10
# A row that decides on a parameter alone has leverage 1, and no residual.
MOST_LEVERAGE = 0.99
TINY = 1e-300


class NotIdentified(Exception):
    """The data do not say what the parameters are; the text says which."""


@frozen
class Fit:
    """Parameters, and what the rows did to them.

    Attributes
    ----------
    estimator : str
    theta, errors : ndarray (P,)
        Estimates and standard errors.
    residual : ndarray (n,)
    loose : ndarray (n,)
        Residuals of every row, group or block of time, from a fit to the others.
    gradient : ndarray (n, P)
    pull : ndarray (n, P)
        What the parameters lose where the residual of a row is 1 more: IF_i = -n pull_i r_i.
    over : tuple (J, degrees of freedom) or None
        Hansen's test of the moments that are more than parameters.
    first_stage : ndarray (P,) or None
        F of the instruments for every parameter (Sanderson and Windmeijer 2016).
    """

    estimator: str
    theta: Array
    errors: Array
    residual: Array
    loose: Array
    gradient: Array
    pull: Array
    over: tuple[float, int] | None = None
    first_stage: Array | None = None

    @property
    def influence(self) -> Array:
        """Influence (n, P) of the rows on the parameters."""
        return np.asarray(-len(self.residual) * self.pull * self.residual[:, None])

    @property
    def leverage(self) -> Array:
        """The share of every row in its own fitted value (n,), 0 to 1."""
        return _leverage(self.gradient, self.pull)


def fitted(question: Question, units: Index | None) -> Fit:
    """Estimate the parameters.

    Parameters
    ----------
    question : Question
    units : ndarray of int (n,) or None
        Number of the group or block of time of every row, where rows depend on each other.

    Raises
    ------
    NotIdentified
    """
    if question.instruments is None:
        return _least_squares(question, units)
    return _two_step(question, question.instruments, units)


def _least_squares(question: Question, units: Index | None) -> Fit:
    theta = _solved(question.residual, question.start)
    r, G = question.residual(theta)
    _require_identified(G, G, question.parameters)
    unit = np.sqrt((G**2).mean(axis=0))  # units of parameters are not to decide what is small
    A = (G / unit).T @ (G / unit) / len(r)
    curved = A + _curvature(question, theta, r, unit)
    if np.linalg.eigvalsh(curved)[0] > 1e-3 * np.linalg.eigvalsh(A)[0]:
        A = curved
    pull: Array = np.linalg.solve(A, (G / unit).T).T / unit / len(r)
    errors, loose = _errors(pull, r, units), _left_out(r, G, pull, units)
    return Fit("least squares", theta, errors, r, loose, G, pull)


def _curvature(question: Question, theta: Array, r: Array, unit: Array) -> Array:
    """Mean of r_i times the second derivatives of r_i, by central differences; (P, P)."""
    out = np.zeros((len(theta),) * 2)
    size = float(np.sqrt((r**2).mean()))
    for p, value in enumerate(theta):
        step = 1e-4 * max(1e-2 * abs(value), size / unit[p])
        if step == 0:
            continue
        ends = [question.residual(theta + s * step * np.eye(len(theta))[p])[1] for s in (1, -1)]
        out[p] = r @ (ends[0] - ends[1]) / (2 * step * len(r)) / unit / unit[p]
    out = np.where(np.isfinite(out), out, 0.0)
    return (out + out.T) / 2


def _two_step(question: Question, instruments: Block, units: Index | None) -> Fit:
    Q = whitened(instruments)
    n, count = len(Q), len(question.parameters)
    if Q.shape[1] < count:
        raise NotIdentified(
            f"{Q.shape[1]} moments (1 and the instruments, without those that others repeat) "
            f"cannot say what {count} parameters are; name more --instruments, or fewer parameters"
        )

    def moments(L: Array) -> Moments:
        def at(theta: Array) -> tuple[Array, Array]:
            r, G = question.residual(theta)
            return L @ (Q.T @ r) / n, L @ (Q.T @ G) / n

        return at

    theta = _solved(moments(np.eye(Q.shape[1])), question.start)
    r, G = question.residual(theta)
    _require_identified(Q.T @ G / np.sqrt(n), G, question.parameters)
    L = _root(Q * r[:, None], units)
    if Q.shape[1] > count:
        theta = _solved(moments(L), theta)
        r, G = question.residual(theta)
    m, D = moments(L)(theta)
    pull: Array = np.asarray(np.linalg.lstsq(D, L @ Q.T, rcond=None)[0].T / n, dtype=np.float64)
    over = (n * float(m @ m), Q.shape[1] - count) if Q.shape[1] > count else None
    errors, loose = _errors(pull, r, units), _left_out(r, G, pull, units)
    return Fit("GMM", theta, errors, r, loose, G, pull, over, _first_stage(Q, G))


def whitened(block: Block) -> Array:
    """Return 1 and the instruments, orthogonal, of mean square 1, without repetitions; (n, q)."""
    parts = [block.values]
    for codes in block.codes.T:
        levels = np.unique(codes[codes != MISSING_CODE])
        parts.append((codes[:, None] == levels[1:]).astype(np.float64))
    Z = np.hstack(parts)
    size = np.abs(Z).max(axis=0)
    Z = Z / np.where(size > 0, size, 1.0)
    size = np.abs(Z).max(axis=0)
    Z -= Z.mean(axis=0)
    spread = np.sqrt((Z**2).mean(axis=0))
    varies = spread > 1e-12 * size  # what is left of a constant column is rounding
    Z = np.hstack([np.ones((len(Z), 1)), Z[:, varies] / spread[varies]])
    U, values, _ = np.linalg.svd(Z, full_matrices=False)
    return np.asarray(U[:, values > RANK * values[0]] * np.sqrt(len(Z)))


def _root(moments: Array, units: Index | None) -> Array:
    """Return L with L' L the inverse of the covariance of moments (n, q)."""
    S = by_unit(moments, units)
    values, vectors = np.linalg.eigh(S.T @ S / len(moments))
    values = np.maximum(values, max(RANK * float(values[-1]), TINY))
    return np.asarray(vectors.T / np.sqrt(values)[:, None])


def by_unit(rows: Array, units: Index | None) -> Array:
    """Sum rows (n, q) over groups or blocks of time."""
    if units is None:
        return rows
    return np.array([np.bincount(units, column) for column in rows.T]).T


def _errors(pull: Array, r: Array, units: Index | None) -> Array:
    return np.asarray(np.sqrt((by_unit(pull * r[:, None], units) ** 2).sum(axis=0)))


def _leverage(G: Array, pull: Array) -> Array:
    return np.asarray(np.einsum("ip,ip->i", G, pull))


def _left_out(r: Array, G: Array, pull: Array, units: Index | None) -> Array:
    """Residuals of every row, group or block of time, from a fit to the others; (n,).

    Without rows g the parameters change by (1 - sum_g pull G')^-1 sum_g pull r; of a row alone the
    residual is r / (1 - leverage) (HC3; MacKinnon and White 1985, Journal of Econometrics 29; with
    signs Davidson and Flachaire 2008, Journal of Econometrics 146).
    """
    if units is None:
        return np.asarray(r / (1 - np.minimum(_leverage(G, pull), MOST_LEVERAGE)))
    n, count = G.shape
    outer = by_unit((pull[:, :, None] * G[:, None, :]).reshape(n, -1), units)
    inverse = np.linalg.pinv(np.eye(count) - MOST_LEVERAGE * outer.reshape(-1, count, count))
    moved = np.einsum("upq,uq->up", inverse, by_unit(pull * r[:, None], units))
    out = r + np.einsum("ip,ip->i", G, moved[units])
    return np.where(np.abs(out) <= np.abs(r).max() / (1 - MOST_LEVERAGE), out, r)


def _solved(moments: Moments, start: Array) -> Array:
    """Return the parameters that make the sum of squares of `moments` least.

    `moments` gives values and their Jacobian. Where that does not depend on the parameters it is
    one least-squares problem.
    """
    value, J = moments(start)
    length = np.maximum(np.sqrt((J**2).sum(axis=0)), TINY)
    if not np.isfinite(length).all():
        raise NotIdentified("the residual has no finite slope in its parameters at their start")
    unit = np.where(length > TINY, np.sqrt((value**2).sum()) / length, 1.0)
    probe = start + 0.1 * np.maximum(unit, 1e-8 * np.abs(start)) * np.cos(np.arange(len(start)))
    again = moments(probe)[1]
    if np.isfinite(again).all() and (np.abs(again - J) <= 1e-9 * length).all():
        step = np.linalg.lstsq(J / length, -value, rcond=None)[0]
        return np.asarray(start + step / length)
    from scipy.optimize import least_squares

    def finite(theta: Array) -> Array:
        found = moments(theta)[0]
        return np.where(np.abs(found) < LARGEST, found, LARGEST / len(found))

    def slopes(theta: Array) -> Array:
        found = np.nan_to_num(moments(theta)[1], posinf=0.0, neginf=0.0)
        return np.clip(found, -LARGEST, LARGEST)

    try:
        with np.errstate(all="ignore"):
            found = least_squares(
                finite, start, jac=slopes, x_scale="jac", xtol=1e-13, ftol=1e-13, gtol=1e-13,
                max_nfev=500,
            )  # fmt: skip
        sound = found.status > 0 and bool(np.isfinite(found.x).all())
    except (ValueError, np.linalg.LinAlgError):
        sound = False
    if not sound or not (np.abs(moments(found.x)[0]) < LARGEST).all():
        raise NotIdentified(
            "the fit does not converge; give --fit starts near the solution, as in b0=1,b1=0.5"
        )
    return np.asarray(found.x)


def _require_identified(J: Array, G: Array, names: tuple[str, ...]) -> None:
    """Refuse a Jacobian of the moments that does not have full rank, naming parameters."""
    scaled = J / np.maximum(np.sqrt((G**2).sum(axis=0)), TINY)
    if not np.isfinite(scaled).all():
        raise NotIdentified("the residual has no finite slope in its parameters at the solution")
    involved = list(names)
    if len(J) >= len(names):
        _, values, vectors = np.linalg.svd(scaled, full_matrices=False)
        if values[-1] * MOST_CONDITION > values[0]:
            return
        involved = [n for n, x in zip(names, np.abs(vectors[-1]), strict=True) if x > 0.1]
    raise NotIdentified(
        f"the data do not say what {in_words(involved)} "
        f"{'is' if len(involved) == 1 else 'are'}: other values fit as well. Leave one out, or "
        "give columns that vary"
    )


def _first_stage(Q: Array, G: Array) -> Array:
    """F of the instruments for each gradient, what they say of the others taken out; (P,)."""
    n, q = Q.shape
    count = G.shape[1]
    G = G / np.maximum(np.sqrt((G**2).mean(axis=0)), TINY)
    projected = Q @ (Q.T @ G) / n
    out = np.full(count, np.inf)
    for p in range(count):
        others = np.delete(np.arange(count), p)
        share = np.linalg.lstsq(projected[:, others], G[:, p], rcond=None)[0]
        left = G[:, p] - G[:, others] @ share
        inside = Q @ (Q.T @ left) / n
        outside = float(((left - inside) ** 2).sum())
        if outside > 1e-20 * n:
            out[p] = float((inside**2).sum()) / (q - count + 1) / (outside / max(n - q, 1))
    return out
