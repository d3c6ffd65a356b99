"""Columns of lists. Those of a fixed length are columns side by side, ``e[0]``, ``e[1]``, ...; of
others --explode makes a row per element.

Elements of one list belong together: the exploded rows get a column `FILE_ROW` that says which row
of which file they come from, to be permuted, or gathered by --pivot, as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile, checked
from kstest.sources.convert import base_name
from kstest.sources.table import FILE_ROW, MOST_COLUMNS
from kstest.wording import listed, nearest, shown

_LISTS = ("list", "large_list")


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is of lists whose lengths may differ."""
    return base_name(kind) in _LISTS


def spread(file: ArrowFile) -> ArrowFile:
    """Set the places of lists of a fixed length side by side; lists of lists, too."""
    fields: dict[str, pa.Field] = {}
    bases: dict[str, str] = {}
    for field in file.schema:
        inner, shape = field.type, []
        while base_name(inner) == "fixed_size_list":
            shape.append(inner.list_size)
            inner = inner.value_type
        count = int(np.prod(shape, dtype=float))
        if not shape or not 0 < count <= MOST_COLUMNS or len(fields) + count > 2 * MOST_COLUMNS:
            places, inner = [""], field.type
        else:
            every = itertools.product(*map(range, shape))
            places = ["".join(f"[{k}]" for k in at) for at in every]
        for place in places:
            fields[field.name + place] = pa.field(field.name + place, inner)
            bases[field.name + place] = field.name
    if len(fields) == len(file.schema) or len(bases) != len(fields):
        return file

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in file.batches(list(dict.fromkeys(bases[name] for name in names))):
            found: dict[str, Any] = {}
            for base in dict.fromkeys(bases[name] for name in names):
                found |= _places(base, checked(batch.column(base)))
            yield pa.RecordBatch.from_arrays([found[name] for name in names], list(names))

    schema = pa.schema(list(fields.values()), metadata=file.schema.metadata)
    return replace(file, schema=schema, batches=batches)


def _places(name: str, array: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns that a list of a fixed length stands for, by name."""
    if base_name(array.type) != "fixed_size_list":
        yield name, array
        return
    import pyarrow.compute as pc

    size, rows = array.type.list_size, len(array)
    inner = array.values.slice(array.offset * size, rows * size)
    for k in range(size):
        part = inner.take(pa.array(np.arange(rows) * size + k))
        if array.null_count:
            part = pc.if_else(array.is_valid(), part, pa.scalar(None, part.type))
        yield from _places(f"{name}[{k}]", part)


def exploded(file: ArrowFile, names: Sequence[str], where: str) -> ArrowFile:
    """Give every element of the lists in some columns a row of its own.

    Other columns repeat; a row whose lists are empty or missing vanishes.

    Raises
    ------
    DataError
        If a column is not there or holds no lists; while rows are read, if the lists of a row
        differ in length.
    """
    schema = file.schema
    for name in names:
        if name not in schema.names or not is_list(schema.field(name).type):
            lists = [field.name for field in schema if is_list(field.type)]
            what = "holds no lists" if name in schema.names else "is not there"
            raise DataError(
                f"{where}: column {shown(name)} of --explode {what}; columns of lists: "
                f"{listed(nearest(name, lists))}."
            )
    inner = {name: schema.field(name).type.value_type for name in names}
    fields = [pa.field(f.name, inner.get(f.name, f.type)) for f in schema]
    row = pa.field(FILE_ROW, pa.dictionary(pa.int32(), pa.string()))

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        start = 0
        needed = list(dict.fromkeys([*names, *(n for n in wanted if n != FILE_ROW)]))
        for batch in file.batches(needed):
            yield _exploded(batch, names, wanted, start, where)
            start += batch.num_rows

    return replace(file, schema=pa.schema([*fields, row], schema.metadata), batches=batches)


def _exploded(
    batch: pa.RecordBatch, names: Sequence[str], wanted: Sequence[str], start: int, where: str
) -> pa.RecordBatch:
    lists = {name: checked(batch.column(name)) for name in names}
    lengths = {name: _lengths(array) for name, array in lists.items()}
    first = lengths[names[0]]
    for name, other in lengths.items():
        if (other != first).any():
            at = int(np.argmax(other != first))
            raise DataError(
                f"{where}: row {start + at + 1:,}: the list in {shown(names[0])} has "
                f"{first[at]:,} elements, the one in {shown(name)} {other[at]:,}. Explode columns "
                "of equally long lists together, and leave out the others with --exclude."
            )
    rows = np.repeat(np.arange(batch.num_rows), first).astype(np.int32)
    columns = []
    for name in wanted:
        if name in lists:
            columns.append(lists[name].flatten())
        elif name == FILE_ROW:
            texts = [f"{where} row {start + k + 1}" for k in range(batch.num_rows)]
            columns.append(pa.DictionaryArray.from_arrays(pa.array(rows), pa.array(texts)))
        else:
            columns.append(checked(batch.column(name)).take(pa.array(rows)))
    return pa.RecordBatch.from_arrays(columns, list(wanted))


def _lengths(array: Any) -> Any:
    """How many elements each list has; a missing one has none."""
    return np.asarray(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
