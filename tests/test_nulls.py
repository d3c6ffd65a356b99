"""Partitions, permutations, aggregates and p-values."""

from __future__ import annotations

import itertools
from collections import Counter

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.nulls import (
    AGGREGATES,
    aggregate,
    bin_size,
    informative,
    p_value,
    partition,
    permuted_labels,
    threshold,
)


@given(st.integers(2, 900), st.integers(2, 900), st.integers(1, 40), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_every_row_is_in_one_block_with_its_own_label(m, n, size, seed):
    size = min(size, m, n)
    cut = partition(m, n, size, np.random.default_rng(seed))
    assert sorted(cut.order) == list(range(m + n))
    lengths = np.diff(cut.starts)
    assert (lengths[: cut.movable] == size).all()
    assert len(lengths) - cut.movable <= 2
    for label, first, last in zip(cut.labels, cut.starts[:-1], cut.starts[1:], strict=True):
        rows = cut.order[first:last]
        assert ((rows < m) if label > 0 else (rows >= m)).all()


def test_rows_all_move_when_no_limit_is_given():
    cut = partition(1000, 30, 1, np.random.default_rng(0), most=None)
    assert cut.movable == 1030
    limited = partition(1000, 30, 1, np.random.default_rng(0))
    assert limited.movable == 512
    assert limited.starts[-1] == 1030


@pytest.mark.parametrize(("smaller", "size"), [(2, 1), (127, 1), (128, 2), (8192, 128)])
def test_bin_size(smaller, size):
    assert bin_size(smaller) == size


def test_bin_size_prefers_whole_vectors():
    assert bin_size(100_000) == 1536
    assert bin_size(16_384) == 256


def test_distinct_counts_mirror_images_once():
    rng = np.random.default_rng(0)
    assert partition(4, 4, 1, rng).distinct == 35
    assert partition(4, 5, 1, rng).distinct == 126


def test_labellings_are_uniform_and_keep_fixed_blocks():
    cut = partition(9, 7, 3, np.random.default_rng(1))  # 3 and 2 bins, one row left over
    signs = permuted_labels(cut, 20_000, np.random.default_rng(2))
    np.testing.assert_array_equal(signs[:, 0], cut.labels)
    assert (signs[cut.movable :] == cut.labels[cut.movable :, None]).all()
    drawn = Counter(map(tuple, signs[: cut.movable, 1:].T))
    possible = {s for s in itertools.product([-1, 1], repeat=5) if sum(s) == 1}
    assert set(drawn) == possible
    expected = 20_000 / len(possible)
    chi2 = sum((count - expected) ** 2 / expected for count in drawn.values())
    assert chi2 < 27.9  # 99.9 % point for 9 degrees of freedom


def test_labellings_do_not_depend_on_which_sample_is_first():
    a = permuted_labels(partition(5, 5, 1, np.random.default_rng(0)), 50, np.random.default_rng(3))
    b = permuted_labels(partition(5, 5, 1, np.random.default_rng(9)), 50, np.random.default_rng(3))
    np.testing.assert_array_equal(a[:, 1:], b[:, 1:])


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=60))
def test_p_value_equals_its_definition(values):
    found = p_value(np.array(values, float))
    assert found == naive.p_value(values[0], values[1:])
    assert 0 < found <= 1


def test_ties_within_rounding_count():
    t = 0.1 + 0.2
    assert p_value(np.array([t, 0.3, 0.0, 0.0])) == 0.5


@given(st.lists(st.floats(-9, 9), min_size=20, max_size=60, unique=True), st.floats(-9, 9))
def test_threshold_agrees_with_the_p_value(replicates, observed):
    values = np.array([observed, *replicates])
    limit = threshold(values, 0.1)
    if abs(observed - limit) > 1e-9:
        assert (observed > limit) == (p_value(values) <= 0.1)


@pytest.mark.parametrize("rule", AGGREGATES)
def test_aggregates_treat_all_labellings_alike(rule, rng):
    """Swapping the observed permutation with another swaps their aggregated statistics."""
    T, size = rng.normal(size=(4, 40)), np.array([0.5, 0.4, 0.3, 0.2])
    found = aggregate(T, size, rule, 30)
    swap = 7 if rule != "mmdagg" else 30  # mmdagg calibrates on its second half
    order = np.arange(40)
    order[[0, swap]] = order[[swap, 0]]
    swapped = aggregate(T[:, order], size, rule, 30)
    place = swap if rule != "mmdagg" else swap - 19
    np.testing.assert_allclose(swapped[0], found[place])
    np.testing.assert_allclose(swapped[place], found[0])


def standard(values):
    return np.array([(v - np.mean(values)) / np.std(values) for v in values])


def test_mahalanobis_equals_its_definition(rng):
    T, size = rng.normal(size=(3, 40)) * [[1], [10], [0.1]], np.array([1.0, 2.0, 3.0])
    T[1] += 9.9 * T[0]  # nearly the same statistic twice
    C = np.corrcoef(T)
    inverse = np.linalg.inv(C + 1e-3 * np.linalg.eigvalsh(C).max() * np.eye(3))
    z = np.array([standard(row) for row in T])
    sign = [1 if (z[:, b] > 0).any() else -1 for b in range(40)]
    distances = [sign[b] * (z[:, b] @ inverse @ z[:, b]) for b in range(40)]
    w = [max(T[k, b] / size[k] for k in range(3)) for b in range(40)]
    expected = standard(distances) + standard(w) / 4
    np.testing.assert_allclose(aggregate(T, size, "mahalanobis", 10), expected)


def test_studentised_equals_its_definition(rng):
    T, size = rng.normal(size=(3, 30)) * [[1], [10], [0.1]], np.array([1.0, 2.0, 3.0])
    z = [max((T[k, b] - T[k].mean()) / T[k].std() for k in range(3)) for b in range(30)]
    w = [max(T[k, b] / size[k] for k in range(3)) for b in range(30)]
    expected = np.add(standard(z), standard(w))
    np.testing.assert_allclose(aggregate(T, size, "studentised", 10), expected)


def test_fuse_equals_its_formula(rng):
    T, size = rng.normal(size=(3, 5)) * 0.01, np.array([1.0, 0.5, 0.2])
    lam = np.sqrt(20 * 19)
    expected = np.log(np.mean(np.exp(lam * T / size[:, None]), axis=0)) / lam
    np.testing.assert_allclose(aggregate(T, size, "fuse", 20), expected)


def test_minp_equals_its_definition(rng):
    T = rng.integers(0, 6, size=(3, 25)).astype(float)
    ranks = [[np.mean(row >= v) for v in row] for row in T]
    np.testing.assert_allclose(aggregate(T, np.ones(3), "minp", 9), -np.min(ranks, axis=0))


def test_kernels_that_do_not_vary_are_dropped():
    T = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1e-13, 0.0, 1e-13], [0.1, 0.2, 0.3]])
    keep = informative(T, np.array([1.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(keep, [False, False, False, True])


@pytest.mark.parametrize("m", [100, 333])
@pytest.mark.parametrize("fixed", [(0, 0), (20, 20), (1, 60)])
def test_as_many_rows_keep_their_label_as_asked(m, fixed, rng):
    cut = partition(m, 200, 7, rng, fixed=fixed)
    rest = cut.order[cut.starts[cut.movable] :]
    assert (rest < m).sum() >= fixed[0]
    assert (rest >= m).sum() >= fixed[1]
    assert sorted(cut.order) == list(range(m + 200))
    assert set(cut.sizes[: cut.movable]) == {7}
