"""Runs that are killed at random moments, and what they leave behind.

    python3 benchmarks/kills.py [--kills 200] [--terms 50] [--seed 0] [--only NAME[,NAME...]]

Every stream is begun and sent batch by batch; each batch is killed (SIGKILL, or SIGTERM) after a
random time and sent again until it is through. Streams: skit, smmd, sksd, skit --all-pairs, skit
--follow, and dqm with a history. In the end the kept file must equal, to the byte, that of a run
that nobody disturbed; lock files may stay, other files may not.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KSTEST = [sys.executable, "-m", "kstest"]
STREAMS = {
    "skit": ["skit", "BATCH", "--x", "a", "--y", "b", "--state", "KEPT"],
    "smmd": ["smmd", "ref.csv", "BATCH", "--state", "KEPT"],
    "sksd": [
        "sksd", "BATCH", "--columns", "a", "--target", "normal(mean=0, sd=1)", "--state", "KEPT",
    ],
    "pairs": ["skit", "BATCH", "--all-pairs", "--state", "KEPT"],
    "follow": ["skit", "grown.csv", "--x", "a", "--y", "b", "--follow", "--state", "KEPT"],
    "dqm": ["dqm", "check", "k.cal", "BATCH", "--alpha", "0.05", "--history", "KEPT"],
}  # fmt: skip
ENDED = (0, 1, 3)
LONGEST = 120


def prepare(folder):
    """Batches, a reference and a calibration."""
    rng = np.random.default_rng(0)
    for k in range(6):
        rows(folder / f"batch{k}.csv", rng.normal(size=(120, 3)))
    rows(folder / "ref.csv", rng.normal(size=(400, 3)))
    rows(folder / "pool.csv", rng.normal(size=(900, 3)))
    make = ["dqm", "calibrate", "ref.csv", "--pool", "pool.csv", "--batch-size", "100"]
    make += ["--toys", "49", "--centres", "20", "--widths", "2,1", "-o", "k.cal", "-q"]
    subprocess.run([*KSTEST, *make], cwd=folder, check=True)
    subprocess.run([*KSTEST, "warmup"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def rows(path, table):
    path.write_text("a,b,c\n" + "".join(",".join(map(repr, r)) + "\n" for r in table.tolist()))


def started(folder, name, batch, kept):
    words = [{"BATCH": batch, "KEPT": kept}.get(w, w) for w in STREAMS[name]]
    nothing = subprocess.DEVNULL
    return subprocess.Popen([*KSTEST, *words], cwd=folder, stdout=nothing, stderr=nothing)


def sent(folder, name, batch, kept, ends, rng):
    """Send a batch until it is through; every number of `ends` kills one attempt."""
    while True:
        process = started(folder, name, batch, kept)
        if not ends:
            assert process.wait(LONGEST) in ENDED, (name, batch, process.returncode)
            return
        try:
            process.wait(rng.uniform(0.05, 1.6))
            if process.returncode in ENDED:
                return
        except subprocess.TimeoutExpired:
            process.send_signal(ends.pop())
            process.wait(LONGEST)
        assert process.returncode in (*ENDED, -signal.SIGKILL, -signal.SIGTERM, 143)


def followed(folder, kept, ends, rng, lines):
    """Follow a file that grows, killed again and again; in the end it is a batch."""
    grown, done = folder / "grown.csv", 1
    grown.write_text(lines[0])
    while ends:
        process = started(folder, "follow", "", kept)
        more = lines[done : done + 20]
        with open(grown, "a") as stream:
            stream.writelines(more)
        done += len(more)
        time.sleep(rng.uniform(0.1, 2.0))
        process.send_signal(ends.pop())
        assert process.wait(LONGEST) in (-signal.SIGKILL, -signal.SIGTERM, 143)
    grown.write_text("".join(lines))
    words = [w for w in STREAMS["follow"] if w != "--follow"]
    words = [kept if w == "KEPT" else w for w in words]
    done = subprocess.run([*KSTEST, *words], cwd=folder, stdout=subprocess.DEVNULL)
    assert done.returncode in ENDED


def content(name, path):
    """What has to be equal: all bytes, but the times of a history and the checksums over them."""
    if name != "dqm":
        return path.read_bytes()
    from kstest.archive.database import Database, opened

    with opened(str(path), new=False, kind=Database) as history:
        found = history.rows("batches", "ORDER BY id")
    assert found, "a history without batches"
    return [{k: v for k, v in row.items() if k != "started"} for row in found]


def trial(name, folder, kills, terms, seed):
    """Disturb one stream; returns whether it came to the same end."""
    rng = np.random.default_rng(seed)
    ends = [signal.SIGKILL] * kills + [signal.SIGTERM] * terms
    rng.shuffle(ends)
    ends = [signal.Signals(int(number)) for number in ends]
    kept, clean = f"{name}.kept", f"{name}.clean"
    if name == "follow":
        lines = (folder / "batch0.csv").read_text().splitlines(keepends=True)
        for k in range(1, 6):
            lines += (folder / f"batch{k}.csv").read_text().splitlines(keepends=True)[1:]
        followed(folder, kept, ends, rng, lines)
        followed(folder, clean, [], rng, lines)
    else:
        share = -(-len(ends) // 6)
        for k in range(6):
            batch, some = f"batch{k}.csv", ends[k * share : (k + 1) * share]
            sent(folder, name, batch, kept, some, rng)
            sent(folder, name, batch, clean, [], rng)
    left = [p.name for p in folder.glob(".*") if not p.name.endswith(".lock")]
    # A kill may leave the temporary file of a write; nothing reads it.
    strange = [name for name in left if not name.startswith(".kstest-")]
    assert not strange, strange
    return content(name, folder / kept) == content(name, folder / clean)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--terms", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(STREAMS)
    wrong = 0
    with tempfile.TemporaryDirectory() as where:
        prepare(Path(where))
        for k, name in enumerate(names):
            each = [-(-n // len(names)) for n in (given.kills, given.terms)]
            same = trial(name, Path(where), *each, given.seed + k)
            wrong += not same
            print(f"{name}: {each[0]} SIGKILL, {each[1]} SIGTERM: {'same' if same else 'OTHER'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
