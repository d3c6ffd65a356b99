"""Data of `kstest datasets make`: the same for a seed, and with the change that is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.datasets import MADE, SETS, SHIPPED, load

ROOT = Path(__file__).parent.parent


def frames(name, seed=0):
    made = load(name).tables(load(name).ROWS, np.random.default_rng(seed))
    return {file.removesuffix(".csv"): pd.DataFrame(columns) for file, columns in made.items()}


@pytest.mark.parametrize("name", SETS)
def test_files_are_those_of_the_seed(name, tmp_path, capsys):
    for folder in ("a", "b/c"):
        assert run(["datasets", "make", name, "-o", str(tmp_path / folder), "--rows", "40"]) == 0
    assert load(name).CHANGE in capsys.readouterr().out
    made = sorted((tmp_path / "a").iterdir())
    assert [file.name for file in made] == sorted(load(name).tables(1, np.random.default_rng()))
    for file in made:
        assert file.read_bytes() == (tmp_path / "b/c" / file.name).read_bytes()
    assert run(["datasets", "make", name, "-o", str(tmp_path / "d"), "--seed", "1"]) == 0
    assert (tmp_path / "d" / made[0].name).read_bytes() != made[0].read_bytes()


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path, capsys):
    (tmp_path / "a").write_text("mine")
    assert run(["datasets", "make", "orders", "-o", str(tmp_path / "a")]) == 2
    assert f"--output {tmp_path / 'a'}" in capsys.readouterr().err
    assert (tmp_path / "a").read_text() == "mine"


def test_the_list_has_every_file_and_a_licence(capsys):
    assert run(["datasets"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in MADE)
    globs = [glob for names, _, _ in SHIPPED for glob in names.split(", ")]
    found = {path for glob in globs for path in (ROOT / "datasets").glob(glob)}
    there = {p for p in (ROOT / "datasets").iterdir() if p.suffix in (".csv", ".parquet", ".txt")}
    assert there <= found
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("seed", [2, 3])
def test_changes_are_found_and_nothing_else(seed):
    """Level 0.001, so that a true null hypothesis hardly ever fails here."""
    orders, weather = frames("orders", seed), frames("weather", seed)
    stream, hits = frames("stream", seed), frames("hits", seed)
    pairs = {
        ("orders_ref", "orders_ok"): False, ("orders_ref", "orders_new"): True,
        ("weather", "weather_next"): False, ("weather", "weather_moved"): True,
    }  # fmt: skip
    made = {**orders, **weather}
    for (reference, sample), changed in pairs.items():
        X, Y = made[reference], made[sample]
        found = kstest.ks(X, Y, alpha=0.001, missing="indicator", permutations=9999)
        assert found.reject == changed, (reference, sample)
    where = stream["stream"].index >= len(stream["stream"]) // 2
    late = stream["stream"][where]
    assert kstest.hsic(late, x="temp", y="rate", alpha=0.001, permutations=1999).reject
    early = stream["stream"][~where]
    assert not kstest.hsic(early, x="temp", y="rate", alpha=0.001, permutations=1999).reject
    options = {"columns": "t,charge", "group": "event", "alpha": 0.002}
    assert not kstest.mmd(hits["hits_ref"], hits["hits_ok"], **options).reject
    assert kstest.mmd(hits["hits_ref"], hits["hits_new"], **options).reject
    assert not kstest.mmd(
        hits["events_data"], hits["events_simulated"], weights="w", alpha=0.002
    ).reject
