"""Level and power of `kstest.mmd` on records: `python3 benchmarks/records.py [SETS]`.

Null sets: AR .9, random walks, lengths that differ between the sides, Cauchy noise. Power: AR .4
against .55 and a saw-tooth of random phase with time reversed, 50 + 50 records of 60 rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import kstest

Array = NDArray[np.float64]


def ar(rho: float, rows: int, rng: np.random.Generator) -> Array:
    x = rng.normal(size=rows)
    x[1:] *= np.sqrt(1 - rho**2)
    for t in range(1, rows):
        x[t] += rho * x[t - 1]
    return x


def saw(reverse: bool, rng: np.random.Generator) -> Array:
    x = (np.arange(60) / 12 + rng.uniform()) % 1 + rng.normal(scale=0.1, size=60)
    return x[::-1] if reverse else x


def table(records: list[Array]) -> Array:
    """Columns: record, place, value."""
    return np.concatenate([
        np.c_[np.full(len(x), k), np.arange(len(x)), x] for k, x in enumerate(records)
    ])  # fmt: skip


Draw = Callable[[np.random.Generator], Array]


def _long(rng: np.random.Generator) -> int:
    return int(rng.integers(90, 200))


NULLS: dict[str, tuple[Draw, Draw]] = {
    "AR .9": (lambda rng: ar(0.9, 60, rng),) * 2,
    "random walks": (lambda rng: rng.normal(size=60).cumsum(),) * 2,
    "AR .9, 60 rows v 90 to 200": (
        lambda rng: ar(0.9, 60, rng), lambda rng: ar(0.9, _long(rng), rng)
    ),
    "random walks, 30 to 60 v 90 to 200": (
        lambda rng: rng.normal(size=rng.integers(30, 61)).cumsum(),
        lambda rng: rng.normal(size=_long(rng)).cumsum(),
    ),
    "Cauchy": (lambda rng: rng.standard_cauchy(60),) * 2,
}  # fmt: skip
CHANGES: dict[str, tuple[Draw, Draw]] = {
    "AR .4 v .55": (lambda rng: ar(0.4, 60, rng), lambda rng: ar(0.55, 60, rng)),
    "saw-tooth, time reversed": (lambda rng: saw(False, rng), lambda rng: saw(True, rng)),
}


def share(pair: tuple[Draw, Draw], sets: int) -> float:
    """Share of rejections at .05."""
    rejected = 0
    for seed in range(sets):
        rng = np.random.default_rng([seed, 77])
        X, Y = (table([draw(rng) for _ in range(50)]) for draw in pair)
        found = kstest.mmd(
            X, Y, unit="1", order="2", permutations=199, seed=seed, threads=1, explain="none"
        )
        rejected += found.verdict == "rejected"
    return rejected / sets


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for pairs, count in ((NULLS, sets), (CHANGES, min(sets, 100))):
        for name, pair in pairs.items():
            clock = time.process_time()
            found = share(pair, count)
            print(f"{name:38} {found:.3f} of {count}, {time.process_time() - clock:.0f} s CPU")


if __name__ == "__main__":
    main()
