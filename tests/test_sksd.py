"""Sequential goodness of fit: certified bounds, level, power, refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from test_state import answer, core

import kstest
from kstest.betting import stein
from kstest.errors import DataError, UsageError
from kstest.methods import sksd
from kstest.sample import Columns, Sample
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
    "product(a=normal(0, 1), b=laplace(0, 1))": 2,
    "gaussian_mixture(weights=[0.5, 0.5], means=[[0], [3]], covariances=[1, 2])": 1,
}


def naive_kernel(y, s, x, t, centre, c2, h2):
    """The Stein kernel of w(x) k(x, y) w(y), by the product rule."""
    d, gap = len(y), x - y
    q = 1 + gap @ gap / h2
    k, k_x, k_y = q**-0.5, -(q**-1.5) * gap / h2, q**-1.5 * gap / h2
    trace = d / h2 * q**-1.5 - 3 * gap @ gap / h2**2 * q**-2.5
    w, v = ((1 + (p - centre) @ (p - centre) / c2) ** -0.5 for p in (x, y))
    w_x, v_y = -(w**3) * (x - centre) / c2, -(v**3) * (y - centre) / c2
    both_x, both_y = v * (w_x * k + w * k_x), w * (v_y * k + v * k_y)
    mixed = w_x @ v_y * k + w * k_x @ v_y + v * w_x @ k_y + w * v * trace
    return w * v * k * s @ t + s @ both_x + t @ both_y + mixed


def coordinates(target, X):
    certificate = target.certificate
    Y, S = target.unconstrain(X)
    return Y @ certificate.units, S @ np.linalg.inv(certificate.units).T


@pytest.mark.parametrize("text", CERTIFIED)
def test_certificates_and_bounds_hold(text):
    """At draws and far away: the score below its line, the kernel of a row with itself below B."""
    d = CERTIFIED[text]
    target = resolve(text, ("a", "b")[:d])
    certificate = target.certificate
    rng = np.random.default_rng(0)
    X = target.sample(1000, rng)
    far = X + np.abs(X).max() * rng.standard_t(1, size=X.shape)
    X = np.concatenate([X, far[[target.find(row[None]) is None for row in far]]])
    z, s = coordinates(target, X)
    sizes = np.linalg.norm(s, axis=1)
    lines = certificate.offset + certificate.slope * np.linalg.norm(z - certificate.centre, axis=1)
    assert (sizes <= lines * (1 + 1e-9) + 1e-9).all()
    c2 = stein.tilt(certificate)
    for h in stein.BANDWIDTHS:
        most = stein.bound(certificate, h * h * d)
        own = [
            naive_kernel(a, b, a, b, certificate.centre, c2, h * h * d)
            for a, b in zip(z, s, strict=True)
        ]
        assert 0.05 * most < max(own) <= most  # of some use, too


def test_factors_are_those_of_the_definition(rng):
    x = rng.normal(0.3, 2, size=(60, 2))
    target = resolve("normal(mean=[0, 1], sd=2)", ("a", "b"))
    certificate = target.certificate
    z, s = coordinates(target, x)
    design = stein.Design.of(certificate, (4, 16, np.inf))
    state, found = stein.begin(2), []
    for part in (slice(0, 1), slice(1, 30), slice(30, 60)):
        state, factors = stein.step(design, state, z[part], s[part])
        found.append(factors)
    found = np.exp(np.concatenate(found)).reshape(60, 3, 3, 3)
    for k, h in enumerate(stein.BANDWIDTHS):
        h2, c2 = 2 * h * h, stein.tilt(certificate)
        most = stein.bound(certificate, h2)
        pairs = list(zip(z, s, strict=True))
        U = np.array(
            [[naive_kernel(*a, *b, certificate.centre, c2, h2) for b in pairs] for a in pairs]
        )
        assert pytest.approx(U.T) == U
        for j, window in enumerate((4, 16, 60)):
            for i in range(60):
                past = slice(max(0, i - window), i)
                g = U[past, i].sum() / np.sqrt(most * U[past, past].sum()) if i else 0.0
                assert -1 <= g <= 1
                assert found[i, k, j] == pytest.approx(1 + stein.BETS * g, abs=1e-7)


def test_level():
    """200 streams of 400 rows: more than 20 rejections have probability 0.001 at level 0.05."""
    rejected = sum(
        kstest.sksd(np.random.default_rng(k).normal(size=400), target="normal()").verdict
        == "rejected"
        for k in range(200)
    )
    assert rejected <= 20


@pytest.mark.parametrize(
    ("d", "shift", "rows"), [(1, 0.5, 75), (1, 1.0, 25), (5, 0.5, 110), (5, 1.0, 43)]
)
def test_mean_rows_to_stop(d, shift, rows):
    """A test whose payoff was over the sum of the largest losses stopped after 87, 24 and 44."""
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
        ("product(a=normal(0, 1), b=gamma(2, 1))", "exponentially"),
        ("logp: -x**4", "nothing is proved"),
        ("fit:kde", "nothing is proved"),
        ("", "target"),
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


def test_other_streams_do_not_load_targets():
    """They cost a tenth of the CPU time of a batch."""
    code = "import sys, kstest.methods.skit, kstest.betting.warm; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kstest.methods.skit" in done.stdout
    assert "kstest.targets" not in done.stdout


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
