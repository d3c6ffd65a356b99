"""Perturbation: moves between the modes of a density that leave the density as it is.

A row jumps from the surroundings of mode i to those of mode j by an affine map,

    x' = t m_j + C_j^(1/2) C_i^(-1/2) (x - t m_i),

with m the modes, measured from their mean, C the inverses of the precisions there, and t the
jump scale; the map from j to i is its inverse. The mode i to leave is drawn with probability
r_i(x), its share in the density at x if there were normal distributions at the modes; the mode j to
reach uniformly from the others. Accepted with probability min(1, a_j(x') / a_i(x)), where a_i(x) =
p(x) |C_i|^(1/2) r_i(x), the jump is a Metropolis-Hastings step that leaves p invariant (Tjelmeland
and Hegstad 2001; Liu, Duncan, Gandy 2023, arXiv 2304.14762). Rows drawn from p stay draws from p,
however often they jump; rows whose modes have wrong weights come to lie, for t other than 1, where
p has few.

Published is r_i = 1 / K, a uniform pair of modes: of many modes most rows are then asked to leave
one where they are not, and only a step in K does something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...targets import Target
from .modes import Modes

Array = NDArray[np.float64]

# Rows, over all scales, that jump at once: their coordinates stay in the cache.
ROWS_AT_ONCE = 50_000


# Automatic scales: how many on each side of 1; where jumps end beside a mode, in standard
# deviations; and the largest distance of a scale from 1.
EACH_SIDE, NEAREST, FARTHEST, WIDEST = 10, 0.9, 2.1, 0.9


@frozen
class Moved:
    """Rows after their jumps at one scale.

    Attributes
    ----------
    scale : float
    rows : ndarray (n, d)
    accepted : float
        Share of proposed jumps that were made.
    jumped : float
        Share of rows that jumped at least once.
    """

    scale: float
    rows: Array
    accepted: float
    jumped: float


def automatic_scales(modes: Modes) -> tuple[float, ...]:
    """Return jump scales that suit the distances of the modes.

    Jumps of a scale of 1 end in the middle of the other mode, where rows with wrong weights look
    as right as before; jumps that end more than two standard deviations beside it are hardly ever
    accepted. Scales such that jumps end 0.9 to 2.1 standard deviations beside a mode have
    more power than the published range of 0.5 to 1.5, at any distance of the modes
    (``benchmarks/README.md``). Where pairs of modes differ in distance, every third scale suits
    the nearest pair, the median pair, and the farthest.
    """
    distances = modes.distances()
    pairs = distances[[0, (len(distances) - 1) // 2, len(distances) - 1]]
    beside = np.linspace(NEAREST, FARTHEST, EACH_SIDE)
    beside = np.concatenate([-beside[::-1], beside])
    # Modes are more than a standard deviation apart, or given by somebody.
    step = beside / np.maximum(pairs, 1e-300)[np.arange(len(beside)) % 3]
    return tuple(float(t) for t in 1 + np.clip(step, -WIDEST, WIDEST))


def jump(
    Y: Array, start: NDArray[np.int64], end: NDArray[np.int64], scales: Array, modes: Modes
) -> tuple[Array, Array]:
    """Return proposed rows (n, d) and the logarithm of the map's volume factor (n,).

    Parameters
    ----------
    Y : ndarray (n, d)
    start, end : ndarray of int (n,)
        The modes i and j of every row.
    scales : ndarray (n,)
    modes : Modes
    """
    offsets = modes.places - modes.centre
    steps = scales[:, None] * offsets[start]
    steps += modes.centre
    out = Y - steps
    for k in range(len(modes)):
        leaving = start == k
        out[leaving] = out[leaving] @ modes.narrow[k].T
    for k in range(len(modes)):
        arriving = end == k
        out[arriving] = out[arriving] @ modes.widen[k].T
    out += scales[:, None] * offsets[end]
    out += modes.centre
    return out, modes.log_volume[end] - modes.log_volume[start]


def perturb(
    Y: Array,
    target: Target,
    modes: Modes,
    scales: Sequence[float],
    steps: int,
    rng: np.random.Generator,
) -> Iterator[Moved]:
    """Yield the rows after `steps` jumps, for one scale after the other, each from Y itself.

    Parameters
    ----------
    Y : ndarray (n, d)
        Coordinates on the line (see `Target.unconstrain`).
    target : Target
        With a density.
    modes : Modes
        At least 2, chosen without a look at these rows.
    scales : sequence of float
        None yield nothing.
    steps : int
    rng : numpy.random.Generator
    """
    if not scales:
        return
    n, at_once = len(Y), max(1, ROWS_AT_ONCE // max(1, len(Y)))
    density, shares = target.log_density(Y), modes.log_shares(Y)
    for first in range(0, len(scales), at_once):
        some = scales[first : first + at_once]
        rows, logs = np.tile(Y, (len(some), 1)), np.tile(density, len(some))
        parts, every = np.tile(shares, (len(some), 1)), np.arange(len(some) * n)
        each = np.repeat(np.asarray(some, np.float64), n)
        made = np.zeros(len(rows))
        for _ in range(steps):
            start = _drawn(parts, rng)
            end = (start + rng.integers(1, len(modes), size=len(rows))) % len(modes)
            with np.errstate(all="ignore"):
                proposed, ratio = jump(rows, start, end, each, modes)
                there, beside = target.log_density(proposed), modes.log_shares(proposed)
                ratio += there - logs + beside[every, end] - parts[every, start]
                accept = np.log1p(-rng.random(len(rows))) < ratio
            rows[accept], logs[accept] = proposed[accept], there[accept]
            parts[accept] = beside[accept]
            made += accept
        for k, scale in enumerate(some):
            part = slice(k * n, (k + 1) * n)
            share = float(made[part].mean()) / steps
            yield Moved(scale, rows[part], share, float((made[part] > 0).mean()))


def _drawn(log_shares: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a mode for every row with the probabilities of its shares (n, K)."""
    heights = np.cumsum(np.exp(log_shares), axis=1)
    below = heights[:, :-1] <= rng.random(len(heights))[:, None] * heights[:, -1:]
    return np.asarray(below.sum(axis=1), dtype=np.int64)
