"""Damaged and hostile files, thousands of them, against the commands that read them.

    python3 benchmarks/fuzz.py [--count 20000] [--seed 0] [--seconds 600] [--only KIND[,KIND...]]

Every case is a good file with one to three mutations, of a kind drawn in turn: tables (CSV, gzip,
Parquet with and without checksums of pages, Arrow file and stream, Feather), targets (TOML, JSON,
YAML), chains and sequences, states, calibrations, histories, and states and calibrations that were
changed inside and have right checksums again. Case k of a seed is always the same.

Counted, and none is allowed: deaths by a signal, exit 70 or an exit code of nobody's, hangs of more
than 20 s, more than 1 GB of memory, and answers from other numbers where the format has a checksum.
Cases run in worker processes, many in each; the one at work when a worker dies is the culprit.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import gzip
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

PATIENCE = 20.0  # seconds
MEMORY = 1 << 30  # bytes
CODES = {0, 1, 2, 3}
TOKENS = [
    b"NaN", b"inf", b"-1", b"0", b"1e999", b"9" * 400, b"\0", b"\xff\xfe", b'"', b"'", b",", b"\n",
    b"\r\n", b"[" * 500, b"{" * 500, b"(" * 500, b"-" * 300, b"null", b"true", b"\x1b[2J", b"1/0",
    b"**", b"\\", b"#", b"18446744073709551616", "\u202e".encode(), b"=", b":", b"&a *a", b"  ",
]  # fmt: skip
NUMBERS = [-1, 0, 1, 2**31, 2**53, 2**63, 2**64, 10**400, 1e308, -1e308, 1e-320, 0.5]
LOOPS = [*NUMBERS, float("nan"), float("inf"), None, True, "", "x", [], {}, [1], {"a": 1}]
# Formats in which every damage can be noticed, so that no other numbers may come out.
CHECKED = {"gz", "parquet-sums", "skit", "smmd", "sksd", "pairs", "calibration"}


class Room:
    """Good files of every kind, and the command that reads each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, tuple[Path, list[str]]] = {}
        rng = np.random.default_rng(0)
        self._tables(rng)
        self._targets(rng)
        self._sequences()
        self._states(rng)
        self._calibration()

    def add(self, kind: str, name: str, *command: str) -> Path:
        path = self.folder / name
        self.files[kind] = path, list(command)
        return path

    def _tables(self, rng):
        import pyarrow as pa
        import pyarrow.feather
        import pyarrow.parquet as pq

        words = np.array(["alpha", "beta", "gamma"])

        def table(n):
            data = {"a": rng.normal(size=n), "b": rng.integers(0, 9, n)}
            return pa.table({**data, "t": data["b"] * 3600, "s": pa.array(words[data["b"] % 3])})

        pq.write_table(table(40), self.folder / "ref.parquet")
        # The column of times in the type that files have, and one with missing cells.
        found = table(60)
        times = found["t"].cast("timestamp[s]")
        found = found.set_column(2, "t", times)
        ref = pq.read_table(self.folder / "ref.parquet")
        pq.write_table(
            ref.set_column(2, "t", ref["t"].cast("timestamp[s]")), self.folder / "ref.parquet"
        )
        ask = ["mmd", str(self.folder / "ref.parquet"), "FILE", "--permutations", "19"]
        text = "a,b,t,s\n" + "".join(
            f"{a!r},{b},{t.isoformat()},{s}\n"
            for a, b, t, s in zip(*(found[c].to_pylist() for c in "abts"), strict=True)
        )
        self.add("csv", "t.csv", *ask).write_text(text)
        self.add("gz", "t.csv.gz", *ask).write_bytes(gzip.compress(text.encode(), mtime=0))
        pq.write_table(found, self.add("parquet", "t.parquet", *ask))
        pq.write_table(found, self.add("parquet-sums", "u.parquet", *ask), write_page_checksum=True)
        with pa.ipc.new_file(self.add("arrow", "t.arrow", *ask), found.schema) as writer:
            writer.write_table(found, 25)
        with pa.ipc.new_stream(self.add("arrows", "t.arrows", *ask), found.schema) as writer:
            writer.write_table(found, 25)
        pa.feather.write_feather(found, self.add("feather", "t.feather", *ask), chunksize=30)

    def _targets(self, rng):
        rows = self.folder / "rows.csv"
        drawn = rng.normal(size=(50, 2))
        rows.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in drawn))
        ask = ["ksd", str(rows), "--target", "FILE", "--draws", "19"]
        self.add("toml", "t.toml", *ask).write_text(
            'logp = "-(x - m)**2 / 2 - y**2 / 2"\n[parameters]\nm = 0.0\n'
        )
        self.add("json", "t.json", *ask).write_text(
            '{"family": "gaussian_mixture", "weights": [0.5, 0.5], "means": [[0, 0], [1, 1]],'
            ' "covariances": [[[1, 0], [0, 1]], [[1, 0.2], [0.2, 1]]]}'
        )
        self.add("yaml", "t.yaml", *ask).write_text(
            "columns:\n  x: {family: normal, mean: 0, sd: 1}\n"
            "  y:\n    family: student_t\n    df: 5\n"
        )

    def _sequences(self):
        chain = self.add("chain", "c.csv", "seqksd", "SEQUENCES", "--target", "FILE")
        chain.write_text(",a,b,$\n^,0.7,0.3,0\na,0.2,0.5,0.3\nb,0.6,0.2,0.2\n")
        words = ["aab", "ab", "ba", "b", "a", "abab"] * 5
        names = self.add("sequences", "s.txt", "seqksd", "FILE", "--target", str(chain))
        names.write_text("\n".join(words) + "\n")
        self.files["chain"][1][1] = str(names)
        for kind in ("chain", "sequences"):
            self.files[kind][1].extend(["--draws", "19"])

    def _states(self, rng):
        first, second = self.folder / "first.csv", self.folder / "second.csv"
        for path in (first, second):
            rows = rng.normal(size=(150, 3))
            path.write_text("a,b,c\n" + "".join(f"{x},{y},{z}\n" for x, y, z in rows))
        tests = {
            "skit": ["skit", "FEED", "--x", "a", "--y", "b"],
            "watch": ["skit", "FEED", "--x", "a", "--y", "b", "--detect"],
            "pairwise": ["skit", "FEED", "--x", "a", "--y", "b", "--mode", "pairs"],
            "pairs": ["skit", "FEED", "--all-pairs"],
            "smmd": ["smmd", str(first), "FEED", "--columns", "a,b"],
            "blocks": ["smmd", str(first), "FEED", "--columns", "a,b", "--mode", "blocks"],
            "sksd": ["sksd", "FEED", "--columns", "a", "--target", "normal(mean=0, sd=1)"],
        }
        for kind, words in tests.items():
            path = self.folder / f"{kind}.kst"
            begun = [str(first) if w == "FEED" else w for w in words]
            code, _, error = answer([*begun, "--state", str(path), "--threads", "1"])
            assert code in (0, 1, 3), (kind, error)
            again = [str(second) if w == "FEED" else w for w in words]
            self.add(kind, path.name, *again, "--state", "FILE")

    def _calibration(self):
        folder = self.folder
        for name, events, seed in (("good", 300, 1), ("pool", 800, 2), ("batch", 100, 3)):
            words = ["--events", str(events), "--seed", str(seed)]
            out = str(folder / f"{name}.parquet")
            code, _, error = answer(["datasets", "make", "drift-tubes", *words, "-o", out])
            assert code == 0, error
        path = folder / "k.cal"
        files = [str(folder / "good.parquet"), "--pool", str(folder / "pool.parquet")]
        small = ["--batch-size", "100", "--toys", "49", "--centres", "20", "--widths", "2,1"]
        code, _, error = answer(["dqm", "calibrate", *files, *small, "-o", str(path), "-q"])
        assert code == 0, error
        batch = str(folder / "batch.parquet")
        self.add("calibration", "k.cal", "dqm", "check", "FILE", batch, "--alpha", "0.05")
        history = folder / "h.jsonl"
        ask = ["dqm", "check", str(path), batch, "--alpha", "0.05", "--history"]
        code, _, error = answer([*ask, str(history), "--threads", "1"])
        assert code in (0, 1), error
        self.add("history", "h.jsonl", *ask, "FILE")


