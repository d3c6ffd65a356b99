"""Level, power and time of `kstest hsic`.

    python3 benchmarks/independence.py level [--draws 1000]
    python3 benchmarks/independence.py power [--draws 200] [--rows 192]
    python3 benchmarks/independence.py hsicagg [--draws 200]
    python3 benchmarks/independence.py time [--peers DIR] [--sizes 2000 5000 10000]
    python3 benchmarks/independence.py equal --peers DIR

`power` prints rejection rates at level 0.05 for n rows (192) and 199 permutations of 16 bins: the
rules that combine 25 pairs of bandwidths, and the pair of median bandwidths; all of them see the
same draws and the same permutations. The standard error of a rate r is sqrt(r (1 - r) / draws).

`level` prints rejection rates of independent blocks at level 0.05 over rows, columns a side, kernel
and what is permuted, with the central 99.9 % binomial band; 39 permutations of 25 pairs of
bandwidths. "groups" are five rows that share their level, "stretches" blocks of ten consecutive
rows, here of independent rows.

`hsicagg` prints rejection rates on the cases of HSICAgg (Albert, Laurent, Marrel, Meynaoui 2022,
arXiv 1902.06441; Schrab, Kim, Guedj, Gretton 2022, arXiv 2206.09194): perturbed uniform densities
with two bumps, scaled by an amplitude, in 1 + 1 and 2 + 1 columns, 500 rows, 199 permutations.

`time` prints CPU and wall seconds of one test with 999 permutations; beside it, where DIR holds the
environments of `peers.py --setup DIR`, the permutation tests of dcor (distance covariance) and
hyppo (HSIC) with 200 permutations. Y_1 = noise + 0.2 X_1^2, five columns a side.

`equal` computes the statistics of dcor (distance covariance) and hyppo (HSIC of given kernel
matrices) under the same 199 permutations of 400 rows, and prints both p-values.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

import kstest
from kstest.engine import Work
from kstest.engine.margins import margins
from kstest.engine.products import grid_products
from kstest.kernels import KERNELS, BandwidthGrid
from kstest.methods.dependence.arrangement import arrange, plan, seeded
from kstest.methods.dependence.column_blocks import Block
from kstest.methods.dependence.combinations import combined
from kstest.methods.dependence.statistics import prepared, statistics
from kstest.methods.hsic import Params
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
    options.draws = options.draws or 200
    print(f"{'case':17}" + "".join(f"{rule:>13}" for rule in (*RULES, "median")))
    means = []
    for number, (name, draw) in enumerate(CASES.items()):
        rates = np.zeros(len(RULES) + 1)
        for repetition in range(options.draws):
            arrays = draw(np.random.default_rng([91, number, repetition]), options.rows)
            blocks = [Block.of_array(array) for array in arrays]
            params = Params(permutations=199, permute="bins")
            rng = seeded(blocks, params.scale, np.random.default_rng(repetition))
            data = arrange(blocks, plan(options.rows, params), params.scale, rng)
            made = prepared(data, params, rng, Work(threads=1))
            found = statistics(data, made, params, rng, Work(threads=1))
            values = [combined(found, rule, options.rows) for rule in RULES]
            values.append(found.T[12])  # the third of five bandwidths on both sides
            rates += np.array([p_value(v) <= 0.05 for v in values]) / options.draws
        print(f"{name:17}" + "".join(f"{rate:13.3f}" for rate in rates), flush=True)
        if name != "null":
            means.append(rates)
    print(f"{'mean power':17}" + "".join(f"{rate:13.3f}" for rate in np.mean(means, axis=0)))


def blocks_of(rng, n, d, scheme):
    """Two independent blocks; with groups rows of one group share their level."""
    X, Y = rng.standard_normal((n, d)), rng.standard_normal((n, d))
    if scheme == "groups":
        group = np.arange(n) // 5
        X, Y = (Z + 2 * rng.standard_normal((n, d))[group] for Z in (X, Y))
    return X, Y


def independent_rejects(n, d, kernel, scheme, repetition):
    rng = np.random.default_rng([92, n, d, repetition])
    X, Y = blocks_of(rng, n, d, scheme)
    frame = pd.DataFrame(np.hstack([X, Y])).add_prefix("c").assign(group=np.arange(n) // 5)
    options = {
        "rows": {"permute": "rows"},
        "bins": {"permute": "bins"},
        "groups": {"group": "group"},
        "stretches": {"block_length": "10"},
    }[scheme]
    x, y = (",".join(f"c{c}" for c in range(k, k + d)) for k in (0, d))
    given = {"kernel": kernel, "permutations": 39, "threads": 1, **options}
    return kstest.hsic(frame, x=x, y=y, **given).reject


def level(options):
    draws = options.draws or 1000
    low, high = binom.ppf([0.0005, 0.9995], draws, 0.05) / draws
    print(f"{draws} data sets a cell; band {low:.3f} to {high:.3f}")
    print(f"{'n':>5} {'d':>3} {'kernel':>9} {'permuted':>10} {'rate':>6}")
    for n, d, kernel, scheme in itertools.product(
        (40, 200, 1000), (1, 5), ("gaussian", "laplace"), ("rows", "bins", "groups", "stretches")
    ):
        if (n, scheme) in ((1000, "rows"), (40, "stretches")):
            continue
        rate = np.mean([independent_rejects(n, d, kernel, scheme, r) for r in range(draws)])
        mark = "" if low <= rate <= high else " *"
        print(f"{n:5d} {d:3d} {kernel:>9} {scheme:>10} {rate:6.3f}{mark}", flush=True)


def bump(t):
    """The perturbation of one column: smooth, of mean 0, support (0, 1)."""
    out = np.zeros_like(t)
    left, right = (t > 0) & (t < 0.5), (t > 0.5) & (t < 1)
    out[left] = np.exp(-1 / (1 - (4 * t[left] - 1) ** 2))
    out[right] = -np.exp(-1 / (1 - (4 * t[right] - 3) ** 2))
    return out


def perturbed(rng, n, amplitude, columns):
    """Uniform density plus amplitude times a sum of products of bumps, by rejection.

    Two bumps per column with random signs; at amplitude 1 the density touches 0.
    """
    bumps, height = 2, np.exp(columns)  # a bump reaches exp(-1)
    signs = rng.choice([-1.0, 1.0], (bumps,) * columns)
    kept = np.empty((0, columns))
    while len(kept) < n:
        z = rng.random((4 * n, columns))
        place = np.minimum((z * bumps).astype(int), bumps - 1)
        wave = signs[tuple(place.T)] * bump(z * bumps - place).prod(axis=1)
        kept = np.concatenate([kept, z[2 * rng.random(len(z)) < 1 + amplitude * height * wave]])
    return kept[:n, :-1], kept[:n, -1:]


def hsicagg(options):
    print(f"{'columns':>8} {'amplitude':>10}" + "".join(f"{rule:>13}" for rule in AGGREGATED))
    for columns, amplitudes in ((2, (0, 0.4, 0.6, 0.8, 1.0)), (3, (0, 0.6, 0.8, 1.0))):
        for amplitude in amplitudes:
            rates = np.zeros(len(AGGREGATED))
            for repetition in range(options.draws or 200):
                rng = np.random.default_rng([93, columns, int(10 * amplitude), repetition])
                X, Y = perturbed(rng, 500, amplitude, columns)
                for place, given in enumerate(AGGREGATED.values()):
                    found = kstest.hsic(X, Y, permutations=199, threads=1, permute="bins", **given)
                    rates[place] += found.reject
            rates /= options.draws or 200
            print(f"{columns - 1:>5} + 1 {amplitude:10.1f}" + "".join(f"{r:13.3f}" for r in rates),
                  flush=True)  # fmt: skip


AGGREGATED = {
    "mahalanobis": {},
    "minp": {"aggregate": "minp"},
    "laplace": {"kernel": "laplace"},
    "median": {"bandwidth": "median"},
}

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


# X, Y, orders (B + 1, n) and the kernel matrices K, L are given; T is wanted.
STATISTICS = {
    "dcor": """
