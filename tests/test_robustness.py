"""Interrupts, kills, terminals and places that cannot be written to, as a process meets them."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kstest

pty = pytest.importorskip("pty")

LONG = 400_000  # rows of each file: minutes of work, for the runs that are ended early
ALL_PAIRS = ("--features", "none")
SHORT = 30_000  # a few seconds
PATIENCE = 120  # seconds until a run that should be at work is called stuck
BAR = "summing kernels"


@pytest.fixture(scope="module", autouse=True)
def compiled():
    subprocess.run([sys.executable, "-m", "kstest", "warmup"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Parquet file of so many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("rows")

    def write(rows):
        path = folder / f"{rows}.parquet"
        if not path.exists():
            drawn = np.random.default_rng(rows).normal(size=(3, rows))
            pq.write_table(pa.table(dict(zip("abc", drawn, strict=True))), path)
        return str(path)

    return write


class Terminal:
    """`kstest mmd` with standard error on a pseudo-terminal and standard output in a pipe."""

    def __init__(self, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kstest", "mmd", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            env=os.environ | {"TERM": "xterm"},
        )
        os.close(slave)
        self.errors = ""

    def read(self):
        """Collect what has arrived within a moment; False at the end."""
        ready, _, _ = select.select([self.master], [], [], 0.05)
        if not ready:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.errors += chunk.decode()
        return bool(chunk)

    def until(self, reached):
        started = time.monotonic()
        while not reached():
            assert self.read(), f"ended early: {self.errors}"
            assert time.monotonic() - started < PATIENCE, self.errors
        return self

    def finish(self):
        while self.read():
            pass
        os.close(self.master)
        stdout = self.process.stdout.read().decode()
        self.process.stdout.close()
        return self.process.wait(PATIENCE), stdout

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "answer.txt"
    path.write_text("old")
    return path


def untouched(target):
    return target.read_text() == "old" and [p.name for p in target.parent.iterdir()] == [
        "answer.txt"
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt_during_the_sums_is_130_and_leaves_the_output_alone(threads, file, target):
    run = Terminal(file(LONG), file(LONG), "--output", target, "--threads", threads, *ALL_PAIRS)
    run.until(lambda: BAR in run.errors)
    run.process.send_signal(signal.SIGINT)
    started = time.monotonic()
    code, stdout = run.finish()
    assert time.monotonic() - started < 20
    assert (code, stdout) == (130, "")
    assert "kstest: interrupted" in run.errors
    assert "Traceback" not in run.errors
    assert untouched(target)


def test_kill_during_the_sums_leaves_the_output_alone(file, target):
    run = Terminal(file(LONG), file(LONG), "--output", target, *ALL_PAIRS)
    run.until(lambda: BAR in run.errors)
    run.process.kill()
    assert run.finish() == (-signal.SIGKILL, "")
    assert untouched(target)


def test_bar_is_on_standard_error_of_a_terminal(file):
    run = Terminal(file(SHORT), file(SHORT), "--threads", 1, "--permutations", 99)
    code, stdout = run.finish()
    assert code in (0, 1)
    assert BAR in run.errors
    assert BAR not in stdout
    assert stdout.startswith(("NOT REJECTED", "REJECTED"))
    assert "100%" in run.errors


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads CPU time from /proc")
def test_no_bar_with_quiet(file):
    run = Terminal(file(LONG), file(LONG), "--quiet", "--threads", 1, *ALL_PAIRS)
    run.until(lambda: run.cpu_seconds() > 4)  # start, reading and more than a second of sums
    run.process.send_signal(signal.SIGINT)
    code, stdout = run.finish()
    assert (code, stdout, run.errors.strip()) == (130, "", "kstest: interrupted")


def test_no_bar_without_a_terminal(file):
    done = subprocess.run(
        [sys.executable, "-m", "kstest", "mmd", file(SHORT), file(SHORT), "--threads", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1)
    assert BAR not in done.stdout + done.stderr
    assert "\r" not in done.stderr
    # On a very busy machine a line may say how long it takes.
    assert all(line.startswith("kstest: summing") for line in done.stderr.splitlines())


def in_copy(package, *arguments, **environment):
    """Run Python on a copy of the package, with no cache and no home but those given."""
    hidden = ("KSTEST_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "TMPDIR")
    kept = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=package,
        env=kept | {"PYTHONPATH": str(package)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def package(tmp_path):
    """A copy of kstest that cannot be written to, nor may be by root."""
    site = tmp_path / "site"
    source = Path(kstest.__file__).parent
    shutil.copytree(source, site / "kstest", ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(site.rglob("*"))
    for path in [site, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield site
    for path in [site, *before]:
        path.chmod(0o755)
    assert sorted(site.rglob("*")) == before


def test_warmup_compiles_once_into_the_temporary_directory_where_nothing_else_works(
    package, tmp_path
):
    nowhere = {"HOME": "/proc", "TMPDIR": str(tmp_path)}  # where even root cannot write
    first = in_copy(package, "-m", "kstest", "warmup", **nowhere)
    cache = tmp_path / f"kstest-{os.getuid()}"
    assert re.fullmatch(rf"compiled in \d+\.\d s of CPU time; kept in {cache}\n", first)
    assert list(cache.rglob("*.code"))
    second = in_copy(package, "-m", "kstest", "warmup", **nowhere)
    assert second == f"already compiled; kept in {cache}\n"


def test_code_of_another_installation_does_not_count_as_compiled(package, tmp_path):
    code = "from kstest import jit; print(jit.is_compiled()); jit.mark_compiled()"
    cache = {"KSTEST_CACHE_DIR": str(tmp_path / "cache")}
    other = tmp_path / "other"
    shutil.copytree(package, other)
    assert in_copy(package, "-c", code, **cache) == "False\n"
    assert in_copy(package, "-c", code, **cache) == "True\n"
    assert in_copy(other, "-c", code, **cache) == "False\n"


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "/nowhere/at/all"}, {"HOME": "/proc"}])
def test_some_cache_directory_of_this_user_is_found_whatever_the_home(home, package):
    code = "from kstest import jit; print(jit.cache_directory())"
    found = Path(in_copy(package, "-c", code, **home).strip())
    assert found.is_dir()
    assert found.stat().st_uid == os.getuid()
    assert not found.stat().st_mode & 0o022
