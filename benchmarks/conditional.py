"""Level and power of `kstest hsic --given`.

    python3 benchmarks/conditional.py [level] [power] [units] [--repeats 1000] [--rows 100 300]

Rejection rates at level 0.05 with 199 permutations, for the residuals (default), for permuting the
blocks as they are, and for the test that ignores Z. `level`: X and Y depend on Z only, so a rate
above the central 99.9 % binomial band, printed first, is a fault of the test there; Z = k has six
repeated values, and permuting among equal ones is exact. `power`: they depend on each other too.
"warned" is the share of runs in which the test itself says that Z was not taken out.

`units`: the same where rows are not exchangeable, but groups of five rows with effects of their own
(`--group`), or stretches of a first-order autoregression (`--block-length auto`), and for three
blocks and all pairs of four columns. "rows" is the test with `--given` that takes rows for
exchangeable, "ignored" the one that heeds groups or time, but not Z; "none" the share of runs
without a verdict. `--case` picks cases whose name has this word.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.signal import lfilter
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


def grouped(of_row, own=1.0, link=0.0, levels=0):
    """X and Y are 2 Z, an effect of the group each, noise; Z of the group, or half the row's."""

    def draw(rng, n):
        group = np.arange(n) // 5
        zg, u, v = rng.normal(size=(3, n // 5 + 1))
        z = rng.integers(0, levels, n // 5 + 1)[group] if levels else zg[group]
        if of_row:
            z = (z + rng.normal(size=n)) / np.sqrt(2)
        e, f = rng.normal(size=(2, n))
        mean = 3 * np.sin(z) if levels else 2 * z
        y = mean + own * (v + link * u)[group] + f
        return pd.DataFrame({"x": mean + own * u[group] + e, "y": y, "z": z, "g": group})

    return draw


def series(phi, link=0.0, trend=False):
    """X and Y are 2 Z and an autoregression each; Z is one too, or the time (and 2 sin(2 pi Z))."""

    def walk(rng, n, memory):
        noise = rng.normal(size=n + 200)
        return lfilter([1], [1, -memory], noise)[200:] * np.sqrt(1 - memory**2)

    def draw(rng, n):
        z, e, f = (walk(rng, n, memory) for memory in (0.9, phi, phi))
        z = np.arange(n) / n if trend else z
        mean = 2 * np.sin(2 * np.pi * z) if trend else 2 * z
        return pd.DataFrame({"x": mean + e, "y": mean + f + link * e, "z": z})

    return draw


def several(own=lambda e, f, g: g, columns=3):
    """Columns x, y, w (and v) of z + noise."""

    def draw(rng, n):
        z, *noise = rng.normal(size=(columns + 1, n))
        noise[2] = own(*noise[:3])
        names = ("x", "y", "w", "v")
        return pd.DataFrame({**{k: z + e for k, e in zip(names, noise, strict=False)}, "z": z})

    return draw


PAIR = {"x": "x", "y": "y"}
GROUPS = {**PAIR, "group": "g"}, {**PAIR, "exclude": "g"}
TIMES = {**PAIR, "block_length": "auto"}, PAIR
JOINT = ({"block": ("x", "y", "w")},)
PAIRS = ({"all_pairs": True},)
UNITS = {
    "groups, z of the group": (grouped(False), *GROUPS),
    "groups, z of the row": (grouped(True), *GROUPS),
    "groups, no effect": (grouped(False, own=0), *GROUPS),
    "groups, k of the group": (grouped(False, levels=4), *GROUPS),
    "* groups, z of the group": (grouped(False, link=1.0), *GROUPS),
    "* groups, z of the row": (grouped(True, link=1.0), *GROUPS),
    "* groups, k of the group": (grouped(False, link=1.0, levels=4), *GROUPS),
    "series, memory 0": (series(0.0), *TIMES),
    "series, memory .5": (series(0.5), *TIMES),
    "series, memory .8": (series(0.8), *TIMES),
    "series, trend and .5": (series(0.5, trend=True), *TIMES),
    "* series, memory .5": (series(0.5, link=0.4), *TIMES),
    "* series, trend and .5": (series(0.5, link=0.4, trend=True), *TIMES),
    "three blocks": (several(), *JOINT),
    "* three blocks, one pair": (several(lambda e, f, g: g + 0.4 * e), *JOINT),
    "* three blocks, all": (several(lambda e, f, g: np.abs(g) * np.sign(e * f)), *JOINT),
    "all pairs": (several(columns=4), *PAIRS),
    "* all pairs, one": (several(lambda e, f, g: g + 0.4 * e, 4), *PAIRS),
}


def units(options):
    print(f"{'case (*: dependent)':26}{'n':>6}{'given':>9}{'none':>7}{'rows':>9}{'ignored':>9}")
    for n in options.rows:
        for number, (name, (draw, heeded, *others)) in enumerate(UNITS.items()):
            if options.case not in name:
                continue
            found = np.zeros(4)
            for repeat in range(options.repeats):
                data = draw(np.random.default_rng([32, number, repeat]), n)
                ways = [{**heeded, "given": "z"}, *({**o, "given": "z"} for o in others[:1])]
                ways += [{**heeded, "exclude": "z"} if "all_pairs" in heeded else heeded]
                rejects = [
                    kstest.hsic(data, permutations=199, threads=1, **way).reject for way in ways
                ]
                found += [bool(rejects[0]), rejects[0] is None, *map(bool, rejects[-2:])]
            rate = found / options.repeats
            rows = f"{rate[2]:9.3f}" if others else f"{'':9}"
            print(f"{name:26}{n:6}{rate[0]:9.3f}{rate[1]:7.3f}{rows}{rate[3]:9.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="level, power, units; default: all")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--case", default="", help="of units: a word in the name")
    options = parser.parse_args()
    low, high = binom.ppf([0.0005, 0.9995], options.repeats, 0.05) / options.repeats
    print(
        f"{options.repeats} data sets a case; 99.9 % band of an exact test {low:.3f} to {high:.3f}"
    )
    if "level" in (options.what or ["level"]):
        table(NULLS, options, 0)
    if "power" in (options.what or ["power"]):
        table(ALTERNATIVES, options, 100)
    if "units" in (options.what or ["units"]):
        units(options)


if __name__ == "__main__":
    main()
