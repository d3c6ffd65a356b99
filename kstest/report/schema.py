"""The JSON Schema of what commands print with --format json (draft 2020-12).

Keys and their types are those of the dataclasses, descriptions those of their docstrings, so that
the schema cannot say something else than the code. A line of JSON lines is one such object.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..result import EXIT_CODES, Notice, Result
from .shapes import SHAPES, shape

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_NUMBER = {"type": ["number", "null"]}
_TYPES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "float | None": _NUMBER,
    "int | None": {"type": ["integer", "null"]},
    "Verdict": {"enum": list(EXIT_CODES)},
    "Mapping[str, int]": {"type": "object", "additionalProperties": {"type": "integer"}},
    "tuple[str, ...]": {"type": "array", "items": {"type": "string"}},
    "tuple[Notice, ...]": {"type": "array", "items": {"$ref": "#/$defs/notice"}},
}
_DEFAULTS = {"Mapping": {"type": "object"}, "dict": {"type": "object"}, "tuple": {"type": "array"}}
_EXPLANATION = {
    "type": "object",
    "description": "What drives the verdict; which keys are there depends on the test.",
    "properties": {
        "summary": {"type": "string", "description": "What was found, in a sentence."},
        "columns": {"type": "array", "description": "A test of every column by itself."},
        "strongest": {"type": "object", "description": "The bandwidth that stands out most."},
        "kernels": {"type": "array", "description": "The statistic at every bandwidth."},
        "effect": {"type": "object", "description": "Size of the difference, with its interval."},
        "all_pairs": {"type": "array", "description": "p-values of all pairs of columns."},
        "dependence": {"type": "array", "description": "How pairs of columns go together."},
        "evidence": {"type": "object", "description": "Of a stream: e-value, wealth and decision."},
        "detector": {"type": "object", "description": "Of --detect: alarms and run length."},
    },
}

# Answers that are no result of a test.
ANSWERS = ("plan", "thin", "release", "calibration", "selftest", "status", "run")


def schema() -> dict[str, Any]:
    """Return the schema.

    Returns
    -------
    dict
        Any of: a result, a list of results (several batches), a plan, a calibration, its self-test,
        a run of checks.

    Examples
    --------
    >>> from kstest.report.schema import schema
    >>> sorted(schema()["$defs"])
    ['calibration', 'input', 'notice', 'outcome', 'plan', 'release', 'result', 'run', 'selftest',
     'status', 'thin']
    """
    result = _object(Result)
    properties = result["properties"]
    properties["reject"] = {"type": ["boolean", "null"], "description": _words(Result)["reject"]}
    del properties["findings"]
    properties["explanation"] = _EXPLANATION
    result["required"] = sorted(properties)
    return {
        "$schema": DRAFT,
        "$id": f"https://kstest.invalid/schema/{properties['schema_version']['const']}",
        "title": "Answers of kstest",
        "anyOf": [
            {"$ref": "#/$defs/result"},
            {"type": "array", "items": {"$ref": "#/$defs/result"}},
            *({"$ref": f"#/$defs/{name}"} for name in ANSWERS),
        ],
        "$defs": {
            "notice": _object(Notice),
            "result": result,
            **{name: shape(keys, words) for name, (keys, words) in SHAPES.items()},
        },
    }


def _object(cls: type) -> dict[str, Any]:
    words = _words(cls)
    properties = {}
    for f in fields(cls):
        kind = str(f.type)
        found = dict(_TYPES.get(kind, _DEFAULTS.get(kind.split("[")[0], {})))
        if f.name in words:
            found["description"] = words[f.name]
        if f.name == "schema_version":
            found["const"] = f.default
        properties[f.name] = found
    return {
        "type": "object",
        "description": (inspect.getdoc(cls) or "").splitlines()[0],
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _words(cls: type) -> Mapping[str, str]:
    """Descriptions of the attributes in a numpydoc docstring."""
    text = (inspect.getdoc(cls) or "").partition("Attributes\n----------\n")[2]
    found = {}
    for names, body in re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n?)*)", text, re.MULTILINE):
        for name in names.split(", "):
            found[name] = " ".join(body.split())
    return found
