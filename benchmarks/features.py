"""What landmarks keep of the sum over all pairs, the level with them, and their cost.

    python3 benchmarks/features.py agree [--sets 50] [--rows 10000] [--landmarks 400]
    python3 benchmarks/features.py level [--sets 1000] [--only 'counts 100']
    python3 benchmarks/features.py cost [--rows 100000 1000000]
    python3 benchmarks/features.py independence

agree: both statistics of the same data and permutations, at the bandwidth where the sum over all
pairs stands out most on average: the mean standard score that is kept, and the correlation over
data sets. Bars: kept >= .97, correlation >= .98; a narrow clump in four columns kept >= .80.
level: rejections at .05 of null sets of three distributions and three ratios of rows, 64 landmarks,
beside the 99.9 % band. cost: CPU seconds of the whole test on one thread, ten columns.
independence: CPU seconds of `hsic` on one thread beside the bars.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy import stats

import kstest
from kstest.engine import Work, quadratic_forms
from kstest.kernels import KERNELS, Rows, bandwidth_grid, pair_distances
from kstest.methods.two_samples.effect import Pairs, unbiased_mmd
from kstest.nulls import partition, permuted_labels


def shifted(rng, n):
    y = rng.normal(size=(n, 4))
    y[:, 0] += 0.045
    return rng.normal(size=(n, 4)), y


def correlated(rng, n):
    y = rng.normal(size=(n, 4))
    y[:, 1] = 0.06 * y[:, 0] + np.sqrt(1 - 0.06**2) * y[:, 1]
    return rng.normal(size=(n, 4)), y


def scaled(rng, n):
    return rng.normal(size=(n, 10)), 1.011 * rng.normal(size=(n, 10))


def bumps(rng, n):
    """Uniform against 4 x 4 bumps in both columns."""
    y = rng.uniform(size=(4 * n, 2))
    wave = np.prod(np.sin(8 * np.pi * y), axis=1)
    y = y[rng.uniform(size=4 * n) < (1 + 0.35 * wave) / 2][:n]
    return rng.uniform(size=(n, 2)), y


def clump(d):
    def draw(rng, n):
        y = rng.normal(size=(n, d))
        some = rng.uniform(size=n) < 0.004
        y[some] = 1 + 0.1 * rng.normal(size=(some.sum(), d))
        return rng.normal(size=(n, d)), y

    return draw


CASES = {
    "mean of 1 of 4 columns + .045": shifted,
    "correlation .06, 4 columns": correlated,
    "10 columns x 1.011": scaled,
    "4 x 4 bumps, 2 columns": bumps,
    ".4 % in a clump, 2 columns": clump(2),
    ".4 % in a clump, 4 columns": clump(4),
}


def scores(X, Y, landmarks, seed):
    """Standard scores of every bandwidth, over all pairs and at landmarks, and CPU seconds."""
    rng = np.random.default_rng(seed)
    n, each = len(X), landmarks // 2
    cut = partition(n, n, n // 78, rng, fixed=(each, each))
    rows = Rows.of(np.vstack([X, Y])[cut.order])
    few = rng.choice(len(rows), 500, replace=False)
    grid = bandwidth_grid(KERNELS["gaussian"], pair_distances(rows.values[few], "euclidean"))
    signs = permuted_labels(cut, 499, rng)
    fixed = np.arange(int(cut.starts[cut.movable]), len(rows))
    sides = cut.order[fixed] < n
    chosen = [rng.choice(fixed[s], each, replace=False) for s in (sides, ~sides)]
    marks = rows.take(np.sort(np.concatenate(chosen)))
    out, took = [], []
    for used in (None, marks):
        start = time.process_time()
        if used is None:
            forms = quadratic_forms(rows, cut.starts, signs, [grid], Work(threads=1))
        else:
            from kstest.engine.forms import of_blocks
            from kstest.engine.landmarks import landmark_sums

            table, size = landmark_sums(rows, cut.starts, used, [grid], Work(threads=1))
            forms = of_blocks(table, size, signs)
        T = unbiased_mmd(forms, Pairs.of(cut.starts, signs, None))
        took.append(time.process_time() - start)
        out.append((T[:, 0] - T.mean(axis=1)) / T.std(axis=1))
    return np.array(out), took


def agree(options):
    print(f"{options.rows:,} rows a side, {options.landmarks} landmarks, {options.sets} sets")
    print(f"{'case':32} {'z':>6} {'kept':>6} {'corr':>6} {'CPU s all':>10} {'landmarks':>10}")
    for name, draw in CASES.items():
        found = [
            scores(*draw(np.random.default_rng([7, s]), options.rows), options.landmarks, s)
            for s in range(options.sets)
        ]
        count = min(z.shape[1] for z, _ in found)
        z = np.array([z[:, :count] for z, _ in found])
        best = int(z[:, 0].mean(axis=0).argmax())
        full, few = z[:, 0, best], z[:, 1, best]
        seconds = np.median([took for _, took in found], axis=0)
        kept, corr = few.mean() / full.mean(), np.corrcoef(full, few)[0, 1]
        print(
            f"{name:32} {full.mean():6.2f} {kept:6.2f} {corr:6.2f} "
            f"{seconds[0]:10.2f} {seconds[1]:10.2f}",
            flush=True,
        )


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=(n, 3)),
    "Cauchy": lambda rng, n: rng.standard_cauchy(size=(n, 3)),
    "counts": lambda rng, n: rng.poisson(1.5, size=(n, 3)).astype(float),
}


def level(options):
    low, high = stats.binom.ppf([0.0005, 0.9995], options.sets, 0.05) / options.sets
    print(f"rejected at .05 of {options.sets} null sets; 99.9 % band {low:.3f} to {high:.3f}")
    for distribution, draw in DISTRIBUTIONS.items():
        for m, n in ((640, 640), (320, 960), (100, 10_000)):
            if options.only not in f"{distribution} {m}":
                continue
            count = 0
            for s in range(options.sets):
                rng = np.random.default_rng([11, s, m])
                found = kstest.mmd(
                    draw(rng, m), draw(rng, n), features="64", seed=s, threads=1,
                    scale="robust", permutations=199, explain="none",
                )  # fmt: skip
                count += found.p_value <= 0.05
            print(
                f"{distribution:8} {m:6,d} against {n:6,d}   {count / options.sets:.3f}", flush=True
            )


def cost(options):
    print("CPU seconds of kstest.mmd, ten columns, one thread")
    for n in options.rows:
        rng = np.random.default_rng(0)
        X, Y = rng.normal(size=(n, 10)), rng.normal(size=(n, 10))
        start = time.process_time()
        found = kstest.mmd(X, Y, threads=1, scale="robust")
        took = time.process_time() - start
        print(f"{n:10,d} rows a side: {took:6.2f} s, {found.kernel.get('landmarks', 0)} landmarks")


def independence(options):
    """CPU seconds of kstest.hsic beside the bars."""
    rng = np.random.default_rng(0)

    def rows(n, strength):
        X = rng.normal(size=(n, 4))
        X[:, 2] += strength * (X[:, 0] ** 2 - 1)
        return pd.DataFrame(X, columns=list("abcd"))

    wide = pd.DataFrame(rng.normal(size=(1000, 100))).add_prefix("x")
    one, two = {"x": "a", "y": "c"}, {"x": "a,b", "y": "c,d"}
    cases = (
        ("10,000 rows, 1 + 1 columns", 3, rows(10_000, 0.06), one),
        ("10,000 rows, 2 + 2, --features 64", 3, rows(10_000, 0.06), two | {"features": "64"}),
        ("23,000 rows, 2 + 2", None, rows(23_000, 0.04), two),
        ("8,000 rows, --given", 10, rows(8_000, 0.06), one | {"given": "b"}),
        ("1,000 rows, all pairs of 100", 60, wide, {"all_pairs": True}),
        ("1,000,000 rows, 2 + 2", 120, rows(1_000_000, 0.01), two),
    )
    kstest.hsic(cases[0][2][:2000], **one, threads=1)  # compiles, or loads, what there is
    for name, bar, data, how in cases:
        start = time.process_time()
        found = kstest.hsic(data, **how, threads=1)
        took = time.process_time() - start
        said = f"bar {bar}" if bar else ""
        print(f"{name:36}{took:7.2f} s  p {found.p_value:<6.3g} {said}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    part = commands.add_parser("agree")
    part.add_argument("--sets", type=int, default=50)
    part.add_argument("--rows", type=int, default=10_000)
    part.add_argument("--landmarks", type=int, default=400)
    part.set_defaults(run=agree)
    part = commands.add_parser("level")
    part.add_argument("--sets", type=int, default=1000)
    part.add_argument("--only", default="", help="cells such as 'counts 100'")
    part.set_defaults(run=level)
    part = commands.add_parser("independence")
    part.set_defaults(run=independence)
    part = commands.add_parser("cost")
    part.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    part.set_defaults(run=cost)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
