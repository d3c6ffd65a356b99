"""`effect` where the treatment does nothing and the data mislead: balance, refusals, levels."""

from __future__ import annotations

import numpy as np
import pytest
from effect_nulls import KINDS, corners, many, plain, steps
from scipy.stats import binom

import kstest
from kstest.methods import effect
from kstest.methods.causal.balance import CHANCE, Imbalance, imbalance
from kstest.methods.causal.data import studies
from kstest.methods.causal.features import CovariateFeatures
from kstest.methods.causal.nuisances import Robust
from kstest.methods.causal.options import Params
from kstest.sample import Sample

NAMES = {"treatment": "arm", "outcome": "y", "covariates": "x*"}
# Levels that were measured where they are more than .05 (docs/effect.md).
MEASURED = {"steps": 0.12, "corners": 0.18, "counts": 0.1, "many": 0.11}


def asked(data, **more):
    return kstest.effect(data, threads=1, **{**NAMES, "draws": 99, **more})


def codes(result):
    return {w.code for w in result.warnings}


def made_of(data):
    sample = Sample("data", data.to_numpy(float), tuple(data), ())
    return studies([sample], Params(**NAMES))[0]


def robust(propensity):
    n = len(propensity)
    none = np.empty((n, 0))
    return Robust(none, none, none, np.ones(n), propensity, 0.0)


def test_imbalance_is_the_weighted_difference_of_a_loop(rng):
    data = corners(rng, 300)
    made = made_of(data)
    x = made.covariates.values[:, :2]
    features = CovariateFeatures(x, 2, ("x0", "x1"))
    pi = np.full(300, 0.5)
    found = imbalance(made, features, robust(pi), False)
    assert found is not None
    assert found.what == "the product of x0 and x1"
    assert found.refused
    product = x[:, 0] * x[:, 1]
    terms = [(2 if a else -2) * (v - product.mean()) / product.std()
             for a, v in zip(made.treated, product, strict=True)]  # fmt: skip
    assert found.difference == pytest.approx(sum(terms) / 300)
    assert found.z == pytest.approx(np.mean(terms) / (np.std(terms, ddof=1) / np.sqrt(300)))


def test_right_probabilities_are_in_balance(rng):
    unbalanced = 0
    for _ in range(60):
        data = plain(rng, 300)
        made = made_of(data)
        x = made.covariates.values
        pi = 1 / (1 + np.exp(-(0.8 * x[:, 0] + 0.5 * x[:, 1] - 0.5 * x[:, 2])))
        features = CovariateFeatures(x, 5, tuple(f"x{i}" for i in range(5)))
        unbalanced += imbalance(made, features, robust(pi), False) is not None
    assert unbalanced <= binom.isf(0.0005, 60, 2 * CHANCE)


@pytest.mark.parametrize(("difference", "verdict"), [(0.4, "no verdict"), (0.15, "not rejected")])
def test_what_is_out_of_balance_is_told(rng, monkeypatch, difference, verdict):
    found = Imbalance("the product of x0 and x1", difference, 6.0)
    monkeypatch.setattr(effect, "imbalance", lambda *a: found)
    result = asked(plain(np.random.default_rng(3), 200))
    assert result.verdict == verdict
    text = next(w.message for w in result.warnings if w.code == "not-balanced")
    assert "the product of x0 and x1" in text


def test_few_rows_beside_the_covariates_are_a_warning(rng):
    assert "many-covariates" in codes(asked(many(rng, 200)))
    assert "many-covariates" not in codes(asked(plain(rng, 200)))


def test_a_step_is_no_effect():
    found = [asked(steps(np.random.default_rng(k), 200)).reject is True for k in range(8)]
    assert sum(found) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_level(kind):
    sets = 100
    made = (KINDS[kind](np.random.default_rng([7, k]), 200) for k in range(sets))
    rejected = sum(asked(data, draws=199).reject is True for data in made)
    assert rejected <= binom.isf(0.0005, sets, MEASURED.get(kind, 0.05))
