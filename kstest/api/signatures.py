"""What `help()` and `inspect.signature` say of the functions, made from the tables of options.

`stub` writes them down as ``kstest/__init__.pyi`` for type checkers and editors; a test compares
that file with what it returns.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import Field, fields
from inspect import Parameter
from typing import Any

from kstest.frozen import frozen

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
    return [*own(inputs), *_reading(inputs)]


def _reading(inputs: Inputs[Any]) -> list[Field[Any]]:
    """Those of reading its samples."""
    known = reading_of(inputs)
    table = [f for f in reader(inputs.reads).options if f.name in known]
    return [f for f in table if not f.metadata.get("hidden")]


def own(inputs: Inputs[Any]) -> list[Field[Any]]:
    """Options of a test itself that mean something in Python."""
    return [f for f in fields(inputs.params) if not f.metadata.get("hidden")]


@frozen
class Keywords:
    """What a function takes by name: its own options, and those that many functions have."""

    own: Sequence[Field[Any]]
    reading: Sequence[Field[Any]] = ()
    sides: Sequence[str] = ()
    others: Sequence[str] = ()

    @classmethod
    def of(cls, inputs: Inputs[Any], others: Iterable[str]) -> Keywords:
        """Of a function of samples."""
        sides = [f"{role}_values" for role in inputs.roles] if len(inputs.roles) > 1 else []
        return cls(own(inputs), _reading(inputs), sides, tuple(others))

    def parameters(self) -> Iterator[Parameter]:
        for f in (*self.own, *self.reading):
            yield _keyword(f.name, f.default, annotation(f))
        for side in self.sides:
            yield _keyword(side, None, "str | None")
        for name in self.others:
            kind, default, _ = OTHERS[name]
            yield _keyword(name, default, kind)

    def documented(self) -> tuple[list[str], list[str]]:
        """Lines of the sections Parameters and Other Parameters."""
        speaking = [*self.own, *self.reading]

        def lines(option: Field[Any]) -> list[str]:
            words = in_python(option.metadata["help"], {}, speaking)
            return [
                f"{option.name} : {_kind(option)}, default {option.default!r}",
                *_wrapped(words),
            ]

        others = [line for f in self.reading for line in lines(f)]
        if self.sides:
            words = "Values of sample_column that make the side, such as 0-4,7 or a,b."
            others += [f"{', '.join(self.sides)} : str or None, default None", *_wrapped(words)]
        for name in self.others:
            kind, default, words = OTHERS[name]
            others += [f"{name} : {_plain(kind)}, default {default!r}", *_wrapped(words)]
        return [line for f in self.own for line in lines(f)], others


def declare(
    function: Any, keywords: Keywords, returns: str, first: Sequence[Parameter] | None = None
) -> None:
    """Give a function the signature of its keywords, and put them into its docstring.

    They follow the parameters that it names (or `first`) and those that the docstring has; what
    many functions have comes in a section of its own.
    """
    if first is None:
        named = inspect.signature(function).parameters.values()
        first = [p for p in named if p.kind is not Parameter.VAR_KEYWORD]
    found = [*first, *keywords.parameters()]
    bare = [p.replace(annotation=_Bare(p.annotation)) for p in found]
    function.__signature__ = inspect.Signature(bare, return_annotation=_Bare(returns))
    mine, others = keywords.documented()
    head, _, tail = (inspect.getdoc(function) or "").partition("\n\nReturns\n")
    lines = "".join(f"\n{line}" for line in mine)
    title = "\n\nOther Parameters\n----------------\n" if others else ""
    function.__doc__ = f"{head}{lines}{title}" + "\n".join(others) + f"\n\nReturns\n{tail}"


def leading(inputs: Inputs[Any]) -> list[Parameter]:
    """Roles by place or name; blocks of columns by place."""
    first, *rest = inputs.roles
    kind = Parameter.POSITIONAL_ONLY if inputs.blocks else Parameter.POSITIONAL_OR_KEYWORD
    found = [Parameter(first, kind, annotation="Any")]
    # One table is enough where a column says which side its rows belong to.
    found += [Parameter(role, kind, default=None, annotation="Any") for role in rest]
    if inputs.blocks:
        found.append(Parameter("blocks", Parameter.VAR_POSITIONAL, annotation="Any"))
    return found


class _Bare(str):
    """An annotation that help() shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


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


def document(inputs: Inputs[Any], words: str) -> str:
    """The docstring of a test with the parameters of its function in place of its own."""
    head, _, rest = inspect.cleandoc(words).partition("Parameters\n")
    _, _, tail = rest.partition("\nReturns\n")
    what = SEQUENCES if inputs.reads == "sequences" else DATA
    lines = [f"{', '.join(inputs.roles)} : {what[0].lower()}{what[1:].rstrip('.')}"]
    if len(inputs.roles) > 1:
        lines += _wrapped("Rows of each side; or one table, with `sample_column`.")
    if inputs.blocks:
        lines.append(f"*blocks : {DATA[0].lower()}{DATA[1:].rstrip('.')}, optional")
        lines += _wrapped(
            "Instead of one table with x= and y=: an object for each block of columns."
        )
    return f"{head}Parameters\n----------\n" + "\n".join(lines) + f"\n\nReturns\n{tail}"


def _kind(option: Field[Any]) -> str:
    choices = option.metadata.get("choices")
    if choices:
        return f"{{{', '.join(map(repr, choices))}}}"
    return _plain(annotation(option))


def _plain(kind: str) -> str:
    """A type in words."""
    words = {"Text": "text, number or list", "Any": "object", "Generator": "numpy Generator"}
    words |= {"PathLike[str]": "path", "Mapping[str, str]": "mapping of str to str"}
    words |= {"Callable[[Any], Any]": "callable"}
    return " or ".join(words.get(part, part) for part in kind.split(" | "))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 95, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )


# Functions that are no tests of samples.
DECLARED = ("plan", "thin", "dqm_calibrate", "dqm_check", "dqm_compare", "dqm_explain")

STUB = '''\
"""The tests of kstest as typed functions; made by ``python3 -m tests.stub``."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from typing import Any, Literal

from numpy.random import Generator

from . import testing as testing
from .api.detector import DriftDetector as DriftDetector
from .api.dqm import load as dqm_load
from .api.planned import Plan
from .api.shown import Result as Result
from .api.thinned import Thinned
from .dqm.calibration import Calibration

Text = str | float | Sequence[str | float]

__version__: str
'''


def stub(package: Any) -> str:
    """Return the text of the file ``__init__.pyi`` of a package with these functions."""
    named = "".join(f"    {name!r},\n" for name in dir(package))
    functions = {name: getattr(package, name) for name in (*METHODS, *DECLARED)}
    declared = (_declared(name, inspect.signature(f)) for name, f in functions.items())
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
