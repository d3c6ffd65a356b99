"""Discrete targets of `kstest ksd`: distributions, statistic, verdicts, level, and rounded
draws."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import binom

import kstest
from kstest.errors import DataError, UsageError
from kstest.kernels.frequencies import cell_kernels, sizes
from kstest.methods.frequencies.explanation import surprises
from kstest.methods.frequencies.statistic import evidence, statistics
from kstest.methods.frequencies.verdict import draws_of
from kstest.methods.ksd import Params
from kstest.methods.stein.rounding import grid_of
from kstest.nulls import p_value
from kstest.targets import joined, resolve_discrete

DISTRIBUTIONS = {
    "discrete_uniform(0, 9)": stats.randint(0, 10),
    "discrete_uniform(-2, 3)": stats.randint(-2, 4),
    "poisson(rate=3)": stats.poisson(3),
    "poisson(0.01)": stats.poisson(0.01),
    "poisson(rate=1000000)": stats.poisson(1e6),
    "binomial(n=10, p=0.3)": stats.binom(10, 0.3),
    "binomial(n=1000000, p=0.00001)": stats.binom(10**6, 1e-5),
    "negative_binomial(n=2, p=0.4)": stats.nbinom(2, 0.4),
    "negative_binomial(n=0.1, p=0.01)": stats.nbinom(0.1, 0.01),
}


def cells_of(text, columns=("x",)):
    return resolve_discrete(text, columns).distributions[0]


def codes(result):
    return [w.code for w in result.warnings]


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_probabilities_are_those_of_scipy(text):
    cells, distribution = cells_of(text), DISTRIBUTIONS[text]
    assert cells.probability.sum() == pytest.approx(1, abs=1e-12)
    single = cells.low == cells.high
    assert cells.probability[single] == pytest.approx(distribution.pmf(cells.low[single]), rel=1e-5)
    low, high = distribution.support()
    for cell, side in ((0, low), (-1, high)):
        if not single[cell]:  # what is left of a tail
            assert (cells.low[0] if cell == 0 else cells.high[-1]) == side
            assert cells.probability[cell] <= 1e-9


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_draws_have_a_cell_and_other_numbers_have_none(text, rng):
    cells, distribution = cells_of(text), DISTRIBUTIONS[text]
    drawn = distribution.rvs(size=500, random_state=rng).astype(float)
    place = cells.place(drawn)
    assert (place >= 0).all()
    assert (cells.low[place] <= drawn).all()
    assert (drawn <= cells.high[place]).all()
    low, high = distribution.support()
    outside = [low - 1, low - 1e9, low + 0.5, 1e300 if math.isinf(high) else high + 1]
    assert (cells.place(np.array(outside))[: 3 + (not math.isinf(high))] == -1).all()


def test_joined_cells_keep_their_mass_and_their_order():
    whole = cells_of("poisson(rate=1000000)")
    cells, which = joined(whole, 512)
    assert len(cells) <= 512
    assert (np.diff(which) >= 0).all()
    assert np.bincount(which, whole.probability) == pytest.approx(cells.probability)
    assert (cells.low[1:] > cells.high[:-1]).all()


def naive_statistics(counts, p, positions):
    """The kernels' statistics by sums over pairs of rows, from the formulas."""
    n, L = int(counts.sum()), len(p)
    d = counts / n - p
    P, D = np.cumsum(p), np.cumsum(d)
    slope = sum(p[j] * D[j] ** 2 / (P[j] * (1 - P[j])) for j in range(L - 1))
    chi = sum(d[j] ** 2 / (p[j] + 1 / n) for j in range(L))
    deviances = [
        2 * ((c * math.log(c / (n * q)) if c else 0.0) - c + n * q)
        for c, q in zip(counts, p, strict=True)
    ]
    return {"Anderson-Darling": n * slope, "chi-squared": n * chi, "cell": max(deviances)}


