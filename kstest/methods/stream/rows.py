"""From samples to the rows that bets see: blocks of columns, categories as marks, residuals."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...betting.rows import Rows
from ...errors import DataError
from ...sample import Sample
from ...sources.wording import shown

Array = NDArray[np.float64]

# A column that a season is taken from has few values; the rest are no season.
MOST_LEVELS = 366
# Earlier rows of a level before its rows are used: the mean of fewer is too rough.
LEAST_SEEN = 10
FARTHEST = 1e150


@dataclass(frozen=True)
class Columns:
    """The columns of a stream, as they were at its start.

    Attributes
    ----------
    numeric, categorical : tuple of str
    all : tuple of str
        All columns of the file: positions count in them.
    missing : bool
        Whether rows with missing cells are kept, and marked.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    all: tuple[str, ...]
    missing: bool = False

    @classmethod
    def of(cls, sample: Sample, missing: bool | None = None) -> Columns:
        """Look at a sample; `missing` says what later samples may have."""
        kept = sample.missing is not None if missing is None else missing
        names = sample.file_columns or (*sample.columns, *sample.categorical)
        return cls(sample.columns, sample.categorical, tuple(names), kept)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical)

    def sample(self) -> Sample:
        """A sample of these columns, without rows."""
        return Sample(
            "data",
            np.empty((0, len(self.numeric))),
            self.numeric,
            (),
            categorical=self.categorical,
            codes=np.empty((0, len(self.categorical)), np.int32),
            levels=((),) * len(self.categorical),
            file_columns=self.all,
        )


def no_rows(columns: Columns, names: Sequence[str]) -> Rows:
    """No rows of some columns."""
    return rows_of(columns.sample(), columns, names)


def rows_of(sample: Sample, columns: Columns, names: Sequence[str]) -> Rows:
    """Take some columns; categories, and with `columns.missing` missing cells, become marks."""
    numeric = [columns.numeric.index(name) for name in names if name in columns.numeric]
    texts = [columns.categorical.index(name) for name in names if name in columns.categorical]
    marks = [_marks(sample, column) for column in texts]
    if columns.missing:
        there = sample.missing
        for c in numeric:
            gone = np.zeros(sample.n, np.uint64) if there is None else there[:, c].astype(np.uint64)
            marks.append(gone)
    table = np.column_stack(marks) if marks else np.empty((sample.n, 0), np.uint64)
    values = np.ascontiguousarray(sample.values[:, numeric])
    return Rows(values, np.ascontiguousarray(table, np.uint64))


