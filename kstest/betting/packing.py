"""States to a header that JSON can hold and named arrays, and back, to the bit."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

S = TypeVar("S")


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


def unpack(kind: type[S], header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> S:
    """Put a state of class `kind` together again from what `pack` returned.

    Raises
    ------
    KeyError, TypeError
        If something is absent or of another type: the state is of another layout.
    """
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type]
        inner, many = _inner(hints[f.name])
        if f.name in arrays:
            found[f.name] = arrays[f.name]
        elif many and inner is not None:
            some = _below(arrays, f.name)
            parts = [_below(some, str(k)) for k in range(len(header[f.name]))]
            found[f.name] = tuple(map(unpack, [inner] * len(parts), header[f.name], parts))
        elif inner is not None and header[f.name] is not None:
            found[f.name] = unpack(inner, header[f.name], _below(arrays, f.name))
        else:
            value = header[f.name]
            if not (value is None or isinstance(value, str | bool | int | float)):
                raise TypeError(f"{kind.__name__}.{f.name}: found {type(value).__name__}")
            found[f.name] = value
    return kind(**found)


def _below(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of a part, by their names in it."""
    start = f"{name}."
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}


def _inner(hint: Any) -> tuple[Any, bool]:
    """The dataclass in a field's type, if there is one, and whether it is a tuple of these."""
    many = get_origin(hint) is tuple
    choices = get_args(hint) if many or get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((c for c in choices if isinstance(c, type) and is_dataclass(c)), None), many
