"""Level and power of a test against a private sketch, by reference rows and epsilon.

    python3 benchmarks/release.py [--sets 200] [--rows 1000,10000,100000]
    python3 benchmarks/release.py small [--sets 400]    # few rows, ties, heavy tails, users

Three normal columns, unit 1; a batch of 1,000 rows that is like the reference, with one mean moved
by .12, and with all spreads times 1.06; delta 1e-6, level .05. Batches and references are the same
in every row of one number of reference rows, so that rows of a table are paired.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from kstest.privacy.accounting import Privacy
from kstest.privacy.against import Params, run
from kstest.privacy.discrete import discrete_gaussian
from kstest.privacy.features import WIDTH, features
from kstest.privacy.sketch import Sketch
from kstest.privacy.units import Declared, frequencies
from kstest.sample import Sample

NAMES = ("a", "b", "c")
COLUMNS = tuple(Declared(name) for name in NAMES)
DRAWS = Params(permutations=199, explain="none")


def sums_of(X):
    found = np.zeros(WIDTH, np.int64)
    for block in features(X, np.empty((len(X), 0), np.int64), frequencies(COLUMNS, 0)):
        found += block.sum(axis=0)
    return found


def sketch_of(sums, n, privacy):
    noisy = tuple(int(s) + discrete_gaussian(privacy.sigma2) for s in sums)
    return Sketch(COLUMNS, 0, n, noisy, privacy)


def rejected(sketch, Y, rng):
    return run(sketch, [Sample("sample", Y, NAMES)], DRAWS, rng).reject


def table(options):
    levels = {"none": Privacy(1.0, 1e-6, 1)}
    levels |= {f"{e:g}": Privacy.of(e, 1e-6) for e in (10, 1, 0.1)}
    print("rows of reference | epsilon | noise | null | shift | spread | sets | ms a test")
    for n in map(int, options.rows.split(",")):
        counts, clock = {name: np.zeros(3) for name in levels}, 0.0
        for r in range(options.sets):
            rng = np.random.default_rng([n, r])
            sums, batch = sums_of(rng.normal(size=(n, 3))), rng.normal(size=(1000, 3))
            batches = (batch, batch + np.array([0.12, 0, 0]), batch * 1.06)
            for name, privacy in levels.items():
                sketch, began = sketch_of(sums, n, privacy), time.process_time()
                counts[name] += [rejected(sketch, Y, rng) for Y in batches]
                clock += time.process_time() - began
        each = 1000 * clock / options.sets / len(levels) / 3
        for name, found in counts.items():
            rates = " | ".join(f"{x / options.sets:.3f}" for x in found)
            noise = levels[name].noise(n)
            print(
                f"{n:,} | {name} | {noise:.1e} | {rates} | {options.sets} | {each:.0f}", flush=True
            )


LAWS = {
    "normal": lambda rng, n: rng.normal(size=(n, 3)),
    "Cauchy": lambda rng, n: rng.standard_cauchy((n, 3)),
    "ties": lambda rng, n: rng.integers(0, 2, (n, 3)).astype(float),
    "rare": lambda rng, n: (rng.random((n, 3)) < 0.02) * 5.0,
    "far": lambda rng, n: 1e4 * rng.normal(size=(n, 3)),
    "users of 5": lambda rng, n: np.repeat(rng.normal(size=(-(-n // 5), 3)), 5, axis=0)[:n],
}


def small(options):
    print("law | reference | batch | level at epsilon 10, at 1 | sets")
    for name, law in LAWS.items():
        group = 5 if name.startswith("users") else None
        kinds = [Privacy.of(epsilon, 1e-6, group) for epsilon in (10.0, 1.0)]
        for n, m in ((1000, 1000), (1000, 100), (2000, 20), (2000, 50)):
            hits = np.zeros(2)
            for r in range(options.sets):
                rng = np.random.default_rng([n, m, r])
                sums = sums_of(law(rng, n))
                Y = rng.normal(size=(m, 3)) if group else law(rng, m)
                hits += [rejected(sketch_of(sums, n, privacy), Y, rng) for privacy in kinds]
            shares = ", ".join(f"{x / options.sets:.3f}" for x in hits)
            print(f"{name} | {n:,} | {m:,} | {shares} | {options.sets}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="?", default="table", choices=("table", "small"))
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--rows", default="1000,10000,100000")
    found = parser.parse_args()
    (table if found.part == "table" else small)(found)
