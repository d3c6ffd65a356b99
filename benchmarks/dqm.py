"""Data quality monitoring: level, power, analytic distribution, speed.

    python3 benchmarks/dqm.py one-dimension [--null 300] [--signal 100]
    python3 benchmarks/dqm.py power [--null 300] [--references 10] [--sizes 250,500,1000]
    python3 benchmarks/dqm.py level [--calibrations 200] [--batches 5] [--cells 100/10,500/4]
    python3 benchmarks/dqm.py analytic [--calibrations 200] [--batches 5] [--cells 100/10,500/4]
    python3 benchmarks/dqm.py speed [--toys 20] [--large]
    python3 benchmarks/dqm.py falkon [--sizes 250,500,1000]

All run on one thread and are seeded. `one-dimension` repeats the benchmark of Letizia et al. (2022,
section 4.1) from its formulas; published values in brackets. `power` counts rejections at 5 % on
drift-tube events beside a Kolmogorov-Smirnov test per variable, with Bonferroni's correction.
`level` counts rejections of good batches over fresh references and pools, by toys and by the
analytic distribution; `analytic` compares that distribution with toys.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import chi2, ks_2samp, norm

from kstest.datasets.drift_tubes import make
from kstest.dqm import calibrate
from kstest.dqm.settings import RIDGE
from kstest.engine import Work
from kstest.engine.work import single_blas
from kstest.inputs.batches import calibrated, from_objects
from kstest.kernels import Rows
from kstest.likelihood_ratio import (
    Pool,
    Reference,
    choose_centres,
    draw_indices,
    null_distribution,
    nystrom,
    toy_statistics,
)
from kstest.sources import ReadOptions

ONE = Work(threads=1)
TIMES = ("t1", "t2", "t3", "t4", "theta")
FAULTS = {
    "threshold 75 %": {"threshold": 0.75},
    "threshold 50 %": {"threshold": 0.5},
    "threshold 25 %": {"threshold": 0.25},
    "cathode 75 %": {"cathode": 0.75},
    "cathode 50 %": {"cathode": 0.5},
    "cathode 25 %": {"cathode": 0.25},
}


def batches_of(make_one, count):
    """Batches one after the other, and the places of each."""
    parts = [make_one() for _ in range(count)]
    ends = np.cumsum([0, *map(len, parts)])
    index = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    return np.concatenate(parts), index


def one_dimension(options):
    """Exponential reference 8 exp(-8 x), 200,000 rows; batches of Poisson(2000) events."""
    N, rows, ridge = 2000.0, 200_000, 1e-10 * 202_000 / 4000
    signals = {
        "Gaussian at 0.8, 10 events": (2.43, lambda: rng.normal(0.8, 0.02, rng.poisson(10))),
        "Gaussian at 0.2, 90 events": (2.82, lambda: rng.normal(0.2, 0.02, rng.poisson(90))),
        "256 x^2 exp(-8x), 90 events": (3.04, lambda: rng.gamma(3, 1 / 8, rng.poisson(90))),
    }
    rng = np.random.default_rng(options.seed)
    start = time.process_time()
    X = Rows.of(rng.exponential(1 / 8, (rows, 1)))
    centres = choose_centres(X, options.centres, options.rule, rng)
    side = Reference.of(X, None, centres, nystrom(centres, [0.3], options.cut), ONE)
    print(f"rank {side.features[0].rank}, prepared in {time.process_time() - start:.1f} CPU s")

    def values(make_one, count):
        x, index = batches_of(make_one, count)
        clock = time.process_time()
        pool = Pool(Rows.of(x[:, None]))
        t = toy_statistics(side, pool, index, N, ridge, "extended", False, ONE)[0]
        return t, 1000 * (time.process_time() - clock) / count

    def good():
        return rng.exponential(1 / 8, rng.poisson(N))

    t, ms = values(good, options.null)
    mean, error = t.mean(), t.std() / np.sqrt(len(t))
    print(f"null mean {mean:.2f} +- {error:.2f} [9.58], {ms:.1f} CPU ms a toy [2,110 ms on a GPU]")
    for name, (published, signal) in signals.items():
        t, ms = values(lambda signal=signal: np.concatenate([good(), signal()]), options.signal)
        z = norm.isf(chi2.sf(t, mean))
        low, median, high = np.quantile(z, [0.16, 0.5, 0.84])
        print(
            f"{name:<28} median Z {median:.2f} ({low:.2f} to {high:.2f}) [{published}], {ms:.1f} ms"
        )


def drift(n, rng, **fault):
    table = make(n, rng, **fault)
    return np.stack([table[name] for name in TIMES], axis=1)


def calibration(reference, pool, seed=0, **given):
    """Calibrate from arrays."""
    data = {"reference": reference, "pool": pool}
    params = calibrate.Params(seed=seed, **given)
    return calibrated(data, params, ReadOptions(), from_objects, ONE)


def scaled(known, x):
    return Rows.of((x - np.array(known.layout.mean)) / np.array(known.layout.sd))


def power(options):
    """Rejections at 5 %: several widths with the defaults, and KS per variable."""
    for size in map(int, options.sizes.split(",")):
        found = {name: [] for name in ("good", *FAULTS)}
        for run in range(options.references):
            rng = np.random.default_rng([options.seed, size, run])
            reference, pool = drift(2000, rng), drift(20 * size, rng)
            known = calibration(reference, pool, run, batch_size=str(size), toys=options.null)
            for name, rows in found.items():
                batches = [drift(size, rng, **FAULTS.get(name, {})) for _ in range(options.batches)]
                clock = time.process_time()
                ours = [scaled(known, b) for b in batches]
                scores = known.scores(ours, [None] * len(batches), 0, ONE)
                ms = 1000 * (time.process_time() - clock) / len(batches)
                single = [
                    min(ks_2samp(reference[:, j], b[:, j]).pvalue for j in range(5)) <= 0.01
                    for b in batches
                ]
                rows.append((np.mean([s.p_value <= 0.05 for s in scores]), np.mean(single), ms))
        print(f"{size} events, {options.references} references of 2,000, {options.null} toys, ")
        for name, rows in found.items():
            mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0) / np.sqrt(len(rows))
            print(
                f"  {name:<15} dqm {mean[0]:.3f} +- {spread[0]:.3f}  KS {mean[1]:.3f} +- "
                f"{spread[1]:.3f}  {mean[2]:.1f} CPU ms",
                flush=True,
            )


def level(options):
    """Rejections of good batches; standard errors over calibrations."""
    print("events/rows    level   toys            analytic distribution")
    for cell in options.cells.split(","):
        size, ratio = map(int, cell.split("/"))
        p, tails = [], []
        for run in range(options.calibrations):
            rng = np.random.default_rng([options.seed, size, ratio, run])
            reference, pool = drift(size * ratio, rng), drift(20 * size, rng)
            known = calibration(reference, pool, run, batch_size=str(size), toys=options.null)
            rows = [scaled(known, drift(size, rng)) for _ in range(options.batches)]
            scores = known.scores(rows, [None] * len(rows), 0, ONE)
            p.append([s.p_value for s in scores])
            tails.append([s.analytic for s in scores])
        for alpha in (0.01, 0.05, 0.2):
            shares = [(np.array(x) <= alpha).mean(axis=1) for x in (p, tails)]
            cells = [f"{s.mean():.3f} +- {s.std() / np.sqrt(len(s)):.3f}" for s in shares]
            print(f"{size:>5}/{size * ratio:<8} {alpha:>5}   {cells[0]}  {cells[1]}", flush=True)


def analytic(options):
    """Share of toys beyond quantiles of the analytic distribution of one width, fresh
    references."""
    print("events/rows      width   mean toys/distribution   beyond 10 %     1 %      0.1 %")
    for cell in options.cells.split(","):
        size, ratio = map(int, cell.split("/"))
        for width in (2.7, 4.5):
            t, distributions = [], []
            for run in range(options.calibrations):
                rng = np.random.default_rng([options.seed, size, ratio, run])
                X = drift(size * ratio, rng)
                mean, sd = X.mean(axis=0), X.std(axis=0)
                rows = Rows.of((X - mean) / sd)
                centres = choose_centres(rows, 200, "uniform", rng)
                with single_blas():
                    side = Reference.of(rows, None, centres, nystrom(centres, [width], 1e-12), ONE)
                    ridge = RIDGE
                    distributions.append(
                        null_distribution(
                            side.grams[0], side.means[0], size, 2 * size * ridge, len(X)
                        )
                    )
                pool = Pool(Rows.of((drift(size * options.batches, rng) - mean) / sd))
                index, _ = draw_indices(pool, "disjoint", size, options.batches, False, rng)
                t.append(toy_statistics(side, pool, index, None, ridge, "extended", False, ONE)[0])
            tails = np.array(
                [
                    distribution.log_tails(x)
                    for distribution, x in zip(distributions, t, strict=True)
                ]
            )
            beyond = [(tails <= np.log(a)).mean() for a in (0.1, 0.01, 0.001)]
            means = f"{np.mean(t):.1f}/{np.mean([one.mean for one in distributions]):.1f}"
            shares = "".join(f"{100 * share:9.2f} %" for share in beyond)
            print(f"{size:>5}/{size * ratio:<9}{width:>7}{means:>16}  {shares}", flush=True)


def speed(options):
    """CPU time of a calibration and of a batch with the defaults."""
    for rows, size in [(2000, 500), (100_000, 5000)] if options.large else [(2000, 500)]:
        rng = np.random.default_rng(options.seed)
        table = [make(n, rng) for n in (rows, 20 * size, size)]
        reference, pool, batch = (np.stack(list(x.values()), axis=1) for x in table)
        start = time.process_time(), time.perf_counter()
        known = calibration(reference, pool, batch_size=str(size), toys=options.toys)
        cpu, wall = time.process_time() - start[0], time.perf_counter() - start[1]
        best = np.inf
        for _ in range(3):
            clock = time.process_time()
            known.scores([scaled(known, batch)], [None], 0, ONE)
            best = min(best, time.process_time() - clock)
        print(
            f"reference {rows:,}, batch {size:,}, 6 columns: {options.toys:,} toys in {cpu:.1f} "
            f"CPU s ({wall:.1f} s wall), a batch {1000 * best:.0f} CPU ms"
        )


def falkon(options):
    """The one-step fit beside the same step by conjugate gradients, as Falkon takes it.

    First t with the same centres and penalty, beside naive code that iterates to the end. Then
    the time of a fit: Falkon's algorithm with published settings, 2,000 centres and lambda 1e-7,
    and with 200 and 1e-6, beside a fit of ours with 200 centres and the same lambda, after
    the reference was prepared (once) and with preparing it for this one fit.
    """
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import conjugate_gradients
    import naive

    rng = np.random.default_rng(options.seed)
    X = drift(2000, rng)
    mean, sd = X.mean(axis=0), X.std(axis=0)
    rows = Rows.of((X - mean) / sd)

    def prepared(count, penalty, size):
        centres = choose_centres(rows, count, "uniform", np.random.default_rng(1))
        side = Reference.of(rows, None, centres, nystrom(centres, [4.5], 1e-14), ONE)
        return side, penalty * (2000 + size) / (2 * size)

    def ours(side, ridge, Y):
        index = [np.arange(len(Y))]
        return toy_statistics(side, Pool(Rows.of(Y)), index, None, ridge, "extended", False, ONE)

    for size in map(int, options.sizes.split(",")):
        Y = (drift(size, rng, cathode=0.75) - mean) / sd
        with single_blas():
            for count in (100, 200):
                side, ridge = prepared(count, 1e-6, size)
                t = ours(side, ridge, Y)[0, 0]
                peer = naive.falkon(rows.values, Y, side.centres.values, 4.5, 1e-6, size / 2000)
                share = 100 * (t / peer - 1)
                both = f"t {t:.3f}, naive {peer:.3f} ({share:+.3f} %)"
                print(f"{size:>5} events, {count} centres: {both}")
            for count, penalty in ((2000, 1e-7), (200, 1e-6)):
                cold, (side, ridge) = _cpu(lambda p=penalty, n=size: prepared(200, p, n), 1)
                again, t = _cpu(lambda s=side, r=ridge, y=Y: ours(s, r, y), 10)
                centres = rows.take(np.random.default_rng(1).permutation(2000)[:count]).values
                args = (rows.values, Y, centres, 4.5, penalty, size / 2000)
                theirs, (peer, steps) = _cpu(lambda a=args: conjugate_gradients.fit(*a), 2)
                print(
                    f"{size:>5} events, lambda {penalty:g}: {count} centres by {steps} conjugate "
                    f"gradients t {peer:.2f}, {1000 * theirs:.0f} CPU ms; ours, 200 centres, "
                    f"t {t[0, 0]:.2f}, {1000 * again:.1f} CPU ms, {theirs / again:.0f}x (with the "
                    f"reference {1000 * (cold + again):.0f} ms, {theirs / (cold + again):.1f}x)",
                    flush=True,
                )


def _cpu(call, times):
    """Smallest CPU time of several calls, and what the last one returned."""
    best = np.inf
    for _ in range(times):
        clock = time.process_time()
        found = call()
        best = min(best, time.process_time() - clock)
    return best, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=list(RUNS))
    parser.add_argument("--null", type=int, default=300, help="toys")
    parser.add_argument("--signal", type=int, default=100, help="batches with a signal")
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--references", type=int, default=10)
    parser.add_argument("--calibrations", type=int, default=200)
    parser.add_argument("--sizes", default="500")
    parser.add_argument("--cells", default="100/10,500/4")
    parser.add_argument("--centres", type=int, default=100)
    parser.add_argument("--rule", default="kmeans++", help="how centres are chosen")
    parser.add_argument("--cut", type=float, default=1e-14)
    parser.add_argument("--toys", type=int, default=1000)
    parser.add_argument(
        "--large", action="store_true", help="speed: also 100,000 rows, a minute or two"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    RUNS[options.what](options)


RUNS = {
    "one-dimension": one_dimension,
    "power": power,
    "level": level,
    "analytic": analytic,
    "speed": speed,
    "falkon": falkon,
}

if __name__ == "__main__":
    main()
