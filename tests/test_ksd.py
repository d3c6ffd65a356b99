"""The KSD test: statistic against a double sum, nulls, verdicts, messages, level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.errors import DataError, UsageError

DATA = Path(__file__).parent.parent / "datasets"
# A folder with data that cannot be shipped; its tests are skipped where it is not there.
LOCAL = Path(os.environ.get("KSTEST_LOCAL_DATA", "/nonexistent"))
NORMAL = "normal(mean=0, sd=1)"


class Normal:
    """A target of the user's own."""

    def __init__(self, sampler=False):
        if sampler:
            self.sample = lambda n, rng: rng.normal(size=(n, 2))

    def score(self, X):
        return -X


def codes(result):
    return [w.code for w in result.warnings]


@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
@pytest.mark.parametrize("statistic", ["u", "v"])
@pytest.mark.parametrize("null", ["wild", "parametric"])
@pytest.mark.parametrize("n", [7, 40])
def test_statistic_equals_the_double_sum(kernel, statistic, null, n, rng):
    X = rng.normal(size=(n, 3))
    found = kstest.ksd(
        X, target=NORMAL, kernel=kernel, statistic=statistic, bandwidth="1.3", scale="none",
        null=null, draws=19,
    )  # fmt: skip
    U = naive.stein_matrix(X, -X, kernel, 1.3)
    expected = U.sum() / (n * (n - 1))
    if statistic == "v":
        expected = (U.sum() + (X**2).sum() + 3 * n / 1.3**2) / n**2
    assert found.statistic == pytest.approx(expected, rel=1e-9)


def test_pairs_within_bins_are_left_out_and_little_is_lost(rng):
    X = rng.normal(size=(700, 2)) * 1.1
    U = naive.stein_matrix(X, -X, "imq", 1.0).sum() / (700 * 699)
    found = kstest.ksd(X, target=NORMAL, bandwidth="1", scale="none")
    assert found.null["bins"] == 256
    assert found.statistic != U
    assert found.statistic == pytest.approx(U, rel=0.1)


def test_whitening_is_a_matter_of_coordinates_only(rng):
    """The same data in other units and rotated, with the scores mapped along."""
    X, A = rng.normal(size=(300, 2)) * 1.2, np.array([[1.0, 2.0], [-3.0, 1.0]]) * [1e-4, 1e3]
    S = -X
    columns = {"x_a": 0, "x_b": 1}
    answers = []
    for Y, G in ((X, S), (X @ A, S @ np.linalg.inv(A).T)):
        table = {name: Y[:, c] for name, c in columns.items()}
        table |= {f"g_{name[2:]}": G[:, c] for name, c in columns.items()}
        answers.append(kstest.ksd(pd.DataFrame(table), score_prefix="g_", bandwidth="1").statistic)
    assert answers[0] == pytest.approx(answers[1], rel=1e-8)


@pytest.mark.parametrize("options", [{}, {"null": "parametric"}, {"bandwidth": "median"}])
def test_answer_does_not_depend_on_row_order_nor_on_threads(options, rng):
    X = rng.normal(size=(600, 2)) if not options.get("null") else rng.normal(size=(60, 2))
    base = kstest.ksd(X, target=NORMAL, draws=99, threads=1, **options)
    for other in (X[::-1], rng.permutation(X)):
        again = kstest.ksd(other, target=NORMAL, draws=99, threads=3, **options)
        assert (again.p_value, again.statistic) == (base.p_value, base.statistic)


def test_auto_simulates_small_samples_and_takes_signs_otherwise(rng):
    small = kstest.ksd(rng.normal(size=(50, 2)), target=NORMAL, draws=19)
    large = kstest.ksd(rng.normal(size=(200, 2)), target=NORMAL, draws=19)
    opaque = kstest.ksd(rng.normal(size=(50, 2)), target=Normal(), draws=19)
    sampled = kstest.ksd(rng.normal(size=(50, 2)), target=Normal(sampler=True), draws=19)
    assert [r.null["exact"] for r in (small, large, opaque, sampled)] == [True, False, False, True]
    assert "simulated" in small.null["scheme"]
    assert "signs" in large.null["scheme"]


def test_python_objects_and_callables_are_targets(rng):
    X = rng.normal(size=(300, 2))
    by_text = kstest.ksd(X, target="normal()", scale="none", bandwidth="1")
    for target in (Normal(), lambda X: -X):
        found = kstest.ksd(X, target=target, scale="none", bandwidth="1")
        assert found.statistic == pytest.approx(by_text.statistic)
        json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(UsageError, match="score"):
        kstest.ksd(X, target=3)
    with pytest.raises(UsageError, match="shape"):
        kstest.ksd(X, target=lambda X: X[:, 0])


