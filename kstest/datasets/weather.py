"""Days of a weather station and the delay of trains, before and after the station was moved."""

from __future__ import annotations

from typing import Any

import numpy as np

SUMMARY = "Days of a weather station with delays of trains; the station then moves to a roof."
ROWS = 1000
CHANGE = "weather_moved.csv: the wind is 25 % stronger"


def tables(rows: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return days of three records, in no order of time.

    `temp` follows the month and `humid` falls with `temp`. `delay` grows with the wind and in the
    cold: it depends on `humid`, but no longer given `temp`. `pressure` depends on nothing.

    Parameters
    ----------
    rows : int
        Days of each record.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict of str to ndarray (rows,)
        By name of the file; temperatures in degrees Celsius, wind in m/s, delays in minutes.
    """
    names = ("weather.csv", "weather_next.csv", "weather_moved.csv")
    return {name: _days(rows, rng, 1.25 if "moved" in name else 1.0) for name in names}


def _days(rows: int, rng: np.random.Generator, gain: float) -> dict[str, Any]:
    month = rng.integers(1, 13, rows)
    temp = 10 - 9 * np.cos(2 * np.pi * (month - 1) / 12) + rng.normal(0, 4, rows)
    humid = np.clip(85 - 1.2 * temp + rng.normal(0, 8, rows), 15, 100)
    wind = rng.weibull(2.0, rows) * 5
    delay = 2 + 0.15 * wind**1.5 + 0.25 * np.maximum(8 - temp, 0) + rng.gamma(2.0, 1.5, rows)
    return {
        "month": month,
        "temp": np.round(temp, 1),
        "humid": np.round(humid, 1),
        "wind": np.round(gain * wind, 2),
        "pressure": np.round(rng.normal(1013, 8, rows), 1),
        "delay": np.round(delay, 2),
    }
