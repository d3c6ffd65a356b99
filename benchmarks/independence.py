"""Power and time of `kstest hsic`.

    python3 benchmarks/independence.py power [--draws 200] [--rows 192]
    python3 benchmarks/independence.py time [--peers DIR] [--sizes 2000 5000 10000]

`power` prints rejection rates at level 0.05 for n rows (192) and 199 permutations of 16 bins: the
rules that combine 25 pairs of bandwidths, and the pair of median bandwidths; all of them see the
same draws and the same permutations. The standard error of a rate r is sqrt(r (1 - r) / draws).

`time` prints CPU and wall seconds of one test with 999 permutations; beside it, where DIR holds the
environments of `peers.py --setup DIR`, the permutation tests of dcor (distance covariance) and
hyppo (HSIC) with 200 permutations. Y_1 = noise + 0.2 X_1^2, five columns a side.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

import numpy as np

import kstest
from kstest.engine import Work
from kstest.methods.arrangement import plan
from kstest.methods.column_blocks import Block
from kstest.methods.hsic import Params
from kstest.methods.independence import combined, statistics
from kstest.nulls import p_value

RULES = ("mahalanobis", "studentised", "fuse", "minp")


def sine(rng, n, frequency):
    """Pairs on the unit square with density 1 + sin(w x) sin(w y), by rejection."""
    kept = np.empty((0, 2))
    while len(kept) < n:
        z, u = rng.uniform(-np.pi, np.pi, (2048, 2)), rng.random(2048) * 2
        kept = np.concatenate([kept, z[u <= 1 + np.sin(frequency * z).prod(axis=1)]])
    return kept[:n, :1], kept[:n, 1:]


def circle(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    points = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.55 * rng.standard_normal((n, 2))
    return points[:, :1], points[:, 1:]


def regression(rng, n, mean, spread=lambda x: 1.0, d=1):
    x, e = rng.standard_normal((n, d)), rng.standard_normal((n, d))
    y = e.copy()
    y[:, 0] = mean(x[:, 0]) + spread(x[:, 0]) * e[:, 0]
    return x, y


CASES = {
    "null": lambda rng, n: regression(rng, n, lambda x: 0 * x),
    "y = .22 x + e": lambda rng, n: regression(rng, n, lambda x: 0.22 * x),
    "y = .25 x^2 + e": lambda rng, n: regression(rng, n, lambda x: 0.25 * x**2),
    "noisy circle": circle,
    "sine, w = 2": lambda rng, n: sine(rng, n, 2),
    "sine, w = 3": lambda rng, n: sine(rng, n, 3),
    "y = exp(x/4) e": lambda rng, n: regression(rng, n, lambda x: 0 * x, lambda x: np.exp(x / 4)),
    "d = 5, .45 x^2": lambda rng, n: regression(rng, n, lambda x: 0.45 * x**2, d=5),
}


def power(options):
    print(f"{'case':17}" + "".join(f"{rule:>13}" for rule in (*RULES, "median")))
    means = []
    for number, (name, draw) in enumerate(CASES.items()):
        rates = np.zeros(len(RULES) + 1)
        for repetition in range(options.draws):
            arrays = draw(np.random.default_rng([91, number, repetition]), options.rows)
            blocks = [Block.of_array(array) for array in arrays]
            params = Params(permutations=199, permute="bins")
            rng = np.random.default_rng(repetition)
            found = statistics(blocks, plan(options.rows, params), params, rng, Work(threads=1))
            values = [combined(found, rule, options.rows) for rule in RULES]
            values.append(found.T[12])  # the third of five bandwidths on both sides
            rates += np.array([p_value(v) <= 0.05 for v in values]) / options.draws
        print(f"{name:17}" + "".join(f"{rate:13.3f}" for rate in rates), flush=True)
        if name != "null":
            means.append(rates)
    print(f"{'mean power':17}" + "".join(f"{rate:13.3f}" for rate in np.mean(means, axis=0)))


PEERS = {
    "dcor": "import dcor; dcor.independence.distance_covariance_test(X, Y, num_resamples=200)",
    "hyppo": "from hyppo.independence import Hsic; Hsic().test(X, Y, reps=200, auto=False)",
}
DATA = (
    "import numpy as np; rng = np.random.default_rng([2025, {n}, 5, 5]); "
    "X = rng.standard_normal(({n}, 5)); Y = rng.standard_normal(({n}, 5)); "
    "Y[:, 0] += 0.2 * X[:, 0] ** 2"
)


def clocked(call):
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def peer_seconds(python, n, call, limit):
    """CPU and wall seconds of the second of two calls, the first on few rows."""
    code = (
        f"{DATA.format(n=50)}; {call}\n{DATA.format(n=n)}\nimport time\n"
        f"w, c = time.perf_counter(), time.process_time()\n{call}\n"
        "print(time.perf_counter() - w, time.process_time() - c)"
    )
    try:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return None
    return tuple(map(float, done.stdout.split())) if done.returncode == 0 else None


def timing(options):
    print(f"{'test':34}{'n':>8}{'cpu s':>9}{'wall s':>9}")
    for n in options.sizes:
        scope: dict = {}
        exec(DATA.format(n=n), scope)
        for name, chosen in (("aggregated", {}), ("one pair", {"bandwidth": "median"})):
            wall, cpu = clocked(lambda o=chosen, s=scope: kstest.hsic(s["X"], s["Y"], **o))
            print(f"{'kstest, ' + name:34}{n:8}{cpu:9.2f}{wall:9.2f}", flush=True)
        for peer, call in PEERS.items() if options.peers else ():
            found = peer_seconds(options.peers / peer / "bin" / "python", n, call, options.limit)
            text = f"{found[1]:9.2f}{found[0]:9.2f}" if found else f"  over {options.limit:g} s"
            print(f"{peer:34}{n:8}{text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["power", "time"])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=int, default=192)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[2000, 5000, 10000])
    parser.add_argument("--limit", type=float, default=120, help="wall seconds of a peer")
    options = parser.parse_args()
    {"power": power, "time": timing}[options.what](options)


if __name__ == "__main__":
    main()