POWER = {
    "shift": (lambda g: g.normal([0.25, 0, 0], 1, (400, 3)), "normal()"),
    "tails": (lambda g: g.standard_t(3, (400, 1)), "normal()"),
    "correlation": (
        lambda g: g.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], 400),
        "normal()",
    ),
    "rate": (lambda g: g.gamma(2, 1, (400, 1)), "gamma(2.5, 0.8)"),
    "circle": (lambda g: g.vonmises(0.3, 2, (400, 1)), "von_mises(0, 2)"),
    "box": (lambda g: g.beta(1.3, 1.3, (400, 2)), "uniform()"),
    "mixture": (
        lambda g: g.normal(size=(400, 1)),
        "gaussian_mixture([0.5, 0.5], [[-1.5], [1.5]], 1)",
    ),
}


@pytest.mark.parametrize("case", POWER)
def test_clear_differences_are_found_and_the_distribution_itself_is_not(case, rng):
    draw, target = POWER[case]
    X = draw(rng)
    assert kstest.ksd(X, target=target).reject
    # A text target's own sampler is checked in test_targets.
    from kstest.targets import resolve

    names = tuple(str(c + 1) for c in range(X.shape[1]))
    same = resolve(target, names).sample(400, np.random.default_rng(5))
    assert not kstest.ksd(same, target=target).reject


def test_angles_are_the_same_after_whole_turns(rng):
    X = rng.vonmises(0, 2, (300, 1))
    turned = X + 2 * np.pi * rng.integers(-3, 4, X.shape)
    a, b = (
        kstest.ksd(x, target="von_mises(0, 2)", bandwidth="1", scale="none") for x in (X, turned)
    )
    assert a.statistic == pytest.approx(b.statistic, rel=1e-6)


def test_far_data_and_huge_scores(rng):
    X = rng.normal(size=(300, 2)) + 1e9
    assert not kstest.ksd(X, target="normal(mean=1e9, sd=1)").reject
    far = kstest.ksd(np.r_[X, [[1e9, 2e9]]], target="normal(mean=1e9, sd=1)")
    assert 0 < far.p_value <= 1
    tiny = rng.normal(size=(300, 2)) * 1e-8
    assert not kstest.ksd(tiny, target="normal(sd=1e-8)").reject
    assert kstest.ksd(np.full((50, 2), 0.5), target=NORMAL).reject


@pytest.mark.parametrize("d", [80, 200])
def test_more_columns_than_rows(d, rng):
    X = rng.normal(size=(60, d))
    assert not kstest.ksd(X, target=NORMAL, draws=19).reject
    assert not kstest.ksd(X, target=Normal(), draws=19).reject
    assert kstest.ksd(X + 0.3, target=NORMAL, draws=19).reject


def test_a_row_outside_the_support_rejects_and_is_named(rng):
    X = rng.gamma(2, 1, (100, 2))
    X[41, 1] = -0.5
    found = kstest.ksd(X, target="gamma(2)")
    assert (found.verdict, found.p_value) == ("rejected", 1 / 1000)
    assert "row 42" in found.explanation["summary"]
    assert "-0.5" in found.explanation["summary"]
    X[41, 1] = 0.0
    with pytest.raises(DataError, match=r"row 42.*edge"):
        kstest.ksd(X, target="gamma(2)")


def test_a_score_that_is_not_finite_stops_with_its_row():
    X = np.linspace(0, 1, 30)[:, None]
    with pytest.raises(DataError, match=r"row 1 .*1 rows"):
        kstest.ksd(X, target="logp: log(x)")
    with pytest.raises(DataError, match="row 1"):
        kstest.ksd(X, target=lambda X: np.full_like(X, np.nan))


@pytest.mark.parametrize("n", [1, 3])
def test_too_few_rows(n):
    found = kstest.ksd(np.zeros((n, 1)), target=Normal())
    assert (found.verdict, found.exit_code) == ("no verdict", 3)
    assert codes(found) == ["too-few-rows"]


