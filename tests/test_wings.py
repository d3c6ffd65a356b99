"""The wings of the sequential two-sample test: scores, bags, relay, and how they are combined."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from naive_betting import wealth_of_all_starts

from kstest.betting import blocks, conformal, relay, scores, wings
from kstest.betting.rows import Rows, shuffled

DESIGN = blocks.Design()
DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=(n, 2)),
    "ties": lambda rng, n: rng.poisson(1.5, (n, 2)).astype(float),
    "half constant": lambda rng, n: np.column_stack([rng.normal(size=n), np.full(n, 7.0)]),
    "all equal": lambda rng, n: np.full((n, 2), 7.0),
}


def marked(rng, n):
    return Rows(rng.normal(size=(n, 2)), rng.integers(0, 4, (n, 2)).astype(np.uint64))


def begun(rows, design=DESIGN):
    learned = conformal.learn(design, rows)
    return learned, wings.begin(design, learned, rows)


def test_novelty_is_that_of_the_definition(rng):
    known, rows = marked(rng, 30), marked(rng, 7)
    for kernel in ("gaussian", "laplace"):
        learned = scores.Scores.of(blocks.Design(kernel=kernel, marks=2), known)
        unit, h = learned.scale.unit, learned.scale.bandwidth / 2

        def novelty(x, m, others, unit=unit, h=h, kernel=kernel):
            total = 0.0
            for v, k in zip(others.values, others.marks, strict=True):
                gaps = np.abs((x - v) / unit) / h
                d = gaps.sum() ** 2 if kernel == "laplace" else (gaps**2).sum()
                total += 1 / (1 + d + (m != k).sum())
            return -math.log(total / len(others))

        expected = [novelty(x, m, known) for x, m in zip(rows.values, rows.marks, strict=True)]
        assert learned.table(rows)[0] == pytest.approx(expected, rel=1e-12)
        rest = np.arange(1, 30)
        left_out = novelty(known.values[0], known.marks[0], known[rest])
        assert learned.table(known, itself=True)[0, 0] == pytest.approx(left_out, rel=1e-12)


def test_bins_have_ties_of_their_own_and_open_ends(rng):
    learned = scores.Scores.of(DESIGN, Rows.numbers(rng.normal(size=200)))
    assert (np.diff(learned.edges, axis=1) >= 0).all()
    values = np.sort(np.r_[learned.edges[1], rng.normal(size=500), -1e300, 1e300])
    bins = learned.bins(Rows.numbers(values))[1]
    expected = [(learned.edges[1] < v).sum() + (learned.edges[1] <= v).sum() for v in values]
    assert bins.tolist() == expected
    assert bins[0] == 0
    assert bins[-1] == learned.bin_count - 1
    constant = scores.Scores.of(DESIGN, Rows.numbers(np.full(50, 1e-9)))
    assert len(set(constant.bins(Rows.numbers(np.array([0.9e-9, 1e-9, 1.1e-9])))[1])) == 3


def test_categories_rank_by_frequency_and_the_unknown_come_last():
    marks = np.array([[5], [5], [9], [7], [7], [7]], np.uint64)
    known = Rows(np.empty((6, 0)), marks)
    learned = scores.Scores.of(blocks.Design(marks=1), known)
    rows = Rows(np.empty((4, 0)), np.array([[7], [5], [9], [1234]], np.uint64))
    assert learned.table(rows)[1].tolist() == [0, 1, 2, 3]
    assert (np.diff(learned.bins(rows)[1]) > 0).all()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_p_values_are_those_of_ranks_in_the_whole_bag(distribution, rng):
    reference, stream = (Rows.numbers(DISTRIBUTIONS[distribution](rng, n)) for n in (60, 40))
    learned = conformal.learn(DESIGN, reference)
    _, p = conformal.step(DESIGN, learned, conformal.begin(learned, reference), stream)
    bag, bins = learned.bins(reference[30:]), learned.bins(stream)
    for k in range(3):
        members = bag[k].tolist()
        for score, value in zip(bins[k].tolist(), p[k], strict=True):
            above, equal = sum(v > score for v in members), members.count(score) + 1
            total = len(members) + 1
            assert above / total < value < (above + equal) / total
            members.append(score)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_p_values_are_uniform_and_independent(distribution):
    """Ten streams of 5,000 rows for every score: chi-squared of 20 bins, and the next row's p."""
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        design = blocks.Design(seed=seed)
        reference, stream = (Rows.numbers(DISTRIBUTIONS[distribution](rng, n)) for n in (50, 5000))
        learned = conformal.learn(design, reference)
        found.append(
            conformal.step(design, learned, conformal.begin(learned, reference), stream)[1]
        )
    for p in np.stack(found, axis=1):
        counts = np.histogram(p, bins=20, range=(0, 1))[0]
        expected = p.size / 20
        assert ((counts - expected) ** 2 / expected).sum() < 50.8  # 0.9999 at 19 degrees
        moved = (p[:, 1:] - 0.5) * (p[:, :-1] - 0.5) * 12
        assert abs(moved.mean()) < 4 / math.sqrt(moved.size)


