"""Verdicts about public data sets as they are, and with the second file thinned.

    python3 benchmarks/thin_data.py FOLDER [--keep 1000]

FOLDER holds files like those of `real_data.py`: `km3net_l1_hits.parquet` (columns slice, dom, pmt,
tot_ns), `nyc_flights_2013.parquet` and `nyc_weather_2013.csv.gz` (CC0), and in it or in its folder
`local` `turbofan_fd001.parquet` and `linreg_exact_draws.parquet`, `linreg_inflated_draws.parquet`;
`eight_schools_centred.parquet` is of the folder `datasets`. What is not there is left out.

Of every data set a pair that differs and one that does not: `mmd` of two samples, `ksd` of draws
with scores. Prints the p-values of the whole file, of kept rows, and of as many random ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import kstest

DATASETS = Path(__file__).parents[1] / "datasets"
SENSORS = ["s2", "s3", "s4", "s7", "s8", "s11", "s12", "s15", "s17", "s20", "s21"]
WEATHER = ["temp", "dewp", "humid", "wind_speed", "visib"]


def halves(table, seed=0):
    order = np.random.default_rng(seed).permutation(len(table))
    return table.iloc[order[::2]], table.iloc[order[1::2]]


def hits(path):
    table = pd.read_parquet(path)
    tot = [table.loc[table.dom == dom, ["tot_ns"]] for dom in (10, 9)]
    yield "KM3NeT, module 10 and 9", "rejected", *tot
    both = table.loc[table.dom == 10]
    early = both["slice"] < 5
    columns = ["tot_ns", "pmt"]
    yield "KM3NeT, module 10, slices", "not rejected", both[columns][early], both[columns][~early]


def flights(path):
    table = pd.read_parquet(path).dropna()
    delays = np.arcsinh(table[["dep_delay", "arr_delay"]])
    yield "flights, JFK and LGA", "rejected", *(delays[table.origin == o] for o in ("JFK", "LGA"))
    yield "flights, halves", "not rejected", *halves(delays)


def weather(path):
    table = pd.read_csv(path, usecols=["origin", *WEATHER]).dropna()
    numbers = table[WEATHER]
    yield "weather, JFK and LGA", "rejected", *(numbers[table.origin == o] for o in ("JFK", "LGA"))
    yield "weather, halves of JFK", "not rejected", *halves(numbers[table.origin == "JFK"])


def turbofan(path):
    table = pd.read_parquet(path)
    young = table.loc[table.cycle <= 50, SENSORS]
    worn = table.loc[table.cycles_to_failure <= 30, SENSORS]
    yield "turbofan, young and worn", "rejected", young, worn
    yield "turbofan, halves", "not rejected", *halves(young)


def draws(path):
    expected = "not rejected" if "exact" in path.name else "rejected"
    yield f"{path.stem}, density", expected, None, pd.read_parquet(path)


FILES = {
    "km3net_l1_hits.parquet": hits,
    "nyc_flights_2013.parquet": flights,
    "nyc_weather_2013.csv.gz": weather,
    "turbofan_fd001.parquet": turbofan,
    "linreg_exact_draws.parquet": draws,
    "linreg_inflated_draws.parquet": draws,
    "eight_schools_centred.parquet": draws,
}


def tested(reference, sample):
    if reference is None:
        return kstest.ksd(sample, score_prefix="score_", explain="none", threads=1)
    return kstest.mmd(reference, sample, explain="none", threads=1)


def cases(folder):
    for name, pairs in FILES.items():
        for place in (folder / name, folder / "local" / name, DATASETS / name):
            if place.exists():
                yield from pairs(place)
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, default=1000)
    given = parser.parse_args()
    same = total = 0
    print(f"{'':32}{'expected':>14}{'rows':>9}{'whole':>8}{'kept':>8}{'random':>8}   verdict kept")
    for name, expected, reference, sample in cases(given.folder):
        keep = min(given.keep, len(sample) // 2)
        numbers = sample[[c for c in sample if not str(c).startswith(("score_", "diverg"))]]
        thin = kstest.thin(numbers, rows=keep, threads=1).index
        some = np.random.default_rng(0).choice(len(sample), keep, replace=False)
        found = [tested(reference, x) for x in (sample, sample.iloc[thin], sample.iloc[some])]
        same += found[0].verdict == found[1].verdict
        total += 1
        p = "".join(f"{f.p_value:8.3f}" for f in found)
        kept = "yes" if found[0].verdict == found[1].verdict else f"no: {found[1].verdict}"
        print(f"{name:32}{expected:>14}{len(sample):9,}{p}   {kept}", flush=True)
    print(f"{same} of {total} verdicts kept by {given.keep:,} rows")


if __name__ == "__main__":
    main()
