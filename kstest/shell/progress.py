"""What standard error says of a long run: a bar on a terminal, and words before a long wait.

The bar comes for runs of more than a second. A run that will take over LONG seconds says so, with
the time and a faster option, as soon as its first seconds tell; without a terminal (cron, CI) a
line a minute follows.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..files.messages import say

STEPS = 1000
PATIENCE = 1.0
# Seconds: a run that is called long, when its length is first estimated, and between later lines.
LONG, FIRST_LOOK, EVERY = 20.0, 2.0, 60.0
# A share of the work that is enough for an estimate.
TELLING = 0.005
# Up to here a report after a wait that is most of the time comes after what is done once, such as a
# compilation, whose time says nothing of the rest.
BEGUN = 0.02


class Words:
    """Says how long a run will take, if it is long.

    Parameters
    ----------
    label, hint : str
        What is done, and what would be faster.
    again : bool
        Whether to go on saying so.
    """

    def __init__(self, label: str, hint: str, again: bool) -> None:
        self._label, self._hint, self._again = label, hint, again
        self._started, self._next, self._said = time.monotonic(), FIRST_LOOK, False
        self._before, self._last = (0.0, 0.0), 0.0

    def show(self, share: float) -> None:
        """Look at the share done."""
        passed = time.monotonic() - self._started
        if share <= BEGUN and passed - self._last > passed / 2:
            self._before = (passed, share)
        self._last = passed
        before, done = self._before
        if passed < self._next or not TELLING <= share - done < 1 - done:
            return
        whole = passed + (passed - before) / (share - done) * (1 - share)
        self._next = passed + FIRST_LOOK / 2
        if whole <= LONG or (self._said and not self._again):
            return
        hint = f"; {self._hint}" if self._hint and not self._said else ""
        left = _duration(whole - passed)
        say(f"kstest: {self._label}: {share:.0%} done, about {left} to go{hint}")
        self._next, self._said = passed + EVERY, True


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress(
    quiet: bool, label: str = "summing kernels", hint: str = ""
) -> Iterator[Callable[[float], None]]:
    """Give a callback for the share done; the bar appears when it is worth looking at."""
    if quiet or not sys.stderr:
        yield lambda share: None
        return
    terminal = sys.stderr.isatty()
    words = Words(label, hint, again=not terminal)
    if not terminal:
        yield words.show
        return
    started = time.monotonic()
    bar: Any = None

    def show(share: float) -> None:
        nonlocal bar
        words.show(share)
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
