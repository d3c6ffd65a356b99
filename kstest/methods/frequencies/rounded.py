"""Rounded draws of a density, tested by the frequencies of their values.

A value x on a grid of step s stands for all draws that are rounded to it: rounded to the nearest,
those from x - s / 2 to x + s / 2, with probability F(x + s / 2) - F(x - s / 2). That is exact at
every n, and needs the cumulative distribution function F, of columns that are independent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...findings import summary
from ...findings import target as named
from ...result import Notice, Result
from ...sample import Sample
from ...targets import Cells, DiscreteTarget, Target, on_grid
from ..stein.data import Given
from ..stein.rounding import Grid, advice, has_cells
from .verdict import run

Array = NDArray[np.float64]

# Where a value lies between the draws that are rounded to it, from below (0) to above (1).
NEAREST = 0.5
OTHERS = {"down": 0.0, "up": 1.0}


def able(given: Given, grids: tuple[Grid, ...], params: Any) -> bool:
    """Whether the cells of every column tested are known, and the options leave this way open."""
    every = len(grids) == len(given.columns)
    plain = params.null in ("auto", "parametric") and not getattr(params, "contamination", 0)
    return every and plain and has_cells(given.target)


def tested_as_rounded(
    given: Given, grids: tuple[Grid, ...], params: Any, rng: np.random.Generator
) -> Result:
    """Test columns on grids by their cells; only if `able`.

    Rejected if the frequencies fit neither values rounded to the nearest nor down nor up. No
    verdict if that depends on how they were rounded.
    """
    seed = int(rng.integers(2**63))
    found = _tested(given, grids, params, NEAREST, seed)
    what = advice(given, grids, True)
    kept = f"{what}. Tested are the frequencies of values rounded to the nearest"
    if not found.reject:
        return replace(found, warnings=(Notice("rounded-values", kept), *found.warnings))
    for way, place in OTHERS.items():
        other = _tested(given, grids, params, place, seed)
        if not other.reject:
            return _depends(found, way, what)
    kept += ", down and up: all three are rejected"
    return replace(found, warnings=(Notice("rounded-values", kept), *found.warnings))


def _tested(given: Given, grids: tuple[Grid, ...], params: Any, place: float, seed: int) -> Result:
    assert given.target is not None
    distributions = tuple(_cells(given.target, c, place) for c in grids)
    target = DiscreteTarget(given.name, given.columns, distributions)
    return run(_named(given), target, params, np.random.default_rng(seed))


def _named(given: Given) -> Sample:
    """The sample with the tested columns alone, by the target's names."""
    return replace(given.sample, values=given.X, columns=given.columns, missing=None)


def _cells(target: Target, grid: Grid, place: float) -> Cells:
    """Cells around the points of a grid: point k holds draws from `place` steps below it on."""
    assert target.cdf is not None
    F, c = target.cdf, grid.place

    def up_to(k: Array) -> Array:
        at = np.zeros((len(k), target.d))
        at[:, c] = grid.origin + (k + 1 - place) * grid.step
        return F(at)[:, c]

    def above(k: Array) -> Array:
        return np.asarray(1 - up_to(k))

    def mass(k: Array) -> Array:
        return np.asarray(np.maximum(up_to(k) - up_to(k - 1), 0.0))

    middle = _middle(up_to)
    return on_grid(up_to, above, mass, middle, origin=grid.origin, step=grid.step)


def _middle(up_to: Any) -> float:
    """Return some k with about half of the probability below it."""
    low, high = -1.0, 1.0
    while up_to(np.array([low]))[0] > 0.5 and low > -1e15:
        low *= 2
    while up_to(np.array([high]))[0] < 0.5 and high < 1e15:
        high *= 2
    while high - low > 1:
        k = np.floor((low + high) / 2)
        low, high = (low, k) if up_to(np.array([k]))[0] >= 0.5 else (k, high)
    return float(high)


def _depends(found: Result, way: str, what: str) -> Result:
    why = Notice(
        "unsound-rounding",
        f"{what}. The frequencies do not fit values rounded to the nearest, and do fit values "
        f"rounded {way}. Values rounded down or up are moved by half a step to be tested; or the "
        "probabilities are given by categorical(...)",
    )
    return replace(
        found,
        verdict="no verdict",
        p_value=None,
        statistic=None,
        threshold=None,
        findings=(
            summary("whether the data fit depends on how they were rounded"),
            named(found.explanation["target"]),
        ),
        warnings=(*found.warnings, why),
    )


def no_verdict(base: Result, given: Given, coarse: tuple[Grid, ...]) -> Result:
    """Refuse to judge a density by columns on a grid that is too coarse."""
    return base.told(
        summary("values too coarse for a density"),
        named(given.name),
        warnings=(*base.warnings, Notice("too-coarse", advice(given, coarse, False))),
    )
