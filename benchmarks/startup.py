"""What starting kstest costs, in CPU seconds and as ratios within one run.

    python3 benchmarks/startup.py [--repeat 7]

Medians over processes of their own, user and system time together, over a Python that imports
NumPy and pyarrow's CSV reader and does nothing: `kstest --help`; `mmd`, `ks` and `hsic` of 500 rows
(four columns), `dqm check` of a batch of 300, and `skit` that goes on from a state with 200 rows.
And the first `kstest warmup` of a machine, with an empty cache directory, against one with a full
cache (left out by --skip-warmup). Bytecode is kept in the temporary directory.
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


def write_csv(path, seed, rows=500):
    rows = np.random.default_rng(seed).normal(size=(rows, 4))
    np.savetxt(path, rows, fmt="%.6f", delimiter=",", header="a,b,c,d", comments="")
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
