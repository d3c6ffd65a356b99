"""The room of bets: golden vectors, naive twins, validity by enumeration, chunks, packing."""

from __future__ import annotations

import itertools
import json
import math

import naive_betting as naive
import numpy as np
import pytest

from kstest.archive import packing
from kstest.betting import bets, blocks, decision, guard, loops, pairs, schemas, symmetric, wealth
from kstest.betting import features as betting_features
from kstest.betting.rows import Rows


@pytest.fixture(scope="module")
def gaussian():
    """The stream of the reference numbers: patched program of Podkopaev et al. on these rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    y = 0.5 * x + rng.normal(size=1000)
    return x, y, rng.normal(size=1000)


def path(design, kind, x, y, step=None):
    """Rows and log of the mean product after every round, the stream in pieces of `step` rows."""
    x, y = Rows.numbers(x), Rows.numbers(y)
    state, found = kind.begin(design, x, y), wealth.begin(design.experts)
    rows, table = [], np.empty((0, design.experts))
    for k in range(0, len(x), step or len(x)):
        part = slice(k, k + (step or len(x)))
        state, ends, factors = kind.step(design, state, x[part], y[part])
        found, _ = wealth.settle(found, ends, factors, design.tau)
        rows += ends.tolist()
        table = np.concatenate([table, factors])
    log_e = np.logaddexp.reduce(table.cumsum(axis=0), axis=1) - math.log(design.experts)
    return np.array(rows), log_e, state, found


# Bandwidths of gamma 1/4 and 1/5.
PUBLISHED = {"scale": "none", "bandwidths": (math.sqrt(2), math.sqrt(2.5))}


@pytest.mark.parametrize(
    ("bet", "row", "value"),
    [("ons", 194, 20.5185170713), ("agrapa", 166, 22.2157659), ("mixture", 168, 21.5642326)],
)
def test_published_rules_reproduce_the_reference(gaussian, bet, row, value):
    rows, log_e, _, _ = path(pairs.Design(bet=bet, **PUBLISHED), pairs, *gaussian[:2])
    first = int(np.argmax(log_e >= math.log(20)))
    assert rows[first] == row
    assert math.exp(log_e[first]) == pytest.approx(value, rel=1e-8)


def test_published_wealth_without_dependence(gaussian):
    _, log_e, _, _ = path(pairs.Design(bet="ons", **PUBLISHED), pairs, gaussian[0], gaussian[2])
    assert math.exp(log_e[497]) == pytest.approx(0.87454505, abs=1e-8)


def test_hsic_payoffs_are_those_of_the_definition(gaussian):
    x, y = gaussian[0][:40], gaussian[1][:40]
    expected = naive.hsic_payoffs(x, y, 0.25, 0.2)
    assert expected[:3] == pytest.approx([0.01919343, 0.0931258, -0.00842402], abs=1e-8)
    _, log_e, _, _ = path(pairs.Design(bet="ons", **PUBLISHED), pairs, x, y)
    assert np.exp(log_e) == pytest.approx(naive.ons_wealth(expected), rel=1e-10)


@pytest.mark.parametrize("payoff", ["coco", "kcc"])
def test_function_pairs_have_unit_norm_at_most_and_find_the_reference_direction(payoff, gaussian):
    x, y = (Rows.numbers(v[:200]) for v in gaussian[:2])
    from kstest.betting import pair_loops
    from kstest.betting.payoffs import singular_pair

    u, v = singular_pair(x, y, payoff, "gaussian", (0.25, 0.2))
    for rows, weights, gamma in ((x, u, 0.25), (y, v, 0.2)):
        K = np.empty((200, 200))
        pair_loops.kernel_matrix(rows.values, rows.marks, 0, gamma, K)
        assert weights @ K @ weights <= 1 + 1e-9
        assert weights @ K @ weights > 0.9
        assert abs(weights.sum()) < 1e-9
        # the best functions of a linear relation grow with the value
        assert abs(np.corrcoef(K @ weights, rows.values[:, 0])[0, 1]) > 0.9


DESIGNS = [
    (blocks, blocks.Design()),
    (blocks, blocks.Design(size=8, stride=3, kernel="laplace", seed=5)),
    (blocks, blocks.Design(half_lives=(32.0, math.inf))),
    (pairs, pairs.Design()),
    *((pairs, pairs.Design(payoff=p, bet=b)) for p, b in (("coco", "ons"), ("kcc", "agrapa"))),
    *((pairs, pairs.Design(transform=t, most_rows=60)) for t in symmetric.TRANSFORMS),
    (pairs, pairs.Design(kernel="linear", transform="tanh", scale="none")),
]


@pytest.mark.parametrize(("kind", "design"), DESIGNS)
@pytest.mark.parametrize("step", [1, 7, 100])
def test_pieces_give_the_same_wealth_to_the_bit(kind, design, step, gaussian):
    x, y = gaussian[0][:300], gaussian[1][:300]
    whole, pieces = path(design, kind, x, y), path(design, kind, x, y, step)
    assert np.array_equal(whole[0], pieces[0])
    assert np.array_equal(whole[1], pieces[1])
    assert whole[3].experts.tobytes() == pieces[3].experts.tobytes()
    assert np.array_equal(whole[3].path, pieces[3].path)


@pytest.mark.parametrize(("kind", "design"), DESIGNS)
def test_states_are_packed_and_unpacked_to_the_bit(kind, design, gaussian):
    x, y = gaussian[0][:150], gaussian[1][:150]
    _, _, state, found = path(design, kind, x, y)
    for value in (state, found):
        header, arrays = packing.pack(value)
        declared = packing.Declared(schemas.SCHEMAS, schemas.INVARIANTS)
        lengths = {} if kind is pairs else schemas.sizes(design)
        parsed = json.loads(json.dumps(header))
        again = packing.unpack(type(value), parsed, arrays, declared, lengths)
        header_again, arrays_again = packing.pack(again)
        assert header == header_again
        assert {k: v.tobytes() for k, v in arrays.items()} == {
            k: v.tobytes() for k, v in arrays_again.items()
        }


def test_block_e_values_are_those_of_the_definition(gaussian):
    x, y = (Rows.numbers(v[:24]) for v in gaussian[:2])
    design = blocks.Design(features=5, seed=3)
    start = blocks.begin(design, x, y)
    state, _, _ = blocks.step(design, start, x[:20], y[:20])
    _, ends, factors = blocks.step(design, start, x, y)
    order = np.empty((blocks.ARRANGEMENTS + 1, 4), np.int64)
    loops.permutations(np.uint64(3), np.uint64(0), order)
    expected = []
    angles = [
        c.angles(r) for c, r in zip(blocks._circles(design, state, x, y), (x, y), strict=True)
    ]
    for bandwidth in range(betting_features.BANDWIDTHS):
        u, v = (np.exp(1j * 2**bandwidth * a) for a in angles)
        expected += naive.block_e_values(u[20:], v[20:], u[:20], v[:20], order, blocks.STRENGTHS)
    assert ends.tolist() == [24]
    assert np.exp(factors[0]) == pytest.approx(np.array(expected), rel=1e-9)


def test_permutations_are_uniform_and_start_with_the_identity():
    count = dict.fromkeys(itertools.permutations(range(3)), 0)
    out = np.empty((61, 3), np.int64)
    for block in range(200):
        loops.permutations(np.uint64(1), np.uint64(block), out)
        assert out[0].tolist() == [0, 1, 2]
        for row in out[1:]:
            count[tuple(row.tolist())] += 1
    # 12,000 draws over 6 permutations: chi-squared below its 0.9999 quantile (df 5: 25.7)
    assert sum((v - 2000) ** 2 / 2000 for v in count.values()) < 25.7
    other = np.empty_like(out)
    loops.permutations(np.uint64(2), np.uint64(0), other)
    loops.permutations(np.uint64(1), np.uint64(0), out)
    assert not np.array_equal(out, other)


def test_block_e_values_have_mean_one_over_all_arrangements(gaussian):
    """The claim of `blocks`, by enumeration: all orders of y in a block of 4, many seeds."""
    x, y = gaussian[0][:24], gaussian[1][:24].copy()
    total, rounds = 0.0, 0
    for seed in range(60):
        for order in itertools.permutations(range(4)):
            moved = y.copy()
            moved[20:] = y[20:][list(order)]
            design = blocks.Design(seed=seed, features=8)
            rows = Rows.numbers(x), Rows.numbers(moved)
            _, _, factors = blocks.step(design, blocks.begin(design, *rows), *rows)
            total += np.exp(factors[0])
            rounds += 1
    mean = total / rounds
    # E is below 15 and mostly near 1; over the permutations drawn its error is about 2e-2
    assert mean == pytest.approx(np.ones(design.experts), abs=0.05)


def test_bets_stay_fair_for_symmetric_payoffs():
    """Mean wealth of every bet over all sequences of signs is 1 (or below, where it may be)."""
    size = np.array([0.9, 0.2, 0.5, 1.0, 0.1, 0.7])
    for bet in (*bets.BETS, "full"):
        total = []
        for signs in itertools.product((-1, 1), repeat=len(size)):
            payoffs = size * signs * (0.99 if bet == "full" else 1)
            factors, _ = bets.log_factors(bet, payoffs, bets.memory(bet))
            total.append(np.exp(factors.sum(axis=0)).mean())
        assert np.mean(total) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("transform", symmetric.TRANSFORMS[1:])
def test_symmetric_payoffs_are_odd_given_the_past(transform, rng):
    past = symmetric.payoffs(transform, rng.normal(0.3, 1, size=40), symmetric.begin())[1]
    for w in (0.01, 0.7, 5.0, 400.0):
        plus = symmetric.payoffs(transform, np.array([w]), past)[0][0]
        minus = symmetric.payoffs(transform, np.array([-w]), past)[0][0]
        assert plus == -minus
        assert 0 <= plus <= 1


def guard_path(values, **kwargs):
    rows = Rows.numbers(values)
    _, ends, factors = guard.step(guard.begin(rows), rows, 7, **kwargs)
    return ends, wealth.settle(wealth.begin(guard.EXPERTS), ends, factors, guard.tau())[1]


def test_guard_sees_seasons_and_memory_and_is_quiet_otherwise():
    rows = np.arange(480)
    flagged = {"season 24": 0, "season 7": 0, "memory": 0, "none": 0, "trend": 0}
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=480)
        memory = np.empty(480)
        memory[0] = noise[0]
        for t in range(1, 480):
            memory[t] = 0.6 * memory[t - 1] + noise[t]
        streams = {
            "season 24": 2 * np.sin(2 * np.pi * rows / 24) + noise,
            "season 7": 2 * np.sin(2 * np.pi * rows / 7) + noise,
            "memory": memory,
            "none": noise,
            "trend": noise + rows / 160,
        }
        for name, values in streams.items():
            flagged[name] += bool((guard_path(values)[1] >= math.log(guard.FLAG)).any())
    assert flagged["season 24"] >= 19
    assert flagged["season 7"] >= 19
    assert flagged["memory"] >= 19
    assert flagged["none"] <= 4  # at most 10 % by Ville's inequality
    assert flagged["trend"] <= 5


def test_guard_pieces_and_stride(rng):
    rows = Rows(rng.normal(size=(400, 11)), rng.integers(0, 3, size=(400, 2)).astype(np.uint64))
    for stride in (1, 5):
        _, _, whole = guard.step(guard.begin(rows), rows, 1, stride)
        state, parts = guard.begin(rows), []
        for k in range(0, 400, 13):
            state, _, factors = guard.step(state, rows[k : k + 13], 1, stride)
            parts.append(factors)
        assert np.concatenate(parts).tobytes() == whole.tobytes()
        assert len(whole) == 400 // (16 * stride)


def look(rows, values):
    return decision.Look(np.array(rows, np.int64), np.array(values, float))


def test_decision_puts_the_guard_first_and_waits_for_it():
    level, flag = math.log(20), math.log(guard.FLAG)
    quiet = look([16, 32, 48, 64, 80], [-1, -1, -1, -1, -1])
    loud = look([16, 32, 48, 64, 80], [0, 1, flag, 3, 3])
    unsure = look([16, 32, 48, 64, 80], [1, 1, 1, 1, -1])
    test = look([40, 60, 76, 92], [1.0, 3.5, 1.0, 1.0])
    watch = decision.begin()

    def decide(*margins):
        return decision.decide(level, test, 0.0, watch, margins)

    assert decision.decide(level, test, 0.0, None, None) == ("rejected", 60)
    assert decide(quiet, quiet) == ("rejected", 76)  # not before row 64
    assert decide(quiet, loud) == ("rejected", 76)
    assert decide(loud, loud) == ("unsound", 48)
    assert decide(unsure, unsure) == ("rejected", 92)  # in doubt at row 76, not at 92
    none = decision.decide(level, look([40], [1.0]), 0.0, watch, (quiet, quiet))
    assert none == ("", 0)
    assert decision.watched(watch, (quiet, loud), 60).flagged.tolist() == [0, 48]
    assert decision.watched(watch, (quiet, loud), 40).flagged.tolist() == [0, 0]


def test_far_and_constant_values_do_no_harm(rng):
    x = rng.standard_cauchy(size=200)
    x[50] = 1e308
    x[51] = -1e308
    for values in (x, np.zeros(200), np.r_[np.zeros(30), rng.normal(size=170)]):
        _, log_e, _, _ = path(blocks.Design(), blocks, values, rng.normal(size=200))
        assert np.isfinite(log_e).all()


def test_wealth_path_is_thinned_and_the_maximum_kept():
    found = wealth.begin(2)
    factors = np.tile([[0.1, -0.1]], (3000, 1))
    factors[2000:] = -0.1
    found, log_e = wealth.settle(found, np.arange(1, 3001), factors, 4.0)
    assert len(found.path) <= wealth.MOST_POINTS
    assert found.stride == 32
    assert found.rows[0] == 32
    assert found.largest == log_e.max()
    assert found.largest_row == 2000
    assert found.log_e == log_e[-1]
