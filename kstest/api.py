"""The tests as Python functions on arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from .registry import METHODS
from .result import Result
from .sources import FILES_ONLY, OPTIONS, columns_of, read_options, samples_from_objects


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    module = METHODS[name].load()
    roles: tuple[str, ...] = module.SAMPLES
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
        if len(data) != len(sides):
            raise TypeError(f"kstest.{name} takes {len(sides)} samples: {', '.join(sides)}")
        unknown = sorted(set(given) - options - reading)
        if unknown:
            accepted = ", ".join(sorted({*options, *reading, "threads"}))
            raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
        params = module.Params(**{k: v for k, v in given.items() if k in options})
        kept = {k: v for k, v in given.items() if k in reading}
        how = read_options(roles, kept, columns_of(module, params))
        samples, notices = samples_from_objects(dict(zip(sides, data, strict=True)), how)
        work = Work() if threads is None else Work(threads=threads)
        return execute(name, samples, params, notices, work)

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
    return test
