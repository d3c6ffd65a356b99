"""The options of reading: one definition for the shell and for Python, and nothing ignored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import UsageError
from kstest.params import option_name
from kstest.registry import METHODS
from kstest.run import execute
from kstest.shell.command import offered
from kstest.sources import FILES_ONLY, OPTIONS, ReadOptions, read_options, samples_from_objects


@pytest.mark.parametrize("name", METHODS)
def test_every_option_of_reading_is_in_the_help_and_none_is_an_option_of_the_test(name, capsys):
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    names = [f.name for f in OPTIONS if offered(f.name, METHODS[name].load().inputs)]
    assert all(f"{option_name(f)} " in text for f in names)
    assert all(f.metadata["help"].endswith(".") for f in OPTIONS)
    params = METHODS[name].load().inputs.params.__dataclass_fields__
    assert not set(names) & set(params)


def test_python_takes_the_options_that_mean_something_for_objects(rng):
    frame = pd.DataFrame({"x": rng.normal(size=60), "k": np.arange(60) % 3})
    result = kstest.mmd(frame, frame[::-1], where="k != 2", columns="x", permutations=99)
    assert dict(result.n) == {"reference": 40, "sample": 40}
    assert result.inputs[0]["rows_filtered"] == 20
    for name in FILES_ONLY:
        with pytest.raises(TypeError, match=f"no option '{name}'"):
            kstest.mmd(frame, frame, **{name: "x"})


def test_a_test_refuses_what_it_would_ignore(rng):
    frame = pd.DataFrame({"x": [1.0, None] * 20, "c": ["a", "b"] * 20, "w": 1.0})
    test = METHODS["mmd"].load()
    less = replace(test, inputs=replace(test.inputs, accepts=frozenset()))
    for options, words in [
        ({"columns": "x", "missing": "indicator"}, "--missing indicator"),
        ({"columns": "c"}, r"text or categories \('c'\)"),
        ({"columns": "w", "group": "c"}, "--group"),
        ({"columns": "x,w", "weights": "w", "missing": "drop"}, "--weights"),
    ]:
        sides = {"reference": frame, "sample": frame}
        samples, _ = samples_from_objects(sides, ReadOptions(**options))
        with pytest.raises(UsageError, match=f"kstest mmd makes no use of {words}"):
            execute("mmd", samples, test.inputs.params(), test=less)


def test_text_report_counts_rows_apart(tmp_path, capsys, rng):
    frame = pd.DataFrame({"x": rng.normal(size=50), "k": np.arange(50)})
    frame.loc[3, "x"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv", index=False, sep="|")
    paths = [str(tmp_path / "a.csv"), str(tmp_path / "a.csv")]
    options = ["--columns", "x", "--where", "k < 40", "--missing", "drop"]
    assert run(["mmd", *paths, *options]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "39 reference, 39 sample; 2 dropped; 20 filtered" in out
    assert run(["mmd", *paths, "--where", "k < 40 and"]) == 2
    assert "kstest: error: --where: cannot be read" in capsys.readouterr().err
    assert run(["mmd", *[p.replace("a.csv", "b.csv") for p in paths], "--delimiter", "|"]) == 2
    assert "--missing drop" in capsys.readouterr().err


def test_values_of_a_single_role_are_no_option():
    assert read_options(("sample",), {"columns": "x"}) == ReadOptions(columns="x")


def test_numbers_and_lists_stand_for_text_in_python(rng):
    X, Y = (pd.DataFrame(rng.normal(size=(40, 3)), columns=["x", "y z", "-9"]) for _ in range(2))
    X.iloc[3, 0] = -9
    for given, written in (
        ({"bandwidth": 0.5}, {"bandwidth": "0.5"}),
        ({"bandwidth": [0.5, 2]}, {"bandwidth": "0.5,2"}),
        ({"columns": ["x", "y z"]}, {"columns": "x,'y z'"}),
        ({"columns": [1, 3]}, {"columns": "1,3"}),
        ({"block_length": 5}, {"block_length": "5"}),
        ({"null_values": -9, "missing": "drop"}, {"null_values": "-9", "missing": "drop"}),
        ({"permutations": 199.0}, {"permutations": 199}),
    ):
        one, other = (kstest.mmd(X, Y, **options).to_dict() for options in (given, written))
        assert one["params"] == other["params"]
        assert (one["statistic"], one["p_value"]) == (other["statistic"], other["p_value"])


@pytest.mark.parametrize(
    "given", [{"weights": np.ones(40)}, {"explain": None}, {"columns": b"x"}, {"alpha": "0.1"}]
)
def test_what_is_neither_text_nor_number_is_refused_by_name(given, rng):
    with pytest.raises(UsageError, match=f"{next(iter(given))}: found"):
        kstest.mmd(rng.normal(size=(40, 1)), rng.normal(size=(40, 1)), **given)