def test_dependence_ties_and_whole_numbers_are_warned_about(rng):
    walk = np.zeros(500)
    for t in range(1, 500):
        walk[t] = 0.7 * walk[t - 1] + rng.normal() * np.sqrt(1 - 0.49)
    found = kstest.ksd(walk, target=NORMAL)
    assert codes(found) == ["serial-dependence"]
    assert "--null markov" in found.warnings[0].message
    assert codes(kstest.ksd(walk, target=NORMAL, null="markov")) == []
    assert codes(kstest.ksd(rng.normal(size=(300, 1)).round(1), target=NORMAL)) == ["ties"]
    whole = np.arange(300.0) - 150
    assert "whole-numbers" in codes(kstest.ksd(rng.permutation(whole), target="normal(sd=90)"))


@pytest.mark.parametrize(
    "options",
    [
        {"target": ""},
        {"target": NORMAL, "score_prefix": "s_"},
        {"target": NORMAL, "flip": 0.6},
        {"target": NORMAL, "draws": 5},
        {"target": NORMAL, "null": "bootstrap"},
        {"target": NORMAL, "kernel": "energy"},
        {"target": NORMAL, "bandwidth": "0"},
        {"target": Normal(), "null": "parametric"},
        {"target": "normal(fit)", "null": "wild"},
        {"target": NORMAL, "param": "s=1"},
    ],
)
def test_unusable_options_are_named(options, rng):
    with pytest.raises(UsageError, match="|".join(options)):
        kstest.ksd(rng.normal(size=(30, 1)), **options)


# --- score columns, files, command -----------------------------------------------------------


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kstest", "ksd", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("file", "options", "code"),
    [
        ("posterior_exact.parquet", ("--score-prefix", "score_"), 0),
        ("posterior_inflated.parquet", ("--score-prefix", "score_"), 1),
        ("module10_waits.csv", ("--target", "exponential(fit)", "--draws", "19"), 0),
        ("module10_gaps.csv", ("--target", "exponential(fit)", "--draws", "19"), 1),
    ],
)
def test_verdicts_on_shipped_data(file, options, code):
    done = run(DATA / file, *options)
    assert done.returncode == code, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    if file.startswith("posterior_inflated"):
        assert "driven by" in done.stdout
        assert "most at" in done.stdout


@pytest.mark.parametrize(
    ("file", "code"), [("linreg_exact_draws.parquet", 0), ("linreg_inflated_draws.parquet", 1)]
)
def test_verdicts_on_local_data(file, code):
    if not (LOCAL / file).exists():
        pytest.skip("needs KSTEST_LOCAL_DATA")
    assert run(LOCAL / file, "--score-prefix", "score_").returncode == code


def test_explanation_names_the_column_that_is_wrong(rng):
    X = rng.normal(size=(500, 4)) * [1, 1, 1.5, 1]
    found = kstest.ksd(pd.DataFrame(X, columns=list("abcd")), target=NORMAL)
    assert found.explanation["drivers"][0]["column"] == "c"
    assert found.explanation["drivers"][0]["share"] > 0.5
    place = found.explanation["places"][0]
    assert place["column"] == "c"
    assert X[place["row"] - 1, 2] == place["value"]
    # The data are too wide: the target has its mass further in.
    assert place["target_has_more"] == ("below" if place["value"] > 0 else "above")


def test_score_columns_pair_by_name_and_others_are_not_read(tmp_path, rng):
    X = rng.normal(size=(60, 2))
    table = pd.DataFrame(
        {"label": ["t"] * 60, "x_a": X[:, 0], "g_b": -X[:, 1], "b": X[:, 1], "g_a": -X[:, 0]}
    )
    table.to_parquet(tmp_path / "s.parquet", index=False)
    done = run(tmp_path / "s.parquet", "--score-prefix", "g_", "--format", "json")
    found = json.loads(done.stdout)
    assert found["columns"] == ["b", "x_a"]
    named = run(tmp_path / "s.parquet", "--target", "product(b=normal())", "--format", "json")
    assert json.loads(named.stdout)["columns"] == ["b"]
    lone = run(tmp_path / "s.parquet", "--score-prefix", "la")
    assert lone.returncode == 2
    assert "x_bel" in lone.stderr
    none = run(tmp_path / "s.parquet", "--score-prefix", "q_")
    assert (none.returncode, "no column begins" in none.stderr) == (2, True)


