"""The tests as Python functions on arrays, frames and tables."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from .registry import METHODS
from .result import Result
from .sources import (
    FILES_ONLY,
    OPTIONS,
    columns_of,
    given_options,
    join_objects,
    read_options,
    samples_from_objects,
)


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    module = METHODS[name].load()
    roles: tuple[str, ...] = module.SAMPLES
    # Tests of blocks of columns take one table, or one object per block.
    block_names: tuple[str, ...] = getattr(module, "BLOCKS", ())
    options = {f.name for f in fields(module.Params)}
    reading = {f.name for f in OPTIONS} - FILES_ONLY
    if len(roles) > 1:
        reading |= {f"{role}_values" for role in roles}
    else:
        reading.remove("sample_column")
    others = {"threads", "plot"} if hasattr(module, "picture") else {"threads"}

    def test(*data: Any, **given: Any) -> Result:
        from .engine import Work
        from .plot import check, draw
        from .run import execute, picture
        from .shell import output

        sides = roles if given.get("sample_column") is None else ("table",)
        joined = 1 < len(data) <= len(block_names)
        if len(data) != len(sides) and not joined:
            what = f"{len(sides)} sample{'s' * (len(sides) != 1)}: {', '.join(sides)}"
            more = f", or 2 to {len(block_names)} blocks of columns" if block_names else ""
            raise TypeError(f"kstest.{name} takes {what}{more}")
        unknown = sorted(set(given) - options - reading - others)
        if unknown:
            accepted = ", ".join(sorted({*options, *reading, *others}))
            raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
        plot = None if given.get("plot") is None else os.fspath(given["plot"])
        if plot is not None:
            check(plot)
            output.check(plot, "plot")
        params = module.Params(**{k: v for k, v in given.items() if k in options})
        if joined:
            whole, lists = join_objects(dict(zip(block_names, data, strict=False)))
            params, data = module.with_blocks(params, lists), (whole,)
        kept = {k: v for k, v in given.items() if k in reading}
        how = read_options(roles, kept, columns_of(module, params))
        samples, notices = samples_from_objects(dict(zip(sides, data, strict=True)), how)
        threads = given.get("threads")
        work = Work() if threads is None else Work(threads=threads)
        result = execute(name, samples, params, notices, work, given_options(kept))
        if plot is not None:
            content = draw(result, picture(name, samples, params, result), plot)
            output.write(content, plot, "plot")
        return result

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
    return test
