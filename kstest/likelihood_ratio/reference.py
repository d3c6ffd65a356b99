"""The reference side: everything about it that no batch changes, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import Work, single_blas
from ..engine.work import run_tasks
from ..kernels import Rows
from .features import Features, feature_blocks, transform
from .fit import Fit, logistic, newton

Array = NDArray[np.float64]
T = TypeVar("T")

# Rows of a task, and beyond this a log ratio overflows when it is exponentiated.
TASK_ROWS = 8192
LARGEST = 700.0
STATISTICS = ("extended", "data")


@frozen
class Reference:
    """Rows, centres, features and moments of the reference.

    Attributes
    ----------
    rows : Rows
        N_R of them, scaled.
    shares : ndarray (N_R,)
        Weight of each row, the sum is 1; some may be negative, as simulations have them.
    centres : Rows
    features : tuple of Features
        One per width, K of them.
    grams, means : tuple of ndarray, (r_k, r_k) and (r_k,)
        sum_i |v_i| phi phi' and sum_i v_i phi.

    Notes
    -----
    Curvature takes the weights without their sign, here and in `newton`: a negative weight must not
    leave the log ratio without a bound where events cancel. The minimum is where it was; one step
    is shorter.
    """

    rows: Rows
    shares: Array
    centres: Rows
    features: tuple[Features, ...]
    grams: tuple[Array, ...]
    means: tuple[Array, ...]

    @classmethod
    def of(
        cls,
        rows: Rows,
        weights: Array | None,
        centres: Rows,
        features: Sequence[Features],
        work: Work,
    ) -> Reference:
        """Sum the features of all rows of the reference."""
        shares = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
        parts = _over_rows(_moments, rows, shares, (centres, features), work)
        grams = tuple(_sum([p[k][0] for p in parts]) for k in range(len(features)))
        means = tuple(_sum([p[k][1] for p in parts]) for k in range(len(features)))
        return cls(rows, shares, centres, tuple(features), grams, means)

    @property
    def signed(self) -> bool:
        """Whether some weights are negative."""
        return bool((self.shares < 0).any())

    @property
    def effective_rows(self) -> float:
        """Number of rows of equal weight whose sums would fluctuate as much."""
        return 1 / float(self.shares @ self.shares)

    def transform(self, rows: Rows, k: int) -> Array:
        """Features of width k of other rows; shape (n, r_k)."""
        return transform(rows, self.centres, self.features[k : k + 1])[0]

    def excess(self, coefficients: Sequence[Array], work: Work, alone: bool = False) -> Array:
        """Return sum_i v_i (exp(f(x_i)) - 1) for every width and every fit.

        Parameters
        ----------
        coefficients : sequence of ndarray (r_k, T)
            Of T fits for each width.
        work : Work
        alone : bool
            Give a fit the same bits whichever others there are: products of matrices with vectors
            in place of matrices, which takes longer.

        Returns
        -------
        ndarray (K, T)
        """
        M, count = len(self.centres), coefficients[0].shape[1]
        # Whiten the rows, or the coefficients once: whichever is less to multiply.
        rows_first = [not alone and M * f.rank + f.rank * count < M * count for f in self.features]
        alphas = [
            _columns(f.whitening, a) if alone else a if first else f.whitening @ a
            for f, a, first in zip(self.features, coefficients, rows_first, strict=True)
        ]
        more = self.centres, self.features, alphas, rows_first, alone
        # The shares have sum 1; exp is several times as fast as expm1.
        return _sum(_over_rows(_exponentials, self.rows, self.shares, more, work)) - 1

    def ratios(self, k: int, coefficients: Array) -> Array:
        """Return f(x_i), the learned log ratio of every row of the reference."""
        alpha = self.features[k].whitening @ coefficients
        out = np.empty(len(self.rows))
        for place, (values,) in feature_blocks(self.rows, self.centres, self.features[k : k + 1]):
            out[place] = values @ alpha
        return out

    def newton(
        self, k: int, phi: Array, weights: Array | None, expected: float, ridge: float, work: Work
    ) -> Fit:
        """Converge the fit of width k to a batch with features `phi`."""

        def sums(a: Array) -> tuple[float, Array, Array]:
            more = self.centres, self.features[k], a
            parts = _over_rows(_logistic_sums, self.rows, self.shares, more, work)
            base, slopes, curves = zip(*parts, strict=True)
            return sum(base), _sum(slopes), _sum(curves)

        with single_blas():
            return newton(sums, phi, weights, expected, ridge)


def _sum(parts: Sequence[Array]) -> Array:
    """Add up in order."""
    total = np.array(parts[0], order="C")
    for part in parts[1:]:
        total += part
    return total


def _over_rows(
    part: Callable[..., T], rows: Rows, shares: Array, more: tuple[Any, ...], work: Work
) -> list[T]:
    """Call `part` for stretches of rows and their shares; results in the order of the rows."""
    places = [slice(i, i + TASK_ROWS) for i in range(0, len(rows), TASK_ROWS)]
    with single_blas():
        tasks = [(rows.take(some), shares[some], *more) for some in places]
        return list(run_tasks(part, tasks, work))


def _moments(
    rows: Rows, shares: Array, centres: Rows, features: Sequence[Features]
) -> list[tuple[Array, Array]]:
    """Moments of the features of every width; see `Reference`."""
    found = [(np.zeros((f.rank, f.rank)), np.zeros(f.rank)) for f in features]
    for place, values in feature_blocks(rows, centres, features):
        v = shares[place]
        size = np.abs(v)
        for k, f in enumerate(features):
            phi = values[k] @ f.whitening
            found[k] = (found[k][0] + (phi.T * size) @ phi, found[k][1] + v @ phi)
    return found


def _exponentials(
    rows: Rows,
    shares: Array,
    centres: Rows,
    features: Sequence[Features],
    alphas: Sequence[Array],
    rows_first: Sequence[bool],
    alone: bool,
) -> Array:
    """Sums of v_i exp(f(x_i)) for every width and fit; see `Reference.excess`."""
    out = np.zeros((len(alphas), alphas[0].shape[1]))
    for place, values in feature_blocks(rows, centres, features):
        v = shares[place]
        for k, alpha in enumerate(alphas):
            own = values[k] @ features[k].whitening if rows_first[k] else values[k]
            f = _columns(own, alpha) if alone else own @ alpha
            np.minimum(f, LARGEST, out=f)
            np.exp(f, out=f)
            out[k] += [v @ column for column in f.T] if alone else v @ f
    return out


def _columns(matrix: Array, vectors: Array) -> Array:
    """The product, column by column: no column knows how many others there are."""
    return np.stack([matrix @ np.ascontiguousarray(v) for v in vectors.T]).T


def _logistic_sums(
    rows: Rows, shares: Array, centres: Rows, features: Features, a: Array
) -> tuple[float, Array, Array]:
    """`fit.ReferenceSums` at a."""
    base, slope, curve = 0.0, np.zeros(len(a)), np.zeros((len(a), len(a)))
    for place, (values,) in feature_blocks(rows, centres, [features]):
        own = values @ features.whitening
        v, f = shares[place], own @ a
        s = logistic(f)
        base += float(v @ np.logaddexp(0, f))
        slope += own.T @ (v * s)
        curve += (own.T * (np.abs(v) * s * (1 - s))) @ own
    return base, slope, curve


def statistics(
    reference: Reference,
    coefficients: Sequence[Array],
    batch_sums: Array,
    expected: Array | float,
    kind: str,
    work: Work,
    alone: bool = False,
) -> Array:
    """Return the statistic of every width and fit.

    Parameters
    ----------
    coefficients : sequence of ndarray (r_k, T)
    batch_sums : ndarray (K, T)
        sum_j u_j f(x_j) over the events of the batch.
    expected : float or ndarray (T,)
        N, the total weight that the reference expects.
    kind : {'extended', 'data'}
        2 [sum_D u f - N sum_R v (e^f - 1)], or the first sum alone.
    work : Work
    alone : bool
        See `Reference.excess`.
    """
    if kind == "data":
        return np.asarray(2 * batch_sums)
    return np.asarray(2 * (batch_sums - expected * reference.excess(coefficients, work, alone)))
