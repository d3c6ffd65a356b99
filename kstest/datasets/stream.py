"""Readings of a plant in order of time, in which something changes halfway."""

from __future__ import annotations

from typing import Any

import numpy as np

SUMMARY = "Readings of a plant in order of time, which change halfway."
ROWS = 2000
CHANGE = "stream.csv: from the middle on the rate is 1 sd higher and follows the temperature"

LAG = 7


def tables(rows: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return a good record and one that changes in its middle.

    `flow` follows `pump` seven rows later, always. `load` has a daily course. `temp` and `rate`
    have no memory, and are independent of each other until the change.

    Parameters
    ----------
    rows : int
        Readings of the second record; the first has half as many.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict of str to ndarray (rows,)
        By name of the file.
    """
    return {
        "stream_ref.csv": _record(max(rows // 2, 1), rng, False),
        "stream.csv": _record(rows, rng, True),
    }


def _record(rows: int, rng: np.random.Generator, changes: bool) -> dict[str, Any]:
    hour = np.arange(rows) % 24
    noise = rng.normal(size=(2, rows + LAG))
    for k in range(1, rows + LAG):  # a memory of two rows
        noise[:, k] = 0.5 * noise[:, k - 1] + noise[:, k]
    temp, rate = rng.normal(20, 2, rows), rng.normal(50, 5, rows)
    if changes:
        late = np.arange(rows) >= rows // 2
        rate += late * (5 + 1.5 * (temp - 20))
    return {
        "hour": hour,
        "pump": np.round(noise[0, LAG:], 3),
        "flow": np.round(0.8 * noise[0, :rows] + noise[1, LAG:], 3),
        "temp": np.round(temp, 2),
        "rate": np.round(rate, 2),
        "load": np.round(3 * np.sin(2 * np.pi * hour / 24) + rng.normal(size=rows), 3),
    }
