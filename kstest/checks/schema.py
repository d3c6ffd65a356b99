"""Changes of the columns between reference and sample, as findings of a check.

Columns that appear, vanish or hold something else, and clocks that overlap, are facts. What chance
can make has an exact test each, for rows that are exchangeable between both sides, and Holm's
correction over all of a check:

- k rows of the sample beyond all of the m reference rows, or in levels the reference has not: the
  k rows are some k of the m + n, and all of them are in the sample with probability
  C(n, k) / C(m + n, k);
- missing cells: hypergeometric among the rows of both sides, both tails.

References
----------
Fisher (1935), The Design of Experiments; Wilks (1942), Annals of Mathematical Statistics 13.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from kstest.frozen import frozen

from ..nulls.several import holm_adjusted
from ..sources import ReadOptions
from ..sources.table import NUMBER, TEXT
from ..wording import DATE, listed, shown
from .outcome import Change
from .profile import OTHER, Column, Profile, agreed, profile

SEEN = 5


@frozen
class Compared:
    """Two sides.

    Attributes
    ----------
    changes : tuple of Change
        Facts, and what chance may have made with its corrected p-value, however large.
    names : tuple of str
        The columns of both sides: those of the reference, then those that are new.
    common : tuple of str
        Those that both sides have and that hold the same.
    """

    changes: tuple[Change, ...] = ()
    names: tuple[str, ...] = ()
    common: tuple[str, ...] = ()


def compared(reference: Sequence[str], sample: Sequence[str], options: ReadOptions) -> Compared:
    """Compare the columns of two sides.

    Parameters
    ----------
    reference, sample : sequence of str
        Files and globs.
    options : ReadOptions

    Raises
    ------
    DataError, UsageError
    """
    before = profile(reference, options)
    ranges = {
        name: (column.low, column.high)
        for name, column in before.columns.items()
        if column.kind == NUMBER and column.present
    }
    now = profile(sample, options, ranges=ranges)
    facts = list(_facts(before, now))
    common = [
        name
        for name, column in before.columns.items()
        if name in now.columns
        and _agree(column, now.columns[name])
        and column.kept
        and now.columns[name].kept
    ]
    chances = [c for name in common for c in _chances(name, before, now)]
    p = holm_adjusted(np.array([c.p_value for c in chances], float))
    corrected = [
        Change(c.code, c.column, c.message, float(q)) for c, q in zip(chances, p, strict=True)
    ]
    names = tuple(dict.fromkeys([*before.columns, *now.columns]))
    return Compared((*facts, *corrected), names, tuple(common))


def smallest_p(changes: Sequence[Change]) -> float:
    """The p-value of all changes that chance may have made."""
    return min((c.p_value for c in changes if c.p_value is not None), default=1.0)


def _facts(before: Profile, now: Profile) -> Iterator[Change]:
    old, new = before.columns, now.columns
    for name in old:
        if name not in new:
            yield Change("column-vanished", name, f"column {shown(name)} is gone")
    for name in new:
        if name not in old:
            yield Change("column-appeared", name, f"column {shown(name)} is new: {new[name].kind}")
    for name in old:
        if name in new and not _agree(old[name], new[name]):
            text = f"column {shown(name)} holds {new[name].kind}, before {old[name].kind}"
            yield Change("column-kind", name, text)
    for name, column in old.items():
        if column.kind == DATE and name in new and new[name].kind == DATE:
            yield from _overlap(name, column, new[name])


def _agree(one: Column, other: Column) -> bool:
    return agreed(one.kind, other.kind)


def _overlap(name: str, old: Column, new: Column) -> Iterator[Change]:
    if old.present and new.present and new.low <= old.high and old.low <= new.high:
        text = (
            f"clock {shown(name)}: the sample begins {_moment(new.low)}, the reference ends "
            f"{_moment(old.high)}; are rows in both?"
        )
        yield Change("clock-overlap", name, text)


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.6g} s"


def _chances(name: str, before: Profile, now: Profile) -> Iterator[Change]:
    """What is to be tested about a column that both sides have."""
    old, new = before.columns[name], now.columns[name]
    if OTHER in (old.kind, new.kind):
        return
    if old.missing or new.missing:
        p = missing_p(old.missing, old.cells, new.missing, new.cells)
        was, share = (100 * c.missing / max(c.cells, 1) for c in (old, new))
        text = f"column {shown(name)}: {share:.3g} % of the cells are missing, before {was:.3g} %"
        yield Change("missing-share", name, text, p)
    counter = old.whole and old.rising and new.rising  # goes beyond what it was as long as it runs
    if name in now.outside and not counter:
        below, above = now.outside[name]
        for count, side, bound in ((below, "below", old.low), (above, "above", old.high)):
            if count:
                p = min(1.0, 2 * all_new_p(old.present, new.present, count))
                text = (
                    f"column {shown(name)}: {count:,} of {new.present:,} values are {side} "
                    f"{bound:.6g}, the {'least' if side == 'below' else 'largest'} of the reference"
                )
                yield Change("out-of-range", name, text, p)
    if old.kind == new.kind == TEXT and not old.many and not new.many:
        yield from _unseen(name, old, new)


def _unseen(name: str, old: Column, new: Column) -> Iterator[Change]:
    """Levels that the reference has not, most frequent first, as one finding."""
    unseen = {level: k for level, k in new.levels.most_common() if level not in old.levels}
    if not unseen:
        return
    # The levels of all rows are known under the null hypothesis, which rows are new is not: the
    # most frequent one is one of as many as there are levels.
    levels = len(old.levels) + len(unseen)
    p = min(1.0, levels * all_new_p(old.present, new.present, max(unseen.values())))
    rows = sum(unseen.values())
    text = (
        f"column {shown(name)}: {rows:,} rows in levels that the reference has not: "
        f"{listed(list(unseen), SEEN)}"
    )
    yield Change("unseen-level", name, text, p)


def all_new_p(m: int, n: int, k: int) -> float:
    """Probability that k given rows of m + n are all among n of them.

    Examples
    --------
    >>> round(all_new_p(2, 2, 2), 6)
    0.166667
    """
    if k > n:
        return 0.0
    log = math.lgamma(n + 1) - math.lgamma(n - k + 1)
    log += math.lgamma(m + n - k + 1) - math.lgamma(m + n + 1)
    return min(1.0, math.exp(log))


def missing_p(a: int, m: int, b: int, n: int) -> float:
    """p-value for a missing cells among m and b among n: twice the smaller exact tail.

    Examples
    --------
    >>> round(missing_p(0, 3, 3, 3), 6)
    0.1
    """
    total = a + b
    low, high = max(0, total - m), min(n, total)
    x = np.arange(low, high, dtype=float)
    steps = np.log((total - x) * (n - x)) - np.log((x + 1) * (m - total + x + 1))
    log = np.concatenate([[0.0], np.cumsum(steps)])
    mass = np.exp(log - log.max())
    mass /= mass.sum()
    lower, upper = mass[: b - low + 1].sum(), mass[b - low :].sum()
    return float(min(1.0, 2 * min(lower, upper)))


def kept(changes: Sequence[Change], alpha: float) -> tuple[Change, ...]:
    """The changes to report: facts, and those that chance does not explain at this level."""
    return tuple(c for c in changes if c.p_value is None or c.p_value <= alpha)


def sides(inputs: Mapping[str, Sequence[str]]) -> tuple[Sequence[str], Sequence[str]] | None:
    """Reference and sample of a test that has both."""
    if inputs.keys() >= {"reference", "sample"}:
        return inputs["reference"], inputs["sample"]
    return None
