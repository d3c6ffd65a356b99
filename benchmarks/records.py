"""Level and power on records: `python3 benchmarks/records.py [mmd|smmd|dqm|compare] [SETS]`.

Null sets: AR .9 (of streams and batches independent values, AR .5), random walks, lengths that
differ, Cauchy noise, few records. Power: AR .4 against .55 and a saw-tooth of random phase with
time reversed. `mmd` compares 50 + 50 records of 60 rows; `smmd` a stream of 100 with a reference of
200, to its end; `dqm` checks 30 batches of 20 records by each of SETS / 30 calibrations (400
records of reference, 1,200 of pool, 199 toys); `compare` 20 records with 200.
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


# Of streams and batches: both sides have one law; the last case has few records.
SAME: dict[str, Draw] = {
    "independent values": lambda rng: rng.normal(size=60),
    "AR .5": lambda rng: ar(0.5, 60, rng),
    "Cauchy": lambda rng: rng.standard_cauchy(60),
    "AR .5, 45 to 90 rows on both sides": lambda rng: ar(0.5, int(rng.integers(45, 91)), rng),
    "few records": lambda rng: ar(0.5, 60, rng),
}
# Records of reference and stream, and of reference and batch.
SIZES = {"smmd": (200, 100), "compare": (200, 20)}
FEW = {"smmd": (40, 20), "compare": (20, 20)}
CALIBRATION, BATCHES, BATCH = (400, 1200), 30, 20
READ = {"unit": "1", "order": "2"}


def drawn(draw: Draw, count: int, rng: np.random.Generator) -> Array:
    return table([draw(rng) for _ in range(count)])


def rejects(test: str, pair: tuple[Draw, Draw], sizes: tuple[int, int], seed: int) -> bool:
    rng = np.random.default_rng([seed, 77])
    X, Y = (drawn(draw, n, rng) for draw, n in zip(pair, sizes, strict=True))
    if test == "smmd":
        return bool(kstest.smmd(X, Y, **READ, seed=seed, threads=1).reject)
    if test == "compare":
        return bool(
            kstest.dqm_compare(
                X, Y, **READ, seed=seed, permutations=99, threads=1, alpha=0.05
            ).reject
        )
    found = kstest.mmd(X, Y, **READ, permutations=199, seed=seed, threads=1, explain="none")
    return bool(found.reject)


def share(test: str, pair: tuple[Draw, Draw], sizes: tuple[int, int], sets: int) -> float:
    """Share of rejections at .05."""
    return sum(rejects(test, pair, sizes, seed) for seed in range(sets)) / sets


def batches(pair: tuple[Draw, Draw], batch: int, sets: int) -> float:
    """Share of batches that calibrations of the first law reject at .05."""
    rejected = 0
    for seed in range(sets // BATCHES):
        rng = np.random.default_rng([seed, 78])
        made = kstest.dqm_calibrate(
            *(drawn(pair[0], n, rng) for n in CALIBRATION),
            **READ, batch_size=batch, toys=199, seed=seed, threads=1,
        )  # fmt: skip
        some = [drawn(pair[1], batch, rng) for _ in range(BATCHES)]
        found = kstest.dqm_check(made, *some, alpha=0.05, threads=1)
        rejected += sum(bool(r.reject) for r in found)
    return rejected / (sets // BATCHES * BATCHES)


def main() -> None:
    test = sys.argv[1] if len(sys.argv) > 1 else "mmd"
    sets = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    nulls = NULLS if test == "mmd" else {name: (draw, draw) for name, draw in SAME.items()}
    for pairs, count in (
        (nulls, sets),
        (CHANGES, min(sets, 100 if test != "dqm" else 3 * BATCHES)),
    ):
        for name, pair in pairs.items():
            clock = time.process_time()
            few = name == "few records"
            if test == "dqm":
                found = batches(pair, 8 if few else BATCH, count)
            else:
                sizes = (FEW if few else SIZES).get(test, (50, 50))
                found = share(test, pair, sizes, count)
            seconds = time.process_time() - clock
            print(f"{name:38} {found:.3f} of {count}, {seconds:.0f} s CPU", flush=True)


if __name__ == "__main__":
    main()
