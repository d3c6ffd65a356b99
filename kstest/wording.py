"""Untrusted text (cells, column names, file names) made safe and short, and values in words.

Whoever writes a data file chooses this text; printed raw it could drive the user's terminal.
`repr` escapes control characters, bidirectional marks and undecodable file names alike.

Dates are read as seconds since 1970 (UTC), times of day as seconds since midnight; no one knows
1.705e+09 for a day in January, so values of such columns are written as what they are.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Collection, Sequence

from kstest.errors import printable

__all__ = [
    "BOOLEAN",
    "DATE",
    "DURATION",
    "EMPTY",
    "NUMBER",
    "TEXT",
    "TIME",
    "label",
    "listed",
    "meant",
    "meant_file",
    "nearest",
    "one_line",
    "option_value",
    "printable",
    "shown",
    "span_text",
    "value_text",
]

CELL_CHARACTERS = 40
LISTED_NAMES = 10
MOST_FILES = 2000  # of a folder, that are compared with a name
_SIMPLE_NAME = re.compile(r"[\w.][\w.-]*")
_INDEXED_NAME = re.compile(r"[\w.][\w.-]*(?:\[\d+(?:,\d+)*\])?")  # theta[1], b[1,1]
# What a column holds. Numbers and booleans are tested as they are, times in seconds, texts as
# categories; a column of kind EMPTY shows no value at first and agrees with every other kind.
NUMBER = "numbers"
BOOLEAN = "true/false"
TEXT = "text"
EMPTY = "no values"
# What a numeric column may hold that is no plain number.
DATE = "dates"
TIME = "times of day"
DURATION = "durations"
DAY = 86400.0
_FARTHEST = 8.0e12  # seconds; datetime64 in microseconds ends a little later
_UNITS = ((DAY, "d"), (3600.0, "h"), (60.0, "min"))


def shown(value: object, limit: int = CELL_CHARACTERS) -> str:
    """Quote `value`, escaped and cut to `limit` characters."""
    text = str(value)
    return repr(text if len(text) <= limit else text[:limit] + "…")


def label(path: str) -> str:
    """Give a file name as it is where every character is printable, escaped otherwise."""
    return path if path and path.isprintable() else repr(path)


def one_line(error: BaseException | str) -> str:
    """Reduce the message of a foreign exception to one printable line."""
    return shown(" ".join(str(error).split()) or type(error).__name__, 200)[1:-1]


def listed(names: Collection[str], limit: int = LISTED_NAMES) -> str:
    """List names, at most `limit` of them."""
    first = ", ".join(shown(name) for name in list(names)[:limit])
    more = len(names) - limit
    return f"{first} and {more:,} more" if more > 0 else first or "none"


def in_words(names: Sequence[str], limit: int = LISTED_NAMES) -> str:
    """Names for a sentence, at most `limit` of them, as in: a, b and c."""
    first, more = [printable(name) for name in names[:limit]], len(names) - limit
    if more > 0:
        return f"{', '.join(first)} and {more:,} more"
    return " and ".join(filter(None, [", ".join(first[:-1]), *first[-1:]]))


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Order names with those that resemble `name` first."""
    import difflib  # here and below: for messages only, and every run pays for imports

    # get_close_matches is quadratic in the length of a name: a wide or hostile header is cut.
    candidates = [n for n in names[:2000] if len(n) <= 100]
    close = difflib.get_close_matches(name[:100], candidates, LISTED_NAMES, 0.5)
    return [*close, *(n for n in names if n not in close)]


def meant(name: str, names: Sequence[str], otherwise: str = "") -> str:
    """The name that was perhaps meant, as the end of a message; else `otherwise`."""
    found = _meant(name, names)
    return f"; did you mean {shown(found)}?" if found else otherwise


def meant_file(path: str) -> str:
    """The file of that folder that was perhaps meant, as the end of a message; else a full stop."""
    folder, slash, name = path.rpartition("/")
    try:
        with os.scandir(folder or slash or ".") as entries:
            names = sorted(e.name for e in itertools.islice(entries, MOST_FILES) if e.is_file())
    except (OSError, ValueError):
        return "."
    found = _meant(name, names, 0.81)  # half of a short name is its extension
    return f"; did you mean {label(folder + slash + found)}?" if found else "."


def _meant(name: str, names: Sequence[str], alike: float = 0.65) -> str | None:
    import difflib

    folded = {n.casefold(): n for n in reversed(names[:MOST_FILES]) if 0 < len(n) <= 100}
    close = difflib.get_close_matches(name[:100].casefold(), list(folded), 1, alike)
    return folded[close[0]] if close else None


def option_value(names: Sequence[str]) -> str:
    """Write names as the value of --columns or --exclude, ready to paste where that is safe."""
    if len(names) <= LISTED_NAMES and all(_SIMPLE_NAME.fullmatch(name) for name in names):
        return ",".join(names)
    if len(names) <= LISTED_NAMES and all(_INDEXED_NAME.fullmatch(name) for name in names):
        return f"'{','.join(names)}'"
    return "NAME[,NAME...]"


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
