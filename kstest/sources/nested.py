"""Columns of lists and of records. Lists of a fixed length are columns side by side, ``e[0]``,
``e[1]``, ..., and so are records, ``s.a``, ``s.b``; of other lists --explode makes a row per
element.

Elements of one list belong together: the exploded rows get a column `FILE_ROW` that says which row
of which file they come from, to be permuted, or gathered by --pivot, as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from kstest.errors import DataError
from kstest.sources.arrow_file import ArrowFile, checked
from kstest.sources.arrow_types import base_name
from kstest.sources.table import FILE_ROW, MOST_COLUMNS
from kstest.wording import listed, nearest, shown

_LISTS = ("list", "large_list")


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is of lists whose lengths may differ."""
    return base_name(kind) in _LISTS


def spread(file: ArrowFile) -> ArrowFile:
    """Set places of lists of a fixed length and fields of records side by side, at any depth."""
    fields: list[pa.Field] = []
    bases: dict[str, str] = {}
    for field in file.schema:
        places: list[pa.Field] = []
        for place in _leaves(field):
            places.append(place)
            if len(places) > MOST_COLUMNS or len(fields) + len(places) > 2 * MOST_COLUMNS:
                places = []
                break
        places = places or [field]
        fields += places
        bases |= {place.name: field.name for place in places}
    if [f.name for f in fields] == file.schema.names or len(bases) != len(fields):
        return file

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in file.batches(list(dict.fromkeys(bases[name] for name in names))):
            found: dict[str, Any] = {}
            for base in dict.fromkeys(bases[name] for name in names):
                found |= _places(base, checked(batch.column(base)))
            yield pa.RecordBatch.from_arrays([found[name] for name in names], list(names))

    schema = pa.schema(fields, metadata=file.schema.metadata)
    return replace(file, schema=schema, batches=batches)


def _leaves(field: pa.Field) -> Iterator[pa.Field]:
    """The columns that a field stands for."""
    base = base_name(field.type)
    if base == "fixed_size_list" and field.type.list_size:
        for k in range(field.type.list_size):
            yield from _leaves(pa.field(f"{field.name}[{k}]", field.type.value_type))
    elif base == "struct" and field.type.num_fields:
        for inner in field.type:
            yield from _leaves(pa.field(f"{field.name}.{inner.name}", inner.type))
    else:
        yield field


def _places(name: str, array: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns that a list of a fixed length or a record stands for, by name."""
    base = base_name(array.type)
    if base == "struct" and array.type.num_fields:
        # `flatten` marks a field missing where its record is.
        for inner, part in zip(array.type, array.flatten(), strict=True):
            yield from _places(f"{name}.{inner.name}", part)
        return
    if base != "fixed_size_list" or not array.type.list_size:
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
