"""State files: nothing is lost, nothing counted twice, whatever happens to the process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import streams
from click.testing import CliRunner

from kstest.archive import load, save
from kstest.archive.packing import pack
from kstest.cli import cli
from kstest.errors import KstestError
from kstest.streams import state_file


def write(path, x, y):
    lines = [f"{a!r},{b!r}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    path.write_text("a,b\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def batches(tmp_path):
    """Ten files of 100 rows, and all rows in one."""
    x, y = streams.gaussian(0.0)(np.random.default_rng(3), 1000)
    write(tmp_path / "all.csv", x, y)
    return [
        write(tmp_path / f"{k}.csv", x[k : k + 100], y[k : k + 100]) for k in range(0, 1000, 100)
    ]


def run(*arguments, name="skit", data=None):
    """The command in this process: exit code, JSON or text."""
    arguments = [name, *map(str, arguments)]
    runner = CliRunner()
    done = runner.invoke(cli, arguments, input=data, standalone_mode=False)
    if isinstance(done.exception, KstestError):
        return done.exception.exit_code, str(done.exception)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout


def answer(*arguments, **options):
    code, text = run(*arguments, "--format", "json", **options)
    return code, json.loads(text)


def core(path):
    """The test's state, to the bit."""
    header, arrays = pack(state_file.read(str(path)).state.core)
    return json.dumps(header), {name: a.tobytes() for name, a in arrays.items()}


def test_ten_batches_are_one_to_the_bit(batches, tmp_path):
    one, ten = tmp_path / "one.kst", tmp_path / "ten.kst"
    _, whole = answer(tmp_path / "all.csv", "--state", one)
    for batch in batches:
        _, last = answer(batch, "--state", ten)
    assert core(one) == core(ten)
    assert whole["e_value"] == last["e_value"]
    assert whole["n"] == last["n"] == {"data": 1000}
    assert ten.stat().st_size < 80_000


def test_size_does_not_grow_with_the_stream(tmp_path):
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(3):
        file = write(tmp_path / "batch.csv", *rng.normal(size=(2, 20_000)))
        answer(file, "--state", tmp_path / "s.kst")
        sizes.append((tmp_path / "s.kst").stat().st_size)
    assert max(sizes) < 80_000
    # Paths of five wealths have 64 to 128 points each.
    assert max(sizes) - min(sizes) < 5 * 64 * 16


def test_a_counted_batch_changes_nothing_and_gives_the_same_answer(batches, tmp_path):
    state = tmp_path / "s.kst"
    code, first = answer(batches[0], "--state", state)
    before = state.read_bytes()
    again, second = answer(batches[0], "--state", state)
    assert state.read_bytes() == before
    assert (code, first["e_value"]) == (again, second["e_value"])
    assert second["warnings"][0]["code"] == "batch-counted"
    answer(batches[0], "--state", state, "--allow-duplicate")
    assert answer_show(state)["n"] == {"data": 200}


def answer_show(path):
    _, text = run("show", path, "--format", "json", name="state")
    return json.loads(text)


def test_the_same_name_with_other_rows_is_refused(batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state, "--batch-id", "monday")
    before = state.read_bytes()
    assert answer(batches[0], "--state", state, "--batch-id", "monday")[0] == 0
    code, message = run(batches[1], "--state", state, "--batch-id", "monday")
    assert code == 2
    assert "'monday'" in message
    assert state.read_bytes() == before
    assert answer(batches[1], "--state", state, "--batch-id", "tuesday")[1]["n"]["data"] == 200


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        ("", "--alpha .01", "begun with --alpha 0.05 (the default), now --alpha 0.01."),
        ("--alpha .01", "", "begun with --alpha 0.01, now --alpha 0.05 (the default)."),
        ("", "--seed 1", "begun with --seed 0 (the default), now --seed 1."),
        ("--block 4", "--block 8", "begun with --block 4, now --block 8."),
        ("", "--mode pairs", "begun with --mode 'blocks' (the default), now --mode 'pairs'."),
        ("", "--detect", "begun without --detect, now --detect."),
        ("--detect", "", "begun with --detect, now without."),
        ("", "--where a>0", "begun without --where, now --where 'a>0'."),
        ("--where a>0", "", "begun with --where 'a>0', now without."),
        ("", "--missing drop", "begun with --missing 'error' (the default), now --missing 'drop'."),
        ("--x a --y b", "--x b --y a", "with --x 'a', now --x 'b'; with --y 'b', now --y 'a'."),
        ("", "--categorical a", "begun without --categorical, now --categorical 'a'."),
    ],
)
def test_other_options_are_refused_by_what_was_and_is(then, now, words, batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state, *then.split())
    before = state.read_bytes()
    code, message = run(batches[1], "--state", state, *now.split())
    assert code == 2
    assert message.startswith(f"--state {state}: the stream was begun ")
    assert words in message
    assert "another --state file" in message
    assert state.read_bytes() == before


