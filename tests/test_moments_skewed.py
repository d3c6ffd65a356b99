"""Random signs of skewed residuals: the test of symmetry, and when there is no verdict."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

import kstest
from kstest.methods.moment.symmetry import excess, triples

# Residuals of mean 0, the shares that were rejected before the rule at 15 rows: .09 to .39.
SKEWED = {
    "exponential": lambda rng, n: rng.exponential(size=n) - 1,
    "gamma": lambda rng, n: rng.gamma(0.3, size=n) - 0.3,
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, n) - np.exp(1.125),
    "pareto": lambda rng, n: rng.pareto(1.5, n) - 2,
    "rare": lambda rng, n: (rng.random(n) < 0.05) - 0.05,
}


def naive(r):
    """All triples by themselves, and the variance by counting which rows they share."""
    n = len(r)

    def kernel(a, b, c):
        return (np.sign(a + b - 2 * c) + np.sign(a + c - 2 * b) + np.sign(b + c - 2 * a)) / 3

    h = {t: kernel(*r[list(t)]) for t in itertools.combinations(range(n), 3)}
    mean = np.mean([*h.values()])
    z1 = np.mean([(np.mean([v for t, v in h.items() if i in t]) - mean) ** 2 for i in range(n)])
    z2 = np.mean([
        (np.mean([v for t, v in h.items() if {i, j} <= {*t}]) - mean) ** 2
        for i, j in itertools.combinations(range(n), 2)
    ])  # fmt: skip
    z3 = 1 / 9 - mean**2
    variance = (3 * (n - 3) * (n - 4) / 2 * z1 + 3 * (n - 3) * z2 + z3) / len(h)
    return mean / np.sqrt(variance)


def asked(r, x=None, **options):
    table = pd.DataFrame({"r": r, "x": np.arange(len(r)) % 7 if x is None else x})
    return kstest.moments(table, residual="r", given="x", threads=1, **options)


def codes(result):
    return {w.code for w in result.warnings}


def test_triples_are_all_triples(rng):
    r = rng.exponential(size=11)
    assert triples(r) == pytest.approx(naive(r))
    assert triples(-r) == pytest.approx(-naive(r))
    assert triples(r + 7) == pytest.approx(triples(r))
    tied = np.round(2 * r) / 2
    assert triples(tied) == pytest.approx(naive(tied))
    assert triples(np.full(12, -0.05)) == 0


def test_triples_are_standard_normal_of_symmetric_numbers(rng):
    z = np.array([triples(rng.standard_cauchy(40)) for _ in range(200)])
    found = int((np.abs(z) > norm.isf(0.05)).sum())
    assert found <= binom.isf(0.0005, 200, 0.12)
    assert np.mean([triples(rng.lognormal(size=40)) for _ in range(20)]) > 4


def test_the_excess_is_that_of_a_t_test():
    assert excess(0.0, 20, 0.05) == 0
    assert excess(2.0, 50, 0.05) == pytest.approx(0.0198, abs=2e-4)
    assert excess(1.0, 50, 0.05) == pytest.approx(2 * excess(1.0, 100, 0.05))


@pytest.mark.parametrize("name", SKEWED)
def test_few_skewed_residuals_are_not_rejected(name):
    made = (np.random.default_rng([5, k]) for k in range(20))
    found = [asked(SKEWED[name](rng, 15), rng.normal(size=15), draws=99) for rng in made]
    rejected = sum(result.reject is True for result in found)
    assert rejected <= binom.isf(0.0005, 20, 0.06)


def test_what_contradicts_the_signs_is_said(rng):
    r = rng.lognormal(0, 1.2, 20)
    result = asked(r - r.max() / 2, draws=199)
    assert result.verdict == "no verdict"
    assert "skewed-residuals" in codes(result)
    assert "mean_residual" in result.explanation


def test_symmetric_residuals_with_another_mean_are_rejected(rng):
    for r in (rng.normal(2, 1, 80), rng.standard_t(3, 80) + 2, rng.uniform(0, 1, 80)):
        assert asked(r, rng.normal(size=80), draws=199).verdict == "rejected"


def test_many_skewed_residuals_are_judged(rng):
    assert asked(rng.exponential(size=300) - 0.7, draws=199).verdict == "rejected"


def test_an_outcome_that_never_varies_says_nothing(rng):
    table = pd.DataFrame({"y": 0, "p": 0.05, "x": rng.normal(size=15)})
    result = kstest.moments(table, residual="y - p", given="x", draws=99, threads=1)
    assert result.verdict == "no verdict"
    assert "constant-outcome" in codes(result)
    exact = kstest.moments(
        table, residual="y - p", given="x", null="bernoulli", draws=99, threads=1
    )
    assert exact.verdict == "not rejected"


def test_groups_are_looked_at_by_their_sums(rng):
    table = pd.DataFrame({"r": rng.exponential(size=300) - 2, "x": rng.normal(size=300)})
    table["g"] = np.arange(300) // 10
    result = kstest.moments(table, residual="r", given="x", group="g", draws=199, threads=1)
    assert result.verdict == "rejected"


@pytest.mark.slow
@pytest.mark.parametrize("name", SKEWED)
@pytest.mark.parametrize("n", [15, 30, 50])
def test_level_of_skewed_residuals(name, n):
    made = (np.random.default_rng([6, k]) for k in range(300))
    found = [asked(SKEWED[name](rng, n), rng.normal(size=n), draws=199) for rng in made]
    rejected = sum(result.reject is True for result in found)
    assert rejected <= binom.isf(0.0005, 300, 0.08)  # at most .08 of 100 sets was measured
