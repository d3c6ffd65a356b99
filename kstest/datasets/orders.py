"""Orders of a shop: a good week, another one, and one in which Italian prices went up."""

from __future__ import annotations

from typing import Any

import numpy as np

SUMMARY = "Orders of a shop, in which the prices of one country change."
ROWS = 1500
CHANGE = "orders_new.csv: Italian orders cost 40 % more"

COUNTRIES = ("DE", "ES", "FR", "IT")
RISE = 1.4


def tables(rows: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return orders of three weeks.

    Those who spent much in the year before (`base`) get the newsletter more often, and spend more
    anyway; the newsletter does nothing. One age in twenty is missing.

    Parameters
    ----------
    rows : int
        Orders of each week.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict of str to ndarray (rows,)
        By name of the file.
    """
    names = ("orders_ref.csv", "orders_ok.csv", "orders_new.csv")
    return {name: _week(rows, rng, RISE if "new" in name else 1.0) for name in names}


def _week(rows: int, rng: np.random.Generator, rise: float) -> dict[str, Any]:
    base = rng.gamma(4.0, 50.0, rows)
    country = rng.choice(COUNTRIES, rows, p=(0.35, 0.2, 0.2, 0.25))
    items = 1 + rng.poisson(1.5, rows)
    newsletter = rng.logistic(size=rows) < (base - 200) / 70
    amount = (8 + 9 * items + base / 20) * rng.lognormal(0, 0.25, rows)
    amount *= np.where(country == "IT", rise, 1.0)
    age = np.round(rng.gamma(9.0, 4.5, rows)) + 18
    return {
        "amount": np.round(amount, 2),
        "items": items,
        "country": country,
        "express": (rng.random(rows) < 0.2).astype(int),
        "age": np.where(rng.random(rows) < 0.05, np.nan, age),
        "base": np.round(base, 2),
        "newsletter": newsletter.astype(int),
    }
