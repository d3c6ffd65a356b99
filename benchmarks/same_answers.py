"""Whether a change of the code changes an answer: every number of some sixty commands, to the bit.

    python3 benchmarks/same_answers.py record FILE [--only WORD]
    python3 benchmarks/same_answers.py compare FILE [--only WORD]

`record` runs the commands and writes their exit codes and whole JSON answers, without versions,
times and seconds, to FILE; `compare` runs them again, names every number that differs, and exits 1
if there is one. Both on one machine: another processor may compile the sums another way. Every
command runs with one thread on data that are made here or shipped in datasets/.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

sys.path.insert(0, str(Path(__file__).parent.parent))

from kstest.cli import run

SHIPPED = Path(__file__).parent.parent / "datasets"
HIDDEN = ("kstest", "python", "numpy", "numba", "started", "seconds", "threads", "calibration")

COMMANDS = """
mmd a.csv b.csv
mmd a.csv near.csv --explain rows
mmd a.csv b.parquet --kernel laplace
mmd a.csv b.csv --kernel energy --bandwidth median
mmd a.csv b.csv --kernel matern32 --bandwidth 1
mmd a.csv b.csv --aggregate mmdagg --permutations 499
mmd series.csv series2.csv --block-length auto
mmd groups.csv groups2.csv --group g --exclude g
mmd weights.csv ones.csv --weights w
mmd hist.csv hist2.csv --counts n
mmd mixed.csv mixed2.csv
mmd gaps.csv a.csv --missing drop
mmd gaps.csv a.csv --missing indicator
mmd a.csv b.csv --tolerance 0.1
mmd a.csv b.csv --columns x,y --where 'x > -1'
mmd wide.csv wide2.csv
mmd long.csv long2.csv --features 64
mmd one.csv one2.csv
mmd module10_early.parquet module10_late.csv
ks a.csv b.csv
ks a.csv near.csv --statistic ad
ks mixed.csv mixed2.csv --statistic cvm
ks series.csv series2.csv --block-length auto
ks weights.csv ones.csv --weights w
hsic pairs.csv --x x --y y
hsic pairs.csv --x x --y y --given z
hsic pairs.csv --all-pairs
hsic pairs.csv --all-pairs --given z
hsic pairs.csv --block x --block y --block z
hsic mixed.csv --x kind --y x
hsic series.csv --x x --y y --block-length auto
hsic long.csv --x x --y y --features 64
ksd a.csv --target normal
ksd a.csv --target 'normal(fit)'
ksd a.csv --target 'fit:gmm:2' --reference b.csv
ksd one.csv --target 'normal(mean=0, sd=1)'
ksd a.csv --target normal --flip 0.1
ksd counts.csv --target 'poisson(rate=3)'
ksd posterior_exact.parquet --score-prefix score_
ksd long.csv --target normal --features 64
pksd modes_stuck.csv --target modes.toml
pksd modes_even.csv --target modes.toml
seqksd female_markov1_sample.txt --target female_markov1_model.csv
seqksd female_names.txt --target fit:order=1
skit pairs.csv --x x --y y
skit pairs.csv --x x --y z --mode pairs
skit pairs.csv --all-pairs
skit series.csv --x x --y y
smmd a.csv late.csv
smmd a.csv late.csv --mode blocks
smmd a.csv near.csv --detect --run-length 500
sksd late.csv --target normal
sksd late.csv --target normal --detect --run-length 500
skit pairs.csv --x x --y y --state s.skit
skit pairs2.csv --x x --y y --state s.skit
smmd a.csv late.csv --state s.smmd
dqm show k.cal
dqm check k.cal near.csv
dqm check k.cal near.csv b.csv
dqm explain k.cal b.csv
dqm selftest k.cal
plan a.csv --shift 1 --draws 20 --permutations 99
plan a.csv --shift 0.5 --change x --test ks --draws 20
"""

FIRST = (
    "dqm calibrate good.csv pool.csv -o k.cal --batch-size 100 --toys 199 --centres 30 --widths 3,1"
)


def make(folder: Path) -> None:
    """Write the data, without a seed shared between files."""

    def write(name, seed, rows, columns=3, shift=0.0, scale=1.0, **more):
        values = np.random.default_rng(seed).normal(size=(rows, columns)) * scale
        values[:, 0] += shift
        names = ["x", "y", "z", *(f"c{i}" for i in range(3, columns))][:columns]
        frame = pd.DataFrame(np.round(values, 6), columns=names).assign(**more)
        frame.to_csv(folder / f"{name}.csv", index=False)
        return frame

    write("a", 1, 300)
    write("b", 2, 200, shift=0.6).to_parquet(folder / "b.parquet")
    write("near", 3, 250, shift=0.1)
    write("good", 4, 1000)
    write("pool", 23, 3000)
    write("wide", 5, 120, 40)
    write("wide2", 6, 100, 40, shift=1.0)
    write("long", 7, 3000, 4)
    write("long2", 8, 2000, 4, scale=1.1)
    write("one", 9, 400, 1)
    write("one2", 10, 300, 1, shift=0.3)
    rng = np.random.default_rng(11)
    late = write("late", 12, 600)
    late.loc[300:, "x"] += 1.5
    late.to_csv(folder / "late.csv", index=False)
    for name, seed in (("pairs", 13), ("pairs2", 14)):
        pairs = write(name, seed, 300)
        pairs["y"] += 0.4 * pairs["x"]
        pairs.to_csv(folder / f"{name}.csv", index=False)
    for name, seed in (("series", 15), ("series2", 16)):
        series = write(name, seed, 600, 2)
        series.rolling(3, min_periods=1).mean().round(6).to_csv(folder / f"{name}.csv", index=False)
    write("groups", 17, 200, 2, g=np.repeat(np.arange(40), 5))
    write("groups2", 18, 150, 2, shift=0.5, g=np.repeat(np.arange(40, 70), 5))
    write("ones", 24, 200, shift=0.4, w=1.0)
    write("weights", 19, 200, w=rng.exponential(size=200).round(6))
    kinds = np.array(["red", "green", "blue"])
    write("mixed", 20, 200, 2, kind=kinds[rng.integers(0, 3, 200)])
    write("mixed2", 21, 150, 2, kind=kinds[rng.integers(0, 2, 150)])
    gaps = write("gaps", 22, 150)
    gaps.iloc[::7, 1] = np.nan
    gaps.to_csv(folder / "gaps.csv", index=False)
    bins = np.arange(20) / 10
    for name, mean in (("hist", 8), ("hist2", 10)):
        counts = rng.poisson(100 * np.exp(-((np.arange(20) - mean) ** 2) / 20))
        pd.DataFrame({"bin": bins, "n": counts}).to_csv(folder / f"{name}.csv", index=False)
    pd.DataFrame({"k": rng.poisson(3, 200)}).to_csv(folder / "counts.csv", index=False)
    for file in SHIPPED.iterdir():
        if file.suffix in {".csv", ".parquet", ".toml", ".txt"}:
            shutil.copy(file, folder)


def answer(command: str) -> dict:
    """The exit code, the JSON answer and what was said on stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    words = [*shlex.split(command), "--threads", "1"]
    if not command.startswith("dqm calibrate"):
        words += ["--format", "json"]
    if command.startswith("dqm show"):
        words.remove("--threads")
        words.remove("1")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    try:
        value = json.loads(texts[0])
    except ValueError:
        value = {}
    return {"code": code, "answer": lean(value), "stderr": texts[1] if code == 2 else ""}


