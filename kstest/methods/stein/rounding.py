"""Columns whose values lie on a grid too coarse for a density.

A density gives every single value probability 0. Rounding to a grid with steps of s standard
deviations adds s^2 / 12 to the variance, which shifts the statistic of n rows in proportion to
n s^4: at 200 rows a step of half a standard deviation does no harm yet (rejections .075 at level
.05), a step of one makes every test reject. So the bar shrinks as n^(-1/4).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...targets import Target
from .data import Given

Array = NDArray[np.float64]

# Fewer rows than this show no grid, and no test notices it.
FEWEST_ROWS = 20
# Steps, in standard deviations, that are too long from so many rows on.
LONGEST, AT_ROWS = 0.5, 200
# So few values, each met twice on average, are a count or a code.
FEW_VALUES = 20
# Digits behind the point that are looked at, and how near (in steps) values lie to a grid.
DIGITS, NEAR = 9, 1e-3
# Beyond it differences and quotients leave the range of numbers.
LARGEST = 1e100
# Rows that show how wide the density is.
LOOKED_AT = 10_000


# Bandwidth, in steps, from which on a kernel does not tell a grid from all numbers: the difference
# falls as exp(-2 pi h / s) for the inverse multiquadric, faster for a Gaussian.
SMOOTH = 2.0


@frozen
class Grid:
    """A column on a grid.

    Attributes
    ----------
    place : int
        Of the column.
    step, origin : float
        The grid origin + k step, in the column's units.
    values : int
        How many different ones there are.
    relative : float
        Step in standard deviations.
    """

    place: int
    step: float
    origin: float
    values: int
    relative: float


def grids(given: Given) -> tuple[Grid, ...]:
    """Return the columns whose values lie on a grid and are not all different."""
    n, found = len(given.X), []
    X = given.X if given.parts is None else given.parts
    rough = _roughness if given.parts is None else _roughness_of_part
    for c in range(X.shape[1] if n >= FEWEST_ROWS else 0):
        distinct = np.unique(X[:, c])
        grid = grid_of(distinct) if 1 < len(distinct) < n else None
        if grid is not None:
            step, origin = grid
            found.append(Grid(c, step, origin, len(distinct), step * rough(given, c)))
    return tuple(found)


def too_coarse(found: tuple[Grid, ...], n: int) -> tuple[Grid, ...]:
    """Return the grids on which a density of n rows cannot be tested."""
    bar = LONGEST * (AT_ROWS / n) ** 0.25
    return tuple(
        grid
        for grid in found
        if grid.relative > bar or (grid.values <= FEW_VALUES and 2 * grid.values <= n)
    )


def finest(found: tuple[Grid, ...]) -> float:
    """Return the narrowest bandwidth that does not see the grids, in scaled coordinates."""
    return SMOOTH * max((grid.relative for grid in found), default=0.0)


def grid_of(distinct: Array) -> tuple[float, float] | None:
    """Return step and origin of the grid on which ascending values lie, None if there is none.

    Decimal grids first: their step is the greatest common divisor of the differences, and their
    origin 0 where 0 is a point of the grid.
    """
    far = float(np.abs(distinct).max())
    if far > LARGEST or distinct[-1] - distinct[0] < 1 / LARGEST:
        return None
    even = _even(distinct)
    for digits in range(-3, DIGITS):
        scaled = distinct * 10.0**digits
        if far * 10.0**digits > 2**52:
            break
        whole = np.rint(scaled)
        if np.abs(scaled - whole).max() <= NEAR and (np.diff(whole) > 0).all():
            points = whole.astype(np.int64)
            common = int(np.gcd.reduce(np.diff(points)))
            decimal = common / 10.0**digits, int(points[0] % common) / 10.0**digits
            # Thirds that were written with six digits lie on a grid of thirds, not of millionths.
            return even if even is not None and even[0] > 1.5 * decimal[0] else decimal
    return even


def _even(distinct: Array) -> tuple[float, float] | None:
    """The grid of the smallest difference, if all values lie on it within their last digit."""
    if len(distinct) < 4:
        return None
    apart = np.diff(distinct)
    step = float(apart[apart < 1.5 * apart.min()].mean())
    places = np.rint((distinct - distinct[0]) / step)
    if places[-1] > 1e6:
        return None
    step = float((distinct[-1] - distinct[0]) / places[-1])
    off = np.abs(distinct - distinct[0] - step * places)
    if (off > NEAR * step).any() or (np.diff(places) < 1).any():
        return None
    return step, float(distinct[0] % step)


def _roughness(given: Given, c: int) -> float:
    """How many standard deviations of the density one unit of a column is, at a typical row.

    In the coordinate on the line, in which the density is tested: the root mean square of dy/dx
    over the narrower of the data's spread and the width that the scores show, E[s^2]^(-1/2).
    """
    some = np.linspace(0, len(given.X) - 1, min(len(given.X), LOOKED_AT)).astype(np.int64)
    X = given.X[some]
    slope, S = np.ones(len(X)), given.scores
    transform = given.transforms[c]
    within = ~(transform.outside(X[:, c]) | transform.edge(X[:, c]))
    if given.target is None:
        assert S is not None
        y, s = X[:, c], S[some, c]
    else:
        Y, scores = given.target.unconstrain(X)
        y, s = Y[:, c], scores[:, c]
        with np.errstate(all="ignore"):
            slope = 1 / transform.slope(X[:, c])
    within &= np.isfinite(y) & np.isfinite(s) & np.isfinite(slope)
    if within.sum() < 2:
        return 0.0
    spread = float(y[within].std())
    steep = math.sqrt(float((np.clip(s[within], -1e100, 1e100) ** 2).mean()))
    width = min(spread, 1 / steep) if steep > 0 else spread
    if not width > 0:
        return 0.0
    return math.sqrt(float((slope[within] ** 2).mean())) / width


def _roughness_of_part(given: Given, c: int) -> float:
    """As `_roughness`, of a part x of a composition, which is tested by its logarithm."""
    assert given.parts is not None
    x = given.parts[:, c]
    spread = float(np.log(x).std())
    return math.sqrt(float((x**-2.0).mean())) / spread if spread > 0 else 0.0


def advice(given: Given, coarse: tuple[Grid, ...], tests_cells: bool) -> str:
    """Say what is wrong with a column for a density, and what to try."""
    first = coarse[0]
    name = (given.part_names or given.columns)[first.place]
    kind = "whole numbers" if first.step % 1 == 0 and first.origin % 1 == 0 else "values"
    more = f", and {len(coarse) - 1} more columns alike" if len(coarse) > 1 else ""
    what = (
        f"column {name!r} holds {first.values:,} different {kind} in steps of {first.step:.4g}"
        f"{more}; a density gives each of them probability 0"
    )
    if tests_cells:
        return what
    return (
        f"{what}. Counts, ranks and codes: kstest ksd with a discrete target, such as "
        "discrete_uniform(0, 9), poisson(3), binomial(10, 0.3) or categorical(0.2, 0.8). Rounded "
        "measurements: kstest ksd with a family of one column, whose probabilities between the "
        "roundings are known; or values with more digits"
    )


def has_cells(target: Target | None) -> bool:
    """Whether the probabilities between roundings are known."""
    return target is not None and target.cdf is not None and not target.fitted
