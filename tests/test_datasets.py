"""Verdicts on the files in datasets/: series in order of time, a real sampler, real waits."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

import kstest

DATA = Path(__file__).parent.parent / "datasets"


def codes(result):
    return [notice.code for notice in result.warnings]


@pytest.fixture(scope="module")
def returns():
    return pd.read_csv(DATA / "stock_log_returns.csv")


@pytest.fixture(scope="module")
def rates():
    return pd.read_csv(DATA / "tube_rates.csv", index_col="frame")


def lagged(returns, days):
    """Apple beside Microsoft of so many trading days before."""
    return returns.AAPL.to_numpy()[days:], returns.MSFT.to_numpy()[: len(returns) - days]


def test_returns_of_the_same_day_are_dependent(returns):
    assert kstest.hsic(returns, x="IBM", y="MSFT").reject
    options = {"block_length": "20", "permutations": 99, "bandwidth": "median"}
    assert kstest.hsic(returns, x="IBM", y="MSFT", **options).reject


@pytest.mark.parametrize("block_length", [None, "60", "200"])
def test_returns_of_500_days_before_are_kept(block_length, returns):
    found = kstest.hsic(*lagged(returns, 500), block_length=block_length, permutations=199)
    assert found.verdict == "not rejected"
    assert found.p_value > 0.3


@pytest.mark.parametrize("days", [60, 500])
def test_swings_that_outlast_the_record_get_a_warning_and_no_verdict(days, returns):
    """Volatility has a memory of about 284 days, which returns themselves do not show."""
    plain = kstest.hsic(*lagged(returns, days), permutations=99, bandwidth="median")
    assert codes(plain) == ["serial-dependence"]
    assert "size of deviations" in plain.warnings[0].message
    found = kstest.hsic(*lagged(returns, days), block_length="auto")
    assert found.verdict == "no verdict"
    assert "2 blocks of" in found.warnings[0].message


def test_unrelated_tubes_are_not_called_dependent_by_blocks_of_time(rates):
    rejected = 0
    for x, y in combinations(rates.columns[1:], 2):
        plain = kstest.hsic(rates, x=x, y=y, permutations=99, bandwidth="median")
        assert codes(plain) == ["serial-dependence"]
        assert "--block-length auto" in plain.warnings[0].message
        rejected += plain.reject
        found = kstest.hsic(rates, x=x, y=y, block_length="auto", permutations=99)
        assert found.verdict != "rejected"
    assert rejected >= 3  # what the warning is about


def test_the_centred_sampler_of_eight_schools_is_rejected():
    draws = pd.read_parquet(DATA / "eight_schools_centred.parquet")
    plain = kstest.ksd(draws, score_prefix="score_")
    assert plain.reject
    assert "--null markov" in plain.warnings[0].message
    assert kstest.ksd(draws, score_prefix="score_", null="markov", flip=0.05).reject


def test_waits_between_bursts_are_exponential_and_gaps_between_hits_are_not():
    waits, gaps = (pd.read_csv(DATA / f"module10_{name}.csv") for name in ("waits", "gaps"))
    target = {"target": "exponential(fit)", "draws": 39}
    assert kstest.ksd(waits, **target).verdict == "not rejected"
    assert kstest.ksd(gaps, **target).verdict == "rejected"
