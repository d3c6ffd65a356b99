"""Broken surroundings: every end of a run is one that is documented, and nothing is destroyed.

Exit 1 says "rejected": a run that tested nothing must never end with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kstest.cli import run
from kstest.files import messages

KSTEST = [sys.executable, "-m", "kstest"]
FULL = Path("/dev/full")
ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of one distribution, one of another, and a reference for streams."""
    path, rng = tmp_path_factory.mktemp("rows"), np.random.default_rng(3)
    for name, shift in (("a", 0), ("b", 0), ("far", 5)):
        rows = rng.normal(shift, 1, size=(80, 2))
        text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows)
        (path / f"{name}.csv").write_text(text)
    return path


def closed(number):
    return lambda: os.close(number)


@contextlib.contextmanager
def stream(state):
    """A descriptor, or what to do in the child, for standard output or error in a state."""
    if state == "full":
        with open(FULL, "wb") as file:
            yield file
    elif state == "broken":
        read, write = os.pipe()
        os.close(read)
        yield write
        os.close(write)
    else:
        yield subprocess.PIPE


def ended(arguments, states, form, cwd):
    """Run a command with standard input, output and error each in a state."""
    gone = [number for number, state in enumerate(states) if state == "closed"]

    def before():
        for number in gone:
            os.close(number)

    words = [*KSTEST, *arguments, *(["--format", form] if "--help" not in arguments else [])]
    with stream(states[1]) as out, stream(states[2]) as err:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, preexec_fn=before
        )
    return done.returncode


STATES = [
    ("open", "open", state) for state in ("open", "closed", "full", "broken")
] + [("open", state, "open") for state in ("closed", "full", "broken")] + [
    ("closed", "open", "open"),
    ("closed", "closed", "closed"),
    ("open", "full", "full"),
    ("open", "broken", "broken"),
]  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("states", STATES, ids=" ".join)
def test_ends_of_streams_do_not_change_what_an_exit_code_means(states, folder):
    form = "json" if sum(map(len, states)) % 2 else "text"
    lost = states[1] in ("closed", "full")  # the answer cannot be written
    assert ended(["ks", "a.csv", "far.csv"], states, form, folder) == (2 if lost else 1)
    # Nothing is tested: a file that is not there, or an option that is none.
    wrong = ["ks", "a.csv", "nowhere.csv"] if form == "json" else ["ks", "--nonsense"]
    assert ended(wrong, states, form, folder) == 2


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("state", ["closed", "full", "broken"])
def test_help_without_standard_output(state, folder):
    code = ended(["--help"], ("open", state, "open"), "text", folder)
    assert code == {"closed": 0, "full": 2, "broken": 0}[state]


def test_a_note_that_cannot_be_said_is_lost_and_no_more(monkeypatch):
    class Broken:
        def write(self, text):
            raise OSError(28, "No space left on device")

    for stderr in (Broken(), None):
        monkeypatch.setattr(sys, "stderr", stderr)
        messages.say("compiling")


