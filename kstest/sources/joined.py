"""Several arrays, frames or Arrow tables whose rows belong together, set side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sources.levels import concatenated
from kstest.sources.objects import PATH, open_object
from kstest.sources.table import Block, Coded, Table, Wanted, require_unique

# Rows of a table, and its wanted columns by their position in the whole: numbers, texts, and
# those of the numbers that were rounded.
Part = tuple[int, dict[int, NDArray[np.float64]], dict[int, Coded], set[int]]


def join_objects(objects: Mapping[str, object]) -> tuple[Table, tuple[str, ...]]:
    """Set several objects of equally many rows side by side.

    A column keeps its name where that is unique; otherwise, and in arrays, it is named after its
    side: ``x``, or ``x1``, ``x2``, ...

    Parameters
    ----------
    objects : mapping of str to object
        By side.

    Returns
    -------
    table : Table
        To be read like any object.
    lists : tuple of str
        The columns of each side, as a column list.

    Raises
    ------
    DataError
        For what is no table; for different numbers of rows, when they are read.
    """
    tables = {side: open_object(obj, side) for side, obj in objects.items()}
    count = Counter(name for table in tables.values() if table.named for name in table.names)
    names: list[tuple[str, ...]] = []
    spans: dict[str, range] = {}
    end = 0
    for side, table in tables.items():
        many = len(table.names) > 1
        bare = [f"{side}{j + 1}" if many else side for j in range(len(table.names))]
        full = [name if count[name] == 1 else f"{side}.{name}" for name in table.names]
        names.append(tuple(full if table.named else bare))
        spans[side] = range(end, end := end + len(table.names))

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for side, span in spans.items():
            own = [j - span.start for j in picked if j in span]
            some = tables[side].kinds(own) if own else {}
            found |= {span.start + j: kind for j, kind in some.items()}
        return found

    def blocks(wanted: Wanted) -> Iterator[Block]:
        parts = {side: _part(table, spans[side], wanted) for side, table in tables.items()}
        yield _beside({side: part for side, part in parts.items() if part}, wanted)

    joined = tuple(name for some in names for name in some)
    require_unique(joined, " and ".join(tables))
    return Table(PATH, "data", joined, kinds, blocks), tuple(map(_column_list, names))


def _column_list(names: Sequence[str]) -> str:
    return ",".join("'" + name.replace("'", "''") + "'" for name in names)


def _part(table: Table, span: range, wanted: Wanted) -> Part | None:
    """Read the wanted columns of one table, which has these places in the whole."""
    numbers, texts, by_value = (
        [j for j in some if j in span] for some in (wanted.numbers, wanted.texts, wanted.by_value)
    )
    if not numbers and not texts:
        return None
    first = span.start
    read = list(
        table.blocks(
            Wanted(
                tuple(j - first for j in numbers),
                tuple(j - first for j in texts),
                frozenset(j - first for j in by_value),
            )
        )
    )
    if not read:
        return 0, {}, {}, set()
    values = np.concatenate([block.values for block in read])
    codes = {j: concatenated([block.texts[k] for block in read]) for k, j in enumerate(texts)}
    rounded = {numbers[k] for block in read for k in block.rounded}
    return len(values), {j: values[:, k] for k, j in enumerate(numbers)}, codes, rounded


def _beside(parts: Mapping[str, Part], wanted: Wanted) -> Block:
    lengths = {side: part[0] for side, part in parts.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{side} has {rows:,}" for side, rows in lengths.items())
        raise DataError(f"Row i of every block belongs together, but {found} rows.")
    rows = next(iter(lengths.values()), 0)
    values = np.empty((rows, len(wanted.numbers)))
    rounded: set[int] = set()
    texts = dict.fromkeys(wanted.texts, Coded(np.empty(0, np.int32), ()))
    for _, numbers, own_texts, own_rounded in parts.values():
        texts |= own_texts
        rounded |= own_rounded
        for k, j in enumerate(wanted.numbers):
            if j in numbers:
                values[:, k] = numbers[j]
    return Block(
        values,
        tuple(k for k, j in enumerate(wanted.numbers) if j in rounded),
        tuple(texts[j] for j in wanted.texts),
    )
