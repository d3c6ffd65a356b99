"""Immutable classes of named fields: `dataclass(frozen=True)` at a third of its price.

Every command defines a hundred such classes before it reads a byte, and the standard library
compiles six functions for each of them: a sixth of what a small command costs. Here nothing is
compiled, as all classes share their functions. What else the standard library offers, `fields`,
`replace`, `asdict` and `field`, works as it does there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
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
        result: Any = dataclass(init=False, eq=False, repr=False, kw_only=kw_only)(kind)
        for name, shared in _SHARED.items():
            if name not in own:
                setattr(result, name, shared)
        result.__frozen_plan__ = _Plan(result)
        return kind

    return made if kind is None else made(kind)


class _Plan:
    """How instances of a class are made."""

    def __init__(self, kind: Any) -> None:
        made = [f for f in fields(kind) if f.init]
        self.places = tuple(f.name for f in made if not f.kw_only)
        self.names = dict.fromkeys(f.name for f in made)
        self.defaults = {f.name: f.default for f in made if f.default is not MISSING}
        self.factories = {
            f.name: f.default_factory for f in made if f.default_factory is not MISSING
        }
        self.inner = {
            f.name: f.default_factory
            for f in fields(kind)
            if not f.init and f.default_factory is not MISSING
        }
        self.after = hasattr(kind, "__post_init__")

    def fault(self, values: dict[str, Any], args: tuple[Any, ...], given: dict[str, Any]) -> str:
        """Say why arguments are not those of the class."""
        if len(args) > len(self.places):
            return f"takes {len(self.places)} positional arguments but {len(args)} were given"
        for name in given:
            if name not in self.names:
                return f"got an unexpected keyword argument {name!r}"
            if name in self.places[: len(args)]:
                return f"got multiple values for argument {name!r}"
        missing = ", ".join(repr(name) for name in self.names if name not in values)
        return f"missing required arguments: {missing}"


class _Signature:
    """The signature of a class, for `help` and `inspect`, made when it is asked for."""

    def __get__(self, instance: Any, kind: Any) -> inspect.Signature:
        order = sorted((f for f in fields(kind) if f.init), key=lambda f: bool(f.kw_only))
        return inspect.Signature(
            [
                inspect.Parameter(
                    f.name,
                    inspect.Parameter.KEYWORD_ONLY
                    if f.kw_only
                    else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=_default(f),
                    annotation=f.type,
                )
                for f in order
            ],
            return_annotation=None,
        )


def _default(f: Any) -> Any:
    if f.default is not MISSING:
        return f.default
    return inspect.Parameter.empty if f.default_factory is MISSING else f.default_factory


def _init(self: Any, /, *args: Any, **given: Any) -> None:
    plan = self.__frozen_plan__
    values = dict(zip(plan.places, args, strict=False))
    repeated = not values.keys().isdisjoint(given)
    values.update(given)
    if len(values) < len(plan.names):
        for name, default in plan.defaults.items():
            values.setdefault(name, default)
        for name, factory in plan.factories.items():
            if name not in values:
                values[name] = factory()
    if repeated or len(args) > len(plan.places) or values.keys() != plan.names.keys():
        raise TypeError(f"{type(self).__name__}.__init__() {plan.fault(values, args, given)}")
    own = self.__dict__
    for name in plan.names:
        own[name] = values[name]
    for name, factory in plan.inner.items():
        own[name] = factory()
    if plan.after:
        self.__post_init__()


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
    "__init__": _init,
    "__signature__": _Signature(),
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _set,
    "__delattr__": _delete,
}