def test_two_scores_are_not_fair_given_each_other():
    """Why wealths of wings are never averaged: 10/21 where a fair game has 1/3."""
    orders, weight, large = ({"a": 0, "b": 1, "c": 2}, {"a": 0, "c": 1, "b": 2}), 0, 0

    def ends(order, row, bag):
        above = sum(order[v] > order[row] for v in bag)
        width = sum(order[v] == order[row] for v in bag) + 1
        return Fraction(above, len(bag) + 1), Fraction(above + width, len(bag) + 1)

    def below(interval, x):
        low, high = interval
        return min(max((x - low) / (high - low), 0), 1)

    for known, first, second in itertools.product("abc", repeat=3):
        seen = below(ends(orders[0], first, [known]), Fraction(1, 2))
        seen *= 1 - below(ends(orders[1], first, [known]), Fraction(1, 2))
        weight += seen
        large += seen * (1 - below(ends(orders[0], second, [known, first]), Fraction(2, 3)))
    assert large / weight == Fraction(10, 21)


def test_evidence_is_the_largest_weighted_wealth(rng):
    reference, stream = (Rows.numbers(rng.normal(size=(n, 2))) for n in (200, 70))
    learned, state = begun(reference)
    _, found = wings.step(DESIGN, learned, state, stream, reference)
    evidence, most = wings.settle(wings.no_evidence(3), found)
    each = [wealth_of_all_starts(np.exp(conformal.bets(p)), conformal.TAU) for p in found.p]
    shuttle = wealth_of_all_starts(np.exp(found.factors), 8.0)
    after = np.searchsorted(found.ends, found.rows, "right")
    each.append(np.r_[1.0, shuttle][after])
    shares = np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    assert np.exp(wings.log_shares(3)) == pytest.approx(shares)
    assert np.exp(most) == pytest.approx((shares[:, None] * each).max(axis=0), rel=1e-9)
    assert np.exp(evidence.log_w) == pytest.approx([w[-1] for w in each], rel=1e-9)
    assert np.exp(most).max() < (shares[:, None] * each).sum(axis=0).max()  # no mean


def test_all_bets_are_fair():
    """The mean of every bet over a fine grid of p-values is 1, or below it by rounding."""
    p = (np.arange(10**6) + 0.5) / 10**6
    means = np.exp(conformal.bets(p)).mean(axis=0)
    assert (means < 1 + 1e-9).all()
    assert means[np.r_[:6, 8, 9, 11]] == pytest.approx(np.ones(9), abs=1e-3)


def dealt(m, n, seed=0):
    """A relay over a null stream, row by row: its states."""
    rng = np.random.default_rng(seed)
    reference = Rows.numbers(rng.normal(size=(m, 1)))
    stream = Rows.numbers(np.arange(n) * 1e-6 + rng.normal(size=n) * 1e-9)
    design = relay.design_of(blocks.Design(seed=seed, scale="none"))
    states = [relay.begin(design, reference)]
    for t in range(n):
        states.append(relay.step(design, states[-1], stream[t : t + 1], reference)[0])
    return states


def test_the_queue_of_the_relay_is_bounded_and_every_row_is_used_once():
    states = dealt(120, 1500)
    lengths = np.array([120 - s.taken + len(s.held_values) for s in states])
    assert states[0].least == 45
    assert lengths.min() >= 2 * relay.SIZE
    assert lengths[500:].max() <= 45 + 2 * relay.SIZE
    assert states[-1].taken == 120
    # Rows of the stream are in the buffer, in the queue, or were revealed: tested or as partners.
    known = len(states[-1].values) + len(states[-1].held_values)
    partners = relay.SIZE * states[-1].blocks - (120 - 30)
    assert known + relay.SIZE * states[-1].blocks + partners == 1500
    assert states[-1].held_values.ravel().tolist() == sorted(states[-1].held_values.ravel())


