"""One line of JSON per result, for logs and streams."""

from __future__ import annotations

import json

from ..result import Answer, Result


def render(answer: Result | Answer, color: bool = False) -> str:
    lines = (json.dumps(d, separators=(",", ":"), allow_nan=False) for d in answer.documents())
    return "".join(f"{line}\n" for line in lines)
