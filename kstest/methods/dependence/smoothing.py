"""Smoothers over the given columns of a conditional test: kernel ridge regressions of low rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...engine.residuals import Basis, choose_smoother
from ...kernels import KERNELS, Rows
from .landmarks import kernel_features
from .learners import indicators

Array = NDArray[np.float64]

# Landmark rows of the smoother's kernel, at most; and bandwidths tried, in median distances, the
# last of a single column only.
LANDMARKS = 60
WIDTHS = (1.0, 0.3, 0.1)
PENALTIES = np.geomspace(1e-4, 1e2, 13)
# Directions of smaller singular values than this share of the largest are rounding.
DIRECTION_RANK = 1e-6


def constant(n: int) -> Basis:
    """Smoother that takes the mean out, and nothing else."""
    return Basis(np.full((n, 1), n**-0.5), np.full(1, np.inf))


def bases(rows: Rows, width: float, landmarks: NDArray[np.int64]) -> Iterator[Basis]:
    """Smoothers to choose from: functions of all columns together, or sums of one of each.

    Straight lines in the numeric columns are no part of the penalty: shrinking them would leave a
    share of the plainest dependence on the given columns in both blocks.
    """
    single = [Rows.of(column[:, None]) for column in rows.values.T]
    single += [Rows(rows.values[:, :0], column[:, None]) for column in rows.codes.T]
    alone = width / math.sqrt(len(single))
    levels = [indicators(column) for column in rows.codes.T]
    yield basis(np.hstack([rows.values[:, :0], *levels]), rows.values)
    for factor in WIDTHS if len(single) == 1 else WIDTHS[:-1]:
        yield basis(features(rows, factor * width, landmarks), rows.values)
        if len(single) > 1:
            few = landmarks[:: len(single)]
            parts = [features(column, factor * alone, few) for column in single]
            yield basis(np.hstack(parts), rows.values)


def features(rows: Rows, width: float, landmarks: NDArray[np.int64]) -> Array:
    """Features of a Gaussian kernel at landmark rows."""
    return kernel_features(rows, KERNELS["gaussian"], width, landmarks)


def basis(columns: Array, whole: Array | None = None) -> Basis:
    """Principal directions of features, and what is taken out whole.

    Parameters
    ----------
    columns : ndarray (n, m)
        Features whose directions are shrunk.
    whole : ndarray (n, k), optional
        Columns that are not, beside the constant.
    """
    found = [constant(len(columns)).vectors]
    for some in (np.empty((len(columns), 0)) if whole is None else whole, columns):
        taken = np.hstack(found)
        left = some - taken @ (taken.T @ some)
        directions, singular, _ = np.linalg.svd(left, full_matrices=False)
        sound = singular > DIRECTION_RANK * max(float(singular.max(initial=0.0)), 1e-3)
        found.append(directions[:, sound])
        strengths = singular[sound] ** 2
    lines = sum(part.shape[1] for part in found[:2])
    return Basis(np.hstack(found), np.concatenate([np.full(lines, np.inf), strengths]))


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
