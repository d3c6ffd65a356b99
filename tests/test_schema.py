"""`kstest schema`: a JSON Schema that all answers obey."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import click
import jsonschema
import numpy as np
import pytest
from golden import CALIBRATION, SHORT, write_data
from test_contract import NEEDED, samples_for

import kstest
from kstest.cli import cli, run
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


CALIBRATE = ["dqm", "calibrate", "events.csv", "--pool", "pool.csv", "-o", "again.cal"]
CHECK = ["dqm", "check", "k.cal"]
STREAM = ["smmd", "--reference", "events.csv", "good.csv", "--state", "s.kst"]
PRIVATE = [
    "--epsilon", "1", "--delta", "1e-6", "--units-from", "good.csv", "--ledger", "pool.ledger",
    "-o", "pool.sketch",
]  # fmt: skip
COMMANDS = {
    "calibrate": [*CALIBRATE, *(word for word in CALIBRATION if word != "--quiet")],
    "show": ["dqm", "show", "k.cal"],
    "selftest": ["dqm", "selftest", "k.cal"],
    "explain": ["dqm", "explain", "k.cal", "moved.csv"],
    "check": [*CHECK, "moved.csv"],
    "check-several": [*CHECK, "batch.csv", "moved.csv"],
    "check-few": [*CHECK, "one.csv"],
    "status": ["dqm", "status", "h.db"],
    "stream": STREAM,
    "state": ["state", "show", "s.kst"],
    "lags": ["hsic", "series.csv", "--x", "speed", "--y", "mass", "--lags", "0:3"],
    "all-pairs": ["hsic", "good.csv", "--all-pairs"],
    "plan": ["plan", "good.csv", "--shift", "3", *SHORT],
    "thin": ["thin", "pool.csv", "--rows", "20"],
    "thin-target": ["thin", "pool.csv", "--rows", "20", "--target", "normal(sd=9)"],
    "release": ["release", "pool.csv", *PRIVATE],
    "run": ["run"],
}
CHECKS = """
[checks.speed]
test = "ks"
reference = "good.csv"
sample = "far.csv"
[checks.gone]
test = "ks"
reference = "good.csv"
sample = "nowhere.csv"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("answers")
    write_data(found)
    (found / "kstest.toml").write_text(CHECKS)
    with contextlib.chdir(found):
        assert run([*STREAM, "--quiet"]) == 0
        assert run([*CHECK, "moved.csv", "--history", "h.db", "--quiet"]) == 1
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_in_every_format(name, folder, monkeypatch, capsys):
    """A JSON answer obeys the schema, whole or line by line."""
    monkeypatch.chdir(folder)
    words = COMMANDS[name]
    option = next(o for o in command_of(words).params if o.name == "form")
    assert {"text", "json"} <= set(option.type.choices)
    for form in option.type.choices:
        if name == "stream":
            Path("s.kst").unlink(missing_ok=True)
        assert run([*words, "--format", form]) in (0, 1, 2 if name == "run" else 1, 3)
        out = capsys.readouterr().out
        assert out.endswith("\n") or form == "github"
        if form == "json":
            VALIDATOR.validate(json.loads(out))
        if form == "jsonl":
            for line in out.splitlines():
                VALIDATOR.validate(json.loads(line))


def command_of(words):
    found = cli
    while isinstance(found, click.Group):
        found, words = found.get_command(click.Context(found), words[0]), words[1:]
    return found


def test_what_is_no_plan_or_calibration_is_refused(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for name in ("plan", "show", "selftest", "status", "run"):
        run([*COMMANDS[name], "--format", "json"])
        found = json.loads(capsys.readouterr().out)
        for key in found:
            assert not VALIDATOR.is_valid({k: v for k, v in found.items() if k != key}), (name, key)
        assert not VALIDATOR.is_valid({**found, "surprise": 1})


def test_every_key_has_a_description():
    for name, found in schema()["$defs"]["result"]["properties"].items():
        assert found.get("description") or name == "schema_version"
