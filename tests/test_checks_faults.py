"""`kstest run` when things go wrong: kills of runs with streams, folders that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from kstest.archive import load
from kstest.cli import run as kstest
from tests.test_checks import check, folder, report, table, write
from tests.test_checks_history import HISTORY, command, outcomes

__all__ = ["folder"]
STATE = Path(".kstest") / "states" / "s.kst"


def days(folder, count):
    for day in range(count):
        table(folder / f"{day + 1:02}.csv", 200 + day, rows=60)


def evidence():
    """What the stream has counted, to the bit."""
    header, arrays = load(STATE, "state", (2,))
    return header["core"], header["ledger"], {k: a.tobytes() for k, a in arrays.items()}


@pytest.mark.parametrize("kills", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_kills_neither_lose_nor_repeat_what_a_stream_has_seen(kills, folder, capsys):
    """Killed between state and history the next run sees the same rows again: they count once."""
    rng, count = np.random.default_rng(2), 4
    days(folder, count)
    write(check("s", "{date:%d}.csv", test="smmd") + check("a", "like.csv"))
    ends = np.array_split(np.zeros(kills), count)
    for day in range(count):
        words = ["run", "--quiet", "--threads", "1", "--date", f"2026-01-{day + 1:02}"]
        for _ in ends[day]:
            done = subprocess.Popen(command(*words))
            time.sleep(rng.uniform(0, 1.6))
            done.send_signal(signal.SIGKILL)
            done.wait()
        assert kstest(words) == 0, capsys.readouterr()
    found = evidence()
    assert not [o for o in outcomes("s") if o["status"] == "error"]
    STATE.unlink()
    for day in range(count):
        assert kstest(["run", "s", "--quiet", "--threads", "1", "--history", "other.db",
                       "--date", f"2026-01-{day + 1:02}"]) == 0  # fmt: skip
    assert evidence() == found


def unwritable(path):
    path.chmod(0o500)
    return not os.access(path, os.W_OK)  # root may write everywhere


@pytest.mark.parametrize("place", ["states", "state file"])
def test_a_stream_that_cannot_be_kept_is_an_error_of_its_check(place, folder, capsys):
    days(folder, 1)
    write(check("s", "01.csv", test="smmd") + check("a", "like.csv"))
    (folder / ".kstest").mkdir()
    if place == "states":
        (folder / ".kstest" / "states").write_text("no folder")
    else:
        (folder / STATE).mkdir(parents=True)
    code, answer = report(capsys)
    assert code == 2
    assert [o["status"] for o in answer["outcomes"]] == ["error", "not rejected"]
    assert ".kstest" in answer["outcomes"][0]["message"]


def test_a_folder_that_is_read_only_is_said_and_stays_as_it_is(folder, capsys):
    write(check("a", "like.csv"))
    assert report(capsys)[0] == 0
    before = HISTORY.read_bytes()
    try:
        if not unwritable(folder / ".kstest"):
            pytest.skip("whoever runs this may write everywhere")
        HISTORY.chmod(0o400)
        assert kstest(["run", "--quiet", "--threads", "1"]) == 2
        assert "history" in capsys.readouterr().err
    finally:
        (folder / ".kstest").chmod(0o700)
    assert HISTORY.read_bytes() == before


@pytest.mark.parametrize("sets", [60, pytest.param(5000, marks=pytest.mark.slow)])
def test_altered_bytes_of_a_state_are_an_error_or_change_nothing(sets, folder, capsys):
    days(folder, 2)
    write(check("s", "01.csv", test="smmd"))
    assert report(capsys)[0] == 0
    whole, rng = STATE.read_bytes(), np.random.default_rng(4)
    write(check("s", "02.csv", test="smmd"))
    right = report(capsys, "--history", "none")[1]["outcomes"][0]["result"]["e_value"]
    refused = 0
    for _ in range(sets):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] ^= 1 << int(rng.integers(8))
        STATE.write_bytes(bytes(content))
        code, answer = report(capsys, "--history", "none")
        (one,) = answer["outcomes"]
        assert code != 70, one
        if code == 2:
            refused += 1
            assert "s.kst" in one["message"]
            assert STATE.read_bytes() == bytes(content)
        else:
            assert (code, one["result"]["e_value"]) == (0, right)
    assert refused > sets // 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("sets", [40, pytest.param(2500, marks=pytest.mark.slow)])
def test_altered_bytes_of_data_never_stop_the_other_checks(sets, form, folder, capsys):
    import pandas as pd

    frame = pd.read_csv("like.csv")
    if form == "csv":
        frame.to_csv("new.csv", index=False)
    else:
        frame.to_parquet("new.parquet")
    path, rng = Path(f"new.{form}"), np.random.default_rng(5)
    write(check("a", path.name, test="ks") + check("b", "like.csv", test="ks"))
    whole = path.read_bytes()
    for _ in range(sets):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        if rng.random() < 0.2:
            content = content[: int(rng.integers(len(content)))]
        path.write_bytes(bytes(content))
        code, answer = report(capsys, "--history", "none")
        one, other = answer["outcomes"]
        assert code in (0, 1, 2, 3)
        assert other["status"] == "not rejected"
        assert code != 70, one
        if one["status"] == "error":
            assert path.name in one["message"], one
