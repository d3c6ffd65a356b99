"""What `help()` and `inspect.signature` say of the functions, made from the tables of options.

`stub` writes them down as ``kstest/__init__.pyi`` for type checkers and editors; a test compares
that file with what it returns.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import Field, fields
from inspect import Parameter
from typing import Any

from ..contract import Inputs
from ..inputs import reading_of
from ..registry import METHODS
from ..sources import reader
from .language import in_python

DATA = "Array, DataFrame or Arrow table."
SEQUENCES = "List of strings, or of lists of symbols or of whole numbers."
OTHERS = {
    "scores": (
        "Any",
        None,
        "In place of target: a function of NumPy, JAX or torch from rows (n, d), with the columns "
        "in the order of the data, to the gradient of the log density, (n, d), or from a row to a "
        "row; or the scores themselves, an array of the shape of the data.",
    ),
    "logdensity": (
        "Callable[[Any], Any] | None",
        None,
        "In place of target or beside scores: a function from rows to the log density, (n,), up "
        "to a constant. Without scores its gradient is taken, exactly in JAX and torch, else by "
        "differences.",
    ),
    "name": ("str | None", None, "How reports call the density of these functions."),
    "threads": ("int | None", None, "Threads; by default all processors."),
    "executor": (
        "Executor | None",
        None,
        "Runs the sums in place of threads: a process pool, or a cluster.",
    ),
    "scheduler": (
        "Any",
        None,
        "Samples are then files or globs, read twice and not kept: 'local', or the address or the "
        "Client of a dask scheduler.",
    ),
    "plot": ("str | PathLike[str] | None", None, "File to draw: .svg, .png or .html."),
    "label": (
        "Mapping[str, str] | None",
        None,
        "Names of axes by column, in all pictures of the result: {'t1': 'drift time [ns]'}.",
    ),
}


def options(inputs: Inputs[Any]) -> list[Field[Any]]:
    """Options of a test that mean something in Python, its own before those of reading."""
    reading = reading_of(inputs)
    table = [f for f in reader(inputs.reads).options if f.name in reading]
    return [f for f in (*fields(inputs.params), *table) if not f.metadata.get("hidden")]


def signature(inputs: Inputs[Any], others: Iterable[str]) -> inspect.Signature:
    """Roles by place or name, blocks of columns by place, options by name alone."""
    first, *rest = inputs.roles
    kind = Parameter.POSITIONAL_ONLY if inputs.blocks else Parameter.POSITIONAL_OR_KEYWORD
    found = [Parameter(first, kind, annotation="Any")]
    # One table is enough where a column says which side its rows belong to.
    found += [Parameter(role, kind, default=None, annotation="Any") for role in rest]
    if inputs.blocks:
        found.append(Parameter("blocks", Parameter.VAR_POSITIONAL, annotation="Any"))
    for f in options(inputs):
        found.append(_keyword(f.name, f.default, annotation(f)))
    if len(inputs.roles) > 1:
        found += [_keyword(f"{role}_values", None, "str | None") for role in inputs.roles]
    for name in others:
        kind_of, default, _ = OTHERS[name]
        found.append(_keyword(name, default, kind_of))
    return inspect.Signature(found, return_annotation="Result")


def _keyword(name: str, default: Any, kind: str) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def annotation(option: Field[Any]) -> str:
    """The Python type of an option; text of the shell may be numbers and lists here."""
    kind = str(option.type)
    base, none = kind.removesuffix(" | None"), " | None" * kind.endswith(" | None")
    if option.name == "seed":
        return "int | Generator | None"
    if option.metadata.get("choices"):
        return f"Literal[{', '.join(map(repr, option.metadata['choices']))}]{none}"
    if base == "str":
        return f"Text{none}"
    return kind if base in ("int", "float", "bool") else "Any"


def document(inputs: Inputs[Any], others: Iterable[str], words: str) -> str:
    """The docstring of a test with the parameters of its function in place of its own."""
    head, _, rest = words.partition("    Parameters\n")
    _, _, tail = rest.partition("\n    Returns\n")
    what = SEQUENCES if inputs.reads == "sequences" else DATA
    lines = [f"{', '.join(inputs.roles)} : {what[0].lower()}{what[1:].rstrip('.')}"]
    if inputs.blocks:
        some = f"*blocks : {DATA[0].lower()}{DATA[1:].rstrip('.')}, optional"
        text = "Instead of one table with x= and y=: an object for each block of columns."
        lines += [some, *_wrapped(text)]
    for f in options(inputs):
        lines += [f"{f.name} : {_kind(f)}, default {f.default!r}"]
        lines += _wrapped(in_python(f.metadata["help"], {}, options(inputs)))
    for name in others:
        kind, default, text = OTHERS[name]
        lines += [f"{name} : {kind}, default {default!r}", *_wrapped(text)]
    body = "\n".join(f"    {line}".rstrip() for line in lines)
    return f"{head}    Parameters\n    ----------\n{body}\n\n    Returns\n{tail}"


def _kind(option: Field[Any]) -> str:
    choices = option.metadata.get("choices")
    if choices:
        return f"{{{', '.join(map(repr, choices))}}}"
    words = {"Text": "text, number or list", "Any": "object", "Generator": "numpy Generator"}
    kinds = (words.get(kind, kind) for kind in annotation(option).split(" | "))
    return " or ".join(kinds)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 95, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )


STUB = '''\
"""The tests of kstest as typed functions; made by ``python3 -m tests.stub``."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from typing import Any, Literal

from numpy.random import Generator

from . import testing as testing
from .api import plan as plan
from .api import thin as thin
from .api.dqm import calibrate as dqm_calibrate
from .api.dqm import check as dqm_check
from .api.dqm import compare as dqm_compare
from .api.dqm import explain as dqm_explain
from .api.dqm import load as dqm_load
from .api.detector import DriftDetector as DriftDetector
from .api.shown import Result as Result

Text = str | float | Sequence[str | float]

__version__: str
'''


def stub(names: Iterable[str]) -> str:
    """Return the text of ``kstest/__init__.pyi``, of a package with these names."""
    from . import function

    named = "".join(f"    {name!r},\n" for name in names)
    declared = (_declared(name, inspect.signature(function(name))) for name in METHODS)
    return "\n".join([f"{STUB}__all__ = [\n{named}]\n", *declared])


def _declared(name: str, found: inspect.Signature) -> str:
    parts: Sequence[Parameter] = list(found.parameters.values())
    lines, starred = [], False
    for p in parts:
        if p.kind is Parameter.VAR_POSITIONAL:
            lines.append(f"*{p.name}: {p.annotation}")
            starred = True
            continue
        if p.kind is Parameter.KEYWORD_ONLY and not starred:
            lines.append("*")
            starred = True
        default = "" if p.default is Parameter.empty else " = ..."
        lines.append(f"{p.name}: {p.annotation}{default}")
        if p.kind is Parameter.POSITIONAL_ONLY:
            lines.append("/")
    body = "".join(f"    {line},\n" for line in lines)
    return f"def {name}(\n{body}) -> {found.return_annotation}: ...\n"
