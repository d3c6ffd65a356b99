"""Target: the distribution that a goodness-of-fit test compares the data with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .certificate import Certificate
from .transforms import Transform

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


@frozen
class Target:
    """A density on rows of d columns; what it can do beyond its score is optional.

    Attributes
    ----------
    name : str
        As the user wrote it, or the class of a Python object.
    columns : tuple of str
        The columns it speaks of, in the order of its coordinates.
    transforms : tuple of Transform
        Support of each column.
    score : callable
        (n, d) rows in the data's own units to the gradient of log p, (n, d). log p need not be
        normalised.
    logpdf : callable or None
        (n, d) rows to log p, (n,); up to a constant unless `normalised`.
    sample : callable or None
        (n, rng) to n independent draws, (n, d).
    modes : ndarray (K, d) or None
        Where log p is largest locally, if that is known.
    components : tuple of ndarray or None
        Means (K, d) and covariances (K, d, d) where the distribution is a mixture of normal
        distributions.
    fitted : tuple of str
        Names of the parameters that were estimated from the tested data themselves.
    refit : callable or None
        Rows to the Target fitted to them; set where it is fitted to the tested data.
    simulate : callable or None
        Set where `fitted` is not empty: (n, rng) to n draws and the Target as it would have been
        fitted beside them.
    certificate : Certificate or str
        What is proved of the score, or why nothing is.
    cdf : callable or None
        Set where columns are independent and theirs are known: (n, d) values to the probability of
        values up to these, column by column, (n, d).
    composed : callable or None
        Set where rows lie on the simplex, which has no density over d columns: (X, row) to d - 1
        coordinates of the rows (n, d) and the Target of these, where `row` names a row in errors.
    met : callable or None
        Set where functions of a user have to be tried first: (X, row), as of `composed`, to the
        Target that calls them as they are to be called.
    remark : str
        What weakens its score.
    """

    name: str
    columns: tuple[str, ...]
    transforms: tuple[Transform, ...]
    score: Function
    logpdf: Function | None = None
    sample: Callable[[int, np.random.Generator], Array] | None = None
    modes: Array | None = None
    components: tuple[Array, Array] | None = None
    normalised: bool = True
    fitted: tuple[str, ...] = ()
    refit: Callable[[Array], Target] | None = None
    simulate: Callable[[int, np.random.Generator], tuple[Array, Target]] | None = None
    certificate: Certificate | str = "nothing is proved of its score"
    cdf: Function | None = None
    composed: Callable[[Array, Callable[[int], str]], tuple[Array, Target]] | None = None
    met: Callable[[Array, Callable[[int], str]], Target] | None = None
    remark: str = ""

    @property
    def d(self) -> int:
        return len(self.columns)

    def unconstrain(self, X: Array) -> tuple[Array, Array]:
        """Return coordinates on the line (or circle) and the scores with respect to them.

        With y = transform(x) the density of y is p(x) |dx/dy|, so its score is
        score(x) dx/dy + d log|dx/dy| / dy.
        """
        with np.errstate(all="ignore"):
            S = np.array(self.score(X), dtype=np.float64)
            Y = np.empty_like(X)
            for c, transform in enumerate(self.transforms):
                Y[:, c] = transform.forward(X[:, c])
                if not transform.real and not transform.angle:
                    S[:, c] = S[:, c] * transform.slope(X[:, c]) + transform.bend(X[:, c])
        return Y, S

    def constrain(self, Y: Array) -> Array:
        """Return rows in the data's units, given coordinates on the line: `unconstrain` back."""
        columns = [transform.inverse(Y[:, c]) for c, transform in enumerate(self.transforms)]
        return np.ascontiguousarray(np.stack(columns, axis=1))

    def log_density(self, Y: Array) -> Array:
        """Return the log density of coordinates on the line, (n,), up to a constant.

        It is log p(x) + sum log(dx/dy); minus infinity where p vanishes, has no value, or x
        rounds to an end of its support.
        """
        if self.logpdf is None:
            raise ValueError(f"{self.name} has no density")
        with np.errstate(all="ignore"):
            X = self.constrain(Y)
            out = np.array(self.logpdf(X), dtype=np.float64)
            for c, transform in enumerate(self.transforms):
                if not transform.real and not transform.angle:
                    out += transform.log_slope(Y[:, c])
                    out[transform.edge(X[:, c])] = -np.inf
        return np.where(np.isfinite(out), out, -np.inf)

    def find(self, X: Array, edge: bool = False) -> tuple[int, int] | None:
        """Return row and column of the first value outside the support (or on its edge)."""
        masks = [
            transform.edge(X[:, c]) if edge else transform.outside(X[:, c])
            for c, transform in enumerate(self.transforms)
        ]
        where = np.stack(masks, axis=1)
        if not where.any():
            return None
        row, column = np.unravel_index(int(np.argmax(where)), where.shape)
        return int(row), int(column)
