"""Immutable classes of named fields: `dataclass(frozen=True)` at a third of its price.

Every command defines a hundred such classes before it reads a byte, and the standard library
compiles six functions for each of them: a sixth of what a small command costs. Here it compiles
`__init__` alone; comparison, hash, repr and the refusal to change are shared by all classes. What
else the standard library offers, `fields`, `replace`, `asdict` and `field`, works as it does there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(kind: type[T], /) -> type[T]: ...


@overload
def frozen(*, kw_only: bool = ...) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T] | None = None, /, *, kw_only: bool = False) -> Any:
    """Make a class of annotated fields whose instances cannot be changed.

    Parameters
    ----------
    kind : type
        The class; its own `__eq__`, `__hash__` and `__repr__`, where it defines them, stay.
    kw_only : bool
        Fields are given by name only.

    Raises
    ------
    dataclasses.FrozenInstanceError
        By an instance of the class, where a field that has a value is set or deleted.

    Examples
    --------
    >>> from kstest.frozen import frozen
    >>> @frozen
    ... class Point:
    ...     "A point of the plane."
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0)
    Point(x=1.0, y=0.0)
    >>> Point(1.0) == Point(1.0, 0.0)
    True
    """

    def made(kind: type[T]) -> type[T]:
        own = vars(kind)
        result = dataclass(eq=False, repr=False, kw_only=kw_only)(kind)
        for name, shared in _SHARED.items():
            if name not in own:
                setattr(result, name, shared)
        return result

    return made if kind is None else made(kind)


def _values(instance: Any) -> tuple[Any, ...]:
    return tuple(getattr(instance, f.name) for f in fields(instance) if f.compare)


def _equal(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    shown = [f.name for f in fields(self) if f.repr]
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({values})"


def _set(self: Any, name: str, value: Any) -> None:
    if name in self.__dict__ or name not in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _set,
    "__delattr__": _delete,
}
