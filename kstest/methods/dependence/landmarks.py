"""Features of a kernel at landmark rows (Nystrom), for smoothers, learners and tested blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.margins import bare
from ...kernels import BandwidthGrid, Kernel, Rows
from ...kernels.bandwidths import pair_distances, quantile

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Features of smaller eigenvalues than this share of the largest are rounding.
FEATURE_RANK = 1e-6
# Rows whose distances give the median one.
DISTANCE_ROWS = 150


def kernel_features(rows: Rows, kernel: Kernel, width: float, marks: Index) -> Array:
    """Features whose inner products are the kernel's, exactly so at the landmark rows.

    Parameters
    ----------
    rows : Rows
    kernel : Kernel
    width : float
    marks : ndarray of int
        Landmark rows.

    Returns
    -------
    ndarray (n, rank)
        Up to a constant: of the kernel centred at the landmarks, so that one which is positive
        definite only conditionally (energy) has features too.
    """
    margin = bare(rows, BandwidthGrid(kernel, (width,)))
    out = np.empty((1, 1, len(rows), len(marks)), margin.rows.dtype)
    margin.values(np.arange(len(rows))[None], marks[None], False, out)
    table = out[0, 0].astype(np.float64)
    table -= table[marks].mean(axis=0)
    table -= table.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(table[marks])
    sound = values > FEATURE_RANK * max(float(values.max()), FEATURE_RANK)
    return np.asarray(table @ (vectors[:, sound] / np.sqrt(values[sound])))


def principal(features: Array, share: float, most: int) -> Array:
    """Principal components up to a share of the variance, the largest first; shape (n, p)."""
    centred = features - features.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    reached = np.cumsum(values) >= share * values.sum()
    count = min(most, int(np.argmax(reached)) + 1) if values.any() else 0
    return np.asarray(centred @ vectors[:, :count])


def spread_rows(rows: Rows, some: Index, most: int) -> Index:
    """Choose landmarks: evenly along a single column, else evenly among rows as they come."""
    if rows.values.shape[1] == 1 and not rows.codes.shape[1]:
        some = some[np.argsort(rows.values[some, 0], kind="stable")]
    return some[np.unique(np.linspace(0, len(some) - 1, most).astype(np.int64))]


def median_distance(rows: Rows, some: Index) -> float:
    """Median distance of rows evenly taken from these."""
    step = max(1, len(some) // DISTANCE_ROWS)
    return quantile(pair_distances(rows.take(some[::step]), "euclidean"), 0.5)