def test_expression_on_the_command_line(tmp_path, rng):
    x = rng.normal(size=300)
    table = pd.DataFrame({"x": x, "y": x**2 + 0.3 * rng.normal(size=300)})
    table.to_parquet(tmp_path / "b.parquet", index=False)
    text = "logp: -0.5*x**2 - 0.5*((y - x**2)/s)**2"
    for value, code in (("0.3", 0), ("0.5", 1)):
        done = run(tmp_path / "b.parquet", "--target", text, "--param", f"s={value}")
        assert done.returncode == code, done.stdout + done.stderr
    done = run(tmp_path / "b.parquet", "--target", text)
    assert done.returncode == 2
    assert "--param s=NUMBER" in done.stderr
    assert "@inproceedings{liu2016" in run("--cite").stdout


def test_python_code_needs_permission(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "mine.py").write_text("def score(X):\n    return -X\n")
    pd.DataFrame(rng.normal(size=(99, 2)), columns=["a", "b"]).to_parquet(
        tmp_path / "d.parquet", index=False
    )
    monkeypatch.setenv("PYTHONPATH", str(DATA.parent))
    monkeypatch.chdir(tmp_path)
    refused = run("d.parquet", "--target", "python:mine:score")
    assert (refused.returncode, "--allow-python" in refused.stderr) == (2, True)
    assert not (tmp_path / "__pycache__").exists()
    assert run("d.parquet", "--target", "python:mine:score", "--allow-python").returncode == 0
    for name in ("python:mine:nothing", "python:nowhere:score", "python:mine"):
        bad = run("d.parquet", "--target", name, "--allow-python")
        assert (bad.returncode, "Traceback" in bad.stderr) == (2, False)


def test_a_thousand_rows_answer_at_once(rng):
    X = rng.normal(size=(1000, 10))
    clock = time.process_time()
    kstest.ksd(X, target=NORMAL)
    assert time.process_time() - clock < 1.5


# --- level -----------------------------------------------------------------------------------


def rejections(draw, repeats=1000, **options):
    count = 0
    for repeat in range(repeats):
        X = draw(np.random.default_rng([2016, repeat]))
        count += kstest.ksd(X, draws=99, threads=1, **options).reject
    return count


def band(repeats=1000, level=0.05):
    return binom.ppf([0.0005, 0.9995], repeats, level)


def test_level_of_signs_with_few_rows():
    found = rejections(
        lambda g: g.normal(size=(20, 1)), target=NORMAL, null="wild", bandwidth="median"
    )
    low, high = band()
    assert low <= found <= high


@pytest.mark.slow
def test_level_of_simulation_is_exact():
    """Level 0.05 with 19 draws: the smallest p-value is 0.05 itself."""
    found = 0
    for repeat in range(1000):
        X = np.random.default_rng([2017, repeat]).gamma(0.7, 2, (8, 1))
        options = {"draws": 19, "threads": 1, "bandwidth": "median", "null": "parametric"}
        found += kstest.ksd(X, target="gamma(0.7, 2)", **options).reject
    low, high = band()
    assert low <= found <= high


@pytest.mark.slow
@pytest.mark.parametrize("null", ["wild", "markov", "parametric"])
@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
@pytest.mark.parametrize("d", [1, 10])
@pytest.mark.parametrize("n", [20, 100, 1000])
def test_level_matrix(n, d, kernel, null):
    """Signs of few rows, and persistent ones of independent rows, may be timid, never bold."""
    if null == "parametric" and n == 1000:
        pytest.skip("exact by construction and slow")
    found = rejections(lambda g: g.normal(size=(n, d)), target=NORMAL, null=null, kernel=kernel)
    low, high = band()
    assert found <= high
    if null == "parametric" or (null == "wild" and n >= 100):
        assert found >= low


def autoregressive(rng, n, lag1):
    noise = rng.normal(size=n + 50) * np.sqrt(1 - lag1**2)
    x = np.zeros(n + 50)
    for t in range(1, n + 50):
        x[t] = lag1 * x[t - 1] + noise[t]
    return x[50:, None]


@pytest.mark.slow
def test_persistent_signs_keep_the_level_that_independent_signs_lose():
    def draw(g):
        return autoregressive(g, 500, 0.6)

    wild = rejections(draw, 300, target=NORMAL, null="wild")
    markov = rejections(draw, 300, target=NORMAL, null="markov", flip=0.05)
    assert wild > 60  # a true level of 0.2 or more
    assert markov <= band(300, 0.08)[1]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["normal(fit)", "exponential(fit)", "gamma(fit)"])
def test_level_with_fitted_parameters(target):
    distribution = {
        "normal(fit)": lambda g: 3 + 2 * g.normal(size=(40, 1)),
        "exponential(fit)": lambda g: g.exponential(3, (40, 1)),
        "gamma(fit)": lambda g: g.gamma(2, 3, (40, 1)),
    }[target]
    low, high = band(600)
    assert low <= rejections(distribution, 600, target=target) <= high


