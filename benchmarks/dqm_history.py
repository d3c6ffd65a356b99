"""A long stable stream on kstest dqm check --history, by every rule over time.

    python3 benchmarks/dqm_history.py                         # 2,000 batches, some 10 CPU minutes
    python3 benchmarks/dqm_history.py --batches 300 --rules lond,saffron

Each batch is 60 good events, checked in a run of its own that reads and writes the history, as a
cron job would; then one batch that is shifted by a standard deviation. Printed per rule: CPU time
of a check at the beginning and at the end, exit codes, alarms that began and how many are promised,
size of the history, and the exit code for the changed batch. `persistence` is 2 of the last 3 at
level .01; of the others the level is the share of false alarms, .1, so that on average at most a
tenth of the runs of a rule have any alarm at all. Each rule has data of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import kstest
from kstest.dqm import alarms
from kstest.dqm.check import Params, check, exit_code
from kstest.dqm.history import remembered
from kstest.dqm.windows import Batch
from kstest.engine import Work
from kstest.inputs.batches import batch_options, from_objects
from kstest.nulls.online import CONTROLS
from kstest.sources import ReadOptions

SIZE, TOYS = 60, 999
ONE = Work(threads=1)


def one(known, values, name, params, path):
    """Check a batch as a run of its own; return its exit code and whether there is an alarm."""
    options = batch_options(known.layout, ReadOptions(), name)
    batch = Batch(name, *from_objects("batch", values, options))
    with remembered(path, known.digest) as history:
        results = check(known, [batch], params, ONE, history)
    return exit_code(results), results[0]


def stream(rule, batches, folder, seed):
    rng = np.random.default_rng([seed, CONTROLS.index(rule)])
    reference, pool = rng.normal(size=(1200, 2)), rng.normal(size=(6000, 2))
    known = kstest.dqm_calibrate(reference, pool, batch_size=SIZE, toys=TOYS, centres=20, threads=1)
    # LORD begins with so small a level, and the levels of all rules fall: see `smallest p`.
    null = "analytic" if rule == "lord" else "toys"
    params = Params(control=rule, null=null, alpha=0.01 if rule == "persistence" else 0.1)
    path = str(Path(folder) / f"{rule}.jsonl")
    codes, seconds, states = Counter(), [], []
    for k in range(batches):
        values = rng.normal(size=(SIZE, 2))
        clock = time.process_time()
        code, result = one(known, values, f"batch {k}", params, path)
        seconds.append(time.process_time() - clock)
        codes[code] += 1
        states.append(result.explanation["alarm"]["alarm"])
    begun = int(np.count_nonzero(np.diff([False, *states]) == 1))
    changed, _ = one(known, rng.normal(size=(SIZE, 2)) + 1, "changed", params, path)
    few = max(1, batches // 10)
    times = [1000 * float(np.median(part)) for part in (seconds[:few], seconds[-few:])]
    promised = "share .1"
    if rule == "persistence":
        promised = f"{alarms.false_alarms(0.01, 2, 3) * batches:.2g} expected"
    size = Path(path).stat().st_size
    print(
        f"{rule:<12} {null:<9} CPU ms {times[0]:6.1f} -> {times[1]:6.1f}  exit "
        f"{dict(sorted(codes.items()))}  alarms {begun} ({promised})  {size / 1000:,.0f} kB  "
        f"changed batch: exit {changed}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=2000)
    parser.add_argument("--rules", default=",".join(CONTROLS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for rule in given.rules.split(","):
            stream(rule, given.batches, folder, given.seed)


if __name__ == "__main__":
    main()
