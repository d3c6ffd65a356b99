"""Where the search for modes starts, and modes that are given.

For a test of rows without a split nothing here may depend on the tested rows: starts are draws
of the target, points of a box, or points at all distances from the origin. Rows of the data are
starts only for the half of a split that is not tested.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...errors import DataError, UsageError
from ...targets import Target
from .modes import Modes, given_modes, spread_of, values_at
from .search import mixture_modes, search, spread_out
from .statistic import drawn

Array = NDArray[np.float64]

# Points of which the starts are chosen.
POOL = 1000
# Pools drawn from a box until enough of their points have a density.
MOST_POOLS = 30
# Distances from the origin where nothing is known of the target, and starts per start asked for.
NEAREST, FARTHEST, MORE = 1e-2, 1e4, 2


def modes_of(
    target: Target,
    params: Any,
    training: Array | None,
    rng: np.random.Generator,
    work: Work,
    given: Array | None = None,
) -> Modes:
    """Return the modes of the target: those given with --modes, or those that a search finds.

    Parameters
    ----------
    target : Target
        With a density, all columns on the line.
    params : Params
        `box`, `starts`.
    training : ndarray (m, d) or None
        Coordinates of rows that are not tested.
    rng : numpy.random.Generator
    work : Work
    given : ndarray (k, d), optional
        The points of --modes.
    """
    pool, own = _pool(target, params, rng)
    if given is not None:
        return _checked(target, given, own[0])
    if target.components is not None and not params.box:
        return mixture_modes(target, own[0])
    if training is None:
        starts, spreads = _chosen(pool, own, params.starts, rng)
    else:
        width = np.broadcast_to(spread_of(training), training.shape)
        parts = [_chosen(*each, params.starts, rng) for each in ((pool, own), (training, width))]
        starts, spreads = (np.concatenate(each) for each in zip(*parts, strict=True))
    if target.modes is not None:
        known = _on_the_line(target, target.modes)
        starts = np.concatenate([known, starts])
        spreads = np.concatenate([np.broadcast_to(own[0], known.shape), spreads])
    sound = np.isfinite(values_at(target, starts)[0])
    return search(target, starts[sound], spreads[sound], work)


def _pool(target: Target, params: Any, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points to start at, and the unit of length around each."""
    if params.box:
        pool = _in_box(target, params, rng)
    elif target.sample is not None:
        pool = drawn(target, POOL, rng)
    else:
        distances = np.geomspace(NEAREST, FARTHEST, MORE * params.starts)[:, None]
        pool = rng.normal(size=(len(distances), target.d)) * distances
        return pool, np.broadcast_to(distances, pool.shape)
    return pool, np.broadcast_to(spread_of(pool), pool.shape)


def _in_box(target: Target, params: Any, rng: np.random.Generator) -> Array:
    """Points of the box at which there is a density; of more points where these are few."""
    first = _box(target, params.box, rng)
    found = first[np.isfinite(values_at(target, first)[0])]
    for _ in range(MOST_POOLS):
        if len(found) >= min(2 * params.starts, len(first)):
            break
        more = _box(target, params.box, rng)
        found = np.concatenate([found, more[np.isfinite(values_at(target, more)[0])]])
    return found if len(found) else first


def _chosen(
    pool: Array, spreads: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Spread-out points of a pool, or all that are placed at every distance already."""
    if len(pool) <= MORE * count:
        return pool, spreads
    index = spread_out(pool, count, rng)
    return pool[index], spreads[index]


def _box(target: Target, text: str, rng: np.random.Generator) -> Array:
    """Coordinates of points drawn uniformly from the box LOW:HIGH[,LOW:HIGH...]."""
    ends = box(text)
    if len(ends) not in (1, target.d):
        raise UsageError(
            f"--box {text}: gives {len(ends)} ranges for {target.d} columns "
            f"({', '.join(target.columns[:10])}); give one for all, or one for each"
        )
    for name, transform, (low, high) in zip(
        target.columns, target.transforms, ends * (target.d // len(ends)), strict=True
    ):
        if low < transform.low or high > transform.high:
            raise UsageError(f"--box {text}: leaves the support {transform} of column {name}")
    low, high = np.array(ends).T
    return _on_the_line(target, low + (high - low) * (1 - rng.random((POOL, target.d))))


def box(text: str) -> list[tuple[float, float]]:
    """Read LOW:HIGH[,LOW:HIGH...]; R stands for -R:R."""
    out = []
    for part in text.split(","):
        try:
            numbers = [float(n) for n in part.split(":")]
        except ValueError:
            numbers = []
        if len(numbers) == 1:
            numbers = [-numbers[0], numbers[0]]
        if len(numbers) != 2 or not -1e300 < numbers[0] < numbers[1] < 1e300:
            raise UsageError(
                f"--box {text}: give LOW:HIGH, for example -10:10, for all columns or "
                "LOW:HIGH,LOW:HIGH,... for each"
            )
        out.append((numbers[0], numbers[1]))
    return out


def _on_the_line(target: Target, X: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.stack([c.forward(X[:, k]) for k, c in enumerate(target.transforms)], axis=1)


def _checked(target: Target, X: Array, spread: Array) -> Modes:
    """Refuse modes at which the target has no density; a mode given twice is one."""
    Y = _on_the_line(target, X)
    with np.errstate(all="ignore"):
        density, slopes = values_at(target, Y)
    bad = ~(np.isfinite(density) & np.isfinite(slopes).all(axis=1))
    if bad.any():
        row = int(np.argmax(bad))
        values = ", ".join(f"{c} = {x:.6g}" for c, x in zip(target.columns, X[row], strict=True))
        raise DataError(f"--modes: row {row + 1} ({values}): the target has no density there")
    _, first = np.unique(Y, axis=0, return_index=True)
    return given_modes(target, Y[np.sort(first)], spread)
