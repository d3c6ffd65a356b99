"""Whitening: an invertible map to coordinates of unit variance without correlation.

The Stein kernel needs the map of gradients beside that of rows; `scaling`, whose columns may be
compressed at their ends, does not give one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen


@frozen
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


def whitening(
    rows: NDArray[np.float64], correlated: bool = True, floor: float = SMALLEST_EIGENVALUE
) -> Whitening:
    """Return the whitening of the rows' sample covariance.

    Parameters
    ----------
    rows : ndarray (n, d)
    correlated : bool
        If False only the standard deviations are taken away.
    floor : float
        Eigenvalues of the correlation matrix count at least as much: directions of smaller ones
        keep less than unit variance.

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
    root = np.sqrt(np.maximum(values, floor))
    inverse_root = (vectors / root) @ vectors.T
    forward_root = (vectors * root) @ vectors.T
    return Whitening(centre, inverse_root / sd[:, None], forward_root * sd[:, None])
