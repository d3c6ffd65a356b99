"""Data quality monitoring on real data that are not shipped.

    python3 benchmarks/dqm_real.py km3net km3net_l1_hits.parquet
    python3 benchmarks/dqm_real.py turbofan turbofan_fd001.parquet
    python3 benchmarks/dqm_real.py nab nab/art_daily_jumpsup.csv nab/art_daily_flatmiddle.csv ...

`km3net`: for each of four healthy optical modules a calibration on 80 % of its time, and the rest
in batches of 50 hits; then module 9, whose tube 23 is noisy, by the calibration of module 10.
`turbofan`: engines when new, by tolerant calibration on other engines; new against worn ones.
`nab`: series with a labelled anomaly in sliding windows, calibrated on their beginning.
Columns of the KM3NeT table: slice, dom, pmt, time_ns, tot_ns; of the turbofan table: unit, cycle,
cycles_to_failure, s2 ...; of a NAB series: value, anomaly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import kstest

ALPHA = 0.05


def first_hits(hits, module):
    """First hit of every burst, bursts apart by more than 1,000 ns; hits of a burst depend."""
    own = hits[hits["dom"] == module].sort_values(["slice", "time_ns"])
    new = own["slice"].diff().ne(0) | own["time_ns"].diff().gt(1000)
    return own[new]


def km3net(path):
    hits, how = pd.read_parquet(path), {"batch_size": 50, "categorical": "pmt", "toys": 999}
    columns, rejected, count = ["tot_ns", "pmt"], 0, 0
    for module in (30, 50, 60, 10):
        own = first_hits(hits, module)
        parts = [own.loc[own["slice"].between(*ends), columns] for ends in ((0, 3), (4, 7), (8, 9))]
        known = kstest.dqm_calibrate(parts[0], parts[1], **how)
        results = kstest.dqm_check(known, parts[2], window=50, alpha=ALPHA)
        found = sum(bool(r.reject) for r in results)
        alarms = sum(r.explanation["alarm"]["alarm"] for r in results)
        rejected, count = rejected + found, count + len(results)
        print(f"module {module}, healthy: {found} of {len(results)} rejected, {alarms} in alarm")
    print(f"healthy modules: {rejected} of {count} batches rejected at level {ALPHA}")
    sick = first_hits(hits, 9)[columns]
    results = kstest.dqm_check(known, sick, window=50, alpha=0.01)
    found = sum(bool(r.reject) for r in results)
    print(f"module 9, tube 23 noisy: {found} of {len(results)} rejected at level 0.01")
    for column in kstest.dqm_explain(known, sick).explanation["ranking"]:
        without = f"t {column.t:.4g}, without it {column.t_without:.4g}"
        print(f"  {column.column}: {column.words} ({without})")


def turbofan(path):
    table = pd.read_parquet(path)
    sensors = [f"s{k}" for k in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)]
    new = table[table["cycle"] <= 60]
    reference = new.loc[new["unit"] <= 30, sensors]
    pool = new.loc[new["unit"].between(31, 70), [*sensors, "unit"]]
    known = kstest.dqm_calibrate(
        reference, pool, batch_size=20, group="unit", tolerance=True, toys=4000
    )
    others = table[table["unit"] > 70]
    cases = {
        "cycles 1 to 20": others["cycle"] <= 20,
        "cycles 41 to 60": others["cycle"].between(41, 60),
        "80 to 61 before failure": others["cycles_to_failure"].between(61, 80),
        "40 to 21 before failure": others["cycles_to_failure"].between(21, 40),
        "last 20": others["cycles_to_failure"] < 20,
    }
    for name, rows in cases.items():
        batches = [own[sensors] for _, own in others[rows].groupby("unit") if len(own) == 20]
        results = kstest.dqm_check(known, *batches, alpha=ALPHA, ranges="warn")
        p = [r.p_value for r in results]
        found = np.mean([bool(r.reject) for r in results])
        print(f"{name:<25} {len(p)} engines, rejected {found:.2f}, median p {np.median(p):.3f}")


def nab(*paths):
    for path in paths:
        table = pd.read_csv(path)
        n, size = len(table), 48
        reference, pool = table[["value"]][: n // 5], table[["value"]][n // 5 : n // 2]
        known = kstest.dqm_calibrate(reference, pool, batch_size=size, draw="consecutive")
        rest = table[n // 2 :]
        results = kstest.dqm_check(
            known, rest[["value"]], window=size, step=size // 2, ranges="warn"
        )
        inside = [
            rest["anomaly"].to_numpy()[k : k + size].mean() > 0.5
            for k in range(0, len(rest) - size + 1, size // 2)
        ]
        reject = np.array([bool(r.reject) for r in results])
        alarm = np.array([r.explanation["alarm"]["alarm"] for r in results])
        inside = np.array(inside)
        print(
            f"{Path(path).name}: windows in the anomaly {reject[inside].sum()} of {inside.sum()} "
            f"rejected, {alarm[inside].sum()} in alarm; others {reject[~inside].sum()} of "
            f"{(~inside).sum()}, {alarm[~inside].sum()}"
        )


if __name__ == "__main__":
    {"km3net": km3net, "turbofan": turbofan, "nab": nab}[sys.argv[1]](*sys.argv[2:])
