"""Hits of a small tracker, a row each, and what people make of them: events and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

SUMMARY = "Hits of a tracker with four layers, one of which becomes noisy."
ROWS = 400
CHANGE = "hits_new.csv: layer 3 has noise in every second event"

LAYERS = 4
NOISE = 1 / 2


def tables(rows: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return hits, weighted events and histograms.

    A particle passes the layers 1 ns apart and leaves a charge in each, or none in one of ten.
    The simulation draws energies too evenly, which its weights mend; data have the weight 1. The
    gain of the histogram `spectrum_new.csv` is 5 % higher.

    Parameters
    ----------
    rows : int
        Events of a batch; there are four times as many in the reference and ten in the pool.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict of str to ndarray
        By name of the file; times in ns.
    """
    made, last = {}, 0
    for name, factor in (("hits_ref", 4), ("hits_pool", 10), ("hits_ok", 1), ("hits_new", 1)):
        made[f"{name}.csv"] = _hits(factor * rows, rng, NOISE if "new" in name else 0.0, last)
        last += factor * rows
    made["events_data.csv"] = _events(2 * rows, rng, simulated=False)
    made["events_simulated.csv"] = _events(4 * rows, rng, simulated=True)
    for name, gain in (("spectrum_ref.csv", 1.0), ("spectrum_new.csv", 1.05)):
        counts, edges = np.histogram(gain * rng.gamma(5.0, 0.2, 20 * rows), 40, (0.0, 4.0))
        made[name] = {"charge": np.round(edges[:-1] + 0.05, 3), "entries": counts}
    return made


def _hits(events: int, rng: np.random.Generator, noise: float, last: int) -> dict[str, Any]:
    """Rows of one event are neighbours, in order of the layers; numbers go on after `last`."""
    start = rng.normal(0, 2, (events, 1))
    t = start + np.arange(1, LAYERS + 1) + rng.normal(0, 0.3, (events, LAYERS))
    charge = rng.gamma(5.0, 0.2, (events, LAYERS))
    noisy = rng.random(events) < noise
    t[noisy, 2] = rng.uniform(-12, 18, noisy.sum())
    charge[noisy, 2] = rng.exponential(0.3, noisy.sum())
    seen = rng.random((events, LAYERS)) < 0.9
    seen[~seen.any(axis=1), 0] = True
    event, layer = np.nonzero(seen)
    return {
        "event": last + event + 1,
        "layer": layer + 1,
        "t": np.round(t[seen], 2),
        "charge": np.round(charge[seen], 3),
    }


def _events(rows: int, rng: np.random.Generator, simulated: bool) -> dict[str, Any]:
    """Energies with density 2 exp(-2 e) in data, 1 exp(-e) in the simulation."""
    energy = rng.exponential(1.0 if simulated else 0.5, rows)
    weight = 2 * np.exp(-energy) if simulated else np.ones(rows)
    return {
        "energy": np.round(energy, 4),
        "angle": np.round(np.degrees(np.arccos(1 - rng.random(rows) * 0.5)), 2),
        "w": np.round(weight, 4),
    }
