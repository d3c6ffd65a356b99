"""Rows as points on circles: features whose means are characteristic functions.

A row x becomes e^{i w'x} at D frequencies w. With w from the spectral distribution of a kernel, the
mean over frequencies of e^{i w'x} times the conjugate of e^{i w'y} estimates k(x, y) (Rahimi and
Recht 2007, NeurIPS 20). Doubling all angles halves the bandwidth, so a grid of bandwidths costs one
evaluation. What a bet knows of all earlier rows is then a sum over them: no row is stored.

The frequencies come from `loops.uniforms`, so they are the same with every version of NumPy, and
are made anew rather than kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..kernels import KERNELS, median_distance
from . import loops
from .rows import Rows

Array = NDArray[np.float64]

# Bandwidths, each half of the one before, the first twice the median distance.
BANDWIDTHS = 4
WIDEST = 2.0
FAR = 1e100  # far values must not overflow when they are squared


@frozen
class Scale:
    """Units of the columns and the median distance, from the first rows.

    Attributes
    ----------
    centre, unit : ndarray (p,)
    bandwidth : float
        The median distance in these units: Euclidean (gaussian) or city-block (laplace).
    """

    centre: Array
    unit: Array
    bandwidth: float


def learn_scale(rows: Rows, how: str, kernel: str, bandwidth: float | None) -> Scale:
    """Choose the units of every column, and the bandwidth unless it is given.

    Parameters
    ----------
    rows : Rows
    how : {'robust', 'standard', 'none'}
        As in `kstest.kernels.scaling`. A column that is constant so far keeps its unit.
    kernel : str
    bandwidth : float or None
        In units of the scaled columns.
    """
    v = rows.values
    p = v.shape[1]
    centre, unit = np.zeros(p), np.ones(p)
    for c in range(p):
        x = v[:, c]
        top = float(np.abs(x).max()) or 1.0
        x = x / top  # squares of large values would overflow
        middle = float(x.mean() if how == "standard" else np.median(x))
        spread = 0.0 if how != "robust" else 1.4826 * float(np.median(np.abs(x - middle)))
        spread = spread or float(x.std())
        centre[c] = middle * top
        if how != "none" and spread > 4 * np.finfo(float).eps * abs(middle):
            unit[c] = max(spread * top, 1e-300)
    if bandwidth is None:
        with np.errstate(over="ignore"):
            # The inner product of `payoffs` has no width, and one that nothing looks at.
            geometry = KERNELS[kernel].geometry if kernel in KERNELS else "euclidean"
            bandwidth = median_distance(np.clip((v - centre) / unit, -FAR, FAR), geometry)
    return Scale(centre, unit, bandwidth)


def frequencies(seed: int, columns: int, count: int, kernel: str) -> Array:
    """Frequencies of the kernel with bandwidth 1, shape (columns, count)."""
    u = np.empty(2 * columns * count)
    loops.uniforms(np.uint64(seed), u)
    spectrum = KERNELS[kernel].spectrum
    assert spectrum is not None
    return spectrum(u).reshape(columns, count)


@frozen
class Circle:
    """The map from rows to features.

    Attributes
    ----------
    scale : Scale
    frequencies : ndarray (p, D)
        Of the widest bandwidth, in units of the scaled columns.
    keys : ndarray of uint64 (c,)
    """

    scale: Scale
    frequencies: Array
    keys: NDArray[np.uint64]

    @classmethod
    def of(cls, scale: Scale, marks: int, seed: int, count: int, kernel: str) -> Circle:
        """Make the features of a block with `marks` columns of categories."""
        w = frequencies(seed, len(scale.centre), count, kernel)
        keys = np.array([seed * 1000003 + 7919 * (c + 1) for c in range(marks)], np.uint64)
        return cls(scale, w / (WIDEST * scale.bandwidth), keys)

    def angles(self, rows: Rows) -> Array:
        """Phases at the widest bandwidth, (n, D)."""
        out = np.empty((len(rows), self.frequencies.shape[1]))
        loops.phases(
            np.ascontiguousarray(rows.values),
            np.ascontiguousarray(rows.marks),
            self.scale.centre,
            self.scale.unit,
            self.frequencies,
            self.keys,
            out,
        )
        return out


def points(angles: Array) -> tuple[Array, Array]:
    """Cosines and sines at all bandwidths, (RUNGS, n, D) each."""
    cosines = np.empty((BANDWIDTHS, *angles.shape))
    sines = np.empty_like(cosines)
    loops.multiples(angles, cosines, sines)
    return cosines, sines
