"""Values of a numeric column in the words of what it holds: dates and times of day as such.

Dates are read as seconds since 1970 (UTC), times of day as seconds since midnight; no one knows
1.705e+09 for a day in January.
"""

from __future__ import annotations

import math

from kstest.sources.table import DATE, DURATION, TIME

DAY = 86400.0
_FARTHEST = 8.0e12  # seconds; datetime64 in microseconds ends a little later
_UNITS = ((DAY, "d"), (3600.0, "h"), (60.0, "min"))


def value_text(value: float, kind: str = "", digits: int = 4) -> str:
    """Write a value of a column that holds `kind`; a number with so many digits."""
    if kind == DATE and abs(value) < _FARTHEST:
        return _date(value)
    if kind == TIME and 0 <= value < DAY:
        return _time(value)
    if kind == DURATION:
        return span_text(value, digits)
    return f"{value:.{digits}g}"


def span_text(seconds: float, digits: int = 4) -> str:
    """Write a difference of two times."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.{digits}g} {unit}"
    return f"{seconds:.{digits}g} s"


def _date(value: float) -> str:
    import numpy as np

    # A float64 keeps microseconds of our century.
    moment = np.datetime64(0, "us") + np.timedelta64(round(value * 1e6), "us")
    day, clock = str(moment).split("T")
    whole, _, micro = clock.partition(".")
    if math.fmod(value, DAY) == 0:
        return day
    fraction = micro.rstrip("0")
    return f"{day} {whole}{f'.{fraction}' if fraction else ''}"


def _time(value: float) -> str:
    whole, micro = divmod(round(value * 1e6), 1_000_000)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{micro:06d}".rstrip("0") if micro else text
