"""Power and level of the test of frequencies against a discrete distribution, beside other tests.

    python3 benchmarks/discrete.py [--cell slope,spikes] [--sets 500] [--rows 200,1000]
                                   [--draws 999] [--seed 0] [--distributions] [--rounded]

Ranks 0 to 99 of simulation-based calibration, wrong in six ways; a fresh null distribution is
simulated for every set. Beside `kstest ksd --target 'discrete_uniform(0, 99)'`: Pearson's
chi-squared with 100 cells and with 20, and the band of the empirical distribution function (the
smallest two-sided binomial p over ranks, calibrated by simulation: Säilynoja, Bürkner, Vehtari
2022, arXiv 2103.10522). A row below .85 of the best of them is marked. `--distributions` prints the
level under Poisson, binomial, negative binomial and categorical distributions; `--rounded` that of
densities whose draws were rounded, in steps around the longest that is tested as a density.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import betainc, xlogy
from scipy.stats import binom

import kstest
from kstest.methods.frequencies.statistic import evidence
from kstest.methods.stein.rounding import AT_ROWS, LONGEST
from kstest.nulls import p_value
from kstest.targets import resolve_discrete

RANKS = 100
MIDDLES = (np.arange(RANKS) + 0.5) / RANKS
ENDS = np.arange(RANKS + 1) / RANKS


def _normalised(p):
    return p / p.sum()


def _spike(*places, share):
    p = np.full(RANKS, (1 - share * len(places)) / RANKS)
    p[list(places)] += share
    return p


CELLS = {
    "null": np.full(RANKS, 1 / RANKS),
    "slope": _normalised(1 + 0.22 * (2 * MIDDLES - 1)),
    "U": np.diff(betainc(0.85, 0.85, ENDS)),
    "cap": np.diff(betainc(1.2, 1.2, ENDS)),
    "spikes": _spike(0, RANKS - 1, share=0.015),
    "waves": _normalised(1 + 0.35 * np.sin(12 * np.pi * MIDDLES)),
    "one": _spike(37, share=0.03),
}
DISTRIBUTIONS = {
    "poisson(rate=0.5)": lambda g, n: g.poisson(0.5, n),
    "poisson(rate=3)": lambda g, n: g.poisson(3, n),
    "poisson(rate=400)": lambda g, n: g.poisson(400, n),
    "binomial(n=12, p=0.1)": lambda g, n: g.binomial(12, 0.1, n),
    "negative_binomial(n=0.7, p=0.1)": lambda g, n: g.negative_binomial(0.7, 0.1, n),
    "categorical(0.5, 0.3, 0.15, 0.05)": lambda g, n: g.choice(4, n, p=[0.5, 0.3, 0.15, 0.05]),
}
ROUNDED = {
    "normal()": lambda g, n: g.normal(size=(n, 1)),
    "student_t(df=3)": lambda g, n: g.standard_t(3, size=(n, 1)),
    "exponential()": lambda g, n: g.exponential(size=(n, 1)),
}


def others(counts, n):
    """p-values of other tests of uniform ranks; counts (L, B + 1), the observed ones first."""
    d = counts / n - 1 / RANKS
    by_five = d.reshape(20, 5, -1).sum(axis=1)
    heights, shares = counts.cumsum(axis=0)[:-1].astype(int), ENDS[1:-1]
    every = np.arange(n + 1)[:, None]
    table = np.minimum(binom.cdf(every, n, shares), binom.sf(every - 1, n, shares))
    band = table[heights, np.arange(RANKS - 1)[:, None]].min(axis=0)
    return {
        "chi2": p_value((d**2).sum(axis=0)),
        "chi2, 20": p_value((by_five**2).sum(axis=0)),
        "band": p_value(-xlogy(1, np.maximum(band, 1e-300))),
    }


def power(names, rows, sets, draws, seed):
    cells = resolve_discrete(f"discrete_uniform(0, {RANKS - 1})", ("rank",)).distributions[0]
    print(f"rejections at level .05, {sets} sets a row, {draws} draws")
    print(f"{'':8}{'n':>6}{'ksd':>8}{'chi2':>8}{'chi2, 20':>10}{'band':>8}{'ratio':>8}")
    for n in rows:
        for name in names:
            rng = np.random.default_rng([seed, n, list(CELLS).index(name)])
            found = []
            for _ in range(sets):
                counts = rng.multinomial(n, CELLS[name]).astype(float)
                mine = p_value(evidence(counts, cells, draws, rng).T)
                null = rng.multinomial(n, CELLS["null"], size=draws).T
                found.append([mine, *others(np.column_stack([counts, null]), n).values()])
            rate = (np.array(found) <= 0.05).mean(axis=0)
            ratio = rate[0] / max(rate[1], rate[3], 1e-9)
            mark = " below .85" if ratio < 0.85 and name != "null" else ""
            print(
                f"{name:8}{n:6}{rate[0]:8.3f}{rate[1]:8.3f}{rate[2]:10.3f}{rate[3]:8.3f}"
                f"{ratio:8.2f}{mark}",
                flush=True,
            )


def distributions(rows, sets, draws, seed):
    for text, draw in DISTRIBUTIONS.items():
        cells = resolve_discrete(text, ("x",)).distributions[0]
        for n in rows:
            rng = np.random.default_rng([seed, n])
            rejected = 0
            for _ in range(sets):
                place = cells.place(draw(rng, n).astype(float))
                counts = np.bincount(place, minlength=len(cells)).astype(float)
                rejected += p_value(evidence(counts, cells, draws, rng).T) <= 0.05
            print(f"{text:36}{n:6}{rejected / sets:8.3f}", flush=True)


def rounded(rows, sets, draws, seed):
    for text, draw in ROUNDED.items():
        for n in rows:
            for share in (0.3, 0.9, 2.0):
                step = share * LONGEST * (AT_ROWS / n) ** 0.25
                rng = np.random.default_rng([seed, n])
                ends = []
                for k in range(sets):
                    X = np.round(draw(rng, n) / step) * step
                    ends.append(kstest.ksd(X, target=text, draws=draws, seed=k, threads=1).verdict)
                print(
                    f"{text:18}{n:6} step {step:.3f}: rejected "
                    f"{ends.count('rejected') / sets:.3f}, no verdict "
                    f"{ends.count('no verdict') / sets:.3f}",
                    flush=True,
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", default=",".join(CELLS))
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--rows", default="200,1000")
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distributions", action="store_true")
    parser.add_argument("--rounded", action="store_true")
    given = parser.parse_args()
    rows = [int(n) for n in given.rows.split(",")]
    if given.distributions or given.rounded:
        run = distributions if given.distributions else rounded
        run(rows, given.sets, given.draws, given.seed)
    else:
        power(given.cell.split(","), rows, given.sets, given.draws, given.seed)


if __name__ == "__main__":
    main()
