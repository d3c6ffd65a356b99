"""Power, level and cost of `kstest mmd` as it is, and with `--scale robust`, on the same draws.

    python3 benchmarks/geometries.py power [--draws 100] [--permutations 199] [--only WORD ...]
                                     [--first 0] [--workers 2]
    python3 benchmarks/geometries.py level [--draws 1000]
    python3 benchmarks/geometries.py cost

`power`: the six published cases of power.py, and four kinds that one grid of bandwidths in robust
units is nearly blind to: four heavy columns beside a light one that moves (200 rows a side), Gauss
against Clayton copula of one rank correlation (150), 30 rows of 400 columns with heavier tails, and
one correlation among 20 columns (150). `level`: null data that would fool a careless rule. Rates at
level .05 with their standard errors, and the mean of paired differences. One call gives both: the
robust geometry is the first of those that are combined.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import power

import kstest
from kstest.methods.two_samples import geometries
from kstest.nulls import p_value


def skewed(rng):
    X, Y = (np.exp(2 * rng.standard_normal((200, 5))) for _ in range(2))
    X[:, 4], Y[:, 4] = rng.standard_normal(200), rng.standard_normal(200) + 0.35
    return X, Y


def copula(rng):
    n, tau = 150, 0.5
    rho, theta = np.sin(np.pi * tau / 2), 2 * tau / (1 - tau)
    X = rng.standard_normal((n, 2))
    X[:, 1] = rho * X[:, 0] + np.sqrt(1 - rho**2) * X[:, 1]
    # Marshall and Olkin: a common gamma variable makes exponentials of Clayton's copula
    u = (1 + rng.exponential(size=(n, 2)) / rng.gamma(1 / theta, size=(n, 1))) ** (-1 / theta)
    from scipy.special import ndtri

    return X, ndtri(u)


def wide(rng):
    return rng.standard_normal((30, 400)), rng.standard_t(5, (30, 400)) * np.sqrt(0.6)


def one_correlation(rng):
    X, Y = rng.standard_normal((150, 20)), rng.standard_normal((150, 20))
    Y[:, 1] = 0.85 * Y[:, 0] + np.sqrt(1 - 0.85**2) * Y[:, 1]
    return X, Y


BLIND = {"skewed": skewed, "copula": copula, "wide": wide, "one correlation": one_correlation}


def heavy(rng, n=150):
    return np.column_stack(
        [np.exp(2 * rng.standard_normal((n, 3))), rng.standard_normal((n, 2)), rng.poisson(3, n)]
    )


def table(rng, n=150):
    out = pd.DataFrame(rng.standard_normal((n, 3)), columns=list("abc"))
    out["kind"] = rng.choice(list("xyz"), n, p=[0.7, 0.2, 0.1])
    out.loc[rng.random(n) < 0.1, "a"] = np.nan
    return out


def grouped(rng, groups, first):
    own = np.repeat(rng.standard_normal((groups, 3)), 5, axis=0)
    out = pd.DataFrame(own + rng.standard_normal((groups * 5, 3)), columns=list("abc"))
    out["group"] = np.repeat(np.arange(first, first + groups), 5).astype(str)
    return out


def weighted(rng, n=150):
    out = pd.DataFrame(heavy(rng, n), columns=list("abcdef"))
    out["w"] = rng.exponential(size=n)
    return out


def tied(rng, n):
    """Columns of two values, of one but for a row in 50, of one, and of few."""
    columns = [rng.random(n) < 0.3, rng.random(n) < 0.02, np.ones(n), rng.poisson(0.5, n)]
    return np.column_stack([*columns, np.rint(rng.standard_normal(n))]).astype(float)


def far(rng, n):
    return rng.standard_cauchy((n, 4)) ** 3


# Null data: both samples, and the options of the test.
LEVEL = {
    "skewed": (lambda rng: (heavy(rng), heavy(rng)), {}),
    "discrete": (lambda rng: (rng.poisson(1, (150, 4)), rng.poisson(1, (150, 4))), {}),
    "10 against 1,000": (lambda rng: (heavy(rng, 10), heavy(rng, 1000)), {}),
    "categories and missing": (lambda rng: (table(rng), table(rng)), {"missing": "indicator"}),
    "weights": (lambda rng: (weighted(rng), weighted(rng)), {"weights": "w"}),
    "groups": (lambda rng: (grouped(rng, 30, 0), grouped(rng, 30, 30)), {"group": "group"}),
    "ties and constants": (lambda rng: (tied(rng, 60), tied(rng, 150)), {}),
    "heavy, 20 against 2,000": (lambda rng: (far(rng, 20), far(rng, 2000)), {}),
}


def decisions(kind, name, permutations, repetition):
    """Rejections with robust units, and with several geometries."""
    options = {}
    if kind == "level":
        draw, options = LEVEL[name]
        X, Y = draw(np.random.default_rng([91, [*LEVEL].index(name), repetition]))
    elif name in BLIND:
        X, Y = BLIND[name](np.random.default_rng([92, [*BLIND].index(name), repetition]))
    else:
        number, draw = power.CASES[name]
        X, Y = draw(np.random.default_rng([93, number, repetition]))
    options |= {"permutations": permutations, "threads": 1, "explain": "none"}
    return both(X, Y, options)


def both(X, Y, options):
    """Rejections of the robust geometry by itself, and of all, of the same permutations."""
    kept = {}

    def combined(scores):
        kept.update(scores)
        return found(scores)

    found, geometries.combined = geometries.combined, combined
    try:
        auto = kstest.mmd(X, Y, scale="auto", **options).reject
    finally:
        geometries.combined = found
    return [p_value(kept["robust"]) <= 0.05 if kept else auto, auto]


def rates(kind, names, repetitions, permutations, workers):
    every = {}
    print(f"{'':24}{'robust':>16}{'auto':>16}   difference   of {len(repetitions)} draws")
    with ProcessPoolExecutor(workers) as pool:
        for name in names:
            work = partial(decisions, kind, name, permutations)
            found = np.array(list(pool.map(work, repetitions, chunksize=5)), dtype=float)
            every[name] = found
            line(name, found)
    for title, group in (("mean of the blind", BLIND), ("mean of the six", power.CASES)):
        some = [every[name] for name in group if name in every and name != "null"]
        if kind == "power" and len(some) > 1:
            line(title, np.mean(some, axis=0))


def line(name, found):
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    change = found[:, 1] - found[:, 0]
    text = "".join(f"{m:9.3f} +-{e:5.3f}" for m, e in zip(mean, error, strict=True))
    print(
        f"{name:24}{text}   {change.mean():+.3f} +- {change.std() / len(found) ** 0.5:.3f}",
        flush=True,
    )


def cost():
    shapes = [(200, 5), (500, 10), (5_000, 10), (20_000, 50), (100_000, 10)]
    for n, d in [*shapes, (150, 20), (500, 50), (1_000, 200), (30, 400)]:
        X, Y = np.random.default_rng(0).standard_normal((2, n, d))
        kstest.mmd(X[:100], Y[:100], permutations=19)
        took = []
        for scale in ("robust", "auto"):
            best = np.inf
            for _ in range(5 if n * d < 100_000 else 1):
                clock = time.process_time()
                kstest.mmd(X, Y, scale=scale, threads=1, explain="none")
                best = min(best, time.process_time() - clock)
            took.append(best)
        text = f"{took[0]:.3f} CPU s robust, {took[1]:.3f} auto, {took[1] / took[0]:.1f} times"
        print(f"{n:,} x {d} a side: {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("power", "level", "cost"))
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--only", nargs="+", help="cases whose names contain one of these words")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    given = parser.parse_args()
    if given.what == "cost":
        cost()
        return
    names = [*LEVEL] if given.what == "level" else [*BLIND, *power.CASES]
    if given.only:
        names = [name for name in names if any(word in name for word in given.only)]
    repetitions = range(given.first, given.first + given.draws)
    rates(given.what, names, repetitions, given.permutations, given.workers)


if __name__ == "__main__":
    main()
