"""Arithmetic without denormal numbers, for the thread that sums kernels.

A bandwidth grid by squaring, e, e^2, e^4, ..., takes most pairs of the narrow bandwidths through
the range of denormal numbers (in float32 from 1.2e-38 down), where an Intel processor spends some
150 cycles on every operation. Taken as zero they change no sum by more than 1e-38 a pair, and the
same sums are two to nine times as fast in up to four columns (benchmarks/engine.py).

A bit in the control register of the processor does it, for one thread. C reaches the register by
`fegetenv` and `fesetenv`, whose record differs between systems; where the record is not known, or
does not do what it should, nothing is changed.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

# Flush to zero and denormals are zero: bits of MXCSR on x86-64, of FPCR on ARM.
_X86, _ARM = 0x8000 | 0x0040, 1 << 24
# (system, processor): which 32-bit word of C's fenv_t holds the control register, and the bits.
_REGISTERS = {
    ("linux", "x86_64"): (7, _X86),
    ("linux", "aarch64"): (0, _ARM),
    ("darwin", "x86_64"): (1, _X86),
    ("darwin", "arm64"): (2, _ARM),
}
_RECORD = ctypes.c_uint32 * 16  # longer than any fenv_t above


def flush_denormals() -> None:
    """Take denormal numbers as zero in this thread, for as long as it lives."""
    control = _control()
    if control is not None:
        control(None)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Take denormal numbers as zero in this thread, and restore what was before."""
    control = _control()
    if control is None:
        yield
        return
    before = control(None)
    try:
        yield
    finally:
        control(before)


@cache
def _control() -> Callable[[int | None], int] | None:
    """Return a function that sets this thread's bits (None: all of ours) and returns the old."""
    place = _REGISTERS.get((sys.platform, platform.machine()))
    if place is None:
        return None
    word, ours = place
    try:
        library: Any = ctypes.CDLL(None)
        get, put = library.fegetenv, library.fesetenv
    except (OSError, AttributeError):
        return None

    def control(bits: int | None) -> int:
        record = _RECORD()
        if get(record) != 0:
            return 0
        before = int(record[word]) & ours
        record[word] = (int(record[word]) & ~ours) | (ours if bits is None else bits)
        put(record)
        return before

    return control if _works(control) else None


def _works(control: Callable[[int | None], int]) -> bool:
    """Say whether the bits do what they should, and can be taken back."""
    smallest = np.full(4, np.float32(1.2e-38))
    before = control(None)
    flushed = smallest * np.float32(0.5)
    control(before)
    kept = smallest * np.float32(0.5)
    return not flushed.any() and (bool(kept.all()) or before != 0)
