"""Families and parameters under the names of other libraries, and tails of the new families."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kstest.errors import UsageError
from kstest.targets import FAMILIES, resolve, resolve_discrete
from kstest.targets.certificate import Certificate


@pytest.mark.parametrize(
    ("other", "own"),
    [
        ("norm(1, 2)", "normal(mean=1, sd=2)"),
        ("Normal(mu=1, sigma=2)", "normal(mean=1, sd=2)"),
        ("norm(loc=1, scale=2)", "normal(mean=1, sd=2)"),
        ("Gaussian", "normal"),
        ("norm(fit)", "normal(fit)"),
        ("StudentT(nu=3, mu=1, sigma=2)", "student_t(df=3, location=1, scale=2)"),
        ("t(3, 1, 2)", "student_t(df=3, location=1, scale=2)"),
        ("Gamma(alpha=2, beta=4)", "gamma(shape=2, rate=4)"),
        ("gamma(a=2, scale=3)", "gamma(shape=2, scale=3)"),
        ("Exponential(lam=2)", "exponential(rate=2)"),
        ("Beta(alpha=2, beta=3)", "beta(a=2, b=3)"),
        ("halfnorm(scale=3)", "half_normal(sd=3)"),
        ("HalfCauchy(beta=3)", "half_cauchy(scale=3)"),
        ("InverseGamma(alpha=2, beta=3)", "inv_gamma(shape=2, scale=3)"),
        ("weibull_min(c=2, scale=3)", "weibull(shape=2, scale=3)"),
        ("chi2(4)", "chi_squared(df=4)"),
        ("TruncatedNormal(mu=1, sigma=2, lower=0)", "truncated_normal(mean=1, sd=2, low=0)"),
        ("LogNormal(mu=0, sigma=2)", "lognormal(log_mean=0, log_sd=2)"),
        ("Uniform(lower=1, upper=2)", "uniform(low=1, high=2)"),
        ("VonMises(mu=0, kappa=2)", "von_mises(mean=0, concentration=2)"),
        ("product(a=Norm(loc=2))", "product(a=normal(mean=2))"),
        ("mvn(mean=[0], cov=[[2]])", "multivariate_normal(mean=[0], covariance=[[2]])"),
    ],
)
def test_other_names_mean_the_same_density(other, own):
    one, two = resolve(other, ("a",)), resolve(own, ("a",))
    x = np.linspace(1.1, 1.9, 7)[:, None]
    if one.refit is not None:
        one, two = one.refit(x), two.refit(x)
    x = two.sample(7, np.random.default_rng(1))
    assert np.array_equal(one.score(x), two.score(x))
    assert np.array_equal(one.logpdf(x), two.logpdf(x))
    assert one.transforms == two.transforms


def test_other_names_of_discrete_families():
    for other, own in [
        ("Poisson(mu=3)", "poisson(rate=3)"),
        ("binom(10, 0.3)", "binomial(n=10, p=0.3)"),
        ("NegativeBinomial(n=2, p=0.4)", "negative_binomial(2, 0.4)"),
    ]:
        one, two = (resolve_discrete(text, ("a",)).distributions[0] for text in (other, own))
        assert np.array_equal(one.probability, two.probability)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("expon(0, 2)", r"expon: libraries differ .* exponential\(scale=2\)"),
        ("Gamma(2, 3)", r"gamma\(shape=2, scale=3\) or gamma\(shape=2, rate=0.5\)"),
        ("lognorm(0.5, 0, 2)", "name the parameters"),
        ("lognorm(s=0.5, scale=2)", r"SciPy's scale is exp\(log_mean\)"),
        ("truncnorm(a=0, b=1)", "count standard deviations"),
        ("uniform(loc=0, scale=2)", r"from loc to loc \+ scale"),
        ("normal(mu=1, mean=2)", "another name of mean"),
        ("nomral(0, 1)", "did you mean normal"),
        ("weibul(2)", "did you mean weibull"),
        ("xyzzy(2)", "choose from normal, "),
        ("NegativeBinomial(mu=2, alpha=1)", r"p is n / \(n \+ mu\)"),
        ("truncated_normal(low=2, high=1)", "low must be below high"),
        ("truncated_normal(low=inf)", "takes a number"),
    ],
)
def test_what_means_something_else_is_answered_with_the_right_spelling(text, words):
    with pytest.raises(UsageError, match=words):
        resolve(text, ("a",))


@pytest.mark.parametrize(("low", "high"), [(8.0, 9.0), (-9.0, -8.0), (30.0, None), (None, -30.0)])
def test_a_normal_distribution_cut_off_far_out(low, high):
    ends = {"low": low, "high": high}
    text = ", ".join(f"{k}={v}" for k, v in ends.items() if v is not None)
    target = resolve(f"truncated_normal({text})", ("a",))
    X = target.sample(2000, np.random.default_rng(3))
    twin = stats.truncnorm(-np.inf if low is None else low, np.inf if high is None else high)
    np.testing.assert_allclose(target.logpdf(X), twin.logpdf(X[:, 0]), rtol=1e-9)
    assert stats.kstest(X[:, 0], twin.cdf).pvalue > 1e-4
    np.testing.assert_allclose(target.cdf(X)[:, 0], twin.cdf(X[:, 0]), atol=1e-9)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.cdf is not None])
def test_distribution_functions_are_those_of_scipy(name):
    from tests.test_targets import SCIPY, VALUES

    twin = SCIPY[name](VALUES[name])
    low, high = twin.support()
    outside = [x for x in (low - 1, high + 1) if np.isfinite(x)]
    x = np.array([*twin.ppf([1e-6, 0.01, 0.3, 0.9, 0.9999]), *outside])
    found = FAMILIES[name].cdf(x, **VALUES[name])
    np.testing.assert_allclose(found, twin.cdf(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", ["cauchy(1, 2)", "half_cauchy(2)"])
def test_the_certificate_bounds_the_score(text):
    target = resolve(text, ("a",))
    bound = target.certificate
    assert isinstance(bound, Certificate)
    Y, S = target.unconstrain(target.sample(20_000, np.random.default_rng(1)))
    z, s = Y @ bound.units, S @ np.linalg.inv(bound.units)
    assert (np.abs(s) <= bound.offset + bound.slope * np.abs(z - bound.centre) + 1e-12).all()
