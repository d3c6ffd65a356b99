"""The parts of a condition over rows: what `where_parse` makes and `where` reads."""

from __future__ import annotations

from collections.abc import Iterator

from kstest.frozen import frozen


@frozen
class Column:
    """A column by name."""

    name: str


@frozen
class Constant:
    """A number, text or truth value."""

    value: float | str | bool


@frozen
class Comparison:
    """``left operator right``; at least one of them is a column."""

    left: Column | Constant
    operator: str
    right: Column | Constant


@frozen
class Membership:
    """``column in values``, or ``not in``."""

    column: Column
    values: tuple[Constant, ...]
    negated: bool


@frozen
class Null:
    """``column is null``, or ``is not null``."""

    column: Column
    negated: bool


@frozen
class Truth:
    """A true/false column by itself."""

    column: Column


@frozen
class Not:
    part: Condition


@frozen
class All:
    parts: tuple[Condition, ...]


@frozen
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
