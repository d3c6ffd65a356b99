"""A check for Pandera: rows of a validated table come from the distribution of a reference.

It is an extra: ``pip install 'kstest[pandera]'``. Nothing else in kstest imports Pandera.
"""

from __future__ import annotations

import inspect
from typing import Any

from .api import function
from .errors import DataError
from .testing import TESTS, compared

try:
    from pandera.pandas import Check
except ImportError as error:
    raise ImportError(
        "kstest.pandera needs Pandera 0.24 or later: pip install 'kstest[pandera]'"
    ) from error

__all__ = ["same_distribution"]


class _Reported(Check):  # type: ignore[misc]  # a class of a library that may be missing
    """A check whose error is what its function wrote into its statistics: the report."""

    @classmethod
    def get_backend(cls, check_obj: Any) -> Any:
        return Check.get_backend(check_obj)

    def __call__(self, check_obj: Any, column: str | None = None) -> Any:
        found = super().__call__(check_obj, column)
        self.error = self._check_fn.told
        return found


class _Same:
    """Whether a test does not reject; `told` is its report, or why there is none."""

    def __init__(self, reference: Any, test: str, options: dict[str, Any]) -> None:
        self.reference, self.test, self.options = reference, test, options
        self.told = f"no other distribution than the reference, by kstest.{test}"
        self.__name__ = "same_distribution"

    def __call__(self, table: Any) -> bool:
        try:
            reference = _like(self.reference, table)
            result = compared(reference, table, test=self.test, **self.options)
        except DataError as error:
            self.told = str(error)
            return False
        self.told = str(result)
        return result.reject is False


def same_distribution(
    reference: Any,
    *,
    test: str = "mmd",
    name: str = "same_distribution",
    raise_warning: bool = False,
    **options: Any,
) -> Any:
    """Make a check of Pandera that fails where a test tells a table from a reference.

    It passes where the test does not reject, which is no proof that the distributions are the
    same; on data that are, it fails with probability ``alpha``, so choose that for tables that are
    validated often. It fails too where there is no verdict, as of too few rows.

    Parameters
    ----------
    reference : array, DataFrame or Arrow table
        With the columns that are compared. A check of a single column takes that of its name.
    test : {'mmd', 'ks'}
    name : str
        Of the check, in Pandera's reports.
    raise_warning : bool
        Warn instead of fail, as of every check of Pandera.
    **options
        Of that test, such as ``alpha=0.001``, ``columns=["a", "b"]`` or ``missing='drop'``.

    Returns
    -------
    pandera.Check
        For a DataFrameSchema or a Column; its error is the report of the test.

    Raises
    ------
    TypeError
        For a test or an option that does not exist.

    Examples
    --------
    >>> import numpy, pandas
    >>> import pandera.pandas as pa
    >>> from kstest.pandera import same_distribution
    >>> rng = numpy.random.default_rng(1)
    >>> reference = pandas.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    >>> schema = pa.DataFrameSchema(checks=same_distribution(reference, alpha=0.001))
    >>> schema.validate(reference + 2)
    Traceback (most recent call last):
    ...
    pandera.errors.SchemaError: ... REJECTED: ...
    """
    if test not in TESTS:
        raise TypeError(f"same_distribution has no test {test!r}; it has {', '.join(TESTS)}")
    if not set(options) <= set(inspect.signature(function(test)).parameters):
        function(test)([0.0], [0.0], **options)  # which knows what is meant
    return _Reported(
        _Same(reference, test, options),
        name=name,
        raise_warning=raise_warning,
        ignore_na=False,  # missing cells are an option of the test
        statistics={"test": test, **options},
    )


def _like(reference: Any, table: Any) -> Any:
    """The column of a reference that a single column is compared with."""
    names = getattr(reference, "columns", ())
    name = getattr(table, "name", None)
    one = getattr(table, "ndim", 2) == 1
    return reference[name] if one and name is not None and name in names else reference
