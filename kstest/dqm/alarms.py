"""From the verdicts of many batches to alarms: k of the last n, and how often that is false."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

from ..errors import UsageError


def parse(text: str) -> tuple[int, int]:
    """Return k and n of ``k/n``."""
    first, _, second = text.partition("/")
    try:
        k, n = int(first), int(second)
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n <= 1000:
        raise UsageError(
            f"--persistence {text!r}: give k/n, so that k rejections among the last n batches are "
            "an alarm, such as 2/3 or 1/1"
        )
    return k, n


def persistent(rejections: Iterable[bool | None], k: int, n: int) -> Iterator[bool]:
    """Say for every batch whether there is an alarm after it.

    An alarm stands while at least k of the last n verdicts are rejections; with fewer than k
    verdicts so far, while all are. Batches without a verdict (None) change nothing. So alarms clear
    when good batches come.
    """
    last: deque[bool] = deque(maxlen=n)
    for rejected in rejections:
        if rejected is not None:
            last.append(rejected)
        yield bool(last) and sum(last) >= min(k, len(last))


def false_alarms(alpha: float, k: int, n: int, seen: int | None = None) -> float:
    """Return how often there is a false alarm, per batch, when nothing is wrong.

    Parameters
    ----------
    alpha : float
        How often a good batch is rejected.
    k, n : int
        k rejections among the last n batches are an alarm.
    seen : int, optional
        Verdicts up to this batch, its own included; None for many.

    Notes
    -----
    From the n-th verdict on, the expected number of alarms that begin: a batch is rejected, exactly
    k - 1 of the n - 1 before it are, and the one that leaves the window is not: alpha (1 - alpha)
    C(n-1, k-1) alpha^(k-1) (1-alpha)^(n-k), for batches that are rejected independently of each
    other (with k = n = 1 successive rejections are one alarm). With fewer verdicts, the probability
    that at least min(k, seen) of them are rejections: `alpha` for a batch alone.
    """
    if seen is not None and seen < n:
        m = max(seen, 1)
        terms = (
            math.comb(m, j) * alpha**j * (1 - alpha) ** (m - j) for j in range(min(k, m), m + 1)
        )
        return sum(terms)
    ways = math.comb(n - 1, k - 1)
    return alpha * (1 - alpha) * ways * alpha ** (k - 1) * (1 - alpha) ** (n - k)