def test_another_command_is_refused(batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    code, message = run(batches[1], "--state", state, "--target", "normal()", name="sksd")
    assert code == 2
    assert "a stream of kstest skit, which kstest sksd cannot go on with" in message


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("a,b,d", "1,2,3", "this batch has 'd', which the stream has not"),
        ("a,d", "1,2", "has 'd', which the stream has not; the stream has 'b', which this batch"),
        ("a,b", "1,cat", "column 'b' holds categories in this batch, and numbers in the stream"),
    ],
)
def test_other_columns_are_refused_by_name(header, cells, words, batches, tmp_path):
    target = ["--target", "normal()"]
    state, other = tmp_path / "s.kst", tmp_path / "other.csv"
    name = "smmd" if "cat" in cells else "sksd"
    ahead = [batches[5]] if name == "smmd" else []
    target = target if name == "sksd" else []
    answer(*ahead, batches[0], "--state", state, *target, name=name)
    before = state.read_bytes()
    other.write_text(f"{header}\n{cells}\n")
    if name == "smmd":
        (tmp_path / "reference.csv").write_text(f"{header}\n{cells}\n{cells}\n")
        ahead = [tmp_path / "reference.csv"]
    code, message = run(*ahead, other, "--state", state, *target, name=name)
    assert code == 2
    assert words in message
    assert state.read_bytes() == before


