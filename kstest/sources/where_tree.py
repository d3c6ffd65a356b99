"""The parts of a condition over rows: what `where_parse` makes and `where` reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column by name."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A number, text or truth value."""

    value: float | str | bool


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; at least one of them is a column."""

    left: Column | Constant
    operator: str
    right: Column | Constant


@dataclass(frozen=True)
class Membership:
    """``column in values``, or ``not in``."""

    column: Column
    values: tuple[Constant, ...]
    negated: bool


@dataclass(frozen=True)
class Null:
    """``column is null``, or ``is not null``."""

    column: Column
    negated: bool


@dataclass(frozen=True)
class Truth:
    """A true/false column by itself."""

    column: Column


@dataclass(frozen=True)
class Not:
    part: Condition


@dataclass(frozen=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Condition, ...]


Condition = Comparison | Membership | Null | Truth | Not | All | Any


def names(condition: Condition) -> Iterator[str]:
    """Yield the columns of a condition."""
    if isinstance(condition, Comparison):
        sides = (condition.left, condition.right)
        yield from (side.name for side in sides if isinstance(side, Column))
    elif isinstance(condition, Membership | Null | Truth):
        yield condition.column.name
    elif isinstance(condition, Not):
        yield from names(condition.part)
    else:
        for part in condition.parts:
            yield from names(part)
