"""The mixture over all starts against its definition, and that its bets are fair."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from naive_betting import wealth_of_all_starts

from kstest.betting import starts


@pytest.mark.parametrize("tau", [1.0, 4.0, 64.0, 100.0])
@pytest.mark.parametrize("experts", [1, 2, 7])
def test_recursion_is_the_sum_over_all_starts(tau, experts):
    rng = np.random.default_rng(experts)
    factors = rng.exponential(size=(50, experts)) ** 2 / 2
    _, found = starts.settle(starts.begin(experts), 0, np.log(factors), tau)
    np.testing.assert_allclose(np.exp(found), wealth_of_all_starts(factors, tau), rtol=1e-12)


@pytest.mark.parametrize("tau", [1.0, 4.0, 64.0])
def test_money_is_neither_made_nor_lost(tau):
    weights = [math.exp(starts.log_weight(t, tau)) for t in range(1, 2001)]
    for t in (1, 2, 10, 2000):
        waiting = math.exp(starts.log_waiting(t, tau))
        assert math.fsum(weights[:t]) + waiting == pytest.approx(1, abs=1e-14)
    # Bets that neither win nor lose keep all of it, at every round.
    _, found = starts.settle(starts.begin(3), 0, np.zeros((2000, 3)), tau)
    np.testing.assert_allclose(found, 0, atol=1e-12)


@pytest.mark.parametrize("t", [1, 2, 1000, 10**9])
def test_weights_keep_all_digits_late(t):
    tau = 64
    getcontext().prec = 60

    def waiting(k):
        return Decimal("0.5") / (1 + (1 + Decimal(k) / tau).ln())

    exact = (waiting(t - 1) if t > 1 else 1) - waiting(t)
    assert starts.log_weight(t, tau) == pytest.approx(float(exact.ln()), rel=1e-14)
    # The compiled loop too: one round of factor 1 at t leaves what had begun and w_t.
    _, log_wealth = starts.settle(starts.begin(1), t - 1, np.zeros((1, 1)), tau)
    expected = float((exact + waiting(t)).ln())
    assert log_wealth[0] == pytest.approx(expected, rel=1e-13, abs=1e-15)
    begun, _ = starts.settle(starts.begin(1), t - 1, np.zeros((1, 1)), tau)
    assert begun[0] == pytest.approx(float(exact.ln()), rel=1e-14)


def test_wealth_never_falls_below_the_money_that_waits():
    rng = np.random.default_rng(1)
    losing = np.log(rng.uniform(0, 0.9, size=(5000, 3)))
    _, found = starts.settle(starts.begin(3), 0, losing, 64)
    floor = [starts.log_waiting(t, 64) for t in range(1, 5001)]
    assert (found >= np.array(floor) - 1e-12).all()
    assert found[-1] > -2.5
    # The product is e^-2000 or so by then.
    assert losing.sum(axis=0).max() < -1000


def test_factors_of_zero_and_without_end():
    """A bet that lost everything does not end the later ones; a huge one overflows nothing."""
    factors = np.zeros((6, 1))
    factors[2] = -np.inf
    begun, found = starts.settle(starts.begin(1), 0, factors, 4)
    assert np.isfinite(found).all()
    # Only what began after the loss is left, and the money that waits.
    left = sum(math.exp(starts.log_weight(t, 4)) for t in (4, 5, 6))
    assert begun[0] == pytest.approx(math.log(left), rel=1e-12)
    _, found = starts.settle(starts.begin(2), 0, np.full((100, 2), 700.0), 4)
    assert found[-1] == pytest.approx(70_000, rel=1e-4)


def test_a_bet_that_begins_late_costs_its_price():
    """One late start of factor f is worth about w_t f^k; neighbours add to it."""
    factors = np.zeros((5020, 1))
    factors[:5000], factors[5000:] = -0.2, 1.0
    _, found = starts.settle(starts.begin(1), 0, factors, 4)
    alone = starts.log_weight(5001, 4) + 20
    assert alone < found[-1] < alone + 2.5


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
def test_cutting_changes_no_bit(pieces):
    rng = np.random.default_rng(2)
    factors = rng.normal(-0.1, 0.5, size=(1000, 5))
    whole, path = starts.settle(starts.begin(5), 0, factors, 4)
    begun, done, found = starts.begin(5), 0, []
    for part in np.array_split(factors, pieces):
        begun, more = starts.settle(begun, done, part, 4)
        done += len(part)
        found.append(more)
    assert (begun == whole).all()
    assert (np.concatenate(found) == path).all()


def test_mean_of_the_wealth_is_one():
    """10,000 paths of fair coins: four standard errors, at a few times."""
    rng = np.random.default_rng(3)
    paths, factors = 10_000, np.log([0.5, 1.5])
    found = np.empty((paths, 100))
    for k in range(paths):
        bets = factors[rng.integers(2, size=(100, 2))]
        found[k] = np.exp(starts.settle(starts.begin(2), 0, bets, 4)[1])
    for t in (1, 10, 100):
        values = found[:, t - 1]
        assert abs(values.mean() - 1) < 4 * values.std() / math.sqrt(paths)


def test_no_more_than_alpha_of_fair_paths_ever_reach_it():
    rng = np.random.default_rng(4)
    factors, reached = np.log([0.3, 1.7]), 0
    for _ in range(500):
        bets = factors[rng.integers(2, size=(2000, 3))]
        reached += starts.settle(starts.begin(3), 0, bets, 4)[1].max() >= math.log(20)
    assert reached <= 0.05 * 500 + 2 * math.sqrt(500 * 0.05 * 0.95)


def test_horizon_is_the_same_number_of_rows():
    assert [starts.horizon(rows) for rows in (1, 2, 8, 16, 64, 1000)] == [64, 32, 8, 4, 1, 1]
