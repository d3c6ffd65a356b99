"""Assertions for test suites: `assert_same` fails where two samples differ, and says where."""

from __future__ import annotations

from typing import Any

from .api import function
from .api.shown import Result

__all__ = ["assert_same"]

TESTS = ("mmd", "ks")


def assert_same(reference: Any, sample: Any, *, test: str = "mmd", **options: Any) -> Result:
    """Fail where a test finds that two samples come from different distributions.

    It passes where the test does not reject, which is no proof that the distributions are the
    same; on data that are, it fails with probability ``alpha``, so choose that for a suite that
    runs often, and keep the seed, so that a run can be repeated.

    Parameters
    ----------
    reference, sample : array, DataFrame or Arrow table
    test : {'mmd', 'ks'}
    **options
        Of that test, such as ``alpha=0.001`` or ``missing='drop'``.

    Returns
    -------
    Result

    Raises
    ------
    AssertionError
        With the report, where the test rejects, and where there is no verdict: then nothing was
        tested.

    Examples
    --------
    >>> import numpy
    >>> from kstest.testing import assert_same
    >>> rng = numpy.random.default_rng(1)
    >>> X = rng.normal(size=(80, 2))
    >>> assert_same(X, rng.normal(size=(80, 2)), alpha=0.001)
    <kstest.mmd: not rejected, p_value=0.443, alpha=0.001, n=(80, 80), d=2>
    >>> assert_same(X, X + 2)
    Traceback (most recent call last):
    ...
    AssertionError: REJECTED: ...
    """
    __tracebackhide__ = True  # pytest then shows the line of the caller
    return require(compared(reference, sample, test=test, **options))


def compared(reference: Any, sample: Any, *, test: str = "mmd", **options: Any) -> Result:
    """Run the test of `assert_same`."""
    if test not in TESTS:
        raise TypeError(f"assert_same has no test {test!r}; it has {', '.join(TESTS)}")
    return function(test)(reference, sample, **options)


def require(result: Result) -> Result:
    """Fail unless a result does not reject."""
    __tracebackhide__ = True
    if result.reject is not False:
        raise AssertionError(str(result))
    return result