def test_the_queue_of_the_relay_recovers_from_a_dash(rng):
    reference, stream = (Rows.numbers(rng.normal(size=(n, 1))) for n in (120, 1200))
    design = relay.design_of(DESIGN)
    state = relay.step(design, relay.begin(design, reference), stream[:400], reference)[0]
    eager = replace(state, recent=np.array([0.0, 9.0]))  # what comes next looks like a change
    eager = relay.step(design, eager, stream[400:408], reference)[0]
    assert len(eager.held_values) < len(state.held_values) or eager.blocks > state.blocks
    short = replace(eager, held_values=eager.held_values[-24:], held_marks=eager.held_marks[-24:])
    later = relay.step(design, replace(short, recent=np.zeros(1)), stream[408:], reference)[0]
    assert later.least <= len(later.held_values) <= later.least + 2 * relay.SIZE


def test_nothing_reads_a_row_of_the_queue_before_its_turn(rng):
    reference, stream = (Rows.numbers(rng.normal(size=(n, 2))) for n in (120, 900))
    design = relay.design_of(DESIGN)
    start = relay.begin(design, reference)
    middle = relay.step(design, start, stream[:600], reference)[0]
    held = [np.flatnonzero((stream.values == v).all(axis=1))[0] for v in middle.held_values]
    assert len(held) >= 32
    poisoned = stream.values.copy()
    poisoned[held] = np.nan
    other = Rows.numbers(poisoned)
    _, ends, factors, wealth = relay.step(design, start, stream, reference)
    _, ends_too, factors_too, wealth_too = relay.step(design, start, other, reference)
    before = ends <= 600
    assert before.sum() > 30
    np.testing.assert_array_equal(ends[before], ends_too[before])
    np.testing.assert_array_equal(factors[before], factors_too[before])
    np.testing.assert_array_equal(wealth[before], wealth_too[before])
    assert np.isnan(factors_too[np.flatnonzero(~before)[0]]).any()


def test_relay_factors_are_fair_over_all_labels(rng):
    """Mean factor over all splits of one block, with many draws of arrangements."""
    reference, past = rng.normal(size=(100, 1)), rng.normal(size=(8, 1)) + 1
    rows = rng.normal(size=(16, 1))
    total, count = 0.0, 0
    picks = np.random.default_rng(1)
    for seed in range(1500):
        design = relay.design_of(blocks.Design(seed=seed, features=8))
        order = picks.permutation(16)
        mine, theirs = rows[order[:8]], rows[order[8:]]
        known = Rows.numbers(np.concatenate([reference[:33], theirs, reference[41:]]))
        stream = Rows.numbers(np.concatenate([past, mine]))
        found = relay.step(design, relay.begin(design, known), stream, known)
        assert found[1].tolist() == [8, 16]
        total += np.exp(found[2][1])
        count += 1
    assert total / count == pytest.approx(np.ones(80), abs=0.2)


def test_a_shuffle_depends_on_the_seed_and_the_number_of_rows_only():
    rows = Rows.numbers(np.arange(100.0))
    first = shuffled(rows, 3).values.ravel()
    assert sorted(first) == list(range(100))
    np.testing.assert_array_equal(
        first, shuffled(Rows.numbers(-np.arange(100.0)), 3).values[:, 0] * -1
    )
    assert (first != shuffled(rows, 4).values.ravel()).any()
    places = np.mean([shuffled(rows, s).values.ravel()[:10] for s in range(300)])
    assert abs(places - 49.5) < 4 * 28.9 / math.sqrt(3000)


def false_alarms(streams, length, rows):
    """Rows until the detectors of all wings raise a false alarm, `rows` where they do not."""
    out = []
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        design = blocks.Design(seed=seed)
        reference, stream = (Rows.numbers(rng.normal(size=(n, 2))) for n in (300, rows))
        learned, state = begun(reference, design)
        _, found = wings.step(design, learned, state, stream, reference)
        watch = wings.anew(3, found.factors.shape[1], 0)
        _, most = wings.watch(watch, found, "sr")
        over = np.flatnonzero(most >= math.log(length))
        out.append(int(over[0]) + 1 if len(over) else rows)
    return out


def test_run_length_of_all_wings_together():
    assert np.mean(false_alarms(40, 50, 1000)) >= 50


@pytest.mark.slow
def test_run_length_of_all_wings_together_in_long_streams():
    assert np.mean(false_alarms(200, 500, 20_000)) >= 500
