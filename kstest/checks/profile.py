"""What the columns of some files hold: kinds, ranges, levels, missing cells, in one pass.

All columns are looked at, and all rows, whatever a check chooses of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..errors import DataError
from ..sources import ReadOptions
from ..sources.baseline import KIND, read
from ..sources.dialect_options import dialect
from ..sources.formats import recognised
from ..sources.nulls import Nulls
from ..sources.opening import LOOKED_AT, open_table
from ..sources.paths import expand
from ..sources.stream import open_path
from ..sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Table, Wanted
from ..wording import DATE, DURATION, TIME

NUMERIC = (NUMBER, BOOLEAN, DATE, TIME, DURATION)
OTHER = "something else"
# Levels of a text column that are counted; one with more is no category.
MOST_LEVELS = 10_000


@dataclass
class Column:
    """A column.

    Attributes
    ----------
    kind : str
        As in `kstest.sources.table`; "something else" for what no test reads.
    cells, missing : int
    low, high : float
        Of the numbers; times in seconds.
    whole, rising : bool
        Whether all numbers are whole; whether each is larger than the one before.
    levels : Counter
        Cells by level, of text; empty where there are too many.
    many : bool
        Whether there are too many levels to count.
    kept : bool
        Whether its cells can be read: not those that a baseline leaves out.
    """

    kind: str
    cells: int = 0
    missing: int = 0
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
    rising: bool = True
    levels: Counter[str] = field(default_factory=Counter)
    many: bool = False
    kept: bool = True
    last: float = -math.inf

    @property
    def present(self) -> int:
        return self.cells - self.missing

    @property
    def constant(self) -> bool:
        """Whether all cells that are there are equal."""
        if self.kind == TEXT:
            return not self.many and len(self.levels) < 2
        return not self.low < self.high

    def add_numbers(self, values: NDArray[np.float64]) -> None:
        there = values[np.isfinite(values)]
        self.cells += len(values)
        self.missing += len(values) - len(there)
        if not len(there):
            return
        self.low, self.high = min(self.low, there.min()), max(self.high, there.max())
        self.whole &= bool((there == np.floor(there)).all())
        self.rising &= bool(there[0] > self.last and (np.diff(there) > 0).all())
        self.last = float(there[-1])

    def add_codes(self, codes: NDArray[np.int32], levels: Sequence[str]) -> None:
        self.cells += len(codes)
        self.missing += int((codes < 0).sum())
        if self.many:
            return
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        self.levels.update({levels[k]: int(counts[k]) for k in np.flatnonzero(counts).tolist()})
        if len(self.levels) > MOST_LEVELS:
            self.many, self.levels = True, Counter()


@frozen
class Profile:
    """Columns by name, and how many values of the numeric ones lie outside given ranges."""

    rows: int
    columns: dict[str, Column]
    outside: dict[str, tuple[int, int]]


def profile(
    paths: Sequence[str],
    options: ReadOptions,
    only: Sequence[str] | None = None,
    ranges: dict[str, tuple[float, float]] | None = None,
) -> Profile:
    """Look at the columns of some files; those of a baseline are as it describes them.

    Parameters
    ----------
    paths : sequence of str
        Files and globs.
    options : ReadOptions
        How the bytes are taken; choices of columns and rows do not count.
    only : sequence of str, optional
        Names of the columns to look at.
    ranges : mapping of str to two floats, optional
        For `Profile.outside`: values below and above are counted.

    Raises
    ------
    DataError, UsageError
    """
    known = None if ranges else _from_baseline(paths)
    if known is not None and only is None:
        return known
    found: dict[str, Column] = {}
    outside: dict[str, list[int]] = {name: [0, 0] for name in ranges or {}}
    rows, first = 0, True
    for path in expand_all(paths):
        table = opened(path, options)
        try:
            names = [n for n in table.names if n and (only is None or n in only)]
            if only is not None and len(names) < len(only):
                raise DataError(f"{table.label}: has no column {only[0]!r}.")
            kinds = kinds_of(table, names)
            for name in names:
                if first or name in found:
                    _agree(found, name, kinds[name])
            found = {n: c for n, c in found.items() if n in names}
            rows += _read(table, found, kinds, outside, ranges or {})
            first = False
        finally:
            table.close()
    return Profile(rows, found, {name: (a, b) for name, (a, b) in outside.items()})


def expand_all(paths: Sequence[str]) -> list[str]:
    """Files that names and globs stand for."""
    return [p for path in paths for p in expand(path, "file")]


def opened(path: str, options: ReadOptions) -> Table:
    """Open a file as the check reads it."""
    how = dialect(options)
    opener = partial(open_table, path, options.input_format, how, None, explode=options.exploded)
    nulls = Nulls.of(options)
    return (opener if nulls is None else nulls.opening(opener))()


def _from_baseline(paths: Sequence[str]) -> Profile | None:
    """What a baseline says of all rows that it was made of; None for other files, and several."""
    try:
        (path,) = expand_all(paths)
        with open(path, "rb") as stream:
            head = stream.read(LOOKED_AT)
    except (OSError, ValueError):
        return None  # the opening proper says what is wrong
    found = recognised(head)
    if found is None or found.name != KIND:
        return None
    source = open_path(path, None)
    try:
        kept = read(source)
    finally:
        source.close()
    columns = {}
    for c in kept.columns:
        numbers = c.kind in NUMERIC and c.kept and c.cells > c.missing
        low, high = (c.low, c.high) if numbers else (math.inf, -math.inf)
        levels = Counter({level.name: level.cells for level in c.levels})
        columns[c.name] = Column(
            c.kind, c.cells, c.missing, low, high, c.whole, c.rising, levels, c.many, c.kept
        )
    return Profile(kept.of, columns, {})


def agreed(kind: str, other: str) -> bool:
    """Whether columns of two files hold the same."""
    numbers = (NUMBER, BOOLEAN)
    return EMPTY in (kind, other) or kind == other or (kind in numbers and other in numbers)


def kinds_of(table: Table, names: Sequence[str]) -> dict[str, str]:
    """What columns hold; those that no test reads, too."""
    place = {name: j for j, name in enumerate(table.names)}
    try:
        found = table.kinds([place[name] for name in names])
        return {name: found[place[name]] for name in names}
    except DataError:  # some column holds what no test reads: find it
        kinds = {}
        for name in names:
            try:
                kinds[name] = table.kinds([place[name]])[place[name]]
            except DataError:
                kinds[name] = OTHER
        return kinds


def _agree(found: dict[str, Column], name: str, kind: str) -> None:
    """Enter the kind of a column, or take one that is known after files without a value."""
    before = found.setdefault(name, Column(kind))
    if before.kind == EMPTY:
        before.kind = kind


def _read(
    table: Table,
    found: dict[str, Column],
    kinds: dict[str, str],
    outside: dict[str, list[int]],
    ranges: dict[str, tuple[float, float]],
) -> int:
    """Read a table; return the number of its rows."""
    place = {name: j for j, name in enumerate(table.names)}
    numbers = [n for n in found if kinds[n] in NUMERIC]
    texts = [n for n in found if kinds[n] == TEXT]
    empty = [n for n in found if kinds[n] == EMPTY]
    wanted = Wanted(tuple(place[n] for n in (*numbers, *empty)), tuple(place[n] for n in texts))
    rows = 0
    for block in table.blocks(wanted):
        rows += block.rows
        for k, name in enumerate((*numbers, *empty)):
            values = block.values[:, k]
            found[name].add_numbers(values)
            if name in ranges:
                low, high = ranges[name]
                outside[name][0] += int((values < low).sum())
                outside[name][1] += int((values > high).sum())
        for name, text in zip(texts, block.texts, strict=True):
            found[name].add_codes(text.codes, text.levels)
    return rows
