"""Gathered: the kept rows of a side, put one after the other while they are read.

A list of blocks that is joined in the end would need all rows twice. Arrays that grow by `resize`
do not: the system moves the pages of a large one, and copies no bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.diagnostics.tracks import Track
from kstest.frozen import frozen

STRIP = 1 << 16  # rows of which temporary arrays are made at a time
MOST_EXPECTED = 1 << 26  # rows
_GROWTH = 16  # a full array grows by this part of itself: so much more than the rows is held


@frozen
class Chunk:
    """The kept rows of a block; codes are provisional, absent parts are None."""

    values: NDArray[np.float64]
    missing: NDArray[np.bool_] | None
    codes: NDArray[np.int32] | None
    groups: NDArray[np.int32] | None
    weights: NDArray[np.float64] | None

    def kept(self, rows: NDArray[np.int64]) -> Chunk:
        """Keep some rows."""
        return Chunk(
            self.values.T[:, rows].T,  # still column by column
            None if self.missing is None else self.missing[rows],
            None if self.codes is None else self.codes[rows],
            None if self.groups is None else self.groups[rows],
            None if self.weights is None else self.weights[rows],
        )


class Growing:
    """An array (rows, ...) that rows are added to; C-contiguous."""

    def __init__(self, first: NDArray[Any], room: int = 0) -> None:
        self.rows = len(first)
        if room > self.rows:  # what is not written to takes no memory
            self._array: NDArray[Any] = np.empty((room, *first.shape[1:]), first.dtype)
            self._array[: self.rows] = first
        else:
            self._array = np.array(first, order="C")

    def add(self, more: NDArray[Any]) -> None:
        """Put rows at the end."""
        start, self.rows = self.rows, self.rows + len(more)
        if self.rows > len(self._array):
            self._resize(max(self.rows, len(self._array) + len(self._array) // _GROWTH))
        self._array[start : self.rows] = more

    def whole(self) -> NDArray[Any]:
        """All rows, as an array of their number. Nothing can be added while it is in use."""
        if self.rows < len(self._array):
            self._resize(self.rows)
        return self._array

    def _resize(self, rows: int) -> None:
        # Without the count of references, which a debugger or a profiler changes.
        self._array.resize((rows, *self._array.shape[1:]), refcheck=False)


class Gathered:
    """The rows of a side.

    Attributes
    ----------
    rows : int
        So far.
    track : Track or None
        The course of their numbers, if anybody asks.
    """

    def __init__(self, track: Track | None = None) -> None:
        self.rows, self.track, self._room = 0, track, 0
        self._parts: dict[str, Growing] = {}

    def expect(self, rows: int) -> None:
        """Make room for all rows of the first file at once. Whoever states their number may lie."""
        self._room = rows if rows <= MOST_EXPECTED else 0

    def add(self, chunk: Chunk) -> None:
        """Take the kept rows of a block."""
        if self.track is not None:
            self.track.add(chunk.values, chunk.missing)
        missing = chunk.missing
        if missing is None and "missing" in self._parts:
            missing = np.zeros(chunk.values.shape, np.bool_)
        elif missing is not None and "missing" not in self._parts and self.rows:
            before = np.zeros((self.rows, missing.shape[1]), np.bool_)
            self._parts["missing"] = Growing(before)
        found = {
            "values": chunk.values,
            "missing": missing,
            "codes": chunk.codes,
            "groups": chunk.groups,
            "weights": chunk.weights,
        }
        for name, more in found.items():
            if more is None:
                continue
            if name in self._parts:
                self._parts[name].add(more)
            else:
                self._parts[name] = Growing(more, self._room)
        self.rows += len(chunk.values)

    def clear(self) -> None:
        """Forget the rows: the run ends with an error."""
        self.rows = 0
        self._parts.clear()

    def whole(self, name: str) -> Any:
        """All of a part of `Chunk`, by its name; None where there is none."""
        return self._parts[name].whole() if name in self._parts else None

    def codes(self, j: int, categorical: int) -> Iterator[NDArray[np.int32]]:
        """Yield the codes of a column some rows at a time; after the tested ones comes the group.

        There are as many `categorical` columns.
        """
        whole = self.whole("codes")[:, j] if j < categorical else self.whole("groups")
        for start in range(0, self.rows, STRIP):
            yield whole[start : start + STRIP]
