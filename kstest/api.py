"""The tests as Python functions on arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from .registry import METHODS
from .result import Result


@cache
def function(name: str) -> Callable[..., Result]:
    """Return the test `name` as a function of its samples and options."""
    module = METHODS[name].load()
    roles: tuple[str, ...] = module.SAMPLES
    options = {f.name for f in fields(module.Params)}

    def test(
        *data: Any,
        columns: str | None = None,
        exclude: str | None = None,
        missing: str = "error",
        threads: int | None = None,
        **params: Any,
    ) -> Result:
        from .engine import Work
        from .run import execute
        from .sources import ReadOptions, samples_from_objects

        if len(data) != len(roles):
            raise TypeError(f"kstest.{name} takes {len(roles)} samples: {', '.join(roles)}")
        unknown = sorted(set(params) - options)
        if unknown:
            accepted = ", ".join(sorted(options | {"columns", "exclude", "missing", "threads"}))
            raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
        checked = module.Params(**params)
        choose = module.columns(checked) if hasattr(module, "columns") else None
        reading = ReadOptions(columns=columns, exclude=exclude, missing=missing, choose=choose)
        samples, notices = samples_from_objects(dict(zip(roles, data, strict=True)), reading)
        work = Work() if threads is None else Work(threads=threads)
        return execute(name, samples, checked, notices, work)

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
    return test
