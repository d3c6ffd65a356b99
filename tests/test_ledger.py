"""The ledger of a stream: every batch is counted once, however many come and however they end."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_state import answer, batches, core, run, write  # noqa: F401  (a fixture)

from kstest.archive import ledger, load, save
from kstest.errors import DataError
from kstest.shell import sequential
from kstest.shell.signals import Terminated
from kstest.streams import state_file


def digest(k):
    return hashlib.sha256(str(k).encode()).hexdigest()


def test_every_batch_is_remembered_in_16_bytes():
    found = ledger.begin()
    for k in range(3000):
        found = ledger.with_batch(found, digest(k), digest(f"head {k}"), f"h{k}" if k % 2 else None)
    assert found.count == 3000
    assert found.records.nbytes == 16 * 3000
    for k in (0, 1, 1487, 2999):
        assert ledger.counted(found, digest(k), None, "f")
        assert ledger.may_be_counted(found, digest(f"head {k}"), None)
    assert ledger.counted(found, digest(1), "h1", "f")
    with pytest.raises(DataError, match="'h1' with other rows"):
        ledger.counted(found, digest("new"), "h1", "f")
    assert not ledger.counted(found, digest("new"), "new", "f")
    assert not ledger.counted(found, digest("new"), None, "f")


def test_a_digest_that_begins_with_zeros_is_still_one():
    zeros = "0" * 64
    found = ledger.with_batch(ledger.begin(), zeros, zeros, None)
    assert ledger.counted(found, zeros, None, "f")
    assert ledger.may_be_counted(found, zeros, None)
    other = ledger.with_batch(ledger.begin(), digest(0), "", None)  # of no rows
    assert not ledger.counted(other, zeros, "", "f")
    assert not ledger.may_be_counted(other, zeros, None)


def earlier(path, forgotten):
    """Make of a state file one of the layout that remembered some batches only."""
    header, arrays = load(path, "state", (state_file.VERSION,))
    records = arrays.pop("ledger.records")
    count = header["ledger"]["count"]
    header["ledger"] = {"count": count + forgotten, "open_rows": 0, "open_content": ""}
    # Two words of 8 bytes; of the first one 7 bytes are known here, and 6 of a name.
    words = np.zeros((2, count, 16), np.uint8)
    words[0, :, :7], words[1, :, :6] = records[:, :7], records[:, 7:13]
    for name, table in zip(("contents", "ids"), words, strict=True):
        arrays[f"ledger.{name}"] = table.reshape(count, 16).view(">u8").astype(np.uint64)
    version = header.pop("version")
    save(path, header.pop("kstest"), version, header, arrays)


def test_earlier_states_are_read_and_refuse_what_they_cannot_know(batches, tmp_path):  # noqa: F811
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state, "--batch-id", "a")
    answer(batches[1], "--state", state)
    earlier(state, 0)
    before = state.read_bytes()
    assert answer(batches[1], "--state", state)[1]["warnings"][0]["code"] == "batch-counted"
    assert run(batches[2], "--state", state, "--batch-id", "a")[0] == 2
    assert state.read_bytes() == before
    assert answer(batches[2], "--state", state)[1]["n"] == {"data": 300}
    earlier(state, 5)
    code, message = run(batches[3], "--state", state)
    assert (code, "5 others cannot be known" in message) == (2, True)
    assert answer(batches[0], "--state", state)[1]["warnings"][0]["code"] == "batch-counted"
    assert answer(batches[3], "--state", state, "--allow-duplicate")[1]["n"] == {"data": 400}


def cut(monkeypatch, rows, *arguments, error=KeyboardInterrupt):
    """Run a command that is interrupted as soon as so many rows were taken."""
    real = sequential.Batch.take

    def take(self, module, sample, columns):
        real(self, module, sample, columns)
        if self.taken.rows >= rows:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(sequential.Batch, "take", take)
        with pytest.raises(BaseException):  # noqa: B017, PT011  (click makes an Abort of it)
            run(*arguments, "--look-every", rows, "--format", "jsonl")


def test_batches_that_were_cut_off_are_gone_on_with_whatever_came_between(
    batches,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    state, clean = tmp_path / "s.kst", tmp_path / "clean.kst"
    cut(monkeypatch, 60, batches[0], "--state", state)
    cut(monkeypatch, 9, batches[1], "--state", state, "--batch-id", "one")
    answer(batches[2], "--state", state)
    cut(monkeypatch, 80, batches[0], "--state", state)  # again, later
    saved = state_file.read(str(state))
    assert sorted(o.rows for o in saved.ledger.open) == [9, 80]
    for batch in (batches[1], batches[0]):
        answer(batch, "--state", state)
    saved = state_file.read(str(state))
    assert (saved.ledger.count, saved.ledger.open) == (3, ())
    # the same rows, in the order in which they came
    lines = [batch.read_text().splitlines(keepends=True) for batch in batches[:3]]
    first = lines[0][:61] + lines[1][1:10] + lines[2][1:] + lines[0][61:81] + lines[1][10:]
    whole = tmp_path / "whole.csv"
    whole.write_text("".join(first + lines[0][81:]))
    answer(whole, "--state", clean)
    assert core(state) == core(clean)
    for batch in batches[:3]:
        assert answer(batch, "--state", state)[1]["warnings"][0]["code"] == "batch-counted"


def test_the_name_of_a_batch_that_was_cut_off_is_taken(batches, tmp_path, monkeypatch):  # noqa: F811
    state = tmp_path / "s.kst"
    cut(monkeypatch, 60, batches[0], "--state", state, "--batch-id", "a")
    before = state.read_bytes()
    short = tmp_path / "short.csv"
    short.write_text("".join(batches[0].read_text().splitlines(keepends=True)[:30]))
    for other in (batches[1], short):
        code, message = run(other, "--state", state, "--batch-id", "a")
        assert (code, "with other rows" in message) == (2, True)
    assert state.read_bytes() == before
    assert answer(batches[0], "--state", state, "--batch-id", "a")[1]["n"] == {"data": 100}


def test_a_counted_batch_that_is_saved_on_the_way_changes_nothing(
    batches,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    """Also if it is interrupted: what may have been counted is not saved before it has ended."""
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state, "--batch-id", "a")
    before = state.read_bytes()
    monkeypatch.setattr(sequential, "CHECKPOINT", -1.0)
    looks = ["--look-every", "7", "--format", "jsonl"]
    run(batches[0], "--state", state, *looks)
    assert state.read_bytes() == before
    assert run(batches[1], "--state", state, "--batch-id", "a", *looks)[0] == 2
    assert state.read_bytes() == before
    cut(monkeypatch, 50, batches[0], "--state", state)
    cut(monkeypatch, 50, batches[1], "--state", state, "--batch-id", "a")
    assert state.read_bytes() == before


def test_signals_end_a_run_as_ctrl_c_does(batches, tmp_path, monkeypatch):  # noqa: F811
    state = tmp_path / "s.kst"
    cut(monkeypatch, 40, batches[0], "--state", state, error=Terminated(signal.SIGTERM))
    assert [o.rows for o in state_file.read(str(state)).ledger.open] == [40]
    assert Terminated(signal.SIGTERM).exit_code == 143
    assert Terminated(signal.SIGHUP).exit_code == 129


def test_an_empty_state_is_refused(batches, tmp_path):  # noqa: F811
    state = tmp_path / "s.kst"
    state.touch()
    code, message = run(batches[0], "--state", state)
    assert (code, "is empty" in message) == (2, True)
    assert state.read_bytes() == b""


def test_names_of_states_that_keep_nothing(batches, tmp_path):  # noqa: F811
    import os

    os.mkfifo(tmp_path / "pipe")
    for name, words in (("-", "is no file"), (tmp_path / "pipe", "keeps nothing")):
        code, message = run(batches[0], "--state", name)
        assert (code, words in message) == (2, True)


def test_how_long_to_wait_for_another_process(batches, tmp_path):  # noqa: F811
    from kstest.archive import locked

    state = tmp_path / "s.kst"
    with locked(state):
        code, message = run(batches[0], "--state", state, "--lock-timeout", "0.1")
    assert (code, "for 0.1 s" in message, "--lock-timeout" in message) == (2, True, True)


def test_a_file_of_batches_that_begin_alike(tmp_path):
    """Rows by which batches are told apart early may be equal; the rest decides."""
    state, rng = tmp_path / "s.kst", np.random.default_rng(0)
    for k in range(3):
        x, y = rng.normal(size=(2, 50))
        x[:10] = y[:10] = 0.0
        found = answer(write(tmp_path / f"{k}.csv", x, y), "--state", state)[1]
        assert found["n"] == {"data": 50 * (k + 1)}
    assert answer(tmp_path / "0.csv", "--state", state)[1]["n"] == {"data": 150}


class Following:
    """A clock for a file that is followed in this process: what happens at each look."""

    def __init__(self, monkeypatch, *steps):
        from kstest.sources import growing

        self.steps = list(steps)
        monkeypatch.setattr(growing, "WAIT", 0.0)
        monkeypatch.setattr(growing.time, "sleep", self.sleep)

    def sleep(self, seconds):
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()


def lines(path):
    return path.read_text().splitlines(keepends=True)


def grown(batches, tmp_path):  # noqa: F811
    path = tmp_path / "grown.csv"
    path.write_text("".join(lines(batches[0])))
    return path


def test_a_followed_file_that_is_rotated_or_removed_ends(batches, tmp_path, monkeypatch):  # noqa: F811
    state, path = tmp_path / "s.kst", grown(batches, tmp_path)

    def more():
        with open(path, "a") as stream:
            stream.writelines(lines(batches[1])[1:])

    def rotate():
        path.rename(tmp_path / "grown.csv.1")
        path.write_text("".join(lines(batches[2])))

    nothing = [lambda: None] * 20
    Following(monkeypatch, more, rotate, *nothing)
    found = answer(path, "--state", state, "--follow")[1]
    assert found["n"] == {"data": 200}
    assert found["warnings"][0]["code"] == "file-ended"
    assert "replaced by another file" in found["warnings"][0]["message"]
    Following(monkeypatch, path.unlink, *nothing)
    found = answer(path, "--state", state, "--follow")[1]
    assert found["n"] == {"data": 300}
    assert "was removed" in found["warnings"][0]["message"]
    # The old file goes on where it was left, and nothing is counted twice.
    with open(tmp_path / "grown.csv.1", "a") as stream:
        stream.writelines(lines(batches[3])[1:])
    assert answer(tmp_path / "grown.csv.1", "--state", state)[1]["n"] == {"data": 400}


@pytest.mark.parametrize("regrown", [0, 1, 5])
def test_a_followed_file_that_is_truncated_stops_with_a_message(
    regrown,
    batches,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    """Also where it is longer than before at the next look."""
    state, path = tmp_path / "s.kst", grown(batches, tmp_path)

    def anew():
        with open(path, "r+") as stream:
            stream.truncate()
            for batch in batches[5 : 5 + regrown]:
                stream.writelines(lines(batch))

    Following(monkeypatch, lambda: None, anew, *[lambda: None] * 20)
    code, message = run(path, "--state", state, "--follow")
    assert code == 2
    assert "while it was followed" in message
    assert [o.rows for o in state_file.read(str(state)).ledger.open] == [100]


def test_waiting_saves_on_a_timer(batches, tmp_path, monkeypatch):  # noqa: F811
    state, path, seen = tmp_path / "s.kst", grown(batches, tmp_path), []
    monkeypatch.setattr(sequential, "CHECKPOINT", 0.0)

    def look():
        seen.append([o.rows for o in state_file.read(str(state)).ledger.open])
        raise Terminated(signal.SIGTERM)

    Following(monkeypatch, lambda: None, look)
    with pytest.raises(BaseException):  # noqa: B017, PT011
        run(path, "--state", state, "--follow")
    assert seen == [[100]]


def test_following_what_begins_like_a_counted_batch_is_refused(batches, tmp_path, monkeypatch):  # noqa: F811
    state, path = tmp_path / "s.kst", grown(batches, tmp_path)
    answer(batches[0], "--state", state, "--batch-id", "a")
    Following(monkeypatch)
    for words in ([path], [batches[1], "--batch-id", "a"]):
        code, message = run(*words, "--state", state, "--follow")
        assert code == 2
        assert "counted before" in message


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_pipe_is_saved_when_the_run_is_ended(number, code, batches, tmp_path):  # noqa: F811
    state = tmp_path / "s.kst"
    words = [sys.executable, "-m", "kstest", "skit", "-", "--state", str(state)]
    process = subprocess.Popen(
        [*words, "--format", "jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write("".join(lines(batches[0])[:51]).encode())
    process.stdin.flush()
    while json.loads(process.stdout.readline())["n"]["data"] < 50:
        pass
    process.send_signal(number)
    assert process.wait(120) == code
    process.stdin.close()
    process.stdout.close()
    assert [o.rows for o in state_file.read(str(state)).ledger.open] == [50]
    # The pipe's rows come again, in a file: the first 50 are not counted twice.
    assert answer(batches[0], "--state", state)[1]["n"] == {"data": 100}


@pytest.mark.slow
def test_runs_that_are_killed_come_to_the_same_end():
    kills = Path(__file__).parent.parent / "benchmarks" / "kills.py"
    words = [sys.executable, str(kills), "--kills", "12", "--terms", "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(reading=5),
        lambda header: header.update(reading="csv"),
        lambda header: header["columns"].update(numeric=1.5),
        lambda header: header["columns"].update(all=None),
        lambda header: header["core"]["wealth"].update(log_e=1e301, largest=1e301),
    ],
)
def test_headers_of_other_kinds_are_refused_or_harmless(change, batches, tmp_path):  # noqa: F811
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    header, arrays = load(state, "state", (state_file.VERSION,))
    version, kind = header.pop("version"), header.pop("kstest")
    change(header)
    save(state, kind, version, header, arrays)
    before = state.read_bytes()
    code, message = run(batches[1], "--state", state)
    assert code in (0, 1, 2, 3)
    assert code != 2 or state.read_bytes() == before
    assert "internal error" not in message
