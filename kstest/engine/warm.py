"""Compiles every compiled loop ahead of its first use."""

from __future__ import annotations

from pathlib import Path

from .. import jit
from .blocks import load_leaves
from .sequences import load_sequence_leaves
from .work import Work


def warm(work: Work) -> Path:
    """Compile everything that is compiled, and return the directory that keeps it."""
    load_leaves(work)
    from .sweep import warm as warm_leaves  # now that it is said that compiling takes a while

    warm_leaves(weighted=True)
    load_sequence_leaves(work)
    return jit.cache_directory()
