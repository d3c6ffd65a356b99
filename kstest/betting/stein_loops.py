"""The compiled loops of the sequential Stein test; see `stein`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import loop
from ..kernels.compiled import tilted

# Added to the squared norm of a witness, in units of its bound per row: far more than rounding can
# take from it, far less than changes a bet.
SLACK = 1e-9


@loop
def stein_payoffs(
    u: Any, w: Any, a: Any, start: Any, windows: Any, squared: Any, bound: Any, later: Any, out: Any
) -> None:
    """Payoffs of rows one after the other, by witnesses of the rows just before.

    Parameters
    ----------
    u : float64 (n, d)
        Rows: those that were kept, then new ones.
    w, a : float64 (n,), (n, d)
        Their tilts, and tilt times score plus the tilt's gradient.
    start : int
        Rows that were kept: the last `windows[-1]` at least, or all.
    windows : int64 (H,)
        Earlier rows that a witness is made of, at most; increasing.
    squared : float
        The bandwidth, squared.
    bound : float
        That the kernel of a row with itself does not exceed.
    later : float64 (n,)
        Sum of the kernels of every row with the later ones that saw it; changed in place.
    out : float64 (n - start, H)
    """
    n, d = u.shape
    for i in range(start, n):
        total = 0.0
        norm = 0.0
        j = i
        for h in range(len(windows)):
            while j > max(0, i - windows[h]):
                j -= 1
                own = d * w[j] * w[j] / squared
                for c in range(d):
                    own += a[j, c] * a[j, c]
                value = tilted(u, w, a, j, i, squared)
                norm += own + 2.0 * later[j]
                later[j] += value
                total += value
            if i > 0:
                norm_safe = max(norm, 0.0) + SLACK * bound * (i - j)
                out[i - start, h] = min(1.0, max(-1.0, total / np.sqrt(bound * norm_safe)))
            else:
                out[i - start, h] = 0.0