def row_bytes(sample: Sample, columns: Columns) -> bytes:
    """The rows as bytes, the same however they are cut into chunks."""
    rows = rows_of(sample, columns, columns.names)
    numbers = np.ascontiguousarray(rows.values + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    return np.hstack([numbers, rows.marks]).tobytes()


def _marks(sample: Sample, column: int) -> NDArray[np.uint64]:
    levels = sample.levels[column]
    table = np.array([*(mark(level) for level in levels), 1], np.uint64)  # last: missing
    return np.asarray(table[sample.codes[:, column]])


@lru_cache(1 << 14)
def mark(level: str) -> int:
    """A number for a category that is the same in every run; 0 and 1 stand for other things."""
    digest = hashlib.blake2b(level.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(2, int.from_bytes(digest, "little"))


@dataclass(frozen=True)
class Season:
    """Running means and spreads of numeric columns by the level of a calendar column.

    Attributes
    ----------
    levels : ndarray of uint64 (k,)
        The level of every row of the other arrays: its mark, or the bits of its number.
    counts : ndarray (k,)
    sums, sizes : ndarray (k, d)
        Of the values, and of their distances from the mean of the rows before each.
    """

    levels: NDArray[np.uint64]
    counts: NDArray[np.float64]
    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]


def begin_season(columns: int) -> Season:
    """Nothing known."""
    none = np.empty((0, columns))
    return Season(np.empty(0, np.uint64), np.empty(0), none, none)


def residuals(
    season: Season, levels: NDArray[np.uint64], values: NDArray[np.float64], column: str
) -> tuple[Season, NDArray[np.float64], NDArray[np.bool_]]:
    """Take from every row the mean and the spread of the earlier rows of its level.

    Parameters
    ----------
    season : Season
    levels : ndarray of uint64 (n,)
    values : ndarray (n, d)
    column : str
        Named in errors.

    Returns
    -------
    season : Season
    residuals : ndarray (n, d)
    ready : ndarray of bool (n,)
        False for the first rows of a level, which only teach.

    Raises
    ------
    DataError
        For more than `MOST_LEVELS` levels.

    Notes
    -----
    A residual is (x - m) / s, with m the mean of the n earlier rows of the level, and s the mean
    of the n - 1 distances of these from the mean of the rows before them; where that is 0, it is
    taken over all levels, and where that is 0 too, s = 1. Both depend on the calendar and on
    earlier rows only, so a bet stays a bet. That residuals are exchangeable within a block is not
    guaranteed by it, only more plausible; the guard looks at them.
    """
    known = {int(level): k for k, level in enumerate(season.levels.tolist())}
    place = [known.setdefault(level, len(known)) for level in levels.tolist()]
    if len(known) > MOST_LEVELS:
        raise DataError(
            f"--residualise {column}: more than {MOST_LEVELS} different values, which is no "
            "calendar; give a column such as the hour, the weekday or the month."
        )
    more = len(known) - len(season.levels)
    counts = np.concatenate([season.counts, np.zeros(more)])
    nothing = np.zeros((more, season.sums.shape[1]))
    sums, sizes = (np.concatenate([a, nothing]) for a in (season.sums, season.sizes))
    out, ready = np.empty_like(values), np.zeros(len(values), np.bool_)
    # Sums of the largest numbers would overflow.
    bounded = np.clip(values, -FARTHEST, FARTHEST)
    for i, k in enumerate(place):  # one after the other: a row knows the earlier ones
        ready[i] = counts[k] >= LEAST_SEEN
        off = bounded[i] - sums[k] / max(counts[k], 1.0)
        out[i] = off / _spread(counts, sizes, k) if ready[i] else off
        if counts[k]:
            sizes[k] += np.abs(off)
        counts[k] += 1
        sums[k] += bounded[i]
    return Season(np.array(list(known), np.uint64), counts, sums, sizes), out, ready


def _spread(counts: Array, sizes: Array, k: int) -> Array:
    """Mean distance of the rows of a level, else of all levels, else 1."""
    found = sizes[k] / (counts[k] - 1)
    if found.all():
        return np.asarray(found)
    pooled = sizes.sum(axis=0) / np.maximum(counts - 1, 0).sum()
    return np.asarray(np.where(found > 0, found, np.where(pooled > 0, pooled, 1.0)))


def levels_of(sample: Sample, columns: Columns, name: str) -> NDArray[np.uint64]:
    """The level of every row in a calendar column."""
    if name in columns.categorical:
        return _marks(sample, columns.categorical.index(name))
    values = sample.values[:, columns.numeric.index(name)] + 0.0  # -0.0 is 0.0; a copy
    return np.ascontiguousarray(values).view(np.uint64)


def residual_rows(
    season: Season, levels: NDArray[np.uint64], sides: Sequence[Rows], column: str
) -> tuple[Season, list[Rows]]:
    """Residuals of the numbers of all sides, without the rows that only teach."""
    season, out, ready = residuals(
        season, levels, np.hstack([side.values for side in sides]), shown(column)
    )
    keep, found, first = np.flatnonzero(ready), [], 0
    for side in sides:
        last = first + side.values.shape[1]
        found.append(replace(side, values=out[:, first:last].copy())[keep])
        first = last
    return season, found
