"""How close the engine is to the yardstick, and what a second thread brings.

    python3 benchmarks/engine.py [--n 16384] [--repeat 3]

Prints giga-pairs per CPU second on one thread for the yardstick and for the engine's block sums
(of 32 blocks, squares included), their ratio, and the wall-clock gain of two threads; then sums by
Fourier series beside the sweep over pairs, for one and two columns; then the whole test `mmd` at
n = m = 16,384, d = 10, 999 permutations, against the yardstick for as many bandwidths; then row
permutations at n = m = 2,000; then growth in n and d. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import yardstick

import kstest
from kstest.engine import Work, block_sums, blocks, fourier, single_blas
from kstest.kernels import KERNELS, BandwidthGrid, Rows, bandwidth_grid, pair_distances

# Bandwidths of the default grid for normal rows.
DEFAULT = {1: 15, 2: 11, 10: 8, 50: 6}


def engine_run(n, d, bandwidths, threads):
    """Block sums of n rows, as a function of no argument."""
    rows = np.random.default_rng(0).normal(size=(n, d))
    widths = tuple(3.0 * np.sqrt(d) / 2 ** (i / 2) for i in range(bandwidths))
    grid = BandwidthGrid(KERNELS["gaussian"], widths, squaring=True)
    starts = np.arange(0, n + 1, n // 32)
    return lambda: block_sums(rows, starts, [grid], Work(threads=threads), squares=bandwidths > 1)


def in_turns(runs, repeat, clock):
    """Seconds of the fastest of a few runs of each, one after the other, so that all meet the
    same moods of a shared machine."""
    best = dict.fromkeys(runs, np.inf)
    for _ in range(repeat):
        for name, run in runs.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best


def sweep_table(n, repeat):
    print("giga-pairs per CPU second, one thread; bar: ratio >= 0.80, two threads >= 1.8; what")
    print("the second core brings the yardstick, of which each of two threads runs all")
    print(
        f"{'d':>5} {'bandwidths':>10} {'yardstick':>10} {'engine':>8} {'ratio':>6}"
        f" {'2 threads':>10} {'2 yardsticks':>13}"
    )
    for d in (1, 2, 10, 50):
        for bandwidths in (1, 10, DEFAULT[d]):
            pairs = n**2 / 2 / 1e9
            limit = yardstick.prepared(n, d, bandwidths)
            one, two = (engine_run(n, d, bandwidths, threads) for threads in (1, 2))
            cpu = in_turns({"limit": limit, "one": one}, 2 * repeat, time.process_time)
            wall = in_turns(
                {"one": one, "two": two, "limit": limit, "both": lambda f=limit: yardstick.both(f)},
                repeat,
                time.perf_counter,
            )
            print(
                f"{d:5d} {bandwidths:10d} {pairs / cpu['limit']:10.3f} {pairs / cpu['one']:8.3f} "
                f"{cpu['limit'] / cpu['one']:6.2f} {wall['one'] / wall['two']:9.2f}x "
                f"{2 * wall['limit'] / wall['both']:12.2f}x",
                flush=True,
            )


def series_table(repeat):
    print("\nblock sums of 128 blocks, default bandwidths, one thread, CPU seconds; error: largest")
    print("of a block sum against float64 (at 4,000 rows), of the sweep and of the series")
    print(f"{'d':>5} {'rows':>9} {'sweep':>8} {'series':>8} {'gain':>6} {'errors':>18}")
    for d in (1, 2):
        for n in (4_000, 40_000, 400_000):
            rows = np.random.default_rng(1).normal(size=(n, d))
            grid = bandwidth_grid(KERNELS["gaussian"], pair_distances(rows[:500], "euclidean"))
            starts = np.linspace(0, n, 129).astype(np.int64)
            work, found = Work(threads=1), {}

            def sums(way, rows=rows, starts=starts, grid=grid, work=work, found=found):
                with single_blas():
                    if way == "series":
                        found[way] = fourier.fourier_sums(Rows.of(rows), starts, grid, work)[0]
                    else:
                        found[way] = block_sums(rows, starts, [grid], work).blocks

            series = yardstick.best(lambda: sums("series"), repeat)
            sweep = yardstick.best(lambda: sums("sweep"), repeat) if n < 100_000 else np.nan
            errors = ""
            if n == 4_000:
                steps, blocks.NUMPY_STEPS = blocks.NUMPY_STEPS, np.inf
                exact = block_sums(rows, starts, [grid], work).blocks
                blocks.NUMPY_STEPS = steps
                errors = "  ".join(
                    f"{np.abs(found[way] / exact - 1)[exact > 0].max():.1e}"
                    for way in ("sweep", "series")
                )
            print(f"{d:5d} {n:9,d} {sweep:8.3f} {series:8.3f} {sweep / series:6.1f} {errors:>18}")


def mmd_seconds(n, d, repeat, threads, clock, **options):
    rng = np.random.default_rng([2024, n, d])
    X, Y = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    Y[:, 0] += 0.15
    results = []

    def run():
        results.append(kstest.mmd(X, Y, threads=threads, **options))

    took = yardstick.best(run, repeat, clock)
    return took, len(results[0].kernel["bandwidths"])


def whole_tests(repeat):
    print("\nwhole test, n = m = 16,384, d = 10, 999 permutations; bar of one geometry: at most 2x")
    limit = 0.0
    for scale in ("robust", "auto"):
        took, bandwidths = mmd_seconds(16_384, 10, repeat, 1, time.process_time, scale=scale)
        limit = limit or yardstick.seconds(32_768, 10, bandwidths, repeat=repeat)
        print(
            f"--scale {scale}: {took:.2f} s against {limit:.2f} s of the yardstick for the "
            f"bandwidths of robust: {took / limit:.2f}x (CPU)"
        )
    print("\nrow permutations, n = m = 2,000, d = 10, 999 permutations (wall, all threads)")
    for bandwidth, bar in (("median", 0.3), ("aggregate", 2.0)):
        took, bandwidths = mmd_seconds(
            2_000, 10, repeat, None, time.perf_counter, permute="rows", bandwidth=bandwidth
        )
        print(f"{bandwidth:>10}: {took:.2f} s for {bandwidths} bandwidths; bar: under {bar} s")


def growth(repeat):
    print("\ngrowth (wall, all threads, default statistic)")
    print(f"{'n = m':>8} {'d':>6} {'bandwidths':>6} {'seconds':>8}")
    for n, d in ((500, 10), (2_000, 10), (8_000, 10), (32_000, 10), (8_000, 1), (8_000, 50),
                 (8_000, 200), (1_000, 10_000)):  # fmt: skip
        took, bandwidths = mmd_seconds(n, d, repeat, None, time.perf_counter)
        print(f"{n:8,d} {d:6,d} {bandwidths:6d} {took:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=16_384)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    chosen, steps = blocks._suits_series, blocks.NUMPY_STEPS
    blocks.NUMPY_STEPS = 0  # measure the compiled sweep at every size
    blocks._suits_series = lambda *a: False
    sweep_table(options.n, options.repeat)
    series_table(options.repeat)
    blocks._suits_series, blocks.NUMPY_STEPS = chosen, steps
    whole_tests(options.repeat)
    growth(options.repeat)


if __name__ == "__main__":
    main()
