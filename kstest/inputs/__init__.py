"""Inputs: from options, and files or objects, to what a test is run with.

One binding for the shell and the Python functions: the options of a command become its Params, and
what they name is read into Samples, all of it by the same options of reading. `batches` does so
for calibrations of `dqm` and the batches that they judge. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, replace
from typing import Any, BinaryIO, TypeVar

from ..contract import Inputs
from ..errors import UsageError
from ..result import Notice
from ..sample import Sample
from ..sources import UNIT_OPTIONS, reader
from .roles import advised, advising, remembered

P = TypeVar("P")
Taken = tuple[tuple[Sample, ...], tuple[Notice, ...]]


def params_of(inputs: Inputs[P], given: Mapping[str, Any], written: Set[str]) -> P:
    """Make the Params of a command; the names in `written` were given, all others are defaults.

    Raises
    ------
    UsageError
        For an option that cannot be, by itself or beside another one.
    """
    names = {f.name for f in fields(inputs.params)}  # type: ignore[arg-type]
    params = inputs.params(**{name: value for name, value in given.items() if name in names})
    if inputs.check_given is not None:
        inputs.check_given(params, written)
    return params


def choose(inputs: Inputs[P], params: P, given: Mapping[str, Any]) -> Any:
    """Check the options of reading, and let the command say which columns it wants."""
    wanted = None if inputs.columns is None else inputs.columns(params)
    options = reader(inputs.reads).choose(inputs.roles, given, wanted)
    if inputs.parts is not None:
        options = replace(options, parts=inputs.parts(params))
    if inputs.reads == "tables" and "chains" in inputs.accepts:
        options = replace(options, own_chains=True)
    if inputs.reads == "tables" and options.unit is not None:
        for name in options.parts:
            raise UsageError(
                f"{name} and --unit: a record has no column left but those of its features; choose "
                "the rows of a level with --where"
            )
        first = "streamed records" in inputs.accepts
        seed = getattr(params, "seed", 0)
        options = replace(options, unit_seed=seed, unit_by_first=first)
    return remembered(options)


def of_files(
    inputs: Inputs[P],
    params: P,
    given: Mapping[str, Any],
    sides: Mapping[str, Sequence[str]],
    stdin: BinaryIO | None = None,
) -> Taken:
    """Read files by side, and those that options name beside them."""
    how, options = reader(inputs.reads), choose(inputs, params, given)
    with advising(options, inputs.accepts):
        samples, notices = how.read(sides, options, stdin)
        taken = how.with_beside(inputs.beside, params, samples, notices, options, stdin)
    return taken[0], advised(taken[1], options)


def of_objects(
    inputs: Inputs[P], params: P, given: Mapping[str, Any], sides: Mapping[str, Any]
) -> Taken:
    """Take arrays, frames and tables by side, and what options name beside them."""
    how, options = reader(inputs.reads), choose(inputs, params, given)
    with advising(options, inputs.accepts):
        samples, notices = how.take(sides, options)
        taken = how.with_beside(inputs.beside, params, samples, notices, options)
    return taken[0], advised(taken[1], options)


def reading_of(inputs: Inputs[Any]) -> set[str]:
    """Names of the options of reading that mean something for objects."""
    how = reader(inputs.reads)
    names = {f.name for f in how.options} - how.files_only
    if not inputs.accepts & {"records", "streamed records"}:
        names -= set(UNIT_OPTIONS)
    if len(inputs.roles) > 1:
        return names | {f"{role}_values" for role in inputs.roles}
    return names - {"sample_column"}
