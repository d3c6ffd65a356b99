"""`kstest schema`: a JSON Schema that all answers obey."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from test_contract import NEEDED, samples_for

import kstest
from kstest.cli import run
from kstest.registry import METHODS
from kstest.report import render
from kstest.report.schema import schema

GOLDEN = Path(__file__).parent / "golden"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_one(capsys):
    jsonschema.Draft202012Validator.check_schema(schema())
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json*")), ids=lambda path: path.name)
def test_golden_answers_obey(path):
    """A file of JSON lines holds several documents, one below the other."""
    text, where = path.read_text(), 0
    while where < len(text.rstrip()):
        found, where = json.JSONDecoder().raw_decode(text, where + (text[where] == "\n"))
        VALIDATOR.validate(found)


@pytest.mark.parametrize("name", METHODS)
def test_answers_of_every_test_obey(name, rng):
    data = samples_for(METHODS[name].load().inputs, rng)
    result = getattr(kstest, name)(*data, **NEEDED.get(name, {}))
    VALIDATOR.validate(json.loads(render(result, "json")))
    few = replace(result, verdict="no verdict", p_value=np.nan)
    VALIDATOR.validate(json.loads(render(few, "json")))


@pytest.mark.parametrize(
    "broken",
    [
        {"verdict": "maybe"}, {"p_value": "0.1"}, {"surprise": 1}, {"schema_version": 0},
        {"warnings": [{"code": "a"}]}, {"n": {"data": "many"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_answer_is_refused(broken, rng):
    result = kstest.ks(rng.normal(size=30), rng.normal(size=30)).to_dict()
    VALIDATOR.validate(result)
    assert not VALIDATOR.is_valid({**result, **broken})
    for key in ("params", "provenance"):
        assert not VALIDATOR.is_valid({k: v for k, v in result.items() if k != key})


def test_every_key_has_a_description():
    for name, found in schema()["$defs"]["result"]["properties"].items():
        assert found.get("description") or name == "schema_version"
