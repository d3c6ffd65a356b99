"""Cells: the distribution of one column that takes few values, as cells with probabilities.

A cell is one value, or a stretch of neighbouring ones; it is what `kstest.methods.frequencies`
counts rows in. `discrete` makes them of families, `rounding` of a density whose draws were
rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

Array = NDArray[np.float64]

# Infinite supports end where no more than this is left on a side; what is left is one cell.
TAIL = 1e-9
MOST_VALUES = 1_000_000
# Values this near to a point of the grid, in steps, are that point.
NEAR = 1e-6


@frozen
class Cells:
    """The distribution of one column, in cells whose probabilities are known.

    Attributes
    ----------
    low, high : ndarray (L,)
        First and last value of each cell, ascending; infinite for what is left of a tail.
    probability : ndarray (L,)
        Above 0, sum 1.
    labels : tuple of str
        The values where they are names and no numbers; empty else. `low` is then their position.
    ordered : bool
        Whether neighbouring cells are alike. Where not, only single cells are compared.
    origin, step : float
        Numbers that are no origin + k step have probability 0.
    """

    low: Array
    high: Array
    probability: Array
    labels: tuple[str, ...] = ()
    ordered: bool = True
    origin: float = 0.0
    step: float = 1.0

    def __len__(self) -> int:
        return len(self.probability)

    @property
    def positions(self) -> Array:
        """A finite place for every cell, (L,)."""
        low = np.where(np.isfinite(self.low), self.low, self.high)
        high = np.where(np.isfinite(self.high), self.high, low)
        return np.asarray((low + high) / 2)

    def place(self, values: Array) -> NDArray[np.int64]:
        """Return the cell of each value; -1 for one whose probability is 0."""
        steps = (values - self.origin) / self.step
        tolerance = NEAR * np.maximum(1.0, np.abs(steps) * 1e-6)
        slack = NEAR * self.step
        k = np.searchsorted(self.low, values + slack, side="right") - 1
        inside = (k >= 0) & (values <= self.high[np.maximum(k, 0)] + slack)
        on_grid = np.abs(steps - np.rint(steps)) <= tolerance
        return np.where(inside & on_grid, k, -1)

    def name(self, first: int, last: int) -> str:
        """Say which values the cells from `first` to `last` hold."""
        if self.labels:
            return repr(self.labels[first])
        low, high = self.low[first], self.high[last]
        if np.isinf(low):
            return f"{high:.6g} or less"
        if np.isinf(high):
            return f"{low:.6g} or more"
        return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def single(values: Array, probability: Array, labels: tuple[str, ...] = ()) -> Cells:
    """A cell per value; those of probability 0 are left out."""
    keep = probability > 0
    kept = tuple(name for name, there in zip(labels, keep, strict=True) if there) if labels else ()
    sound = probability[keep] / probability[keep].sum()
    return Cells(values[keep], values[keep], sound, kept, ordered=not labels)


def on_grid(
    below: Callable[[Array], Array],
    above: Callable[[Array], Array],
    mass: Callable[[Array], Array],
    start: float,
    ends: tuple[float, float] = (-math.inf, math.inf),
    origin: float = 0.0,
    step: float = 1.0,
) -> Cells:
    """Return cells of the points origin + k step of a distribution that may have infinitely many.

    Parameters
    ----------
    below, above : callable
        Numbers k to the probability of point k and those below it, and of those above it.
    mass : callable
        Numbers k to the probability of point k.
    start : float
        Some k in the middle of the distribution.
    ends : tuple of float
        First and last point of the support, where it has any.
    origin, step : float

    Notes
    -----
    What lies beyond `TAIL` on a side, or beyond `MOST_VALUES` values, shares a cell: that loses
    power and never validity.
    """
    first = _outermost(lambda k: float(below(np.array([k]))[0]) <= TAIL, start, -1)
    last = _outermost(lambda k: float(above(np.array([k - 1]))[0]) <= TAIL, start, 1)
    k = np.arange(first, last + 1, dtype=np.float64)
    p = mass(k)
    p[0], p[-1] = float(below(k[:1])[0]), float(above(k[-1:] - 1)[0])
    low, high = origin + step * k, origin + step * k
    low[0], high[-1] = min(ends[0], low[0]), max(ends[1], high[-1])
    keep = p > 0
    return Cells(low[keep], high[keep], p[keep] / p[keep].sum(), origin=origin, step=step)


def _outermost(enough: Callable[[float], bool], start: float, side: int) -> float:
    """The k nearest to `start` on a side that satisfies a condition all k beyond it satisfy."""
    reach = 1.0
    while not enough(start + side * reach):
        reach *= 2
        if reach > MOST_VALUES:
            return start + side * MOST_VALUES
    inner = 0.0
    while reach - inner > 1:
        middle = np.floor((inner + reach) / 2)
        inner, reach = (inner, middle) if enough(start + side * middle) else (middle, reach)
    return start + side * reach


def joined(cells: Cells, most: int) -> tuple[Cells, NDArray[np.int64]]:
    """Return cells joined with their neighbours to at most so many, and the new cell of each old.

    Half by probability and half by number, so that common values stay apart and so do tails.
    """
    L = len(cells)
    if most >= L:
        return cells, np.arange(L)
    heights = np.cumsum(cells.probability + 1 / L) / 2
    which = np.unique((most * (heights - heights[0] / 2)).astype(np.int64), return_inverse=True)[1]
    first = np.flatnonzero(np.diff(which, prepend=-1))
    last = np.append(first[1:], L) - 1
    mass = np.asarray(np.bincount(which, cells.probability), np.float64)
    return Cells(cells.low[first], cells.high[last], mass, (), cells.ordered), which