def test_statistics_are_their_formulas(rng):
    p = rng.dirichlet(np.ones(7))
    counts = rng.multinomial(60, p).astype(float)
    kernels, gaussian = cell_kernels(np.arange(7.0), p, 60, True)
    found = dict(
        zip([*kernels, "cell"], statistics(counts[:, None], p, kernels)[:, 0], strict=True)
    )
    for name, value in naive_statistics(counts, p, np.arange(7.0)).items():
        assert found[name] == pytest.approx(value)
    assert gaussian == len(kernels) - 3
    # The Stein kernel: E over p of the operator's image of any function is 0.
    assert p @ kernels["Stein"] == pytest.approx(np.zeros(7), abs=1e-12)
    rows = np.repeat(np.arange(7), counts.astype(int))
    assert found["Stein"] == pytest.approx(kernels["Stein"][rows][:, rows].sum() / 60)


@pytest.mark.parametrize("ordered", [True, False])
def test_sizes_are_spreads_between_draws(ordered, rng):
    p = rng.dirichlet(np.ones(6))
    kernels, _ = cell_kernels(np.arange(6.0), p, 50, ordered)
    centre = np.eye(6) - np.outer(np.ones(6), p)
    for K, size in zip(kernels.values(), sizes(kernels, p), strict=True):
        full = centre @ (np.diag(K) if K.ndim == 1 else K) @ centre.T
        assert size == pytest.approx(math.sqrt(p @ full**2 @ p))


def test_the_order_of_rows_decides_nothing(rng):
    X = rng.integers(0, 10, 200)
    one = kstest.ksd(X, target="discrete_uniform(0, 9)")
    for other in (X[::-1], rng.permutation(X)):
        again = kstest.ksd(other, target="discrete_uniform(0, 9)", threads=3)
        assert (again.p_value, again.statistic) == (one.p_value, one.statistic)
    assert one.null["exact"]
    assert one.null["replicates"] == 1999


POWER = {
    "discrete_uniform(0, 99)": lambda g: np.where(
        g.random(1000) < 0.06, 0, g.integers(0, 100, 1000)
    ),
    "poisson(rate=3)": lambda g: g.poisson(3.4, 500),
    "binomial(n=10, p=0.3)": lambda g: g.hypergeometric(6, 14, 10, 500),
    "negative_binomial(n=2, p=0.4)": lambda g: g.poisson(3, 500),
    "categorical(0.5, 0.3, 0.2)": lambda g: g.choice(3, 500, p=[0.4, 0.3, 0.3]),
    "poisson(rate=1000)": lambda g: g.normal(1000, 38, 500).round(),
}


@pytest.mark.parametrize("text", POWER)
def test_clear_differences_are_found_and_the_distribution_itself_is_not(text, rng):
    found = kstest.ksd(POWER[text](rng), target=text)
    assert found.verdict == "rejected"
    assert "often" in found.explanation["summary"] or "rarely" in found.explanation["summary"]
    json.dumps(found.to_dict(), allow_nan=False)
    cells = cells_of(text)
    drawn = cells.low[rng.choice(len(cells), 500, p=cells.probability)]
    assert not kstest.ksd(drawn, target=text).reject


def test_ranks_of_a_correct_sampler_pass(rng):
    """Also against the density that looks like it: that is then tested by its cells."""
    ranks = rng.integers(0, 10, 300)
    exact = kstest.ksd(ranks, target="discrete_uniform(0, 9)")
    density = kstest.ksd(ranks, target="uniform(-0.5, 9.5)")
    assert exact.verdict == density.verdict == "not rejected"
    assert codes(density) == ["rounded-values"]


def test_explanation_names_the_cells_that_differ(rng):
    ranks = np.where(rng.random(800) < 0.1, 3, rng.integers(0, 10, 800))
    found = kstest.ksd(ranks, target="discrete_uniform(0, 9)")
    most = found.explanation["columns"][0]["cells"][0]
    assert most["cells"] == "3"
    assert most["rows"] == int((ranks == 3).sum())
    plain = kstest.ksd(ranks, target="discrete_uniform(0, 9)", explain="none")
    assert (plain.p_value, plain.explanation["columns"][0]["cells"]) == (found.p_value, [])
    cells = cells_of("poisson(rate=2)")
    counts = np.zeros(len(cells))
    counts[[2, -1]] = 50, 1
    assert surprises(counts, cells)[0]["cells"] == "2"


