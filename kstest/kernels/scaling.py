"""Scaling: columns of a data file have units, kernels need comparable ones.

Centre and scale come from the pooled rows of all samples, so they say nothing about which row
belongs to which sample and a permutation test stays exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

SCALES = ("robust", "standard", "none")

# Beyond this many units of spread a value is compressed logarithmically: the order of values is
# kept, their kernels are zero to anything else anyway, and no square can overflow in single
# precision.
FAR = 1e6
# Without scaling, spreads above this would still overflow; all values are compressed then.
WIDEST = 1e12


def scale_columns(pooled: NDArray[np.float64], how: str = "robust") -> NDArray[np.float64]:
    """Return the pooled rows with each column centred and in units of its spread.

    Parameters
    ----------
    pooled : ndarray, shape (N, d)
        Rows of all samples, finite.
    how : {'robust', 'standard', 'none'}
        ``robust``: median, and the median absolute deviation times 1.4826 (the standard deviation
        of a normal law); where that is 0, because more than half of the values are equal, the
        standard deviation. ``standard``: mean and standard deviation. ``none``: the median is
        subtracted, which no distance sees, and the units stay; far values are those beyond
        10^6 times the widest column's spread.

    Returns
    -------
    ndarray, shape (N, d)
        A new C-contiguous array. A constant column becomes 0.
    """
    far = FAR
    if how == "none":
        widest = max((_spread(column) for column in pooled.T), default=0.0)
        far = FAR * min(widest or 1.0, WIDEST)
    out = np.empty(pooled.shape, dtype=np.float64)
    for c in range(pooled.shape[1]):
        out[:, c] = _scale_one(pooled[:, c], how, far)
    return out


def _scale_one(column: Column, how: str, far: float) -> Column:
    magnitude = _magnitude(column)
    if magnitude == 0:
        return np.zeros(len(column))
    x = column / magnitude
    centre = float(np.mean(x)) if how == "standard" else float(np.median(x))
    x -= centre
    spread = float(np.std(x)) if how == "standard" else _robust(x)
    unit = 1 / magnitude if how == "none" else spread
    # Rounding of the centre leaves noise of this size in a constant column.
    if spread <= 4 * np.finfo(float).eps * abs(centre):
        return np.zeros(len(column))
    with np.errstate(over="ignore"):
        x /= unit
    size = np.abs(x)
    if size.max() > far:
        beyond = size > far
        bounded = np.minimum(size[beyond], np.finfo(float).max)
        x[beyond] = np.sign(x[beyond]) * far * (1 + np.log(bounded / far))
    return x


def _spread(column: Column) -> float:
    """Robust spread of a column, in its own unit."""
    magnitude = _magnitude(column)
    if magnitude == 0:
        return 0.0
    x = column / magnitude
    return _robust(x - np.median(x)) * magnitude


def _magnitude(column: Column) -> float:
    """Power of two at the largest value, 0 if all are 0.

    Values are first divided by it, without rounding: sums of squares of 1e300 would overflow.
    """
    largest = float(np.max(np.abs(column), initial=0.0))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest else 0.0


def _robust(centred: Column) -> float:
    """Median absolute deviation times 1.4826; the standard deviation where that is 0."""
    return 1.4826 * float(np.median(np.abs(centred))) or float(np.std(centred))
