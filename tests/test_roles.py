"""Advice of tests whose options name the columns: what to do with one that cannot be read."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import DataError
from kstest.inputs.roles import _OUT

# Columns of a file told apart by their position: no part of one column can be named elsewhere.
BY_POSITION = {"match.py"}
WAYS = [
    ("effect --treatment a --outcome name --covariates x", "Name another column in --outcome"),
    ("effect --treatment a --outcome z --covariates x,name", "Leave it out of --covariates"),
    ("effect --treatment a --outcome z --covariates nam*", "Name another column in --covariates"),
    ("effect --treatment name --outcome z --covariates x", "Name another column in --treatment"),
    ("effect --treatment a --outcome name --covariates x,other",
     "Name another column in --outcome and leave other out of --covariates"),
    ("effect --treatment a --outcome z --covariates x,other,name",
     "Leave other and name out of --covariates"),
    ("effect --treatment a --outcome z --covariates x,empty",
     "Leave such columns out of --covariates"),
    ("effect --treatment a --outcome z --covariates x,holes",
     "or name other columns in --treatment, --outcome and --covariates"),
    ("effect --treatment a --outcome big --covariates x", "name another column in --outcome"),
    ("moments --residual z --given x,name", "Leave it out of --given"),
    ("moments --residual z-big --given x,big",
     "name another column in --residual and leave it out of --given"),
    ("hsic --x name --y z", "Name another column in --x"),
    ("hsic --block x,name --block z --given a", "Leave it out of --block"),
    ("skit --x name --y z", "Name another column in --x"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    n = 60
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.integers(0, 2, n), "x": rng.normal(size=n), "z": rng.normal(size=n),
            "name": [f"id{i}" for i in range(n)], "other": [f"no{i}" for i in range(n)],
            "big": [2**53 + 2 * i + 1 for i in range(n)], "empty": "",
            "holes": ["" if i % 9 else "1" for i in range(n)],
        }
    )  # fmt: skip
    path = tmp_path_factory.mktemp("roles") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("line", "advice"), WAYS)
def test_advice_names_the_option_that_names_the_column(table, capsys, line, advice):
    name, *options = line.split()
    assert run([name, str(table), *options]) == 2
    err = capsys.readouterr().err
    assert advice in err, err
    assert "--exclude" not in err


def test_a_test_of_all_columns_is_told_to_exclude(table, capsys):
    assert run(["hsic", str(table), "--columns", "x,z,name"]) == 2
    assert "Leave it out with --exclude name" in capsys.readouterr().err


def test_python_functions_are_told_the_same(table):
    frame = pd.read_csv(table)
    with pytest.raises(DataError, match="Name another column in outcome"):
        kstest.effect(frame, treatment="a", outcome="name", covariates="x")


def test_warnings_are_told_the_same(tmp_path, capsys):
    rng = np.random.default_rng(1)
    files = []
    for day in ("monday", "tuesday"):
        files.append(tmp_path / f"{day}.csv")
        frame = pd.DataFrame(rng.normal(size=(80, 2)), columns=["x", "y"]).assign(day=day)
        frame.to_csv(files[-1], index=False)
    names = [str(path) for path in files]
    run(["effect", *names, "--outcome", "y", "--covariates", "x,day", "--format", "json"])
    found = json.loads(capsys.readouterr().out)["warnings"]
    texts = [w["message"] for w in found if w["code"] == "values-apart"]
    assert texts
    assert all("leave it out of --covariates" in text for text in texts)


def test_every_advice_of_reading_is_understood():
    rooms = Path(kstest.__file__).parent
    for path in [*(rooms / "sources").glob("*.py"), *(rooms / "diagnostics").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.JoinedStr) or path.name in BY_POSITION:
                continue
            text = "".join(
                part.value
                if isinstance(part, ast.Constant)
                else ("x,y" if "option_value" in ast.unparse(part) else " it ")
                for part in node.values
            )
            if "--exclude x,y" in text:
                assert _OUT.search(" ".join(text.split())), f"{path.name}: {text}"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("effect a.csv --treatment a --outcome y --covariates x", True),
        ("effect a.csv --treatment a --outcome x --covariates y", False),
        ("effect a.csv --treatment x --outcome a --covariates y", False),
        ("moments a.csv --residual y-a --given x", True),
        ("moments a.csv --residual x-y --given a", False),
        ("ksd a.csv --target normal()", False),
        ("sksd a.csv --target normal()", False),
        ("skit a.csv --x x --y y", True),
        ("mmd a.csv a.csv", True),
        ("mmd a.csv a.csv --group x --columns a,y", False),
        ("mmd a.csv a.csv --weights x --columns a,y", False),
        ("mmd a.csv a.csv --group a --columns x,y", True),
    ],
)
def test_indicators_are_advised_only_where_they_are_taken(
    line, kept, tmp_path, monkeypatch, capsys
):
    """Column x has a missing cell; what is not advised would be refused."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{'' if k == 7 else k},{k % 2},{k * k % 11}\n" for k in range(40))
    Path("a.csv").write_text("x,a,y\n" + rows)
    for more in ([], ["--missing", "indicator"]):
        code = run([*line.split(), *more])
        said = capsys.readouterr().err
        if not more:
            assert code == 2
            assert "--missing drop" in said
            advised = "keep them with --missing indicator" in said
    assert advised is kept is (code != 2), said
