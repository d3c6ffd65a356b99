"""Scores that come with the data, and Python objects that can compute them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .functions import Functions, from_functions
from .target import Target

Array = NDArray[np.float64]


def paired(names: Sequence[str], prefix: str) -> tuple[tuple[str, str], ...]:
    """Pair each score column with its coordinate: prefix + NAME with x_NAME, else with NAME.

    Raises
    ------
    DataError
        Naming the score column without a partner, or the prefix that no column has.
    """
    pairs = []
    for score in names:
        if not score.startswith(prefix):
            continue
        name = score[len(prefix) :]
        partner = next((n for n in (f"x_{name}", name) if n in names and n != score), None)
        if partner is None:
            raise DataError(
                f"--score-prefix {prefix}: column {score!r} has no column 'x_{name}' or "
                f"{name!r} beside it, of whose value it would be the score"
            )
        pairs.append((partner, score))
    if not pairs:
        listed = ", ".join(repr(n) for n in names[:10])
        raise DataError(
            f"--score-prefix {prefix}: no column begins with {prefix!r}; found {listed}"
        )
    return tuple(pairs)


def from_object(thing: Any, columns: tuple[str, ...]) -> Target:
    """Return the Target of a Python object with a method `score` or `logpdf`, or of a callable.

    Parameters
    ----------
    thing : object
        `score(X)` (or the object called with X) takes (n, d) and returns (n, d), the gradient of
        log p. Optional methods: `logpdf(X)`, (n,), whose gradient stands for a missing score, and
        `sample(n, rng)`, (n, d). All columns must be on the whole real line.
    columns : tuple of str
        Columns of the data, in order.
    """
    if isinstance(thing, Target):
        return thing
    if isinstance(thing, Functions):
        return from_functions(thing, columns)
    name = type(thing).__qualname__
    density = getattr(thing, "logpdf", None)
    score = getattr(thing, "score", None if callable(density) and not callable(thing) else thing)
    if score is not None and not callable(score):
        raise UsageError(
            f"target: a {name} has no method score(X); give an object that has one, a callable, "
            "or a text such as 'normal(mean=0, sd=1)'"
        )
    d = len(columns)
    draw = getattr(thing, "sample", None)

    def sample(n: int, rng: np.random.Generator) -> Array:
        return checked(draw(n, rng), (n, d), f"sample of {name}")  # type: ignore[misc]

    given = Functions(
        score,
        density if callable(density) else None,
        getattr(thing, "__name__", name),
        sample if callable(draw) else None,
        (f"score of {name}", f"logpdf of {name}"),
    )
    return from_functions(given, columns)


def imported(text: str, allowed: bool) -> Any:
    """Return the object of ``python:module:name``; runs the module's code.

    The module is looked for beside the working directory too, as `python3 -m` would.
    """
    if not allowed:
        raise UsageError(
            f"--target {text}: would run Python code; if you trust it, add --allow-python"
        )
    parts = text.strip().split(":")
    if len(parts) != 3 or not all(part.strip() for part in parts):
        raise UsageError(f"--target {text}: write python:module:name, for example python:my:score")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(parts[1]), parts[2])
    except Exception as error:  # whatever the user's module raises
        raise UsageError(f"--target {text}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)


def checked(values: Any, shape: tuple[int, ...], what: str) -> Array:
    """Return the answer of a user's function as an array of the right shape."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"target: the {what} is no array of numbers") from None
    if array.shape != shape:
        raise UsageError(
            f"target: expected the {what} in the shape {shape} (rows, columns), found {array.shape}"
        )
    return array
