"""What `kstest run` costs beside the tests that it runs, and how many false alarms it raises.

    python3 benchmarks/checks.py                              # some 20 CPU minutes
    python3 benchmarks/checks.py --checks 10 --files 5 --runs 50
    python3 benchmarks/checks.py --times 0 --checks 0 --kinds '' --toys 10000

Printed: CPU time of a run of one check over that of the plain command, in processes of their own
(bar: 1.1); time of a run of many checks over the sum of the times that the tests themselves took,
on one thread (bar: 1.3); and for every kind of control over time, of a stable process: hourly runs
by a fast-forwarded clock with 20 checks of 40 rows, the runs with a false alarm, what is promised,
and after how many runs a shift of a standard deviation is found.

With --toys N the same for N runs whose p-values are drawn and not computed: those of a stable
process uniform, of a changed one of a normal statistic that moved by 5. The rest is the real
thing: levels, correction, verdicts, history. Old results are not dropped from it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from kstest.checks.config import load
from kstest.checks.history import opened
from kstest.checks.runner import Run, _remembered, run
from kstest.checks.unit import Unit
from kstest.result import Result

KINDS = {
    "per-run": "",
    "spending": "over-time = 'spending'\nhorizon = {runs}\n",
    "online-fdr": "over-time = 'online-fdr'\n",
    "anytime": "",
}


def check(name, test, reference, sample, more=""):
    """A check as the file has it."""
    return (
        f"[checks.{name}]\ntest = '{test}'\nreference = '{reference}'\nsample = '{sample}'\n{more}"
    )


def write(path, rng, rows, columns=4, shift=0.0):
    """A table of normal numbers."""
    values = rng.normal(shift, 1, (rows, columns))
    pd.DataFrame(values, columns=[f"x{k}" for k in range(columns)]).to_parquet(path)


def cpu(words):
    """CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "kstest", *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def one_check(times):
    """A run of one check beside the plain command."""
    rng = np.random.default_rng(0)
    write("a.parquet", rng, 1000)
    write("b.parquet", rng, 1000)
    Path("kstest.toml").write_text(check("one", "mmd", "a.parquet", "b.parquet"))
    plain, whole = [], []
    for _ in range(times):  # in turn, as other processes come and go
        plain.append(cpu(["mmd", "a.parquet", "b.parquet", "--threads", "1"]))
        whole.append(cpu(["run", "--threads", "1"]))
    ratio = np.median(whole) / np.median(plain)
    print(
        f"one check: {np.median(plain):.3f} s CPU plain, {np.median(whole):.3f} s run: {ratio:.3f}"
    )


