"""Conditions over the rows of a block: the meaning of --where.

A comparison with a missing cell is false, `!=` and `not in` included; ``not`` turns that round.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any as Anything

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources import where_tree as tree
from kstest.sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Coded
from kstest.wording import DATE, TIME, shown

Mask = NDArray[np.bool_]
Cells = NDArray[np.float64] | Coded

_COMPARE: dict[str, Callable[[Anything, Anything], Anything]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FAMILY = {BOOLEAN: NUMBER, EMPTY: NUMBER}


def bind(condition: tree.Condition, kinds: Mapping[str, str]) -> tree.Condition:
    """Hold a condition against what its columns hold, and turn texts of dates into seconds.

    Raises
    ------
    DataError
        Where a column is compared with something of another kind.
    """
    if isinstance(condition, tree.Not):
        return tree.Not(bind(condition.part, kinds))
    if isinstance(condition, tree.All | tree.Any):
        return type(condition)(tuple(bind(part, kinds) for part in condition.parts))
    if isinstance(condition, tree.Membership):
        values = tuple(_bound(condition.column, v, kinds) for v in condition.values)
        return tree.Membership(condition.column, values, condition.negated)
    if isinstance(condition, tree.Truth):
        kind = kinds[condition.column.name]
        if kind not in (BOOLEAN, EMPTY):
            raise _clash(condition.column, kind, "a truth value", "compare it with something")
        return condition
    if isinstance(condition, tree.Null):
        return condition
    return _bound_comparison(condition, kinds)


def holds(condition: tree.Condition, columns: Mapping[str, Cells]) -> Mask:
    """Tell for each row whether a bound condition holds."""
    if isinstance(condition, tree.Not):
        return ~holds(condition.part, columns)
    if isinstance(condition, tree.All | tree.Any):
        join = np.logical_and if isinstance(condition, tree.All) else np.logical_or
        out = holds(condition.parts[0], columns)
        for part in condition.parts[1:]:
            out = join(out, holds(part, columns))
        return out
    if isinstance(condition, tree.Comparison):
        return _compared(condition, columns)
    cells = columns[condition.column.name]
    if isinstance(condition, tree.Null):
        return np.asarray(_missing(cells) != condition.negated)
    if isinstance(condition, tree.Truth):
        return np.asarray(cells == 1.0)
    values = [constant.value for constant in condition.values]
    if isinstance(cells, Coded):
        found = _by_level(cells, lambda level: level in values)
    else:
        found = np.isin(cells, np.array(values, np.float64))
    return np.asarray((found != condition.negated) & ~_missing(cells))


def _compared(condition: tree.Comparison, columns: Mapping[str, Cells]) -> Mask:
    left, right, name = condition.left, condition.right, condition.operator
    if isinstance(left, tree.Constant):
        left, right, name = right, left, _MIRRORED.get(name, name)
    assert isinstance(left, tree.Column)  # the parser lets no two constants through
    compare = _COMPARE[name]
    cells = columns[left.name]
    if isinstance(right, tree.Constant):
        value = right.value
        if isinstance(cells, Coded):
            return _by_level(cells, lambda level: bool(compare(level, value)))
        return np.asarray(compare(cells, float(value))) & ~np.isnan(cells)
    others = columns[right.name]
    present = ~_missing(cells) & ~_missing(others)
    if isinstance(cells, Coded) != isinstance(others, Coded):
        return np.zeros(present.size, np.bool_)  # one is a column without values
    if isinstance(cells, Coded) and isinstance(others, Coded):
        cells, others = _ranks(cells, others)
    return np.asarray(compare(cells, others)) & present


def _by_level(cells: Coded, test: Callable[[str], bool]) -> Mask:
    table = [test(level) for level in cells.levels]
    return np.array([*table, False], np.bool_)[cells.codes]  # the last entry: missing cells


def _missing(cells: Cells) -> Mask:
    return cells.codes < 0 if isinstance(cells, Coded) else np.isnan(cells)


def _ranks(one: Coded, other: Coded) -> Sequence[Anything]:
    order = {level: k for k, level in enumerate(sorted({*one.levels, *other.levels}))}
    return [
        np.array([*(order[level] for level in c.levels), -1], np.int64)[c.codes]
        for c in (one, other)
    ]


def _bound_comparison(condition: tree.Comparison, kinds: Mapping[str, str]) -> tree.Comparison:
    left, right = condition.left, condition.right
    if isinstance(left, tree.Column) and isinstance(right, tree.Column):
        one, other = kinds[left.name], kinds[right.name]
        if EMPTY not in (one, other) and _FAMILY.get(one, one) != _FAMILY.get(other, other):
            raise _clash(left, one, f"column {shown(right.name)}, which holds {other}")
    elif isinstance(left, tree.Column) and isinstance(right, tree.Constant):
        right = _bound(left, right, kinds)
    elif isinstance(left, tree.Constant) and isinstance(right, tree.Column):
        left = _bound(right, left, kinds)
    return tree.Comparison(left, condition.operator, right)


def _bound(column: tree.Column, constant: tree.Constant, kinds: Mapping[str, str]) -> tree.Constant:
    """Check a constant against the kind of its column; dates and times become seconds."""
    kind, value = kinds[column.name], constant.value
    if isinstance(value, bool):
        if kind == BOOLEAN:
            return tree.Constant(float(value))
        raise _clash(column, kind, "true or false", "write 1 or 0 for numbers")
    if isinstance(value, float):
        if kind == TEXT:
            raise _clash(column, kind, f"the number {value:g}", f"write '{value:g}' in quotes")
        if kind in (DATE, TIME):
            raise _clash(column, kind, f"the number {value:g}", "write for example '2024-05-01'")
        return constant
    if kind in (TEXT, EMPTY):
        return constant if kind == TEXT else tree.Constant(float("nan"))
    if kind in (DATE, TIME):
        seconds = _seconds(value, kind)
        if seconds is not None:
            return tree.Constant(seconds)
    raise _clash(column, kind, f"the text {shown(value)}", "numbers stand without quotes")


def _seconds(text: str, kind: str) -> float | None:
    try:
        if kind == TIME:
            time = datetime.time.fromisoformat(text)
            day = datetime.datetime.combine(datetime.date(1970, 1, 1), time)
        else:
            day = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (day if day.tzinfo else day.replace(tzinfo=datetime.UTC)).timestamp()


def _clash(column: tree.Column, kind: str, other: str, hint: str = "") -> DataError:
    more = f"; {hint}" if hint else ""
    return DataError(
        f"--where: column {shown(column.name)} holds {kind} and is compared with {other}{more}."
    )
