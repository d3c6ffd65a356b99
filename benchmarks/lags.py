"""`hsic --lags`: level, power, delays found, and CPU time.

    python3 benchmarks/lags.py [level] [power] [cost] [--sets 400]

level: two independent autoregressions of 800 rows, lags 0 to 20, at .05. power: y follows x after
7 rows by a straight line, by the square, and in its spread; beside it the linear kernel alone,
which is the largest squared cross-correlation with the same null distribution. cost: 200,000 rows
and 21 lags on one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from test_lags import linked, memory

import kstest
from kstest.methods.dependence.delays import Lags

KINDS = ("line", "square", "spread")


def level(sets):
    for phi in (0.0, 0.7, 0.95):
        rejected = unsure = 0
        for seed in range(sets):
            rng = np.random.default_rng(10_000 + seed)
            pair = memory(rng, 800, phi), memory(rng, 800, phi)
            found = kstest.hsic(*pair, lags="0:20", threads=1)
            rejected += found.verdict == "rejected"
            unsure += found.verdict == "no verdict"
        low, high = binom.ppf([0.0005, 0.9995], sets, 0.05) / sets
        print(
            f"memory {phi}: {rejected / sets:.3f} rejected (band {low:.3f} to {high:.3f}), "
            f"{unsure / sets:.3f} without a verdict, of {sets}",
            flush=True,
        )


def straight(x, y):
    """Whether the largest squared cross-correlation of the asked lags is beyond other windows."""
    windows = Lags(0, 20).windows(len(x))
    a, b = (np.fft.rfft(v - v.mean()) for v in (x, y))
    T = (np.fft.irfft(np.conj(a) * b, len(x)) ** 2)[windows].max(axis=1)
    return (1 + (T[1:] >= T[0]).sum()) / len(T) <= 0.05


def power(sets):
    for kind in KINDS:
        rejected = right = linear = 0
        for seed in range(sets):
            pair = linked(np.random.default_rng(10_000 + seed), 800, kind)
            found = kstest.hsic(*pair, lags="0:20", threads=1)
            if found.reject:
                rejected += 1
                right += found.explanation["delay"]["lag"] == 7
            linear += straight(*pair)
        print(
            f"{kind}: power {rejected / sets:.3f}, delay right in {right / max(rejected, 1):.3f} "
            f"of them; cross-correlation {linear / sets:.3f}, of {sets}",
            flush=True,
        )


def cost(_):
    pair = linked(np.random.default_rng(0), 200_000, "square")
    kstest.hsic(*(v[:1000] for v in pair), lags="0:20", threads=1)
    start = time.process_time()
    found = kstest.hsic(*pair, lags="0:20", threads=1)
    print(f"200,000 rows, 21 lags: {time.process_time() - start:.1f} CPU s, {found.verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="level, power, cost; default: all")
    parser.add_argument("--sets", type=int, default=400)
    options = parser.parse_args()
    for part in (level, power, cost):
        if not options.what or part.__name__ in options.what:
            part(options.sets)


if __name__ == "__main__":
    main()