def test_control_characters_of_names_do_not_reach_the_terminal(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    name = "a\x1b[2J\u202e\n.csv"
    for words in (
        ["ks", name, "b.csv"],
        ["ks", "a.csv", "b.csv", "-o", f"{name}/x"],
        ["ks", "a.csv", "b.csv", "--plot", name],
        ["state", "show", name],
        ["dqm", "show", name],
        ["skit", "a.csv", "--state", f"{name}/x"],
        ["ks", "a.csv", "b.csv", f"--{name}"],
        [name],
    ):
        assert run(words) == 2
        said = capsys.readouterr().err
        assert said
        assert "\x1b" not in said
        assert "\u202e" not in said


OUTPUTS = ["b.csv", "./b.csv", "../{here}/b.csv", "link.csv", "hard.csv", "through/b.csv"]


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("words", [["a.csv", "b.csv"], ["--reference", "a.csv", "--sample", "b*"]])
def test_no_output_replaces_an_input(name, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for link, target in (("link.csv", "b.csv"), ("through", ".")):
        if not (folder / link).is_symlink():
            (folder / link).symlink_to(target)
    if not (folder / "hard.csv").exists():
        os.link(folder / "b.csv", folder / "hard.csv")
    name = name.format(here=folder.name)
    before = (folder / "b.csv").read_bytes()
    assert run(["ks", *words, "-o", name]) == 2
    assert "would be destroyed" in capsys.readouterr().err
    assert (folder / "b.csv").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["skit", "a.csv", "--state", "a.csv"],
        ["skit", "a.csv", "--state", "s.kst", "-o", "s.kst"],
        ["smmd", "a.csv", "b.csv", "--state", "a.csv"],
        ["ksd", "a.csv", "--target", "t.toml", "-o", "t.toml"],
        ["ksd", "a.csv", "--target", "fit:kde", "--reference", "b.csv", "-o", "b.csv"],
        ["plan", "a.csv", "--shift", "0.2", "-o", "a.csv"],
        ["state", "show", "a.csv", "-o", "a.csv"],
        ["dqm", "check", "a.csv", "b.csv", "--history", "b.csv"],
        ["dqm", "check", "a.csv", "b.csv", "-o", "a.csv"],
        ["dqm", "show", "a.csv", "-o", "a.csv"],
        ["dqm", "calibrate", "a.csv", "--pool", "b.csv", "--batch-size", "9", "-o", "b.csv"],
        ["dqm", "compare", "a.csv", "b.csv", "-o", "b.csv"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_no_kept_file_replaces_an_input(words, folder, monkeypatch, capsys):
    (folder / "t.toml").write_text('family = "normal"\nmean = 0\nsd = 1\n')
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "would be destroyed" in said or "two names" in said
    assert before == {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}


def test_links_in_a_circle(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for words in (
        ["ks", "a.csv", "b.csv", "-o", loop],
        ["ks", "a.csv", loop],
        ["skit", "a.csv", "--state", loop],
        ["state", "show", loop],
        ["dqm", "check", loop, "a.csv"],
        ["dqm", "check", "a.csv", "b.csv", "--history", loop],
        ["ksd", "a.csv", "--target", f"{loop}/t.toml"],
    ):
        assert run(list(map(str, words))) == 2, words


@pytest.fixture
def device(tmp_path):
    """A null device of our own, which nobody misses."""
    path = tmp_path / "null"
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
        path.write_bytes(b"")
    except OSError:
        pytest.skip("no device can be made here")
    return path


def test_a_device_is_never_replaced(device, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for words, code in (
        (["ks", "a.csv", "b.csv", "-o", device], 0),
        (["skit", "a.csv", "--state", device], 2),
        (["dqm", "check", "a.csv", "b.csv", "--history", device], 2),
        (["datasets", "make", "drift-tubes", "--events", "9", "-o", f"{device}.csv"], 0),
    ):
        assert run(list(map(str, words))) == code, words
        assert device.is_char_device()
    from kstest.archive import save
    from kstest.files import replace

    replace(b"content", device)
    save(device, "state", 1, {}, {})
    assert device.is_char_device()


def test_a_pipe_is_written_to_and_stays(folder, tmp_path):
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    words = [*KSTEST, "ks", "a.csv", "b.csv", "--format", "json", "-o", str(pipe)]
    assert subprocess.run(words, cwd=folder).returncode == 0
    reader.join(60)
    assert json.loads(found[0])["method"] == "ks"
    assert pipe.is_fifo()


def test_one_pipe_cannot_be_two_files(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (["ks", pipe, pipe], ["smmd", pipe, pipe], ["dqm", "check", "k.cal", pipe, pipe]):
        assert run(list(map(str, words))) == 2
        assert "named twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"HOME": None},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONWARNINGS": "error"},
    ],
    ids=["no home", "C", "warnings are errors"],
)
def test_variables(changes, folder):
    environment = {k: v for k, v in {**os.environ, **changes}.items() if v is not None}
    name = folder / "größe.csv"
    name.write_bytes((folder / "b.csv").read_bytes().replace(b"x,y", "x,größe".encode()))
    for words, code in (
        (["mmd", "a.csv", "far.csv"], 1),
        (["skit", name], 0),
        (["ks", "a.csv", name], 2),
    ):
        done = subprocess.run(
            [*KSTEST, *map(str, words)], capture_output=True, cwd=folder, env=environment
        )
        assert done.returncode == code, done.stderr.decode(errors="replace")
        assert b"Traceback" not in done.stderr


def test_the_mask_of_permissions_holds(folder, tmp_path):
    for mask, mode in ((0o027, 0o640),):
        out = tmp_path / f"{mask}.txt"
        done = subprocess.run(
            [*KSTEST, "ks", "a.csv", "b.csv", "-o", str(out)],
            cwd=folder,
            preexec_fn=lambda mask=mask: os.umask(mask),
        )
        assert done.returncode == 0
        assert out.stat().st_mode & 0o777 == mode


def test_a_full_disk_leaves_what_was_there(folder, tmp_path):
    """A limit on the size of files stands in for a disk that is full."""

    def no_space():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    out = tmp_path / "out.json"
    out.write_text("old")
    for words in (
        ["ks", "a.csv", "b.csv", "--format", "json", "-o", out],
        ["skit", "a.csv", "--state", tmp_path / "new.kst"],
    ):
        done = subprocess.run(
            [*KSTEST, *map(str, words)], capture_output=True, cwd=folder,
            preexec_fn=no_space, env=environment,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
    assert out.read_text() == "old"
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"out.json", ".new.kst.lock"}


@pytest.mark.skipif(ROOT, reason="nothing is forbidden to root")
def test_a_folder_that_is_read_only(folder, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    for words in (
        ["ks", "a.csv", "b.csv", "-o", closed / "out"],
        ["skit", "a.csv", "--state", closed / "s.kst"],
    ):
        done = subprocess.run([*KSTEST, *map(str, words)], capture_output=True, cwd=folder)
        assert done.returncode == 2


def test_two_runs_write_one_output(folder, tmp_path):
    out = tmp_path / "out.json"
    words = [*KSTEST, "ks", "a.csv", "b.csv", "--format", "json", "-o", str(out)]
    runs = [subprocess.Popen(words, cwd=folder) for _ in range(2)]
    assert [process.wait(60) for process in runs] == [0, 0]
    assert json.loads(out.read_text())["method"] == "ks"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.slow
def test_a_cold_cache_is_shared_by_eight_runs(folder, tmp_path):
    cache = tmp_path / "cache"
    environment = {**os.environ, "KSTEST_CACHE_DIR": str(cache)}
    words = [*KSTEST, "skit", "a.csv", "--format", "json"]
    runs = [
        subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    found = {json.loads(process.communicate(timeout=600)[0])["e_value"] for process in runs}
    assert len(found) == 1
    assert {process.returncode for process in runs} == {0}
