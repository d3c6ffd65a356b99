"""Categories of two sides that differ in how they are written, or in everything."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from kstest.errors import DataError
from kstest.result import Notice
from kstest.sources.categories import Words
from kstest.sources.levels import by_value
from kstest.wording import listed, option_value, shown

_TRUTH = (
    frozenset({"true", "false"}),
    frozenset({"t", "f"}),
    frozenset({"yes", "no"}),
    frozenset({"y", "n"}),
    frozenset({"on", "off"}),
    frozenset({"1", "0"}),
)
# Cells of a side from which on it is no chance that no category is on both.
LEAST_CELLS = 10
LISTED = 4


def unlike(column: Words, insisted: bool = False) -> tuple[Notice, ...]:
    """Say that categories of two sides differ in spelling, or have nothing in common.

    Parameters
    ----------
    column : Words
    insisted : bool
        Whether the user named the column in --categorical: then nothing is refused.

    Raises
    ------
    DataError
        For truth values that are written in two ways.
    """
    if len(column.counts) != 2:
        return ()
    sides = [
        [column.words[int(k)] for k in np.flatnonzero(counts)] for counts in column.counts.values()
    ]
    if not all(sides) or sides[0] == sides[1]:
        return ()
    truth = _truth(column, sides)
    if truth and not insisted:
        raise DataError(
            f"{truth}. Write them in one way (sed, or read as numbers 1 and 0), or leave the "
            f"column out with --exclude {option_value([column.name])}."
        )
    if truth:
        return (Notice("spellings-differ", f"{truth}, and count as different categories"),)
    common = set(sides[0]) & set(sides[1])
    pairs = _spelled(sides, common)
    if pairs:
        one, other = pairs[0]
        names = [*column.counts]
        more = f", and {len(pairs) - 1:,} more pairs" if len(pairs) > 1 else ""
        return (
            Notice(
                "spellings-differ",
                f"column {shown(column.name)} has {shown(one)} in the {names[0]} and "
                f"{shown(other)} in the {names[1]}{more}: categories that are written differently "
                "are different. If they mean the same, write them in one way",
            ),
        )
    if not common and all(counts.sum() >= LEAST_CELLS for counts in column.counts.values()):
        return (
            Notice(
                "values-apart",
                f"column {shown(column.name)} has no value in common: {_sides(column, sides)}. "
                "If it names the run, the day or the file, leave it out with --exclude "
                f"{option_value([column.name])}",
            ),
        )
    return ()


def _truth(column: Words, sides: Sequence[Sequence[str]]) -> str:
    """Say that truth values are written in two ways; empty where they are not."""
    plain = [{level.strip().casefold() for level in levels} for levels in sides]
    pairs = [next((pair for pair in _TRUTH if found <= pair), None) for found in plain]
    if None in pairs or set(sides[0]) & set(sides[1]):
        return ""
    if pairs[0] == pairs[1] and not plain[0] & plain[1]:
        return ""  # yes on one side, no on the other, is a difference
    return f"column {shown(column.name)} holds truth values written as {_sides(column, sides)}"


def _sides(column: Words, sides: Sequence[Sequence[str]]) -> str:
    return ", ".join(
        f"{listed(levels, LISTED)} in the {side}"
        for side, levels in zip(column.counts, sides, strict=True)
    )


def _spelled(sides: Sequence[Sequence[str]], common: set[str]) -> list[tuple[str, str]]:
    """Categories of one side alone that differ from some of the other alone in spelling only."""
    other = {_plain(level): level for level in sides[1] if level not in common}
    pairs = [(level, other.get(_plain(level))) for level in sides[0] if level not in common]
    return [(one, two) for one, two in pairs if two is not None]


def _plain(level: str) -> str:
    """A category without case, outer and repeated blanks, and the form of its accents."""
    return by_value(" ".join(unicodedata.normalize("NFKC", level).casefold().split()))
