"""Levels of a column that is no part of the comparison: which there are, and which can be tested.

For `--by` of a test, which tests its levels as one family, and for `by` of a check of kstest.toml,
which makes a check of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...errors import DataError, printable
from ...result import Notice
from ...sample import MISSING_CODE, MISSING_NAME, Sample
from ...wording import in_words, shown

Index = NDArray[np.int64]

# Rows that a side of a level needs: fewer cannot reach a corrected level.
FEWEST = 8
MOST = 1000
# Levels that are spelt alike, of those that are named.
MOST_ALIKE = 5
# What rows without a value are called where a level is called as they are elsewhere.
NO_VALUE = "no value"


@frozen
class Levels:
    """The levels of a column of several samples.

    Attributes
    ----------
    column : str
    sides : tuple of str
    names : tuple of str
        Of the levels; that of missing cells comes first.
    codes : ndarray of int (K,)
    rows : ndarray of int (sides, K)
        How many rows each side has of each.
    """

    column: str
    sides: tuple[str, ...]
    names: tuple[str, ...]
    codes: Index
    rows: Index

    @property
    def tested(self) -> list[int]:
        """Places of those that all sides have rows enough of."""
        return [int(k) for k in np.flatnonzero(self.rows.min(axis=0) >= FEWEST)]

    def require_few(self, dashes: str = "--") -> None:
        """Refuse a column of too many levels, or one that is different in every row.

        Parameters
        ----------
        dashes : str
            Before the names of options.

        Raises
        ------
        DataError
        """
        count, each = len(self.tested), f" with {FEWEST} rows on every side"
        if not count:
            count, each = len(self.names), ""
        if count > MOST:
            raise DataError(
                f"{dashes}by {shown(self.column)}: has {count:,} levels{each}; accepted: at most "
                f"{MOST:,}. Choose rows with {dashes}where, or a coarser column"
            )

    def left_out(self) -> Iterator[Notice]:
        """Say which levels are spelt alike, and which are not tested, with their rows."""
        yield from self.alike()
        for code, alone, why in (
            (
                "levels-on-one-side",
                True,
                "on one side only, and not tested. kstest ks --columns compares how many rows the "
                "levels have",
            ),
            ("levels-not-tested", False, f"fewer than {FEWEST} rows on a side, and not tested"),
        ):
            least = self.rows.min(axis=0)
            found = np.flatnonzero((least < FEWEST) & ((least == 0) == alone))
            some = [f"{self.names[k]} ({self._counts(int(k))})" for k in found]
            if some:
                yield Notice(code, f"by {printable(self.column)}: {in_words(some)}: {why}")

    def alike(self) -> Iterator[Notice]:
        """Say which levels differ in blanks, or in large and small letters, only."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(" ".join(name.casefold().split()), []).append(name)
        some = [" and ".join(map(shown, names)) for names in found.values() if len(names) > 1]
        if some:
            text = "; ".join(some[:MOST_ALIKE]) + "; and more" * (len(some) > MOST_ALIKE)
            yield Notice(
                "levels-alike",
                f"by {printable(self.column)}: levels that differ in blanks or in the size of "
                f"letters only are different ones: {text}",
            )

    def reason(self, k: int) -> str:
        """Why a level is not tested."""
        counts = self.rows[:, k]
        if counts.max() < FEWEST and counts.min():
            return f"not tested: fewer than {FEWEST} rows in both sides"
        side = self.sides[int(counts.argmin())]
        few = f"fewer than {FEWEST} rows" if counts.min() else "no rows"
        return f"not tested: {few} in {side}"

    def _counts(self, k: int) -> str:
        return ", ".join(f"{s} {n:,}" for s, n in zip(self.sides, self.rows[:, k], strict=True))


def levels_of(samples: Sequence[Sample], place: int) -> Levels:
    """The levels of the categorical column at this place of all samples.

    Examples
    --------
    >>> from kstest.methods.two_samples.levels import levels_of
    >>> from kstest.sources import samples_from_objects, ReadOptions
    >>> import pandas
    >>> sides = {s: pandas.DataFrame({"k": ["u"] * 8 + ["v"] * n}) for s, n in (("a", 8), ("b", 2))}
    >>> found = levels_of(samples_from_objects(sides, ReadOptions())[0], 0)
    >>> found.names, found.rows.tolist(), found.tested
    (('u', 'v'), [[8, 8], [8, 2]], [0])
    """
    first = samples[0]
    known = first.levels[place]
    counts = np.array([np.bincount(s.codes[:, place] + 1, minlength=len(known) + 1)
                       for s in samples])  # fmt: skip
    codes = np.flatnonzero(counts.any(axis=0)) - 1
    blank = MISSING_NAME if MISSING_NAME not in known else NO_VALUE
    names = tuple(blank if code == MISSING_CODE else known[code] for code in codes)
    sides = tuple(s.name for s in samples)
    return Levels(first.categorical[place], sides, names, codes, counts[:, codes + 1])
