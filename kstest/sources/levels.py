"""Categories: the text of a value, and codes that all blocks, files and sides share.

Text stays as it is, so 007 and 7 differ. Numbers are written in one way only, whole ones without
a point, so that 1 and 1.0 agree between columns of different types.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.sources.table import Coded

# Leading zeros (007, 00.5) and signs (+1) belong to codes and telephone numbers, not to numbers.
_WHOLE = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"true": "true", "True": "true", "TRUE": "true"} | {
    "false": "false",
    "False": "false",
    "FALSE": "false",
}
_LARGEST_WHOLE = 1e22  # floats up to here are written as whole numbers


def level_text(value: object) -> str | None:
    """Write a value as a category; None for a missing one (None, NaN)."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return _float_text(float(value))
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else f"{value.normalize():f}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


def _float_text(value: float) -> str | None:
    if math.isnan(value):
        return None
    if value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return str(int(value))
    return repr(value)


def by_value(text: str) -> str:
    """Rewrite a text that reads as a number or a truth value as `level_text` would."""
    if _WHOLE.fullmatch(text):
        return "0" if text == "-0" else text
    if _NUMBER.fullmatch(text):
        number = float(text)
        return text if math.isinf(number) else _float_text(number) or text
    return _TRUTH.get(text, text)


def recoded(column: Coded, decimal: str = ".") -> Coded:
    """Apply `by_value` to the categories of a block, written with a decimal sign."""
    return coded([_recoded(level, decimal) for level in column.levels], column.codes)


def _recoded(text: str, decimal: str) -> str:
    plain = text.replace(decimal, ".")
    return by_value(plain) if decimal == "." or _NUMBER.fullmatch(plain) else by_value(text)


def coded(texts: Sequence[str | None], indices: NDArray[np.integer[Any]]) -> Coded:
    """Make a column of ``texts[indices]``; equal texts are joined, None and index -1 missing."""
    place: dict[str, int] = {}
    table = [-1 if text is None else place.setdefault(text, len(place)) for text in texts]
    return Coded(np.array([*table, -1], np.int32)[indices], tuple(place))


class Levels:
    """The categories of one column, collected over blocks, files and sides."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def texts(self) -> list[str]:
        """The categories, by provisional code."""
        return [*self._codes]

    def add(self, column: Coded) -> NDArray[np.int32]:
        """Return provisional codes of a block, in the order in which categories were met."""
        codes = self._codes
        table = [codes.setdefault(level, len(codes)) for level in column.levels]
        return np.array([*table, -1], np.int32)[column.codes]

    def finish(self, used: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Return the categories that are used, sorted, and the final code of provisional ones.

        The last entry of the codes is -1, so that a missing cell (-1) stays one.
        """
        levels = sorted(level for level, code in self._codes.items() if used[code])
        final = np.full(len(self._codes) + 1, -1, np.int32)
        final[[self._codes[level] for level in levels]] = np.arange(len(levels), dtype=np.int32)
        return tuple(levels), final


def concatenated(parts: Sequence[Coded]) -> Coded:
    """Set the pieces of one column after each other, with common codes."""
    known = Levels()
    codes = np.concatenate([known.add(part) for part in parts])
    used = np.zeros(len(known), np.bool_)
    used[codes[codes >= 0]] = True
    levels, final = known.finish(used)
    return Coded(final[codes], levels)