def test_a_value_of_probability_zero_rejects_at_once():
    for text, value in (
        ("poisson(3)", 2.5),
        ("poisson(3)", -1),
        ("discrete_uniform(0, 9)", 10),
        ("categorical(0.5, 0, 0.5)", 1),
    ):
        found = kstest.ksd([0, 2, value, 2], target=text)
        assert found.verdict == "rejected"
        assert f"row 3 has 1 = {value:g}" in found.explanation["summary"]
        assert found.null["scheme"] == "support of the target"


def test_columns_have_p_values_of_their_own(rng):
    table = pd.DataFrame({"a": rng.poisson(3, 400), "b": rng.binomial(10, 0.45, 400)})
    target = "product(a=poisson(3), b=binomial(10, 0.3))"
    found = kstest.ksd(table, target=target)
    assert found.verdict == "rejected"
    by_name = {c["column"]: c for c in found.explanation["columns"]}
    assert by_name["a"]["adjusted_p_value"] > 0.05 >= by_name["b"]["adjusted_p_value"]
    assert found.p_value == by_name["b"]["adjusted_p_value"]
    # Enough draws for Holm's correction: 20 per column and level.
    assert draws_of(Params(target=target, alpha=0.01), 5) == 10_000
    assert draws_of(Params(target=target), 1) == 1999
    assert draws_of(Params(target=target, draws=5000), 2) == 5000


def test_names_have_distributions_too(rng):
    table = pd.DataFrame({"colour": rng.choice(["red", "blue"], 300, p=[0.6, 0.4])})
    assert not kstest.ksd(table, target="categorical(red=0.6, blue=0.4)").reject
    assert kstest.ksd(table, target="categorical(red=0.3, blue=0.7)").reject
    odd = kstest.ksd(table, target="categorical(red=0.5, green=0.5)")
    assert "'blue', whose probability is 0" in odd.explanation["summary"]
    with pytest.raises(DataError, match="holds names"):
        kstest.ksd(table, target="poisson(3)")
    with pytest.raises(DataError, match="holds numbers"):
        kstest.ksd([0, 1] * 20, target="categorical(red=0.5, green=0.5)")
    with pytest.raises(UsageError, match="text or categories"):
        kstest.ksd(table, target="normal()")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("poisson(-1)", "rate takes"),
        ("poisson()", "needs rate"),
        ("poisson(fit)", "take their parameters"),
        ("poisson(rate=[1, 2])", "one per column"),
        ("discrete_uniform(0.5, 9)", "whole number"),
        ("discrete_uniform(9, 0)", "below high"),
        ("discrete_uniform(0, 1e8)", "at most 1,000,000"),
        ("binomial(10, 1.5)", "between 0 and 1"),
        ("negative_binomial(2, 0)", "between 0 and 1"),
        ("categorical(0.5, 0.6)", "sum of 1.1"),
        ("categorical(1)", "at least two"),
        ("categorical(0.5, red=0.5)", "of names"),
        ("categorical(1, 0)", "at least two"),
        ("product(a=poisson(1), b=normal())", "two runs"),
        ("product(a=poisson(1), b=poisson(2))", "no column 'a'"),
    ],
)
def test_what_is_no_distribution_is_refused_with_words(target, words):
    with pytest.raises((UsageError, DataError), match=words):
        kstest.ksd([0, 1, 2, 3] * 10, target=target)


@pytest.mark.parametrize(
    "option",
    [{"null": "wild"}, {"bandwidth": "median"}, {"flip": 0.2}, {"explain": "places=2"}],
)
def test_options_without_a_meaning_are_refused(option):
    with pytest.raises(UsageError, match=f"{next(iter(option))}"):
        kstest.ksd([0, 1, 2, 3] * 10, target="poisson(1)", **option)


