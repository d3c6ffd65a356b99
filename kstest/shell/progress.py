"""A progress bar on standard error: only on a terminal, only for runs of more than a second."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

STEPS = 1000
PATIENCE = 1.0


@contextmanager
def progress(quiet: bool, label: str = "summing kernels") -> Iterator[Callable[[float], None]]:
    """Give a callback for the share done; the bar appears when it is worth looking at."""
    if quiet or not sys.stderr or not sys.stderr.isatty():
        yield lambda share: None
        return
    started = time.monotonic()
    bar: Any = None

    def show(share: float) -> None:
        nonlocal bar
        if bar is None:
            if time.monotonic() - started < PATIENCE or share >= 1:
                return
            bar = click.progressbar(length=STEPS, label=label, file=sys.stderr)
            with contextlib.suppress(OSError):
                bar.__enter__()
        with contextlib.suppress(OSError):  # the terminal is gone
            bar.update(max(0, int(share * STEPS) - bar.pos))

    try:
        yield show
    finally:
        if bar is not None:
            with contextlib.suppress(OSError):
                bar.__exit__(None, None, None)
