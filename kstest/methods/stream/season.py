"""Residuals of a stream from the running means and spreads of a calendar column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...betting.rows import Rows, marks_of
from ...errors import DataError
from ...sample import Columns, Sample
from ...wording import shown

Array = NDArray[np.float64]

# A column that a season is taken from has few values; the rest are no season.
MOST_LEVELS = 366
# Earlier rows of a level before its rows are used: the mean of fewer is too rough.
LEAST_SEEN = 10
FARTHEST = 1e150


@frozen
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
        return marks_of(sample, columns.categorical.index(name))
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
