"""One JSON document, indented; strict: absent numbers are null, never NaN."""

from __future__ import annotations

import json

from ..result import Answer, Result


def render(answer: Result | Answer, color: bool = False) -> str:
    documents = answer.documents()
    several = isinstance(answer, Answer) and answer.parts
    return json.dumps(documents if several else documents[0], indent=2, allow_nan=False) + "\n"
