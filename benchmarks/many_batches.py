"""A stable stream in very many batches: size of the state, time per batch, false alarms.

    python3 benchmarks/many_batches.py [--test skit|smmd|sksd|pairs] [--batches 2000] [--rows 64]

Every batch is one run of the command on a file of rows of one distribution, in this process.
Printed after each tenth: seconds of CPU time per batch, bytes of the state. In the end: whether the
state is below 64 kB plus 16 bytes a batch, whether the last tenth took at most 1.5 times as long as
the second, how often each exit code came, and whether the first and a middle batch are still known.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TESTS = {
    "skit": ["skit", "BATCH", "--x", "a", "--y", "b"],
    "pairs": ["skit", "BATCH", "--all-pairs"],
    "smmd": ["smmd", "REFERENCE", "BATCH"],
    "sksd": ["sksd", "BATCH", "--columns", "a", "--target", "normal(mean=0, sd=1)"],
}


def rows(path, rng, n):
    text = "".join(f"{a!r},{b!r}\n" for a, b in rng.normal(size=(n, 2)).tolist())
    path.write_text(f"a,b\n{text}")


def command(words):
    """Exit code and answer."""
    from kstest.cli import run

    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out):
        code = run([*words, "--format", "json", "--threads", "1"])
    out.flush()
    text = out.buffer.getvalue().decode()
    return code, json.loads(text) if text else {}


def trial(name, batches, n, seed, folder):
    rng = np.random.default_rng(seed)
    reference, batch, state = folder / "ref.csv", folder / "batch.csv", folder / "s.kst"
    rows(reference, rng, 2000)
    words = [{"BATCH": str(batch), "REFERENCE": str(reference)}.get(w, w) for w in TESTS[name]]
    kept, codes, seconds = {}, collections.Counter(), []
    for k in range(batches):
        rows(batch, rng, n)
        if k in (0, batches // 2):
            kept[k] = batch.read_bytes()
        clock = time.process_time()
        code, _ = command([*words, "--state", str(state), "--batch-id", f"h{k}"])
        seconds.append(time.process_time() - clock)
        codes[code] += 1
        if (k + 1) % max(1, batches // 10) == 0:
            some = seconds[-max(1, batches // 10) :]
            size = state.stat().st_size
            print(f"{k + 1:6} batches: {np.mean(some):.4f} s each, {size:,} bytes", flush=True)
    tenth = max(1, batches // 10)
    decided = codes[1] > 0
    known = []
    for k, content in kept.items():
        batch.write_bytes(content)
        _, found = command([*words, "--state", str(state), "--batch-id", f"h{k}"])
        known.append(found["warnings"][0]["code"] in ("batch-counted", "stream-decided"))
        rows(batch, rng, n)
        code, _ = command([*words, "--state", str(state), "--batch-id", f"h{k}"])
        known.append(code == 2 or decided)
    size = state.stat().st_size
    flat = np.mean(seconds[-tenth:]) <= 1.5 * np.mean(seconds[tenth : 2 * tenth])
    print(f"exit codes {dict(codes)}")
    print(f"state {size:,} bytes, allowed {64_000 + 16 * batches:,}")
    print(f"time flat: {flat}; known again, and other rows refused: {all(known)}")
    return size <= 64_000 + 16 * batches and flat and all(known) and not codes[2] and not codes[70]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test", choices=list(TESTS), default="skit")
    parser.add_argument("--batches", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = trial(given.test, given.batches, given.rows, given.seed, Path(folder))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
