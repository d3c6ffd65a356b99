"""Damaged files of every format: what is read of them, held against what was written.

    python3 benchmarks/fuzz_values.py [--count 5000] [--seed 0] [--only NAME ...] [--seconds 900]

Files are those of `tests/test_round_trips.py`, each mutated in its bytes as by `fuzz.py`. They are
read within a worker process, also those of formats that are read in a process of their own, whose
limit of memory they get here; the worker at which a case hangs or dies is ended and replaced.

Counted by format: files that are refused; accepted ones with the same rows, with the same number of
rows of which at most eight cells differ, and others. A byte of a value changes the value where no
checksum says otherwise, and a byte of text may change everything after it: this is no fault.
Faults are other exceptions than those for users, deaths, hangs of more than 20 s, more than 1 GB of
memory (of a format read in this process), and other values where a checksum covers them.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fuzz import MEMORY, PATIENCE, mutated

# All values are under a checksum, though not their names: compressed files, and archives.
CHECKED = (".gz", ".bz2", ".xz", ".zip", ".npz", ".xlsx")
FEW = 8  # cells
BUDGET = 512 << 20  # of a format that is read in a process of its own


def names():
    from tests.test_round_trips import FILES

    return [name for name in FILES if name not in ("t.zarr", "t.db")]


def content_of(name, folder):
    """A good file, or None where a library is missing."""
    import pytest

    from tests.test_round_trips import FILES, table_without, written

    path = folder / name
    try:
        written(name, table_without(FILES[name][1]), path)
    except (ImportError, pytest.skip.Exception):
        return None
    return path.read_bytes()


def read(path):
    from kstest.sources import ReadOptions, read_samples

    return read_samples({"r": [str(path)]}, ReadOptions(missing="indicator"))[0][0]


def together():
    """Read formats of other processes in this one; returns their names."""
    from kstest.sources import formats, isolated
    from kstest.sources.arrow_file import guarded

    def opened_here(opened, found):
        load = found.load()
        return guarded(opened.label, lambda: load(opened))

    isolated.open_isolated = opened_here
    return tuple(e for f in formats.FORMATS if f.isolated for e in f.extensions)


def outcome(found, wanted):
    """How the rows of a damaged file differ from those that were written."""
    from tests.test_round_trips import digest

    if digest(found) == digest(wanted):
        return "same"
    alike = (found.columns, found.categorical) == (wanted.columns, wanted.categorical)
    if not alike or found.n != wanted.n:
        return "other"

    def words(sample, j):
        return np.array([*sample.levels[j], None], object)[sample.codes[:, j]]

    cells = int((found.values.view(np.int64) != wanted.values.view(np.int64)).sum())
    cells += sum(
        int((words(found, j) != words(wanted, j)).sum()) for j in range(len(found.categorical))
    )
    return "few cells" if cells <= FEW else "many cells"


def work(seed, start, stop, only):
    """Read files, with a line before and after each."""
    from kstest.errors import KstestError

    warnings.simplefilter("ignore")
    report = os.fdopen(os.dup(1), "w")
    apart = together()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        folder = Path(place)
        good = {n: c for n in only or names() if (c := content_of(n, folder)) is not None}
        wanted = {name: read(folder / name) for name in good}
        every = [*good]
        for number in range(start, stop):
            name = every[number % len(every)]
            path = folder / f"case.{name.partition('.')[2]}"
            path.write_bytes(mutated(good[name], random.Random(f"{seed} {number}")))
            print("begin", number, name, file=report, flush=True)
            isolated = name.endswith(apart)
            if isolated:
                _limit(BUDGET)
            begun, error = time.process_time(), ""
            try:
                said = outcome(read(path), wanted[name])
            except KstestError:
                said = "refused"
            except MemoryError:
                said = "refused" if isolated else "exception"
            except BaseException:
                said, error = "exception", traceback.format_exc()[-1500:]
            _limit(None)
            seconds = time.process_time() - begun
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            told = {"said": said, "error": error, "seconds": seconds}
            told["memory"] = 0 if isolated else most
            print("end", number, json.dumps(told), file=report, flush=True)
            if told["memory"] > MEMORY:
                return


def _limit(more):
    """Limit what this process may add to its memory, or take the limit away."""
    if more is None:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
        return
    with open("/proc/self/status") as status:
        used = next(int(x.split()[1]) << 10 for x in status if x.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + more, resource.RLIM_INFINITY))


def trial(seed, count, only, seconds, patience=PATIENCE):
    """Run cases in workers; returns how often what was seen by format, and the faults."""
    counts, faults, number = collections.Counter(), [], 0
    ends = time.monotonic() + seconds
    while number < count and time.monotonic() < ends:
        words = ["--work", str(number), "--count", str(count), "--seed", str(seed)]
        worker = subprocess.Popen(
            [sys.executable, __file__, *words, "--only", *only],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        number = _watched(worker, number, counts, faults, ends, patience)
    return counts, faults, number


def _watched(worker, number, counts, faults, ends, patience):
    """Read the lines of a worker; returns the first case that is left to do."""
    name, pending, begun = "", b"", False
    while time.monotonic() < ends:
        waited = patience * 5 if begun else 600
        ready = select.select([worker.stdout], [], [], waited)[0]
        data = os.read(worker.stdout.fileno(), 1 << 16) if ready else b""
        if not data:
            worker.kill()
            code = worker.wait()
            if not begun:
                raise RuntimeError(f"a worker ended with {code} before its first case")
            if name:
                faults.append((number, name, "hang" if not ready else f"end {code}"))
                counts[name, "fault"] += 1
                return number + 1
            return number
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            word, at, rest = line.decode().split(" ", 2)
            begun = True
            if word == "begin":
                number, name = int(at), rest
                continue
            told = json.loads(rest)
            bad = {
                told["error"]: bool(told["error"]),
                "memory": told["memory"] > MEMORY,
                "slow": told["seconds"] > patience,
                f"{told['said']} under a checksum": name.endswith(CHECKED)
                and told["said"] not in ("refused", "same"),
            }
            counts[name, told["said"]] += 1
            faults += [(number, name, what) for what, so in bad.items() if so]
            number, name = int(at) + 1, ""
    worker.kill()
    worker.wait()
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        work(given.seed, given.work, given.count, given.only)
        return 0
    counts, faults, done = trial(given.seed, given.count, given.only, given.seconds)
    kinds = ("refused", "same", "few cells", "many cells", "other", "fault")
    print(f"{'':16}" + "".join(f"{kind:>12}" for kind in kinds))
    for name in sorted({name for name, _ in counts}):
        print(f"{name:16}" + "".join(f"{counts[name, kind]:12}" for kind in kinds))
    total = collections.Counter()
    for (_, kind), k in counts.items():
        total[kind] += k
    print(f"{'all':16}" + "".join(f"{total[kind]:12}" for kind in kinds))
    for number, name, what in faults:
        print(f"FAULT case {number} of seed {given.seed}, {name}: {what}")
    print(f"{done} cases ended, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
