"""Modes of a density: found by ascent from many starts, merged, and weighed.

The search looks at the density and at the starts it is given, never at the tested rows: moves
between modes that the rows had a say in would not leave the null hypothesis alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..engine import Work, single_blas
from ..targets import Target

Array = NDArray[np.float64]

# Two modes nearer than this (squared, in standard deviations of the mean of both precisions) are
# one: ends of the search differ by far less, and a mixture has no two modes that near.
SAME = 1.0
# End points of the search are modes if Newton's method would gain less than this many nats.
CONVERGED = 1e-2
# A mode with this many nats less mass than the heaviest can be left out.
MASS_GAP = 30.0
MOST_MODES = 50
# Steps of numerical derivatives: relative to the starts' spread, then to a mode's own.
FIRST_STEP, SECOND_STEP = 1e-4, 5e-2
MOST_ITERATIONS = 500
# Smallest eigenvalue of a precision, of its largest.
FLATTEST = 1e-10
# What the search is told where the density vanishes.
NOTHING = 1e100


@dataclass(frozen=True)
class Modes:
    """Modes of a density, in coordinates on the line.

    Attributes
    ----------
    places : ndarray (K, d)
    precisions : ndarray (K, d, d)
        Minus the second derivative of log p, made positive definite.
    log_density : ndarray (K,)
        Of the coordinates, up to a constant.
    """

    places: Array
    precisions: Array
    log_density: Array

    def __len__(self) -> int:
        return len(self.places)

    def take(self, index: NDArray[np.int64]) -> Modes:
        return Modes(self.places[index], self.precisions[index], self.log_density[index])

    @cached_property
    def centre(self) -> Array:
        """Mean of the modes, from which jump scales count."""
        return np.asarray(self.places.mean(axis=0))

    @cached_property
    def _spectra(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self.precisions)
        return values, vectors

    @cached_property
    def narrow(self) -> Array:
        """C^(-1/2), symmetric, (K, d, d)."""
        values, vectors = self._spectra
        return np.asarray((vectors * np.sqrt(values)[:, None]) @ np.swapaxes(vectors, 1, 2))

    @cached_property
    def widen(self) -> Array:
        """C^(1/2), symmetric, (K, d, d)."""
        values, vectors = self._spectra
        return np.asarray((vectors / np.sqrt(values)[:, None]) @ np.swapaxes(vectors, 1, 2))

    @cached_property
    def log_volume(self) -> Array:
        """log |C|^(1/2), (K,)."""
        return np.asarray(-0.5 * np.log(self._spectra[0]).sum(axis=1))

    @cached_property
    def conditions(self) -> Array:
        """Condition numbers of the precisions, (K,)."""
        values = self._spectra[0]
        return np.asarray(values[:, -1] / values[:, 0])

    def distances(self) -> Array:
        """Distances of all pairs of modes in standard deviations on the way, ascending."""
        i, j = np.triu_indices(len(self), 1)
        way = self.places[i] - self.places[j]
        both = (self.precisions[i] + self.precisions[j]) / 2
        return np.sort(np.sqrt(np.einsum("kc,kce,ke->k", way, both, way)))

    @property
    def log_mass(self) -> Array:
        """Laplace's approximation of the mass around each mode, up to a constant, (K,)."""
        return self.log_density + self.log_volume

    def nearest(self, Y: Array) -> NDArray[np.int64]:
        """Return for each row the mode whose normal law gives it most density."""
        logs = np.empty((len(Y), len(self)))
        for k, root in enumerate(self.narrow):
            z = (Y - self.places[k]) @ root
            logs[:, k] = -0.5 * np.einsum("ij,ij->i", z, z) - self.log_volume[k]
        return np.asarray(logs.argmax(axis=1), dtype=np.int64)


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

    ends = []
    with single_blas():  # its matrices are tiny
        for number, (start, spread) in enumerate(zip(starts, spreads, strict=True), 1):
            found = minimize(
                _descent(target, spread),
                start / spread,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": MOST_ITERATIONS, "ftol": 1e-12, "gtol": 1e-7},
            )
            if np.isfinite(found.x).all() and found.fun < NOTHING:
                ends.append((float(found.fun), found.x * spread, spread))
            work.progress(number / len(starts))
    ends.sort(key=lambda end: end[0])
    places, widths = [end[1] for end in ends], [end[2] for end in ends]
    return _distinct(target, places, widths, starts.shape[1], stationary=True)


