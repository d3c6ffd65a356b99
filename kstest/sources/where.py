"""Conditions over the rows of a block: the meaning of --where.

A comparison with a missing cell is false, `!=` and `not in` included; ``not`` turns that round.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any as Anything

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources import where_tree as tree
from kstest.sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Coded
from kstest.wording import DATE, TIME, shown

Mask = NDArray[np.bool_]
# float64 with NaN for missing, texts with codes, or an Arrow array.
Cells = Anything

# Functions of pyarrow.compute: `Table.filter` of an expression would load a query engine first.
_COMPARE = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
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
    """Tell for each row whether a bound condition holds.

    Parameters
    ----------
    condition : Condition
        As `bind` returns it.
    columns : mapping of str to Arrow array or Cells
        All columns of the condition. Null and NaN are missing.

    Returns
    -------
    ndarray of bool, shape (rows,)
    """
    arrays = {name: _Column(columns[name]) for name in tree.names(condition)}
    return _mask(_holds(condition, arrays))


class _Column:
    """An Arrow column of float64 or text, and which of its cells are there."""

    def __init__(self, cells: Cells) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if isinstance(cells, np.ndarray):
            cells = _numbers(cells)
        elif isinstance(cells, Coded):
            codes = _numbers(cells.codes, cells.codes >= 0)
            cells = pa.DictionaryArray.from_arrays(codes, _texts(cells.levels))
        elif isinstance(cells, pa.ChunkedArray):
            cells = cells.combine_chunks()
        self.coded = pa.types.is_dictionary(cells.type)
        if self.coded and cells.dictionary.null_count:
            cells, self.coded = cells.dictionary_decode(), False
        kind = cells.type.value_type if self.coded else cells.type
        self.is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        self.cells = cells if self.is_text else pc.cast(cells, pa.float64(), safe=False)
        self.present = pc.invert(pc.is_null(self.cells, nan_is_null=not self.is_text))

    def where(self, test: Callable[[Anything], Anything]) -> Anything:
        """Where a test of values holds, which is made once per distinct text; not where missing."""
        import pyarrow.compute as pc

        if self.coded:
            found = test(self.cells.dictionary).take(self.cells.indices)
        else:
            found = test(self.cells)
        return pc.and_kleene(found, self.present)

    def plain(self) -> Anything:
        return self.cells.dictionary_decode() if self.coded else self.cells

    def constants(self, values: Sequence[Anything]) -> Anything:
        """Constants of a condition as an array like this column's values."""
        import pyarrow.compute as pc

        found = _texts(values) if self.is_text else _numbers(np.array(values, np.float64))
        kind = self.cells.type.value_type if self.coded else self.cells.type
        return pc.cast(found, kind)


def _holds(condition: tree.Condition, columns: Mapping[str, _Column]) -> Anything:
    """An Arrow array of truth values without nulls."""
    import pyarrow.compute as pc

    if isinstance(condition, tree.Not):
        return pc.invert(_holds(condition.part, columns))
    if isinstance(condition, tree.All | tree.Any):
        join = pc.and_ if isinstance(condition, tree.All) else pc.or_
        return functools.reduce(join, (_holds(part, columns) for part in condition.parts))
    if isinstance(condition, tree.Comparison):
        return _compared(condition, columns)
    column = columns[condition.column.name]
    if isinstance(condition, tree.Null):
        return column.present if condition.negated else pc.invert(column.present)
    if isinstance(condition, tree.Truth):
        return column.where(lambda cells: pc.equal(cells, column.constants([1.0])[0]))
    values = [constant.value for constant in condition.values]
    if not column.is_text and 0 in values:
        values += [-0.0, 0.0]  # another value to Arrow
    found = column.where(lambda cells: pc.is_in(cells, value_set=column.constants(values)))
    return pc.and_(pc.invert(found), column.present) if condition.negated else found


def _compared(condition: tree.Comparison, columns: Mapping[str, _Column]) -> Anything:
    import pyarrow.compute as pc

    left, right, name = condition.left, condition.right, condition.operator
    if isinstance(left, tree.Constant):
        left, right, name = right, left, _MIRRORED.get(name, name)
    assert isinstance(left, tree.Column)  # the parser lets no two constants through
    compare, column = getattr(pc, _COMPARE[name]), columns[left.name]
    if isinstance(right, tree.Constant):
        constant = column.constants([right.value])[0]
        return column.where(lambda cells: compare(cells, constant))
    other = columns[right.name]
    present = pc.and_(column.present, other.present)
    if column.is_text != other.is_text:
        return pc.xor(present, present)  # one is a column without values
    return pc.and_kleene(compare(column.plain(), other.plain()), present)


# Arrow's own ways from and to NumPy and lists would import pandas, a second and more of start-up.
def _numbers(values: NDArray[Anything], present: Mask | None = None) -> Anything:
    import pyarrow as pa

    bits = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [bits, data])


def _texts(values: Sequence[str]) -> Anything:
    import pyarrow as pa

    cells = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, cells)], dtype=np.int64)
    data = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(cells))]
    return pa.Array.from_buffers(pa.large_string(), len(cells), data)


def _mask(found: Anything) -> Mask:
    """A boolean Arrow array without nulls as NumPy's."""
    bits = np.frombuffer(found.buffers()[1], np.uint8) if len(found) else np.empty(0, np.uint8)
    whole = np.unpackbits(bits, bitorder="little")
    return whole[found.offset : found.offset + len(found)].astype(np.bool_)


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
