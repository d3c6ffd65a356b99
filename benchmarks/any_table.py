"""What categories, groups, missing cells, weights and explanations cost, next to the plain test.

    python3 benchmarks/any_table.py [--n 16384] [--repeat 3]
    python3 benchmarks/any_table.py --tolerance [--n 100000]

CPU seconds of whole tests in one run, and their ratio to the test of the numeric columns alone.
Bars: three categorical columns at most 2x (half the numeric rate); the columns of a rejection at
most half of the test itself. With --tolerance: samples of which 0.5 % or 5 % of the rows lie far
away; the plain test rejects both, and that which tolerates 1 % only the second.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import kstest


def table(rng, n, d, shift):
    frame = pd.DataFrame(rng.normal(size=(n, d)), columns=[f"x{c}" for c in range(d)])
    frame["x0"] += shift
    for c, levels in enumerate((3, 20, 1000)):
        frame[f"c{c}"] = pd.Categorical([f"l{k}" for k in rng.integers(0, levels, n)])
    frame["g"] = rng.integers(0, 200, n)
    frame["w"] = rng.exponential(size=n)
    frame["holes"] = np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n))
    return frame


def seconds(X, Y, repeat, **options):
    best = np.inf
    for _ in range(repeat):
        clock = time.process_time()
        kstest.mmd(X, Y, threads=1, **options)
        best = min(best, time.process_time() - clock)
    return best


def tolerance(n):
    rng = np.random.default_rng(0)
    print(f"n = m = {n:,}, d = 2, foreign rows 6 standard deviations away")
    for share in (0.005, 0.05):
        X, Y = rng.normal(size=(2, n, 2))
        Y[: int(share * n)] += 6
        for tolerated in (0.0, 0.01):
            result = kstest.mmd(X, Y, tolerance=tolerated, explain="none")
            print(
                f"  {share:.1%} foreign, --tolerance {tolerated}: {result.verdict} "
                f"(p {result.p_value:.3g}, statistic {result.statistic:.4g}, rejects above "
                f"{result.threshold:.4g}), {result.provenance['seconds']} s",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tolerance", action="store_true")
    options = parser.parse_args()
    if options.tolerance:
        tolerance(options.n or 100_000)
        return
    options.n = options.n or 16_384
    for d in (4, 10):
        rng = np.random.default_rng(0)
        X, Y = (table(rng, options.n, d, shift) for shift in (0.0, 0.2))
        numeric = ",".join(f"x{c}" for c in range(d))
        cases = {
            "numeric columns": {"columns": numeric},
            "+ 3 categorical": {"columns": f"{numeric},c0,c1,c2"},
            "+ missing cells": {"columns": f"{numeric},holes", "missing": "indicator"},
            "groups": {"columns": numeric, "group": "g"},
            "blocks of 100": {"columns": numeric, "block_length": "100"},
            "weights": {"columns": numeric, "weights": "w"},
            "explained": {"columns": numeric, "explain": "columns"},
        }
        print(f"n = m = {options.n:,}, d = {d}")
        base = None
        for name, case in cases.items():
            took = seconds(X, Y, options.repeat, **{"explain": "none", **case})
            base = base or took
            print(f"  {name:16} {took:7.2f} s {took / base:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