def many_checks(checks, files, rows):
    """Many checks beside the time of their tests."""
    rng = np.random.default_rng(1)
    for k in range(files):
        write(f"f{k}.parquet", rng, rows)
    pairs = [(k % files, (k + 1 + k // files) % files) for k in range(checks)]
    text = [
        check(f"c{k}", "mmd", f"f{a}.parquet", f"f{b}.parquet") for k, (a, b) in enumerate(pairs)
    ]
    Path("kstest.toml").write_text("".join(text))
    config = load("kstest.toml", {"history": "many.db"})
    with opened("many.db") as history:
        clock = time.perf_counter()
        report = run(config, [*config.checks.values()], datetime.now(), 1, history)
        seconds = time.perf_counter() - clock
    tests = sum(o.result.provenance["seconds"] for o in report.outcomes)
    print(
        f"{checks} checks of {files} files of {rows:,} rows: {seconds:.1f} s, their tests "
        f"{tests:.1f} s: {seconds / tests:.3f}"
    )


def soak(kind, runs, checks, keep):
    """A stable process for many runs, then a shift; whole results of the last `keep` runs stay."""
    rng = np.random.default_rng([2, runs])
    more = "schema = 'off'\n" + KINDS[kind].format(runs=2 * runs)
    test = "smmd" if kind == "anytime" else "mmd"
    names = [f"c{k}" for k in range(checks)]
    for name in names:
        write(f"{name}.parquet", rng, 200 if kind == "anytime" else 40, 1)
    paths = [(n, f"{n}.parquet", f"{n}-now.parquet") for n in names]
    Path("kstest.toml").write_text(
        f"[run]\nkeep = {keep}\n" + "".join(check(n, test, a, b, more) for n, a, b in paths)
    )
    config = load("kstest.toml", {})
    alarms, ever, begun, found = 0, set(), datetime(2026, 1, 1), None
    clock, spent = time.perf_counter(), []
    with opened("soak.db") as history:
        for k in range(2 * runs):
            for name, reference, now in paths:
                changed = k >= runs and name == "c0"
                if kind != "anytime":  # a reference that all runs share makes them err together
                    write(reference, rng, 40, 1)
                write(now, rng, 40, 1, float(changed))
            when = begun + timedelta(hours=k)
            before = time.process_time()
            report = run(config, [*config.checks.values()], when, 1, history)
            spent.append(time.process_time() - before)
            rejected = {o.name for o in report.outcomes if o.status == "rejected"}
            alarms += k < runs and bool(rejected)
            ever |= rejected if k < runs else set()
            if k >= runs and "c0" in rejected:
                found = k - runs + 1
                break
        results = history.rows("outcomes", "WHERE result IS NOT NULL")
    promised = f"at most {0.05 * runs:.0f} expected" if kind == "per-run" else "one with p <= 0.05"
    tenth = max(1, runs // 10)
    first, last = (1e3 * np.median(part) for part in (spent[1 : tenth + 1], spent[-tenth:]))
    sizes = [f"{os.path.getsize('soak.db') / 1e6:.2f} MB of history"]
    if kind == "anytime":
        states = sum(path.stat().st_size for path in Path(".kstest").rglob("*.kst"))
        sizes.append(f"{states / 1e3:.0f} kB of states")
    delay = "not found" if found is None else f"found after {found}"
    print(
        f"{kind}: {runs} runs of {checks} checks, {alarms} with a false alarm, of {len(ever)} "
        f"checks ({promised}); shift {delay} runs; {time.perf_counter() - clock:.0f} s; a run "
        f"{first:.1f} ms CPU in the first tenth, {last:.1f} in the last; {len(results)} whole "
        f"results, {', '.join(sizes)}",
        flush=True,
    )


def toys(kind, runs, checks):
    """As `soak`, with p-values that are drawn; the delay is what the history says."""
    rng = np.random.default_rng([3, runs])
    more = "schema = 'off'\n" + KINDS[kind].format(runs=2 * runs)
    names = [f"c{k}" for k in range(checks)]
    Path("kstest.toml").write_text("".join(check(n, "mmd", "x", "y", more) for n in names))
    config = load("kstest.toml", {})
    every = [*config.checks.values()]
    alarms, alarmed, begun, clock = 0, set(), datetime(2026, 1, 1), time.process_time()
    with opened("toys.db") as history:
        history.forget = lambda keep: None
        for k in range(runs + 200):
            p = dict(zip(names, 1 - rng.random(checks), strict=True))
            if k >= runs:
                p["c0"] = float(norm.sf(rng.normal(5)))
            units = [toy(config.checks[name], p[name], f"{k} {name}") for name in names]
            this = Run(config, every, begun + timedelta(hours=k), 1, history)
            report = _remembered(this, units)
            rejected = {o.name for o in report.outcomes if o.status == "rejected"}
            alarms += k < runs and bool(rejected)
            alarmed |= rejected if k < runs else set()
            if k >= runs and "c0" in rejected:
                break
        found = history.rows("outcomes", "WHERE name = 'c0' AND run > ? ORDER BY id", runs)
    delay = [row["status"] for row in found].index("rejected") + 1
    promised = f"{0.05 * runs:.0f} runs" if kind == "per-run" else f"{0.05 * checks:g} checks"
    print(
        f"{kind}, toys: {runs:,} runs of {checks} checks, {alarms} runs and {len(alarmed)} checks "
        f"with a false alarm (promised: at most {promised} on average); change found in run "
        f"{delay} after it; {time.process_time() - clock:.0f} s CPU",
        flush=True,
    )


def toy(check, p, name):
    """A test that was run, with a p-value that was not computed."""
    verdict = "rejected" if p <= check.alpha else "not rejected"
    result = Result("mmd", verdict, check.alpha, p_value=float(p), inputs=({"sha256": name},))
    return Unit(check, "", dict(check.options), {}, result=result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--checks", type=int, default=100)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--soak-checks", type=int, default=20)
    parser.add_argument("--keep", type=int, default=1, help="runs whose whole results stay")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--toys", type=int, default=0, help="runs with p-values that are drawn")
    parser.add_argument("--toy-kinds", default="per-run,spending,online-fdr")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        if given.times:
            one_check(given.times)
        if given.checks:
            many_checks(given.checks, given.files, given.rows)
        for kind in filter(None, given.kinds.split(",")):
            os.mkdir(kind)
            with contextlib.chdir(kind):
                soak(kind, given.runs, given.soak_checks, given.keep)
        for kind in filter(None, given.toy_kinds.split(",") if given.toys else ()):
            os.mkdir(f"{kind}-toys")
            with contextlib.chdir(f"{kind}-toys"):
                toys(kind, given.toys, 20)


if __name__ == "__main__":
    main()
