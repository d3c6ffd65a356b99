"""States to a header that JSON can hold and named arrays, and back, to the bit."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from kstest.frozen import frozen

from .schema import Numbers, Part, inner

S = TypeVar("S")


@frozen
class Declared:
    """What states may hold: a rule for every field of every class, and what holds between fields.

    Attributes
    ----------
    schemas : mapping of type to mapping of str to rule
    invariants : mapping of type to callable
        A state -> whether it can be one.
    """

    schemas: Mapping[type, Mapping[str, Any]]
    invariants: Mapping[type, Callable[[Any], bool]]


def pack(state: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a frozen dataclass apart.

    Its fields may be numbers, words, None, arrays, dataclasses of these, and tuples of such
    dataclasses.

    Returns
    -------
    header : dict
        What is no array, nested as the state is.
    arrays : dict of str to ndarray
        By the path of their field, such as ``test.joint``.
    """
    header: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for f in fields(state):
        value = getattr(state, f.name)
        if isinstance(value, np.ndarray):
            arrays[f.name] = value
        elif is_dataclass(value) and not isinstance(value, type):
            inner, more = pack(value)
            header[f.name] = inner
            arrays |= {f"{f.name}.{name}": array for name, array in more.items()}
        elif isinstance(value, tuple):
            header[f.name] = []
            for k, element in enumerate(value):
                inner, more = pack(element)
                header[f.name].append(inner)
                arrays |= {f"{f.name}.{k}.{name}": array for name, array in more.items()}
        elif value is None or isinstance(value, str | bool | int | float):
            header[f.name] = value
        else:
            raise TypeError(f"{type(state).__name__}.{f.name}: cannot pack {type(value).__name__}")
    return header, arrays


def unpack(
    kind: type[S],
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    declared: Declared,
    sizes: Mapping[str, Any],
    where: str = "",
) -> S:
    """Put a state of class `kind` together again from what `pack` returned.

    Parameters
    ----------
    kind, header, arrays
        As they were packed.
    declared : schemas and invariants
        What every field may hold, by class (see `kstest.archive.schema`), and what holds between
        the fields.
    sizes : mapping of str to int
        Lengths by their name.
    where : str
        Of what it is a part, for messages.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is absent, of another type or shape, or out of its range.
    """
    hints, known = _hints(cast(type, kind)), dict(sizes)
    found: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type]
        rule, name = declared.schemas[kind][f.name], f"{where}{f.name}"
        part, many = _inner(hints[f.name])
        if not isinstance(rule, Part):
            value = arrays[f.name] if isinstance(rule, Numbers) else header[f.name]
            rule.check(name, value, known)
            found[f.name] = value
        elif part is not None and many:
            below = _below(arrays, f.name)
            found[f.name] = tuple(
                unpack(
                    part,
                    inner_header,
                    _below(below, str(k)),
                    declared,
                    inner(rule, known, k),
                    f"{name}.{k}.",
                )
                for k, inner_header in enumerate(header[f.name])
            )
        elif header[f.name] is None and rule.optional:
            found[f.name] = None
        else:
            some, more = _below(arrays, f.name), inner(rule, known)
            found[f.name] = unpack(part, header[f.name], some, declared, more, f"{name}.")
    state = kind(**found)
    if kind in declared.invariants and not declared.invariants[kind](state):
        raise ValueError(f"{where.rstrip('.') or kind.__name__} contradicts itself")
    return state


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields; the words of annotations are evaluated once, not for every state."""
    return get_type_hints(kind)


def _below(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of a part, by their names in it."""
    start = f"{name}."
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}


def _inner(hint: Any) -> tuple[Any, bool]:
    """The dataclass in a field's type, if there is one, and whether it is a tuple of these."""
    many = get_origin(hint) is tuple
    choices = get_args(hint) if many or get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((c for c in choices if isinstance(c, type) and is_dataclass(c)), None), many
