"""Rows where a prediction changes fast between neighbours in the given columns.

At a step, and where few rows describe a steep function, every learner is wrong on some rows, on the
same rows for two columns that follow the same function. Such rows are left out of the test, by a
rule that looks at the given columns and the predictions alone, so that it knows nothing about the
dependence that is tested. Beside a step the rows that stay are no better, hence `stepped`: where
two blocks step together, a rejection is doubtful.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .location import Location

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Nearest rows, the row itself among them, over which a prediction may vary.
NEAREST = 5
# A fast change: by this many standard deviations of the residuals. A step: also by so many times
# the median change, among rows no farther apart than so many times the median distance.
FAST, TIMES, FARTHEST = 1.0, 5.0, 2.0
# With more given columns than this, neighbours are far apart in all of them, and only steps count.
MOST_NEAR = 2


def fast_changes(numbers: Array, location: Location, residuals: Array) -> tuple[Mask, Mask]:
    """Say which rows stand where the prediction of a column changes fast, and which at a step.

    Parameters
    ----------
    numbers : ndarray (n, k)
        Given columns, scaled.
    location : Location
        Of t columns.
    residuals : ndarray (n, t)

    Returns
    -------
    steep, stepped : ndarray of bool (n, t)
        Straight lines are not steep, however far apart the rows of their tails: they are taken
        out whole.
    """
    steep, stepped = np.zeros((2, *residuals.shape), np.bool_)
    if len(numbers) <= NEAREST:
        return steep, stepped
    distance, near = _nearest(numbers)
    close = distance <= FARTHEST * np.median(distance)
    own = location.fold[:, None]  # the models that have not seen the row, for its neighbours too
    for t in range(residuals.shape[1]):
        whole, bent = (
            np.ptp(part[own, near, t], axis=1) for part in (location.by_fold, location.bent)
        )
        unit = FAST * float(residuals[:, t].std())
        stepped[:, t] = (whole > max(unit, TIMES * float(np.median(whole)))) & close
        steep[:, t] = stepped[:, t] | ((bent > unit) & (numbers.shape[1] <= MOST_NEAR))
    return steep, stepped


def _nearest(numbers: Array) -> tuple[Array, NDArray[np.int64]]:
    """Distance of the last of each row's nearest rows, and all of these; shapes (n,), (n, NEAREST).

    Equal distances, as of rounded values, are told apart by the order of rows, not by rounding.
    """
    from scipy.spatial import KDTree

    some = min(2 * NEAREST, len(numbers))
    distance, near = map(np.asarray, KDTree(numbers).query(numbers, some))
    distance = np.round(distance, 9)
    order = np.lexsort((near, distance), axis=1)[:, :NEAREST]
    near = np.take_along_axis(near, order, axis=1)
    return np.take_along_axis(distance, order, axis=1)[:, -1], near
