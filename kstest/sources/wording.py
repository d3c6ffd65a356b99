"""Untrusted text (cells, column names, file names) made safe and short for messages.

Whoever writes a data file chooses this text; printed raw it could drive the user's terminal.
`repr` escapes control characters, bidirectional marks and undecodable file names alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

from kstest.errors import printable

__all__ = ["label", "listed", "nearest", "one_line", "option_value", "printable", "shown"]

CELL_CHARACTERS = 40
LISTED_NAMES = 10
_SIMPLE_NAME = re.compile(r"[\w.][\w.-]*")


def shown(value: object, limit: int = CELL_CHARACTERS) -> str:
    """Quote `value`, escaped and cut to `limit` characters."""
    text = str(value)
    return repr(text if len(text) <= limit else text[:limit] + "…")


def label(path: str) -> str:
    """Give a file name as it is where every character is printable, escaped otherwise."""
    return path if path and path.isprintable() else repr(path)


def one_line(error: BaseException) -> str:
    """Reduce the message of a foreign exception to one printable line."""
    return shown(" ".join(str(error).split()) or type(error).__name__, 200)[1:-1]


def listed(names: Collection[str], limit: int = LISTED_NAMES) -> str:
    """List names, at most `limit` of them."""
    first = ", ".join(shown(name) for name in list(names)[:limit])
    more = len(names) - limit
    return f"{first} and {more:,} more" if more > 0 else first or "none"


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Order names with those that resemble `name` first."""
    # get_close_matches is quadratic in the length of a name: a wide or hostile header is cut.
    candidates = [n for n in names[:2000] if len(n) <= 100]
    close = difflib.get_close_matches(name[:100], candidates, LISTED_NAMES, 0.5)
    return [*close, *(n for n in names if n not in close)]


def option_value(names: Sequence[str]) -> str:
    """Write names as the value of --columns or --exclude, ready to paste where that is safe."""
    if len(names) <= LISTED_NAMES and all(_SIMPLE_NAME.fullmatch(name) for name in names):
        return ",".join(names)
    return "NAME[,NAME...]"
