"""When a stream is decided: the evidence of the test against that of the guard, row by row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import lagged
from .guard import DOUBT, FLAG, LEAST_ROWS

Array = NDArray[np.float64]
Ends = NDArray[np.int64]


@frozen
class Watch:
    """What the guard said so far of both margins.

    Attributes
    ----------
    log_e : ndarray (2,)
        Now.
    largest : ndarray (2,)
        At most.
    flagged : ndarray of int64 (2,)
        Row where a margin was flagged, 0 if it was not.
    """

    log_e: Array
    largest: Array
    flagged: Ends


def begin() -> Watch:
    """Nothing seen."""
    return Watch(np.zeros(2), np.zeros(2), np.zeros(2, np.int64))


@frozen
class Look:
    """New evidence: the rows where it came, and log e there."""

    ends: Ends
    log_e: Array


def decide(
    level: float,
    test: Look,
    largest: float,
    watch: Watch | None,
    margins: tuple[Look, Look] | None,
    neighbours: tuple[Array, Array] | None = None,
) -> tuple[str, int]:
    """Return the first decision among new evidence: ("", 0), ("rejected", row), ("unsound", row).

    Parameters
    ----------
    level : float
        log(1 / alpha).
    test : Look
    largest : float
        Largest log e before.
    watch : Watch or None
        The guard before; None where there is no guard.
    margins : two Looks, or None
    neighbours : two ndarrays (t,), or None
        The log wealths `near` and `beyond` of `lagged` at the ends of `test`.

    Notes
    -----
    At one row the guard comes first. A rejection waits for row `LEAST_ROWS`, while both margins
    are in doubt, and while the dependence may go with the time (`lagged.sure`); waiting for
    something else than more evidence cannot make it more likely.
    """
    crossed = np.maximum.accumulate(np.concatenate([[largest], test.log_e]))[1:] >= level
    if watch is None or margins is None:
        rows = test.ends[crossed]
        return ("rejected", int(rows[0])) if len(rows) else ("", 0)
    unsound = _unsound(watch, margins)
    now = np.array(
        [
            np.concatenate([[before], look.log_e])[np.searchsorted(look.ends, test.ends, "right")]
            for before, look in zip(watch.log_e, margins, strict=True)
        ]
    )
    sure = (now < math.log(DOUBT)).any(axis=0)
    if neighbours is not None:
        sure &= lagged.sure(*neighbours)
    rows = test.ends[crossed & sure & (test.ends >= LEAST_ROWS)]
    rejected = int(rows[0]) if len(rows) else 0
    if unsound and (not rejected or unsound <= rejected):
        return "unsound", unsound
    return ("rejected", rejected) if rejected else ("", 0)


def watched(watch: Watch, margins: tuple[Look, Look], upto: int) -> Watch:
    """The guard after the evidence up to row `upto`."""
    log_e, largest, flagged = watch.log_e.copy(), watch.largest.copy(), watch.flagged.copy()
    for k, look in enumerate(margins):
        seen = look.ends <= upto
        if not seen.any():
            continue
        path = look.log_e[seen]
        log_e[k] = path[-1]
        largest[k] = max(largest[k], path.max())
        over = look.ends[seen][path >= math.log(FLAG)]
        if not flagged[k] and len(over):
            flagged[k] = over[0]
    return Watch(log_e, largest, flagged)


def _unsound(watch: Watch, margins: tuple[Look, Look]) -> int:
    """The row from which on both margins have been flagged, 0 if there is none yet."""
    rows = []
    for flagged, look in zip(watch.flagged, margins, strict=True):
        over = look.ends[look.log_e >= math.log(FLAG)]
        if flagged:
            rows.append(int(flagged))
        elif len(over):
            rows.append(int(over[0]))
    return max(rows) if len(rows) == 2 else 0
