"""Batches that are judged by tasks which read the files: the answer of reading all at once."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import kstest
from kstest.cli import run
from kstest.dqm.history import read
from kstest.errors import DataError, UsageError
from kstest.inputs import batch_files
from kstest.inputs.batch_files import BatchFile
from kstest.sources import ReadOptions

NAMES = ("b0", "b1", "long", "few")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A calibration; two batches, a file of four of them, and one of too few events."""
    path, rng = tmp_path_factory.mktemp("batches"), np.random.default_rng(1)
    X, pool = rng.normal(size=(600, 2)), rng.normal(size=(1500, 2))
    made = kstest.dqm_calibrate(X, pool, batch_size=60, toys=99, centres=40)
    for name, n, shift in (("b0", 60, 0), ("b1", 60, 1), ("long", 260, 0), ("few", 9, 0)):
        np.savetxt(
            path / f"{name}.csv", rng.normal(shift, size=(n, 2)), "%.6f", ",", header="1,2",
            comments="",
        )  # fmt: skip
    made.save(str(path / "k.cal"))
    return path


def check(*words):
    return run(["dqm", "check", "k.cal", *map(str, words)])


def answers(text):
    """Without the time of the run."""
    found = json.loads(text)
    for one in found if isinstance(found, list) else [found]:
        for name in ("started", "seconds"):
            one["provenance"].pop(name)
    return found


@pytest.mark.parametrize("some", [("b0",), NAMES, ("long", "b1", "b0")])
def test_the_answer_is_that_of_reading_all_at_once(some, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    files = [f"{name}.csv" for name in some]
    for form in ("text", "json"):
        said = []
        for more in ((), ("--scheduler", "local"), ("--scheduler", "local", "--threads", "1")):
            code = check(*files, "--threads", "1", "--format", form, *more)
            out = capsys.readouterr().out
            said.append((code, out if form == "text" else answers(out)))
        assert said[0] == said[1] == said[2]


def test_messages_name_the_file_as_it_was_written(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "bad.csv").write_text("1,2\n1,x\n")
    (folder / "other.csv").write_text("1,3\n1,2\n")
    for name in ("bad.csv", "other.csv", "nowhere.csv"):
        said = []
        for more in ((), ("--scheduler", "local")):
            assert check("b0.csv", name, *more) == 2
            said.append(capsys.readouterr().err.replace(" --scheduler local", ""))
        assert said[0] == said[1]
        assert name in said[0]
    assert check("-", "--scheduler", "local") == 2
    assert "-: not with --scheduler" in capsys.readouterr().err
    assert check("b0.csv", "--scheduler", "host") == 2
    assert "--scheduler host: give local" in capsys.readouterr().err


def test_a_history_is_the_same(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    found = []
    for k, more in enumerate(((), ("--scheduler", "local"))):
        history = str(tmp_path / f"{k}.db")
        for files in (("b0.csv", "long.csv"), ("b1.csv", "b0.csv")):
            check(*files, "--history", history, *more)
        found.append([{n: v for n, v in x.items() if n != "started"} for x in read(history)[0]])
    assert found[0] == found[1]
    assert len(found[0]) == 6
    # A run that fails leaves the history as it was.
    assert check("b1.csv", "nowhere.csv", "--history", history, "--scheduler", "local") == 2
    assert len(read(history)[0]) == 6
    words = ("--history", history, "--batch-id", "x", "--scheduler", "local")
    assert check("b0.csv", "b1.csv", *words) == 2
    capsys.readouterr()


def test_files_from_python(folder, rng):
    known = kstest.dqm_load(str(folder / "k.cal"))
    found = kstest.dqm_check(known, folder / "b0.csv", str(folder / "b1.csv"), scheduler="local")
    assert [r.verdict for r in found] == ["not rejected", "rejected"]
    again = kstest.dqm_check(known, *(np.loadtxt(folder / f"b{k}.csv", delimiter=",", skiprows=1)
                                      for k in (0, 1)))  # fmt: skip
    assert [r.statistic for r in found] == [r.statistic for r in again]
    with pytest.raises(UsageError, match="batch 2: found ndarray; with scheduler="):
        kstest.dqm_check(known, folder / "b0.csv", rng.normal(size=(60, 2)), scheduler="local")


def test_a_file_that_changes_is_refused(folder, tmp_path):
    known = kstest.dqm_load(str(folder / "k.cal"))
    path = tmp_path / "b.csv"
    path.write_text((folder / "b0.csv").read_text())
    file = BatchFile.of(str(path))
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match=r"b\.csv: has changed while it was read"):
        batch_files.judged(known, file, ReadOptions(), None)
    path.unlink()
    with pytest.raises(DataError, match=r"b\.csv: is not there any more"):
        batch_files.judged(known, file, ReadOptions(), None)
