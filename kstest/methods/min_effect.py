"""Sizes in the user's units, for --min-effect: ``0.1sd``, ``2%``, ``5%-points``, ``0.1r``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import UsageError

SD, SHARE, POINTS, CORRELATION = "sd", "%", "%-points", "r"
_UPPER = {SD: math.inf, SHARE: 100.0, POINTS: 100.0, CORRELATION: 1.0}


def parsed(text: str, units: Sequence[str], example: str) -> dict[str, float]:
    """Read sizes: by unit, shares as parts of 1.

    Parameters
    ----------
    text : str
        Empty for none.
    units : sequence of str
        Those that a test knows.
    example : str
        What is accepted, for messages.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> parsed("0.1sd, 5%-points", ("sd", "%", "%-points"), "")
    {'sd': 0.1, '%-points': 0.05}
    """
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")) if text else ():
        word = part.strip()
        unit = next((u for u in sorted(units, key=len, reverse=True) if word.endswith(u)), None)
        size = _number(word.removesuffix(unit)) if unit is not None else math.nan
        if unit is None or not 0 < size < _UPPER[unit]:
            raise UsageError(f"--min-effect {text!r}: give a size with its unit: {example}")
        if unit in found:
            raise UsageError(f"--min-effect {text!r}: gives two sizes in {unit}; leave out one")
        found[unit] = size / 100 if unit in (SHARE, POINTS) else size
    if text and not found:
        raise UsageError(f"--min-effect {text!r}: give a size with its unit: {example}")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def sized(size: float, unit: str) -> str:
    """A size in words.

    Examples
    --------
    >>> sized(0.05, "%-points"), sized(0.1, "sd")
    ('5 %-points', '0.1 sd')
    """
    return f"{100 * size:.3g} {unit}" if unit in (SHARE, POINTS) else f"{size:.3g} {unit}"
