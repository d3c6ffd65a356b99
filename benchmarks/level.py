"""The level of `kstest mmd`: how often it rejects when there is nothing to find.

    python3 benchmarks/level.py [--sets 1000] [--permutations 99] [--only WORD ...]

Every cell draws null data sets (both samples from one distribution) and counts rejections at level
0.05, with the default statistic. Two counts: by the p-value as reported, which ties and the finite
number of permutations can only make conservative; and by the randomised p-value

    (#{b >= 1: T_b > T_0} + U (1 + #{b >= 1: T_b = T_0})) / (1 + B),   U uniform on (0, 1),

which is exactly uniform for any data if T_0, ..., T_B are exchangeable. A rate outside the central
99.9 % of the binomial distribution is marked: for the reported p-value above it, and below it where
the data are continuous; for the randomised one on both sides. Of N cells, N / 1000 are marked by
chance. `seed 0` uses the default seed for all data sets, `own seeds` another for each.
`tests/test_level.py` runs the same cells.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from unittest import mock

import numpy as np
from scipy.stats import binom

import kstest
from kstest.engine import forms
from kstest.methods import mmd

ALPHA = 0.05


def heavy_duplicates(rng, n):
    """Seven rows in ten are the same row."""
    return np.where(rng.random((n, 1)) < 0.7, 1.0, rng.normal(size=(n, 2)))


DISTRIBUTIONS = {
    "gaussian": lambda rng, n: rng.normal(size=(n, 2)),
    "cauchy": lambda rng, n: rng.standard_cauchy((n, 2)),
    "integers": lambda rng, n: rng.integers(0, 3, (n, 1)).astype(float),
    "duplicates": heavy_duplicates,
}
CONTINUOUS = ("gaussian", "cauchy")
# Bins per smaller side of m rows: bins of two rows and more, with rows left over at 50.
BINS = {10: 5, 50: 16, 500: 64}
# The default seed for every data set is the harder case, and in all; own seeds where it is cheap.
SIZES = {(10, 10): 2, (50, 50): 2, (10, 50): 1, (50, 150): 1, (500, 500): 1}


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    m: int
    n: int
    distribution: str
    permute: str
    own_seeds: bool
    sets: int = 1000
    permutations: int = 99

    def __str__(self) -> str:
        seeds = "own seeds" if self.own_seeds else "seed 0"
        return f"{self.m}/{self.n} {self.distribution} {self.permute} {seeds}"

    @property
    def band(self) -> tuple[int, int]:
        """Central 99.9 % of the number of rejections at a true level of 0.05."""
        low, high = binom.ppf([0.0005, 0.9995], self.sets, ALPHA)
        return int(low), int(high)


CELLS = [
    Cell(m, n, distribution, permute, own)
    for (m, n), variants in SIZES.items()
    for distribution in DISTRIBUTIONS
    for permute in ("rows", "bins")
    for own in (False, True)[:variants]
]


def randomised_p(statistics, uniform):
    """Return the exactly uniform p-value; ties as `kstest.nulls.p_value` counts them."""
    observed, replicates = statistics[0], statistics[1:]
    near = max(100 * np.finfo(float).eps * abs(observed), 1e-9 * np.std(statistics))
    above = np.count_nonzero(replicates > observed + near)
    tied = np.count_nonzero(np.abs(replicates - observed) <= near)
    return (above + uniform * (1 + tied)) / len(statistics)


def one(cell, number):
    """Whether data set `number` is rejected, by the reported and by the randomised p-value."""
    rng = np.random.default_rng(
        [list(DISTRIBUTIONS).index(cell.distribution), cell.m, cell.n, number]
    )
    X, Y = (
        DISTRIBUTIONS[cell.distribution](rng, cell.m),
        DISTRIBUTIONS[cell.distribution](rng, cell.n),
    )
    options = {
        "seed": 1 + number if cell.own_seeds else 0,
        "permutations": cell.permutations,
        "permute": cell.permute,
        "bins": BINS[cell.m],
        "threads": 1,
        "alpha": ALPHA,
    }
    # Many single rows: stream them as at larger n, which takes a quarter of the time.
    stored = 256 if cell.permute == "rows" else forms.MOST_STORED
    with (
        mock.patch.object(mmd, "p_value", wraps=mmd.p_value) as seen,
        mock.patch.object(forms, "MOST_STORED", stored),
    ):
        found = kstest.mmd(X, Y, **options)
    # A statistic that is the same for all permutations needs no replicates: all are ties.
    statistics = seen.call_args.args[0] if seen.called else np.zeros(1 + cell.permutations)
    return bool(found.reject), bool(randomised_p(statistics, rng.random()) <= ALPHA)


def _count(cell, numbers):
    return np.sum([one(cell, number) for number in numbers], axis=0)


def rejections(cells) -> Iterator[tuple[Cell, int, int]]:
    """Yield each cell with its two counts of rejections, on all processors."""
    # Spawned, not forked: the parent may have threads.
    workers = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    with workers as pool:
        chunks = {
            cell: [
                pool.submit(partial(_count, cell, range(first, min(first + 100, cell.sets))))
                for first in range(0, cell.sets, 100)
            ]
            for cell in cells
        }
        for cell, parts in chunks.items():
            reported, randomised = np.sum([part.result() for part in parts], axis=0)
            yield cell, int(reported), int(randomised)


def verdict(cell, reported, randomised):
    """Say what is wrong with the counts of a cell; empty if nothing is."""
    low, high = cell.band
    wrong = []
    if reported > high or (reported < low and cell.distribution in CONTINUOUS):
        wrong.append(f"{reported} rejections")
    if not low <= randomised <= high:
        wrong.append(f"{randomised} randomised rejections")
    return f"{' and '.join(wrong)} outside {low} to {high}" if wrong else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=99)
    parser.add_argument("--only", nargs="+", default=[], help="words of a cell, as printed")
    options = parser.parse_args()
    print(f"{'cell':34} {'rate':>6} {'randomised':>11} {'se':>6} {'band at level 0.05':>20}")
    cells = [
        replace(cell, sets=options.sets, permutations=options.permutations)
        for cell in CELLS
        if all(word in str(cell).split() for word in options.only)
    ]
    for cell, reported, randomised in rejections(cells):
        low, high = (count / cell.sets for count in cell.band)
        rate = reported / cell.sets
        print(
            f"{cell!s:34} {rate:6.3f} {randomised / cell.sets:11.3f} "
            f"{math.sqrt(rate * (1 - rate) / cell.sets):6.4f} {low:10.3f} to {high:.3f}"
            f"  {verdict(cell, reported, randomised)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
