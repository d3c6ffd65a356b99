"""Counterfactual distributions of the outcome: deciles of both arms, and their differences.

The distribution function of each arm is the doubly robust mean of 1(Y <= q) at points q. Its band
holds at all points of both arms together, and is turned into bands of quantiles, and of their
differences, which stay valid where outcomes are tied (Chernozhukov, Fernandez-Val, Melly, Wuethrich
2020, arXiv 1608.05142).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...findings import Column, Table
from .statistic import sums_of

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Points of each arm at which distribution functions are estimated, and draws of their band.
POINTS, BAND_DRAWS = 49, 499
DECILES = tuple(np.arange(1, 10) / 10)


def points_of(y: Array, treated: NDArray[np.bool_]) -> Array:
    """Points at quantiles of the rows of either arm; (p,)."""
    shares = np.linspace(0, 1, POINTS + 2)[1:-1]
    some = [np.quantile(y[treated == a], shares, method="inverted_cdf") for a in (False, True)]
    return np.unique(np.concatenate(some))


def below(y: Array, points: Array) -> Array:
    """1 where an outcome is at most the point; (n, p)."""
    return np.asarray(y[:, None] <= points[None, :], np.float64)


@frozen
class Curves:
    """Distribution functions of the untreated and the treated, (2, p), with their band.

    Attributes
    ----------
    points : ndarray (p,)
    lowest, highest : float
        Of the outcomes of both arms.
    values, low, high : ndarray (2, p)
        Increasing, between 0 and 1.
    smooth : bool
        Whether most outcomes differ, so that deciles may lie between points.
    """

    points: Array
    lowest: float
    highest: float
    values: Array
    low: Array
    high: Array
    smooth: bool

    def quantiles(self, arm: int) -> tuple[Array, Array, Array]:
        """Deciles of one arm, and their band; (9,) each.

        The smallest point at which the function reaches the decile, or a line between points; the
        band from the last point at which its upper bound does not, to the first at which its lower
        bound does.
        """
        reached = np.append(self.points, self.highest)
        passed = np.insert(self.points, 0, self.lowest)
        share = np.array(DECILES) - 1e-12
        middle = reached[np.searchsorted(self.values[arm], share)]
        if self.smooth:
            heights = np.concatenate([self.values[arm], [1.0]])
            rising = np.diff(heights, prepend=-1.0) > 0
            middle = np.interp(share, heights[rising], reached[rising])
        return (
            middle,
            passed[np.searchsorted(self.high[arm], share)],
            reached[np.searchsorted(self.low[arm], share)],
        )


def curves(
    arms: tuple[Array, Array],
    y: Array,
    points: Array,
    groups: Index | None,
    alpha: float,
    rng: np.random.Generator,
) -> Curves:
    """Means of what rows contribute at every point, made increasing, with a simultaneous band.

    Parameters
    ----------
    arms : (ndarray, ndarray), (n, p) each
        Contributions of every row to the distribution functions of the untreated and the treated.
    y : ndarray (n,)
    points : ndarray (p,)
    groups : ndarray of int (n,) or None
    alpha : float
    rng : numpy.random.Generator
    """
    both = np.hstack(arms)
    n, mean = len(both), both.mean(axis=0)
    sums = sums_of(both - mean, groups)
    error = np.sqrt((sums**2).sum(axis=0)) / n
    sure = error > 1e-9
    drawn = np.abs(rng.standard_normal((BAND_DRAWS, len(sums))) @ sums[:, sure]) / n / error[sure]
    largest = drawn.max(axis=1) if sure.any() else np.zeros(BAND_DRAWS)
    wide = float(np.quantile(largest, 1 - alpha, method="higher")) * error
    values, low, high = (
        np.maximum.accumulate(np.clip(v, 0, 1).reshape(2, -1), axis=1)
        for v in (mean, mean - wide, mean + wide)
    )
    smooth = 2 * len(np.unique(y)) > len(y)
    return Curves(points, float(y.min()), float(y.max()), values, low, high, smooth)


def deciles(found: Curves, arms: tuple[str, str], name: str, alpha: float) -> Table:
    """The table of deciles of an outcome."""
    none, one = found.quantiles(0), found.quantiles(1)
    rows = [
        {"decile": share, "control": float(none[0][k]), "treated": float(one[0][k]),
         "difference": float(one[0][k] - none[0][k]), "low": float(one[1][k] - none[2][k]),
         "high": float(one[2][k] - none[1][k])}
        for k, share in enumerate(DECILES)
    ]  # fmt: skip
    columns = (
        Column("decile", "share", ".1f", 6), Column("control", arms[0], width=14),
        Column("treated", arms[1], width=14), Column("difference", "difference", width=12),
        Column("low", "low"), Column("high", "high"),
    )  # fmt: skip
    return Table(
        "deciles",
        rows,
        columns,
        f"Deciles of {name}, if all rows were in the one arm or the other",
        note=f"The band of the differences holds for all together with {100 * (1 - alpha):.3g} % "
        "confidence, and is cautious.",
        strong=tuple(not row["low"] <= 0 <= row["high"] for row in rows),
        printed="last",
    )


def shares(found: Curves, bins: int = 24) -> tuple[Array, tuple[Array, Array]]:
    """Edges, and the share of each arm in every bin, from the first to the last point."""
    edges = np.linspace(found.points[0], found.points[-1], bins + 1)
    none, one = (np.diff(np.interp(edges, found.points, v)) for v in found.values)
    return edges, (none, one)
