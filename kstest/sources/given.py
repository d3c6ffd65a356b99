"""Options of reading that were given, for the record of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kstest.sources.options import DIALECTS, OPTIONS


def given_options(given: Mapping[str, Any], options: Sequence[Any] = OPTIONS) -> dict[str, Any]:
    """Those of `given` that are options of reading and not at their default, for the record."""
    defaults = {f.name: f.default for f in options}
    return {
        name: value
        for name, value in given.items()
        if (name in defaults or name.endswith("_values") or _is_of_side(name))
        and value != defaults.get(name)
        and not (name not in defaults and value in (None, False))
    }


def _is_of_side(name: str) -> bool:
    return any(name.endswith(f"_{f.name}") for f in DIALECTS)
