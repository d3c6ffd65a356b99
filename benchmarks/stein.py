"""Speed, level and power of `kstest ksd`.

    python3 benchmarks/stein.py [speed] [numpy] [level] [power] [large]
                                [--repeats 1000] [--rows 100000]

`speed` prints CPU seconds and giga-pairs per CPU second on one thread, next to the yardstick of
Gaussian kernel sums (float32) for as many bandwidths. `level` prints rejection rates on null
data at level 0.05 with the central 99.9 % binomial band. `power` prints rejection rates on the
cases of KSDAgg (Schrab, Guedj, Gretton 2022): Gamma shapes, and a Gaussian-Bernoulli restricted
Boltzmann machine with noise on its weights; next to the median bandwidth and to the plain
smallest p-value over bandwidths. `large` prints seconds and peak memory of the sum over all pairs
of `--rows` rows (100,000), and the level of its scheme, in which rows
share signs in bins and pairs within a bin are left out, at 600 and 2,000 rows.
`numpy` prints CPU seconds beside the same tests in whole NumPy matrices (`stein_numpy.py`), one
thread, 500 draws, in one run; `loop` makes the draws of one bandwidth one at a time, `kgof` also
goes column by column, the steps of that package in our writing.
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import partial

import numpy as np
import stein_numpy
import yardstick
from scipy.stats import binom
from threadpoolctl import threadpool_limits

import kstest

SPEED = (
    (1_000, 2, "median"),
    (1_000, 10, "median"),
    (1_000, 10, "aggregate"),
    (5_000, 2, "median"),
    (5_000, 10, "median"),
    (5_000, 2, "aggregate"),
    (5_000, 10, "aggregate"),
    (20_000, 10, "aggregate"),
)


def seconds(n, d, bandwidth, draws=500, threads=1, clock=time.process_time):
    X = np.random.default_rng(1).normal(size=(n, d))
    began = clock()
    kstest.ksd(X, target="normal()", draws=draws, bandwidth=bandwidth, threads=threads)
    return clock() - began


def speed():
    seconds(1_000, 2, "median")
    print("CPU seconds, 500 draws, one thread; yardstick: Gaussian sums of as many bandwidths")
    print(f"{'n':>8} {'d':>4} {'bandwidth':>10} {'CPU s':>7} {'Gpairs/s':>9} {'yardstick':>10}")
    for n, d, bandwidth in SPEED:
        took = min(seconds(n, d, bandwidth) for _ in range(3))
        bandwidths = 1 if bandwidth == "median" else 10
        limit = yardstick.seconds(max(1024, n - n % 512), d, bandwidths, repeat=2)
        pairs = n * n / 2 / 1e9
        share = pairs / took / ((max(1024, n - n % 512) ** 2 / 2e9) / limit)
        print(f"{n:8,d} {d:4d} {bandwidth:>10} {took:7.3f} {pairs / took:9.4f} {share:9.2f}x")


def level(repeats):
    low, high = binom.ppf([0.0005, 0.9995], repeats, 0.05) / repeats
    print(f"\nrejection rate of true nulls, {repeats} data sets; band {low:.3f} to {high:.3f}")
    print(f"{'n':>5} {'d':>3} {'kernel':>9} {'null':>11} {'rate':>6}")
    for n in (20, 100, 1000):
        for d in (1, 10):
            for kernel in ("imq", "gaussian"):
                for null in ("wild", "markov", "parametric", "scores"):
                    if null == "parametric" and n == 1000:
                        continue
                    rate = np.mean([_null_rejects(n, d, kernel, null, r) for r in range(repeats)])
                    print(f"{n:5d} {d:3d} {kernel:>9} {null:>11} {rate:6.3f}", flush=True)


def _null_rejects(n, d, kernel, null, repeat):
    X = np.random.default_rng([7, repeat]).normal(size=(n, d))
    target = (lambda X: -X) if null == "scores" else "normal()"  # scores: whitened by the data
    distribution = "wild" if null == "scores" else null
    return kstest.ksd(
        X, target=target, kernel=kernel, null=distribution, draws=99, threads=1
    ).reject


def beside_numpy():
    seconds(1_000, 2, "median")
    print("CPU seconds, 500 draws, one thread; NumPy: whole matrices, draws of ksdagg 500 + 500")
    print(f"{'n':>7} {'d':>3} {'test':>12} {'kstest':>8} {'NumPy':>8} {'ratio':>7}")
    loop = partial(stein_numpy.ksd, one_by_one=True)
    tests = (
        ("median", "median", stein_numpy.ksd),
        ("median, loop", "median", loop),
        ("median, kgof", "median", stein_numpy.ksd_by_coordinates),
        ("aggregate", "aggregate", stein_numpy.ksdagg),
    )
    with threadpool_limits(1):
        for n in (1_000, 5_000):
            for d in (2, 10):
                X = np.random.default_rng(1).normal(size=(n, d))
                for name, bandwidth, peer in tests:
                    ours = min(seconds(n, d, bandwidth) for _ in range(3))
                    began = time.process_time()
                    peer(X, -X)
                    other = time.process_time() - began
                    print(
                        f"{n:7,d} {d:3d} {name:>12} {ours:8.3f} {other:8.2f} {other / ours:6.1f}x",
                        flush=True,
                    )


class Boltzmann:
    """p(x, h) ~ exp(x'Bh / 2 + b'x + c'h - |x|^2 / 2), h in {-1, 1}^m."""

    def __init__(self, B, b, c):
        self.B, self.b, self.c = B, b, c

    def score(self, X):
        return self.b - X + np.tanh(X @ self.B / 2 + self.c) @ self.B.T / 2

    def draw(self, n, rng, steps=200):
        X = rng.normal(size=(n, len(self.b)))
        for _ in range(steps):
            up = 1 / (1 + np.exp(-(X @ self.B + 2 * self.c)))
            h = np.where(rng.random(up.shape) < up, 1.0, -1.0)
            X = self.b + h @ self.B.T / 2 + rng.normal(size=X.shape)
        return X


def _gamma(shape):
    return lambda rng: (rng.gamma(5 + shape, 5, (500, 1)), "gamma(5, 5)")


def _machine(noise):
    def draw(rng):
        B = rng.choice([-1.0, 1.0], (50, 40))
        b, c = rng.normal(size=50), rng.normal(size=40)
        moved = Boltzmann(B + noise * rng.normal(size=B.shape), b, c)
        return moved.draw(1000, rng), Boltzmann(B, b, c)

    return draw


CASES = {
    **{f"gamma +{s}": _gamma(s) for s in (0.0, 0.1, 0.2, 0.3, 0.4)},
    **{f"machine {s}": _machine(s) for s in (0.0, 0.01, 0.02, 0.03)},
}
RULES = {
    "studentised": {},
    "minp": {"aggregate": "minp"},
    "median": {"bandwidth": "median"},
    "gaussian": {"kernel": "gaussian"},
}


def power(repeats):
    print(f"\nrejection rates, {repeats} data sets")
    print(f"{'case':14}" + "".join(f"{rule:>13}" for rule in RULES))
    for number, (name, draw) in enumerate(CASES.items()):
        rates = np.zeros(len(RULES))
        for repeat in range(repeats):
            X, target = draw(np.random.default_rng([11, number, repeat]))
            for place, options in enumerate(RULES.values()):
                rates[place] += kstest.ksd(X, target=target, draws=499, **options).reject
        print(f"{name:14}" + "".join(f"{rate:13.3f}" for rate in rates / repeats), flush=True)


def large(rows, repeats):
    X = np.random.default_rng(1).normal(size=(rows, 2))
    wall, cpu = time.perf_counter(), time.process_time()
    found = kstest.ksd(X, target="normal()", bandwidth="median", features="none", threads=1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{rows:,} rows, 2 columns, one bandwidth, all pairs, {found.null['bins']} bins of rows"
    )
    print(f"{cpu:.1f} CPU s, {wall:.1f} s, peak {peak:.0f} MiB, p {found.p_value:.3f}")
    low, high = binom.ppf([0.0005, 0.9995], repeats, 0.05) / repeats
    print(f"rejection rate of true nulls, {repeats} data sets; band {low:.3f} to {high:.3f}")
    for n in (600, 2000):
        rate = np.mean([_null_rejects(n, 2, "imq", "wild", r) for r in range(repeats)])
        print(f"{n:5d} rows in bins of {-(-n // 256)}: {rate:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="speed, numpy, level, power, large; default: speed")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    for what in options.what or ["speed"]:
        {
            "speed": speed,
            "numpy": beside_numpy,
            "level": lambda: level(options.repeats),
            "power": lambda: power(options.repeats),
            "large": lambda: large(options.rows, options.repeats),
        }[what]()


if __name__ == "__main__":
    main()
