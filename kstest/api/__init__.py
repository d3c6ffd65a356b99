"""The tests, and the planning of them, as Python functions on arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from ..registry import METHODS
from ..result import Result
from ..run import execute
from .binding import MACHINE, bind, plot_path, plotted

if TYPE_CHECKING:
    from ..power import Plan


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    found = METHODS[name].load()
    others = MACHINE if found.picture is None else MACHINE | {"plot"}

    def test(*data: Any, **given: Any) -> Result:
        path = None if found.picture is None else plot_path(given.get("plot"))
        call = bind(name, found.inputs, data, given, others)
        result = execute(name, call.samples, call.params, call.notices, call.work, call.reading)
        if path is not None and found.picture is not None:
            plotted(result, found.picture(call.samples, call.params, result), path)
        return result

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = found.run.__doc__
    return test


def plan(*data: Any, **given: Any) -> Plan:
    """Find the number of rows at which a test finds a given change with a given power.

    Parameters
    ----------
    data : array, DataFrame or Arrow table
        The reference, shape (n, d).
    **given
        Options of ``kstest plan``, with underscores.

    Returns
    -------
    Plan
        With the keys of the command's JSON as attributes.

    Notes
    -----
    See `kstest.power.search` for what is simulated.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(400, 2))
    >>> kstest.plan(X, shift=1.5, draws=20, permutations=99).rows < 60
    True
    """
    from ..power import search

    call = bind("plan", search.INPUTS, data, given, MACHINE)
    return search.plan(call.samples[0], call.params, call.notices, call.work)
