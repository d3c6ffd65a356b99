"""False alarms on time series: two independent stretches of one autoregressive process.

    python3 benchmarks/series.py [--sets 400]

x_t = phi x_{t-1} + e_t with normal e_t. Rates of rejection at level 0.05 and their standard
errors, of the plain test (which rests on rows that are exchangeable, and says so in a warning) and
with --block-length auto, an approximation; `none` is the share of runs without a verdict, because
too few blocks are left. `power` is the block test's rejection rate where one stretch is half a
standard deviation higher.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.signal import lfilter

import kstest


def stretch(rng, n, phi):
    noise = rng.normal(size=(n + 500, 1))
    return lfilter([1], [1, -phi], noise, axis=0)[500:] * np.sqrt(1 - phi**2)


def one(phi, n, number):
    rng = np.random.default_rng([int(100 * phi), n, number])
    X, Y = stretch(rng, n, phi), stretch(rng, n, phi)
    options = {"permutations": 199, "explain": "none", "threads": 1}
    plain = kstest.mmd(X, Y, **options)
    block = kstest.mmd(X, Y, block_length="auto", **options)
    power = kstest.mmd(X, Y + 0.5, block_length="auto", **options)
    return [plain.reject, bool(block.reject), block.reject is None, bool(power.reject)]


def rates(phi, n, sets):
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(partial(one, phi, n), range(sets), chunksize=10))
    return np.mean(np.array(found, dtype=float), axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=400)
    sets = parser.parse_args().sets
    print(f"{'phi':>5} {'n = m':>6} {'plain':>14} {'blocks':>14} {'none':>6} {'power':>6}")
    for phi in (0.0, 0.5, 0.9):
        for n in (500, 2000):
            plain, block, none, power = rates(phi, n, sets)
            errors = [np.sqrt(r * (1 - r) / sets) for r in (plain, block)]
            print(
                f"{phi:5.1f} {n:6d} {plain:6.3f} +-{errors[0]:5.3f} {block:6.3f} "
                f"+-{errors[1]:5.3f} {none:6.3f} {power:6.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