@pytest.mark.parametrize("name", ["pksd", "sksd"])
def test_tests_of_densities_point_to_the_one_of_frequencies(name):
    with pytest.raises(UsageError, match="kstest ksd tests it"):
        getattr(kstest, name)([0, 1, 2, 3] * 10, target="poisson(1)")


def test_too_few_rows_give_no_verdict():
    for rows in ([0], [0, 1, 1]):
        found = kstest.ksd(rows, target="discrete_uniform(0, 1)")
        assert (found.verdict, codes(found)) == ("no verdict", ["too-few-rows"])
    assert kstest.ksd([1] * 7, target="discrete_uniform(0, 1)").verdict == "rejected"


def test_a_discrete_target_in_a_file(tmp_path, rng):
    path = tmp_path / "t.toml"
    path.write_text('[columns.a]\nfamily = "poisson"\nrate = 3\n')
    table = pd.DataFrame({"a": rng.poisson(3, 200), "b": rng.normal(size=200)})
    found = kstest.ksd(table, target=str(path))
    assert (found.verdict, found.columns) == ("not rejected", ("a",))


def level(target, draw, sets, draws, rng):
    cells = cells_of(target)
    rejected = 0
    for _ in range(sets):
        counts = np.bincount(cells.place(draw(rng)), minlength=len(cells)).astype(float)
        rejected += p_value(evidence(counts, cells, draws, rng).T) <= 0.05
    return rejected


@pytest.mark.parametrize("n", [5, 60])
def test_level(n, rng):
    """200 sets: at most as many rejections as a level of .05 gives in 99.9 % of runs."""
    most = binom.ppf(0.999, 200, 0.05)
    assert level("discrete_uniform(0, 19)", lambda g: g.integers(0, 20, n), 200, 99, rng) <= most
    assert level("poisson(rate=2)", lambda g: g.poisson(2, n), 200, 99, rng) <= most


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize(
    "text", ["poisson(0.5)", "negative_binomial(0.7, 0.1)", "binomial(9, 0.1)"]
)
def test_level_in_many_sets(text, n, rng):
    cells = cells_of(text)
    draw = {
        "poisson(0.5)": lambda g: g.poisson(0.5, n),
        "negative_binomial(0.7, 0.1)": lambda g: g.negative_binomial(0.7, 0.1, n),
        "binomial(9, 0.1)": lambda g: g.binomial(9, 0.1, n),
    }[text]
    assert len(cells) > 5
    assert level(text, lambda g: draw(g).astype(float), 1000, 199, rng) <= binom.ppf(
        0.999, 1000, 0.05
    )


# Rounded draws of a density.


@pytest.mark.parametrize(
    ("values", "grid"),
    [
        (np.arange(5.0), (1.0, 0.0)),
        (np.array([0.5, 1.5, 4.5]), (1.0, 0.5)),
        (np.array([0.0, 2.0, 5.0]), (1.0, 0.0)),
        (np.array([-20.0, 10.0, 40.0]), (30.0, 10.0)),
        (np.round(np.arange(-5, 5) * 0.1, 1), (0.1, 0.0)),
        (np.arange(6) / 3, (1 / 3, 0.0)),
        (np.round(np.arange(9) / 3, 6), (1 / 3, 0.0)),
        (np.sqrt(np.arange(9.0)), None),
        (np.array([-1e308, 0.0, 1e308]), None),
        (np.array([1e-320, 2e-320]), None),
    ],
)
def test_grids_are_found(values, grid):
    found = grid_of(values)
    assert found is None if grid is None else found == pytest.approx(grid, rel=1e-5)


COARSE = {
    "normal(1, 2)": lambda g: np.round(g.normal(1, 2, 600)),
    "exponential()": lambda g: np.round(g.exponential(size=600)),
    "student_t(3)": lambda g: np.round(g.standard_t(3, 600)),
    "beta(2, 3)": lambda g: np.round(g.beta(2, 3, 600), 1),
    "gamma(2, 1)": lambda g: np.round(g.gamma(2, 1, 600)),
    "laplace()": lambda g: np.round(g.laplace(size=600)),
    "logistic()": lambda g: np.round(g.logistic(size=600)),
    "lognormal(0, 0.5)": lambda g: np.round(g.lognormal(0, 0.5, size=600)),
    "gaussian_mixture([0.5, 0.5], [-2, 2], 1)": lambda g: np.round(
        g.normal(size=600) + g.choice([-2, 2], 600)
    ),
}


