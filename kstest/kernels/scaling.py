"""Scaling: columns of a data file have units, kernels need comparable ones.

Centre and scale come from the pooled rows of all samples, so they say nothing about which row
belongs to which sample and a permutation test stays exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

SCALES = ("robust", "standard", "none")

# Beyond this many units of spread a value is compressed logarithmically: the order of values is
# kept, their kernels are zero to anything else anyway, and no square can overflow in single
# precision.
FAR = 1e6
# Without scaling, spreads above this would still overflow; all values are compressed then.
WIDEST = 1e12
# Columns are scaled a few at a time: as many as hold this many values.
BLOCK_VALUES = 1 << 18


def scale_columns(
    pooled: NDArray[np.float64],
    how: str = "robust",
    missing: NDArray[np.bool_] | None = None,
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the pooled rows with each column centred and in units of its spread.

    Parameters
    ----------
    pooled : ndarray, shape (N, d)
        Rows of all samples, finite.
    how : {'robust', 'standard', 'none'}
        ``robust``: median, and the median absolute deviation times 1.4826 (the standard deviation
        of a normal distribution); where that is 0, because more than half of the values are equal,
        the standard deviation. ``standard``: mean and standard deviation. ``none``: the median is
        subtracted, which no distance sees, and the units stay; far values are those beyond 10^6
        times the widest column's spread.
    missing : ndarray of bool, shape (N, d), optional
        Cells to leave out of centre and spread; they become 0, the centre.
    out : ndarray, shape (N, d), optional
        Takes the scaled rows in place of a new array; may be `pooled` itself.

    Returns
    -------
    ndarray, shape (N, d)
        A new C-contiguous array, or `out`. A constant column becomes 0.
    """
    far = FAR
    if how == "none":
        spreads = (_centred(block, how)[1:3] for _, block in _present(pooled, missing))
        widest = max((float((s * m).max()) for s, m in spreads), default=0.0)
        far = FAR * min(widest or 1.0, WIDEST)
    if out is None:
        out = np.zeros(pooled.shape, dtype=np.float64)
    elif missing is not None:
        out[missing] = 0
    for place, block in _present(pooled, missing):
        out[place] = _scale(block, how, far).T
    return out


@frozen
class Units:
    """Centre and unit of every column, from some rows, for others that are not there yet.

    Attributes
    ----------
    magnitude, centre, unit : ndarray (d,)
        A value x becomes (x / magnitude - centre) / unit. A column that is constant in the rows
        that gave the unit has that of its magnitude: other values are not the same as it.
    far : float
        Beyond it values are compressed, see `FAR`.
    """

    magnitude: NDArray[np.float64]
    centre: NDArray[np.float64]
    unit: NDArray[np.float64]
    far: float

    @classmethod
    def of(cls, rows: NDArray[np.float64], how: str) -> Units:
        """Units of rows (N, d), N > 0, in a scale of `SCALES`, as in `scale_columns`."""
        _, spread, magnitude, centre = _centred(np.ascontiguousarray(rows.T), how)
        if how == "none":
            widest = float((spread * magnitude).max(initial=0.0))
            return cls(magnitude, centre, 1 / magnitude, FAR * min(widest or 1.0, WIDEST))
        return cls(magnitude, centre, np.where(spread == 0, 1.0, spread), FAR)

    def scaled(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows (n, d) in these units; a new array."""
        with np.errstate(over="ignore"):
            x = (rows / self.magnitude - self.centre) / self.unit
        return _compressed(np.ascontiguousarray(x), self.far)


def medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of every row, all finite: NumPy's number, which also looks for NaN.

    That takes half as long again, and imports masked arrays, a tenth of the time to start.
    """
    middle = rows.shape[1] // 2
    if rows.shape[1] % 2:
        return np.asarray(np.partition(rows, middle, axis=1)[:, middle])
    parted = np.partition(rows, (middle - 1, middle), axis=1)
    return np.asarray((parted[:, middle - 1] + parted[:, middle]) / 2)


def robust_spread(column: NDArray[np.float64]) -> float:
    """The unit of a column, shape (n,), under ``robust``; 0 if it is constant or empty."""
    if not len(column):
        return 0.0
    _, spread, magnitude, _ = _centred(column[None, :], "robust")
    return float(spread[0] * magnitude[0])


def _present(
    pooled: NDArray[np.float64], missing: NDArray[np.bool_] | None
) -> Iterator[tuple[Any, NDArray[np.float64]]]:
    """Columns a few at a time, as rows of a contiguous copy, and their place in `pooled`.

    A column with missing cells comes alone and without them.
    """
    n, d = pooled.shape
    holes = np.zeros(d, bool) if missing is None else missing.any(axis=0)
    whole = np.flatnonzero(~holes)
    step = max(1, BLOCK_VALUES // max(n, 1))
    for first in range(0, len(whole), step):
        columns = whole[first : first + step]
        if n:
            place = (slice(None), columns) if len(whole) < d else np.s_[:, first : first + step]
            yield place, np.ascontiguousarray(pooled[:, columns].T)
    for c in np.flatnonzero(holes):
        there = ~missing[:, c] if missing is not None else np.ones(n, bool)
        if there.any():
            yield (there, slice(c, c + 1)), pooled[there, c][None, :]


def _scale(columns: NDArray[np.float64], how: str, far: float) -> NDArray[np.float64]:
    """Scale columns that are given as rows (k, n); n > 0."""
    x, spread, magnitude, _ = _centred(columns, how)
    constant = spread == 0
    unit = 1 / magnitude if how == "none" else np.where(constant, 1, spread)
    with np.errstate(over="ignore"):
        x /= unit[:, None]
    x[constant] = 0
    return _compressed(x, far)


def _compressed(x: NDArray[np.float64], far: float) -> NDArray[np.float64]:
    """The same array, with values beyond `far` on a logarithmic scale."""
    size = np.abs(x)
    if size.max(initial=0.0) > far:
        beyond = size > far
        bounded = np.minimum(size[beyond], np.finfo(float).max)
        x[beyond] = np.sign(x[beyond]) * far * (1 + np.log(bounded / far))
    return x


def _centred(
    columns: NDArray[np.float64], how: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centred columns in units of their magnitude, their spread in that unit, it, and the centre.

    The magnitude is the power of two at the largest value, so dividing by it rounds nothing;
    without it sums of squares of 1e300 would overflow. The spread of a constant column is 0.
    """
    largest = np.abs(columns).max(axis=1)
    magnitude = np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)
    x = columns / magnitude[:, None]
    centre = x.mean(axis=1) if how == "standard" else medians(x)
    x -= centre[:, None]
    spread = np.zeros(len(x)) if how == "standard" else 1.4826 * medians(np.abs(x))
    spread[spread == 0] = x[spread == 0].std(axis=1)
    # Rounding of the centre leaves noise of this size in a constant column.
    spread[spread <= 4 * np.finfo(float).eps * np.abs(centre)] = 0
    return x, spread, magnitude, centre
