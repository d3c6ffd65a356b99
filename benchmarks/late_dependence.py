"""How soon streams see a late change, and what the guard of skit lets through.

    python benchmarks/late_dependence.py delay --streams 60
    python benchmarks/late_dependence.py level --streams 500
    python benchmarks/late_dependence.py good --streams 20
    python benchmarks/late_dependence.py guard --streams 300

`delay`: median rows from a change to the rejection, by the row of the change (skit: y = e, then
y = x + e; sksd: N(0, 1), then mean .5). `level`: share of null streams of 5,000 rows ever rejected.
`good`: batches of 64 rows until a shift of .5 is found after 2,000 good ones. `guard`: streams of
1,000 rows whose two sides share nothing but the time, and their verdicts; then dependent ones.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import streams

import kstest
from kstest.methods import skit, sksd
from kstest.sample import Columns, Sample

ROWS = (0, 200, 1000, 5000, 20_000)
PATIENCE = 1500
SKIT, SKSD = "skit", "sksd"


def begin(name, seed, **options):
    """A fresh stream of columns x and y, or of x against N(0, 1)."""
    if name == SKIT:
        columns = Columns.of(sample(np.empty((0, 2))))
        return skit.init(skit.Params(x="x", y="y", seed=seed, **options), columns)
    columns = Columns.of(sample(np.empty((0, 1))))
    return sksd.init(sksd.Params(target="normal(mean=0, sd=1)", seed=seed, **options), columns)


def sample(values):
    return Sample("data", np.ascontiguousarray(values), ("x", "y")[: values.shape[1]])


def draw(name, rng, n, change=0.0):
    """Rows; `change` is the slope of y on x, or the shift of the mean."""
    if name == SKSD:
        return rng.normal(change, 1, size=(n, 1))
    x, y = rng.normal(size=(2, n))
    return np.column_stack([x, y + change * x])


def step(state, values):
    module = skit if isinstance(state, skit.State) else sksd
    return module.step(state, sample(values))


def delays(name, many, rows=ROWS):
    """Rows from the change to the rejection, (many, len(rows)); nan after a false alarm."""
    found = np.full((many, len(rows)), np.nan)
    change = {SKIT: 1.0, SKSD: 0.5}[name]
    for seed in range(many):
        rng = np.random.default_rng(seed)
        state, done = begin(name, seed), 0
        for k, row in enumerate(rows):
            state, done = step(state, draw(name, rng, row - done)) if row > done else state, row
            if state.core.verdict:
                break
            after = step(state, draw(name, rng, PATIENCE, change))
            late = after.core.row - row if after.core.verdict == "rejected" else np.inf
            found[seed, k] = late
    return found


def good(name, seed, batches=2000, size=64, shift=0.5):
    """Batches until a shift is found after many good ones; None after a false alarm."""
    rng = np.random.default_rng(seed)
    state = begin(name, seed)
    for _ in range(batches):
        state = step(state, draw(name, rng, size))
        if state.core.verdict:
            return None
    for batch in range(1, 121):
        state = step(state, draw(name, rng, size, shift))
        if state.core.verdict == "rejected":
            return batch
    return 121


def level(name, many, n=5000):
    rejected = 0
    for seed in range(many):
        state = step(begin(name, seed), draw(name, np.random.default_rng(seed), n))
        rejected += state.core.verdict == "rejected"
    return rejected / many


def verdicts(make, many, n=1000):
    found = Counter()
    for seed in range(many):
        x, y = make(np.random.default_rng(10_000 + seed), n)
        found[kstest.skit(x, y, seed=seed).verdict] += 1
    return {name: found[name] / many for name in ("rejected", "no verdict")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("delay", "level", "good", "guard"))
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--test", choices=(SKIT, SKSD), action="append")
    given = parser.parse_args()
    for name in given.test or (SKIT, SKSD):
        if given.what == "delay":
            found = delays(name, given.streams)
            middle = [np.median(column[~np.isnan(column)]) for column in found.T]
            alarms = int(np.isnan(found[:, -1]).sum())
            cells = ", ".join(f"{r:,}: {m:.0f}" for r, m in zip(ROWS, middle, strict=True))
            print(f"{name} median delay by row: {cells}; false alarms {alarms}", flush=True)
        elif given.what == "level":
            print(f"{name} level {level(name, given.streams):.3f}", flush=True)
        elif given.what == "good":
            print(f"{name} batches {[good(name, seed) for seed in range(given.streams)]}")
    if given.what == "guard":
        for title, make in {**streams.SPREADS, **streams.DEPENDENT_SPREADS}.items():
            print(f"{title:28} {verdicts(make, given.streams)}", flush=True)


if __name__ == "__main__":
    main()
