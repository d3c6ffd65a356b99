"""One line of JSON per result, for logs and streams."""

from __future__ import annotations

import json

from ..result import Result


def render(result: Result, color: bool = False) -> str:
    return json.dumps(result.to_dict(), separators=(",", ":"), allow_nan=False) + "\n"
