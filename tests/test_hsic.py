"""The independence test: statistics against double sums, references, invariances, level."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from scipy.stats import binom

import kstest
from kstest.errors import DataError, UsageError
from kstest.kernels import KERNELS
from kstest.methods.dependence.kinds import describe_numbers as describe
from kstest.nulls import holm_adjusted

SINGLE = {"scale": "none", "permutations": 19}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("permute", ["rows", "bins"])
def test_statistic_equals_its_formula(kernel, permute, rng):
    X, Y = rng.normal(size=(38, 2)), rng.normal(size=(38, 1))
    widths = {"bandwidth_x": "1.3", "bandwidth_y": "0.7"} if KERNELS[kernel].has_bandwidth else {}
    found = kstest.hsic(X, Y, kernel=kernel, permute=permute, **widths, **SINGLE)
    expected = naive.hsic_unbiased(X, Y, kernel, 1.3, 0.7)
    assert found.statistic == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("permute", ["rows", "bins"])
@pytest.mark.parametrize("count", [3, 4])
def test_joint_statistic_equals_its_formula(count, permute, rng):
    blocks = [rng.normal(size=(27, 1 + k % 2)) for k in range(count)]
    found = kstest.hsic(*blocks, bandwidth="0.9", permute=permute, bins=6, **SINGLE)
    expected = naive.dhsic(blocks, "gaussian", [0.9] * count)
    assert found.statistic == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_statistic_agrees_with_other_packages():
    """dcor 0.7: u_distance_covariance_sqr; hyppo 0.5.2: Hsic(compute_kernel=None, bias=True).

    hyppo's is the root of the V-statistic over the geometric mean of both blocks' own: it checks
    the naive dHSIC, of which two blocks are a special case, and so the joint statistic.
    """
    i = np.arange(40.0)
    X = np.column_stack([np.sin(i * i), np.cos(3 * i)])
    y = np.sin(i * i) ** 2 + 0.3 * np.cos(7 * i)
    energy = kstest.hsic(X, y, kernel="energy", scale="none").statistic
    assert energy == pytest.approx(0.009571635426360858, rel=1e-9)
    x, z = (X, 0.8), (y[:, None], 0.5)
    v = [naive.dhsic([a[0], b[0]], "gaussian", [a[1], b[1]]) for a, b in ((x, z), (x, x), (z, z))]
    assert np.sqrt(v[0] / np.sqrt(v[1] * v[2])) == pytest.approx(0.435571116565888, rel=1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"bandwidth": "median"}, {"permute": "bins"}, {"all_pairs": True}]
)
def test_answer_does_not_depend_on_row_order(options, rng):
    data = np.round(rng.normal(size=(61, 2)), 1)  # with ties
    base = kstest.hsic(data, **options)
    for other in (data[::-1], rng.permutation(data)):
        found = kstest.hsic(other, **options)
        assert found.p_value == base.p_value
        if base.statistic is not None:
            assert found.statistic == pytest.approx(base.statistic, rel=1e-9)


def test_statistic_does_not_change_under_shift_and_units_of_either_block(rng):
    X, Y = rng.normal(size=(50, 2)), rng.normal(size=(50, 1))
    base = kstest.hsic(X, Y, bandwidth="median").statistic
    moved = kstest.hsic(X * 1e3 + 7, Y * 1e-3, bandwidth="median").statistic
    assert moved == pytest.approx(base, rel=1e-7)


@pytest.mark.parametrize("n", [300, 700])
def test_answer_does_not_depend_on_threads(n, rng):
    X, Y = rng.normal(size=(n, 3)), rng.normal(size=(n, 1))
    one, three = (kstest.hsic(X, Y, permutations=99, threads=t) for t in (1, 3))
    assert (one.statistic, one.p_value) == (three.statistic, three.p_value)


@pytest.mark.parametrize("aggregate", ["studentised", "fuse", "minp"])
def test_every_aggregate_finds_a_clear_dependence(aggregate, rng):
    x = rng.normal(size=150)
    y = x**2 + rng.normal(size=150)
    found = kstest.hsic(x, y, aggregate=aggregate, kernel="gaussian,laplace")
    assert found.reject
    assert found.explanation["dependence"][0]["kind"] == "U-shaped"


def test_joint_dependence_of_pairwise_independent_blocks_is_found(rng):
    x, y = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    z = x ^ y
    assert kstest.hsic(x, y, z, permutations=199).reject
    found = kstest.hsic(np.column_stack([x, y, z]), all_pairs=True)
    assert found.verdict == "not rejected"


def test_blocks_of_one_table_equal_separate_arrays(rng):
    import pandas as pd

    frame = pd.DataFrame(rng.normal(size=(40, 4)), columns=["a", "b", "c", "d"])
    one = kstest.hsic(frame, x="a,b", y="d")
    two = kstest.hsic(frame[["a", "b"]], frame["d"])
    assert (one.p_value, one.statistic) == (two.p_value, two.statistic)
    assert one.columns == two.columns == ("a", "b", "d")
    blocks = kstest.hsic(frame, block=("a,b", "d"))
    assert blocks.p_value == one.p_value


def test_all_pairs_find_the_dependent_one_and_correct(rng):
    data = rng.normal(size=(200, 5))
    data[:, 4] += data[:, 1] ** 2
    found = kstest.hsic(data, all_pairs=True)
    rows = {(r["x"], r["y"]): r for r in found.explanation["all_pairs"]}
    assert [k for k, r in rows.items() if r["reject"]] == [("2", "5")]
    p = np.array([r["p_value"] for r in rows.values()])
    np.testing.assert_allclose([r["adjusted_p_value"] for r in rows.values()], holm_adjusted(p))
    assert found.p_value == min(r["adjusted_p_value"] for r in rows.values())


def test_kinds_of_dependence(rng):
    x, e = rng.normal(size=(2, 500))
    kinds = {
        "increasing": np.exp(x) + 0.1 * e,
        "decreasing": -(x**3) + e,
        "U-shaped": x**2 + 0.3 * e,
        "spread": np.exp(x) * e,
        "joint spread": np.abs(x) * e,
        "other": e,
    }
    assert {kind: describe(x, y).kind for kind, y in kinds.items()} == {k: k for k in kinds}


@pytest.mark.parametrize("n", [1, 3, 4])
def test_too_few_rows_give_no_verdict_and_say_how_many_would_do(n, rng):
    found = kstest.hsic(rng.normal(size=(n, 2)), alpha=0.01, permutations=199)
    assert (found.verdict, found.p_value) == ("no verdict", None)
    assert "at least 5" in found.warnings[0].message


@pytest.mark.parametrize("more", [(), (np.arange(30.0),)])
def test_a_constant_block_alone_with_another_is_no_verdict(more, rng):
    found = kstest.hsic(np.ones(30), rng.normal(size=30), *more, permutations=99)
    assert found.verdict == ("not rejected" if more else "no verdict")
    if not more:
        assert found.p_value is None
        assert found.warnings[0].code == "constant-statistic"


def test_huge_values_do_not_overflow(rng):
    x = np.r_[rng.normal(size=99), 1e300]
    y = np.r_[rng.normal(size=99), -1e308]
    # In units of the farthest row all others are equal: no pairing differs from another.
    assert kstest.hsic(x, y).verdict == "no verdict"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"x": "1"}, r"\by\b"),
        ({"x": "1,2", "y": "2"}, r"\by\b"),
        ({"x": "1", "y": "9"}, r"\by\b"),
        ({"x": "1", "y": "2", "all_pairs": True}, "all_pairs"),
        ({"block": ("1",)}, "block"),
        ({"x": "1", "y": "2", "columns": "1,2,3"}, "columns"),
        ({}, r"\bx\b"),
        ({"all_pairs": True, "bandwidth_x": "1"}, "bandwidth_x"),
        ({"block": ("1", "2", "3"), "kernel": "energy"}, "kernel"),
        ({"all_pairs": True, "bandwidth": "-1"}, "bandwidth"),
        ({"x": "1", "y": "2", "bins": 3}, "bins"),
        ({"x": "1", "y": "2", "block_length": "long"}, "block_length"),
        ({"x": "1", "y": "2", "block_length": "5", "permute": "rows"}, "permute"),
    ],
)
def test_unusable_options_are_named(options, named, rng):
    with pytest.raises(UsageError, match=named):
        kstest.hsic(rng.normal(size=(30, 3)), **options)


def test_arrays_of_different_length_are_refused(rng):
    with pytest.raises(DataError, match="x has 30, y has 29 rows"):
        kstest.hsic(rng.normal(size=30), rng.normal(size=29))


def walk(rng, n, memory):
    x = rng.normal(size=n)
    for i in range(1, n):
        x[i] += memory * x[i - 1]
    return x


def test_serial_dependence_of_both_blocks_is_a_warning_that_names_the_remedy(rng):
    x, y = walk(rng, 300, 0.9), walk(rng, 300, 0.9)
    found = kstest.hsic(x, y, permutations=99)
    assert [w.code for w in found.warnings] == ["serial-dependence"]
    assert "--block-length" in found.warnings[0].message
    assert not kstest.hsic(x, rng.normal(size=300), permutations=99).warnings


def test_a_record_too_short_for_its_memory_gives_no_verdict(rng):
    data = [walk(rng, 300, 0.98), walk(rng, 300, 0.98)]
    found = kstest.hsic(*data, block_length="auto")
    assert found.verdict == "no verdict"
    assert "blocks of" in found.warnings[0].message
    forced = kstest.hsic(*data, block_length="30", permutations=99)
    assert forced.null["exact"] is False
    assert forced.null["bins"] == 10


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_level_of_time_series_with_blocks(memory):
    """300 pairs of independent first-order autoregressions; plain permutations reject far more."""

    def rejects(rng):
        x, y = walk(rng, 900, memory), walk(rng, 900, memory)
        options = {"bandwidth": "median", "permutations": 39, "threads": 1}
        return kstest.hsic(x, y, block_length="auto", **options).verdict == "rejected"

    low, high = binom.ppf([0.0005, 0.9995], 300, 0.05)
    assert low <= level(rejects, 300) <= high


def level(test, runs=1000):
    return sum(test(np.random.default_rng([8, run])) for run in range(runs))


def draws(distribution, rng, n=40):
    return {
        "gaussian": lambda: rng.normal(size=n),
        "cauchy": lambda: rng.standard_cauchy(n),
        "integers": lambda: rng.integers(0, 3, n),
    }[distribution]()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["rows", "bins", "joint", "joint bins"])
@pytest.mark.parametrize("distribution", ["gaussian", "cauchy", "integers"])
def test_level(distribution, form):
    """1,000 null data sets at the default seed; central 99.9 % binomial band at level 0.05.

    43 rows in bins of 3 leave one row that never moves.
    """
    blocks = 3 if form.startswith("joint") else 2
    permute = "bins" if form.endswith("bins") else "rows"

    def rejects(rng):
        data = [draws(distribution, rng, 43) for _ in range(blocks)]
        return kstest.hsic(*data, permutations=39, permute=permute, threads=1).reject

    low, high = binom.ppf([0.0005, 0.9995], 1000, 0.05)
    assert low <= level(rejects) <= high


@pytest.mark.parametrize("permute", ["rows", "bins"])
def test_level_of_one_pair_of_bandwidths(permute):
    """As `test_level`, quick enough for every run: 400 data sets with ties and outliers."""

    def rejects(rng):
        x, y = rng.integers(0, 4, 27), rng.standard_cauchy(27)
        options = {"bandwidth": "median", "permutations": 39, "permute": permute, "threads": 1}
        return kstest.hsic(x, y, **options).reject

    low, high = binom.ppf([0.0005, 0.9995], 400, 0.05)
    assert low <= level(rejects, 400) <= high
