"""Smoothers over the given columns of a conditional test: kernel ridge regressions of low rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...engine import Basis, bare, choose_smoother
from ...kernels import KERNELS, Bank, Rows

Array = NDArray[np.float64]

# Landmark rows of the smoother's kernel, at most; and bandwidths tried, in median distances.
LANDMARKS = 100
WIDTHS = (1.0, 0.3, 0.1)
PENALTIES = np.geomspace(1e-4, 1e2, 13)
# Landmark features of smaller eigenvalues than this share of the largest are rounding.
FEATURE_RANK = 1e-6


def constant(n: int) -> Basis:
    """Smoother that takes the mean out, and nothing else."""
    return Basis(np.full((n, 1), n**-0.5), np.full(1, np.inf))


def bases(rows: Rows, width: float, landmarks: NDArray[np.int64]) -> Iterator[Basis]:
    """Smoothers to choose from: functions of all columns together, or sums of one of each."""
    single = [Rows.of(column[:, None]) for column in rows.values.T]
    single += [Rows(rows.values[:, :0], column[:, None]) for column in rows.codes.T]
    alone = width / math.sqrt(len(single))
    for factor in WIDTHS:
        yield basis(features(rows, factor * width, landmarks))
        if len(single) > 1:
            few = landmarks[:: len(single)]
            parts = [features(column, factor * alone, few) for column in single]
            yield basis(np.hstack(parts))


def features(rows: Rows, width: float, landmarks: NDArray[np.int64]) -> Array:
    """Features of a Gaussian kernel at landmark rows (Nystrom), centred."""
    margin = bare(rows, Bank(KERNELS["gaussian"], (width,)))
    out = np.empty((1, 1, len(rows), len(landmarks)), margin.rows.dtype)
    margin.values(np.arange(len(rows))[None], landmarks[None], False, out)
    table = out[0, 0].astype(np.float64)
    values, vectors = np.linalg.eigh(table[landmarks])
    sound = values > FEATURE_RANK * values.max()
    found = table @ (vectors[:, sound] / np.sqrt(values[sound]))
    return np.asarray(found - found.mean(axis=0))


def basis(columns: Array) -> Basis:
    """Principal directions of features, and the constant."""
    directions, singular, _ = np.linalg.svd(columns, full_matrices=False)
    sound = singular > FEATURE_RANK * max(float(singular.max(initial=0.0)), 1.0)
    mean = constant(len(columns))
    return Basis(
        np.hstack([mean.vectors, directions[:, sound]]),
        np.concatenate([mean.strengths, singular[sound] ** 2]),
    )


def take_out(columns: Array, bases: Sequence[Basis]) -> Array:
    """Centred columns less what the given ones predict of each; shape (n, d).

    The regressions of `kstest.engine.residuals`, with the linear kernel of one column at a time.
    """
    vectors = np.hstack([basis.vectors for basis in bases])
    out = columns.copy()
    for c, column in enumerate(columns.T):
        along = column @ vectors
        image = column[:, None] * along
        trace = float(column @ column)
        d, chosen, _ = choose_smoother(image, trace, bases, PENALTIES, len(column))
        out[:, c] -= vectors[:, chosen] @ (d * along[chosen])
    return out
