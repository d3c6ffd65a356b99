"""What is noticed about the columns of streams, whose rows are gone when the last one is read.

The same rules as for files (`categories`, `likeness`, `tracks`), on counts that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kstest.diagnostics.tracks import Track
from kstest.diagnostics.tracks import notices as track_notices
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.join import notes_on
from kstest.sources.levels import Levels
from kstest.sources.plan import Plan
from kstest.sources.table import Coded

# Cells of a column after which it is asked whether they are categories, and again at the end. In
# 200 of 500 equally frequent categories 165 differ.
FIRST_LOOK = 200
# Categories that are counted; more are an identifier or an endless stream of names.
MOST_COUNTED = 1 << 17


@dataclass
class Watch:
    """Counts and ranges of all sides of a run.

    Attributes
    ----------
    plan : Plan
    label : str
        Of the first file.
    tracks : dict of str to Track
        By side.
    """

    plan: Plan
    label: str
    sides: tuple[str, ...]
    tracks: dict[str, Track] = field(init=False)
    _levels: list[Levels] = field(init=False)
    _counts: dict[str, list[NDArray[np.int64]]] = field(init=False)
    _looked: bool = False
    _holes: bool = False

    def __post_init__(self) -> None:
        texts = self.plan.categorical
        self.tracks = {side: Track(len(self.plan.columns)) for side in self.sides}
        self._levels = [Levels() for _ in texts]
        self._counts = {side: [np.zeros(0, np.int64) for _ in texts] for side in self.sides}

    def add(self, side: str, sample: Sample) -> None:
        """Take more rows of a side.

        Raises
        ------
        DataError
            For text that is no category.
        """
        if sample.missing is not None or (sample.codes < 0).any():
            self._holes = True
        if len(self.sides) > 1:
            self.tracks[side].add(sample.values, sample.missing)
        for j in range(len(sample.categorical)):
            known = self._levels[j]
            if len(known) > MOST_COUNTED:
                continue
            codes = known.add(Coded(sample.codes[:, j], sample.levels[j]))
            counts = np.bincount(codes[codes >= 0], minlength=len(known))
            before = self._counts[side][j]
            counts[: len(before)] += before
            self._counts[side][j] = counts
        rows = sum(int(c[0].sum()) for c in self._counts.values() if c)
        if not self._looked and rows >= FIRST_LOOK:
            self._looked = True
            self.notices()

    def vary(self) -> bool:
        """Whether some row of two sides differs from another; true of one side."""
        if len(self.sides) != 2 or not any(t.rows.any() for t in self.tracks.values()):
            return True
        low = np.min([t.low for t in self.tracks.values()], axis=0)
        high = np.max([t.high for t in self.tracks.values()], axis=0)
        levels = any(len(known) > 1 for known in self._levels)
        return bool((high > low).any()) or levels or self._holes

    def notices(self) -> tuple[Notice, ...]:
        """Look at all columns as they are so far; refuse text that is no category."""
        found: list[Notice] = []
        for j, name in enumerate(self.plan.categorical):
            size = len(self._levels[j])
            counts = {
                side: np.pad(some[j], (0, size - len(some[j])))
                for side, some in self._counts.items()
                if some[j].any()
            }
            if counts:
                words = self.plan.words(name, self.label, self._levels[j].texts, counts)
                found += notes_on(self.plan, words)
        return (*found, *track_notices(self.plan.columns, self.plan.kinds, self.tracks))
