"""Two passes over files: level on sorted files, and time, memory and equal sums on workers.

    python3 benchmarks/two_passes.py level --sets 500
    python3 benchmarks/two_passes.py independence --sets 200 [--only 'cauchy 4000 2']
    python3 benchmarks/two_passes.py fit --sets 300
    python3 benchmarks/two_passes.py sequences --sets 300
    python3 benchmarks/two_passes.py workers FOLDER --rows 10000000 --features 128
    python3 benchmarks/two_passes.py memory FOLDER --rows 100000000
    python3 benchmarks/two_passes.py workers FOLDER --rows 1000000 --test seqksd

FOLDER takes the files, 32 bytes a row, and keeps them for the next call. Those of `seqksd` are
lines of 8 letters, 20 long in the mean.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

import kstest

PARTS, COLUMNS, GROUP = 20, 4, 125_000
WHAT = ("level", "independence", "fit", "sequences", "workers", "memory")
LETTERS = "abcdefgh"
CHAIN = ",a,b,c,$\n^,.4,.3,.3,0\na,.5,.1,.1,.3\nb,.1,.4,.2,.3\nc,.2,.2,.3,.3\n"


def write(path: Path, values: np.ndarray, group: int) -> str:
    columns = {f"c{j}": values[:, j] for j in range(values.shape[1])}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return str(path)


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.normal(size=(n, 2))
    return x[np.argsort(x[:, 0])]


def cauchy(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.standard_cauchy(size=(n, 2))
    return x[np.argsort(x[:, 0])]


def counts(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.poisson(3, size=(n, 2)).astype(float)
    return x[np.lexsort(x.T)]


def level(sets: int) -> None:
    """Share of p <= .01, .05, .10 on sorted files in 20 and 4 parts, without a difference."""
    for law in (normal, cauchy, counts):
        for m, n in ((3200, 3200), (50_000, 500)):
            p = []
            with tempfile.TemporaryDirectory() as folder:
                for seed in range(sets):
                    rng, files = np.random.default_rng([7, seed]), []
                    for name, rows, parts in (("a", m, PARTS), ("b", n, 4)):
                        some = np.array_split(law(rng, rows), parts)
                        files.append([
                            write(Path(folder) / f"{name}-{k:02d}.parquet", x, 500)
                            for k, x in enumerate(some)
                        ])  # fmt: skip
                    found = kstest.mmd(
                        *files, scheduler="local", permutations=99, explain="none", threads=1
                    )
                    p.append(found.p_value)
            tell(f"{law.__name__} {m}:{n}", p)


def skewed(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.lognormal(sigma=1.5, size=(n, d))


def rare(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return (rng.random((n, d)) < 0.02) * rng.exponential(size=(n, d))


def independence(sets: int, only: str) -> None:
    """`hsic` of independent blocks, rows sorted by a sum of both; each set with seed 0."""
    laws = {
        "normal": lambda rng, n, d: rng.normal(size=(n, d)),
        "lognormal": skewed,
        "rare": rare,
        "counts": lambda rng, n, d: rng.poisson(1, size=(n, d)).astype(float),
        "cauchy": lambda rng, n, d: rng.standard_cauchy(size=(n, d)),
    }
    for name, law in laws.items():
        for n, d in ((1000, 1), (4000, 1), (4000, 2)):
            if only not in f"{name} {n} {d}":
                continue
            p = []
            with tempfile.TemporaryDirectory() as folder:
                for seed in range(sets):
                    rng = np.random.default_rng([19, seed])
                    values = np.hstack([law(rng, n, d), law(rng, n, d)])
                    values = values[np.argsort(values[:, 0] + values[:, d], kind="stable")]
                    found = kstest.hsic(
                        write(Path(folder) / "a.parquet", values, 500),
                        x=f"1-{d}", y=f"{d + 1}-{2 * d}", scheduler="local", permutations=99,
                        threads=1,
                    )  # fmt: skip
                    p.append(1.0 if found.p_value is None else found.p_value)
            tell(f"hsic, {name}, {n} rows, {d} + {d} columns", p)


def fit(sets: int) -> None:
    """`ksd` of sorted normal rows, each set with a seed of its own."""
    p = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(sets):
            x = np.sort(np.random.default_rng([18, seed]).normal(size=(4000, 1)), axis=0)
            found = kstest.ksd(
                write(Path(folder) / "a.parquet", x, 500), target="normal(mean=0, sd=1)",
                scheduler="local", draws=99, explain="none", threads=1, seed=seed,
            )  # fmt: skip
            p.append(found.p_value)
    tell("ksd, normal, 4000 rows", p)


def sequences(sets: int) -> None:
    """`seqksd` of sorted sequences in four files of unequal sizes; each set with seed 0."""
    from kstest.targets.sequence_csv import read_csv_model

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "chain.csv"
        target.write_text(CHAIN)
        model = read_csv_model(str(target))
        for n in (300, 2000, 8000):
            p = []
            for seed in range(sets):
                codes, offsets = model.sample(n, np.random.default_rng([20, n, seed]))
                text = "".join(model.alphabet[c] for c in codes)
                texts = sorted(text[a:b] for a, b in pairwise(offsets.tolist()))
                for k, some in enumerate(np.split(np.array(texts), (n // 50, n // 5, n // 2))):
                    (Path(folder) / f"a-{k}.txt").write_text("".join(t + "\n" for t in some))
                found = kstest.seqksd(
                    f"{folder}/a-*.txt", target=str(target), scheduler="local", draws=99, threads=1
                )
                p.append(found.p_value)
            tell(f"seqksd, {n} sequences", p)


def tell(what: str, p: list[float]) -> None:
    cells = []
    for alpha in (0.01, 0.05, 0.1):
        low, high = stats.binom.ppf([5e-4, 1 - 5e-4], len(p), alpha)
        cells.append(f"{np.sum(np.array(p) <= alpha)} ({low:.0f}-{high:.0f}) at {alpha}")
    print(f"{what}, {len(p)} sets: {', '.join(cells)}", flush=True)


def files_of(folder: str, rows: int) -> tuple[str, str]:
    """Four fifths of the rows on one side; the mean of a column differs by .0015."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    each = rows // PARTS
    for part in range(PARTS):
        name = "a" if part < PARTS * 4 // 5 else "b"
        path = Path(folder) / f"{name}-{rows}-{part:02d}.parquet"
        if not path.exists():
            write_part(path, each, np.random.default_rng([11, part]), 0.0015 * (name == "b"))
    return str(Path(folder) / f"a-{rows}-*.parquet"), str(Path(folder) / f"b-{rows}-*.parquet")


