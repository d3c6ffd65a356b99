"""Two samples in one table: --sample-column with the values of each side."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import DataError, KstestError, UsageError
from kstest.sources import read_options, read_samples, samples_from_objects

ROLES = ("reference", "sample")
FRAME = pd.DataFrame(
    {
        "x": np.arange(10.0),
        "k": [0, 1, 2, 3, 4, 5, 6, -1, -2, None],
        "s": list("aabbccddee"),
        "ok": [True, False] * 5,
        "day": pd.date_range("2024-01-01", periods=10),
    }
)


def split(column, reference, sample, data=FRAME, **options):
    given = {"sample_column": column, "reference_values": reference, "sample_values": sample}
    how = read_options(ROLES, {"columns": "x", **given, **options})
    samples, notices = samples_from_objects({"table": data}, how)
    return [s.values[:, 0].astype(int).tolist() for s in samples], samples, notices


@pytest.mark.parametrize(
    ("column", "reference", "sample", "expected"),
    [
        ("k", "0-2", "3-9", [[0, 1, 2], [3, 4, 5, 6]]),
        ("k", "0,2", "1,3..4", [[0, 2], [1, 3, 4]]),
        ("k", "-2--1", "0.5-1.5", [[7, 8], [1]]),
        ("k", "-1", "1e0", [[7], [1]]),
        ("s", "a,'c'", "b", [[0, 1, 4, 5], [2, 3]]),
        ("ok", "true", "false", [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]),
        ("ok", "1", "0", [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]),
        ("day", "2024-01-01..2024-01-03", "2024-01-09", [[0, 1, 2], [8]]),
    ],
)
def test_values_make_sides(column, reference, sample, expected):
    found, samples, notices = split(column, reference, sample)
    assert found == expected
    assert [s.name for s in samples] == list(ROLES)
    for s in samples:
        assert (s.row_numbers - 1).tolist() == s.values[:, 0].tolist()
        assert (s.inputs[0].rows_read, s.inputs[0].rows_used) == (s.n, s.n)
    left = 10 - sum(map(len, expected))
    messages = [n.message for n in notices if n.code == "rows-unassigned"]
    assert bool(messages) == (left > 0)
    assert all(message.startswith(f"{left} of 10 rows") for message in messages)


@pytest.mark.parametrize(
    ("column", "reference", "sample", "words"),
    [
        ("k", "0-3", "3-5", ["row 4 belongs to two sides", "--reference-values", "overlap"]),
        ("k", "a", "3", ["--reference-values: found 'a'", "'k' holds numbers", "0-4,7"]),
        ("k", "3-1", "4", ["'3-1'", "the smaller end"]),
        ("k", "", "4", ["empty item"]),
        ("k", "70-80", "4", ["no row of 'table' holds one of --reference-values"]),
        ("s", "a-b", "c", ["holds one of --reference-values"]),
        ("day", "monday", "2024-01-01", ["'day' holds dates", "'monday'"]),
        ("day", "2024-02-01..2024-01-01", "2024-01-01", ["the smaller end"]),
        ("ok", "yes", "false", ["'yes'", "true/false"]),
        ("nope", "1", "2", ["--sample-column: no column 'nope'"]),
        ("k,s", "1", "2", ["--sample-column: found 2 columns"]),
        ("k", "1", None, ["--sample-column: needs --sample-values"]),
        (None, "1", "2", ["--reference-values: needs --sample-column"]),
    ],
)
def test_values_that_cannot_be_used(column, reference, sample, words):
    with pytest.raises(KstestError) as caught:
        split(column, reference, sample)
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_column_is_not_tested_and_conditions_hold_within_a_side():
    _, (a, b), notices = split("s", "a,b", "c,d", columns=None, exclude="day,ok", where="x > 0.5")
    assert a.columns == ("x", "k")
    assert [(s.inputs[0].rows_read, s.inputs[0].rows_filtered) for s in (a, b)] == [(4, 1), (4, 0)]
    assert [n.code for n in notices] == ["rows-unassigned"]
    with pytest.raises(DataError, match="no row of 'table' fulfils --where"):
        split("s", "a", "c,d", where="x > 3")


def test_files_and_standard_input_are_read_once(tmp_path):
    text = "x,c,k\n" + "".join(f"{i},{'uvw'[i % 3]},{i // 10}\n" for i in range(100))
    given = {"sample_column": "k", "reference_values": "0-4", "sample_values": "5-9"}
    options = read_options(ROLES, given)
    (a, b), notices = read_samples({"table": ["-"]}, options, io.BytesIO(text.encode()))
    assert (a.values[:, 0].tolist(), b.values[0, 0]) == (list(range(50)), 50)
    assert a.levels == b.levels == (("u", "v", "w"),)
    assert [notice.code for notice in notices] == ["counts-on"]  # column x
    for k in "12":
        (tmp_path / f"{k}.csv").write_text(text.replace("\n9", "\n9" + k))
    paths = [str(tmp_path / "1.csv"), str(tmp_path / "2.csv")]
    (a, b), notices = read_samples({"table": paths}, options)
    assert (a.n, b.n, b.row_inputs.tolist()) == (100, 100, [0] * 50 + [1] * 50)
    assert notices == ()
    assert [n.code for n in read_samples({"table": paths[:1] * 2}, options)[1]] == ["same-file"]
    assert a.inputs[0].sha256 == b.inputs[0].sha256


def test_command_and_function(tmp_path, capsys, rng):
    frame = pd.DataFrame({"x": rng.normal(size=200), "k": np.arange(200) // 20})
    frame.to_csv(tmp_path / "t.csv", index=False)
    arguments = ["mmd", str(tmp_path / "t.csv"), "--sample-column", "k"]
    values = ["--reference-values", "0-3", "--sample-values", "5-9"]
    assert run([*arguments, *values]) in (0, 1)
    out = capsys.readouterr().out
    assert "80 reference, 100 sample" in out
    assert "20 of 200 rows" in " ".join(out.split())
    direct = kstest.mmd(frame, sample_column="k", sample_values="5-9", reference_values="0-3")
    assert dict(direct.n) == {"reference": 80, "sample": 100}
    assert run([*arguments, "--reference-values", "0-3"]) == 2
    assert "needs --sample-values" in capsys.readouterr().err
    assert run([*arguments[:1], "--reference", arguments[1], *arguments[2:], *values]) == 2
    assert "all sides are in the same files" in capsys.readouterr().err
    with pytest.raises(TypeError, match="takes 1 sample: table"):
        kstest.mmd(frame, frame, sample_column="k", sample_values="5-9", reference_values="0-3")
    with pytest.raises(UsageError, match="needs sample_column"):
        kstest.mmd(frame, frame, sample_values="1")
