"""Scaling: columns of a data file have units, kernels need comparable ones.

Centre and scale come from the pooled rows of all samples, so they say nothing about which row
belongs to which sample and a permutation test stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SCALES = ("robust", "standard", "none")

# Beyond this many scale units a value is compressed logarithmically: the order of values is kept,
# their kernels are zero to anything else anyway, and no square can overflow in single precision.
FAR = 1e6


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
        subtracted, which no distance sees, and the units stay.

    Returns
    -------
    ndarray, shape (N, d)
        A new C-contiguous array. A constant column becomes 0.
    """
    out = np.empty(pooled.shape, dtype=np.float64)
    for c in range(pooled.shape[1]):
        out[:, c] = _scale_one(pooled[:, c], how)
    return out


def _scale_one(column: NDArray[np.float64], how: str) -> NDArray[np.float64]:
    # In units of the largest value first: sums of squares of 1e300 overflow.
    largest = float(np.max(np.abs(column), initial=0.0))
    if largest == 0:
        return np.zeros(len(column))
    x = column / largest
    centre = float(np.mean(x)) if how == "standard" else float(np.median(x))
    x -= centre
    unit = 1 / largest
    if how == "robust":
        unit = 1.4826 * float(np.median(np.abs(x)))
    if how == "standard" or unit == 0:
        unit = float(np.std(x))
    # Rounding of the centre leaves noise of this size in a constant column.
    if unit <= 4 * np.finfo(float).eps * abs(centre):
        return np.zeros(len(column))
    with np.errstate(over="ignore"):
        x /= unit
    size = np.abs(x)
    if size.max() > FAR:
        far = size > FAR
        bounded = np.minimum(size[far], np.finfo(float).max)
        x[far] = np.sign(x[far]) * FAR * (1 + np.log(bounded / FAR))
    return x


@dataclass(frozen=True)
class Whitening:
    """An invertible linear map that gives columns unit variance and takes away correlation.

    Attributes
    ----------
    centre : ndarray (d,)
    forward : ndarray (d, d)
        z = (x - centre) forward.
    backward : ndarray (d, d)
        The inverse of `forward`, transposed: a gradient g with respect to x becomes g backward
        with respect to z.
    """

    centre: NDArray[np.float64]
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]


# Eigenvalues of a correlation matrix below this are rounding noise of collinear columns.
SMALLEST_EIGENVALUE = 1e-10


def whitening(rows: NDArray[np.float64], correlated: bool = True) -> Whitening:
    """Return the whitening of the rows' sample covariance.

    Parameters
    ----------
    rows : ndarray (n, d)
    correlated : bool
        If False only the standard deviations are taken away.

    Notes
    -----
    z = R^(-1/2) D^(-1) (x - centre), with D the standard deviations and R the correlations, is
    of all whitening maps the one whose coordinates are most alike the columns (Kessy, Lewin,
    Strimmer 2018, arXiv 1512.00809, ZCA-cor), so that a result per coordinate speaks of a column.
    A constant column keeps its unit; nearly collinear columns keep an invertible map.
    """
    d = rows.shape[1]
    centre = rows.mean(axis=0)
    centred = rows - centre
    # In units of the largest value first: squares of 1e200 overflow.
    largest = np.abs(centred).max(axis=0, initial=0.0)
    safe = np.where(largest > 0, largest, 1.0)
    sd = safe * np.sqrt(np.mean((centred / safe) ** 2, axis=0))
    noise = 8 * np.finfo(float).eps * np.abs(centre)
    sd = np.where(sd > noise, sd, 1.0)
    if not correlated or d == 1:
        return Whitening(centre, np.diag(1 / sd), np.diag(sd))
    unit = centred / sd
    correlation = unit.T @ unit / len(rows)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    root = np.sqrt(np.maximum(values, SMALLEST_EIGENVALUE))
    inverse_root = (vectors / root) @ vectors.T
    forward_root = (vectors * root) @ vectors.T
    return Whitening(centre, inverse_root / sd[:, None], forward_root * sd[:, None])
