"""Does the dependence of two sides go with the row, or with the time? Rows near each other tell.

A common season, volatility or level makes rows i of x and i of y look dependent, and rows i of x
and i + 1 of y nearly as much; where rows are independent of each other only the first do. From the
matrix G_ij = g(x_i, y_j) of a block (`blocks`) come, besides S(pi) = sum_i G[i, pi(i)],

    near:    sum_k 0.8^(k - 1) sum_{|i - j| = k} G[i, pi(j)],  k = 1, ..., 7,
    beyond:  sum_i G[i, pi(i)] - B / (2 (B - 1)) sum_{|i - j| = 1} G[i, pi(j)].

In `blocks` it is one thing to permute y and to permute x: of rows i with i, S needs only how they
are matched. Not here: z_m = sum_ij w_ij G[i, pi_m(j)] are exchangeable in m if y is exchangeable
given x, by the proof in `blocks` for these sums, but *not* if only x is. With x independent rows
and y smooth, a sum over neighbours of y varies more as it is than permuted, and its factor has a
mean up to 2. So the factor is the smaller of two, one with y and one with x permuted: where either
side is exchangeable one of them has mean 1, and the smaller has mean at most 1. z-scores are taken
over the M + 1 arrangements drawn. Under the claim of `blocks` both wealths are supermartingales.
Where a slow pattern in time makes the dependence, `near` grows faster than the test,
as it counts up to fourteen rows for one, and `beyond` does not grow; where rows are
independent of each other and x_i depends on y_i, `beyond` grows at two thirds of the test's rate or
so, and `near` does not.

The rule: a rejection waits until the log of `beyond` is above that of `near` by `MARGIN`. Waiting
for something else than more evidence cannot make a rejection more likely, so the test keeps its
level. It is no proof: a pattern of a few rows (a season of 2 to 5) is left to `guard`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The test, near, beyond.
GAMES = 3
# Nats.
MARGIN = 2.0


def sure(near: Array, beyond: Array) -> NDArray[np.bool_]:
    """Whether the dependence goes with the row rather than with the time, by log wealths."""
    return np.asarray(beyond > near + MARGIN)
