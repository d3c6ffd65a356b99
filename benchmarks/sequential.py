"""Sequential tests: level, rows until a rejection, speed, run lengths of the detector.

    python3 -m benchmarks.sequential level --streams 500
    python3 -m benchmarks.sequential stops --streams 200
    python3 -m benchmarks.sequential stops --only 'slope .25' circle sine checkerboard 'lation 3'
    python3 -m benchmarks.sequential runs --streams 60 --tests sksd
    python3 -m benchmarks.sequential fits --streams 60
    python3 -m benchmarks.sequential speed --rows 1000000

Every stream has its own seed; tables say how many streams there were. "dependent" is a rejection,
"no verdict" the guard's. Beside them stands the rule of the published implementation of SKIT, see
`skit_rule`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import kstest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import skit_rule
import streams

MODES = {
    "blocks of 16": {},
    "blocks of 8": {"block": 8},
    "pairs, ons": {"mode": "pairs", "bet": "ons"},
    "pairs, mixture": {"mode": "pairs"},
    "pairs, tanh": {"mode": "pairs", "symmetric": "tanh"},
    "published, ons": {"rule": "ons"},
    "published, mixture": {"rule": "mixture"},
}


def outcomes(make, n, count, first=0, rule="", **options):
    """Verdict and row of every stream."""
    found = []
    for seed in range(first, first + count):
        x, y = make(np.random.default_rng(seed), n)
        if rule:
            row = skit_rule.stop(x, y, rule)
            found.append(("rejected" if row else "not rejected", row))
            continue
        result = kstest.skit(x, y, seed=seed, threads=1, **options)
        found.append((result.verdict, result.explanation["evidence"]["decided_after_row"]))
    return found


def share(found, verdict):
    return sum(v == verdict for v, _ in found) / len(found)


def level(args):
    print(f"{args.streams} streams of {args.rows} rows, alpha 0.05: dependent / no verdict")
    names = args.modes or [name for name in MODES if "rule" not in MODES[name]]
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in names))
    for name, make in streams.NULLS.items():
        if args.only and not any(word in name for word in args.only):
            continue
        cells = []
        for mode in names:
            found = outcomes(make, args.rows, args.streams, **MODES[mode])
            cells.append(f"{share(found, 'rejected'):.3f} / {share(found, 'no verdict'):.3f}")
        print(f"{name:<20}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


CASES = {
    "slope .10": (streams.gaussian(0.10), 1024),
    "slope .25": (streams.gaussian(0.25), 1024),
    "slope .50": (streams.gaussian(0.5), 1024),
    "slope 1.0": (streams.gaussian(1.0), 1024),
    **{name: (make, 1024) for name, make in streams.SHAPES.items()},
    "sphere 3": (streams.sphere(3), 2000),
    "sphere 5": (streams.sphere(5), 2000),
    "oscillation 1": (streams.oscillation(1), 2000),
    "oscillation 2": (streams.oscillation(2), 2000),
    "oscillation 3": (streams.oscillation(3), 2000),
}


def stops(args):
    print(f"{args.streams} streams: mean rows until a rejection +- s.e. (power), no verdict")
    names = args.modes or ["blocks of 16", "pairs, mixture", "pairs, ons"]
    names += [] if args.modes else ["published, mixture", "published, ons"]
    print(f"{'':<16}" + "".join(f"{name:>22}" for name in names))
    for name, (make, n) in CASES.items():
        if args.only and not any(word in name for word in args.only):
            continue
        cells = []
        for mode in names:
            found = outcomes(make, n, args.streams, first=10_000, **MODES[mode])
            rows = np.array([row if v == "rejected" else n for v, row in found], float)
            error = rows.std(ddof=1) / np.sqrt(len(rows))
            power, none = share(found, "rejected"), share(found, "no verdict")
            cells.append(f"{rows.mean():.0f} +- {error:.0f} ({power:.2f}) {none:.2f}")
        print(f"{name:<16}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


# Columns, shift of the first one, and scale of all, of rows that are tested against N(0, I).
FITS = (
    (1, 0.0, 1.0),
    (5, 0.0, 1.0),
    (1, 0.3, 1.0),
    (1, 0.5, 1.0),
    (1, 1.0, 1.0),
    (1, 0.0, 1.5),
    (1, 0.0, 0.6),
    (5, 0.5, 1.0),
    (5, 1.0, 1.0),
    (5, 0.0, 1.3),
    (20, 0.5, 1.0),
)


def fits(args):
    print(f"sksd, {args.streams} streams of {args.rows} rows: mean rows until a rejection (share)")
    for d, shift, scale in FITS:
        stops = []
        for seed in range(args.streams):
            x = scale * np.random.default_rng(seed).normal(size=(args.rows, d))
            x[:, 0] += shift
            found = kstest.sksd(x, target="normal(mean=0, sd=1)", threads=1)
            stops.append(found.explanation["evidence"]["decided_after_row"] or np.inf)
        rows = np.minimum(stops, args.rows)
        error, power = rows.std(ddof=1) / np.sqrt(len(rows)), np.isfinite(stops).mean()
        words = f"d {d:>2}, mean + {shift}, scale {scale}"
        print(f"  {words}: {rows.mean():5.0f} +- {error:.0f} ({power:.2f})", flush=True)


def changing(seed, n, change=None, shift=0.5, d=5):
    """Reference and stream; from row `change` on the first column of the stream is shifted."""
    rng = np.random.default_rng(seed)
    reference, stream = rng.normal(size=(n + 100, d)), rng.normal(size=(n, d))
    if change is not None:
        stream[change:, 0] += shift
    return reference, stream


def alarm(test, seed, threshold, n, **change):
    """Rounds, and the row of the alarm with the row where it says that the change began."""
    reference, stream = changing(seed, n, **change)
    options = {"detect": True, "run_length": threshold, "threads": 1}
    if test == "smmd":
        found = kstest.smmd(reference, stream, mode="blocks", seed=seed, **options)
    else:
        found = kstest.sksd(stream, target="normal(mean=0, sd=1)", **options)
    detector = found.explanation["detector"]
    rows = [(a["after_row"], a["probably_began_after_row"]) for a in detector["alarms"]]
    return detector["rounds"], rows[0] if rows else None


# Thresholds with rows of a stream; a round is a block of 12 rows, or a row.
RUNS = {
    "smmd": ((20, 4000), (100, 12_000), (1000, 60_000)),
    "sksd": ((20, 1000), (100, 5000), (1000, 30_000)),
}


def runs(args):
    """Streams that end before an alarm count with their length, so means are from below."""
    for test in args.tests:
        print(f"{test}, {args.streams} streams: mean rounds until a false alarm (without one)")
        for threshold, n in RUNS[test]:
            count = args.streams if threshold < 1000 else max(10, args.streams // 4)
            found = [alarm(test, seed, threshold, n) for seed in range(count)]
            lengths = np.array([b for b, _ in found])
            quiet = np.mean([row is None for _, row in found])
            error = lengths.std(ddof=1) / np.sqrt(count)
            print(
                f"  threshold {threshold:>5}: {lengths.mean():8.0f} +- {error:.0f} ({quiet:.2f}), "
                f"{count} streams",
                flush=True,
            )
        print("mean rows from the change (row 960) to an alarm, and by how many rows the beginning")
        print("that it names is off (median), threshold 100, 1000 and 10000; alarms before")
        for shift in (0.25, 0.5, 1.0):
            cells = [
                delay(test, shift, threshold, args.streams) for threshold in (100, 1000, 10_000)
            ]
            print(f"  mean + {shift}: {'   '.join(cells)}", flush=True)


def delay(test, shift, threshold, count):
    found = [
        alarm(test, seed, threshold, 3000, change=960, shift=shift)[1] or (3000, 0)
        for seed in range(count)
    ]
    late = [(row - 960, abs(began - 960)) for row, began in found if row > 960]
    if not late:
        return f"({count} before)"
    rows, off = np.array(late).T
    error = np.std(rows) / np.sqrt(len(rows))
    return f"{rows.mean():6.0f} +- {error:.0f}, {np.median(off):.0f} ({count - len(late)} before)"


def speed(args):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, args.rows))
    kstest.skit(x[:100], y[:100], threads=1)
    for mode in args.modes or [name for name in MODES if "rule" not in MODES[name]]:
        clock = time.process_time()
        kstest.skit(x, y, threads=1, **MODES[mode])
        seconds = time.process_time() - clock
        print(f"{mode:<16}{seconds:8.1f} s of CPU, {args.rows / seconds:,.0f} rows/s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=["level", "stops", "fits", "runs", "speed"])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=[], help="cases whose name holds one")
    parser.add_argument("--modes", nargs="*", choices=list(MODES))
    parser.add_argument("--tests", nargs="*", choices=list(RUNS), default=list(RUNS))
    args = parser.parse_args()
    tables = {"level": level, "stops": stops, "fits": fits, "runs": runs, "speed": speed}
    tables[args.table](args)


if __name__ == "__main__":
    main()
