"""One column of many pairs: what is computed once for all pairs that it is in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import blocks, guard, loops, starts
from .blocks import Design
from .features import Circle, Scale, learn_scale
from .rows import Rows

Array = NDArray[np.float64]


@frozen
class Margin:
    """One column in one place of its pairs, first or second; empty once these are decided.

    Attributes
    ----------
    values, marks : ndarray
        The rows that wait for a block to fill.
    scale : Scale or None
    sums : ndarray (H, R, 2, D)
        Of the features of earlier rows.
    guard : guard.State or None
    experts : ndarray
        Log wealths of what the guard's experts have begun to bet.
    log_e : float
        The guard's evidence.
    flagged : int
        Row where it flagged the column, or 0.
    """

    values: Array
    marks: NDArray[np.uint64]
    scale: Scale | None
    sums: Array
    guard: guard.State | None
    experts: Array
    log_e: float = 0.0
    flagged: int = 0


class Side:
    """A margin while rows are taken."""

    def __init__(self, design: Design, margin: Margin, new: Rows, place: int, used: bool) -> None:
        self.design, self.place, self.used = design, place, used
        self.rows = Rows(margin.values, margin.marks).followed_by(new) if used else new[:0]
        self.scale, self.sums = margin.scale, margin.sums.copy()
        self.experts, self.log_e = margin.experts.copy(), margin.log_e
        self.flagged, self.guard = margin.flagged, margin.guard
        self.looks, self.path = np.empty(0, np.int64), np.empty(0)
        self.angles = np.empty((0, 0))
        self.points = self.angles, self.angles
        if used and margin.guard is not None:
            seed = 4 * design.seed + place
            self.guard, self.looks, factors = guard.step(margin.guard, new, seed, design.stride)
            self.experts, self.path = starts.settle(
                self.experts, margin.guard.windows, factors, guard.tau(design.stride)
            )

    def warm(self, rows: int) -> None:
        """Fix unit and bandwidth by the first rows."""
        bandwidth = self.design.bandwidths[self.place - 1]
        how = self.design.scale, self.design.kernel, bandwidth
        self.scale = learn_scale(self.rows[:rows], *how)

    def circle(self) -> Circle:
        assert self.scale is not None
        return blocks.circle(self.design, self.scale, self.rows, self.place)

    def learn(self, keep: Array) -> None:
        loops.add_points(*self.points, keep, self.sums)

    def heed(self, k: int) -> None:
        """Take what the guard said at its look `k`."""
        self.log_e = float(self.path[k])
        if not self.flagged and self.log_e >= math.log(guard.FLAG):
            self.flagged = int(self.looks[k])

    def kept(self, from_row: int, used: bool) -> Margin:
        if not used:  # nothing more will be asked of it
            none = np.empty(0)
            rows = self.rows[:0]
            return Margin(rows.values, rows.marks, self.scale, none, None, none)
        rows = self.rows[from_row:]
        values, marks = rows.values.copy(), rows.marks.copy()
        numbers = self.experts, self.log_e, self.flagged
        return Margin(values, marks, self.scale, self.sums, self.guard, *numbers)
