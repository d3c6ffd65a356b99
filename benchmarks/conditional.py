"""Level and power of `kstest hsic --given`.

    python3 benchmarks/conditional.py [level] [power] [--repeats 1000] [--rows 100 300]

Rejection rates at level 0.05 with 199 permutations, for the residuals (default), for permuting the
blocks as they are, and for the test that ignores Z. `level`: X and Y depend on Z only, so a rate
above the central 99.9 % binomial band, printed first, is a fault of the test there; Z = k has six
repeated values, and permuting among equal ones is exact. `power`: they depend on each other too.
"warned" is the share of runs in which the test itself says that Z was not taken out.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.stats import binom

import kstest


def law(mean, spread=lambda z: 1.0, columns=1, own=lambda e: 0.0, levels=0):
    """X = mean(z) + spread(z) e, Y = mean(z) + spread(z) f + own(e, z); z the first column of Z."""

    def draw(rng, n):
        Z = rng.normal(size=(n, columns))
        Z = rng.integers(0, levels, (n, 1)).astype(float) if levels else Z
        z, (e, f) = Z[:, 0], rng.normal(size=(2, n))
        extra = own(e, z) if own.__code__.co_argcount == 2 else own(e)
        frame = pd.DataFrame(Z, columns=[f"z{c}" for c in range(columns)])
        return frame.assign(x=mean(z) + spread(z) * e, y=mean(z) + spread(z) * f + extra)

    return draw


NULLS = {
    "z alone": law(lambda z: 0 * z),
    "z + e": law(lambda z: z),
    "3 z + e": law(lambda z: 3 * z),
    "10 z + e": law(lambda z: 10 * z),
    "2 sin(2 z) + e": law(lambda z: 2 * np.sin(2 * z)),
    "2 sin(8 z) + e": law(lambda z: 2 * np.sin(8 * z)),
    "z + exp(z / 2) e": law(lambda z: z, lambda z: np.exp(z / 2)),
    "3 columns, z + e": law(lambda z: z, columns=3),
    "3 columns, 3 z + e": law(lambda z: 3 * z, columns=3),
    "3 columns, 2 sin(2 z)": law(lambda z: 2 * np.sin(2 * z), columns=3),
    "8 columns, 2 z + e": law(lambda z: 2 * z, columns=8),
    "k, 3 sin(k) + e": law(lambda k: 3 * np.sin(k), levels=6),
    "k, exp(k / 2) e": law(lambda k: k, lambda k: np.exp(k / 2), levels=6),
}
ALTERNATIVES = {
    "+ .3 e": law(lambda z: z, own=lambda e: 0.3 * e),
    "+ .3 e^2": law(lambda z: z, own=lambda e: 0.3 * e**2),
    "+ .4 e z": law(lambda z: z, own=lambda e, z: 0.4 * e * z),
    "3 columns, + .3 e": law(lambda z: z, columns=3, own=lambda e: 0.3 * e),
    "k, + .3 e": law(lambda k: 3 * np.sin(k), own=lambda e: 0.3 * e, levels=6),
}
WAYS = {
    "residuals": {},
    "permutation": {"conditional": "permutation"},
    "ignored": {"given": ""},
}


def rates(draw, number, n, repeats):
    """Rejection rate of each way, and the share of warned runs of the first."""
    found = np.zeros(len(WAYS) + 1)
    for repeat in range(repeats):
        data = draw(np.random.default_rng([31, number, repeat]), n)
        given = ",".join(c for c in data if c.startswith("z"))
        for place, options in enumerate(WAYS.values()):
            options = {"given": given, **options}
            result = kstest.hsic(data, x="x", y="y", permutations=199, threads=1, **options)
            found[place] += result.reject
            if place == 0:
                codes = [notice.code for notice in result.warnings]
                found[-1] += "given-not-taken-out" in codes
    return found / repeats


def table(cases, options, seed):
    print(f"{'case':24}{'n':>6}" + "".join(f"{way:>13}" for way in (*WAYS, "warned")))
    for n in options.rows:
        for number, (name, draw) in enumerate(cases.items()):
            found = rates(draw, seed + number, n, options.repeats)
            print(f"{name:24}{n:6}" + "".join(f"{rate:13.3f}" for rate in found), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="level, power; default: both")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 300])
    options = parser.parse_args()
    low, high = binom.ppf([0.0005, 0.9995], options.repeats, 0.05) / options.repeats
    print(
        f"{options.repeats} data sets a case; 99.9 % band of an exact test {low:.3f} to {high:.3f}"
    )
    if "level" in (options.what or ["level"]):
        table(NULLS, options, 0)
    if "power" in (options.what or ["power"]):
        table(ALTERNATIVES, options, 100)


if __name__ == "__main__":
    main()