# --- large samples ---------------------------------------------------------------------------


def test_features_at_landmarks_come_near_the_sum_over_all_pairs(rng):
    X = rng.normal(size=(3000, 1)) * 1.1
    options = {"target": NORMAL, "bandwidth": "3", "scale": "none", "draws": 99}
    every = kstest.ksd(X, features="none", **options).statistic
    many = kstest.ksd(X, features="300", **options).statistic
    few = kstest.ksd(X, features="5", **options).statistic
    assert few < many
    assert many == pytest.approx(every, rel=0.15)
    assert not kstest.ksd(X / 1.1, features="100", **options).reject


@pytest.mark.slow
def test_level_of_features():
    found = rejections(
        lambda g: g.normal(size=(1000, 2)), 500, target=NORMAL, features="50", null="wild"
    )
    low, high = band(500)
    assert low <= found <= high


@pytest.mark.parametrize(
    "options",
    [
        {"features": "all"},
        {"features": "3"},
        {"features": "99"},
        {"features": "10", "null": "markov"},
    ],
)
def test_unusable_features_are_named(options, rng):
    with pytest.raises(UsageError, match="features"):
        kstest.ksd(rng.normal(size=(300, 1)), target=NORMAL, **options)


# --- fitted and robust -----------------------------------------------------------------------


def clusters(rng, n, wide=1.0):
    X = rng.normal(size=(n, 2))
    far = rng.random(n) < 0.4
    X[far] += [4, 1]
    X[~far] *= wide
    return X


@pytest.mark.parametrize("target", ["fit:gmm:2", "fit:kde"])
def test_target_fitted_to_a_reference(target, rng):
    reference, options = clusters(rng, 300), {"target": target, "draws": 19, "bandwidth": "1"}
    same = kstest.ksd(clusters(rng, 200), reference=reference, **options)
    other = kstest.ksd(clusters(rng, 200, 1.6), reference=reference, **options)
    assert (same.reject, other.reject) == (False, True)
    assert "refitted" in same.null["scheme"]
    assert same.null["exact"] is False


def test_mixture_fit_finds_the_mixture_and_kernel_density_has_its_gradient():
    from kstest.targets.reference import fitted_target

    rng = np.random.default_rng(1)
    R = clusters(rng, 4000)
    found = fitted_target("fit:gmm:2", R, ("a", "b"), rng)
    means = sorted(map(tuple, found.modes))
    np.testing.assert_allclose(means, [(0, 0), (4, 1)], atol=0.12)
    kde, X, h = fitted_target("fit:kde", R[:200], ("a", "b"), rng), R[200:210], 1e-5
    covariance = np.cov(R[:200].T) * 200 ** (-1 / 3)

    def log_density(X):
        z = X[:, None] - R[None, :200]
        return np.log(np.exp(-0.5 * (z @ np.linalg.inv(covariance) * z).sum(2)).sum(1))

    for c, step in enumerate(np.eye(2) * h):
        expected = (log_density(X + step) - log_density(X - step)) / (2 * h)
        np.testing.assert_allclose(kde.score(X)[:, c], expected, rtol=1e-3)


def test_reference_on_the_command_line(tmp_path, rng):
    for name in ("r", "d"):
        pd.DataFrame(clusters(rng, 120), columns=["a", "b"]).to_parquet(
            tmp_path / f"{name}.parquet", index=False
        )
    options = ("--target", "fit:gmm:2", "--draws", "19", "--bandwidth", "1")
    done = run(tmp_path / "d.parquet", *options, "--reference", tmp_path / "r.parquet")
    assert done.returncode in (0, 1), done.stderr
    for bad in (options, ("--target", NORMAL, "--reference", tmp_path / "r.parquet")):
        found = run(tmp_path / "d.parquet", *bad)
        assert (found.returncode, "--reference" in found.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["fit:gmm:2", "fit:kde"])
def test_level_with_a_reference(target):
    count = 0
    for repeat in range(300):
        rng = np.random.default_rng([12, repeat])
        options = {"draws": 39, "bandwidth": "median", "threads": 1, "target": target}
        found = kstest.ksd(clusters(rng, 60), reference=clusters(rng, 120), **options)
        count += found.reject
    assert count <= band(300)[1]


