"""The Dirichlet distribution of compositions: d parts above 0 that sum to 1.

Parts that sum to 1 have no density over d columns. They are tested as the d - 1 log ratios
y_j = log(x_j / x_d), the additive log-ratio coordinates (Aitchison 1986, The Statistical Analysis
of Compositional Data, section 6.2), which take the inside of the simplex to all of R^(d - 1).
There |dx/dy| = x_1 ... x_d, so that with concentrations a and A = a_1 + ... + a_d

    log p(y) = sum_i a_i log x_i + log Gamma(A) - sum_i log Gamma(a_i),   score_j = a_j - A x_j.

The score is bounded and the density falls off exponentially whatever the concentrations are, so
Stein's identity needs no condition at the edge of the simplex. Which part is the last does not
matter: the coordinates are whitened, and others differ by a linear map.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .family import gammaln
from .language import Spec, arguments
from .target import Target
from .transforms import REAL, Transform

Array = NDArray[np.float64]

LARGEST = 1e100
# What the sum of a row may differ from 1 by, for each part: that of parts with two digits.
TOLERANCE = 0.005 + 1e-9
_EXAMPLE = "dirichlet([2, 3, 5])"


def dirichlet(spec: Spec, columns: tuple[str, ...]) -> Target:
    """`dirichlet(concentration=[2, 3, 5])`, a number for each column."""
    bound = arguments(spec, ("concentration",))
    if "concentration" not in bound or spec.fit:
        raise UsageError(f"--target: dirichlet needs concentration, for example {_EXAMPLE}")
    try:
        a = np.asarray(bound["concentration"], dtype=np.float64)
    except (TypeError, ValueError):
        a = np.full(1, np.nan)
    d = len(columns)
    if a.ndim == 0 and d > 1:
        a = np.full(d, a)
    if a.shape != (d,) or d < 2 or not ((a >= 1 / LARGEST) & (a <= LARGEST)).all():
        raise UsageError(
            "--target: dirichlet: concentration takes a number above 0 for each of at least 2 "
            f"columns, as in {_EXAMPLE}; {d} {'columns are' if d > 1 else 'column is'} tested"
        )
    whole = _log_ratios(a, columns)
    constant = float(gammaln(a.sum()) - gammaln(a).sum())

    def sample(n: int, rng: np.random.Generator) -> Array:
        logs = _log_parts(_draws(n, a, rng))
        return np.asarray(np.exp(logs))

    return Target(
        name="dirichlet",
        columns=columns,
        transforms=(Transform(0.0, 1.0),) * d,
        score=lambda X: (a - 1) / X,
        logpdf=lambda X: np.asarray(((a - 1) * np.log(X)).sum(axis=1) + constant),
        sample=sample,
        composed=lambda X, row: (_ratios_of(X, columns, row), whole),
    )


def _log_ratios(a: Array, columns: tuple[str, ...]) -> Target:
    """The distribution of the log ratios of parts with concentrations a (d,)."""
    total = float(a.sum())
    constant = float(gammaln(total) - gammaln(a).sum())

    def logs_of(Y: Array) -> Array:
        return _log_parts(np.column_stack([Y, np.zeros(len(Y))]))

    def sample(n: int, rng: np.random.Generator) -> Array:
        logs = _draws(n, a, rng)
        return np.asarray(logs[:, :-1] - logs[:, -1:])

    return Target(
        name="dirichlet",
        columns=tuple(f"log({name}/{columns[-1]})" for name in columns[:-1]),
        transforms=(REAL,) * (len(a) - 1),
        score=lambda Y: np.asarray(a[:-1] - total * np.exp(logs_of(Y)[:, :-1])),
        logpdf=lambda Y: np.asarray(logs_of(Y) @ a + constant),
        sample=sample,
        modes=np.log(a[:-1] / a[-1])[None],
    )


def _log_parts(logs: Array) -> Array:
    """Logarithms of parts (n, d) that are given up to a factor for each row."""
    logs = logs - logs.max(axis=1, keepdims=True)
    return np.asarray(logs - np.log(np.exp(logs).sum(axis=1, keepdims=True)))


def _draws(n: int, a: Array, rng: np.random.Generator) -> Array:
    """Logarithms of gamma draws (n, d); G(a) = G(a + 1) U^(1 / a) does not underflow.

    Marsaglia, Tsang (2000), ACM Transactions on Mathematical Software 26, section 6.
    """
    grown = np.log(rng.standard_gamma(a + 1, (n, len(a))))
    return np.asarray(grown - rng.standard_exponential((n, len(a))) / a)


def _ratios_of(X: Array, columns: tuple[str, ...], row: Callable[[int], str]) -> Array:
    """Log ratios (n, d - 1) of compositions (n, d); rows that are none are refused."""
    bad = ~((X >= 0) & (1 + TOLERANCE * len(columns) >= X))
    if bad.any():
        i, c = (int(k[0]) for k in np.nonzero(bad))
        percent = " Percentages are to be divided by 100." if 98 <= float(X[i].sum()) <= 102 else ""
        raise DataError(
            f"data: {row(i)} has {columns[c]} = {X[i, c]:.6g}; accepted by dirichlet: parts from "
            f"0 to 1 that sum to 1.{percent}"
        )
    sums = X.sum(axis=1)
    within = TOLERANCE * len(columns)
    off = np.abs(sums - 1) > within
    if off.any():
        i = int(np.argmax(off))
        raise DataError(
            f"data: the columns {', '.join(columns[:8])} of {row(i)} sum to {sums[i]:.6g}; "
            f"accepted by dirichlet: parts that sum to 1 within {within:.3g}, and all of them. "
            "Choose the parts with --columns, or divide by the sum if they are amounts"
        )
    if (X == 0).any():
        i, c = (int(k[0]) for k in np.nonzero(X == 0))
        raise DataError(
            f"data: {row(i)} has {columns[c]} = 0, on the edge of the simplex, which has "
            "probability 0 and where log ratios are infinite. Zeros of rounding or of counts: "
            "replace them by a part below the rounding; parts that can be absent are no Dirichlet "
            "distribution"
        )
    return np.asarray(np.log(X[:, :-1]) - np.log(X[:, -1:]))
