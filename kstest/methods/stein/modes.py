"""Modes of a density: their places, widths and masses.

`search` finds them, from the starts that `starts` chooses. None of it looks at the
tested rows: moves between modes that the rows had a say in would not leave the null hypothesis
alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...targets import Target

Array = NDArray[np.float64]

# Steps of numerical derivatives: relative to the starts' spread, then to a mode's own, until they
# suit it. Long steps make a width of a cusp too.
FIRST_STEP, STEP = 1e-4, 0.5
ROUNDS, SETTLED = 12, 1.1
# Smallest eigenvalue of a precision, of its largest.
FLATTEST = 1e-10


@frozen
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

    def log_shares(self, Y: Array) -> Array:
        """Return log of each mode's share in the density at rows, (n, K), by normal distributions
        alone.

        The distributions have the modes as means, their precisions, and equal weights.
        """
        logs = np.empty((len(Y), len(self)))
        for k, root in enumerate(self.narrow):
            z = (Y - self.places[k]) @ root
            logs[:, k] = -0.5 * np.einsum("ij,ij->i", z, z) - self.log_volume[k]
        logs -= logs.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        return logs

    def nearest(self, Y: Array) -> NDArray[np.int64]:
        """Return for each row the mode with the largest share there."""
        return np.asarray(self.log_shares(Y).argmax(axis=1), dtype=np.int64)


def given_modes(target: Target, places: Array, spread: Array) -> Modes:
    """Modes that somebody else found (K, d), with the precision of the density there."""
    precisions = np.array([precision(target, place, spread) for place in places])
    return modes_at(target, places, precisions)


def modes_at(target: Target, places: Array, precisions: Array) -> Modes:
    if not len(places):
        return Modes(places, precisions, np.empty(0))
    return Modes(places, precisions, target.log_density(places))


def values_at(target: Target, Y: Array) -> tuple[Array, Array]:
    """Return log densities (n,) and scores (n, d) of coordinates."""
    return target.log_density(Y), target.unconstrain(target.constrain(Y))[1]


def precision(target: Target, place: Array, spread: Array) -> Array:
    """Return minus the second derivative of log p, (d, d), by central differences of the score.

    Exact for normal distributions. Steps grow or shrink to half a standard deviation, so that the
    spread need not be known well, and a cusp has a width. Eigenvalues are taken by their size: away
    from a maximum the matrix need not be positive definite.
    """
    least = 1e-8 / spread
    step = FIRST_STEP * spread
    unit, H = least, np.diag(least**2)
    for _ in range(ROUNDS):
        moves = np.diag(step)
        _, slopes = values_at(target, np.concatenate([place + moves, place - moves]))
        up, down = np.split(slopes, 2)
        with np.errstate(all="ignore"):
            rows = (down - up) / (2 * step[:, None])
        if not np.isfinite(rows).all():
            break
        H = (rows + rows.T) / 2
        unit = np.sqrt(np.maximum(np.abs(np.diag(H)), least**2))
        change = STEP / unit / step
        step = STEP / unit
        if change.max() < SETTLED and change.min() > 1 / SETTLED:
            break
    # In units in which the diagonal is 1, so that no column's unit decides what is small.
    values, vectors = np.linalg.eigh(H / np.outer(unit, unit))
    size = np.abs(values)
    values = np.maximum(size, FLATTEST * size.max()) if size.any() else np.ones_like(size)
    return np.asarray(((vectors * values) @ vectors.T) * np.outer(unit, unit))


def spread_of(rows: Array) -> Array:
    """Standard deviations; 1 for a column that does not vary."""
    sd = rows.std(axis=0)
    return np.asarray(np.where(sd > 0, sd, 1.0))
