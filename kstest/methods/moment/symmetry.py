"""Whether random signs can stand for the null distribution: what skewed residuals do to them.

Random signs are exact for residuals symmetric about 0. For others the mean of few rows has skewed
errors, which signs do not copy. That is seen in the residuals themselves: `triples` asks whether
they are symmetric about whatever they scatter around, which a mean other than 0 does not disturb.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...findings import number
from ...result import Notice
from .distributions import Units
from .question import Question

Array = NDArray[np.float64]

# Level of the test of symmetry; rows that it looks at.
SYMMETRY, MOST_ROWS = 0.1, 400
# The skewness of few rows falls short of that of their distribution: the excess counts twice, and
# with fewer rows than this no skewness is known well enough to reckon with it.
SHORTFALL, FEW_ROWS = 2.0, 30


def triples(r: Array) -> float:
    """Test of symmetry about an unknown centre; standard normal in the limit if r is symmetric.

    Parameters
    ----------
    r : ndarray (n,)
        At least 4 numbers.

    Notes
    -----
    U-statistic of [sign(a + b - 2c) + sign(a + c - 2b) + sign(b + c - 2a)] / 3 over all triples,
    over its standard error; positive for a long tail to the right (Randles, Fligner, Policello,
    Wolfe 1980, Journal of the American Statistical Association 75). O(n^2 log n).
    """
    n, ordered = len(r), np.sort(r)

    def signs(points: Array) -> Array:
        """Sum over k of sign(r_k - point)."""
        below = np.searchsorted(ordered, points, "left")
        return np.asarray(n - np.searchsorted(ordered, points, "right") - below, np.float64)

    one, other = r[:, None], r[None, :]
    middle = signs(2 * other - one) - 2 * np.sign(one - other)
    pairs = (middle + middle.T - signs((one + other) / 2)) / (3 * (n - 2))
    np.fill_diagonal(pairs, 0)
    rows = pairs.sum(axis=1) / (n - 1)
    mean = float(rows.mean())
    of_rows = float(((rows - mean) ** 2).mean())
    of_pairs = float(((pairs[~np.eye(n, dtype=bool)] - mean) ** 2).mean())
    three = math.comb(n, 3)
    variance = (
        3 * (n - 3) * (n - 4) / 2 * of_rows + 3 * (n - 3) * of_pairs + 1 / 9 - mean**2
    ) / three
    return mean / math.sqrt(variance) if variance > 0 else 0.0


def excess(skewness: float, n: int, alpha: float) -> float:
    """How much more often than alpha a two-sided t-test of n rows rejects, by their skewness alone.

    z phi(z) (z^4 + 2 z^2 - 3) skewness^2 / (9 n), of the second-order Edgeworth expansion (Hall
    1987, The Annals of Probability 15), with z the normal quantile of alpha / 2.
    """
    from scipy.special import ndtri

    z = -float(ndtri(alpha / 2))
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return z * density * (z**4 + 2 * z**2 - 3) * skewness**2 / (9 * n)


def unsound_signs(
    question: Question, r: Array, units: Units, order: NDArray[np.int64], p: float, alpha: float
) -> Notice | None:
    """Why a rejection by random signs may be due to skewed residuals; None if nothing says so.

    Parameters
    ----------
    question : Question
    r : ndarray (n,)
    units : Units
        What shares a sign.
    order : ndarray of int (n,)
        A random order of the rows.
    p, alpha : float
    """
    outcome = question.observed() if question.outcome else r
    if question.outcome and (outcome == outcome[0]).all():
        return Notice(
            "constant-outcome",
            f"{question.outcome} is {number(float(outcome[0]))} in all {question.n:,} rows, which "
            "says nothing of how it varies: random signs cannot tell rare outcomes from wrong "
            "predictions. Take more rows, or --null bernoulli or poisson where predictions are "
            "probabilities or means",
        )
    values = r[order] if units.of is None else np.bincount(units.of, r).astype(np.float64)
    few = values[:MOST_ROWS]
    z = triples(few)
    from scipy.special import ndtr

    symmetric = 2 * float(ndtr(-abs(z)))
    left = values - values.mean()
    spread = math.sqrt(float((left**2).mean()))
    skewness = float(((left / spread) ** 3).mean()) if spread > 0 else 0.0
    more = SHORTFALL * excess(skewness, len(values), alpha)
    if symmetric > SYMMETRY or (len(values) >= FEW_ROWS and p + more <= alpha):
        return None
    return Notice(
        "skewed-residuals",
        f"the residuals of {len(values):,} {units.name.split()[0]} are skewed (skewness "
        f"{skewness:.2g}; symmetric ones are so in {100 * symmetric:.2g} % of samples), and random "
        f"signs are made for symmetric ones: with p {p:.3g} and a level wrong by about {more:.2g} "
        "the formula may be right. Take more rows, a residual of a transformed outcome (log), or "
        "--null bernoulli, poisson or normal where one of them is known to hold",
    )
