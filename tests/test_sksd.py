"""Sequential goodness of fit: certified bounds, level, power, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from test_state import answer, core

import kstest
from kstest.betting import stein, stein_leaves
from kstest.errors import DataError, UsageError
from kstest.methods import sksd
from kstest.methods.stream_rows import Columns
from kstest.sample import Sample
from kstest.targets import resolve

CERTIFIED = {
    "normal(mean=1, sd=2)": 1,
    "student_t(df=3, location=1, scale=2)": 1,
    "logistic(location=1, scale=2)": 1,
    "laplace(location=1, scale=2)": 1,
    "lognormal(log_mean=0, log_sd=0.5)": 1,
    "beta(a=2, b=5)": 1,
    "uniform(low=1, high=3)": 1,
    "normal(mean=[0, 5], sd=[1, 20])": 2,
    "multivariate_normal(mean=[0, 1], covariance=[[2, 1], [1, 1]])": 2,
    "gaussian_mixture(weights=[0.3, 0.7], means=[[0, 0], [3, 1]], covariances=[2, 2])": 2,
    "product(a=normal(0, 3), b=logistic(1, 2))": 2,
    "product(a=laplace(0, 3), b=laplace(1, 2))": 2,
}


def naive_kernel(y, s, x, t):
    """h_p(y, x) by the derivatives of (1 + |x - y|^2)^(-1/2)."""
    d, gap = len(y), x - y
    q = gap @ gap
    k = (1 + q) ** -0.5
    first = -((1 + q) ** -1.5) * gap  # gradient in x; in y it has the other sign
    trace = d * (1 + q) ** -1.5 - 3 * q * (1 + q) ** -2.5
    return k * s @ t + s @ first - t @ first + trace


@pytest.mark.parametrize("text", CERTIFIED)
def test_bound_holds_for_every_certified_target(text):
    """h(y, x) >= -M(y) for many x, in the coordinates and at the bandwidths that are used."""
    d = CERTIFIED[text]
    target = resolve(text, ("a", "b")[:d])
    certificate = target.certificate
    rng = np.random.default_rng(0)
    X = target.sample(400, rng)
    far = X + np.abs(X).max() * rng.standard_t(2, size=X.shape)
    X = np.concatenate([X, far[[target.find(row[None]) is None for row in far]]])
    Y, S = target.unconstrain(X)
    z, s = Y @ certificate.units, S @ np.linalg.inv(certificate.units).T
    tight = 0.0
    for h in stein.BANDWIDTHS:
        lipschitz = -1.0 if certificate.lipschitz is None else certificate.lipschitz * h * h
        bound = 0.0 if certificate.bound is None else certificate.bound * h
        for i in rng.integers(0, len(z), 40):
            loss = stein_leaves.largest_loss(np.linalg.norm(s[i] * h), d, lipschitz, bound)
            values = [naive_kernel(z[i] / h, s[i] * h, z[j] / h, s[j] * h) for j in range(len(z))]
            assert min(values) >= -loss
            tight = max(tight, -min(values) / loss)
    assert tight > 0.05  # of some use, too


@pytest.mark.parametrize("text", CERTIFIED)
def test_certificates_hold_between_rows(text):
    d = CERTIFIED[text]
    target = resolve(text, ("a", "b")[:d])
    certificate = target.certificate
    rng = np.random.default_rng(1)
    Y, S = target.unconstrain(target.sample(3000, rng))
    z, s = Y @ certificate.units, S @ np.linalg.inv(certificate.units).T
    if certificate.lipschitz is None:
        assert np.linalg.norm(s, axis=1).max() <= certificate.bound * (1 + 1e-9)
        return
    a, b = rng.permutation(len(z)), rng.permutation(len(z))
    change, distance = np.linalg.norm(s[a] - s[b], axis=1), np.linalg.norm(z[a] - z[b], axis=1)
    ratio = (change / np.maximum(distance, 1e-12))[distance > 1e-6]
    assert ratio.max() <= certificate.lipschitz * (1 + 1e-6)


def test_wealth_is_that_of_the_definition(rng):
    z = rng.normal(0.3, 1, size=(60, 2))
    _, _, factors = stein.step(stein.begin(2), z, -z, 1.0, None)
    for k, h in enumerate(stein.BANDWIDTHS):
        u, s = z / h, -z * h
        losses, payoffs = [], []
        for i in range(len(z)):
            total = sum(naive_kernel(u[j], s[j], u[i], s[i]) for j in range(i))
            g = total / sum(losses) if i else 0.0
            m, q = sum(payoffs), sum(v * v for v in payoffs)
            bet = min(0.95, m / (m + q)) if m > 0 else 0.0
            assert np.exp(factors[i, k]) == pytest.approx(1 + bet * g, rel=1e-9)
            payoffs.append(g)
            losses.append(stein_leaves.largest_loss(np.linalg.norm(s[i]), 2, h * h, 0.0))


def test_level():
    """200 streams of 400 rows: more than 20 rejections have probability 0.001 at level 0.05."""
    rejected = sum(
        kstest.sksd(np.random.default_rng(k).normal(size=400), target="normal()").verdict
        == "rejected"
        for k in range(200)
    )
    assert rejected <= 20


@pytest.mark.parametrize(("d", "shift", "rows"), [(1, 0.5, 110), (1, 1.0, 40), (5, 1.0, 70)])
def test_mean_rows_to_stop(d, shift, rows):
    """The prototype stopped after 76, 22 and 41 rows."""
    stops = []
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(1000, d))
        x[:, 0] += shift
        found = kstest.sksd(x, target="normal(mean=0, sd=1)")
        stops.append(found.explanation["evidence"]["decided_after_row"] or 1000)
    assert np.mean(stops) <= rows


@pytest.mark.parametrize("text", CERTIFIED)
def test_draws_from_a_target_are_not_rejected_and_others_are(text):
    d = CERTIFIED[text]
    names = ("a", "b")[:d]
    target = resolve(text, names)
    rng = np.random.default_rng(2)
    sample = Sample("data", np.ascontiguousarray(target.sample(600, rng)), names)
    params = sksd.Params(target=text)

    def verdict(sample):
        return sksd.result(sksd.step(sksd.init(params, Columns.of(sample)), sample)).verdict

    assert verdict(sample) == "not rejected"
    Y, _ = target.unconstrain(sample.values)
    moved = Sample("data", sample.values * 0.2 + 0.8 * sample.values.mean(axis=0), names)
    assert verdict(moved) == "rejected", Y.shape


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gamma(shape=2, scale=1)", "exponentially"),
        ("exponential(scale=1)", "exponentially"),
        ("von_mises(0, 2)", "angle"),
        ("normal(fit)", "fitted"),
        (
            "gaussian_mixture(weights=[0.5, 0.5], means=[[0], [3]], covariances=[1, 2])",
            "not all equal",
        ),
        ("product(a=normal(0, 1), b=laplace(0, 1))", "bounded"),
        ("logp: -x**4", "nothing is proved"),
        ("fit:kde", "nothing is proved"),
        ("", "--target"),
    ],
)
def test_targets_that_are_refused(target, words):
    data = np.random.default_rng(0).normal(size=(20, 2 if "product" in target else 1)) + 5
    with pytest.raises(UsageError, match=words):
        kstest.sksd(data, target=target)


def test_a_row_outside_the_support_rejects_at_once():
    found = kstest.sksd(np.r_[np.full(5, 0.5), 7.0, 0.5], target="uniform(low=0, high=1)")
    assert found.verdict == "rejected"
    assert 0 < found.p_value < 1e-300
    assert found.warnings[0].code == "outside-support"
    assert found.n == {"data": 6}
    with pytest.raises(DataError, match="edge"):
        kstest.sksd(np.r_[0.5, 1.0], target="uniform(low=0, high=1)")


def test_pieces_and_state(tmp_path):
    x = np.random.default_rng(3).normal(size=(500, 2))
    whole, parts = tmp_path / "one.kst", tmp_path / "parts.kst"
    files = {"all": x, "1": x[:100], "2": x[100:103], "3": x[103:]}
    for name, rows in files.items():
        np.savetxt(tmp_path / f"{name}.csv", rows, delimiter=",", header="a,b", comments="")
    target = ["--target", "normal(mean=0, sd=1)"]
    answer(tmp_path / "all.csv", "--state", whole, *target, name="sksd")
    for name in "123":
        answer(tmp_path / f"{name}.csv", "--state", parts, *target, name="sksd")
    assert core(whole) == core(parts)
    assert whole.stat().st_size < 64_000
