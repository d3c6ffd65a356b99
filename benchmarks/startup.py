"""What starting kstest costs, in CPU seconds and as ratios within one run.

    python3 benchmarks/startup.py [--repeat 7]

Medians over processes of their own, user and system time together: `kstest --help` and `kstest
mmd` on two CSV files of 500 rows (four columns), both over a Python that imports NumPy and
pyarrow's CSV reader and does nothing (bar for the test: 3x); and the first `kstest warmup` of a
machine, with an empty cache directory, against one with a full cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

KSTEST = [sys.executable, "-m", "kstest"]
IMPORTS = [sys.executable, "-c", "import numpy, pyarrow.csv"]
BAR = 3.0


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
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_csv(path, seed):
    rows = np.random.default_rng(seed).normal(size=(500, 4))
    np.savetxt(path, rows, fmt="%.6f", delimiter=",", header="a,b,c,d", comments="")
    return str(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="processes per line")
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        files = [write_csv(Path(folder) / f"{seed}.csv", seed) for seed in (1, 2)]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import numpy, pyarrow.csv": IMPORTS,
            "kstest --help": [*KSTEST, "--help"],
            "kstest mmd --help": [*KSTEST, "mmd", "--help"],
            "kstest mmd, 2 x 500 rows": [*KSTEST, "mmd", *files],
        }
        seconds = {name: [] for name in commands}
        for turn in range(repeat + 1):  # in turns, so that all see the same load
            for name, command in commands.items():
                took = cpu_seconds(command)
                if turn:  # the first fills the file cache
                    seconds[name].append(took)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        base = medians["import numpy, pyarrow.csv"]
        print(f"{'':28} {'CPU s':>7} {'over imports':>13}   median of {repeat}")
        for name, value in medians.items():
            print(f"{name:28} {value:7.3f} {value / base:12.2f}x")
        verdict = "met" if medians["kstest mmd, 2 x 500 rows"] <= BAR * base else "MISSED"
        print(f"bar: kstest mmd at most {BAR:.0f}x of the imports: {verdict}")

        cold, warm = [], []
        for turn in range(min(repeat, 3)):
            cache = {"KSTEST_CACHE_DIR": str(Path(folder) / f"cache{turn}")}
            cold.append(cpu_seconds([*KSTEST, "warmup"], **cache))
            warm.append(cpu_seconds([*KSTEST, "warmup"], **cache))
        print(
            f"\nkstest warmup: {statistics.median(cold):.1f} CPU s with an empty cache, "
            f"{statistics.median(warm):.2f} with a full one (median of {len(cold)})"
        )


if __name__ == "__main__":
    main()
