"""Tests of files of which no row is kept: `kstest.mmd(paths, paths, scheduler=...)`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Any

from ..clusters import check_scheduler, working_at
from ..contract import Test
from ..errors import UsageError
from ..inputs import params_of, reading_of
from ..inputs.spans import require_spans, spans_of
from ..run import execute_spans
from ..sources import given_options, reader
from .binding import Drawn, by_name, options_of, work_of
from .shown import Result, shown


def by_spans(
    name: str, test: Test[Any], data: Sequence[Any], given: Mapping[str, Any], others: Set[str]
) -> Result:
    """Run a test of the files that `data` names."""
    inputs = test.inputs
    require_spans(name, test)
    data, given = by_name(inputs.roles, data, given)
    if len(data) != len(inputs.roles):
        raise TypeError(f"kstest.{name} takes {len(inputs.roles)} samples")
    reading = reading_of(inputs) | reader(inputs.reads).files_only
    options = options_of(name, inputs, given, {*others, "scheduler"}, reading)
    drawn = Drawn.of(options)
    scheduler = options["scheduler"]
    check_scheduler(scheduler)
    if options.get("executor") is not None:
        raise UsageError("executor and scheduler: give one of the two")
    params = params_of(inputs, options, set(options))
    require_spans(name, test, params)
    kept = {k: v for k, v in options.items() if k in reading}
    sides = {role: _paths(role, one) for role, one in zip(inputs.roles, data, strict=True)}
    spans = spans_of(test, params, kept, sides)
    work = work_of(options.get("threads"))
    record = given_options(kept, reader(inputs.reads).options)
    with working_at(scheduler, spans.stamps, work) as (inside, where):
        result, samples = execute_spans(spans, params, test, inside, record, where)
    if test.picture is None:
        return shown(result)
    make = partial(test.picture, samples, params, result)
    return shown(result, drawn.picture(result, make))


def _paths(role: str, given: Any) -> list[str]:
    """Names of files: one, or several."""
    some = [given] if isinstance(given, str | os.PathLike) else given
    if not isinstance(some, Sequence) or not all(isinstance(p, str | os.PathLike) for p in some):
        raise UsageError(
            f"{role}: found {type(given).__name__}; with scheduler= a file, a glob or a list of "
            "them is accepted, which the workers read themselves."
        )
    return [os.fspath(path) for path in some]
