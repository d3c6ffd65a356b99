"""Independence where whole groups of rows are exchangeable, and single rows are not."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.errors import DataError, UsageError
from kstest.nulls.pairings import pair_rows

GROUPS = 24


def grouped(rng, link=0.0, size=5):
    """Rows of one group share a level in x and another in y; `link` ties the two levels."""
    group = np.repeat(np.arange(GROUPS), size)
    levels = rng.normal(size=(2, GROUPS))
    levels[1] += link * levels[0]
    frame = pd.DataFrame({"group": group})
    for name, level in zip("xy", levels, strict=True):
        frame[name] = level[group] + 0.3 * rng.normal(size=len(group))
    return frame.sample(frac=1, random_state=0)


def test_statistic_does_not_depend_on_what_is_permuted(rng):
    frame = grouped(rng)
    options = {"bandwidth": "0.8", "scale": "none", "permutations": 19}
    found = kstest.hsic(frame, x="x", y="y", group="group", **options)
    expected = naive.hsic_unbiased(
        frame[["x"]].to_numpy(), frame[["y"]].to_numpy(), "gaussian", 0.8, 0.8
    )
    assert found.statistic == pytest.approx(expected, rel=1e-9)
    assert found.null["scheme"] == "permutation of groups"
    assert (found.null["bins"], found.null["rows_per_bin"], found.null["exact"]) == (
        GROUPS,
        5,
        True,
    )
    assert found.columns == ("x", "y")


def test_groups_that_depend_on_each_other_are_found(rng):
    frame = grouped(rng, link=2.0)
    assert kstest.hsic(frame, x="x", y="y", group="group").reject
    pairs = kstest.hsic(frame, all_pairs=True, group="group").explanation["all_pairs"]
    assert [p["reject"] for p in pairs] == [True]


def test_rows_of_a_group_stay_together_and_in_order(rng):
    cut = pair_rows(np.arange(20), 4, 2, rng)
    for block in (0, 1):
        rows = cut.rows(block).reshape(5, 4)
        np.testing.assert_array_equal(rows, rows[:, :1] + np.arange(4))


def test_many_groups_move_several_together(rng):
    frame = pd.DataFrame(rng.normal(size=(1200, 2)), columns=["x", "y"])
    frame["group"] = np.arange(1200) // 2
    null = kstest.hsic(frame, x="x", y="y", group="group", permutations=99).null
    assert (null["bins"], null["rows_per_bin"]) == (200, 6)


def test_groups_of_different_size_are_refused_and_too_few_give_no_verdict(rng):
    frame = grouped(rng)
    with pytest.raises(DataError, match="24 groups hold 4 to 5 rows"):
        kstest.hsic(frame.iloc[1:], x="x", y="y", group="group")
    with pytest.raises(UsageError, match="block_length"):
        kstest.hsic(frame, x="x", y="y", group="group", block_length="5")
    few = kstest.hsic(frame[frame["group"] < 3], x="x", y="y", group="group")
    assert few.verdict == "no verdict"
    assert "3 groups" in few.warnings[0].message


@pytest.mark.slow
def test_level_of_groups():
    """1,000 null data sets whose groups differ in both columns; single rows would not do.

    Permutations of rows reject nearly always: a bound that a test of the groups must not meet.
    """
    options = {"bandwidth": "median", "permutations": 39, "threads": 1}
    rejected = {"groups": 0, "rows": 0}
    for run in range(1000):
        frame = grouped(np.random.default_rng([28, run]))
        rejected["groups"] += kstest.hsic(frame, x="x", y="y", group="group", **options).reject
        if run < 50:
            rejected["rows"] += kstest.hsic(frame, x="x", y="y", **options).reject
    low, high = binom.ppf([0.0005, 0.9995], 1000, 0.05)
    assert low <= rejected["groups"] <= high
    assert rejected["rows"] > 25