def sequences_of(folder: str, rows: int) -> tuple[str, str]:
    """Lines of a random chain in parts, and the chain."""
    from kstest.targets.sequence_csv import read_csv_model

    Path(folder).mkdir(parents=True, exist_ok=True)
    target = Path(folder) / "chain.csv"
    table = np.random.default_rng(1).dirichlet(np.ones(8), 8) * 0.95
    rows_of = ["^" + ",0.125" * 8 + ",0"]
    for letter, row in zip(LETTERS, table.tolist(), strict=True):
        rows_of.append(",".join(map(str, (letter, *row, 0.05))))
    target.write_text("\n".join([",".join(["", *LETTERS, "$"]), *rows_of]) + "\n")
    model = read_csv_model(str(target))
    for part in range(PARTS):
        path = Path(folder) / f"s-{rows}-{part:02d}.txt"
        if not path.exists():
            codes, offsets = model.sample(rows // PARTS, np.random.default_rng([12, part]))
            text = "".join(LETTERS[c] for c in codes)
            path.write_text("".join(text[a:b] + "\n" for a, b in pairwise(offsets.tolist())))
    return str(Path(folder) / f"s-{rows}-*.txt"), str(target)


def test_of(name: str, folder: str, rows: int, features: str) -> Callable[..., Any]:
    """The test of the files in a folder, which takes a scheduler."""
    if name == "mmd":
        return partial(kstest.mmd, *files_of(folder, rows), features=features)
    files, target = sequences_of(folder, rows)
    return partial(kstest.seqksd, files, target=target)


def write_part(path: Path, rows: int, rng: np.random.Generator, shift: float) -> None:
    """Write a row group at a time, since the peak of this process is measured, and whole."""
    schema = pa.schema([(f"c{j}", pa.float64()) for j in range(COLUMNS)])
    unfinished = path.with_suffix(".part")
    with pq.ParquetWriter(unfinished, schema) as writer:
        for first in range(0, rows, GROUP):
            x = rng.normal(size=(min(GROUP, rows - first), COLUMNS))
            x[:, 0] += shift
            writer.write_table(pa.table([*x.T], schema=schema), row_group_size=GROUP)
    unfinished.rename(path)


def used() -> tuple[float, float]:
    """CPU seconds and peak MB of this process."""
    return sum(os.times()[:2]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def local(test: Callable[..., Any], threads: int) -> None:
    start, clock = used()[0], time.perf_counter()
    found = test(scheduler="local", threads=threads)
    print(
        f"one process: p {found.p_value}, sums {found.provenance['sums'][:16]}, CPU "
        f"{used()[0] - start:.1f} s, wall {time.perf_counter() - clock:.1f} s, peak "
        f"{used()[1]:.0f} MB",
        flush=True,
    )


def workers(test: Callable[..., Any], alone: int | None) -> None:
    """The same files by one process, by workers, and while one of them is killed.

    `alone` : only by so many workers.
    """
    from distributed import Client, LocalCluster

    if alone is None:
        local(test, 1)
    cases = ((1, False), (2, False), (2, True)) if alone is None else ((alone, False),)
    for count, killed in cases:
        with (
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                dashboard_address=":0",
                memory_limit=0,
                silence_logs=50,
            ) as own,
            Client(own) as client,
        ):
            victim = next(iter(client.run(os.getpid).values()))
            if killed:
                threading.Thread(target=kill, args=(client, victim)).start()
            clock = time.perf_counter()
            found = test(scheduler=client)
            wall = time.perf_counter() - clock
            there = [f"{cpu:.1f} s {peak:.0f} MB" for cpu, peak in client.run(used).values()]
        print(
            f"{count} workers{', one killed' * killed}: p {found.p_value}, sums "
            f"{found.provenance['sums'][:16]}, wall {wall:.1f} s, workers (imports included) "
            f"{', '.join(there)}",
            flush=True,
        )


def kill(client: object, pid: int) -> None:
    """Kill a worker in the second pass."""
    while not any("summed" in key for key in client.run_on_scheduler(keys)):
        time.sleep(0.2)
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)


def keys(dask_scheduler: object) -> list[str]:
    return [str(key) for key in dask_scheduler.tasks]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--test", choices=("mmd", "seqksd"), default="mmd")
    parser.add_argument("--alone", type=int, help="workers: only by so many of them")
    parser.add_argument("--only", default="", help="independence: cells such as 'cauchy 4000 2'")
    given = parser.parse_args()
    if given.what == "level":
        level(given.sets)
    elif given.what == "independence":
        independence(given.sets, given.only)
    elif given.what == "fit":
        fit(given.sets)
    elif given.what == "sequences":
        sequences(given.sets)
    elif given.folder is None:
        parser.error("name a FOLDER for the files")
    else:
        test = test_of(given.test, given.folder, given.rows, given.features)
        if given.what == "workers":
            workers(test, given.alone)
        else:
            local(test, os.cpu_count() or 1)