import dcor
T = [dcor.u_distance_covariance_sqr(X, Y[p]) for p in orders]
""",
    "hyppo": """
from hyppo.independence import Hsic
test = Hsic(compute_kernel=None, bias=False)
T = [test.statistic(1 - K, 1 - L[np.ix_(p, p)]) for p in orders]
""",
}


def gaussian_matrix(X, h):
    return np.exp(-((X[:, None] - X) ** 2).sum(axis=2) / (2 * h * h))


def equal(options):
    n, rng = 400, np.random.default_rng(94)
    X, e = rng.standard_normal((2, n, 2))
    Y = e + 0.06 * X
    orders = np.array([np.arange(n), *(rng.permutation(n) for _ in range(199))])
    data = {"X": X, "Y": Y, "orders": orders}
    data |= {"K": gaussian_matrix(X, 1.5), "L": gaussian_matrix(Y, 1.5)}
    for peer, code in STATISTICS.items():
        name = "energy" if peer == "dcor" else "gaussian"
        grid = BandwidthGrid(KERNELS[name], (1.5,))
        x, y = margins([(X, grid), (Y, grid)], True, Work(threads=1))
        products = grid_products([x], [y], ([orders[:1]], [orders]), 1, True, Work(threads=1))
        ours = products.ravel() / (n * (n - 3))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "data.npz"
            np.savez(file, **data)
            program = (
                f"import numpy as np\nglobals().update(np.load({str(file)!r}))\n{code}\n"
                "print(*map(repr, map(float, T)))"
            )
            python = options.peers / peer / "bin" / "python"
            done = subprocess.run([python, "-W", "ignore", "-c", program],
                                  capture_output=True, text=True, check=True)  # fmt: skip
        theirs = np.array([float(t) for t in done.stdout.split()])
        scale = ours[0] / theirs[0]
        apart = np.abs(theirs * scale - ours).max() / np.abs(ours).max()
        print(f"{peer}: p {p_value(theirs):.4f}, kstest p {p_value(ours):.4f}; statistics in ratio "
              f"{scale:.9g}, otherwise apart by {apart:.1e} of the largest")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["level", "power", "hsicagg", "time", "equal"])
    parser.add_argument("--draws", type=int, help="data sets a case")
    parser.add_argument("--rows", type=int, default=192)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[2000, 5000, 10000])
    parser.add_argument("--limit", type=float, default=120, help="wall seconds of a peer")
    options = parser.parse_args()
    parts = {"level": level, "power": power, "hsicagg": hsicagg, "time": timing, "equal": equal}
    parts[options.what](options)


if __name__ == "__main__":
    main()
