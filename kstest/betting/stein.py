"""Sequential goodness of fit: bets by the Stein kernel, with a certified bound.

Let s be the score of the density p, k(x, y) = (1 + |x - y|^2 / h^2)^(-1/2), and w(x) = (1 + |x -
c|^2 / R^2)^(-1/2) a tilt. The Stein kernel u of w(x) k(x, y) w(y) has E u(y, X) = 0 at every row y
if X has the density p (Stein's identity: scores of certified targets grow at most linearly). It is
a kernel, u(x, y) = <f_x, f_y>, so for the witness F = sum_i f_{X_i} of earlier rows

    sum_i u(X_i, x) = <F, f_x> <= |F| |f_x|,    |F|^2 = sum_ij u(X_i, X_j),
    |f_x|^2 = u(x, x) = |w s + grad w|^2 + w^2 d / h^2 <= B,

where B is a number: with |s(x)| <= offset + slope |x - c|, which `kstest.targets.certificate`
proves, w s is bounded. Hence the payoff

    g(x) = sum_i u(X_i, x) / (|F| sqrt(B))

lies in [-1, 1] and has E g = 0 given the past, and 1 + lambda g, 0 < lambda < 1, is a fair bet,
whichever earlier rows make the witness. Bandwidths, windows of earlier rows and lambda are experts.

References: Martinez-Taboada and Ramdas (2024), Sequential Kernelized Stein Discrepancy, arXiv
2409.17505, for the game; the tilt, which bounds the kernel, is that of Liu and Briol (2024),
On the Robustness of Kernel Goodness-of-Fit Tests, arXiv 2408.05854.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from . import stein_loops

if TYPE_CHECKING:
    from ..targets import Certificate

Array = NDArray[np.float64]

# In units of sqrt(d), in the certified coordinates, where a normal distribution has unit variance.
BANDWIDTHS = (0.5, 1.0, 2.0)
BETS = np.array([0.25, 0.5, 0.95])
# Rows within which late starts of a bet are about as dear as early ones; see `starts`. More than
# elsewhere: a row says little here, a weak misfit takes some fifty to show at best. Against 64 rows
# a start at row 64 costs .7 nats more, one at row 200 the same, those from row 1,000 on .8 less.
TAU = 512.0
# Beyond this a number says no more than how far away a row is; its square has to be a number.
FARTHEST = 1e100


def most_rows(d: int) -> int:
    """Earlier rows of d columns, at most, that a witness is made of: a state stays below 48 kB."""
    return max(100, 6000 // (2 * d + len(BANDWIDTHS)))


@frozen
class Design:
    """What does not change over a stream.

    Attributes
    ----------
    certificate : Certificate
    windows : tuple of int
        Earlier rows that a witness is made of, a witness each; increasing.
    """

    certificate: Certificate
    windows: tuple[int, ...]

    @classmethod
    def of(cls, certificate: Certificate, windows: Sequence[float]) -> Design:
        """Windows of so many rows, or as many as are kept."""
        most = most_rows(len(certificate.centre))
        return cls(certificate, tuple(sorted({int(min(rows, most)) for rows in windows})))

    @property
    def experts(self) -> int:
        return len(BANDWIDTHS) * len(self.windows) * len(BETS)


@frozen
class State:
    """What is kept of the rows so far.

    Attributes
    ----------
    z, scores : ndarray (k, d)
        The last rows, in certified coordinates.
    later : ndarray (k, R)
        Sum of the kernels of a row with the rows after it, by bandwidth.
    """

    z: Array
    scores: Array
    later: Array


def begin(d: int) -> State:
    """Nothing known."""
    return State(np.empty((0, d)), np.empty((0, d)), np.empty((0, len(BANDWIDTHS))))


def step(design: Design, state: State, z: Array, scores: Array) -> tuple[State, Array]:
    """Take more rows and their scores; every row is a round.

    Returns
    -------
    state : State
    log_factors : ndarray (n, E)
    """
    kept, (n, d) = len(state.z), z.shape
    z = np.concatenate([state.z, np.clip(z, -FARTHEST, FARTHEST)])
    scores = np.concatenate([state.scores, np.clip(scores, -FARTHEST, FARTHEST)])
    later = np.concatenate([state.later, np.zeros((n, len(BANDWIDTHS)))])
    proved, c2 = design.certificate, tilt(design.certificate)
    off = z - proved.centre
    w = 1 / np.sqrt(1 + np.einsum("ij,ij->i", off, off) / c2)
    a = w[:, None] * scores - off / c2 * (w**3)[:, None]
    payoffs = np.empty((n, len(BANDWIDTHS), len(design.windows)))
    for k, h in enumerate(BANDWIDTHS):
        squared, sums, out = h * h * d, later[:, k].copy(), np.empty((n, len(design.windows)))
        stein_loops.stein_payoffs(
            z, w, a, kept, np.array(design.windows), squared, bound(proved, squared), sums, out
        )
        later[:, k], payoffs[:, k] = sums, out
    last = slice(max(0, len(z) - design.windows[-1]), None)
    new = State(z[last].copy(), scores[last].copy(), later[last].copy())
    return new, np.log1p(payoffs[..., None] * BETS).reshape(n, design.experts)


def tilt(certificate: Certificate) -> float:
    """The squared radius of the tilt: rows of a normal distribution are within half of it."""
    return 2.0 * len(certificate.centre) + certificate.offset**2


@cache
def _bound(offset: float, slope: float, c: float, level: float) -> float:
    from ..targets import tilted_bound  # other streams have no target

    return tilted_bound(offset, slope, c, level)


def bound(certificate: Certificate, squared: float) -> float:
    """B at a squared bandwidth."""
    level = len(certificate.centre) / squared
    return _bound(certificate.offset, certificate.slope, math.sqrt(tilt(certificate)), level)
