"""One JSON object, indented; strict: absent numbers are null, never NaN."""

from __future__ import annotations

import json

from ..result import Result


def render(result: Result, color: bool = False) -> str:
    return json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