def mixture_modes(target: Target, spread: Array) -> Modes:
    """Means of a mixture of normal laws: its modes where they are well apart, without a search."""
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
        _, slope = values_at(target, place[None])
        if stationary and slope[0] @ np.linalg.solve(H, slope[0]) / 2 > CONVERGED:
            continue
        known = zip(kept, precisions, strict=True)
        if not any(_apart(place, m, (H + other) / 2) < SAME for m, other in known):
            kept.append(place)
            precisions.append(H)
    modes = _modes(target, np.reshape(kept, (-1, d)), np.reshape(precisions, (-1, d, d)))
    return _heaviest(modes) if len(modes) else modes


def given_modes(target: Target, places: Array, spread: Array) -> Modes:
    """Modes that somebody else found (K, d), with the precision of the density there."""
    precisions = np.array([precision(target, place, spread) for place in places])
    return _modes(target, places, precisions)


def _modes(target: Target, places: Array, precisions: Array) -> Modes:
    if not len(places):
        return Modes(places, precisions, np.empty(0))
    return Modes(places, precisions, target.log_density(places))


def _heaviest(found: Modes) -> Modes:
    """Drop what weighs nothing; the heaviest first, equally heavy ones by their coordinates."""
    mass = found.log_mass
    rounded = np.round(np.column_stack([-mass, found.places]), 3) + 0.0
    order = np.lexsort(rounded.T[::-1])
    return found.take(order[mass[order] > mass.max() - MASS_GAP][:MOST_MODES])


def values_at(target: Target, Y: Array) -> tuple[Array, Array]:
    """Return log densities (n,) and scores (n, d) of coordinates."""
    return target.log_density(Y), target.unconstrain(target.constrain(Y))[1]


def precision(target: Target, place: Array, spread: Array) -> Array:
    """Return minus the second derivative of log p, (d, d), by central differences of the score.

    Exact for normal laws. Eigenvalues are taken by their size: away from a maximum the matrix
    need not be positive definite. The second of two rounds takes steps that suit the first's
    answer, so that the spread need not be known well.
    """
    least = 1e-8 / spread
    step = FIRST_STEP * spread
    H = np.diag(least**2)
    for _ in range(2):
        moves = np.diag(step)
        _, slopes = values_at(target, np.concatenate([place + moves, place - moves]))
        up, down = np.split(slopes, 2)
        rows = (down - up) / (2 * step[:, None])
        if not np.isfinite(rows).all():
            break
        H = (rows + rows.T) / 2
        step = SECOND_STEP / np.sqrt(np.maximum(np.abs(np.diag(H)), least**2))
    # In units in which the diagonal is 1, so that no column's unit decides what is small.
    unit = np.sqrt(np.maximum(np.abs(np.diag(H)), least**2))
    values, vectors = np.linalg.eigh(H / np.outer(unit, unit))
    values = np.maximum(np.abs(values), FLATTEST * np.abs(values).max())
    return np.asarray(((vectors * values) @ vectors.T) * np.outer(unit, unit))


def _descent(target: Target, spread: Array) -> Callable[[Array], tuple[float, Array]]:
    """Return the function to minimise: minus log p and its gradient, in units of the spread."""

    def at(z: Array) -> tuple[float, Array]:
        value, slope = values_at(target, (z * spread)[None])
        gradient = -slope[0] * spread
        if not (np.isfinite(value[0]) and np.isfinite(gradient).all()):
            return NOTHING, np.zeros_like(z)
        return -float(value[0]), gradient

    return at


def _apart(a: Array, b: Array, H: Array) -> float:
    return float((a - b) @ H @ (a - b))


def spread_of(rows: Array) -> Array:
    """Standard deviations; 1 for a column that does not vary."""
    sd = rows.std(axis=0)
    return np.asarray(np.where(sd > 0, sd, 1.0))
