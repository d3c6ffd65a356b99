"""The statistic of perturbed rows: Stein kernels of the rows and of all their moved copies, added.

    h(x_i, x_j) = u(x_i, x_j) + sum_t u(x_i^t, x_j^t)

with x^t the row after its jumps at scale t. Rows with their copies are independent of each other,
and under the null hypothesis every copy is drawn from the target, so h has mean 0 in each argument
as u has, and the same random signs give its null distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Work
from ...engine.stein import SteinPoints, stein_totals
from ...errors import DataError
from ...kernels import BandwidthGrid
from ...targets import Target
from .draws import Draws
from .modes import Modes
from .moves import Moved, perturb
from .signs import Signs, random_signs
from .statistic import Setup, bandwidths

Array = NDArray[np.float64]

# Rows that choose the jump scale of a split test: the choice decides about power alone.
CHOOSING_ROWS = 1000


@frozen
class Perturbation:
    """All it takes to move rows: target, modes, scales, number of jumps, coordinates."""

    target: Target
    modes: Modes
    scales: tuple[float, ...]
    steps: int
    made: Setup

    def copies(
        self, Y: Array, S: Array, params: Any, rng: np.random.Generator, seen: list[Moved]
    ) -> Iterator[tuple[SteinPoints, BandwidthGrid]]:
        """Yield the points of the rows and of their copies; `seen` gets what moved.

        Where the target can be sampled its own draws fix the bandwidths of all copies, otherwise
        each copy has those of its rows.
        """
        yield self.made.frame.points(Y, S), self.made.grid
        for moved in perturb(Y, self.target, self.modes, self.scales, self.steps, rng):
            seen.append(moved)
            rows, slopes = self.target.unconstrain(self.target.constrain(moved.rows))
            bad = ~(np.isfinite(rows) & np.isfinite(slopes)).all(axis=1)
            if bad.any():
                place = ", ".join(f"{x:.6g}" for x in moved.rows[int(np.argmax(bad))])
                raise DataError(
                    f"target: it has a density at {place}, where a row was moved to, but no finite "
                    "score: the derivative of its log density does not exist there"
                )
            grid = self.made.grid
            if self.target.sample is None:
                grid = bandwidths(rows, self.made.frame, params, self.made.finest)
            yield self.made.frame.points(rows, slopes), grid


@frozen
class Perturbed:
    """Statistics of rows with their copies.

    Attributes
    ----------
    T : ndarray (L, B + 1)
        Mean of h over pairs, at L bandwidths; the observed one first.
    unmoved : ndarray (L, B + 1)
        The same for u alone, with the same signs or samples.
    size : ndarray (L,)
        Root mean square of the values.
    signs : Signs or None
        None for simulated samples.
    per_scale : ndarray (J, L)
        Observed mean of u over pairs of copies, per jump scale.
    moved : list of Moved
        Per jump scale.
    """

    T: Array
    unmoved: Array
    size: Array
    signs: Signs | None
    per_scale: Array
    moved: list[Moved] = field(default_factory=list)


def signed(
    Y: Array,
    S: Array,
    how: Perturbation,
    distribution: str,
    params: Any,
    rng: np.random.Generator,
    work: Work,
    chains: Draws | None = None,
) -> Perturbed:
    """Statistics under random signs."""
    n, everything = len(Y), len(how.scales) + 1
    signs = random_signs(n, distribution, params, rng, chains)
    seen: list[Moved] = []
    total: Array | None = None
    count = len(how.made.grid)
    per_copy, squares = np.empty((everything, count)), np.zeros(count)
    pairs = 0.0
    copies = how.copies(Y, S, params, rng, seen)
    for c, sums in enumerate(stein_totals(copies, everything, work, signs.starts)):
        pairs = signs.between(sums.blocks)
        per_copy[c] = sums.blocks.sum(axis=(1, 2)) / pairs
        squares += sums.squares
        if total is None:
            total, first = sums.blocks.copy(), sums.blocks
        else:
            total += sums.blocks
    assert total is not None
    size = np.sqrt(2 * squares / (n * (n - 1)))
    T, unmoved = signs.sums(total) / pairs, signs.sums(first) / pairs
    return Perturbed(T, unmoved, size, signs, per_copy[1:], seen)


def simulated(
    Y: Array, S: Array, how: Perturbation, params: Any, rng: np.random.Generator, work: Work
) -> Perturbed:
    """Statistics of the rows and of samples drawn from the target and moved alike."""
    n, everything, each = len(Y), params.draws + 1, len(how.scales) + 1
    target = how.target
    assert target.sample is not None
    draw = target.sample
    first: list[Moved] = []

    def samples() -> Iterator[tuple[SteinPoints, BandwidthGrid]]:
        yield from how.copies(Y, S, params, rng, first)
        for _ in range(params.draws):
            yield from how.copies(*target.unconstrain(draw(n, rng)), params, rng, [])

    sums = np.empty((everything * each, len(how.made.grid)))
    squares = np.zeros(len(how.made.grid))
    for k, found in enumerate(stein_totals(samples(), len(sums), work)):
        sums[k] = found.blocks[:, 0, 0]
        squares += found.squares
    means = sums.reshape(everything, each, -1) / (n * (n - 1.0))
    # The mean over all samples, the observed one among them, treats all alike.
    size = np.sqrt(2 * squares / everything / (n * (n - 1.0)))
    return Perturbed(means.sum(axis=1).T, means[:, 0].T, size, None, means[0, 1:], first)


def best_scale(
    Y: Array, S: Array, how: Perturbation, params: Any, rng: np.random.Generator, work: Work
) -> float:
    """Return the scale at which rows, which are not tested, promise most power.

    The largest mean of u(x_i, x_j) + u(x_i^t, x_j^t) over its asymptotic standard deviation under
    the alternative, 4 Var_i(mean_j) (Liu, Duncan, Gandy 2023, section 4).
    """
    Y, S = Y[:CHOOSING_ROWS], S[:CHOOSING_ROWS]
    n = len(Y)
    copies = how.copies(Y, S, params, rng, [])
    first: Array | None = None
    criteria = []
    for sums in stein_totals(copies, len(how.scales) + 1, work, np.arange(n + 1)):
        if first is None:
            first = sums.blocks
            continue
        witness = (first + sums.blocks).sum(axis=2) / n
        spread = 2 * witness.std(axis=1)
        criteria.append(float((witness.mean(axis=1) / (spread + 1e-12)).max()))
    return how.scales[int(np.argmax(criteria))]


def steps_of(text: str, modes: int) -> int:
    """Number of jumps: as given, or five per mode, 10 to 30: more of them change little."""
    return int(text) if text != "auto" else min(max(5 * modes, 10), 30)


def scales_of(text: str) -> tuple[float, ...]:
    """Read LOW:HIGH:COUNT or NUMBER[,NUMBER...]; empty for neither."""
    try:
        if ":" in text:
            low, high, count = text.split(":")
            found = np.linspace(float(low), float(high), int(count) if int(count) <= 1000 else 0)
        else:
            found = np.array([float(part) for part in text.split(",")])
    except ValueError:
        return ()
    sound = all(math.isfinite(t) and abs(t) <= 1e6 for t in found)
    return tuple(float(t) for t in found) if sound and len(found) <= 1000 else ()
