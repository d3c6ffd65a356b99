"""Who was treated together: groups in a randomised design, and rows that depend on neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...diagnostics.dependence import strongest_lag
from ...errors import DataError
from ...result import Notice
from .data import Study
from .features import OutcomeFeatures
from .options import RANDOMISED, Params
from .statistic import sums_of, within

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def require_whole_groups(made: Study, params: Params) -> None:
    """Refuse groups that are not treated as a whole, within one stratum.

    Raises
    ------
    DataError
        In a randomised design.
    """
    if made.groups is None or params.design != RANDOMISED:
        return
    for what, values in (("both arms", made.treated), ("several strata", made.strata)):
        pairs = np.unique(np.column_stack([made.groups, values]), axis=0)
        split = len(pairs) - len(np.unique(made.groups))
        if split:
            advice = (
                "If the lot was drawn within them, name the column by --strata instead"
                if what == "both arms"
                else "Leave --strata out, or name another column"
            )
            raise DataError(
                f"--group: {split:,} of {int(made.groups.max()) + 1:,} groups have rows in {what}, "
                f"and with --design randomised a group is treated as a whole. {advice}"
            )


def lot(made: Study, left: Array) -> tuple[Array, NDArray[np.bool_], Index]:
    """What the lot was drawn for, rows or groups: sums of `left`, who is treated, and strata."""
    if made.groups is None:
        return left, made.treated, made.strata
    first = np.unique(made.groups, return_index=True)[1]
    return sums_of(left, made.groups), made.treated[first], made.strata[first]


def slope(made: Study, left: Array) -> tuple[Array, Array]:
    """Difference of the means of what is left, within strata, and what rows add to its error.

    Parameters
    ----------
    made : Study
    left : ndarray (n, k)

    Returns
    -------
    ndarray (k,), ndarray (n, k)
    """
    A = within(made.treated.astype(np.float64), made.strata)
    part = A[:, None] * left
    effect = part.sum(axis=0) / float(A @ A)
    return effect, (part - (A**2)[:, None] * effect) / float((A**2).mean())


def by_lot(made: Study, psi: OutcomeFeatures, left: Array) -> tuple[Array, Array]:
    """What rows contribute to the distribution functions of the untreated and the treated."""
    effect, influence = slope(made, left[:, psi.below])
    difference, share = effect + influence, float(made.treated.mean())
    steps = psi.values[:, psi.below]
    return steps - share * difference, steps + (1 - share) * difference


def neighbours(made: Study, influence: Array) -> tuple[Notice, ...]:
    """Warn where rows that are neighbours in the file contribute alike to the difference."""
    if made.groups is not None or not influence.shape[1]:
        return ()
    found = strongest_lag(influence[np.argsort(made.places)])
    if found is None:
        return ()
    name = made.outcomes.names[found[1]]
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike in what they say of the effect on {name!r} (lag-1 "
            f"autocorrelation {found[0]:.2f}). If several rows belong to one user, site or stretch "
            "of time, they are no independent rows: name that column by --group",
        ),
    )
