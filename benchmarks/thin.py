"""Kept rows against random ones, every k-th, and the compression of goodpoints; Stein thinning.

    python3 benchmarks/thin.py [--rows 100000] [--keep 1000] [--columns 4]
    python3 benchmarks/thin.py peer      # pip install goodpoints
    python3 benchmarks/thin.py stein
    python3 benchmarks/thin.py verdicts

The first prints CPU seconds and the worth at every bandwidth: bar 15,000 at the middle one in 20 s.
`peer` thins 16,384 rows to 128 by goodpoints' compress++ (g = 2 and 4) and by kstest, both with one
Gaussian kernel at the middle of our bandwidths, and prints the MMD of both and CPU seconds.
`stein` thins a chain that starts 8 standard deviations away: bar half of every k-th row's
discrepancy, and no row of the first 1 %. `verdicts` tests data sets of the folder `datasets` as
they are, and thinned to a quarter and to an eighth of their rows.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd

import kstest


def whole(options):
    X = np.random.default_rng(1).normal(size=(options.rows, options.columns))
    began = time.process_time()
    found = kstest.thin(X, rows=options.keep, threads=1)
    print(f"{options.keep} of {options.rows} rows: {time.process_time() - began:.1f} CPU s")
    for d in found.distances:
        print(f"  h {d.bandwidth:7.3f}  MMD {d.mmd:.5f} [{d.lower:.5f}, {d.upper:.5f}]"
              f"  random {d.random:.5f}  worth {d.worth:,.0f}")  # fmt: skip


def distance(X, h):
    """A function of kept rows: their MMD to all of X at bandwidth h."""
    square, n = (X**2).sum(1), len(X)

    def kernel(x, y):
        return np.exp(-(square[x, None] + square[y] - 2 * X[x] @ X[y].T) / (2 * h * h))

    every = np.arange(n)
    A = np.mean([kernel(every[i : i + 512], every).mean() for i in range(0, n, 512)])
    return lambda rows: math.sqrt(A - 2 * kernel(every, rows).mean() + kernel(rows, rows).mean())


def peer(options):
    from goodpoints.compress import compresspp_kt

    for d in (2, 4, 10):
        X = np.random.default_rng(1).normal(size=(16_384, d))
        middle = kstest.thin(X, rows=128, scale="none", threads=1).distances
        h = middle[len(middle) // 2].bandwidth
        began = time.process_time()
        found = kstest.thin(X, rows=128, scale="none", bandwidth=h, threads=1)
        ours = time.process_time() - began
        mmd = distance(X, h)
        print(f"{d} columns, h {h:.2f}: kstest {mmd(found.index):.5f} in {ours:.1f} CPU s, "
              f"random {found.distances[0].random:.5f}", flush=True)  # fmt: skip
        for g in (2, 4):
            began = time.process_time()
            rows = compresspp_kt(X, b"gaussian", np.array([2 * h * h]), g=g, seed=1)
            theirs = time.process_time() - began
            print(f"  goodpoints g = {g}: {mmd(np.asarray(rows)):.5f} in {theirs:.1f} CPU s")


def stein(options):
    rng, memory = np.random.default_rng(2), 0.97
    X = np.empty((20_000, 4))
    X[0], noise = 8, rng.normal(size=X.shape) * math.sqrt(1 - memory**2)
    for i in range(1, len(X)):
        X[i] = memory * X[i - 1] + noise[i]
    began = time.process_time()
    found = kstest.thin(X, rows=300, target="normal()", threads=1)
    seconds, kept = time.process_time() - began, X[found.index]
    print(f"{seconds:.1f} CPU s, KSD {found.stein}, earliest row {found.index.min()}")
    print(f"largest error of a mean {np.abs(kept.mean(0)).max():.4f}, sd {kept.std(0).round(3)}")


def verdicts(options):
    """Files against a reference, by mmd, or against a density, by ksd."""
    folder = Path(__file__).parents[1] / "datasets"
    early = folder / "module10_early.parquet"
    pulses = ["module10_late.csv", "module09_without_tube23.csv", "module09.csv"]
    cases = [(name, ["tot_ns"], early) for name in pulses]
    cases += [(f"posterior_{kind}.parquet", None, None) for kind in ("exact", "inflated")]
    cases += [
        (f"modes_{k}.csv", ["speed", "lag"], folder / "modes.toml") for k in ("even", "stuck")
    ]
    for name, columns, against in cases:
        table = read(folder / name)
        numbers = table[columns or [c for c in table if not c.startswith("score_")]]
        said = []
        for share in (1, 4, 8):
            rows = len(table) // share
            kept = kstest.thin(numbers, rows=rows, threads=1).index if share > 1 else slice(None)
            if against is early:
                found = kstest.mmd(read(early)[columns], numbers.iloc[kept], explain="none")
            elif against is None:
                found = kstest.ksd(table.iloc[kept], score_prefix="score_", explain="none")
            else:
                found = kstest.ksd(numbers.iloc[kept], target=str(against), explain="none")
            said.append(f"{rows} {found.verdict} (p {found.p_value:.3g})")
        print(f"{name}: {', '.join(said)}", flush=True)


def read(path):
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", nargs="?", default="whole", choices=["whole", "peer", "stein", "verdicts"]
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--keep", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=4)
    options = parser.parse_args()
    commands = {"whole": whole, "peer": peer, "stein": stein, "verdicts": verdicts}
    commands[options.what](options)


if __name__ == "__main__":
    main()
