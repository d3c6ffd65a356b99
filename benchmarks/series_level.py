"""False alarms of mmd, ks and hsic on series that remember: their values, or their volatility.

    python3 benchmarks/series_level.py [--sets 300] [--rows 500 1000] [--only WORD ...]

Every set draws two independent series of one distribution (for `hsic` the two columns of one
record) and runs the test with --block-length auto. Printed: the share of rejections at level 0.05,
of sets without a verdict, of the plain test's rejections, and of plain runs that warn of serial
dependence. A cell holds its level if its rejections, out of all sets, are at most the upper end of
the central 99.9 % of the binomial distribution at 0.05: no verdict is no false alarm. `margins` is
a cell of ks alone: 20 rows of independent columns against 200 rows whose columns are equal, so that
no column differs.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.signal import lfilter
from scipy.stats import binom

import kstest

ALPHA = 0.05
BURN = 500


def ar(rng, n, phi=0.7):
    """x_t = phi x_{t-1} + e_t."""
    return lfilter([1], [1, -phi], rng.normal(size=n + BURN))[BURN:]


def garch(rng, n, a=0.1, b=0.85):
    """GARCH(1,1): the variance remembers the last square and itself."""
    x, variance = np.empty(n + BURN), 1.0
    for t, e in enumerate(rng.normal(size=n + BURN)):
        x[t] = np.sqrt(variance) * e
        variance = (1 - a - b) + a * x[t] ** 2 + b * variance
    return x[BURN:]


def switching(rng, n, stay=0.98, ratio=3.0):
    """Two regimes of spread 1 and `ratio`, left with probability 1 - stay in every row."""
    regime = np.cumsum(rng.random(n) > stay) + rng.integers(2)
    return rng.normal(size=n) * np.where(regime % 2, ratio, 1.0)


def seasonal(rng, n, period=50):
    """A spread that follows a season, whose phase is as likely to be one as another."""
    phase = 2 * np.pi * (np.arange(n) / period + rng.random())
    return rng.normal(size=n) * np.exp(np.sin(phase))


def slow(rng, n, phi=0.98):
    """Stochastic volatility: the logarithm of the spread is autoregressive."""
    return rng.normal(size=n) * np.exp(0.7 * np.sqrt(1 - phi**2) * ar(rng, n, phi))


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "ties": lambda rng, n: rng.integers(0, 3, n).astype(float),
    "rare": lambda rng, n: (rng.random(n) < 0.03).astype(float),
    "ar": ar,
    "ar-slow": partial(ar, phi=0.95),
    "garch": garch,
    "garch-faint": partial(garch, a=0.05, b=0.93),
    "switching": switching,
    "switching-slow": partial(switching, stay=0.995),
    "seasonal": seasonal,
    "seasonal-slow": partial(seasonal, period=250),
    "slow": slow,
}
METHODS = ("mmd", "ks", "hsic")


def one(method, distribution, n, number):
    """Rejected and undecided with blocks; rejected and warned without."""
    rng = np.random.default_rng([list(DISTRIBUTIONS).index(distribution), n, number])
    options = {"permutations": 199, "threads": 1, "seed": number}
    if method == "mmd":
        options["explain"] = "none"
    x, y = (DISTRIBUTIONS[distribution](rng, n)[:, None] for _ in range(2))
    data = (np.hstack([x, y]),) if method == "hsic" else (x, y)
    test = getattr(kstest, method)
    block, plain = test(*data, block_length="auto", **options), test(*data, **options)
    warned = any(w.code == "serial-dependence" for w in plain.warnings)
    return block.reject is True, block.reject is None, plain.reject is True, warned


def margins(number):
    """Whether ks names a column where only the columns' dependence differs."""
    rng = np.random.default_rng([99, number])
    X, Y = rng.normal(size=(20, 20)), np.repeat(rng.normal(size=(200, 1)), 20, axis=1)
    found = kstest.ks(X, Y, threads=1, seed=number)
    return found.reject is True, False, False, False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--only", nargs="+", default=[], help="methods and distributions")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    only, sets = set(options.only), options.sets
    cells = [
        (method, distribution, n)
        for method in METHODS
        for distribution in DISTRIBUTIONS
        for n in options.rows
        if only.isdisjoint(METHODS) or method in only
        if only.isdisjoint(DISTRIBUTIONS) or distribution in only
        if only != {"margins"}
    ]
    runs = [
        (f"{m} {distribution} {n}", partial(one, m, distribution, n))
        for m, distribution, n in cells
    ]
    if not only or "margins" in only:
        runs.append(("ks margins 20/200", margins))
    limit = binom.ppf(0.9995, sets, ALPHA) / sets
    print(f"{sets} sets a cell; at most {limit:.3f} holds the level")
    print(f"{'cell':26} {'blocks':>7} {'none':>6} {'plain':>6} {'warned':>7}")
    with ProcessPoolExecutor(options.workers) as pool:
        for name, run in runs:
            found = np.mean(list(pool.map(run, range(sets), chunksize=5)), axis=0)
            mark = "  above" if found[0] > limit else ""
            print("{:26} {:7.3f} {:6.3f} {:6.3f} {:7.3f}".format(name, *found) + mark, flush=True)


if __name__ == "__main__":
    main()
