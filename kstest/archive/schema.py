"""What an archive may hold: names, types, shapes and ranges, checked before anything is computed.

A checksum finds accidents, but whoever writes a file can make it right. Compiled loops trust the
lengths and indices that they are given, so everything from a file is compared here with what its
owner declares (`kstest.betting.schemas`, `kstest.dqm.schema`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar, get_origin, get_type_hints

import numpy as np

from kstest.frozen import frozen

# No stream has as many rows; sums and products of a few such numbers fit in 64 bits.
LARGEST = 2**53
Sizes = Mapping[str, Any]
T = TypeVar("T")


@frozen
class Numbers:
    """An array.

    Attributes
    ----------
    shape : tuple of (int or str)
        Lengths. A name stands for one length wherever it occurs.
    dtype : str
    low, high : float
        Range of the values, which have to be finite.
    below : str
        Name of a length that all values are below: they are indices.
    or_none : bool
        Whether an array without values, of shape (0,), may stand for it.
    or_nothing : bool
        Whether minus infinity may stand for the logarithm of nothing.
    """

    shape: tuple[int | str, ...]
    dtype: str = "f8"
    low: float = -math.inf
    high: float = math.inf
    below: str = ""
    or_none: bool = False
    or_nothing: bool = False

    def check(self, where: str, found: Any, sizes: dict[str, Any]) -> None:
        """Compare an array; names of lengths that are new are entered in `sizes`.

        Raises
        ------
        ValueError
        """
        if not isinstance(found, np.ndarray) or found.dtype != np.dtype(self.dtype):
            kind = getattr(found, "dtype", type(found).__name__)
            raise ValueError(f"{where} holds {kind} in place of {np.dtype(self.dtype)}")
        if self.or_none and found.shape == (0,):
            return
        expected = [sizes.get(n, "any") if isinstance(n, str) else n for n in self.shape]
        fits = found.ndim == len(expected) and all(
            wanted in ("any", length) for wanted, length in zip(expected, found.shape, strict=True)
        )
        if not fits:
            shape = ", ".join(map(str, expected))
            raise ValueError(f"{where} has shape {found.shape} in place of ({shape})")
        for name, length in zip(self.shape, found.shape, strict=True):
            # Again, since one array may have two lengths of the same name.
            if isinstance(name, str) and sizes.setdefault(name, length) != length:
                raise ValueError(f"{where} has shape {found.shape}, lengths that should be equal")
        if not found.size:
            return
        high = self.high if not self.below else sizes[self.below] - 1
        if self.or_nothing:
            found = np.where(found == -np.inf, self.low, found)
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise ValueError(f"{where} holds values that are no numbers")
        if found.min() < self.low or found.max() > high:
            raise ValueError(f"{where} holds values outside of {self.low:g} to {high:g}")


@frozen
class Number:
    """One number of a header; a whole one unless `real`."""

    low: float = 0
    high: float = LARGEST
    real: bool = False

    def check(self, where: str, found: Any, sizes: dict[str, Any]) -> None:
        """Compare a number.

        Raises
        ------
        ValueError
        """
        kinds = int | float if self.real else int
        if isinstance(found, bool) or not isinstance(found, kinds):
            raise ValueError(f"{where} is {found!r:.40}, which is no number of its kind")
        if not self.low <= found <= self.high:
            raise ValueError(f"{where} is {found!r:.40}, outside of {self.low:g} to {self.high:g}")


@frozen
class Word:
    """One text of a header; any, or one of `choices`."""

    choices: tuple[str, ...] = ()

    def check(self, where: str, found: Any, sizes: dict[str, Any]) -> None:
        """Compare a text.

        Raises
        ------
        ValueError
        """
        if not isinstance(found, str) or (self.choices and found not in self.choices):
            raise ValueError(f"{where} is {found!r:.40}, which is no word of its kind")


@frozen
class Flag:
    """One truth value of a header."""

    def check(self, where: str, found: Any, sizes: dict[str, Any]) -> None:
        """Compare a truth value.

        Raises
        ------
        ValueError
        """
        if not isinstance(found, bool):
            raise ValueError(f"{where} is {found!r:.40}, which is no truth value")


@frozen
class Part:
    """A part with a declaration of its own, or None where `optional`.

    Attributes
    ----------
    sizes : mapping of str to (str or int)
        Lengths of the part by what they are in the whole. In a tuple of parts a length that is a
        tuple there has an element for each.
    """

    sizes: Mapping[str, str | int]
    optional: bool = False


def real(low: float = -math.inf, high: float = math.inf) -> Number:
    """A number that need not be whole."""
    return Number(low, high, real=True)


def inner(part: Part, sizes: Sizes, place: int | None = None) -> dict[str, Any]:
    """The lengths that a part knows at first: those in capitals, and what `part` hands on."""
    found = {name: length for name, length in sizes.items() if name.isupper()}
    for name, other in part.sizes.items():
        length = sizes[other] if isinstance(other, str) else other
        found[name] = length[place] if isinstance(length, tuple) and place is not None else length
    return found


def require_header(value: Any) -> None:
    """Refuse numbers that are none of ours: beyond the range, or not finite.

    Raises
    ------
    ValueError
    """
    if isinstance(value, dict):
        for element in value.values():
            require_header(element)
    elif isinstance(value, list):
        for element in value:
            require_header(element)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the header holds a number that is none")
    elif isinstance(value, int) and abs(value) > 2**64:
        raise ValueError("the header holds a number that is too large")


def typed(kind: type[T], given: Mapping[str, Any]) -> T:
    """Make an object of `kind` from what JSON kept of its fields, each of which has its type.

    Raises
    ------
    TypeError
    """
    hints = get_type_hints(kind)
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    for name, value in values.items():
        hint = hints.get(name)
        if get_origin(hint) is tuple and not isinstance(value, tuple):
            raise TypeError(f"{name} is {value!r:.40}")
        kinds = (int, float) if hint is float else (hint,)
        if hint in (str, bool, int, float) and type(value) not in kinds:
            raise TypeError(f"{name} is {value!r:.40}")
        if isinstance(value, tuple) and not all(isinstance(element, str) for element in value):
            raise TypeError(f"{name} holds what is no text")
        if isinstance(value, dict):
            raise TypeError(f"{name} is a table")
    return kind(**values)
