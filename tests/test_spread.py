"""Patterns of the spread: the guard, the rule of neighbours, residuals, what is still found."""

from __future__ import annotations

import math

import naive_betting as naive
import numpy as np
import pandas as pd
import pytest
import streams

import kstest
from kstest.betting import blocks, guard, lagged, loops, wealth
from kstest.betting.rows import Rows
from kstest.methods.stream import season as rows


@pytest.fixture(scope="module")
def block():
    """Features of a block of 9 rows, sums of what came before, arrangements."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(4, 1, 9, 5))
    sums = rng.normal(size=(3, 1, 1, 2, 5))
    orders = np.array([np.arange(9), *(rng.permutation(9) for _ in range(40))])
    return parts, sums, np.array([7.0]), orders


def test_neighbours_are_those_of_the_definition(block):
    parts, sums, weight, orders = block
    out = np.empty((3, 1, 1, 5))
    loops.joint_block(*parts, *sums, weight, orders, blocks.STRENGTHS, out)
    alone = np.empty((1, 1, 1, 5))
    loops.joint_block(*parts, *sums, weight, orders, blocks.STRENGTHS, alone)
    np.testing.assert_array_equal(out[:1], alone)
    x, y = (parts[k][0] + 1j * parts[k + 1][0] for k in (0, 2))
    joint, first, second = (s[0, 0, 0] + 1j * s[0, 0, 1] for s in sums)
    delta = joint / 7 - first * second / 49
    G = np.real(np.einsum("d,id,jd->ij", np.conj(delta), x, y))
    both = zip(*(naive.neighbour_scores(g, orders) for g in (G, G.T)), strict=True)
    for game, sides in enumerate(both, 1):
        expected = [min(math.log(naive.e_value(z, c)) for z in sides) for c in blocks.STRENGTHS]
        np.testing.assert_allclose(out[game, 0, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("size", [2, 3, 4, 16])
def test_neighbours_of_short_blocks(size):
    rng = np.random.default_rng(1)
    x, y = (Rows.numbers(rng.normal(size=200)) for _ in range(2))
    design = blocks.Design(size=size, lagged=True)
    _, ends, factors = blocks.step(design, blocks.begin(design, x, y), x, y)
    assert factors.shape == (len(ends), 3 * design.experts)
    assert np.isfinite(factors).all()


@pytest.mark.parametrize("pattern", [streams.season(12, 2), streams.memory(0.95)])
@pytest.mark.parametrize("swapped", [False, True])
def test_bets_on_neighbours_are_no_gain_where_one_side_is_exchangeable(pattern, swapped):
    """Mean factor of 1,900 blocks, one side independent rows, the other a season or memory."""
    sides = [Rows.numbers(v) for v in one_sided(pattern)(np.random.default_rng(2), 30_420)]
    x, y = sides[::-1] if swapped else sides
    design = blocks.Design(lagged=True, features=8)
    _, _, factors = blocks.step(design, blocks.begin(design, x, y), x, y)
    games = np.exp(factors).reshape(len(factors), 3, -1)[4:]
    gain = (games.mean(axis=0) - 1) / (games.std(axis=0) / math.sqrt(len(games)))
    assert (gain < 4).all()


def one_sided(make):
    def change(rng, n):
        return rng.normal(size=n), make(rng, n)[1]

    return change


def test_products_of_the_guard_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    ranks, lags = rng.normal(size=(2, 16)), rng.normal(size=15)
    orders = np.array([np.arange(16), *(rng.permutation(16) for _ in range(30))])
    waves, out = np.zeros((2, 2, 3)), np.empty((4, 3))
    no_waves = np.zeros((3, 16)), np.zeros((3, 16)), np.zeros((16, 2))
    loops.serial_block(ranks, *no_waves, waves, lags, orders, guard.STRENGTHS, out)
    z = [
        sum(
            lags[j - i - 1] * (ranks[:, o[i]] @ ranks[:, o[j]])
            for i in range(16)
            for j in range(i + 1, 16)
        )
        for o in orders
    ]
    expected = [math.log(naive.e_value(np.array(z), c)) for c in guard.STRENGTHS[3]]
    np.testing.assert_allclose(out[3], expected, rtol=1e-9)
    learned = np.zeros(15)
    loops.add_lags(ranks, 1.0, learned)
    assert learned[4] == pytest.approx(sum(ranks[:, i] @ ranks[:, i + 5] for i in range(11)))


def flags(values):
    some = Rows.numbers(values)
    _, ends, factors = guard.step(guard.begin(some), some, 7)
    begun = wealth.begin(guard.EXPERTS)
    path = wealth.settle(begun, ends, factors, guard.tau())[1]
    over = ends[path >= math.log(guard.FLAG)]
    return int(over[0]) if len(over) else 0


@pytest.mark.parametrize(
    "values", [np.full(200, 3.0), np.r_[np.full(99, 1e308), -np.full(101, 1e308)]]
)
def test_guard_of_constant_and_of_largest_values(values):
    assert flags(values) in range(201)


@pytest.mark.parametrize("distribution", ["normal", "cauchy", "ties"])
def test_guard_is_quiet_without_a_pattern(distribution):
    """40 streams: at most 10 % by Ville's inequality; more than 9 have probability .005."""
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        draws = {"normal": rng.normal, "cauchy": rng.standard_cauchy}
        values = (
            rng.poisson(1, 480) * 1.0 if distribution == "ties" else draws[distribution](size=480)
        )
        found += bool(flags(values))
    assert found <= 9


