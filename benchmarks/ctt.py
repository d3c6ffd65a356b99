"""Power at equal CPU time: `kstest mmd` beside compress-then-test of goodpoints, on the same draws.

    python3 benchmarks/peers.py --setup DIR --only goodpoints       # once
    python3 benchmarks/ctt.py --peers DIR [--draws 100] [--rows 10000] [--without 'all pairs']

Ten normal columns: nothing changed, one mean shifted, all spreads scaled; and one column with
bumps. Both take rows that are in memory, 199 permutations, one thread; goodpoints one Gaussian
kernel at the median distance, compressed at level g (time grows like 4^g), kstest its grid of
bandwidths with all pairs of rows and with landmarks, and its default, several geometries. Prints
rejection rates at level .05 and CPU seconds a test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import kstest

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
CHILD = """
import json, sys, time
import numpy as np
from goodpoints.ctt import ctt
data = np.load(sys.argv[1])
found = {g: [0, 0.0] for g in (0, 2, 4)}
ctt(data["X"][0], data["Y"][0], 0, B=199, lam=1.0, null_seed=0, statistic_seed=0)
for k, (X, Y) in enumerate(zip(data["X"], data["Y"])):
    Z = np.vstack([X[:500], Y[:500]])
    h = np.median(np.sqrt(((Z[:, None] - Z) ** 2).sum(-1))[np.triu_indices(len(Z), 1)])
    for g in found:
        clock = time.process_time()
        t = ctt(X, Y, g, B=199, lam=2**0.5 * h, null_seed=k, statistic_seed=k)
        found[g][1] += time.process_time() - clock
        T = np.ravel(t.estimator_values)
        found[g][0] += (T >= np.ravel(t.statistic_values)[0]).sum() / 200 <= 0.05
print(json.dumps({f"ctt g={g}": [int(a) / (k + 1), b / (k + 1)] for g, (a, b) in found.items()}))
"""


def bumps(rng, n):
    """A density 1 + sin(8 pi u) / 20 on the unit interval, by rejection."""
    u, kept = rng.random(3 * n), rng.random(3 * n) * 1.05
    return u[kept < 1 + np.sin(8 * np.pi * u) / 20][:n]


def draw(case, rng, n):
    X, Y = rng.standard_normal((n, 10)), rng.standard_normal((n, 10))
    if case == "shift":
        Y[:, 0] += 0.045
    elif case == "scale":
        Y *= 1.008
    elif case == "bumps":
        X, Y = X[:, :1], Y[:, :1]
        X[:, 0], Y[:, 0] = rng.random(n), bumps(rng, n)
    return X, Y


OURS = {
    "all pairs": {"features": "none", "scale": "robust"},
    "256 landmarks": {"features": "256", "scale": "robust"},
    "default": {},
}


def ours(X, Y, without):
    found = {}
    for name, options in OURS.items():
        if name in without:
            continue
        rejected, clock = 0, time.process_time()
        for x, y in zip(X, Y, strict=True):
            options = {"permutations": 199, "threads": 1, "explain": "none"} | options
            rejected += kstest.mmd(x, y, **options).reject
        found[name] = [rejected / len(X), (time.process_time() - clock) / len(X)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", default=["null", "shift", "scale", "bumps"])
    parser.add_argument("--without", nargs="+", default=[], choices=OURS)
    given = parser.parse_args()
    os.environ.update(ONE_THREAD)
    python = given.peers.absolute() / "goodpoints" / "bin" / "python"
    print(f"{given.rows:,} rows a side, {given.draws} draws: rejected, CPU seconds a test")
    for case in given.only:
        rng = np.random.default_rng([55, len(case), given.rows])
        X, Y = map(
            np.array, zip(*(draw(case, rng, given.rows) for _ in range(given.draws)), strict=True)
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "draws.npz"
            np.savez(path, X=X, Y=Y)
            done = subprocess.run(
                [python, "-c", CHILD, path], capture_output=True, text=True, check=True
            )
        found = ours(X, Y, given.without) | json.loads(done.stdout.splitlines()[-1])
        text = "   ".join(f"{name} {rate:.2f} {cpu:.2f} s" for name, (rate, cpu) in found.items())
        print(f"{case:8}{text}", flush=True)


if __name__ == "__main__":
    main()
