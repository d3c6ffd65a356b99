"""The line of a key in a TOML file.

`tomllib` keeps no positions. But statements of TOML come one after the other, so the first lines
that can be parsed by themselves and hold the key end with the statement that sets it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Number of the line, from 1, on which a key or the header of a table stands.

    Parameters
    ----------
    text : str
        A TOML document.
    path : sequence of str
        The names that lead to the key.

    Returns
    -------
    int or None
        None where the document has no such key, or writes it with escapes.

    Examples
    --------
    >>> line_of("[run]\\n# words\\nalpha = 0.1\\n", ("run", "alpha"))
    3
    """
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if path[-1] not in line:
            continue
        for end in range(place + 1, len(lines) + 1):
            found = _holds("\n".join(lines[:end]), path)
            if found:
                return place + 1
            if found is not None:
                break
    return None


def _holds(text: str, path: Sequence[str]) -> bool | None:
    """Whether some lines set the key; None where they end within a statement."""
    try:
        table: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    for name in path:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True
