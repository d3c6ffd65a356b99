"""The level of what `kstest mmd` does for tables that are no plain matrix: 1,000 null sets each.

A true level of 0.05 stays inside the central 99.9 % band of the binomial distribution (30 to 74 of
1,000) but for one run in 1,000; a true level of 0.1 leaves it with probability 0.997.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest

SETS = 1000
LOW, HIGH = (int(k) for k in binom.ppf([0.0005, 0.9995], SETS, 0.05))


def count(draw, decide=lambda result: result.reject, **options):
    rejected = 0
    for number in range(SETS):
        X, Y = draw(np.random.default_rng([number, 3]))
        options = {"permutations": 99, "threads": 1, "explain": "none", **options}
        rejected += bool(decide(kstest.mmd(X, Y, **options)))
    return rejected


def frame(values, groups):
    return pd.DataFrame({"x": values[:, 0], "y": values[:, 1], "g": groups})


def grouped(rng, sizes, names):
    """Rows that share the effect of their group: far from independent."""
    groups = np.repeat(names, sizes)
    effects = rng.normal(size=(max(names) + 1, 2))
    return groups, effects[groups] + 0.3 * rng.normal(size=(len(groups), 2))


@pytest.mark.slow
def test_groups_on_one_side_are_exact_with_unequal_sizes():
    def draw(rng):
        parts = []
        for start in (0, 12):
            names = np.arange(start, start + 12)
            groups, values = grouped(rng, rng.integers(1, 6, 12), names)
            parts.append(frame(values, groups))
        return parts

    assert LOW <= count(draw, group="g") <= HIGH
    # The same data with rows for groups: what the option is for.
    assert count(lambda rng: [part[["x", "y"]] for part in draw(rng)]) > 200


@pytest.mark.slow
def test_groups_on_both_sides_are_exact():
    def draw(rng):
        effects = rng.normal(size=(14, 2))
        parts = []
        for _ in range(2):
            groups = np.repeat(np.arange(14), rng.integers(1, 6, 14))
            parts.append(frame(effects[groups] + 0.3 * rng.normal(size=(len(groups), 2)), groups))
        return parts

    assert LOW <= count(draw, group="g") <= HIGH


@pytest.mark.slow
@pytest.mark.parametrize("permute", ["rows", "bins"])
def test_missing_indicator_is_exact_also_where_missing_depends_on_the_value(permute):
    def draw(rng):
        parts = rng.normal(size=(2, 40, 2))
        parts[parts > 1.0] = np.nan
        return parts

    assert LOW <= count(draw, missing="indicator", permute=permute, bins=16) <= HIGH


@pytest.mark.slow
def test_categories_are_exact():
    def draw(rng):
        return [
            pd.DataFrame({"x": rng.normal(size=40), "c": rng.choice(list("abcd"), 40)})
            for _ in range(2)
        ]

    assert LOW <= count(draw) <= HIGH


@pytest.mark.slow
def test_weights_of_one_distribution_are_exact():
    def draw(rng):
        return [
            pd.DataFrame({"x": rng.normal(size=40), "w": rng.exponential(size=40)})
            for _ in range(2)
        ]

    assert LOW <= count(draw, weights="w") <= HIGH


@pytest.mark.slow
def test_tolerance_keeps_its_level_whatever_the_corrupt_rows_are():
    def draw(rng):
        X, Y = rng.normal(size=(2, 100, 1))
        Y[:10] = 4.0  # 10 % of the rows
        return X, Y

    options = {"bandwidth": "1", "scale": "none"}
    assert count(draw, tolerance=0.1, **options) <= HIGH
    assert count(draw, **options) > 2 * HIGH  # what it forgives


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["westfall-young", "holm"])
def test_columns_keep_the_family_wise_error(correction):
    """Two columns differ, four are null and correlated: how often is one of the four named?"""

    def draw(rng):
        X, Y = rng.normal(size=(2, 60, 6))
        for part in (X, Y):
            part[:, 2:] += rng.normal(size=(60, 1))
        Y[:, :2] += 2.0
        return X, Y

    def named(result):
        return any(
            c["adjusted_p_value"] <= 0.05
            for c in result.to_dict()["explanation"]["columns"]
            if c["column"] in ("3", "4", "5", "6")
        )

    found = count(draw, named, explain="columns", correction=correction)
    assert found <= HIGH
    if correction == "westfall-young":
        assert found >= LOW


@pytest.mark.slow
def test_column_p_values_are_exact_one_by_one():
    """Ties, and a categorical column; the test itself is made to reject so that it explains."""
    counts = np.zeros(2)
    for number in range(SETS):
        rng = np.random.default_rng([number, 8])
        X, Y = (
            pd.DataFrame(
                {
                    "far": rng.normal(size=50) + shift,
                    "ties": rng.integers(0, 12, 50),
                    "level": rng.choice(list("abc"), 50),
                }
            )
            for shift in (0, 9)
        )
        result = kstest.mmd(X, Y, permutations=99, threads=1).to_dict()
        p = {c["column"]: c["p_value"] for c in result["explanation"]["columns"]}
        counts += [p["ties"] <= 0.05, p["level"] <= 0.05]
    assert (counts <= HIGH).all()
    assert (counts > LOW / 2).all()
