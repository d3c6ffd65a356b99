"""`kstest doctor`: what kstest runs on here, for a report of a fault or a slow machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import printable
from ..files import output
from .command import OUTPUT_OPTIONS
from .help import Command, Option

LIBRARIES = (
    "kstest",
    "numpy", "scipy", "pandas", "pyarrow", "numba", "llvmlite", "scikit-learn", "click",
)  # fmt: skip


def build(summary: str) -> click.Command:
    """Return `kstest doctor`."""
    return Command(
        "doctor",
        callback=_doctor,
        params=[
            Option(
                ["--format", "form"],
                brief="Form of the answer",
                type=click.Choice(["text", "json"]),
                default="text",
                show_default=True,
                help="Form of the answer.",
            ),
            *[o for o in OUTPUT_OPTIONS if o.name in ("output", "debug")],
        ],
        help=f"{summary}\n\nIt measures for a second, after compiling what is not yet compiled, "
        "and judges nothing: what cannot be found out is said in its place.\n\n\b\n"
        "Example: kstest doctor",
        short_help=summary,
        epilog="\b\nExit codes:\n  0  printed      2  could not be written",
    )


def _doctor(**given: Any) -> int:
    found = examine()
    if given["form"] == "json":
        text = json.dumps({"schema_version": 1, **found}, indent=2, allow_nan=False) + "\n"
    else:
        width = max(map(len, found)) + 2
        text = "".join(
            f"{key.replace('_', ' '):<{width}}{printable(str(value))}\n"
            for key, value in found.items()
        )
    output.write(text, given["output"])
    return 0


def examine() -> dict[str, Any]:
    """What is found, by name; a text where something cannot be found out."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": printable(sys.executable or ""),
        "system": platform.platform(),
    }
    for name in LIBRARIES:
        found[name] = _tried(partial(importlib.metadata.version, name))
    questions: dict[str, Callable[[], Any]] = {
        "threads": _threads,
        "cache_directory": lambda: printable(str(_cache())),
        "cache_kept": _kept,
        "compiled": _compiled,
        "pair_sums_per_second": _speed,
    }
    return found | {name: _tried(ask) for name, ask in questions.items()}


def _tried(ask: Callable[[], Any]) -> Any:
    """The answer, or why there is none: a broken library must not end the examination."""
    try:
        return ask()
    except Exception as error:
        return printable(f"unknown: {type(error).__name__}: {error}")


def _threads() -> int:
    from ..engine.work import available_threads

    return available_threads()


def _cache() -> Path:
    from ..engine.speed import kept

    return kept()


def _kept() -> str:
    """Whether the directory is one that was asked for, and outlives this process."""
    cache = _cache()
    for variable in ("KSTEST_CACHE_DIR", "NUMBA_CACHE_DIR"):
        asked = os.environ.get(variable)
        if asked and cache != Path(asked):
            return f"{variable} is {asked}, which cannot be used: not writable, or not of this user"
        if asked:
            return f"usable, by {variable}"
    return "usable"


def _compiled() -> bool:
    from ..engine.speed import compiled

    return compiled()


def _speed() -> int:
    from ..engine.speed import pair_sums_per_second

    return pair_sums_per_second()