def test_columns_in_another_order_go_on(tmp_path):
    rows = np.random.default_rng(0).normal([0, 1], 1, size=(300, 2))
    one, two = tmp_path / "one.kst", tmp_path / "two.kst"
    target = ["--target", "normal(mean=[0, 1], sd=1)"]
    write(tmp_path / "all.csv", *rows.T)
    write(tmp_path / "first.csv", *rows[:100].T)
    lines = [f"{b!r},{a!r}" for a, b in rows[100:].tolist()]
    (tmp_path / "turned.csv").write_text("b,a\n" + "\n".join(lines) + "\n")
    answer(tmp_path / "all.csv", "--state", one, *target, name="sksd")
    answer(tmp_path / "first.csv", "--state", two, *target, name="sksd")
    answer(tmp_path / "turned.csv", "--state", two, *target, name="sksd")
    assert core(one) == core(two)


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n3,cat\n", "a,b\n1,2\n3\n", "a\n1\n", "a,b\n", "", "a,b\n1,\n"]
)
def test_errors_leave_the_state_as_it_was(content, batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    before = state.read_bytes()
    bad = tmp_path / "bad.csv"
    bad.write_text(content)
    assert run(bad, "--state", state)[0] == 2
    assert state.read_bytes() == before
    assert run(bad, "--state", tmp_path / "new.kst")[0] == 2
    assert not (tmp_path / "new.kst").exists()


def test_a_decided_stream_keeps_its_answer(tmp_path):
    state = tmp_path / "s.kst"
    x, y = streams.gaussian(1.0)(np.random.default_rng(0), 500)
    code, first = answer(write(tmp_path / "dep.csv", x, y), "--state", state)
    assert code == 1
    other = write(tmp_path / "ind.csv", *np.random.default_rng(1).normal(size=(2, 500)))
    code, later = answer(other, "--state", state)
    assert code == 1
    assert later["e_value"] == first["e_value"]
    assert later["warnings"][0]["code"] == "stream-decided"
    assert run("show", state, name="state") == (0, run("show", state, name="state")[1])
    assert answer_show(state)["verdict"] == "rejected"


@pytest.mark.parametrize("damage", ["cut", "flip", "text"])
def test_damaged_files_are_refused(damage, batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    content = bytearray(state.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        content = bytearray(b"a,b\n1,2\n")
    state.write_bytes(content)
    for arguments in ((batches[1], "--state", state), ("show", state)):
        code, message = run(*arguments, name="state" if "show" in arguments else "skit")
        assert code == 2
        assert "s.kst" in message
    assert state.read_bytes() == content


def test_a_state_of_an_older_kstest_is_refused_and_left_alone(batches, tmp_path):
    """Its wealth is a plain product, which cannot be made a mixture over all starts."""
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    header, arrays = load(state, "state", (state_file.VERSION,))
    kept = {k: v for k, v in header.items() if k not in ("kstest", "version")}
    save(state, "state", 1, kept, arrays)
    before = state.read_bytes()
    code, message = run(batches[1], "--state", state)
    assert code == 2
    assert "version 1" in message
    assert "make a new one" in message
    assert state.read_bytes() == before


def test_options_without_a_state(batches):
    for option in (["--batch-id", "x"], ["--allow-duplicate"]):
        code, message = run(batches[0], *option)
        assert code == 2
        assert "--state" in message


def shell(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "kstest", "skit", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )


def test_killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice(batches, tmp_path):
    """Every batch is sent, killed after a random time, and sent again until it is through."""
    state, rng = tmp_path / "s.kst", np.random.default_rng(0)
    kills = 0
    for batch in batches[:3]:
        for attempt in range(8):
            process = shell(batch, "--state", state)
            # The last attempts are let through; the first ones end somewhere.
            patience = rng.uniform(0.2, 1.6) if attempt < 2 else 120
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        if state.exists():
            load(state, "state", (state_file.VERSION,))  # whole, always
    assert kills > 0
    assert answer_show(state)["n"] == {"data": 300}
    clean = tmp_path / "clean.kst"
    for batch in batches[:3]:
        answer(batch, "--state", clean)
    assert core(state) == core(clean)


def test_a_full_disk_leaves_the_old_state(batches, tmp_path):
    state = tmp_path / "s.kst"
    answer(batches[0], "--state", state)
    before = state.read_bytes()

    def no_space():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = shell(batches[1], "--state", state, preexec_fn=no_space, env=environment)
    assert process.wait(60) == 2
    assert state.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob(".s.kst*")) in ([], [".s.kst.lock"])
    assert answer(batches[1], "--state", state)[1]["n"] == {"data": 200}


def test_a_stream_that_was_cut_off_goes_on_where_it_was_saved(batches, tmp_path, monkeypatch):
    """A checkpoint in the middle of a batch; the batch comes again whole."""
    from kstest.shell import sequential

    state, clean = tmp_path / "s.kst", tmp_path / "clean.kst"
    monkeypatch.setattr(sequential, "CHECKPOINT", -1.0)
    saves = []
    real = state_file.write

    def cut(path, saved):
        real(path, saved)
        saves.append(saved)
        if len(saves) == 4:
            raise KeyboardInterrupt

    looks = ["--look-every", "110", "--format", "jsonl"]
    monkeypatch.setattr(state_file, "write", cut)
    CliRunner().invoke(cli, ["skit", str(tmp_path / "all.csv"), "--state", str(state), *looks])
    assert len(saves) == 5  # the interruption saves once more
    assert [o.rows for o in state_file.read(str(state)).ledger.open] == [440]
    monkeypatch.undo()
    answer(tmp_path / "all.csv", "--state", state)
    answer(tmp_path / "all.csv", "--state", clean)
    assert core(state) == core(clean)
    assert state_file.read(str(state)).ledger.open == ()
    # other rows than those that were cut off are a batch of their own
    other = tmp_path / "other.kst"
    real(str(other), saves[-1])
    answer(batches[9], "--state", other)
    assert answer_show(other)["n"] == {"data": 540}


def follower(path, state):
    options = ["--follow", "--state", str(state), "--format", "jsonl"]
    return subprocess.Popen(
        [sys.executable, "-m", "kstest", "skit", str(path), *options], stdout=subprocess.PIPE
    )


def test_a_growing_file_is_followed_and_after_a_kill_or_an_interruption_gone_on_with(
    batches, tmp_path
):
    """Rows are appended while the command waits; it is ended twice and begun again."""
    text = (tmp_path / "all.csv").read_text().splitlines(keepends=True)
    growing, state = tmp_path / "growing.csv", tmp_path / "s.kst"
    growing.write_text("".join(text[:101]))
    for end, upto in ((signal.SIGINT, 301), (signal.SIGKILL, 501), (signal.SIGINT, 701)):
        process = follower(growing, state)
        assert json.loads(process.stdout.readline())["n"]["data"] >= 100
        with open(growing, "a") as stream:
            stream.writelines(text[len(growing.read_text().splitlines()) : upto])
        seen = 0
        while seen < upto - 1:
            seen = json.loads(process.stdout.readline())["n"]["data"]
        assert seen == upto - 1
        process.send_signal(end)
        code = process.wait(60)
        assert code == (130 if end is signal.SIGINT else -signal.SIGKILL)
        process.stdout.close()
    assert [o.rows for o in state_file.read(str(state)).ledger.open] == [700]
    clean = tmp_path / "clean.kst"
    first = tmp_path / "first.csv"
    first.write_text("".join(text[:701]))
    answer(first, "--state", clean)
    assert core(state) == core(clean)
    # the same rows as a file that ends are the batch that was open
    answer(first, "--state", state)
    assert core(state) == core(clean)
    assert state_file.read(str(state)).ledger.count == 1


def test_what_cannot_be_followed(batches, tmp_path):
    import gzip

    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(batches[0].read_bytes()))
    for arguments, words in (
        ([packed], "compressed"),
        (["-"], "name a file"),
        (["--data", batches[0], "--data", batches[1]], "2 files"),
    ):
        code, message = run(*arguments, "--follow")
        assert code == 2
        assert words in message


def test_two_processes_take_turns(batches, tmp_path):
    state = tmp_path / "s.kst"
    processes = [shell(batch, "--state", state) for batch in batches[:3]]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert answer_show(state)["n"] == {"data": 300}


@pytest.mark.slow
def test_resuming_a_small_batch_is_quick(batches, tmp_path):
    """At most 0.8 s of CPU once compiled; the best of five, since the machine may be busy."""
    state = tmp_path / "s.kst"
    shell(batches[0], "--state", state).wait()
    seconds = []
    for batch in batches[1:6]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shell(batch, "--state", state).wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        time.sleep(0.1)
    assert min(seconds) <= 0.8
