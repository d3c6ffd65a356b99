"""The MMD test: statistic against three double sums, invariances, verdicts, level."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from scipy.stats import binom

import kstest
from kstest.errors import UsageError
from kstest.kernels import KERNELS


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("m", "n"), [(7, 7), (5, 9), (130, 6)])
def test_statistic_equals_three_double_sums(kernel, m, n, rng):
    X, Y = rng.normal(size=(m, 2)), rng.normal(size=(n, 2))
    width = "1.3" if KERNELS[kernel].has_bandwidth else "aggregate"
    found = kstest.mmd(X, Y, kernel=kernel, bandwidth=width, scale="none")
    expected = naive.mmd2_unbiased(X, Y, kernel, 1.3)
    assert found.statistic == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("options", [{}, {"bandwidth": "median"}, {"permute": "bins", "bins": 8}])
def test_answer_does_not_depend_on_row_order_nor_on_which_is_the_reference(options, rng):
    X, Y = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 0.2
    base = kstest.mmd(X, Y, **options)
    for a, b in ((X[::-1], Y), (X, rng.permutation(Y)), (Y, X)):
        other = kstest.mmd(a, b, **options)
        assert other.statistic == pytest.approx(base.statistic, rel=1e-9)
        assert other.p_value == base.p_value


def test_statistic_does_not_change_under_shift_and_units(rng):
    X, Y = rng.normal(size=(50, 2)), rng.normal(size=(70, 2))
    base = kstest.mmd(X, Y, bandwidth="median").statistic
    moved = kstest.mmd(X * 1e3 + 7, Y * 1e3 + 7, bandwidth="median").statistic
    assert moved == pytest.approx(base, rel=1e-7)


@pytest.mark.parametrize("permute", ["rows", "bins"])
def test_answer_does_not_depend_on_threads(permute, rng):
    X, Y = rng.normal(size=(700, 3)), rng.normal(size=(800, 3))
    one = kstest.mmd(X, Y, permute=permute, permutations=99, threads=1)
    three = kstest.mmd(X, Y, permute=permute, permutations=99, threads=3)
    assert one.statistic == three.statistic
    assert one.p_value == three.p_value


@pytest.mark.parametrize("aggregate", ["mahalanobis", "studentised", "fuse", "minp", "mmdagg"])
def test_every_aggregate_finds_a_clear_difference(aggregate, rng):
    X, Y = rng.normal(size=(150, 2)), 1.6 * rng.normal(size=(150, 2))
    assert kstest.mmd(X, Y, aggregate=aggregate, kernel="gaussian,laplace").reject


@pytest.mark.parametrize("n", [(1, 40), (3, 3), (2, 4)])
def test_too_few_rows_give_no_verdict_and_say_how_many_would_do(n, rng):
    result = kstest.mmd(rng.normal(size=(n[0], 2)), rng.normal(size=(n[1], 2)))
    assert result.verdict == "no verdict"
    assert result.p_value is None
    assert "rows" in result.warnings[0].message


def test_equal_rows_everywhere_are_no_verdict_and_said():
    result = kstest.mmd(np.ones((30, 2)), np.ones((40, 2)))
    assert (result.p_value, result.verdict) == (None, "no verdict")
    assert result.warnings[0].code == "constant-statistic"


def test_huge_values_do_not_overflow(rng):
    X = np.r_[rng.normal(size=(99, 1)), [[1e300]]]
    Y = np.r_[rng.normal(size=(99, 1)), [[-1e308]]]
    assert 0 < kstest.mmd(X, Y).p_value <= 1


def test_serial_dependence_is_a_warning_and_the_verdict_stands(rng):
    walk = np.cumsum(rng.normal(size=(300, 1)), axis=0)
    result = kstest.mmd(walk, rng.normal(size=(300, 1)))
    assert [w.code for w in result.warnings] == ["serial-dependence"]
    assert result.verdict == "rejected"


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0},
        {"permutations": 10},
        {"kernel": "cubic"},
        {"bandwidth": "-1"},
        {"bandwidth": "wide"},
        {"aggregate": "sum"},
        {"bins": 1},
        {"seed": -1},
    ],
)
def test_unusable_options_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        kstest.mmd(np.zeros((5, 1)), np.ones((5, 1)), **options)


@pytest.mark.parametrize("permute", ["rows", "bins"])
@pytest.mark.parametrize("distribution", ["gaussian", "cauchy", "integers"])
def test_level(distribution, permute):
    """1,000 null data sets at the default seed; central 99.9 % binomial band at level 0.05.

    Ties make the exact test conservative, so for integers only the upper limit holds.
    """
    rejected = 0
    for run in range(1000):
        rng = np.random.default_rng([5, run])
        draw = {
            "gaussian": lambda rng=rng: rng.normal(size=(40, 1)),
            "cauchy": lambda rng=rng: rng.standard_cauchy((40, 1)),
            "integers": lambda rng=rng: rng.integers(0, 3, (40, 1)),
        }[distribution]
        X, Y = draw(), draw()
        rejected += kstest.mmd(X, Y, permutations=99, permute=permute, bins=10, threads=1).reject
    low, high = binom.ppf([0.0005, 0.9995], 1000, 0.05)
    assert rejected <= high
    if distribution != "integers":
        assert rejected >= low