@pytest.mark.parametrize("target", COARSE)
def test_coarsely_rounded_draws_are_tested_by_their_cells(target, rng):
    X = COARSE[target](rng)
    found = kstest.ksd(X, target=target)
    assert found.verdict == "not rejected"
    assert found.null["exact"]
    assert "rounded-values" in codes(found)
    step = np.diff(np.unique(X)).min()
    assert kstest.ksd(X + 3 * step * (rng.random(600) < 0.4), target=target).reject


def test_how_values_were_rounded_matters(rng):
    """Rounded down, they fit no density rounded to the nearest: that is no evidence against it."""
    X = np.floor(rng.normal(size=800))
    found = kstest.ksd(X, target="normal()")
    assert found.verdict == "no verdict"
    assert codes(found)[-1] == "unsound-rounding"
    assert kstest.ksd(X + 0.5, target="normal()").verdict == "not rejected"
    assert kstest.ksd(np.round(rng.normal(0, 1.6, 800)), target="normal()").reject


@pytest.mark.parametrize(
    "how",
    [
        {"target": "normal(fit)"},
        {"target": "logp: -x**2 / 2"},
        {"target": "normal()", "null": "markov"},
        {"score_prefix": "score_"},
    ],
)
def test_few_whole_numbers_without_known_cells_give_no_verdict(how, rng):
    x = rng.poisson(3, 300).astype(float)
    table = pd.DataFrame({"x": x, "score_x": 3 - x}) if "score_prefix" in how else {"x": x}
    found = kstest.ksd(pd.DataFrame(table), **how)
    assert (found.verdict, found.exit_code) == ("no verdict", 3)
    assert "discrete_uniform" in found.warnings[-1].message
    if "target" in how and how["target"].startswith("logp"):
        assert kstest.pksd(pd.DataFrame(table), **how).verdict == "no verdict"


@pytest.mark.parametrize(("n", "step"), [(60, 0.1), (1000, 0.1), (1000, 0.25)])
def test_moderate_rounding_is_left_to_the_density(n, step, rng):
    found = kstest.ksd(np.round(rng.normal(size=n) / step) * step, target="normal()")
    assert found.verdict == "not rejected"
    assert "rounded-values" not in codes(found)
    assert min(found.kernel["bandwidths"]) >= 1.9 * step
    assert kstest.ksd(np.round(rng.normal(1, 1, n) / step) * step, target="normal()").reject


def test_continuous_data_have_no_grid(rng):
    for X in (rng.normal(size=500), np.repeat(rng.normal(size=60), 4), rng.normal(size=(40, 3))):
        found = kstest.ksd(X, target="normal()", draws=99)
        assert found.kernel["name"] == "imq"


# Columns of scores.


def test_columns_of_scores_are_no_data_unless_named(rng):
    X = rng.normal(size=300)
    table = pd.DataFrame({"x": X, "score_x": -3 * X})
    for name, target in (("ksd", "normal()"), ("sksd", "normal()"), ("pksd", "logp: -x**2/2")):
        found = getattr(kstest, name)(table, target=target)
        assert found.columns == ("x",)
        assert found.verdict != "rejected"
        assert codes(found)[0] == "scores-left-out"
    both = kstest.ksd(table, target="normal()", columns="x,score_x")
    assert both.columns == ("x", "score_x")
    assert both.verdict == "rejected"
    with pytest.raises(UsageError, match="columns"):
        kstest.ksd(table[["score_x"]], target="normal()")


def test_the_picture_shows_cells(tmp_path, rng):
    path = tmp_path / "why.svg"
    kstest.ksd(rng.integers(0, 99, 300), target="discrete_uniform(0, 99)", plot=path)
    assert path.stat().st_size > 1000
