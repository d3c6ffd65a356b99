"""The search for the modes of a density: ascent from many starts, and what counts as a mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work, single_blas
from ...targets import Target
from .modes import STEP, Modes, modes_at, precision, spread_of, values_at

Array = NDArray[np.float64]

# Two modes nearer than this (squared, in standard deviations of the mean of both precisions) are
# one: ends of the search differ by far less, and a mixture has no two modes that near.
SAME = 1.0
# End points of the search are modes if no point half a standard deviation beside them, or uphill,
# has this many nats more. (The score is no sign: at a cusp, as of a Laplace distribution, it
# jumps.)
CONVERGED = 1e-2
# A mode with this many nats less mass than the heaviest can be left out.
MASS_GAP = 30.0
MOST_MODES = 50
MOST_ITERATIONS, RESTARTS, LINE_STEPS = 500, 5, 40
# A restart that gains fewer nats than this is the last.
SMALLEST_GAIN = 1e-9
# How far the search may go, in units of the spread: a density that grows for ever has no mode.
FAR = 1e6
# What the search is told where the density vanishes.
NOTHING = 1e100


def spread_out(pool: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose `count` rows of a pool, by index: every other one the farthest from those before it.

    The farthest rows reach light modes that a random choice would miss; the random ones keep
    heavy tails from taking all starts.
    """
    order = rng.permutation(len(pool))[:count]
    if len(pool) <= count:
        return np.asarray(order)
    scaled = pool / spread_of(pool)
    chosen: list[int] = []
    distance = np.full(len(pool), np.inf)
    for k in range(count):
        row = int(order[k]) if k % 2 == 0 else int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, ((scaled - scaled[row]) ** 2).sum(axis=1))
    return np.array(chosen)


def search(target: Target, starts: Array, spreads: Array, work: Work) -> Modes:
    """Climb from every start to a mode; return the distinct ones.

    Parameters
    ----------
    target : Target
        With a density, all columns on the line.
    starts : ndarray (P, d)
    spreads : ndarray (P, d)
        The unit of length around each start: the first step is no longer than that.
    work : Work

    Notes
    -----
    Quasi-Newton ascent of log p with its score (L-BFGS-B of SciPy; Byrd, Lu, Nocedal, Zhu 1995).
    Ends that are no stationary points are left out, ends within one standard deviation of a mode
    of higher density belong to it, and modes with e^-30 of the mass of the heaviest are dropped:
    mass and not density, because a broad mode in many columns is low and heavy.
    """
    from scipy.optimize import minimize

    ends: list[tuple[float, Array, Array]] = []
    with single_blas():  # its matrices are tiny
        for number, (start, spread) in enumerate(zip(starts, spreads, strict=True), 1):
            place, value = _climbed(minimize, target, start, spread)
            if np.isfinite(place).all() and value < NOTHING:
                ends.append((value, place, spread))
            work.progress(number / len(starts))
    ends.sort(key=lambda end: end[0])
    places, widths = [end[1] for end in ends], [end[2] for end in ends]
    return _distinct(target, places, widths, starts.shape[1], stationary=True)


def _climbed(minimize: Any, target: Target, place: Array, spread: Array) -> tuple[Array, float]:
    """Return the end of a climb and minus its log density.

    Without bounds the first step is no longer than the spread; with bounds it would be the whole
    gradient, which of a concentrated density ends anywhere. A step that a flat stretch made too
    long can end the search early; it then goes on from there with a short step.
    """
    value = NOTHING
    for _ in range(RESTARTS):
        descent = Descent(target, spread)
        found = minimize(
            descent,
            place / spread,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MOST_ITERATIONS, "ftol": 1e-12, "gtol": 1e-7, "maxls": LINE_STEPS},
        )
        before, value = value, descent.value
        place = descent.place * spread
        if found.success or not before - value > SMALLEST_GAIN:
            break
    return place, value


def mixture_modes(target: Target, spread: Array) -> Modes:
    """Means of a mixture of normal distributions: where well apart its modes, without a search."""
    assert target.components is not None
    means = target.components[0]
    means = means[np.argsort(-target.log_density(means), kind="stable")]
    return _distinct(target, list(means), [spread] * len(means), target.d, stationary=False)


def _distinct(
    target: Target, places: Sequence[Array], spreads: Sequence[Array], d: int, stationary: bool
) -> Modes:
    """Leave out, of places in the order of their density, what is no mode or one known already."""
    kept: list[Array] = []
    precisions: list[Array] = []
    for place, spread in zip(places, spreads, strict=True):
        if any(_apart(place, m, H) < SAME / 100 for m, H in zip(kept, precisions, strict=True)):
            continue
        H = precision(target, place, spread)
        if stationary and not _is_peak(target, place, H, spread):
            continue
        known = zip(kept, precisions, strict=True)
        if not any(_apart(place, m, (H + other) / 2) < SAME for m, other in known):
            kept.append(place)
            precisions.append(H)
    modes = modes_at(target, np.reshape(kept, (-1, d)), np.reshape(precisions, (-1, d, d)))
    return _heaviest(modes) if len(modes) else modes


def _heaviest(found: Modes) -> Modes:
    """Drop what weighs nothing; the heaviest first, equally heavy ones by their coordinates."""
    mass = found.log_mass
    rounded = np.round(np.column_stack([-mass, found.places]), 3) + 0.0
    order = np.lexsort(rounded.T[::-1])
    return found.take(order[mass[order] > mass.max() - MASS_GAP][:MOST_MODES])


def _is_peak(target: Target, place: Array, H: Array, spread: Array) -> bool:
    """Whether no point beside a place, along an axis or uphill, has notably more density."""
    moves = np.diag(STEP / np.sqrt(np.diag(H)))
    value, slope = values_at(target, place[None])
    uphill = np.nan_to_num(slope[0]) * spread
    uphill *= spread / max(float(np.linalg.norm(uphill)), 1e-300)
    line = np.geomspace(1e-3, 1, 7)[:, None] * uphill
    around = target.log_density(np.concatenate([place + moves, place - moves, place + line]))
    return bool(around.max() <= value[0] + CONVERGED)


class Descent:
    """Minus log p and its gradient, in units of the spread, for a minimiser; keeps the lowest.

    Where the density vanishes, has no value or lies too far out, the answer is a cone around the
    lowest point so far, as steep as the function is there: a line search that meets it takes a
    shorter step, where after a huge number it would give up.
    """

    def __init__(self, target: Target, spread: Array) -> None:
        self.target, self.spread = target, spread
        self.value, self.steepness = NOTHING, 1.0
        self.place: Array = np.full(target.d, np.nan)

    def __call__(self, z: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            value, slope = values_at(self.target, (z * self.spread)[None])
            height, gradient = -float(value[0]), -slope[0] * self.spread
            steepness = float(np.linalg.norm(gradient))
        far = bool(np.abs(z).max() > FAR)
        if far or not (math.isfinite(height) and math.isfinite(steepness)):
            return self._cone(z)
        if height < self.value:
            self.value, self.place, self.steepness = height, z.copy(), steepness
        return height, gradient

    def _cone(self, z: Array) -> tuple[float, Array]:
        way = z - self.place
        length = float(np.linalg.norm(way))
        if self.value == NOTHING or not 0 < length < math.inf:
            return NOTHING, np.zeros_like(z)
        slope = max(self.steepness, 1.0)
        return self.value + slope * length, slope * way / length


def _apart(a: Array, b: Array, H: Array) -> float:
    return float((a - b) @ H @ (a - b))
