"""`kstest mmd` where the reference is a sketch: other rows, another null, the same command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..files import destinations
from ..inputs import params_of
from ..params import option_name
from ..privacy import against
from ..privacy.recognise import is_sketch
from ..privacy.sketch import Sketch, load
from ..report import render
from ..run import execute
from ..sources import given_options, reader
from ..sources.options import DIALECTS, for_side
from ..wording import label
from .call import deliver, files_of, read, sides_of, working, written
from .release import reading, with_categories

ROLES = ("reference", "sample")
_FORMS = tuple(f.name for f in DIALECTS)
# Options of `kstest mmd` that mean the same where the reference is a sketch.
TAKEN = frozenset({
    "files", "role_reference", "role_sample", "alpha", "permutations", "seed", "explain", "missing",
    "input_format", "null_values", "form", "output", "quiet", "exit_zero", "threads", "cite",
    "debug", *_FORMS, *(for_side("sample", name) for name in _FORMS),
})  # fmt: skip
INSTEAD = {
    "columns": "the columns are those of the sketch",
    "exclude": "the columns are those of the sketch",
    "categorical": "the sketch says which columns are categories",
    "scale": "the units are those of the sketch",
    "bandwidth": "the bandwidths are those of the sketch",
    "kernel": "the kernel is that of the sketch",
    "where": "it is about the rows of both sides, and the sketch's are not there; choose rows "
    "before, of both sides alike",
    "plot": "there is no picture without the rows of the reference",
}


def run_against(given: Mapping[str, Any]) -> int:
    """Read a sketch and a batch, and deliver the answer; the exit code."""
    for name in sorted(written() - TAKEN):
        why = INSTEAD.get(name, "it needs the rows of the reference")
        raise UsageError(
            f"{option_name(name)}: cannot be taken against a sketch: {why}; leave it out"
        )
    sides = sides_of(ROLES, given)
    sketch, path = _sketch(sides)
    test = against.test_of(sketch)
    apart = {name: given[key] for name in _FORMS if (key := for_side("sample", name)) in written()}
    given = with_categories({**given, **apart}, sketch.columns)
    params = params_of(test.inputs, given, written())
    destinations.require(given, files_of(sides), params)
    inputs = reading(test.inputs, sketch.columns, f"the sketch {label(path)}")
    samples, notices = read(inputs, {"sample": sides["sample"]}, params, given)
    record = {"reference": path, **given_options(given, reader("tables").options)}
    with working(given, "summing features") as work:
        result = execute("mmd", samples, params, notices, work, record, test)
    deliver(lambda color: render(result, given["form"], color), given)
    return 0 if given["exit_zero"] and result.exit_code == 1 else result.exit_code


def _sketch(sides: Mapping[str, list[str]]) -> tuple[Sketch, str]:
    """The sketch among the sides.

    Raises
    ------
    UsageError
        If it is not the one reference.
    """
    second = [path for path in sides["sample"] if is_sketch(path)]
    if second and any(map(is_sketch, sides["reference"])):
        raise UsageError(
            f"{label(second[0])}: is a sketch like the reference; two sketches cannot be compared, "
            "since the covariance of rows is in neither: give the rows of one side"
        )
    if second:
        raise UsageError(
            f"{label(second[0])}: is a sketch, which stands for the reference: name it first"
        )
    if len(sides["reference"]) > 1:
        raise UsageError("--reference: give one sketch; several are not added up")
    return load(sides["reference"][0]), sides["reference"][0]
