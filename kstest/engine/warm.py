"""Compiles every compiled loop ahead of its first use."""

from __future__ import annotations

from pathlib import Path

from .. import jit
from .blocks import load_loops
from .landmarks import load_landmark_loops
from .sequences import load_sequence_loops
from .work import Work


def warm(work: Work) -> Path:
    """Compile everything that is compiled, and return the directory that keeps it."""
    if not jit.is_compiled():
        work.notify("compiling the kernel sums, once per machine: a few seconds")
    from .sweep import WAYS  # now that it is said that compiling takes a while

    for way in WAYS:
        load_loops(way, Work())
    jit.mark_compiled()
    load_sequence_loops(work)
    load_landmark_loops()
    return jit.cache_directory()
