"""Compiles every compiled loop ahead of its first use."""

from __future__ import annotations

from pathlib import Path

from .. import jit
from .blocks import load_loops
from .sequences import load_sequence_loops
from .work import Work


def warm(work: Work) -> Path:
    """Compile everything that is compiled, and return the directory that keeps it."""
    load_loops(work)
    from .sweep import warm as warm_loops  # now that it is said that compiling takes a while

    warm_loops(weighted=True)
    load_sequence_loops(work)
    return jit.cache_directory()
