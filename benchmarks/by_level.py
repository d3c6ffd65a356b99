"""--by: how often any of 50 levels is named where none differs, and how often the right one is.

    python3 benchmarks/by_level.py --sets 300

Levels of 12 to 60 rows a side; two numeric columns, one of them heavy-tailed, and one of counts.
Printed are the share of sets in which any level is rejected, its 99.9 % band at .05, the share in
which the shifted level is named when one of 50 is shifted by 1 sd in one column, and CPU seconds.

With `--hostile` only the first share, of eight levels of 10 to 2,000 rows a side, other numbers of
rows on the other: whole numbers with many ties beside a Cauchy column; levels are the same rows
over again (`copies`) or independent (`apart`).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.stats import binom

import kstest

LEVELS = 50


def table(rng: np.random.Generator, rows: np.ndarray, shift: float) -> pd.DataFrame:
    """Rows of every level; those of the last, which has the most rows, are shifted."""
    level = np.repeat(np.arange(LEVELS), rows)
    centre = level % 7
    x = rng.normal(centre, 1 + level % 3) + shift * (1 + level % 3) * (level == LEVELS - 1)
    tail = rng.standard_t(2, len(level))
    counts = rng.poisson(1 + level % 5)
    return pd.DataFrame({"seg": level.astype(str), "x": x, "tail": tail, "counts": counts})


SIZES = [10, 12, 20, 50, 120, 400, 1000, 2000]


def hostile(rng: np.random.Generator, sizes: list[int], copies: bool) -> pd.DataFrame:
    """Rows of levels of these sizes; copies are the first so many of the same rows."""
    level = np.repeat(np.arange(len(sizes)), sizes)
    n = max(sizes) if copies else len(level)
    ties, tail = rng.poisson(1.5, n), rng.standard_cauchy(n)
    take = np.concatenate([np.arange(k) for k in sizes]) if copies else np.arange(n)
    return pd.DataFrame({"seg": level.astype(str), "ties": ties[take], "tail": tail[take]})


def hostile_levels(test: str, sets: int, seed: int) -> None:
    """Print how often any level is named where none differs."""
    for copies in (True, False):
        rng, began, null = np.random.default_rng(seed), time.process_time(), 0
        for _ in range(sets):
            sizes = SIZES, [int(k) for k in rng.permutation(SIZES)]
            a, b = (hostile(rng, some, copies) for some in sizes)
            null += getattr(kstest, test)(a, b, by="seg", permutations=199, threads=1).reject
        kind, seconds = "copies" if copies else "apart", (time.process_time() - began) / sets
        print(f"{test}, {kind}: any named {null / sets:.3f}; {seconds:.2f} CPU s a run", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", default=["mmd", "ks"])
    parser.add_argument("--hostile", action="store_true")
    given = parser.parse_args()
    low, high = binom.ppf([0.0005, 0.9995], given.sets, 0.05) / given.sets
    print(f"{given.sets} sets; level .05 has a 99.9 % band of {low:.3f} to {high:.3f}")
    for name in given.tests:
        if given.hostile:
            hostile_levels(name, given.sets, given.seed)
            continue
        test = getattr(kstest, name)
        rng, began = np.random.default_rng(given.seed), time.process_time()
        null = named = others = 0
        for _ in range(given.sets):
            sizes = [np.sort(rng.integers(12, 61, LEVELS)) for _ in range(2)]
            a, b = (table(rng, rows, 0.0) for rows in sizes)
            null += test(a, b, by="seg", permutations=199, threads=1).reject
            c = table(rng, sizes[1], 1.0)
            levels = test(a, c, by="seg", permutations=199, threads=1).explanation["levels"]
            far = [r["level"] for r in levels if r["adjusted_p_value"] <= 0.05]
            named += str(LEVELS - 1) in far
            others += any(level != str(LEVELS - 1) for level in far)
        seconds = (time.process_time() - began) / (2 * given.sets)
        print(
            f"{name}: any named under the null {null / given.sets:.3f}; shifted level named "
            f"{named / given.sets:.3f}, another one {others / given.sets:.3f}; "
            f"{seconds:.2f} CPU s a run"
        )


if __name__ == "__main__":
    main()
