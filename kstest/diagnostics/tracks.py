"""Columns that tell two files apart by themselves: running numbers, clocks, ranges side by side.

An event number that goes on from file to file differs between any two files, whatever happened. A
test that sees it rejects by the letter and says nothing; so it is named, with what to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen
from kstest.result import Notice
from kstest.wording import DATE, option_value, shown, span_text, value_text

Array = NDArray[np.float64]

# Independent values are in order with probability 2 / 8! = 5e-5.
LEAST_ROWS = 8
# Probability that ranges of independent values lie apart, over all columns together.
CHANCE = 1e-3
# How far steps of one length may differ by rounding, relative to the largest value.
ROUNDING = 1e-12
LISTED = 3
FEW = 32  # values


@dataclass
class Track:
    """The course of the numeric columns of one side, row by row.

    Attributes
    ----------
    rows : ndarray of int (d,)
        Cells with a value.
    low, high, first, last : ndarray (d,)
    rising, falling : ndarray of bool (d,)
        Whether every value is at least, at most the one before.
    even : ndarray of bool (d,)
        Whether all steps are equal, and not 0.
    step : ndarray (d,)
        The first step, NaN before there is one.
    """

    d: int
    rows: NDArray[np.int64] = field(init=False)
    low: Array = field(init=False)
    high: Array = field(init=False)
    last: Array = field(init=False)
    step: Array = field(init=False)
    rising: NDArray[np.bool_] = field(init=False)
    falling: NDArray[np.bool_] = field(init=False)
    even: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        d = self.d
        self.rows = np.zeros(d, np.int64)
        self.low, self.high = np.full(d, np.inf), np.full(d, -np.inf)
        self.last, self.step = np.full(d, np.nan), np.full(d, np.nan)
        self.rising, self.falling, self.even = (np.ones(d, np.bool_) for _ in range(3))

    def add(self, values: Array, missing: NDArray[np.bool_] | None = None) -> None:
        """Take more rows, (n, d); cells that are marked as missing are no values."""
        if not values.size:
            return
        columns = [values[:, c] for c in range(self.d)]
        if missing is not None and missing.any():
            columns = [x[~missing[:, c]] for c, x in enumerate(columns)]
        # Column by column, which is six times as fast as along an axis of few columns.
        low = np.array([x.min(initial=np.inf) for x in columns])
        high = np.array([x.max(initial=-np.inf) for x in columns])
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        for c, x in enumerate(columns):
            for part in (x[:FEW], x[FEW:]):  # few show that most columns are in no order
                self._add(c, part)

    # Steps between the largest numbers there are overflow; they are not even then.
    @np.errstate(over="ignore", invalid="ignore")
    def _add(self, c: int, x: Array) -> None:
        if not len(x):
            return
        if self.rising[c] or self.falling[c]:
            before = x[:0] if not self.rows[c] else self.last[c : c + 1]
            steps = np.diff(x, prepend=before)
            self.rising[c] &= bool((steps >= 0).all())
            self.falling[c] &= bool((steps <= 0).all())
            if len(steps) and self.even[c]:
                if math.isnan(self.step[c]):
                    self.step[c] = steps[0]
                error = ROUNDING * max(abs(self.low[c]), abs(self.high[c]))
                same = np.abs(steps - self.step[c]) <= error
                self.even[c] = bool(self.step[c] != 0 and same.all())
        self.last[c] = x[-1]
        self.rows[c] += len(x)


@frozen
class _Apart:
    """A column that tells the sides apart, and how."""

    name: str
    words: str


def notices(
    names: Sequence[str], kinds: Mapping[str, str], tracks: Mapping[str, Track]
) -> tuple[Notice, ...]:
    """Name the columns that count on, and those whose ranges on two sides do not overlap.

    Parameters
    ----------
    names : sequence of str
        The numeric columns.
    kinds : mapping of str to str
        What they hold, see `kstest.sources.table`.
    tracks : mapping of str to Track
        By side; only two are compared.
    """
    if len(tracks) != 2:
        return ()
    running, apart = [], []
    for c, name in enumerate(names):
        kind = kinds.get(name, "")
        words = _counts_on(c, kind, tracks)
        if words:
            running.append(_Apart(name, words))
        elif _ranges_apart(c, tracks, len(names)):
            apart.append(_Apart(name, _ranges(c, kind, tracks)))
    found = []
    if running:
        found.append(
            Notice(
                "counts-on",
                f"{_listed(running)}. A number of the row, of the run or of the second says which "
                "file a row is from, or nothing: leave it out with --exclude "
                f"{option_value([one.name for one in running])}",
            )
        )
    if apart:
        found.append(
            Notice(
                "ranges-apart",
                f"the ranges of both sides do not overlap: {_listed(apart)}. If that is a run, a "
                "time or another name of the file, and no measurement, leave it out with --exclude "
                f"{option_value([one.name for one in apart])}",
            )
        )
    return tuple(found)


def counting(
    names: Sequence[str], kinds: Mapping[str, str], tracks: Mapping[str, Track]
) -> tuple[str, ...]:
    """Numeric columns that count on from one side to the other."""
    if len(tracks) != 2:
        return ()
    return tuple(n for c, n in enumerate(names) if _counts_on(c, kinds.get(n, ""), tracks))


def _counts_on(c: int, kind: str, tracks: Mapping[str, Track]) -> str:
    """Say how a column counts on; empty where it does not."""
    one, other = tracks.values()
    if min(one.rows[c], other.rows[c]) < LEAST_ROWS:
        return ""
    ordered = [
        (bool(t.rising[c]) or bool(t.falling[c])) and t.low[c] < t.high[c] for t in (one, other)
    ]
    if not all(ordered) or one.rising[c] != other.rising[c]:
        return ""
    ranges = _ranges(c, kind, tracks)
    error = ROUNDING * max(abs(one.high[c]), abs(other.high[c]), abs(one.low[c]))
    if one.even[c] and other.even[c] and abs(one.step[c] - other.step[c]) <= 2 * error:
        step = abs(float(one.step[c]))
        return f"{ranges} in steps of {span_text(step) if kind == DATE else value_text(step)}"
    if kind == DATE or _disjoint(c, one, other):
        return f"{ranges} in the order of the rows"
    return ""


def _disjoint(c: int, one: Track, other: Track) -> bool:
    return bool(one.high[c] < other.low[c] or other.high[c] < one.low[c])


def _ranges_apart(c: int, tracks: Mapping[str, Track], columns: int) -> bool:
    """Whether two ranges lie apart, and more than chance puts them."""
    one, other = tracks.values()
    m, n = sorted((int(one.rows[c]), int(other.rows[c])))
    if m < 2 or not _disjoint(c, one, other):
        return False
    # Of all ways to cut m + n different values into sides two put the sides apart.
    return bool(math.comb(m + n, min(m, 50)) >= 2 * columns / CHANCE)


def _ranges(c: int, kind: str, tracks: Mapping[str, Track]) -> str:
    digits = 4
    ends = [float(x) for t in tracks.values() for x in (t.low[c], t.high[c])]
    while digits < 15 and len({f"{x:.{digits}g}" for x in ends}) < len(set(ends)):
        digits += 1
    said = []
    for side, t in tracks.items():
        low, high = (value_text(float(x), kind, digits) for x in (t.low[c], t.high[c]))
        said.append(f"{low if low == high else f'{low} to {high}'} ({side})")
    return ", ".join(said)


def _listed(columns: Sequence[_Apart]) -> str:
    some = "; ".join(f"column {shown(one.name)}: {one.words}" for one in columns[:LISTED])
    more = len(columns) - LISTED
    return f"{some}; and {more:,} more columns" if more > 0 else some
