"""Two samples in one table: the values of --sample-column that make a side, as conditions.

A list such as ``0-4,7`` or ``'2024-01-01..2024-01-31'`` for numbers and times (ranges include
their ends), ``a,b`` for text. The conditions are those of --where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kstest.columns import parse_items
from kstest.errors import DataError, UsageError
from kstest.sources.options import values_option
from kstest.sources.table import BOOLEAN, NUMBER, TEXT
from kstest.sources.where import Cells, bind, holds
from kstest.sources.where_tree import All, Any, Column, Comparison, Condition, Constant, Membership
from kstest.wording import DATE, TIME, shown

_VALUE = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_VALUE})(?:(?:-|\.\.)({_VALUE}))?", re.ASCII)
_TRUTH = {"true": 1.0, "false": 0.0, "True": 1.0, "False": 0.0}


def conditions(name: str, kind: str, values: Mapping[str, str]) -> dict[str, Condition]:
    """Turn the lists of values of each side into conditions on column `name`."""
    return {
        side: _condition(name, kind, text, values_option(side)) for side, text in values.items()
    }


def _condition(name: str, kind: str, text: str, option: str) -> Condition:
    column = Column(name)
    items = parse_items(text, option)
    if kind == TEXT:
        return Membership(column, tuple(Constant(item) for item in items), False)
    if kind in (DATE, TIME):
        return bind(Any(tuple(_between(column, item, option) for item in items)), {name: kind})
    return Any(tuple(_number(column, item, kind, option) for item in items))


def _between(column: Column, item: str, option: str) -> Condition:
    low, mark, high = item.partition("..")
    if not mark:
        return Comparison(column, "==", Constant(item))
    if low.strip() > high.strip():
        raise _backwards(item, option)
    return _within(column, Constant(low.strip()), Constant(high.strip()))


def _number(column: Column, item: str, kind: str, option: str) -> Condition:
    if kind == BOOLEAN and item in _TRUTH:
        return Comparison(column, "==", Constant(_TRUTH[item]))
    found = _RANGE.fullmatch(item)
    if found is None:
        raise UsageError(
            f"{option}: found {shown(item)}, but column {shown(column.name)} holds "
            f"{NUMBER if kind != BOOLEAN else kind}; accepted: values and ranges such as 0-4,7."
        )
    low = float(found[1])
    high = low if found[2] is None else float(found[2])
    if low > high:
        raise _backwards(item, option)
    return _within(column, Constant(low), Constant(high))


def _within(column: Column, low: Constant, high: Constant) -> Condition:
    return All((Comparison(low, "<=", column), Comparison(column, "<=", high)))


def _backwards(item: str, option: str) -> UsageError:
    return UsageError(f"{option}: found range {shown(item)}; the smaller end stands first.")


def assigned(
    split: Mapping[str, Condition], columns: Mapping[str, Cells], where: str, start: int
) -> dict[str, NDArray[np.int64]]:
    """Return the rows of a block by side, by position.

    Raises
    ------
    DataError
        When a row (counted on from `start`) of `where` belongs to two sides.
    """
    masks = {side: holds(condition, columns) for side, condition in split.items()}
    for (one, first), (other, second) in pairwise(masks.items()):
        both = np.flatnonzero(first & second)
        if both.size:
            raise DataError(
                f"{where}: row {start + int(both[0]) + 1:,} belongs to two sides: "
                f"{values_option(one)} and {values_option(other)} overlap. Give every value to one "
                "side only."
            )
    return {side: np.flatnonzero(mask) for side, mask in masks.items()}
