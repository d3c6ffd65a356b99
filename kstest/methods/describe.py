"""How a column differs, in the words a person would use; numbers in the column's own units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..sample import Sample
from ..wording import DURATION, value_text
from .two_samples.arranged import Arranged

Array = NDArray[np.float64]

# Numeric columns with at most this many values may be described by the share of one of them.
FEW_VALUES = 64
TAIL = 0.02
# Beyond this many standard deviations a difference is no chance.
SURE = 3.0
NUMBER, CATEGORY, MISSING = "number", "category", "missing"


def describe(samples: Sequence[Sample], pooled: Arranged, column: int) -> str:
    """Say how column number `column` of the pooled rows differs, reference first."""
    numeric, categories = pooled.numeric, len(samples[0].categorical)
    place = bisect_right([numeric, numeric + categories], column)
    return in_words(samples, pooled.names[column], (NUMBER, CATEGORY, MISSING)[place])


def in_words(samples: Sequence[Sample], name: str, kind: str) -> str:
    """Say how a column differs: its numbers, its categories, or which of its cells are missing."""
    reference = samples[0]
    if kind == NUMBER:
        place = reference.columns.index(name)
        parts = [_present(s, place) for s in samples]
        if not all(len(p) for p in parts):
            return "no values on one side"
        return _numeric(parts[0], parts[1], reference.kinds.get(name, ""))
    if kind == CATEGORY:
        place = reference.categorical.index(name)
        return _categories(samples, place)
    place = reference.columns.index(name) if reference.columns else 0
    shares = [float(s.missing[:, place].mean()) if s.missing is not None else 0.0 for s in samples]
    return f"share of missing cells: {percent(*shares)}"


def _categories(samples: Sequence[Sample], place: int) -> str:
    """The category that lost the largest share, and the one that gained it; new ones too."""
    most = len(samples[0].levels[place])
    # the last entry takes the missing cells
    counts = [np.bincount(s.codes[:, place] % (most + 1), minlength=most + 1) for s in samples]
    shares = [count / max(count.sum(), 1) for count in counts]
    change = shares[1] - shares[0]
    said = []
    ends = int(change.argmin()), int(change.argmax())
    for k in dict.fromkeys(sorted(ends, key=lambda k: -abs(change[k]))):
        if change[k]:
            level = repr(samples[0].levels[place][k]) if k < most else "missing cells"
            said.append(f"share of {level}: {percent(shares[0][k], shares[1][k])}")
    return "; ".join(said) or "the same shares"


def _numeric(a: Array, b: Array, kind: str = "") -> str:
    """The largest of: location, spread, a single value, a tail; of those that are no chance.

    A tail that doubles is a small difference of shares and a sure one, while medians always differ.
    """
    both = np.concatenate([a, b])
    pairs = 1 / len(a) + 1 / len(b)
    # P(b > a) - P(b < a) has the variance of the rank-sum statistic where nothing differs.
    noise = float(np.sqrt(pairs / 3))
    candidates = [
        (_shift(a, b), noise, _location(a, b, kind)),
        (_shift(*_apart(a, b)), noise, _spread(a, b, kind)),
    ]

    def of_shares(x: float, y: float, words: str) -> tuple[float, float, str]:
        whole = (x * len(a) + y * len(b)) / len(both)
        noise = float(np.sqrt(pairs * max(whole * (1 - whole), 0.0)))
        return y - x, noise, f"share {words}: {percent(x, y)}"

    values = np.unique(both)
    if len(values) <= FEW_VALUES:
        change = np.array([_share(b, v) - _share(a, v) for v in values])
        value = float(values[int(np.argmax(np.abs(change)))])
        candidates.append(
            of_shares(_share(a, value), _share(b, value), f"of {value_text(value, kind)}")
        )
    low, high = np.quantile(both, [TAIL, 1 - TAIL])
    for edge, side in ((high, 1), (low, -1)):
        x, y = (float((side * z > side * edge).mean()) for z in (a, b))
        candidates.append(
            of_shares(x, y, f"{'above' if side > 0 else 'below'} {value_text(edge, kind)}")
        )
    sure = [c for c in candidates if abs(c[0]) > SURE * c[1]]
    return max(sure or candidates, key=lambda c: abs(c[0]))[2]


def _shift(a: Array, b: Array) -> float:
    """P(b > a) - P(b < a), between -1 and 1."""
    a, b = np.sort(a), np.sort(b)  # b too: searching in order is ten times as fast
    above = np.searchsorted(a, b, side="left").mean() / len(a)
    below = 1 - np.searchsorted(a, b, side="right").mean() / len(a)
    return float(above - below)


@np.errstate(over="ignore", invalid="ignore")
def _apart(a: Array, b: Array) -> tuple[Array, Array]:
    """Distances from each side's own median: their shift is a change of spread."""
    return np.abs(a - np.median(a)), np.abs(b - np.median(b))


@np.errstate(over="ignore", invalid="ignore")
def _location(a: Array, b: Array, kind: str) -> str:
    up = _shift(a, b) > 0
    word = "higher" if up else "lower"
    # Ranks say the direction; the number shown must not contradict it.
    for name, of in (("median", np.median), ("mean", np.mean)):
        before, after = float(of(a)), float(of(b))
        if isfinite(after - before) and before != after and (after > before) == up:
            return f"{word}: {name} {_change(before, after, kind)}"
    return f"{word} in {50 * (1 + abs(_shift(a, b))):.3g} % of pairs of rows"


@np.errstate(over="ignore", invalid="ignore")
def _spread(a: Array, b: Array, kind: str) -> str:
    wider = _shift(*_apart(a, b)) > 0
    word = "wider" if wider else "narrower"
    for name, of in (("middle half", _middle_half), ("standard deviation", np.std)):
        before, after = float(of(a)), float(of(b))
        differ = min(before, after) > 0 and before != after and isfinite(after - before)
        if differ and (after > before) == wider:
            return f"{word}: {name} {_change(before, after, DURATION if kind else '')}"
    return f"{word} around the median"


def _middle_half(x: Array) -> float:
    return float(np.subtract(*np.quantile(x, [0.75, 0.25])))


def _present(sample: Sample, place: int) -> Array:
    values = sample.values[:, place]
    return values if sample.missing is None else values[~sample.missing[:, place]]


def _share(values: NDArray[np.generic], value: object) -> float:
    return float(np.mean(values == value))


def percent(before: float, after: float) -> str:
    return f"{100 * before:.3g} % -> {100 * after:.3g} %"


def _change(before: float, after: float, kind: str) -> str:
    """Both values with as many digits as it takes to tell them apart."""
    digits = 4
    while digits < 9 and value_text(before, kind, digits) == value_text(after, kind, digits):
        digits += 1
    return f"{value_text(before, kind, digits)} -> {value_text(after, kind, digits)}"


def series_of(sample: Sample, unit: str = "row") -> str:
    """Name a sample in the legend of a picture: its role, its file, and how many rows it has."""
    files = [Path(i.path).name or i.path for i in sample.inputs if i.path != "<array>"]
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    where = f" {files[0]}{more}," if files else ""
    return f"{sample.name}:{where} {sample.n:,} {unit}{'s' * (sample.n != 1)}"
