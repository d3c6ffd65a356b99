"""What other packages answer, beside kstest, on the same data and in one run.

    python3 benchmarks/peers.py --setup DIR --only river frouros dcor scikit-learn
    python3 benchmarks/peer_tables.py streams --peers DIR [--sets 100] [--limit 10]
    python3 benchmarks/peer_tables.py dependence --peers DIR
    python3 benchmarks/peer_tables.py column --peers DIR

streams     false alarms of detectors on null streams of 10,000 rows, and delays after a change at
            row 5,000. Of kstest, `smmd` and `smmd --detect` have a reference of 1,000 rows, `sksd`
            the true density; the peers learn from the stream alone.
dependence  distance covariance by dcor's O(n log n) sums, permuted; dcor's t test; kstest hsic.
column      scipy's ks_2samp and energy distance, random features; kstest ks and mmd.

CPU seconds on one thread, imports and compilation not counted. A cell ends after --limit CPU
seconds, so slow packages see fewer sets; the table says how many.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
CHILD = Path(__file__).with_name("peer_answers.py")


def ask(kind, name, data, options, home=None):
    """Answers of one package, in the environment `home` of its own (none: kstest, this one)."""
    python = options.peers / home / "bin" / "python" if home else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, **data)
        done = subprocess.run(
            [python, CHILD, kind, name, path, str(options.limit)],
            env=os.environ | dict.fromkeys(THREADS, "1"),
            capture_output=True,
            text=True,
        )
    lines = done.stdout.strip().splitlines()
    if not lines:
        return {"answers": [], "seconds": [], "failed": done.stderr.strip().splitlines()[-1][:70]}
    return json.loads(lines[-1])


ROWS, CHANGE = 10_000, 5_000


def memory(rng, n):
    """Autoregression of coefficient .5, variance 1."""
    values = rng.normal(size=n + 100) * np.sqrt(0.75)
    for row in range(1, len(values)):
        values[row] += values[row - 1] / 2
    return values[100:]


NULLS = {
    "uniform": lambda rng, n: rng.random(n),
    "normal": lambda rng, n: rng.normal(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "memory .5": memory,
    "errors .2": lambda rng, n: (rng.random(n) < 0.2).astype(float),
}
CHANGES = {  # of rows after the change
    "normal + .5": ("normal", lambda v: v + 0.5),
    "normal + 1": ("normal", lambda v: v + 1),
    "normal x 2": ("normal", lambda v: v * 2),
    "uniform + .2": ("uniform", lambda v: v + 0.2),
    "errors .2 to .3": (
        "errors .2",
        lambda v: np.maximum(v, np.random.default_rng(9).random(len(v)) < 0.125),
    ),
}
DETECTORS = [
    *(("stream", name, None) for name in ("smmd", "smmd --detect", "sksd")),
    *(("river", name, "river") for name in ("ADWIN", "KSWIN", "PageHinkley")),
    *(("river", name, "river") for name in ("DDM", "EDDM", "HDDMA", "HDDMW")),
    *(("frouros", name, "frouros") for name in ("ADWIN", "KSWIN", "PageHinkley", "CUSUM")),
    ("frouros", "GeometricMovingAverage", "frouros"),
]
SLOW, FEW = "KSWIN", 3  # a stream of it takes as long as ten of the others
BINARY = {"DDM", "EDDM", "HDDMA", "HDDMW"}  # of errors of a model, 0 or 1


def made(law, sets, change=None):
    """Streams and references of one law."""
    found = {"stream": [], "reference": []}
    for seed in range(sets):
        rng = np.random.default_rng([7, seed])
        stream, reference = NULLS[law](rng, ROWS), NULLS[law](rng, 1000)
        if change is not None:
            stream[CHANGE:] = change(stream[CHANGE:])
        found["stream"].append(stream)
        found["reference"].append(reference)
    return {name: np.array(rows) for name, rows in found.items()}


def suits(name, law):
    if name in BINARY:
        return law.startswith("errors")
    return name != "sksd" or law == "normal"


def null_cell(told):
    alarms = [len(rows) for rows in told["answers"]]
    speed = ROWS * len(alarms) / sum(told["seconds"])
    return (
        f"{np.mean(np.array(alarms) > 0):.2f} of {len(alarms)}, {np.mean(alarms):.1f} a stream, "
        f"{speed:,.0f} rows/s"
    )


def change_cell(told):
    before = np.mean([any(row < CHANGE for row in rows) for rows in told["answers"]])
    after = [min((r for r in rows if r >= CHANGE), default=np.inf) for rows in told["answers"]]
    delay = np.median(after) - CHANGE
    delay = f"{delay:,.0f}" if np.isfinite(delay) else "none"
    return (
        f"found {np.isfinite(after).mean():.2f} of {len(after)}, median delay {delay}, "
        f"alarm before {before:.2f}"
    )


def streams(options):
    cases = [(law, law, None) for law in NULLS]
    cases += [(name, law, change) for name, (law, change) in CHANGES.items()]
    for case, law, change in cases:
        if options.only and not any(word in case for word in options.only):
            continue
        print(f"\n{case}, {ROWS:,} rows" + (f", change at {CHANGE:,}" if change else ""))
        data = made(law, options.sets if change is None else min(options.sets, 40), change)
        for kind, name, home in DETECTORS:
            if not suits(name, law):
                continue
            some = {k: rows[: FEW if name == SLOW else None] for k, rows in data.items()}
            told = ask(kind, name, some, options, home)
            cell = null_cell if change is None else change_cell
            text = cell(told) if told["answers"] else "refused: " + told["failed"]
            print(f"  {home or 'kstest':8} {name:24} {text}", flush=True)


def circle(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.cos(angle) + rng.normal(size=n) * 0.4, np.sin(angle) + rng.normal(size=n) * 0.4


def line(rng, n):
    x = rng.normal(size=n)
    return x, 0.07 * x + rng.normal(size=n)


def wave(rng, n):
    x = rng.uniform(-np.pi, np.pi, n)
    return x, np.sin(3 * x) * 0.6 + rng.normal(size=n)


def square(rng, n):
    x = rng.normal(size=n)
    return x, 0.1 * x**2 + rng.normal(size=n)


def none(rng, n):
    return rng.normal(size=n), rng.normal(size=n)


def shifted(rng, n):
    return rng.normal(size=n), rng.normal(size=n) + 0.12


def wider(rng, n):
    return rng.normal(size=n), rng.normal(size=n) * 1.15


def bumps(rng, n):
    """Uniform numbers, and some of density 1 + .3 sin(8 pi y)."""
    y = rng.random(4 * n)
    return rng.random(n), y[rng.random(4 * n) * 1.3 < 1 + 0.3 * np.sin(8 * np.pi * y)][:n]


def tails(rng, n):
    return rng.normal(size=n), rng.standard_t(4, n) / np.sqrt(2)


TABLES = {
    "dependence": (
        [
            ("hsic", None),
            ("dcor, O(n log n), permuted", "dcor"),
            ("dcor t test", "dcor"),
        ],
        (none, line, square, wave, circle),
        (1_000, 10_000, 100_000),
    ),
    "column": (
        [
            ("ks", None),
            ("ks --statistic energy", None),
            ("mmd", None),
            ("random features", "scikit-learn"),
            ("scipy ks_2samp", "scikit-learn"),
            ("scipy energy, permuted", "scikit-learn"),
        ],
        (none, shifted, wider, bumps, tails),
        (1_000, 10_000, 100_000, 1_000_000),
    ),
}


def pairs(options):
    """Rejections at .05 of 1,000 rows, then CPU seconds of one set at several sizes."""
    tests, cases, sizes = TABLES[options.table]
    sizes = [n for n in sizes if n <= options.rows]

    def data(make, n, sets):
        both = [make(np.random.default_rng([11, n, seed]), n) for seed in range(sets)]
        return {"x": np.array([x for x, _ in both]), "y": np.array([y for _, y in both])}

    names = "".join(f"{make.__name__:>14}" for make in cases)
    print(f"{'1,000 rows, at .05':28}{names}   CPU s of one test by rows {sizes}")
    for name, home in tests:
        if options.only and not any(word in name for word in options.only):
            continue
        cells, times = [], []
        for make in cases:
            told = ask(options.table, name, data(make, 1_000, options.sets), options, home)
            found = np.array(told["answers"])
            cells.append(f"{np.mean(found <= 0.05):.2f} of {len(found)}" if len(found) else "-")
        for n in sizes:
            told = ask(options.table, name, data(none, n, 1), options, home)
            times.append(f"{told['seconds'][0]:.3g}" if told["seconds"] else told["failed"][:40])
            if not told["seconds"] or told["seconds"][0] > options.limit:
                break
        print(f"{name:28}" + "".join(f"{c:>14}" for c in cells), "  ", ", ".join(times), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=["streams", *TABLES])
    parser.add_argument("--peers", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", type=int, default=100, help="data sets a case")
    parser.add_argument("--limit", type=float, default=10, help="CPU seconds a cell")
    parser.add_argument("--rows", type=int, default=1_000_000, help="largest size that is timed")
    parser.add_argument("--only", nargs="*", help="cases of streams, or tests, by words")
    options = parser.parse_args()
    options.peers = options.peers.absolute()
    streams(options) if options.table == "streams" else pairs(options)


if __name__ == "__main__":
    main()
