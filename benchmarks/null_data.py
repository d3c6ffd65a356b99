"""Null data that would fool a test, and how often each test is fooled: all levels in one command.

    python3 benchmarks/null_data.py [--sets 300] [--only WORD] [--list]

Sorted, descending and drifting references of a stream; volatile and seasonal series; equal margins
with another dependence; given columns in chains, steps and steep functions; weights on one side.
Every part is a command of its own in this folder, and is printed before its table. All of it takes
hours; `--only` chooses parts by a word in their command. A rate is right if it lies in the 99.9 %
binomial band of .05, or the test gave no verdict.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def parts(sets: int) -> list[list[str]]:
    """The commands, without the interpreter."""
    streams = ["-m", "benchmarks.late_change", "level", "--streams", str(sets)]
    orders = [
        [
            *streams,
            "--distribution",
            "normal",
            "--rows",
            "2000",
            "--reference",
            order,
            "--mode",
            mode,
        ]
        for order in ("sorted", "descending", "drifting")
        for mode in ("conformal", "blocks")
    ]
    return [
        *orders,
        [*streams, "--rows", "5000"],
        ["benchmarks/late_dependence.py", "level", "--streams", str(sets)],
        ["benchmarks/late_dependence.py", "guard", "--streams", str(sets)],
        ["benchmarks/series_level.py", "--sets", str(sets)],
        ["benchmarks/conditional.py", "level", "--sets", str(sets)],
        ["benchmarks/weighted.py", "--sets", str(sets)],
        ["benchmarks/features.py", "level", "--sets", str(sets)],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--only", default="", help="a word in the commands to run")
    parser.add_argument("--list", action="store_true", help="print the commands and run none")
    options = parser.parse_args()
    for command in parts(options.sets):
        line = " ".join(command)
        if options.only not in line:
            continue
        print(f"\n$ python3 {line}", flush=True)
        if not options.list:
            subprocess.run([sys.executable, *command], cwd=HERE.parent, check=True)


if __name__ == "__main__":
    main()
