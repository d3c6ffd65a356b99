"""The tests, and the planning of them, as Python functions on arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from ..registry import METHODS
from ..run import execute
from .binding import DRAWN, MACHINE, bind, labelled, labels_of, plot_path, plotted
from .densities import KEYWORDS, able, recorded, with_functions
from .language import speaking
from .passes import by_spans
from .shown import Result, shown
from .signatures import document, options, signature

if TYPE_CHECKING:
    from ..power import Plan
    from ..thinning import Thinned


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    found = METHODS[name].load()
    others = MACHINE if found.picture is None else (*MACHINE, *DRAWN)
    if found.by_spans is not None:
        others = (*others, "scheduler")
    functions = able(found.inputs)
    others = (*KEYWORDS, *others) if functions else others

    def test(*data: Any, **given: Any) -> Result:
        if given.get("scheduler") is not None:
            return by_spans(name, found, data, given, set(others))
        path = None if found.picture is None else plot_path(given.get("plot"))
        labels = {} if found.picture is None else labels_of(given.get("label"))
        options = with_functions(given) if functions else given
        call = bind(name, found.inputs, data, options, set(others))
        result = execute(name, call.samples, call.params, call.notices, call.work, call.reading)
        record = recorded(given, result.columns, call.params)
        result = replace(result, params={**result.params, **record})
        if found.picture is None:
            return shown(result)
        drawn = partial(found.picture, call.samples, call.params, result)
        picture = partial(labelled, drawn, labels)
        if path is not None:
            plotted(result, picture(), path)
        return shown(result, picture)

    spoken: Any = speaking(lambda: options(found.inputs))(test)
    del spoken.__wrapped__
    spoken.__name__ = spoken.__qualname__ = name
    spoken.__module__ = "kstest"
    spoken.__doc__ = document(found.inputs, others, found.run.__doc__ or "")
    spoken.__signature__ = signature(found.inputs, others)
    return cast(Callable[..., Result], spoken)


@speaking(lambda: _plan_options())
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

    call = bind("plan", search.INPUTS, data, given, set(MACHINE))
    return search.plan(call.samples[0], call.params, call.notices, call.work)


@speaking(lambda: _thin_options())
def thin(*data: Any, **given: Any) -> Thinned:
    """Choose the rows that stand for many.

    Parameters
    ----------
    data : array, DataFrame or Arrow table
        Shape (n, d), in the order of the file: neighbours in a chain are paired.
    **given
        Options of ``kstest thin``, with underscores.

    Returns
    -------
    Thinned
        `index` has the places of the rows, from 0; the other attributes are the keys of the
        command's JSON.

    Notes
    -----
    See `kstest.thinning` for how rows are chosen, and how near they are.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(2000, 2))
    >>> found = kstest.thin(X, rows=100)
    >>> X[found.index].shape, found.worth[1] > 1000
    ((100, 2), True)
    """
    from .. import thinning

    call = bind("thin", thinning.INPUTS, data, with_functions(given), set(MACHINE))
    found = thinning.thin(call.samples, call.params, call.notices, call.work)
    record = recorded(given, found.columns, call.params)
    return replace(found, params={**found.params, **record})


def _thin_options() -> list[Field[Any]]:
    from ..thinning import INPUTS

    return options(INPUTS)


def _plan_options() -> list[Field[Any]]:
    from ..power import search

    return options(search.INPUTS)