@pytest.mark.parametrize(
    "target",
    [
        "normal(mean=[1, 2], sd=[1, 3])",
        "multivariate_normal(covariance=[[1, 0.7], [0.7, 1]])",
        "gaussian_mixture([0.5, 0.5], [[-2, 0], [2, 0]], [1, [[2, 0], [0, 1]]])",
    ],
)
@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
def test_certified_bound_holds_everywhere(target, kernel, rng):
    from kstest.methods.ksd import Params
    from kstest.methods.stein.robust import certified_bound, tilted
    from kstest.methods.stein.statistic import setup
    from kstest.targets import resolve

    distribution = resolve(target, ("a", "b"))
    params = Params(target=target, contamination=0.1, kernel=kernel)
    made = setup(np.zeros((10, 2)), distribution, params, rng)
    X = distribution.sample(4000, rng) * rng.lognormal(0, 2, (4000, 1))
    Y, S = distribution.unconstrain(X)
    rows = (Y - made.frame.centre) @ made.frame.forward
    own = tilted(made.frame.points(Y, S), rows).own(made.grid)[0]
    tau = certified_bound(distribution, made)
    assert own.max() <= tau
    assert own.max() > 0.3 * tau


def test_bound_of_the_standard_normal_is_tight():
    """sup over r of (w r + |grad w|)^2 - 2 d phi'(0) w^2, here on a fine grid."""
    from kstest.kernels import KERNELS, BandwidthGrid
    from kstest.methods.stein.robust import certified_bound
    from kstest.methods.stein.statistic import Frame, Setup
    from kstest.targets import Transform, resolve

    d, h = 3, 2.0
    frame = Frame.of(np.zeros((1, d)), (Transform(),) * d, "none")
    made = Setup(frame, BandwidthGrid(KERNELS["imq"], (h,)))
    r = np.linspace(0, 300, 400_001)
    w = 1 / np.sqrt(1 + r**2 / d)
    exact = ((w * r + r / d * w**3) ** 2 + d / h**2 * w**2).max()
    tau = certified_bound(resolve("normal()", tuple("abc")), made)
    assert exact <= tau <= 1.01 * exact


def test_tilted_kernel_is_the_stein_kernel_of_the_product_with_the_weights(rng):
    from kstest.engine import Work, stein
    from kstest.engine.stein import SteinPoints, stein_sums
    from kstest.kernels import KERNELS, BandwidthGrid
    from kstest.methods.stein.robust import tilted

    X, S, h = rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), 1.2

    def w(x):
        return 1 / np.sqrt(1 + x @ x / 2)

    naive.PROFILES["tilted"] = lambda x, y, h: w(x) * w(y) * naive.PROFILES["imq"](x, y, h)
    try:
        pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
        expected = sum(naive.stein_kernel(X[i], X[j], S[i], S[j], "tilted", h) for i, j in pairs)
    finally:
        del naive.PROFILES["tilted"]
    points = tilted(SteinPoints.of(X, S), X)
    grid = BandwidthGrid(KERNELS["imq"], (h,))
    before = stein.NUMPY_STEPS
    for steps in (np.inf, 0):
        stein.NUMPY_STEPS = steps
        found = stein_sums(points, np.array([0, 2, 5]), grid, Work(threads=1))
        assert found.blocks.sum() == pytest.approx(expected, rel=1e-5)
    stein.NUMPY_STEPS = before


def test_contamination_is_tolerated_and_more_is_not(rng):
    X = rng.normal(size=(600, 1))
    X[:30] = 8
    assert kstest.ksd(X, target=NORMAL).reject
    tolerant = kstest.ksd(X, target=NORMAL, contamination=0.1)
    assert not tolerant.reject
    assert tolerant.explanation["theta"] > 0
    assert kstest.ksd(X + 0.8, target=NORMAL, contamination=0.1).reject
    with pytest.raises(UsageError, match="bound"):
        kstest.ksd(X, target="student_t(3)", contamination=0.1)
    given = kstest.ksd(X, target="student_t(3)", contamination=0.1, bound=4.0)
    assert given.explanation["bound"] == 4.0
    with pytest.raises(UsageError, match="contamination"):
        kstest.ksd(X, target=NORMAL, contamination=0.1, null="markov")


@pytest.mark.slow
def test_level_of_the_robust_test_where_contamination_is_least_favourable():
    def draw(g):
        X = g.normal(size=(200, 1))
        X[g.random(200) < 0.1] = 1.5
        return X

    assert rejections(draw, 500, target=NORMAL, contamination=0.1) <= band(500)[1]
