"""The Dirichlet target: density, score, draws, level, and rows that are no compositions."""

import numpy as np
import pytest
from scipy import stats

import kstest
from kstest.errors import DataError, UsageError
from kstest.targets import resolve

A = np.array([0.3, 2.0, 5.0, 1.0])
TEXT = "dirichlet([0.3, 2, 5, 1])"
NAMES = ("a", "b", "c", "d")


def ratios(X):
    target = resolve(TEXT, NAMES)
    return target.composed(X, lambda row: f"row {row + 1}")


def test_density_and_score(rng):
    X = rng.dirichlet(A, 20)
    Y, inner = ratios(X)
    # SciPy's density over d - 1 parts, times the Jacobian of the log ratios.
    expected = [stats.dirichlet(A).logpdf(x) + np.log(x).sum() for x in X]
    np.testing.assert_allclose(inner.logpdf(Y), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(resolve(TEXT, NAMES).logpdf(X), expected - np.log(X).sum(axis=1))
    step = 1e-6
    for c in range(3):
        move = step * (np.arange(3) == c)
        slope = (inner.logpdf(Y + move) - inner.logpdf(Y - move)) / (2 * step)
        np.testing.assert_allclose(inner.score(Y)[:, c], slope, rtol=1e-5, atol=1e-6)
    assert inner.columns == ("log(a/d)", "log(b/d)", "log(c/d)")
    assert np.abs(inner.score(inner.modes)).max() < 1e-12


def test_draws(rng):
    X = resolve(TEXT, NAMES).sample(4000, rng)
    np.testing.assert_allclose(X.sum(axis=1), 1)
    for c in range(4):
        marginal = stats.beta(A[c], A.sum() - A[c])
        assert stats.kstest(X[:, c], marginal.cdf).pvalue > 1e-3
    tiny = resolve("dirichlet(0.001)", NAMES)
    Y = tiny.composed(np.full((1, 4), 0.25), str)[1].sample(100, rng)
    assert np.isfinite(Y).all()


def test_level_and_power():
    p, wrong = [], []
    for seed in range(60):
        X = np.random.default_rng(seed).dirichlet(A, 40)
        p.append(kstest.ksd(X, target=TEXT, draws=99, seed=seed).p_value)
    for seed in range(5):
        X = np.random.default_rng(seed).dirichlet(A + np.array([0, 0, 3, 0]), 100)
        wrong.append(kstest.ksd(X, target=TEXT, draws=99).p_value)
    assert sum(x <= 0.05 for x in p) <= stats.binom(60, 0.05).ppf(0.999)
    assert sum(x <= 0.5 for x in p) >= stats.binom(60, 0.5).ppf(0.001)
    assert max(wrong) <= 0.05


def test_the_order_of_parts_does_not_matter_much(rng):
    X = rng.dirichlet(A, 150)
    first = kstest.ksd(X, target=TEXT).p_value
    again = kstest.ksd(X[:, ::-1], target="dirichlet([1, 5, 2, 0.3])").p_value
    assert abs(first - again) < 0.25


def test_rounded_parts(rng):
    X = rng.dirichlet([2, 3, 5], 300)
    found = kstest.ksd(np.maximum(np.round(X, 4), 1e-4), target="Dirichlet(alpha=[2, 3, 5])")
    assert found.verdict == "not rejected"
    assert "not-closed" in [w.code for w in found.warnings]
    steps = rng.multinomial(8, [0.2, 0.3, 0.5], 400) + 1
    found = kstest.ksd(steps / 11, target="dirichlet([2, 3, 5])")
    assert found.verdict == "no verdict"
    assert "steps of" in str(found)


def _zeroed(X):
    low = X.min()
    Z = np.where(low < X, X, 0)
    return Z / Z.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: 100 * X, "divided by 100"),
        (lambda X: X - [0.5, 0, 0], "row 1 has 1 = -"),
        (lambda X: X * [0.5, 1, 1], "sum to"),
        (lambda X: X[:, :2], "sum to"),
        (_zeroed, "edge of the simplex"),
    ],
)
def test_rows_that_are_no_compositions(change, words, rng):
    X = 0.05 + 0.85 * rng.dirichlet([20, 30, 50], 50)
    with pytest.raises(DataError, match=words):
        kstest.ksd(change(X), target="dirichlet(1)")


@pytest.mark.parametrize(
    "text", ["dirichlet(fit)", "dirichlet([1, 2])", "dirichlet([1, 2, -1])", "dirichlet()",
             "dirichlet([1, 2, 'a'])"]
)  # fmt: skip
def test_what_is_refused(text, rng):
    with pytest.raises(UsageError):
        kstest.ksd(rng.dirichlet([1, 2, 3], 30), target=text)
    with pytest.raises(UsageError):
        kstest.ksd(rng.random((30, 1)), target="dirichlet(1)")


def test_other_tests_of_densities(rng):
    X = rng.dirichlet([2, 3, 5], 80)
    with pytest.raises(UsageError, match="nothing is proved"):
        kstest.sksd(X, target="dirichlet([2, 3, 5])")
    assert kstest.ksd(X, target="dirichlet([2, 3, 5])", null="wild").verdict == "not rejected"