def answer(words):
    """Run a command in this process: exit code, standard output, standard error."""
    from kstest.cli import run

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        code = run(words)
    finally:
        sys.stdout, sys.stderr = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    return code, *texts


def numbers(text):
    """What may not change unnoticed; None where there is no answer."""
    try:
        found = json.loads(text.splitlines()[0] if text.count("\n") < 3 else text)
    except (ValueError, IndexError):
        return None
    # Not the columns: of their names in Parquet there is no checksum.
    keys = ("statistic", "p_value", "e_value", "n", "d", "verdict")
    return [found.get(key) for key in keys] if isinstance(found, dict) else None


def mutated(content, rng):
    """Change bytes: bits, values, cuts, copies, insertions."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        size = max(len(data), 1)
        k = rng.randrange(size)
        length = min(rng.choice((1, 2, 4, 8, 64, 512)), size - k)
        how = rng.randrange(7)
        if how == 0 and data:
            data[k] ^= 1 << rng.randrange(8)
        elif how == 1 and data:
            data[k] = rng.randrange(256)
        elif how == 2:
            del data[k : k + length]
        elif how == 3:
            data[k:k] = data[k : k + length]
        elif how == 4:
            data[k:k] = rng.choice(TOKENS)
        elif how == 5:
            token = rng.choice(TOKENS)
            data[k : k + len(token)] = token
        else:
            del data[k:]
    return bytes(data)


def crafted(content, rng):
    """Change what an archive holds; its checksums are right again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(["header.json", *members])
        if name == "header.json":
            header = json.loads(members[name])
            _change_loop(header, rng)
            members[name] = json.dumps(header).encode()
        elif rng.random() < 0.05:
            members[rng.choice([name, "more.npy"])] = members.pop(name)
        else:
            array = np.load(io.BytesIO(members[name]), allow_pickle=False)
            stream = io.BytesIO()
            np.save(stream, _changed(array, rng), allow_pickle=False)
            members[name] = stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()


