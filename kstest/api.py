"""The tests as Python functions on arrays, frames and tables."""

from __future__ import annotations

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

    def test(*data: Any, threads: int | None = None, **given: Any) -> Result:
        from .engine import Work
        from .run import execute

        sides = roles if given.get("sample_column") is None else ("table",)
        joined = 1 < len(data) <= len(block_names)
        if len(data) != len(sides) and not joined:
            what = f"{len(sides)} sample{'s' * (len(sides) != 1)}: {', '.join(sides)}"
            more = f", or 2 to {len(block_names)} blocks of columns" if block_names else ""
            raise TypeError(f"kstest.{name} takes {what}{more}")
        unknown = sorted(set(given) - options - reading)
        if unknown:
            accepted = ", ".join(sorted({*options, *reading, "threads"}))
            raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
        params = module.Params(**{k: v for k, v in given.items() if k in options})
        if joined:
            whole, lists = join_objects(dict(zip(block_names, data, strict=False)))
            params, data = module.with_blocks(params, lists), (whole,)
        kept = {k: v for k, v in given.items() if k in reading}
        how = read_options(roles, kept, columns_of(module, params))
        samples, notices = samples_from_objects(dict(zip(sides, data, strict=True)), how)
        work = Work() if threads is None else Work(threads=threads)
        return execute(name, samples, params, notices, work)

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
    return test
