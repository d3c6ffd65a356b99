"""Data sets for examples, tests and benchmarks: those that a formula makes, and those in files.

Those of `MADE` are modules with a `SUMMARY`. One of a single file has `make(events, rng, **options)
-> dict of column to array` and `OPTIONS`; those of `SETS` have `tables(rows, rng) -> dict of file
name to such columns`, `ROWS` and `CHANGE`, the change that a test should find. The command
`kstest datasets make NAME` writes them. Those of `SHIPPED` lie in the folder `datasets` beside the
source, whose README.md says where they come from.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MADE: dict[str, str] = {
    "orders": "kstest.datasets.orders",
    "weather": "kstest.datasets.weather",
    "stream": "kstest.datasets.stream",
    "hits": "kstest.datasets.hits",
    "drift-tubes": "kstest.datasets.drift_tubes",
}

# Those of several files.
SETS = ("orders", "weather", "stream", "hits")

# Files, what they hold, licence.
SHIPPED: tuple[tuple[str, str, str], ...] = (
    ("module*.parquet, module*.csv", "light pulses of KM3NeT optical modules", "MIT"),
    ("tube_rates.csv", "rates of KM3NeT tubes, in order of time", "MIT"),
    ("posterior_*.parquet", "draws of a regression with scores", "CC0"),
    ("eight_schools_centred.parquet", "draws of a sampler that got stuck", "Apache-2.0"),
    ("modes*.csv, modes.toml", "draws of two modes and their density", "CC0"),
    ("predictions.csv", "forecasts of rain", "CC0"),
    ("female_*.txt, female_*.csv", "first names and a Markov chain of letters", "public domain"),
    ("stock_log_returns.csv", "daily returns of three stocks", "public domain"),
)


def load(name: str) -> ModuleType:
    """Import the module of a data set."""
    return import_module(MADE[name])