@pytest.mark.parametrize(
    "name", ["season 12 of spread", "season 24 of spread", "season 7 of spread"]
)
def test_guard_sees_seasons_of_the_spread(name):
    found = [flags(streams.SPREADS[name](np.random.default_rng(k), 480)[0]) for k in range(20)]
    assert sum(row > 0 for row in found) >= 18


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("season 12 of spread", 3),
        ("season 24 of spread", 3),
        ("season 24 of mean and spread", 3),
        ("switching, common", 4),
        ("GARCH, common", 4),
    ],
)
def test_a_common_spread_is_not_dependence(name, most):
    """20 streams of 600 rows: of 5 %, more than 3 have probability .016, more than 4 .003."""
    found = [verdict(streams.SPREADS[name], seed, 600) for seed in range(20)]
    assert found.count("rejected") <= most


@pytest.mark.parametrize("name", streams.DEPENDENT_SPREADS)
def test_dependence_in_the_spread_is_found(name):
    found = [verdict(streams.DEPENDENT_SPREADS[name], seed, 400) for seed in range(20)]
    assert found == ["rejected"] * 20


def verdict(make, seed, n, **options):
    x, y = make(np.random.default_rng(seed), n)
    return kstest.skit(x, y, seed=seed, **options).verdict


def test_volatility_of_one_side_leaves_a_verdict():
    found = [verdict(one_sided(streams.season_of_spread(12)), seed, 600) for seed in range(20)]
    assert found.count("no verdict") <= 3
    assert found.count("rejected") <= 3


def test_a_season_that_begins_late_gives_no_verdict():
    """5,000 rows without a pattern, then a common season of mean or spread."""
    for make in (streams.season(24, 2), streams.season_of_spread(24)):
        found = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            early, late = rng.normal(size=(2, 5000)), np.array(make(rng, 1500))
            x, y = np.concatenate([early, late], axis=1)
            found.append(kstest.skit(x, y, seed=seed).verdict)
        assert found.count("no verdict") >= 3
        assert found.count("rejected") <= 1


def test_evidence_that_waits_is_no_verdict_and_says_why():
    x = np.random.default_rng(0).normal(size=60)
    found = kstest.skit(x, x + 0.1)
    assert found.verdict == "no verdict"
    assert found.p_value < 0.05
    assert found.warnings[0].code == "guard-waits"
    assert "row 64" in found.warnings[0].message
    assert kstest.skit(x, x + 0.1, guard="off").verdict == "rejected"


def test_all_pairs_heed_the_spread():
    rng = np.random.default_rng(0)
    s, t = streams.season_of_spread(12)(rng, 1000)
    a = rng.normal(size=1000)
    found = kstest.skit(
        pd.DataFrame({"a": a, "b": a * rng.normal(size=1000), "s": s, "t": t}), all_pairs=True
    )
    verdicts = {(r["x"], r["y"]): r["verdict"] for r in found.explanation["all_pairs"]}
    assert verdicts["a", "b"] == "rejected"
    assert verdicts["s", "t"] == "no verdict"


def test_residuals_have_neither_mean_nor_spread_of_the_calendar():
    n = 4800
    found = []
    for seed in range(10):
        x, y = streams.season_of_spread(24, mean=2.0)(np.random.default_rng(seed), n)
        data = pd.DataFrame({"a": x, "b": y, "hour": np.arange(n) % 24})
        found.append(kstest.skit(data, x="a", y="b", residualise="hour", seed=seed).verdict)
        data["b"] += data["a"]
        assert kstest.skit(data, x="a", y="b", residualise="hour").verdict == "rejected"
    assert found.count("not rejected") >= 8
    assert found.count("rejected") <= 2


def test_residuals_are_those_of_the_definition():
    """With a level that is constant, one that is constant for long, and the largest values."""
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, size=(200, 3))
    hours = rng.integers(0, 3, 200).astype(np.uint64)
    values[hours == 0, 0], values[:, 2] = 5.0, 1e300
    _, found, ready = rows.residuals(rows.begin_season(3), hours, values, "hour")
    bounded = np.clip(values, -rows.FARTHEST, rows.FARTHEST)
    sizes = {}
    for i, hour in enumerate(hours):
        earlier = bounded[:i][hours[:i] == hour]
        assert ready[i] == (len(earlier) >= rows.LEAST_SEEN)
        off = bounded[i] - (earlier.mean(axis=0) if len(earlier) else 0)
        if ready[i]:
            pooled = np.concatenate(list(sizes.values())).mean(axis=0)
            own = np.mean(sizes[hour], axis=0)
            unit = np.where(own > 0, own, np.where(pooled > 0, pooled, 1))
            np.testing.assert_allclose(found[i], off / unit, rtol=1e-9, atol=1e-12)
        if len(earlier):
            sizes.setdefault(hour, []).append(np.abs(off))
    assert np.isfinite(found).all()


def test_rule_of_neighbours():
    near, beyond = np.array([-2.0, 3.0, 0.0]), np.array([0.5, 4.0, 2.5])
    assert lagged.sure(near, beyond).tolist() == [True, False, True]
