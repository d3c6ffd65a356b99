"""Arrays, DataFrames and Arrow tables as `Table`, for the Python API.

They then go the way of files: same column language, same rules on types and missing values.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.columns import quoted
from kstest.errors import DataError
from kstest.inexact import Inexact, of_integers, of_long_doubles, of_times
from kstest.sources.cells import in_seconds, require_held
from kstest.sources.convert import coded, concatenated, level_text
from kstest.sources.other_objects import advice, converted, nested, plain
from kstest.sources.stream import converting
from kstest.sources.table import BOOLEAN, NUMBER, Block, Coded, Table, Wanted, require_unique
from kstest.wording import DATE, DURATION, one_line, shown

PATH = "<array>"
_KINDS = {"b": BOOLEAN, "M": DATE, "m": DURATION}
_ACCEPTED = "accepted: arrays of one or two dimensions, DataFrames, Arrow tables"


def open_object(obj: object, side: str, explode: Sequence[str] = ()) -> Table:
    """Wrap an object; `side` names it in messages, lists in columns `explode` are taken apart."""
    if isinstance(obj, Table):
        return obj
    if isinstance(obj, type | str | bytes) or hasattr(obj, "__fspath__"):
        raise DataError(
            f"{side}: found a {type(obj).__name__}, {shown(obj)}; {_ACCEPTED}. Read files first, "
            "for example by pandas.read_csv(...) or pyarrow.parquet.read_table(...)."
        )
    obj = converted(obj, side)
    pandas = sys.modules.get("pandas")  # a DataFrame cannot come without it
    if pandas is not None and isinstance(obj, pandas.Series):
        obj = obj.to_frame("1" if obj.name is None else obj.name)
    if pandas is not None and isinstance(obj, pandas.DataFrame) and not (explode or nested(obj)):
        return _frame(obj, side)
    if hasattr(obj, "__arrow_c_stream__"):
        return _arrow_stream(obj, side, explode)
    return _array(obj, side)


def _array(obj: object, side: str) -> Table:
    masked: NDArray[np.bool_] | None = None
    try:
        if isinstance(obj, np.ma.MaskedArray):
            masked = np.ma.getmaskarray(obj)
        array = np.asarray(obj)
    except Exception as error:  # any class may define __array__
        raise DataError(f"{side}: no array: {one_line(error)}; {_ACCEPTED}.") from error
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiubmM":
        what = f"a {type(obj).__name__}"
        if array.ndim or array.dtype != object:
            what = f"{array.ndim} dimensions of {array.dtype} ({type(obj).__name__})"
        raise DataError(f"{side}: found {what}; {_ACCEPTED}. {advice(obj, array)}")
    matrix = array[:, None] if array.ndim == 1 else array
    hidden = masked.reshape(matrix.shape) if masked is not None and masked.any() else None

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        return dict.fromkeys(picked, _KINDS.get(matrix.dtype.kind, NUMBER))

    def blocks(wanted: Wanted) -> Iterator[Block]:
        picked = list(wanted.numbers)
        every = picked == list(range(matrix.shape[1]))
        if matrix.dtype.kind in "mM":
            for j in picked:
                require_held(matrix[:, j], f"{side}: column {shown(names[j])}")
        values = _numbers(matrix if every else matrix[:, picked])
        if hidden is not None:
            values = np.where(hidden[:, picked], np.nan, values)
        rounded = {}
        for k, j in enumerate(picked):
            found = _inexact(matrix[:, j], values[:, k])
            if found is not None:
                rounded[k] = found
        texts = [
            _coded(matrix[:, j], None if hidden is None else hidden[:, j]) for j in wanted.texts
        ]
        yield Block(values, rounded, tuple(texts))

    names = tuple(str(j + 1) for j in range(matrix.shape[1]))
    return Table(PATH, side, names, kinds, blocks, named=False)


def _inexact(column: NDArray[Any], numbers: NDArray[np.float64]) -> Inexact | None:
    kind, size = column.dtype.kind, column.dtype.itemsize
    if kind in "iu" and size == 8:
        return of_integers(column, numbers)
    if kind == "f" and size > 8:
        return of_long_doubles(column, numbers)
    if kind in "mM" and np.datetime_data(column.dtype) == ("ns", 1):
        return of_times(column.astype(np.int64), numbers, 10**9)
    return None


def _coded(column: NDArray[Any], hidden: NDArray[np.bool_] | None) -> Coded:
    found, indices = np.unique(column, return_inverse=True)
    if hidden is not None:
        indices = np.where(hidden, -1, indices)
    if column.dtype.kind in "mM":
        return coded([None if np.isnat(v) else str(v).replace("T", " ") for v in found], indices)
    return coded([level_text(value) for value in found], indices)


def _numbers(matrix: NDArray[Any]) -> NDArray[np.float64]:
    if matrix.dtype.kind in "mM":
        return in_seconds(matrix)
    with np.errstate(over="ignore", under="ignore"):  # long doubles: see `_inexact`
        return np.asarray(matrix, dtype=np.float64)


def _frame(frame: Any, side: str) -> Table:
    names = tuple(str(name) for name in frame.columns)
    require_unique(names, side)

    place = {name: j for j, name in enumerate(names)}
    arrays: dict[int, Any] = {}  # converted once, for kinds and blocks

    def column(j: int) -> Any:
        import pyarrow as pa

        if j not in arrays:
            where = f"{side}: column {shown(names[j])}"
            with converting(where):
                array = _column(plain(frame.iloc[:, j], where))
                arrays[j] = pa.chunked_array([array]) if isinstance(array, pa.Array) else array
        return arrays[j]

    def schema(picked: Sequence[int]) -> Any:
        import pyarrow as pa

        return pa.schema([(names[j], column(j).type) for j in picked])

    def batches(wanted: Sequence[str]) -> Any:
        import pyarrow as pa

        return pa.table({name: column(place[name]) for name in wanted}).to_batches()

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        from kstest.sources.columnar import kinds_of

        found = kinds_of(schema(picked), batches, range(len(picked)), side)
        return {picked[k]: kind for k, kind in found.items()}

    def blocks(wanted: Wanted) -> Iterator[Block]:
        from kstest.sources.columnar import blocks_of

        picked = list(dict.fromkeys([*wanted.numbers, *wanted.texts]))
        at = {j: k for k, j in enumerate(picked)}
        inner = Wanted(tuple(at[j] for j in wanted.numbers), tuple(at[j] for j in wanted.texts))
        yield from blocks_of(schema(picked), batches, inner, side)

    return Table(PATH, side, names, kinds, blocks)


def _column(series: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array(series, from_pandas=True)
    except OverflowError:  # Python's integers have any length
        values = [Decimal(v) if isinstance(v, int) else v for v in series]
        return pa.array(values, from_pandas=True)


def _arrow_stream(obj: object, side: str, explode: Sequence[str] = ()) -> Table:
    import pyarrow as pa

    from kstest.sources.arrow_file import ArrowFile
    from kstest.sources.columnar import table_of

    try:
        with converting(side):
            reader = pa.RecordBatchReader.from_stream(obj)
            schema = reader.schema
    except DataError as error:
        raise DataError(f"{error} ({_ACCEPTED}.)") from error
    file = ArrowFile(schema, lambda names: reader, lambda: None, lambda: None)
    return table_of(PATH, side, file, explode, hint="")


# Rows of a table, and its wanted columns by their position in the whole: numbers, texts, and
# those of the numbers that were rounded.
Part = tuple[int, dict[int, NDArray[np.float64]], dict[int, Coded], dict[int, Inexact]]


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
    for side, table in tables.items():
        if not table.names:
            raise DataError(f"{side}: has no columns; {_ACCEPTED}.")
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
    return Table(PATH, "data", joined, kinds, blocks), tuple(map(quoted, names))


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
        return 0, {}, {}, {}
    values = np.concatenate([block.values for block in read])
    codes = {j: concatenated([block.texts[k] for block in read]) for k, j in enumerate(texts)}
    rounded: dict[int, Inexact] = {}
    start = 0
    for block in read:
        for k, cells in block.rounded.items():
            rounded.setdefault(numbers[k], cells.later(start))
        start += block.rows
    return len(values), {j: values[:, k] for k, j in enumerate(numbers)}, codes, rounded


def _beside(parts: Mapping[str, Part], wanted: Wanted) -> Block:
    lengths = {side: part[0] for side, part in parts.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{side} has {rows:,}" for side, rows in lengths.items())
        raise DataError(f"Row i of every block belongs together, but {found} rows.")
    rows = next(iter(lengths.values()), 0)
    values = np.empty((rows, len(wanted.numbers)))
    rounded: dict[int, Inexact] = {}
    texts = dict.fromkeys(wanted.texts, Coded(np.empty(0, np.int32), ()))
    for _, numbers, own_texts, own_rounded in parts.values():
        texts |= own_texts
        rounded |= own_rounded
        for k, j in enumerate(wanted.numbers):
            if j in numbers:
                values[:, k] = numbers[j]
    return Block(
        values,
        {k: rounded[j] for k, j in enumerate(wanted.numbers) if j in rounded},
        tuple(texts[j] for j in wanted.texts),
    )
