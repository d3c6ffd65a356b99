"""The tests as Python functions on arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, cast

from ..registry import METHODS
from ..run import execute
from .binding import DRAWN, MACHINE, Drawn, bind
from .densities import KEYWORDS, able, recorded, with_functions
from .language import speaking
from .passes import by_spans
from .shown import Result, shown
from .signatures import Keywords, declare, document, leading, options


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
        drawn = None if found.picture is None else Drawn.of(given)
        options = with_functions(given) if functions else given
        call = bind(name, found.inputs, data, options, set(others))
        result = execute(name, call.samples, call.params, call.notices, call.work, call.reading)
        record = recorded(given, result.columns, call.params)
        result = replace(result, params={**result.params, **record})
        if found.picture is None or drawn is None:
            return shown(result)
        make = partial(found.picture, call.samples, call.params, result)
        return shown(result, drawn.picture(result, make))

    spoken: Any = speaking(lambda: options(found.inputs))(test)
    del spoken.__wrapped__
    spoken.__name__ = spoken.__qualname__ = name
    spoken.__module__ = "kstest"
    spoken.__doc__ = document(found.inputs, found.run.__doc__ or "")
    declare(spoken, Keywords.of(found.inputs, others), "Result", leading(found.inputs))
    return cast(Callable[..., Result], spoken)
