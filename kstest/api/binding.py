"""What the arguments of a function mean: Samples, checked options, threads, a file to draw."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs
from ..engine import Work
from ..errors import UsageError
from ..files import destinations, output
from ..inputs import of_objects, params_of, reading_of
from ..params import as_options
from ..plot import check, draw
from ..result import Answer, Notice, Result
from ..sample import Sample
from ..sources import given_options, reader
from ..sources.objects import join_objects
from .language import unknown as unknown_option

if TYPE_CHECKING:
    from ..picture import Picture

# Options of every function that are none of its test: where the sums run. See `Work`.
MACHINE = ("threads", "executor")
# Of every function that has a picture.
DRAWN = ("plot", "label")


@frozen
class Call:
    """What a function is to do."""

    samples: Sequence[Sample]
    params: Any
    notices: Sequence[Notice]
    work: Work
    reading: Mapping[str, Any]


def options_of(
    name: str, inputs: Inputs[Any], given: Mapping[str, Any], others: Set[str], reading: Set[str]
) -> dict[str, Any]:
    """Options as the command takes them; unknown ones are refused.

    Parameters
    ----------
    name : str
        Of the function, for messages.
    inputs : Inputs
    given : mapping
    others, reading : set of str
        Accepted besides the Params: options of the function, and of reading.

    Raises
    ------
    TypeError, UsageError
    """
    accepted = {f.name for f in fields(inputs.params)} | reading | others
    unknown = sorted(set(given) - accepted)
    if unknown:
        raise unknown_option(name, unknown[0], accepted)
    if "seed" in given:
        given = {**given, "seed": _seed(given["seed"])}
    return as_options((*fields(inputs.params), *reader(inputs.reads).options), given)


def _seed(seed: Any) -> Any:
    """A seed drawn from a generator of NumPy, where one is given."""
    if isinstance(seed, np.random.RandomState):
        return int(seed.randint(2**31))
    if isinstance(seed, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        return int(np.random.default_rng(seed).integers(2**32))
    return seed


def by_name(
    roles: Sequence[str], data: Sequence[Any], given: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Samples that were given as keywords, put in their places; and the other keywords."""
    rest, placed = dict(given), [*data]
    for role in roles[len(data) :]:
        if role in rest:
            placed.append(rest.pop(role))
    while len(placed) > 1 and placed[-1] is None:
        placed.pop()
    return tuple(placed), rest


def bind(
    name: str, inputs: Inputs[Any], data: Sequence[Any], given: Mapping[str, Any], others: Set[str]
) -> Call:
    """Take the samples and options of a function of objects."""
    data, given = by_name(inputs.roles, data, given)
    # Tests of blocks of columns take one table, or one object per block.
    sides = inputs.roles if given.get("sample_column") is None else ("table",)
    if inputs.least <= len(data) < len(sides):
        sides = inputs.roles[: len(data)]
    joined = 1 < len(data) <= len(inputs.blocks)
    if len(data) != len(sides) and not joined:
        least = f"{inputs.least} or " * (inputs.least < len(sides))
        what = f"{least}{len(sides)} sample{'s' * (len(sides) != 1)}: {', '.join(sides)}"
        more = f", or 2 to {len(inputs.blocks)} blocks of columns" if inputs.blocks else ""
        raise TypeError(f"kstest.{name} takes {what}{more}")
    reading = reading_of(inputs)
    given = options_of(name, inputs, given, others, reading)
    params = params_of(inputs, given, set(given))
    if joined and inputs.with_blocks is not None:
        whole, lists = join_objects(dict(zip(inputs.blocks, data, strict=False)))
        params, data = inputs.with_blocks(params, lists), (whole,)
    kept = {k: v for k, v in given.items() if k in reading}
    samples, notices = of_objects(inputs, params, kept, dict(zip(sides, data, strict=True)))
    record = given_options(kept, reader(inputs.reads).options)
    work = work_of(given.get("threads"), given.get("executor"))
    return Call(samples, params, notices, work, record)


def work_of(threads: Any, executor: Any = None) -> Work:
    """Threads, all processors by default, or an executor in their place."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        found = type(executor).__name__
        raise UsageError(f"executor: found {found}; accepted: a concurrent.futures.Executor.")
    if threads is None:
        return Work(executor=executor)
    if not isinstance(threads, Integral) or isinstance(threads, bool) or threads < 1:
        raise UsageError("--threads: give a whole number, at least 1")
    return Work(threads=int(threads), executor=executor)


@frozen
class Drawn:
    """What a call says of pictures, checked before anything is computed."""

    path: str | None
    labels: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Drawn:
        return cls(plot_path(given.get("plot")), labels_of(given.get("label")))

    def picture(
        self, result: Result | Answer, make: Callable[[], Picture]
    ) -> Callable[[], Picture]:
        """The picture of an answer with its axes named, when it is asked for; and its file."""
        picture = partial(labelled, make, self.labels)
        if self.path is not None:
            output.write(draw(result, picture(), self.path), self.path, "plot")
        return picture


def plot_path(plot: str | os.PathLike[str] | None) -> str | None:
    """The file to draw, checked before anything is computed."""
    if plot is None:
        return None
    if not isinstance(plot, str | os.PathLike):
        raise UsageError(f"plot: found {type(plot).__name__}; accepted: the name of a file.")
    path = os.fspath(plot)
    check(path)
    destinations.check(path, "plot")
    return path


def labels_of(label: Any) -> Mapping[str, str]:
    """Names of axes by column, as ``label=`` gives them, checked before anything is computed."""
    label = {} if label is None else label
    if not isinstance(label, Mapping) or not all(
        isinstance(text, str) and text for pair in label.items() for text in pair
    ):
        raise UsageError(
            f"label: found {label!r}; accepted: names of axes by column, such as "
            "label={'t1': 'drift time [ns]'}."
        )
    return label


def labelled(make: Callable[[], Picture], labels: Mapping[str, str]) -> Picture:
    """A picture with its axes named as was asked."""
    if not labels:
        return make()
    from ..picture import relabelled

    picture, used = relabelled(make(), labels)
    for name in labels if picture.panels else ():
        if name not in used:
            text = f"label: no axis of the picture is that of a column {name}"
            warnings.warn(text, stacklevel=3)
    return picture
