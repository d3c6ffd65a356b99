"""Level and power of `kstest hsic --given`, cell by cell.

    python3 benchmarks/conditional.py [level] [power] [units] [--sets 300] [--rows 200 1000]
        [--cell WORD] [--ways]

A cell is a distribution of the data and a number of rows. Printed per cell: share of data sets that
are rejected ("kept": with a verdict), share without a verdict, CPU seconds a data set, at level
0.05 with 199 draws. `level`: X and Y depend on Z only; a share of kept rejections above the central
99.9 % binomial band, printed first, is marked with "!" and a fault. Z = k has six repeated values,
where permuting among equal ones is exact. `power`: X and Y depend on each other too.

`units`: the same where rows are not exchangeable, but groups of five rows with effects of their own
(`--group`), or stretches of a first-order autoregression (`--block-length auto`), and for three
blocks and all pairs of four columns (*: dependent).

`--ways` adds the share that is rejected by permuting the blocks as they are among neighbours
(`--conditional permutation`), and by the test that ignores Z. `--cell` picks cells whose name has
this word; the data of a cell do not depend on which others run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import binom

import kstest


def table(Z, X, Y):
    """A frame of columns z0, z1, ..., x0, ..., y0, ..."""
    parts = {"z": Z, "x": X, "y": Y}
    columns = {}
    for letter, part in parts.items():
        for c, column in enumerate(np.reshape(part, (len(part), -1)).T):
            columns[f"{letter}{c}"] = column
    return pd.DataFrame(columns)


def distribution(mean, spread=lambda z: 1.0, columns=1, own=lambda e, z: 0.0, levels=0, noise=1.0):
    """X = mean(Z) + spread(z) e, Y = mean(Z) + spread(z) f + own(e, z); z the first of Z."""

    def draw(rng, n):
        Z = rng.normal(size=(n, columns))
        Z = rng.integers(0, levels, (n, 1)).astype(float) if levels else Z
        z, (e, f) = Z[:, 0], noise * rng.normal(size=(2, n))
        middle, size = mean(Z), spread(z)
        return table(Z, middle + size * e, middle + size * f + own(e, z))

    return draw


def first(function):
    """A function of the first given column."""
    return lambda Z: function(Z[:, 0])


def chain(columns):
    """X -> Z -> Y, linear, so many columns each."""

    def draw(rng, n):
        one, two = np.eye(columns) + rng.normal(size=(2, columns, columns)) / np.sqrt(4 * columns)
        X = rng.normal(size=(n, columns))
        Z = X @ one + 0.5 * rng.normal(size=(n, columns))
        return table(Z, X, Z @ two + 0.5 * rng.normal(size=(n, columns)))

    return draw


def plateaus(count, noise=0.2, both=True, own=0.0):
    """X a step function of Z, Y the same one or the straight line."""

    def draw(rng, n):
        z, levels, (e, f) = rng.uniform(size=n), 2 * rng.normal(size=count), rng.normal(size=(2, n))
        steps = levels[np.minimum((z * count).astype(int), count - 1)]
        return table(z, steps + noise * e, (steps if both else z) + noise * (f + own * e))

    return draw


def mixed(rng, n):
    """A number and a category are given, a number and a category tested against a number."""
    z, k, (e, f, g) = rng.normal(size=n), rng.integers(0, 3, n), rng.normal(size=(3, n))
    frame = table(z, z + k + e, z * (k - 1) + f)
    return frame.assign(z1=np.array(list("abc"))[k], x1=np.where(g + z > 0, "u", "v"))


def walk(rng, n, memory):
    noise = rng.normal(size=n + 200)
    return lfilter([1], [1, -memory], noise)[200:] * np.sqrt(1 - memory**2)


def odd(kind):
    """Given columns of inconvenient distributions."""

    def draw(rng, n):
        z, (e, f) = rng.normal(size=n), rng.normal(size=(2, n))
        if kind == "sorted":
            z = np.sort(z)
        elif kind == "Cauchy":
            z = rng.standard_cauchy(n)
        elif kind == "few values and noise":
            z = rng.integers(0, 5, n) + 1e-3 * z
            return table(z, 3 * np.sin(np.round(z)) + e, 3 * np.sin(np.round(z)) + f)
        elif kind == "duplicates":
            z, e, f = (np.repeat(part[: -(-n // 2)], 2)[:n] for part in (z, e, f))
        elif kind == "step in time":
            z = np.arange(n) / n
            return table(z, 2.0 * (z > 0.6) + e, 2.0 * (z > 0.6) + f)
        return table(z, z + e, z + f)

    return draw


LEVEL = {
    "z alone": distribution(first(lambda z: 0 * z)),
    "z + e": distribution(first(lambda z: z)),
    "10 z + e": distribution(first(lambda z: 10 * z)),
    "chain of 1": chain(1),
    "chain of 4": chain(4),
    "chain of 8": chain(8),
    "8 plateaus": plateaus(8),
    "20 plateaus": plateaus(20),
    "2 sin(3 z) + e": distribution(first(lambda z: 2 * np.sin(3 * z))),
    "2 sin(8 z) + e": distribution(first(lambda z: 2 * np.sin(8 * z))),
    "abs(z) e": distribution(first(lambda z: 0 * z), np.abs),
    "z + exp(z / 2) e": distribution(first(lambda z: z), lambda z: np.exp(z / 2)),
    "3 columns, 3 z + e": distribution(first(lambda z: 3 * z), columns=3),
    "8 columns, tanh(2 s)": distribution(
        lambda Z: np.tanh(2 * Z.sum(axis=1) / 8**0.5), columns=8, noise=0.3
    ),
    "20 columns, z + e": distribution(first(lambda z: z), columns=20),
    "mixed types": mixed,
    "k, 3 sin(k) + e": distribution(first(lambda k: 3 * np.sin(k)), levels=6),
    "k, exp(k / 2) e": distribution(first(lambda k: k), lambda k: np.exp(k / 2), levels=6),
    **{
        kind: odd(kind)
        for kind in ("sorted", "Cauchy", "few values and noise", "duplicates", "step in time")
    },
}
POWER = {
    "+ .3 e": distribution(first(lambda z: z), own=lambda e, z: 0.3 * e),
    "+ .3 e^2": distribution(first(lambda z: z), own=lambda e, z: 0.3 * e**2),
    "+ .4 e z": distribution(first(lambda z: z), own=lambda e, z: 0.4 * e * z),
    "3 columns, + .3 e": distribution(first(lambda z: z), columns=3, own=lambda e, z: 0.3 * e),
    "X by 8 plateaus, + .5 e": plateaus(8, both=False, own=0.5),
    "k, + .3 e": distribution(first(lambda k: 3 * np.sin(k)), own=lambda e, z: 0.3 * e, levels=6),
}
WAYS = {"permutation": {"conditional": "permutation"}, "ignored": {"given": ""}}


def blocks(frame):
    """Options that name the columns of each block by their first letter."""
    named = {"x": "x", "y": "y", "given": "z"}
    return {key: ",".join(c for c in frame if c[0] == letter) for key, letter in named.items()}


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


PAIR = {"x": "x", "y": "y", "given": "z"}
GROUPS = {**PAIR, "group": "g"}
TIMES = {**PAIR, "block_length": "auto"}
JOINT = {"block": ("x", "y", "w"), "given": "z"}
PAIRS = {"all_pairs": True, "given": "z"}
UNITS = {
    "groups, z of the group": (grouped(False), GROUPS),
    "groups, z of the row": (grouped(True), GROUPS),
    "groups, no effect": (grouped(False, own=0), GROUPS),
    "groups, k of the group": (grouped(False, levels=4), GROUPS),
    "* groups, z of the group": (grouped(False, link=1.0), GROUPS),
    "* groups, z of the row": (grouped(True, link=1.0), GROUPS),
    "* groups, k of the group": (grouped(False, link=1.0, levels=4), GROUPS),
    "series, memory 0": (series(0.0), TIMES),
    "series, memory .5": (series(0.5), TIMES),
    "series, memory .8": (series(0.8), TIMES),
    "series, trend and .5": (series(0.5, trend=True), TIMES),
    "* series, memory .5": (series(0.5, link=0.4), TIMES),
    "* series, trend and .5": (series(0.5, link=0.4, trend=True), TIMES),
    "three blocks": (several(), JOINT),
    "* three blocks, one pair": (several(lambda e, f, g: g + 0.4 * e), JOINT),
    "* three blocks, all": (several(lambda e, f, g: np.abs(g) * np.sign(e * f)), JOINT),
    "all pairs": (several(columns=4), PAIRS),
    "* all pairs, one": (several(lambda e, f, g: g + 0.4 * e, 4), PAIRS),
}


def cell(name, draw, given, n, options, null):
    """Print one line."""
    ways = [{}, *(WAYS.values() if options.ways else ())]
    kept, none, spent = np.zeros(len(ways)), 0, 0.0
    for number in range(options.sets):
        frame = draw(np.random.default_rng([31, number, *name.encode()]), n)
        for place, way in enumerate(ways):
            start = time.process_time()
            chosen = {**(given or blocks(frame)), **way, "permutations": 199, "threads": 1}
            found = kstest.hsic(frame, **chosen)
            kept[place] += bool(found.reject)
            if not place:
                spent += time.process_time() - start
                none += found.reject is None
    high = binom.ppf(0.9995, options.sets, 0.05)
    mark = "!" if null and kept[0] > high else " "
    rest = "".join(f"{share:10.3f}" for share in kept[1:] / options.sets)
    print(
        f"{name:26}{n:7}{kept[0] / options.sets:9.3f}{mark}{none / options.sets:10.3f}"
        f"{spent / options.sets:8.2f}{rest}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="level, power, units; default: all")
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--rows", nargs="+", type=int, default=[200, 1000])
    parser.add_argument("--cell", default="", help="a word in the name")
    parser.add_argument("--ways", action="store_true")
    options = parser.parse_args()
    low, high = binom.ppf([0.0005, 0.9995], options.sets, 0.05) / options.sets
    print(f"{options.sets} data sets a cell; 99.9 % band of an exact test {low:.3f} to {high:.3f}")
    extra = "".join(f"{way[:9]:>10}" for way in WAYS) if options.ways else ""
    print(f"{'cell':26}{'rows':>7}{'kept':>9} {'no verdict':>10}{'CPU s':>8}{extra}")
    every = {
        "level": {name: (draw, None) for name, draw in LEVEL.items()},
        "power": {name: (draw, None) for name, draw in POWER.items()},
        "units": UNITS,
    }
    for what in options.what or every:
        for name, (draw, given) in every[what].items():
            if options.cell in name:
                for n in options.rows:
                    null = what == "level" or (what == "units" and name[0] != "*")
                    cell(name, draw, given, n, options, null)


if __name__ == "__main__":
    main()