def _change_loop(table, rng):
    """Replace something in a nested table, anywhere."""
    while True:
        keys = list(table) if isinstance(table, dict) else list(range(len(table)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(table[key], dict | list) and rng.random() < 0.85:
            table = table[key]
            continue
        if rng.random() < 0.15:
            del table[key]
        elif rng.random() < 0.3 and isinstance(table[key], int | float):
            table[key] = table[key] * rng.choice((-1, 2, 1000)) + rng.choice((-1, 0, 1))
        else:
            table[key] = rng.choice(LOOPS)
        return


def _changed(array, rng):
    """Another type, another shape or other values."""
    how = rng.randrange(5)
    if how == 0:
        return array.astype(rng.choice(["f4", "i4", "i8", "u8", "u1", "c16", "S3"]))
    if how == 1 and array.ndim:
        axis = rng.randrange(array.ndim)
        return np.repeat(array, rng.choice((0, 2, 3)), axis) if rng.random() < 0.5 else array[1:]
    if how == 2:
        return rng.choice(
            (array.reshape(-1), array[None], array.T, np.float64(1.0), array.ravel()[:0])
        )
    array = np.array(array)
    if array.size:
        places = [rng.randrange(array.size) for _ in range(rng.choice((1, 1, array.size)))]
        with np.errstate(all="ignore"):
            value = rng.choice((*NUMBERS[:7], float("nan"), float("inf"), 1e308, -1e308, 0.5))
            try:
                array.reshape(-1)[places] = value
            except (OverflowError, ValueError):
                array.reshape(-1)[places] = 0
    return array


def kinds(room):
    """All kinds of cases, each with a good file and a way to change it."""
    plain = [(name, name, mutated) for name in room.files]
    archives = ("skit", "watch", "pairwise", "pairs", "smmd", "blocks", "sksd", "calibration")
    return plain + [(f"crafted {name}", name, crafted) for name in archives]


def case(room, seed, number, only):
    """The kind of a case, its name in `room` and the content of its file."""
    every = [k for k in kinds(room) if not only or k[0] in only]
    kind, name, change = every[number % len(every)]
    rng = random.Random(f"{seed} {number}")
    return kind, name, change(room.files[name][0].read_bytes(), rng)


def work(folder, seed, start, stop, only):
    """Run cases and print a line before and after each."""
    faulthandler.enable()
    report = os.fdopen(os.dup(1), "w")
    room = Room(Path(folder))
    right = {}
    for name, (path, words) in room.files.items():
        copy = room.folder / f"case{''.join(path.suffixes)}"
        shutil.copyfile(path, copy)
        asked = [str(copy) if w == "FILE" else w for w in words]
        code, out, err = answer([*asked, "--format", "json", "--threads", "1"])
        right[name] = numbers(out)
        assert code in (0, 1, 3), f"{name} is no good file: {err}"
        assert right[name], name
        copy.unlink()
    for number in range(start, stop):
        kind, name, content = case(room, seed, number, only)
        path, words = room.files[name]
        copy = room.folder / f"case{''.join(path.suffixes)}"
        copy.write_bytes(content)
        print("begin", number, kind, file=report, flush=True)
        asked = [str(copy) if w == "FILE" else w for w in words]
        started = time.process_time()
        code, out, err = answer([*asked, "--format", "json", "--threads", "1"])
        found = numbers(out)
        other = kind in CHECKED and code in (0, 1, 3) and found != right[name]
        seconds = time.process_time() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        told = {"code": code, "seconds": round(seconds, 2), "memory": memory, "other": other}
        told["error"] = err[-300:] if code not in CODES else ""
        print("end", number, json.dumps(told), file=report, flush=True)
        if memory > MEMORY:
            return
        for left in (copy, copy.with_name(f".{copy.name}.lock")):
            left.unlink(missing_ok=True)


def trial(seed, count, only=(), keep=None, start=0, seconds=float("inf")):
    """Run `count` cases, or fewer in so many seconds; says what was seen how often, and culprits.

    Returns
    -------
    counts : Counter
        By kind and outcome.
    faults : list of (number, kind, fault)
    """
    counts, faults, number = collections.Counter(), [], start
    deadline = time.monotonic() + seconds
    while number < start + count and time.monotonic() < deadline:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            words = ["--work", folder, str(number), str(start + count)]
            words += ["--seed", str(seed), "--only", ",".join(only)]
            with tempfile.TemporaryFile() as said:
                worker = subprocess.Popen(
                    [sys.executable, __file__, *words], stdout=subprocess.PIPE, stderr=said
                )
                number = _watched(worker, said, number, counts, faults, deadline)
            if keep is not None and faults:
                _keep(Path(folder), Path(keep), faults)
    return counts, faults


def _watched(worker, said, number, counts, faults, deadline):
    """Read the lines of a worker until it ends; returns the first case that is left to do."""
    kind, pending, begun, clock = "(none)", b"", False, time.monotonic()
    while True:
        ready = select.select([worker.stdout], [], [], 1.0)[0]
        # Compiling and good files come first and may take longer. On a busy machine a case that
        # has had little time of a processor is no hang yet.
        if not ready and time.monotonic() < deadline:
            waited = time.monotonic() - clock
            enough = PATIENCE if begun and _busy(worker.pid) else 10 * PATIENCE if begun else 600
            if waited < enough:
                continue
        clock = time.monotonic()
        data = os.read(worker.stdout.fileno(), 1 << 16) if ready else b""
        late = time.monotonic() > deadline
        if late:
            kind, begun = "(none)", True
        if late or not data:
            worker.kill()
            worker.wait()
            worker.stdout.close()
            said.seek(0)
            err = said.read()[-2000:].decode("utf-8", "replace")
            if not begun and worker.returncode and ready:
                raise RuntimeError(f"a worker failed before its first case: {err}")
            if kind != "(none)":
                fault = "hang" if not ready else f"signal or end {worker.returncode}: {err[:300]}"
                counts[kind, fault.split(":")[0]] += 1
                faults.append((number, kind, fault))
                number += 1
            return number
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            word, at, rest = line.decode().split(" ", 2)
            number, begun = int(at), True
            if word == "begin":
                kind = rest
                continue
            told = json.loads(rest)
            counts[kind, f"exit {told['code']}"] += 1
            if told["code"] not in CODES:
                faults.append((number, kind, f"exit {told['code']}: {told['error']}"))
            for name, bad in (
                ("other numbers", told["other"]),
                ("memory", told["memory"] > MEMORY),
                ("slow", told["seconds"] > PATIENCE),
            ):
                if bad:
                    counts[kind, name] += 1
                    faults.append((number, kind, name))
            number, kind = number + 1, "(none)"


def _busy(pid):
    """Whether a process had most of a processor's time in the last second."""

    def used():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    try:
        before = used()
        time.sleep(0.2)
        return used() - before > 0.1
    except (OSError, IndexError, ValueError):
        return True


def _keep(folder, place, faults):
    """Keep the file of the last culprit."""
    place.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("case*"):
        shutil.copyfile(path, place / f"{faults[-1][0]}{''.join(path.suffixes)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    only = [word for word in given.only.split(",") if word]
    if given.work:
        folder, start, stop = given.work
        work(folder, given.seed, int(start), int(stop), only)
        return 0
    counts, faults = trial(given.seed, given.count, only, given.keep, given.start, given.seconds)
    by_kind = collections.defaultdict(dict)
    for (kind, outcome), count in sorted(counts.items()):
        by_kind[kind][outcome] = count
    for kind, found in by_kind.items():
        print(f"{kind:20}", ", ".join(f"{name}: {n}" for name, n in found.items()))
    for number, kind, fault in faults:
        print(f"FAULT case {number} of seed {given.seed}, {kind}: {fault}")
    print(f"{sum(n for (_, o), n in counts.items() if o.startswith('exit'))} cases ended,", end=" ")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
