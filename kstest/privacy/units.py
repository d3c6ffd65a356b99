"""The units of the columns of a sketch, which must not come from the rows that it protects.

A file says them, in TOML::

    temp = 5                                  # unit: about the spread of the column
    rate = { unit = 0.5, centre = 10 }
    level = { range = [0, 100] }              # centre 50, unit 25: a quarter of the range
    kind = { levels = ["day", "night"] }      # a category

Units by the reader's default, the spread of the data, would tell of every row.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError, UsageError
from ..kernels.scaling import robust_spread
from ..sample import Sample
from ..wording import label, listed, meant, shown
from .features import FAR, Array, Frequencies, Whole

MOST_LEVELS = 10_000
ACCEPTED = (
    "accepted: a unit such as 5; { unit = 5, centre = 20 }; { range = [0, 100] }; or "
    '{ levels = ["a", "b"] }'
)


@frozen
class Declared:
    """A column as it was declared: with a unit, or with levels.

    Attributes
    ----------
    name : str
    unit, centre : float
        A value x becomes (x - centre) / unit.
    levels : tuple of str
        Of a category; all others are one further level. Empty for numbers.
    """

    name: str
    unit: float = 1.0
    centre: float = 0.0
    levels: tuple[str, ...] = ()


def declared(table: Mapping[str, Any], where: str) -> tuple[Declared, ...]:
    """Return the columns that a table declares.

    Raises
    ------
    DataError
        If an entry is none of the accepted, or there is none.
    """
    if not table:
        raise DataError(f"{where}: declares no column; {ACCEPTED}")
    return tuple(_column(name, given, where) for name, given in table.items())


def _column(name: str, given: Any, where: str) -> Declared:
    def refuse(found: str) -> DataError:
        return DataError(f"{where}: column {shown(name)} {found}; {ACCEPTED}")

    parts = given if isinstance(given, dict) else {"unit": given}
    keys = set(parts)
    if keys == {"levels"}:
        levels = parts["levels"]
        if not (isinstance(levels, list) and levels and all(isinstance(v, str) for v in levels)):
            raise refuse("has levels that are no list of texts")
        if len(set(levels)) < len(levels):
            raise refuse("names a level twice")
        if len(levels) > MOST_LEVELS:
            raise refuse(f"has {len(levels):,} levels, more than {MOST_LEVELS:,}")
        return Declared(name, levels=tuple(levels))
    if keys == {"range"}:
        ends = parts["range"]
        if not (isinstance(ends, list) and len(ends) == 2 and all(map(_finite, ends))):
            raise refuse("has a range that is no pair of numbers")
        low, high = ends
        unit, centre = (high - low) / 4, low + (high - low) / 2
    elif "unit" in keys and keys <= {"unit", "centre"}:
        unit, centre = parts["unit"], parts.get("centre", 0.0)
    else:
        raise refuse(f"has {listed(sorted(map(str, keys)))}")
    if not (_finite(unit) and _finite(centre) and unit > 0):
        raise refuse("has a unit that is no number above 0, or a centre that is no number")
    return Declared(name, float(unit), float(centre))


def _finite(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value) and abs(value) < 1e300


def from_file(path: str) -> tuple[Declared, ...]:
    """Read a file of units.

    Raises
    ------
    DataError
    """
    where = f"--units {label(path)}"
    try:
        with open(path, "rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{where}: is no TOML: {error}") from error
    return declared(table, where)


def from_public(sample: Sample) -> tuple[Declared, ...]:
    """Take units and levels from rows that nobody has to protect: median and spread.

    Raises
    ------
    DataError
        If a column does not vary, so that it has no unit.
    """
    found = []
    for c, name in enumerate(sample.columns):
        unit = robust_spread(sample.values[:, c])
        if unit == 0 or not math.isfinite(unit):
            raise DataError(
                f"--units-from: column {shown(name)} does not vary there, so it has no unit; leave "
                "it out with --exclude, or say it with --units FILE"
            )
        found.append(Declared(name, unit, float(np.median(sample.values[:, c]))))
    for c, name in enumerate(sample.categorical):
        there = np.unique(sample.codes[:, c])
        found.append(Declared(name, levels=tuple(sample.levels[c][k] for k in there if k >= 0)))
    return tuple(found)


def chosen(columns: Sequence[Declared], names: Sequence[str], where: str) -> list[str]:
    """The declared columns among those of a file, where all are needed.

    Raises
    ------
    DataError
        If one is not there.
    """
    for column in columns:
        if column.name not in names:
            near = meant(column.name, names, f"; columns: {listed(names)}")
            raise DataError(f"data: have no column {shown(column.name)}, which {where} names{near}")
    return [column.name for column in columns]


def used(columns: Iterable[Declared], sample: Sample, where: str) -> tuple[Declared, ...]:
    """The declarations of the columns that were read, each of its kind; numeric ones come first.

    Raises
    ------
    DataError
        If a column has no declaration, or is of the other kind.
    """
    known = {column.name: column for column in columns}
    for name in (*sample.columns, *sample.categorical):
        if name not in known:
            raise UsageError(
                f"{where}: says nothing of column {shown(name)}, which must not get its unit from "
                f"private rows; add it, or leave it out with --exclude. {ACCEPTED.capitalize()}"
            )
        if bool(known[name].levels) != (name in sample.categorical):
            found = "text" if name in sample.categorical else "numbers"
            raise DataError(
                f"column {shown(name)}: holds {found}, while {where} declares "
                f"{'levels' if known[name].levels else 'a unit'}; mend the one or the other"
            )
    of_rows = set(sample.columns) | set(sample.categorical)
    here = [column for column in known.values() if column.name in of_rows]
    return tuple(sorted(here, key=lambda column: bool(column.levels)))


def frequencies(columns: Sequence[Declared], seed: int) -> Frequencies:
    """The frequencies of columns, numeric ones first."""
    levels = tuple(len(column.levels) for column in columns if column.levels)
    return Frequencies.drawn(len(columns) - len(levels), levels, seed)


@frozen
class Placed:
    """Rows in declared units.

    Attributes
    ----------
    values : ndarray (n, d)
    codes : ndarray (n, c)
        Places among the declared levels; the place behind the last one for all others.
    far : mapping of str to int
        Rows beyond `FAR` units, by column, where there are any.
    other : mapping of str to tuple of str
        Levels that were not declared, by column, where there are any.
    """

    values: Array
    codes: Whole
    far: dict[str, int]
    other: dict[str, tuple[str, ...]]


def placed(sample: Sample, columns: Sequence[Declared]) -> Placed:
    """Put rows into the units of their columns."""
    numeric = [column for column in columns if not column.levels]
    levelled = [column for column in columns if column.levels]
    values, codes = (
        np.empty((sample.n, len(numeric))),
        np.empty((sample.n, len(levelled)), np.int64),
    )
    far: dict[str, int] = {}
    other: dict[str, tuple[str, ...]] = {}
    with np.errstate(over="ignore"):
        for c, column in enumerate(numeric):
            x = sample.values[:, sample.columns.index(column.name)]
            values[:, c] = (x - column.centre) / column.unit
            beyond = int((np.abs(values[:, c]) > FAR).sum())
            far |= {column.name: beyond} if beyond else {}
    for c, column in enumerate(levelled):
        at = sample.categorical.index(column.name)
        codes[:, c], unknown = _places(sample.codes[:, at], sample.levels[at], column.levels)
        other |= {column.name: unknown} if unknown else {}
    return Placed(values, codes, far, other)


def _places(
    codes: NDArray[np.int32], levels: Sequence[str], known: Sequence[str]
) -> tuple[Whole, tuple[str, ...]]:
    """Places of codes among the `known` levels, and the levels that are none of them."""
    place = {level: k for k, level in enumerate(known)}
    of_code = np.array([place.get(level, len(known)) for level in levels] or [0], np.int64)
    there = np.unique(codes)
    unknown = tuple(levels[k] for k in there if levels[k] not in place)
    return of_code[codes], unknown
