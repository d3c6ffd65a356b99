"""The command `kstest doctor`: what is installed, where compiled code is, how fast sums are."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from importlib import metadata
from typing import Any

import click

from ..files import output
from ..findings import number

LIBRARIES = ("numpy", "scipy", "numba", "pyarrow", "pandas", "click", "scikit-learn", "matplotlib")
# Size of the measured sum, about a tenth of a second, and how often it is made.
ROWS, COLUMNS, TIMES = 8000, 10, 3


def build(summary: str) -> click.Command:
    """Return the command."""
    return click.Command(
        "doctor",
        callback=_run,
        params=[
            click.Option(
                ["--format", "form"], type=click.Choice(["text", "json"]), default="text",
                show_default=True, help="Form of the answer.",
            )
        ],
        help=f"{summary}\n\nReads no data. The speed is that of this machine at this moment: one "
        "thread, one Gaussian kernel, ten columns.",
        short_help=summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def _run(form: str) -> int:
    found = examined()
    if form == "json":
        output.write(json.dumps(found, indent=2) + "\n", None)
    else:
        lines = [f"  {label:<12}{text}" for label, text in _lines(found)]
        output.write("\n".join([f"kstest {found['kstest']}", *lines]) + "\n", None)
    return 0


def examined() -> dict[str, Any]:
    """What there is to know of this installation.

    Returns
    -------
    dict
        Versions (None of what is not installed), threads, the cache of compiled code and whether it
        lasts, what is compiled already, and pairs of rows that are summed in a CPU second.
    """
    from .. import jit
    from ..about import __version__
    from ..engine.work import available_threads

    compiled = jit.is_compiled()
    directory = jit.cache_directory()
    return {
        "kstest": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "threads": available_threads(),
        "cache": str(directory),
        "cache_lasts": jit.cache_lasts(),
        "compiled": compiled,
        "pairs_per_second": _speed(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _speed() -> float:
    """Pairs of rows summed in a second of CPU time, compilation left out."""
    import numpy as np

    from ..engine import Work, block_sums
    from ..kernels import KERNELS, BandwidthGrid

    rows = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    grids, starts, fastest = (
        [BandwidthGrid(KERNELS["gaussian"], (1.0,))],
        np.array([0, ROWS]),
        math.inf,
    )
    for _ in range(TIMES):  # the first of a new installation compiles
        start = time.process_time()
        block_sums(rows, starts, grids, Work(threads=1), squares=False)
        fastest = min(fastest, time.process_time() - start)
    return ROWS * (ROWS - 1) / 2 / max(fastest, 1e-9)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    there = {k: v for k, v in found["libraries"].items() if v}
    missing = [k for k, v in found["libraries"].items() if not v]
    lines = [
        ("python", f"{found['python']}, {found['executable']}, {found['platform']}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in there.items())),
    ]
    if missing:
        lines.append(("missing", f"{', '.join(missing)} (each needed for some answers only)"))
    lines.append(("threads", f"{found['threads']} processors may be used"))
    kept = "" if found["cache_lasts"] else ", for this run only: give KSTEST_CACHE_DIR a directory"
    lines.append(("cache", f"{found['cache']}{kept}"))
    state = "yes" if found["compiled"] else "no, the first run compiled now; kstest warmup does all"
    lines.append(("compiled", state))
    pairs = number(found["pairs_per_second"] / 1e6)
    lines.append(("speed", f"{pairs} million pairs of rows in a CPU second on one thread"))
    if "OMP_NUM_THREADS" in os.environ:
        lines.append(("environment", f"OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}"))
    return lines
