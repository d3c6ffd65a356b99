"""Whether a series drifts: its mean or its spread differs between quarters of the record."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .dependence import autocorrelations, memory, with_sizes

Array = NDArray[np.float64]

# A quarter lies as many standard errors from the others in one of 15,000.
FAR = 4.0
# A record of fewer memories than this tells memory and drift poorly apart.
LEAST = 12


def drifting(x: Array) -> bool:
    """Say whether centred columns (n, d) drift in mean or in size of deviations.

    The mean of every quarter is compared with that of the others in units of its standard error,
    which follows from the autocorrelation up to the lag where it ends (`memory`). A memory
    that lasts for over a twelfth of the record, as that of a random walk, counts as a drift too.
    """
    n = len(x)
    quarter = n // 4
    both = with_sizes(x)
    both = both[:, both.std(axis=0) > 0]
    if not both.size or quarter < 8:
        return False
    bound = FAR + math.sqrt(2 * math.log(both.shape[1])) / 2
    parts = both[: 4 * quarter].reshape(4, quarter, -1).mean(axis=1)
    # A quarter against the other three: variance 1 / q + 1 / (3 q).
    gaps = np.abs(parts - parts.mean(axis=0)).max(axis=0) * 4 / 3
    r = autocorrelations(both)
    for c, column in enumerate(both.T):
        last = memory(column[:, None])
        if LEAST * last > n:
            return True
        spread = float(column.var()) * max(1.0, 1 + 2 * float(r[1 : last + 1, c].sum()))
        if gaps[c] > bound * math.sqrt(spread * 4 / (3 * quarter)):
            return True
    return False
