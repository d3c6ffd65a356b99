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
    # Tests of independence take one table with blocks of columns, or one array per block.
    block_names: tuple[str, ...] = getattr(module, "BLOCKS", ())
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
        from .sources import ReadOptions, sample_from_blocks, samples_from_objects

        joined = 1 < len(data) <= len(block_names)
        if len(data) != len(roles) and not joined:
            what = f"{len(roles)} sample{'s' * (len(roles) != 1)}: {', '.join(roles)}"
            more = f", or 2 to {len(block_names)} blocks of columns" if block_names else ""
            raise TypeError(f"kstest.{name} takes {what}{more}")
        unknown = sorted(set(params) - options)
        if unknown:
            accepted = ", ".join(sorted(options | {"columns", "exclude", "missing", "threads"}))
            raise TypeError(f"kstest.{name} has no option {unknown[0]!r}; it has {accepted}")
        checked = module.Params(**params)
        blocks = module.blocks(checked) if block_names else ()
        reading = ReadOptions(columns=columns, exclude=exclude, missing=missing, blocks=blocks)
        if joined:
            if blocks:
                raise TypeError(
                    f"kstest.{name}: several arrays are blocks already; drop {blocks[0][0]}"
                )
            objects = dict(zip(block_names, data, strict=False))
            samples, notices = sample_from_blocks(objects, reading)
        else:
            samples, notices = samples_from_objects(dict(zip(roles, data, strict=True)), reading)
        work = Work() if threads is None else Work(threads=threads)
        return execute(name, samples, checked, notices, work)

    test.__name__ = test.__qualname__ = name
    test.__module__ = "kstest"
    test.__doc__ = module.run.__doc__
    return test
