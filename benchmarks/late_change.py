"""Streams that were good for long: rows until a change is found, and levels. Cells run apart.

    python3 -m benchmarks.late_change delay --test smmd --change 1 3 8 x2 --row 0 5000 --streams 60
    python3 -m benchmarks.late_change delay --change all0.5 --row 128000 --streams 20 --cap 640
    python3 -m benchmarks.late_change level --test smmd --distribution cauchy constant --streams 500
    python3 -m benchmarks.late_change level --test smmd --reference sorted --mode blocks
    python3 -m benchmarks.late_change runs --test smmd --run-length 500 --streams 200
    python3 -m benchmarks.late_change speed --test smmd

A test is a function of (seed, rows, change, row, options) that gives the verdict and the row of it:
add one to `TESTS`. Stream number k has seed k, the same good rows for every change.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import kstest

REFERENCE = 500
DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=(n, 2)),
    "cauchy": lambda rng, n: rng.standard_cauchy((n, 2)),
    "ties": lambda rng, n: rng.poisson(1.5, (n, 2)).astype(float),
    "constant": lambda rng, n: np.column_stack([rng.normal(size=n), np.full(n, 7.0)]),
}
ORDERS = {
    "random": lambda rng, v: v,
    "sorted": lambda rng, v: v[np.argsort(v[:, 0])],
    "descending": lambda rng, v: v[np.argsort(-v[:, 0])],
    # A walk in value with noise: nearly sorted, both columns.
    "drifting": lambda rng, v: v[np.argsort(v.sum(axis=1) + rng.normal(size=len(v)))],
}


def change(rows, kind):
    """The first column moved by so many sd, `allS`: both, `xF`: scaled by F, `corr`: correlated."""
    if kind.startswith("x"):
        return rows * float(kind[1:])
    if kind.startswith("all"):
        return rows + float(kind[3:])
    out = rows.copy()
    if kind == "corr":
        out[:, 1] = 0.9 * out[:, 0] + np.sqrt(1 - 0.81) * out[:, 1]
    else:
        out[:, 0] += float(kind)
    return out


def smmd(seed, rows, kind, row, options):
    rng = np.random.default_rng(seed)
    distribution = DISTRIBUTIONS[options.distribution_name]
    reference = ORDERS[options.reference](rng, distribution(rng, REFERENCE))
    stream = distribution(rng, rows)
    if kind:
        stream[row:] = change(stream[row:], kind)
    return kstest.smmd(reference, stream, seed=seed, mode=options.mode, threads=1)


TESTS = {"smmd": smmd}


def decided(result):
    """The row of a rejection, 0 without one."""
    return result.explanation["evidence"]["decided_after_row"] or 0


def delay(options):
    """Median delay and its quartiles; streams with a false alarm before the change are left out."""
    options.distribution_name = "normal"
    print(
        f"{'change':>7} {'row':>6} {'streams':>8} {'early':>6} {'missed':>7}  delay: median, 90 %"
    )
    for kind in options.change:
        for row in options.row:
            found = [
                decided(TESTS[options.test](seed, row + options.cap, kind, row, options))
                for seed in range(options.streams)
            ]
            late = [stop - row if stop else np.inf for stop in found if not 0 < stop <= row]
            early, missed = options.streams - len(late), sum(np.isinf(late))
            middle, most = (np.quantile(late, q, method="higher") for q in (0.5, 0.9))
            print(
                f"{kind:>7} {row:>6} {options.streams:>8} {early:>6} {missed:>7}  {middle:.0f}, "
                f"{most:.0f}",
                flush=True,
            )


def level(options):
    """Share of null streams that are ever rejected."""
    for distribution in options.distribution:
        options.distribution_name = distribution
        rejected = sum(
            TESTS[options.test](seed, options.rows, "", 0, options).verdict == "rejected"
            for seed in range(options.first, options.first + options.streams)
        )
        print(
            f"{options.test} {options.mode} {distribution}, reference {options.reference}: "
            f"{rejected} of {options.streams} "
            f" = {rejected / options.streams:.3f} in {options.rows} rows",
            flush=True,
        )


def runs(options):
    """Rows to a false alarm."""
    lengths = []
    for seed in range(options.streams):
        rng = np.random.default_rng(seed)
        reference, stream = rng.normal(size=(REFERENCE, 2)), rng.normal(size=(options.rows, 2))
        found = kstest.smmd(
            reference, stream, detect=True, run_length=options.run_length, seed=seed, threads=1
        )
        lengths.append(found.explanation["detector"]["rows_used"])
    error = np.std(lengths) / np.sqrt(len(lengths))
    print(
        f"run length wanted {options.run_length}: {np.mean(lengths):.0f} +- {error:.0f} rows at "
        f"least ({options.streams} streams of {options.rows} rows)"
    )


def speed(options):
    """Rows per CPU second."""
    options.distribution_name = "normal"
    TESTS[options.test](0, 1000, "", 0, options)
    for rows in (20_000, 100_000):
        start = time.process_time()
        TESTS[options.test](1, rows, "", 0, options)
        print(f"{options.test}: {rows / (time.process_time() - start):,.0f} rows per CPU second")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["delay", "level", "runs", "speed"])
    parser.add_argument("--test", choices=list(TESTS), default="smmd")
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="the first seed of a level")
    parser.add_argument("--change", nargs="+", default=["1", "3", "8", "x2"])
    parser.add_argument("--row", nargs="+", type=int, default=[0, 200, 1000, 5000, 20_000])
    parser.add_argument("--cap", type=int, default=1500, help="rows after a change")
    parser.add_argument(
        "--distribution", nargs="+", choices=list(DISTRIBUTIONS), default=list(DISTRIBUTIONS)
    )
    parser.add_argument("--reference", choices=list(ORDERS), default="random")
    parser.add_argument("--mode", choices=["conformal", "blocks"], default="conformal")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--run-length", type=int, default=500)
    options = parser.parse_args()
    {"delay": delay, "level": level, "runs": runs, "speed": speed}[options.what](options)


if __name__ == "__main__":
    main()
