"""`mmd --explain region`: how often the right region is named, and its column.

    python3 benchmarks/segments.py [--sets 100] [--rows 5000] [CASE ...]

Two numbers and a country of ten per row; the sample's rows of one country, a tenth of all, have one
number shifted by 1 or by .5 standard deviations, or spread twice as wide. Printed per case are the
shares of sets in which a rejection comes with a region of that country and column, and of those in
which `mmd` rejects.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import kstest

SHIFT = {"shift 1": 1.0, "shift .5": 0.5, "spread 2": 0.0}
OWN = 4


def side(rng: np.random.Generator, rows: int, case: str = "") -> pd.DataFrame:
    """Draw one side; of the sample, changed by `case`."""
    country, values = rng.integers(0, 10, rows), rng.normal(size=(rows, 2))
    own = country == OWN
    values[own, 0] += SHIFT.get(case, 0.0)
    values[own, 0] *= 1 + (case == "spread 2")
    names = np.array(list("abcdefghij"))[country]
    return pd.DataFrame({"amount": values[:, 0], "age": values[:, 1], "country": names})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["shift 1", "shift .5", "spread 2"])
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--permutations", type=int, default=999)
    given = parser.parse_args()
    for case in given.cases:
        named = rejected = 0
        began = time.process_time()
        for seed in range(given.sets):
            rng = np.random.default_rng(seed)
            a, b = side(rng, given.rows), side(rng, given.rows, case)
            answer = kstest.mmd(
                a, b, explain="region", permutations=given.permutations, threads=1, seed=seed
            )
            rejected += answer.reject
            regions = [str(r["where"]) for r in (answer.explanation or {}).get("regions", [])]
            named += any("country = 'e'" in w and "amount" in w for w in regions)
            print(f"\r{case}: {named} named, {rejected} rejected of {seed + 1}", end="", flush=True)
        seconds = (time.process_time() - began) / given.sets
        print(f"\r{case}: named {named}, rejected {rejected} of {given.sets}; {seconds:.1f} CPU s")


if __name__ == "__main__":
    main()
