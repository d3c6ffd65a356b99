"""The whole command on large files: seconds and peak memory, against the bars.

    python3 benchmarks/scale.py [--rows 100000] [--columns 10] [--test ks] [--skip-small]

Writes two Parquet files of standard normal rows, the first column of the second shifted by 0.01,
and runs `kstest mmd` (or another test) on them once, reading included. Bars of `mmd` at 100,000
rows of 10 columns a side: 60 s and 500 MB on two processors. Then, in this process, row
permutations at 2,000 rows a side: under 0.3 s with one bandwidth and under 2 s with the default
grid.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import kstest
from kstest.engine.work import available_threads

SECONDS, MEGABYTES = 60, 500


def write_parquet(path, rows, columns, seed, shift):
    """Write the file in pieces: memory is for the command that is measured."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    schema = pa.schema([(f"x{c}", pa.float64()) for c in range(columns)])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, rows, 50_000):
            values = rng.normal(size=(columns, min(50_000, rows - first)))
            values[0] += shift
            writer.write_table(pa.table(list(values), schema=schema))


def command(test, rows, columns, options):
    """Run the command on two files; print and compare with the bars."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("reference.parquet", "sample.parquet")]
        for seed, path in enumerate(files):
            write_parquet(path, rows, columns, seed, 0.01 * seed)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "kstest", test, *files, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Kilobytes on Linux, bytes on macOS.
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
    print(f"n = m = {rows:,}, d = {columns}, Parquet, {available_threads()} processors")
    print(f"{wall:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} CPU s, peak {peak:.0f} MB")
    if (test, rows, columns) == ("mmd", 100_000, 10):
        for name, value, bar in (("s", wall, SECONDS), ("MB", peak, MEGABYTES)):
            print(f"bar: under {bar} {name}: {'met' if value < bar else 'MISSED'}")
    print(done.stdout)


def small(repeat=5):
    """Row permutations at 2,000 rows a side, best of a few."""
    rng = np.random.default_rng([2024, 2000, 10])
    X, Y = rng.normal(size=(2, 2000, 10))
    print(f"row permutations, n = m = 2,000, d = 10, 999 permutations (best of {repeat})")
    for name, bandwidth, bar in (
        ("one bandwidth", "median", 0.3),
        ("bandwidth_grid", "aggregate", 2.0),
    ):
        best, cpu = np.inf, np.inf
        for _ in range(repeat):
            started, clock = time.perf_counter(), time.process_time()
            found = kstest.mmd(X, Y, permute="rows", bandwidth=bandwidth)
            best = min(best, time.perf_counter() - started)
            cpu = min(cpu, time.process_time() - clock)
        count, verdict = len(found.kernel["bandwidths"]), "met" if best < bar else "MISSED"
        print(
            f"{name:14} {best:.2f} s ({cpu:.2f} CPU s) for {count} bandwidths; "
            f"bar: under {bar} s: {verdict}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="of each file")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--test", default="mmd", help="mmd or ks")
    parser.add_argument("--skip-small", action="store_true", help="only the whole command")
    parser.add_argument("options", nargs="*", help="options of the test, after --")
    given = parser.parse_args()
    command(given.test, given.rows, given.columns, given.options)
    if not given.skip_small:
        small()


if __name__ == "__main__":
    main()
