"""The tests, and the planning of them, as Python functions on arrays, frames and tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from .engine import Work
from .params import as_options
from .registry import METHODS
from .result import Notice, Result
from .sample import Sample
from .sources import Reader, columns_of, given_options, join_objects, reader

if TYPE_CHECKING:
    from .power import Plan


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    module = METHODS[name].load()
    others = {"threads", "plot"} if hasattr(module, "picture") else {"threads"}

    def test(*data: Any, **given: Any) -> Result:
        from .files import destinations, output
        from .plot import check, draw
        from .run import execute, picture

        plot = None if given.get("plot") is None else os.fspath(given["plot"])
        if plot is not None and "plot" in others:
            check(plot)
            destinations.check(plot, "plot")
        call = _call(name, module, data, given, others)
        result = execute(name, call.samples, call.params, call.notices, call.work, call.reading)
        if plot is not None:
            content = draw(result, picture(name, call.samples, call.params, result), plot)
            output.write(content, plot, "plot")
        return result

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
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
    from .power import search

    call = _call("plan", search, data, given, {"threads"})
    return search.plan(call.samples[0], call.params, call.notices, call.work)


@dataclass(frozen=True)
class _Call:
    """What the arguments of a function mean."""

    samples: Sequence[Sample]
    params: Any
    notices: Sequence[Notice]
    work: Work
    reading: Mapping[str, Any]


def _call(
    name: str, module: Any, data: Sequence[Any], given: Mapping[str, Any], others: Set[str]
) -> _Call:
    roles: tuple[str, ...] = module.SAMPLES
    # Tests of blocks of columns take one table, or one object per block.
    block_names: tuple[str, ...] = getattr(module, "BLOCKS", ())
    sides = roles if given.get("sample_column") is None else ("table",)
    joined = 1 < len(data) <= len(block_names)
    if len(data) != len(sides) and not joined:
        what = f"{len(sides)} sample{'s' * (len(sides) != 1)}: {', '.join(sides)}"
        more = f", or 2 to {len(block_names)} blocks of columns" if block_names else ""
        raise TypeError(f"kstest.{name} takes {what}{more}")
    options = {f.name for f in fields(module.Params)}
    how = reader(module)
    reading = _reading(roles, how)
    unknown = sorted(set(given) - options - reading - others)
    if unknown:
        accepted = ", ".join(sorted({*options, *reading, *others}))
        raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
    given = as_options((*fields(module.Params), *how.options), given)
    params = module.Params(**{k: v for k, v in given.items() if k in options})
    if hasattr(module, "check_given"):  # options that exclude each other, even at their default
        module.check_given(params, set(given))
    if joined:
        whole, lists = join_objects(dict(zip(block_names, data, strict=False)))
        params, data = module.with_blocks(params, lists), (whole,)
    kept = {k: v for k, v in given.items() if k in reading}
    chosen = how.choose(roles, kept, columns_of(module, params))
    samples, notices = how.take(dict(zip(sides, data, strict=True)), chosen)
    samples, notices = how.with_beside(module, params, samples, notices, chosen)
    threads = given.get("threads")
    work = Work() if threads is None else Work(threads=threads)
    return _Call(samples, params, notices, work, given_options(kept, how.options))


def _reading(roles: Sequence[str], how: Reader) -> set[str]:
    """Options of reading that mean something for objects."""
    names = {f.name for f in how.options} - how.files_only
    if len(roles) > 1:
        return names | {f"{role}_values" for role in roles}
    return names - {"sample_column"}
