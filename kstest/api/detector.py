"""A detector of change with the interface of scikit-learn: fit a reference, judge batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from .shown import Result


class DriftDetector(BaseEstimator):  # type: ignore[misc]
    """Judge batches of rows by a two-sample test against the rows of `fit`.

    A verdict is about a batch, so that all its rows get the same. Every call of `predict` is a
    test of its own at level `alpha`; for a stream that is looked at again and again take
    `kstest.smmd`, whose level holds over all of it.

    Parameters
    ----------
    test : {'mmd', 'ks'}, default 'mmd'
        All columns together, or column by column.
    alpha : float, default 0.05
        Level of the test of a batch.
    permutations : int, default 999
    seed : int, default 0

    Attributes
    ----------
    reference_ : ndarray (m, d)
    n_features_in_ : int
    feature_names_in_ : ndarray of str (d,)
        Where `fit` had a frame with names; results name the columns so.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> detector = kstest.DriftDetector().fit(rng.normal(size=(100, 2)))
    >>> detector.predict(rng.normal(size=(3, 2)) + 5)
    array([-1, -1, -1])
    >>> detector.test_batch(rng.normal(size=(50, 2)) + 1).verdict
    'rejected'
    """

    def __init__(
        self, test: str = "mmd", alpha: float = 0.05, permutations: int = 999, seed: int = 0
    ) -> None:
        self.test = test
        self.alpha = alpha
        self.permutations = permutations
        self.seed = seed

    def fit(self, X: Any, y: None = None) -> DriftDetector:
        """Keep the rows of the reference.

        Parameters
        ----------
        X : array (m, d)
        y : ignored

        Returns
        -------
        DriftDetector
        """
        rows = _here(X)
        self.reference_ = validate_data(self, rows, dtype=np.float64, ensure_min_samples=2)
        return self

    def test_batch(self, X: Any) -> Result:
        """Test a batch against the reference.

        Parameters
        ----------
        X : array (n, d)

        Returns
        -------
        Result
        """
        from . import function

        check_is_fitted(self)
        rows = validate_data(self, _here(X), dtype=np.float64, reset=False)
        if self.test not in ("mmd", "ks"):
            raise ValueError(f"test={self.test!r}: accepted: 'mmd', 'ks'")
        given = {"alpha": self.alpha, "permutations": self.permutations, "seed": self.seed}
        names = getattr(self, "feature_names_in_", None)
        sides = [self.reference_, rows]
        if names is not None:
            sides = [pd.DataFrame(side, columns=names) for side in sides]
        return function(self.test)(*sides, threads=1, **given)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the verdict on a batch, once for each of its rows.

        Parameters
        ----------
        X : array (n, d)

        Returns
        -------
        ndarray (n,)
            -1 where the batch differs from the reference, 1 where the test does not reject, 0
            without a verdict.
        """
        X = _here(X)
        verdict = {True: -1, False: 1, None: 0}[self.test_batch(X).reject]
        return np.full(len(X), verdict)


def _here(X: Any) -> Any:
    """Rows that are there; those of a LazyFrame are fetched."""
    return X.collect() if hasattr(X, "collect") else X
