"""Data sets that are made by a formula, for examples, tests and benchmarks.

Each is a module with `SUMMARY` and `make(events, rng, **options) -> dict of column to array`; the
command `kstest datasets make NAME` writes them to files.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MADE: dict[str, str] = {"drift-tubes": "kstest.datasets.drift_tubes"}


def load(name: str) -> ModuleType:
    """Import the module of a data set."""
    return import_module(MADE[name])