def lean(value):
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {k: lean(v) for k, v in value.items() if k not in HIDDEN}
    return [lean(v) for v in value] if isinstance(value, list) else value


def flat(value, path=""):
    """Every leaf with its path."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in pairs:
            yield from flat(part, f"{path}.{key}")
    else:
        yield path, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="a word in the commands to run")
    options = parser.parse_args()
    file = options.file.resolve()
    commands = [c for c in COMMANDS.strip().splitlines() if options.only in c]
    # Products of matrices add in another order with other threads, which is the last bit.
    one = threadpoolctl.threadpool_limits(1)
    with one, tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make(Path(folder))
        answers = {FIRST: answer(FIRST)} | {c: answer(c) for c in commands}
    if options.what == "record":
        file.write_text(json.dumps(answers, indent=1))
        for command, found in answers.items():
            print(found["code"], command, found["stderr"].strip(), sep="  ")
        return
    before = json.loads(file.read_text())
    differing = 0
    for command, found in answers.items():
        old, new = dict(flat(before[command])), dict(flat(found))
        changed = sorted(k for k in old.keys() | new.keys() if old.get(k, "-") != new.get(k, "-"))
        differing += bool(changed)
        for path in changed[:5]:
            print(f"{command}: {path[1:]} was {old.get(path, '-')!r}, is {new.get(path, '-')!r}")
    print(f"{len(answers)} commands, {differing} with another answer")
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
