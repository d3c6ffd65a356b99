"""The level of `kstest ks` on 1,000 null data sets each, and its family-wise error.

A true level of 0.05 stays inside the central 99.9 % band of the binomial distribution (30 to 74 of
1,000) but for one run in 1,000; a true level of 0.1 leaves it with probability 0.997. With ties an
exact test is conservative, and only the upper limit holds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.methods import ks as ks_module
from kstest.methods.ks import STATISTICS

SETS = 1000
LOW, HIGH = (int(k) for k in binom.ppf([0.0005, 0.9995], SETS, 0.05))

DISTRIBUTIONS = {
    "gaussian": lambda rng, n: rng.normal(size=(n, 1)),
    "cauchy": lambda rng, n: rng.standard_cauchy((n, 1)),
    "integers": lambda rng, n: rng.integers(0, 3, (n, 1)).astype(float),
    "duplicates": lambda rng, n: np.where(rng.random((n, 1)) < 0.8, 1.0, rng.normal(size=(n, 1))),
}


def count(draw, decide=lambda result: result.reject, **options):
    rejected = 0
    for number in range(SETS):
        X, Y = draw(np.random.default_rng([number, 11]))
        options = {"permutations": 99, "threads": 1, **options}
        rejected += bool(decide(kstest.ks(X, Y, **options)))
    return rejected


def named(result, columns):
    return any(
        c.adjusted_p_value <= 0.05
        for c in result.explanation.get("columns", ())
        if c.column in columns
    )


@pytest.mark.slow
@pytest.mark.parametrize("permute", ["rows", "bins"])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_level(statistic, distribution, permute):
    found = count(
        lambda rng: (DISTRIBUTIONS[distribution](rng, 40), DISTRIBUTIONS[distribution](rng, 55)),
        statistic=statistic,
        permute=permute,
        bins=12,
    )
    assert found <= HIGH
    if (
        distribution in ("gaussian", "cauchy") and statistic != "ks"
    ):  # of ks few values are possible
        assert found >= LOW
    else:
        assert found >= LOW / 3


@pytest.mark.slow
@pytest.mark.parametrize("statistic", STATISTICS)
def test_level_where_values_share_cells(statistic, monkeypatch):
    monkeypatch.setattr(ks_module, "CELLS", 16)
    found = count(
        lambda rng: (DISTRIBUTIONS["cauchy"](rng, 100), DISTRIBUTIONS["cauchy"](rng, 90)),
        statistic=statistic,
    )
    assert LOW <= found <= HIGH


def many(rng, n):
    """Twelve correlated columns and two of categories."""
    values = rng.normal(size=(n, 12)) + rng.normal(size=(n, 1))
    values[:, :3] = np.round(values[:, :3])
    frame = pd.DataFrame(values, columns=[f"x{c}" for c in range(12)])
    frame["c"], frame["r"] = rng.choice(list("ab"), n), rng.choice(list("abcdefgh"), n)
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["westfall-young", "holm"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_family_wise_error_of_many_columns(statistic, correction):
    found = count(
        lambda rng: (many(rng, 40), many(rng, 45)),
        statistic=statistic,
        correction=correction,
        permutations=299,
    )
    assert found <= HIGH
    if correction == "westfall-young":
        assert found >= LOW


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["westfall-young", "holm"])
def test_columns_without_a_difference_are_seldom_named_beside_those_with_one(correction):
    null = {f"x{c}" for c in range(2, 12)} | {"c", "r"}

    def draw(rng):
        X, Y = many(rng, 40), many(rng, 45)
        Y["x0"] += 4
        Y["x1"] *= 5
        return X, Y

    found = count(
        draw,
        lambda result: named(result, null),
        correction=correction,
        permutations=299,
        statistic="ad",
    )
    assert found <= HIGH


@pytest.mark.slow
def test_level_with_groups_and_missing_cells():
    def draw(rng):
        parts = []
        for start in (0, 12):
            groups = np.repeat(np.arange(start, start + 12), rng.integers(1, 6, 12))
            values = rng.normal(size=24)[groups] + 0.3 * rng.normal(size=len(groups))
            values[values > 1] = np.nan
            parts.append(pd.DataFrame({"x": values, "g": groups}))
        return parts

    found = count(draw, statistic="ad", group="g", missing="indicator")
    assert LOW <= found <= HIGH
