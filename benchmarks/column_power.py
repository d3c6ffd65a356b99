"""Power of the statistics of `kstest ks`, and of `kstest mmd`, in one numeric column.

    python3 benchmarks/column_power.py [--draws 200] [--rows 300]

Level 0.05, 199 permutations; every test sees the same draws. Prints rejection rates; the largest
standard error is 0.5 / sqrt(draws).
"""

from __future__ import annotations

import argparse

import numpy as np

import kstest
from kstest.methods.ks import STATISTICS


def bumps(rng, n):
    """A standard normal distribution with waves of period 1 in its density."""
    x, u = rng.normal(size=8 * n), rng.random(8 * n)
    return x[u < 0.5 * (1 + 0.8 * np.sin(6 * x))][:n]


ALTERNATIVES = {
    "null": lambda rng, n: rng.normal(size=n),
    "shifted by 0.25": lambda rng, n: rng.normal(size=n) + 0.25,
    "1.25 times as wide": lambda rng, n: rng.normal(size=n) * 1.25,
    "5 % near 3": lambda rng, n: np.where(
        rng.random(n) < 0.05, 3 + 0.3 * rng.normal(size=n), rng.normal(size=n)
    ),
    "t, 3 degrees, variance 1": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "waves": bumps,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=int, default=300)
    options = parser.parse_args()
    tests = {name: (kstest.ks, {"statistic": name}) for name in STATISTICS}
    tests["mmd"] = (kstest.mmd, {"explain": "none"})
    print(f"{'':<26}" + "".join(f"{name:>8}" for name in tests))
    for title, alternative in ALTERNATIVES.items():
        rates = dict.fromkeys(tests, 0.0)
        for draw in range(options.draws):
            rng = np.random.default_rng([draw, 7])
            X, Y = rng.normal(size=options.rows), alternative(rng, options.rows)
            for name, (test, how) in tests.items():
                found = test(X, Y, permutations=199, threads=1, **how)
                rates[name] += found.reject / options.draws
        print(f"{title:<26}" + "".join(f"{rate:8.2f}" for rate in rates.values()), flush=True)


if __name__ == "__main__":
    main()
