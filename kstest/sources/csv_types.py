"""What the columns of a CSV hold, guessed from its first rows.

pyarrow's own guess is from the first block, too, and would then fail on the first 1.5 after a
megabyte of whole numbers. So whole numbers are widened to float64 here, and a column counts as
text only if most of its first cells are no numbers: a single bad cell must be an error, not turn
measurements into categories.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kstest.frozen import frozen
from kstest.inexact import beyond_exact, has_many_digits, is_long
from kstest.sources.arrow_types import base_name, kind_of
from kstest.sources.convert import to_coded, to_float64
from kstest.sources.csv_numbers import pattern
from kstest.sources.dialect import Dialect, convert_options, parse_options
from kstest.sources.spellings import DECIMAL_COMMA
from kstest.sources.spellings import PLAIN as _NUMBER
from kstest.sources.table import EMPTY, NUMBER, TEXT

if TYPE_CHECKING:
    import pyarrow as pa

_TIME = re.compile(r"\s*(\d{4}-\d\d-\d\d.*|\d\d:\d\d(:\d\d.*)?)", re.ASCII | re.DOTALL)
_NUMBERS = frozenset({"int64", "double", "null"})
# A column of which this share of the first cells reads as numbers or times is meant as such.
MEANT_AS_NUMBERS = 0.5


@frozen
class Types:
    """What columns hold, by position.

    Attributes
    ----------
    kinds : dict of int to str
        See `kstest.sources.table`.
    declared : dict of int to pyarrow.DataType
        What to tell pyarrow where the column is read as numbers.
    whole : frozenset of int
        Columns of whole numbers, which float64 may round further on.
    bad : frozenset of int
        Columns meant as numbers or times in which some of the first cells are neither.
    grouped : frozenset of int
        Columns of numbers that may have separators of thousands: pyarrow reads them as text.
    long : frozenset of int
        Columns of numbers of which float64 may make equal ones: read as text, to see which.
    """

    kinds: dict[int, str]
    declared: dict[int, pa.DataType]
    whole: frozenset[int] = frozenset()
    bad: frozenset[int] = frozenset()
    grouped: frozenset[int] = frozenset()
    long: frozenset[int] = frozenset()


def infer(head: bytes, delimiter: str, columns: int, how: Dialect, picked: Sequence[int]) -> Types:
    """Guess what the `picked` of so many columns hold from `head`, some whole rows."""
    import pyarrow as pa

    if not picked or not head.strip():
        return _all(picked, EMPTY)
    try:
        seen = _read(head, delimiter, columns, how, picked, None)
        texts = [j for j in picked if base_name(seen[j].type) in ("string", "binary")]
        words = (
            _read(head, delimiter, columns, how, texts, pa.dictionary(pa.int32(), pa.string()))
            if texts
            else {}
        )
    except pa.ArrowException:
        # The reading proper meets the same trouble and knows its row.
        return _all(picked, NUMBER)
    types = {j: seen[j].type for j in picked}
    meant: dict[int, str] = {}
    for j in texts:
        cell = _meant_as_number(words[j], _grouped(how))
        if cell is not None:
            meant[j] = cell
    if meant:
        types |= _types_of_cells(meant, how)
    numbers = [j for j in picked if base_name(types[j]) in _NUMBERS] if how.thousands else []
    return Types(
        {j: TEXT if j in texts and j not in meant else _kind(types[j]) for j in picked},
        {j: _widened(types[j]) for j in picked},
        frozenset(j for j in picked if base_name(types[j]) == "int64"),
        frozenset(j for j in meant if j not in numbers),
        frozenset(numbers),
        frozenset(
            j
            for j in _doubtful(seen, types, head, how.decimal or ".")
            if _shows_long(j, head, delimiter, columns, how)
        ),
    )


def _doubtful(
    seen: dict[int, Any], types: dict[int, pa.DataType], head: bytes, decimal: str
) -> list[int]:
    """Columns of numbers of which some are beyond 2^53, or may have too many digits."""
    numbers = [
        j
        for j in seen
        if base_name(seen[j].type) in ("int64", "double") and base_name(types[j]) in _NUMBERS
    ]
    # Not those with an exponent, which programs write in as many digits as they are told to.
    if re.search(rb"[1-9][0-9%s]{18,400}[^0-9.,eE]" % re.escape(decimal.encode()), head + b"\n"):
        return numbers
    return [j for j in numbers if any(beyond_exact(to_float64(c)) for c in seen[j].chunks)]


def _shows_long(j: int, head: bytes, delimiter: str, columns: int, how: Dialect) -> bool:
    import pyarrow as pa

    kind = pa.dictionary(pa.int32(), pa.string())
    cells = _read(head, delimiter, columns, how, [j], kind)[j]
    words = {
        word.replace(how.decimal or ".", ".") for c in cells.chunks for word in to_coded(c).levels
    }
    if any(is_long(word) for word in words):
        return True
    many = [word for word in words if has_many_digits(word)]
    return len({float(word) for word in many}) < len(many)


def _all(picked: Sequence[int], kind: str) -> Types:
    import pyarrow as pa

    return Types(dict.fromkeys(picked, kind), dict.fromkeys(picked, pa.float64()))


def _kind(kind: pa.DataType) -> str:
    return kind_of(kind) or NUMBER


def _read(
    data: bytes,
    delimiter: str,
    columns: int,
    how: Dialect,
    picked: Sequence[int],
    kind: pa.DataType | None,
) -> dict[int, Any]:
    """Let pyarrow read some columns of a few rows, of a given type or of its own guess."""
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [str(j) for j in range(columns)]
    wanted = [names[j] for j in picked]
    table = pc.read_csv(
        pa.BufferReader(data),
        pc.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        parse_options(delimiter, lambda row: "skip"),
        convert_options(how, wanted, {} if kind is None else dict.fromkeys(wanted, kind)),
    )
    return dict(zip(picked, table.columns, strict=True))


def _grouped(how: Dialect) -> re.Pattern[str] | None:
    """Numbers with separators of thousands, where some are read."""
    return re.compile(pattern(how.thousands, how.decimal or ".")) if how.thousands else None


def _meant_as_number(column: Any, grouped: re.Pattern[str] | None) -> str | None:
    """Return a cell to show the type, if most cells of a column of words read as numbers."""
    alike = cells = 0
    example: str | None = None
    for chunk in column.chunks:
        words = to_coded(chunk)
        counts = np.bincount(words.codes[words.codes >= 0], minlength=len(words.levels))
        cells += int(counts.sum())
        for word, count in zip(words.levels, counts, strict=True):
            if grouped is not None and grouped.fullmatch(word.strip()):
                word = "0.5"  # whatever groups it has
            if _NUMBER.fullmatch(word) or _TIME.fullmatch(word) or DECIMAL_COMMA.fullmatch(word):
                alike += int(count)
                example = word if example is None else example
    return example if alike and alike >= MEANT_AS_NUMBERS * cells else None


def _types_of_cells(cells: dict[int, str], how: Dialect) -> dict[int, pa.DataType]:
    import pyarrow as pa
    import pyarrow.csv as pc

    # One column per cell. A decimal comma where a point is the sign fits no type.
    names = [str(j) for j in cells]
    wrong = "," if how.decimal != "," else "."
    cells = {
        j: cell.replace(".", how.decimal or ".") if cell == "0.5" else cell
        for j, cell in cells.items()
    }
    line = ";".join(f'"{"" if wrong in cell else cell}"' for cell in cells.values())
    table = pc.read_csv(
        pa.BufferReader(line.encode()),
        pc.ReadOptions(use_threads=False, column_names=names),
        pc.ParseOptions(delimiter=";"),
        pc.ConvertOptions(decimal_point=how.decimal or "."),
    )
    return dict(zip(cells, table.schema.types, strict=True))


def _widened(kind: pa.DataType) -> pa.DataType:
    """Choose the type to declare for a column whose first rows read as `kind`."""
    import pyarrow as pa

    base = base_name(kind)
    if base in ("bool", "time32"):
        return kind
    if base == "date32":
        return pa.timestamp("us")  # a time of day may follow
    if base == "timestamp":
        # Fractions may follow; only what needs nanoseconds gets them, since they end in 2262.
        return pa.timestamp("ns" if kind.unit == "ns" else "us", kind.tz)
    return pa.float64()
