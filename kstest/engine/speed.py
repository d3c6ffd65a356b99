"""What the compiled loops do on this machine: how fast, kept where, compiled or not."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from .. import jit
from ..kernels import KERNELS, Bank
from .sweep import sweep, warm
from .tiles import Points

SECONDS = 1.0
ROWS = 1000  # in each of two blocks


def kept() -> Path:
    """Directory of the compiled loops."""
    return jit.cache_directory()


def compiled() -> bool:
    """Whether the loops over pairs of rows are compiled."""
    return jit.is_compiled()


def pair_sums_per_second() -> int:
    """Sums over pairs of rows of the Gaussian kernel, one column, one thread.

    A pair sum is one kernel value that is added up.
    """
    warm()
    points = Points.of(np.random.default_rng(0).normal(size=(2 * ROWS, 1)), np.float32)
    starts, bank = np.array([0, ROWS, 2 * ROWS]), Bank(KERNELS["gaussian"], (1.0,), squaring=True)
    begun, pairs, elapsed = time.perf_counter(), 0, 0.0
    while elapsed < SECONDS:
        sweep(False, points, starts, 0, 1, 2, bank, True)
        pairs += ROWS * ROWS
        elapsed = time.perf_counter() - begun
    return round(pairs / elapsed)
