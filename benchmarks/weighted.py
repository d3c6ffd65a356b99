"""Level of mmd and ks where one side is weighted and the other is not.

    python3 benchmarks/weighted.py [--sets 300] [--rows 50 200 1000] [--cell LAW ...]

Every set draws n weighted rows whose weighted distribution is that of max(n, 200) rows without
weights, two columns. Printed: rejections at level 0.05 of the verdicts that were given, by mmd, and
by ks with its statistics ks and cvm; the share of sets without a verdict (fewer than 20 effective
rows), the mean number of effective rows, and the power of mmd against a shift of 0.3 standard
deviations of one column. A cell holds the level if its rejections are at most the upper end of the
central 99.9 % of the binomial distribution at 0.05.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import binom

import kstest

ALPHA = 0.05


def pair(rng, n):
    """Two correlated normal columns."""
    x = rng.normal(size=(n, 2))
    x[:, 1] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 1]
    return x


def exponential(rng, n):
    return pair(rng, n), rng.exponential(size=n)


def tilted(rng, n):
    """Drawn from a normal distribution with mean .7 in the first column, weighted back to mean
    0."""
    x = pair(rng, n)
    x[:, 0] += 0.7
    x[:, 1] += 0.35
    return x, np.exp(-0.7 * x[:, 0])


def pareto(rng, n, tail):
    return pair(rng, n), 1 + rng.pareto(tail, n)


def narrow(rng, n):
    """A proposal of half the variance in the first column: weights of infinite variance."""
    z = rng.normal(size=(n, 2))
    first = np.sqrt(0.5) * z[:, 0]
    x = np.column_stack([first, 0.5 * first + np.sqrt(0.75) * z[:, 1]])
    return x, np.exp(0.5 * first**2)


def tenth(rng, n):
    return pair(rng, n), np.where(rng.random(n) < 0.1, -1.0, 1.0)


def generator(rng, n):
    """One row in six has weight -1, from a distribution .6 times as wide, which is in the others
    too often.

    Of the positive rows a fifth come from the narrow distribution: 5/6 (.8 f + .2 g) - 1/6 g = 4/6
    f.
    """
    negative = rng.random(n) < 1 / 6
    x = pair(rng, n)
    x[negative | (rng.random(n) < 0.2)] *= 0.6
    return x, np.where(negative, -1.0, 1.0)


DISTRIBUTIONS = {
    "exponential": exponential,
    "tilted": tilted,
    "pareto2": partial(pareto, tail=2.0),
    "pareto1.2": partial(pareto, tail=1.2),
    "narrow": narrow,
    "tenth": tenth,
    "generator": generator,
}


def one(distribution, n, draws, number):
    rng = np.random.default_rng([2026, list(DISTRIBUTIONS).index(distribution), n, number])
    x, w = DISTRIBUTIONS[distribution](rng, n)
    y = pair(rng, max(n, 200))
    X = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "w": w})
    Y = pd.DataFrame({"a": y[:, 0], "b": y[:, 1], "w": np.ones(len(y))})
    how = {"weights": "w", "permutations": draws, "seed": number, "threads": 1}
    found = kstest.mmd(X, Y, explain="none", **how)
    # where no row has a weight of its own, rows are permuted
    effective = found.explanation.get("weights", [{"effective": n}])[0]["effective"]
    if found.reject is None:
        return [np.nan, np.nan, np.nan, 1.0, effective, np.nan]
    ks, cvm = (kstest.ks(X, Y, statistic=s, **how).reject for s in ("ks", "cvm"))
    power = kstest.mmd(X.assign(a=X.a + 0.3), Y, explain="none", **how).reject
    return [float(found.reject), float(ks), float(cvm), 0.0, effective, float(power)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument(
        "--cell", nargs="+", default=list(DISTRIBUTIONS), choices=list(DISTRIBUTIONS)
    )
    parser.add_argument("--draws", type=int, default=199)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"{options.sets} sets a cell, {options.draws} draws")
    print(
        f"{'distribution':12} {'n':>5} {'mmd':>6} {'ks':>6} {'cvm':>6} {'none':>6} "
        f"{'ESS':>6} {'power':>6}"
    )
    with ProcessPoolExecutor(options.workers) as pool:
        for n in options.rows:
            for distribution in options.cell:
                run = partial(one, distribution, n, options.draws)
                found = np.array(list(pool.map(run, range(options.sets), chunksize=5)))
                given = found[found[:, 3] == 0]
                rates = given.mean(axis=0) if len(given) else np.full(6, np.nan)
                limit = binom.ppf(0.9995, max(len(given), 1), ALPHA) / max(len(given), 1)
                mark = "  above" if (rates[:3] > limit).any() else ""
                print(
                    f"{distribution:12} {n:5d} {rates[0]:6.3f} {rates[1]:6.3f} {rates[2]:6.3f} "
                    f"{found[:, 3].mean():6.3f} {found[:, 4].mean():6.1f} {rates[5]:6.3f}{mark}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
