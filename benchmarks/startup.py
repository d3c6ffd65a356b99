"""What starting kstest costs, in CPU seconds and as ratios within one run.

    python3 benchmarks/startup.py [--repeat 7]

Medians over processes of their own, user and system time together, over a Python that imports
NumPy and pyarrow's CSV reader and does nothing: `kstest --help`; `mmd`, `ks` and `hsic` of 500 rows
(four columns), `dqm check` of a batch of 300, and `skit` that goes on from a state with 200 rows.
And what the first call of a machine compiles, with an empty cache directory, beyond what the second
call costs: every command on 5,000 rows of six columns (small calls need no compiled loop), and
`kstest warmup`, which compiles the loops of all commands (both left out by --skip-warmup). Bytecode
is kept in the temporary directory.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

KSTEST = [sys.executable, "-m", "kstest"]
IMPORTS = [sys.executable, "-c", "import numpy, pyarrow.csv"]
MODES = (
    "gaussian_mixture(weights=[.5, .5], means=[[0,0,0,0,0,0], [9,0,0,0,0,0]], covariances=[1, 1])"
)
COMPILATION = 10.0  # CPU seconds
BARS = {"mmd": 2.3, "ks": 2.3, "hsic": 3.0, "dqm check": 2.5, "skit, resumed": 2.5}


def cpu_seconds(command, **environment):
    """User and system seconds of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_csv(path, seed, rows=500, columns=4):
    rows = np.random.default_rng(seed).normal(size=(rows, columns))
    names = ",".join("abcdef"[:columns])
    np.savetxt(path, rows, fmt="%.6f", delimiter=",", header=names, comments="")
    return str(path)


def small_calls(folder):
    """Commands by name; each begins anew."""
    sizes = {"a": 500, "b": 500, "ref": 3000, "pool": 6000, "batch": 300, "old": 1000, "new": 200}
    data = {k: write_csv(folder / f"{k}.csv", i, n) for i, (k, n) in enumerate(sizes.items())}
    calibration, state = str(folder / "drift.cal"), str(folder / "stream.state")
    cpu_seconds(
        [*KSTEST, "dqm", "calibrate", data["ref"], data["pool"], "--batch-size", "300",
         "-o", calibration, "--quiet"]
    )  # fmt: skip
    skit = [*KSTEST, "skit", "--x", "a", "--y", "b", "--state", state]
    cpu_seconds([*skit, data["old"]])
    shutil.copy(state, state + ".kept")
    return {
        "import numpy, pyarrow.csv": IMPORTS,
        "kstest --help": [*KSTEST, "--help"],
        "mmd": [*KSTEST, "mmd", data["a"], data["b"], "--threads", "1"],
        "ks": [*KSTEST, "ks", data["a"], data["b"], "--threads", "1"],
        "hsic": [*KSTEST, "hsic", data["a"], "--x", "a,b", "--y", "c,d", "--threads", "1"],
        "dqm check": [*KSTEST, "dqm", "check", calibration, data["batch"]],
        "skit, resumed": [*skit, data["new"]],
    }, state


def first_calls(folder):
    """Commands by name that need the compiled loops of their test."""
    a, b = (write_csv(folder / f"long{i}.csv", 10 + i, 5000, 6) for i in range(2))
    columns = ["--x", "a,b", "--y", "c,d", "--threads", "1"]
    pool, calibration = [a, b, "--batch-size", "500"], str(folder / "first.cal")
    return {
        "mmd": ["mmd", a, b, "--threads", "1"],
        "mmd --features": ["mmd", a, b, "--features", "100", "--threads", "1"],
        "ks": ["ks", a, b, "--threads", "1"],
        "hsic": ["hsic", a, *columns],
        "hsic --given": ["hsic", a, *columns, "--given", "e"],
        "ksd": ["ksd", a, "--target", "normal(mean=0, sd=1)", "--threads", "1"],
        "pksd": ["pksd", a, "--target", MODES],
        "dqm calibrate": ["dqm", "calibrate", *pool, "-o", calibration, "--quiet"],
        "skit": ["skit", a, "--x", "a", "--y", "b"],
        "smmd": ["smmd", a, b],
        "sksd": ["sksd", a, "--target", "normal(mean=0, sd=1)"],
        "effect": ["effect", a, b, "--outcome", "a", "--covariates", "b,c"],
    }


def print_first_calls(folder):
    """CPU seconds of the first call of every command beyond those of its second."""
    print(f"\n{'first call':28} {'first':>7} {'second':>7} {'compiles':>9}   5,000 rows x 6")
    for name, command in first_calls(folder).items():
        cache = folder / f"cache-{name.replace(' ', '')}"
        took = [cpu_seconds([*KSTEST, *command], KSTEST_CACHE_DIR=str(cache)) for _ in range(2)]
        beyond = took[0] - took[1]
        verdict = "met" if beyond <= COMPILATION else "MISSED"
        seconds = f"{took[0]:7.2f} {took[1]:7.2f} {beyond:9.2f}"
        print(f"{name:28} {seconds}   bar {COMPILATION:g}: {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="processes per line")
    parser.add_argument("--skip-warmup", action="store_true", help="compile nothing")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault(
        "PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "kstest-bytecode")
    )
    with tempfile.TemporaryDirectory() as folder:
        cpu_seconds([*KSTEST, "warmup"])
        commands, state = small_calls(Path(folder))
        seconds = {name: [] for name in commands}
        for turn in range(given.repeat + 1):  # in turns, so that all see the same load
            for name, command in commands.items():
                shutil.copy(state + ".kept", state)
                took = cpu_seconds(command)
                if turn:  # the first fills the file cache
                    seconds[name].append(took)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        base = medians["import numpy, pyarrow.csv"]
        print(f"{'':28} {'CPU s':>7} {'over imports':>13}   median of {given.repeat}")
        for name, value in medians.items():
            bar = BARS.get(name)
            text = (
                "" if bar is None else f"   bar {bar}: {'met' if value <= bar * base else 'MISSED'}"
            )
            print(f"{name:28} {value:7.3f} {value / base:12.2f}x{text}")
        if given.skip_warmup:
            return
        print_first_calls(Path(folder))

        cold, warm = [], []
        for turn in range(min(given.repeat, 3)):
            cache = {"KSTEST_CACHE_DIR": str(Path(folder) / f"cache{turn}")}
            cold.append(cpu_seconds([*KSTEST, "warmup"], **cache))
            warm.append(cpu_seconds([*KSTEST, "warmup"], **cache))
        print(
            f"\nkstest warmup: {statistics.median(cold):.1f} CPU s with an empty cache, "
            f"{statistics.median(warm):.2f} with a full one (median of {len(cold)})"
        )


if __name__ == "__main__":
    main()
