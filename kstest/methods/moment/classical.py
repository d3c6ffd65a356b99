"""Classical tests beside the kernel's, where they apply: what users know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .distributions import Drawn
from .estimate import TINY, Fit, by_unit
from .question import Question

Array = NDArray[np.float64]
Index = NDArray[np.int64]

GROUPS = 10


@frozen
class Classical:
    """A classical test.

    Attributes
    ----------
    name : str
    statistic : float
    distribution : str
        Its distribution under the null hypothesis, in words.
    p_value : float
    """

    name: str
    statistic: float
    distribution: str
    p_value: float


def mean_residual(r: Array, fit: Fit | None, units: Index | None) -> tuple[float, float | None]:
    """Return the mean, and its z with what was fitted accounted for; None where that is no number.

    The influence of row i on the mean is r_i + (mean of G) . IF_i; with a constant among the
    parameters it is 0.
    """
    influence = r if fit is None else r + fit.influence @ fit.gradient.mean(axis=0)
    error = float(np.sqrt((by_unit(influence[:, None], units) ** 2).sum())) / len(r)
    mean, size = float(r.mean()), float(np.sqrt((r**2).sum())) / len(r)
    return mean, mean / error if error > 1e-9 * size else None


def hosmer_lemeshow(question: Question, drawn: Drawn) -> Classical | None:
    """Compare outcomes with probabilities in tenths of the rows by probability.

    Sum of (observed - expected)^2 / variance over the groups, with as many degrees of freedom:
    nothing was fitted to these rows (Hosmer and Lemeshow 1980, Communications in Statistics 9).
    """
    from scipy.special import chdtrc

    y, p = question.observed(), drawn.parameter
    edges = np.unique(np.quantile(p, np.arange(1, GROUPS) / GROUPS))
    of = np.searchsorted(edges, p, side="left")
    variance, square = np.bincount(of, p * (1 - p)), np.bincount(of, y - p) ** 2
    sound = variance > 0
    if not sound.any():
        return None
    statistic, groups = float((square[sound] / variance[sound]).sum()), int(sound.sum())
    return Classical(
        "Hosmer-Lemeshow", statistic, f"chi-squared, {groups} df", float(chdtrc(groups, statistic))
    )


def reset(question: Question, fit: Fit) -> Classical | None:
    """Ramsey's RESET: do squares and cubes of the fitted values explain the residual?

    Holds for errors of one variance only (Ramsey 1969, Journal of the Royal Statistical Society B
    31).
    """
    from scipy.special import fdtrc

    if not question.outcome or fit.estimator != "least squares":
        return None
    values = question.observed() - fit.residual
    spread = float(values.std())
    n, count = fit.gradient.shape
    rest = n - count - 2
    if spread == 0 or rest < 1:
        return None
    u = (values - values.mean()) / spread
    plain = fit.gradient / np.maximum(np.sqrt((fit.gradient**2).mean(axis=0)), TINY)
    more = np.column_stack([plain, u**2, u**3])
    if np.linalg.matrix_rank(more) < count + 2:
        return None
    without, with_powers = (_squares_left(basis, fit.residual) for basis in (plain, more))
    if with_powers <= 0:
        return None
    statistic = max((without - with_powers) / 2 / (with_powers / rest), 0.0)
    return Classical(
        "RESET", statistic, f"F, 2 and {rest:,} df, if errors have one variance",
        float(fdtrc(2, rest, statistic)),
    )  # fmt: skip


def _squares_left(basis: Array, r: Array) -> float:
    left = r - basis @ np.linalg.lstsq(basis, r, rcond=None)[0]
    return float(left @ left)


def hansen(fit: Fit) -> Classical | None:
    """Hansen's J: are the moments that are more than the parameters 0 too?"""
    from scipy.special import chdtrc

    if fit.over is None:
        return None
    statistic, df = fit.over
    return Classical("Hansen's J", statistic, f"chi-squared, {df} df", float(chdtrc(df, statistic)))
