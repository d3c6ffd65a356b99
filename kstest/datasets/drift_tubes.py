"""Muons in a chamber of drift tubes: four drift times, the angle, the number of hits.

A muon crosses four layers of cells 42 mm wide; in each the electrons it frees drift to the wire,
at most 390 ns, and layers 2 and 4 are shifted by half a cell. A good chamber shows a flat
distribution of every drift time, and strong correlations between them. Two things can go wrong:
the thresholds of the front-end electronics are lowered, so that noise and early hits get through,
and the voltage of the cathodes is, so that electrons drift more slowly far from the wire.

The geometry, the speed of drift, the resolution and the clock are those of small copies of the CMS
drift tubes that stand at Legnaro (Grosso et al. 2023, arXiv 2303.05413, test on their data). The
strengths of the anomalies are invented; only their form is physical.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Array = NDArray[np.float64]

SUMMARY = "Drift times of muons in a chamber of drift tubes, good or with a fault."

EXAMPLE = "kstest datasets make drift-tubes -o weak.parquet --cathode 0.75 --events 500"
OPTIONS = {
    "threshold": (1.0, "Front-end threshold as a fraction of the nominal one, 0 to 1."),
    "cathode": (1.0, "Cathode voltage as a fraction of the nominal one, 0 to 1."),
}

COLUMNS = ("t1", "t2", "t3", "t4", "theta", "n_hits")
HALF_CELL = 21.0  # mm
PITCH = 13.0  # mm between layers
SPEED = HALF_CELL / 385.0  # mm / ns
STEEPEST = np.pi / 4
CLOCK = 25 / 30  # ns


def make(
    events: int,
    rng: np.random.Generator,
    threshold: float = 1.0,
    cathode: float = 1.0,
) -> dict[str, Array]:
    """Return events.

    Parameters
    ----------
    events : int
    rng : numpy.random.Generator
    threshold, cathode : float
        Threshold and cathode voltage as fractions of the nominal ones, 0 to 1.

    Returns
    -------
    dict of str to ndarray (events,)
        ``t1`` to ``t4`` in ns (steps of 25/30), ``theta`` in degrees, ``n_hits``.
    """
    for name, value in (("threshold", threshold), ("cathode", cathode)):
        if not 0 <= value <= 1:
            raise UsageError(f"--{name} {value:g}: give a fraction from 0 to 1, such as 0.75")
    low, weak = 1 - threshold, 1 - cathode
    theta = _angles(events, rng)
    x0 = rng.uniform(0, 2 * HALF_CELL, events)
    z = PITCH * (np.arange(4) - 1.5)
    shift = HALF_CELL * (np.arange(4) % 2)
    place = x0[:, None] + z * np.tan(theta)[:, None] - shift
    # Wires stand in the middle of the cells.
    d = np.abs(np.mod(place, 2 * HALF_CELL) - HALF_CELL)
    u = d / HALF_CELL
    t = d / SPEED + 70 * weak**2 * u**4 + 6 * weak * u**2
    t += rng.normal(0, 4 + 6 * weak, t.shape) + rng.normal(0, 3, (events, 1))
    t -= 6 * low * rng.exponential(0.7, t.shape)
    early = rng.random(t.shape) < 0.03 * (1 + 8 * low**1.5)
    t = np.where(early, rng.uniform(0, 1, t.shape) * t, t)
    t = np.round(t / CLOCK) * CLOCK
    hits = 4 + rng.poisson(2 * np.exp(2.2 * low), events)
    shower = rng.random(events) < 0.05
    hits = hits + shower * rng.geometric(0.15, events)
    columns = [*t.T, np.degrees(theta), hits.astype(np.float64)]
    return dict(zip(COLUMNS, columns, strict=True))


def _angles(events: int, rng: np.random.Generator) -> Array:
    """Angles with density proportional to cos^2(a) (1 - |a| / 45 degrees)."""
    found = np.empty(0)
    while len(found) < events:
        a = rng.uniform(-STEEPEST, STEEPEST, 4 * events + 16)
        accept = np.cos(a) ** 2 * (1 - np.abs(a) / STEEPEST)
        found = np.concatenate([found, a[rng.random(len(a)) < accept]])
    return found[:events]
