"""Does a treatment change the distribution of an outcome: `effect`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear
from scipy.stats import binom, norm

import kstest
from kstest.cli import run
from kstest.engine import Work
from kstest.errors import DataError, KstestError, UsageError
from kstest.methods.causal import nuisances
from kstest.methods.causal.features import covariate_features
from kstest.methods.causal.overlap import Overlap
from kstest.methods.causal.quantiles import Curves
from kstest.methods.causal.sensitivity import least_statistic
from kstest.methods.causal.statistic import (
    cross_statistic,
    multiplier_statistics,
    permutation_statistics,
    permutations_of,
    standard_error,
    sums_of,
    within,
)
from kstest.methods.causal.stein import fitted, smooth
from kstest.methods.dependence.column_blocks import Block

NAMES = {"treatment": "arm", "outcome": "y", "covariates": "x*"}
KINDS = ("shift", "spread", "split", "some")


def study(rng, n, kind="null", randomised=False, shift=0.25, noise=1.0):
    """Five covariates of a curved outcome, which also decide who is treated."""
    X = rng.normal(size=(n, 5))
    odds = 0.8 * X[:, 0] + 0.5 * X[:, 1] - 0.5 * X[:, 2]
    A = rng.permutation(n) < n // 2 if randomised else odds + rng.logistic(size=n) > 0
    surface = X[:, 0] + np.sin(2 * X[:, 1]) + 0.5 * X[:, 2] ** 2
    e = noise * rng.normal(size=n)
    changed = {
        "null": e,
        "shift": e + shift,
        "spread": 1.8 * e,
        "split": 0.95 * np.sign(e) + 0.31 * rng.normal(size=n),
        "some": e + 2 * (rng.random(n) < 0.12),
    }[kind]
    y = surface + np.where(A, changed, e)
    return pd.DataFrame({f"x{i}": X[:, i] for i in range(5)} | {"arm": A * 1, "y": y})


def effect_of(data, **more):
    return kstest.effect(data, threads=1, **{**NAMES, "draws": 299, **more})


def codes(result):
    return {w.code for w in result.warnings}


def test_multiplier_statistics_are_sums_over_rows(rng):
    phi = rng.normal(size=(40, 5))
    blocks = (slice(0, 2), slice(2, 5))
    T = multiplier_statistics(phi, blocks, 7, np.random.default_rng(3))
    E = np.random.default_rng(3).standard_normal((7, 40))
    for k, block in enumerate(blocks):
        part = phi[:, block]
        mean = sum(part) / 40
        assert T[k, 0] == pytest.approx(40 * (mean**2).sum())
        for b in range(7):
            total = sum(E[b, i] * (part[i] - mean) for i in range(40))
            assert T[k, b + 1] == pytest.approx((total**2).sum() / 39)


def test_permutation_statistics_are_those_of_a_loop(rng):
    strata, treated = np.repeat([0, 1, 2], [10, 12, 8]), rng.random(30) < 0.4
    left = within(rng.normal(size=(30, 4)), strata)
    for s in range(3):
        np.testing.assert_allclose(left[strata == s].mean(axis=0), 0, atol=1e-12)
    T = permutation_statistics(
        left, treated, strata, (slice(0, 3), slice(3, 4)), 9, np.random.default_rng(3), Work()
    )
    assert T.shape == (2, 10)
    total = sum(left[i] for i in range(30) if treated[i])
    assert T[:, 0] == pytest.approx([(total[:3] ** 2).sum() / 30, total[3] ** 2 / 30])
    # With one row treated per stratum every replicate is one of the few that there are.
    few = np.isin(np.arange(30), [0, 10, 22])
    T = permutation_statistics(left, few, strata, (slice(3, 4),), 50, rng, Work())
    sums = [
        (left[i, 3] + left[j, 3] + left[k, 3]) ** 2 / 30
        for i in range(10) for j in range(10, 22) for k in range(22, 30)
    ]  # fmt: skip
    assert all(np.isclose(sums, t, atol=1e-12).any() for t in T[0])
    assert permutations_of(few, strata) == pytest.approx(np.log(10 * 12 * 8))


def test_doubly_robust_features_are_those_of_the_formula(rng, monkeypatch):
    n = 60
    X, psi = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
    treated = rng.random(n) < 0.5
    monkeypatch.setattr(nuisances, "FOLD_DRAWS", 1)
    monkeypatch.setattr(nuisances, "_treatment_model", lambda X, *a: (X, 1.0))
    found = nuisances.doubly_robust(X, (X.shape[1],), psi, treated, np.random.default_rng(2))
    fold = nuisances.folds_of(treated, np.random.default_rng(2))
    for i in (0, 17, 59):
        train = np.flatnonzero(fold != fold[i])
        pi = nuisances._probabilities(X, treated, train, np.array([i]), 1.0)[0]
        b = []
        for arm in (False, True):
            rows = train[treated[train] == arm]
            penalties = nuisances.PENALTIES * len(rows)
            b.append(nuisances.ridge(X, psi, rows, penalties, np.array([i]))[0])
        one = (psi[i] - b[1]) / pi if treated[i] else 0
        none = 0 if treated[i] else (psi[i] - b[0]) / (1 - pi)
        np.testing.assert_allclose(found.phi[i], one + b[1] - none - b[0], rtol=1e-9)
        assert found.propensity[i] == pytest.approx(pi)


def test_what_is_left_in_a_randomised_design_never_sees_the_arms(rng):
    """The replicates of a test are those of the same data with the arms drawn anew."""
    data = study(rng, 60, randomised=True)
    first = effect_of(data, design="randomised")
    data["arm"] = rng.permutation(data["arm"].to_numpy())
    second = effect_of(data, design="randomised")
    assert first.kernel == second.kernel
    bandwidths = [row["bandwidth"] for row in first.explanation["kernels"]]
    assert bandwidths == [row["bandwidth"] for row in second.explanation["kernels"]]
    assert first.null["exact"]


def test_order_of_rows_and_names_of_the_arms_do_not_matter(rng):
    data = study(rng, 150, "shift")
    shuffled = data.iloc[rng.permutation(150)].assign(arm=lambda d: np.where(d.arm, "yes", "no"))
    for design in ("observational", "randomised"):
        one, other = effect_of(data, design=design), effect_of(shuffled, design=design)
        assert one.p_value == other.p_value
    assert list(other.n) == ["arm = no", "arm = yes"]


@pytest.mark.parametrize("kind", ["shift", "spread"])
def test_finds_what_is_there_and_says_how_large_the_mean_is(kind):
    data = study(np.random.default_rng(40), 900, kind, shift=0.5)
    result = effect_of(data)
    assert result.verdict == "rejected"
    mean = result.explanation["mean_difference"][0]
    true = 0.5 if kind == "shift" else 0.0
    assert mean["low"] < true < mean["high"]
    assert mean["high"] - mean["low"] < 0.6


def test_a_plain_comparison_of_the_arms_is_what_this_ends():
    data = study(np.random.default_rng(5), 500)
    arms = [data.loc[data.arm == a, ["y"]] for a in (0, 1)]
    assert kstest.mmd(*arms, threads=1).verdict == "rejected"
    assert effect_of(data).verdict == "not rejected"


def test_two_files_a_change_of_the_covariates_is_no_change_of_the_outcome():
    rng = np.random.default_rng(6)
    x = [rng.normal(size=(400, 1)), rng.normal(size=(400, 1)) + 0.7]
    old, new = (np.hstack([v, v + 0.3 * v**2 + rng.normal(size=(400, 1))]) for v in x)
    options = {"outcome": "2", "covariates": "1", "threads": 1}
    assert kstest.mmd(old[:, 1:], new[:, 1:], threads=1).verdict == "rejected"
    assert kstest.effect(old, new, **options).verdict == "not rejected"
    new[:, 1] += 0.6
    result = kstest.effect(old, new, **options)
    assert result.verdict == "rejected"
    assert result.n == {"reference": 400, "sample": 400}


def test_without_overlap_there_is_no_verdict(rng):
    """A number, a date or a threshold decides who is treated: nothing can be compared."""
    n = 400
    x = rng.normal(size=n)
    for column in (np.arange(n), x, 1e6 * x, np.floor(np.arange(n) / 20)):
        data = pd.DataFrame({"x1": column, "x2": rng.normal(size=n), "y": rng.normal(size=n)})
        data["arm"] = (column > np.median(column)).astype(int)
        result = effect_of(data)
        assert result.verdict == "no verdict"
        assert result.p_value is None
        assert codes(result) == {"too-little-overlap"}
        assert "differ most in x1" in result.warnings[-1].message


def test_a_small_arm_is_no_lack_of_overlap():
    rng = np.random.default_rng(8)
    data = study(rng, 3000)
    data["arm"] = (rng.random(3000) < 0.015).astype(int)
    result = effect_of(data)
    assert result.verdict == "not rejected"


def test_few_effective_rows_of_either_arm_are_refused():
    fine = {"rows": (100, 100), "clipped": 0.0, "lowest": 0.1, "highest": 0.9, "balance": []}
    fine["propensity"] = {}
    assert not Overlap(effective=(60.0, 60.0), **fine).lacking
    assert Overlap(effective=(60.0, 30.0), **fine).lacking
    assert Overlap(effective=(19.0, 60.0), **{**fine, "rows": (40, 100)}).lacking
    assert Overlap(effective=(60.0, 60.0), **{**fine, "clipped": 0.11}).lacking


def test_few_rows_of_an_arm_are_for_a_randomised_design(rng):
    data = study(rng, 100)
    data["arm"] = (np.arange(100) < 29).astype(int)
    result = effect_of(data)
    assert codes(result) == {"too-few-rows"}
    assert "--design randomised" in result.warnings[0].message
    assert effect_of(data, design="randomised").p_value is not None
    four = data.iloc[[0, 1, 50, 51]]
    assert codes(effect_of(four, design="randomised")) == {"too-few-rows"}


def test_missing_outcomes_and_treatments_are_refused(rng, tmp_path, capsys):
    data = study(rng, 120)
    for column in ("y", "arm"):
        holes = data.astype(float)
        holes.loc[7, column] = np.nan
        with pytest.raises(KstestError, match=column):
            effect_of(holes)
        with pytest.raises(DataError, match="1 of 120 rows have no value"):
            effect_of(holes, missing="indicator")
        dropped = effect_of(holes, missing="drop")
        assert sum(dropped.n.values()) == 119
        assert dropped.warnings
    path = tmp_path / "data.csv"
    holes.to_csv(path, index=False)
    command = ["effect", str(path), "--treatment", "arm", "--outcome", "y", "--covariates", "x1"]
    assert run([*command, "--missing", "indicator"]) == 2
    assert "'arm'" in capsys.readouterr().err


def test_covariates_may_be_categories_and_miss_cells():
    rng = np.random.default_rng(9)
    n = 600
    site, hole = rng.choice(list("abc"), n), rng.random(n) < 0.2
    age = np.where(hole, np.nan, rng.normal(50, 9, n))
    risk = (site == "c") * 1.0 + hole
    data = pd.DataFrame({"x_site": site, "x_age": age})
    data["arm"] = np.where(risk + rng.logistic(size=n) > 0.5, "treated", "control")
    data["y"] = 1.5 * risk + rng.normal(size=n)
    result = effect_of(data, missing="indicator")
    assert result.verdict == "not rejected"
    balance = {row["column"]: row for row in result.explanation["balance"]}
    assert abs(balance["x_site"]["before"]) > 0.3 > 0.15 > abs(balance["x_site"]["after"])
    data.loc[data["arm"] == "treated", "y"] += 0.7
    assert effect_of(data, missing="indicator").verdict == "rejected"


def test_names_of_straight_lines_are_those_of_their_columns():
    holes = np.array([[False, True], [False, False], [False, False]])
    codes = np.array([[0, 1], [1, 0], [2, 0]], np.int32)
    block = Block(("a", "b", "c"), np.arange(6.0).reshape(3, 2), codes, holes)
    assert covariate_features(block).names == ("a", "b", "c", "c", "c", "b", "b")


def test_a_hundred_covariates_and_outcomes_of_several_columns():
    rng = np.random.default_rng(10)
    X, arm = rng.normal(size=(400, 100)), rng.random(400) < 0.5
    y = rng.normal(size=(400, 2))
    y[arm, 1] = y[arm, 0] * 0.9 + 0.44 * y[arm, 1]  # only the correlation
    data = pd.DataFrame(X, columns=[f"x{i}" for i in range(100)])
    data = data.assign(arm=arm * 1, y=y[:, 0], z=y[:, 1])
    assert effect_of(data, outcome="y").verdict == "not rejected"
    assert effect_of(data, outcome="z").verdict == "not rejected"
    assert effect_of(data, outcome="y,z", covariates="x1,x2").verdict == "rejected"


@pytest.mark.parametrize("design", ["observational", "randomised"])
def test_outcomes_with_atoms_tails_and_categories(design):
    rng = np.random.default_rng(11)
    data = study(rng, 300)
    data["zeros"] = np.where(rng.random(300) < 0.7, 0.0, rng.exponential(size=300))
    data["tail"] = 1e200 * rng.standard_cauchy(300)
    data["text"] = rng.choice(["no", "yes"], 300)
    data["same"] = 3.0
    for outcome in ("zeros", "tail", "text"):
        result = effect_of(data, outcome=outcome, design=design)
        assert 0 < result.p_value <= 1
    assert codes(effect_of(data, outcome="same", design=design)) >= {"constant-statistic"}


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (("b", "a"), "a"),
        (("active", "Control "), "Control "),
        (("drug", "none", "placebo"), "placebo"),
        (("controlled", "a"), "a"),
    ],
)
def test_a_text_that_says_so_is_the_control(arms, control, rng):
    data = study(rng, 60 * len(arms))
    data["arm"] = np.resize(arms, len(data))
    result = effect_of(data, draws=19, design="randomised")
    assert next(iter(result.n)) == f"arm = {control}"


def test_the_control_is_chosen_and_the_treated_printed(rng, tmp_path, capsys):
    data = study(rng, 120)
    data["arm"] = np.where(data["arm"] == 1, "drug", "placebo")
    path = tmp_path / "data.csv"
    data.to_csv(path, index=False)
    command = ["effect", str(path), "--treatment", "arm", "--outcome", "y", "--covariates", "x*"]
    run(command)
    assert "treated     arm = drug" in capsys.readouterr().out
    run([*command, "--control", "drug"])
    assert "treated     arm = placebo" in capsys.readouterr().out
    numbers = data.assign(arm=(data["arm"] == "drug") * 1)
    up, down = (
        effect_of(numbers, control=t).explanation["mean_difference"][0] for t in ("0.0", "1")
    )
    assert up["low"] < -down["difference"] < up["high"]  # folds are drawn anew


def test_options_that_cannot_be_are_refused(rng):
    data = study(rng, 90)
    three = data.assign(arm=np.arange(90) % 3)
    for frame, more, error, text in (
        (data, {"outcome": ""}, UsageError, "outcome: name"),
        (data, {"covariates": ""}, UsageError, "covariates: name"),
        (data, {"treatment": ""}, UsageError, "treatment: name the column"),
        (data, {"covariates": "x1,y"}, UsageError, "covariates: column 'y' is also"),
        (data, {"covariates": "x1,arm"}, UsageError, "covariates: column 'arm' is also"),
        (data, {"strata": "x1"}, UsageError, "strata: goes with"),
        (data, {"control": "2"}, UsageError, "control='2': no such"),
        (data, {"treatment": "arm,x1", "covariates": "x2"}, UsageError, "name one column"),
        (three, {"treatment": "y"}, UsageError, "column 'y' is also"),
        (data, {"treatment": "x1", "covariates": "x2"}, DataError, "found 90 values"),
        (data.assign(arm=1), {}, DataError, "found 1 value "),
        (data, {"design": "randomised", "overlap": "weights"}, UsageError, "overlap='weights'"),
        (data, {"design": "randomised", "null": "cross"}, UsageError, "null='cross'"),
    ):
        with pytest.raises(error, match=text):
            effect_of(frame, **more)
    with pytest.raises(UsageError, match="two files"):
        kstest.effect(data, data, **NAMES)
    with pytest.raises(TypeError, match="1 or 2 samples"):
        kstest.effect(data, data, data, **NAMES)


def rejections(sets, make, seed=0, **more):
    return sum(
        effect_of(make(np.random.default_rng(seed + k)), **more).reject is True for k in range(sets)
    )


def test_randomised_strata_with_unequal_shares_do_not_reject():
    """Sites differ in outcome and in how many they treat."""

    def make(rng):
        site = np.repeat([0, 1], [40, 40])
        arm = np.concatenate([rng.permutation(40) < 30, rng.permutation(40) < 8])
        return pd.DataFrame({"site": site, "arm": arm * 1, "y": 2 * site + rng.normal(size=80)})

    options = {"design": "randomised", "covariates": "", "draws": 99}
    assert rejections(40, make, strata="site", **options) <= binom.ppf(0.9995, 40, 0.05)
    assert rejections(5, make, **options) == 5


def test_level_of_small_studies():
    n = rejections(40, lambda rng: study(rng, 200), draws=199)
    assert n <= binom.ppf(0.9995, 40, 0.06)
    n = rejections(60, lambda rng: study(rng, 40, randomised=True), draws=99, design="randomised")
    assert n <= binom.ppf(0.9995, 60, 0.05)


@pytest.mark.slow
def test_level_and_power():
    low, high = binom.ppf([0.0005, 0.9995], 300, 0.05)
    assert low <= rejections(300, lambda rng: study(rng, 500)) <= high
    power = [rejections(40, lambda rng, k=k: study(rng, 500, k)) / 40 for k in KINDS]
    assert np.mean(power) > 0.6  # 0.775 of 40 sets each were measured


def clustered(rng, groups=60, rows=5, effect=0.0):
    """Rows of a group share their treatment, a covariate and an unseen part of the outcome."""
    share = np.repeat(rng.normal(size=groups), rows)
    x = np.repeat(rng.normal(size=groups), rows) + 0.5 * rng.normal(size=groups * rows)
    arm = np.repeat(rng.permutation(groups) < groups // 2, rows)
    y = x + 3 * share + rng.normal(size=groups * rows) + effect * arm
    name = np.repeat(np.arange(groups), rows)
    return pd.DataFrame({"arm": arm * 1, "x1": x, "y": y, "user": name})


@pytest.mark.parametrize("design", ["observational", "randomised"])
def test_rows_of_a_group_are_no_independent_rows(design):
    options = {"design": design, "draws": 99}
    alone = rejections(12, clustered, **options)
    together = rejections(12, clustered, group="user", **options)
    assert together <= 3 < 5 <= alone
    data = clustered(np.random.default_rng(1))
    assert "serial-dependence" in codes(effect_of(data, design=design))
    result = effect_of(data, design=design, group="user")
    assert "serial-dependence" not in codes(result)
    assert "group" in result.null["scheme"]
    data = clustered(np.random.default_rng(1), 120, effect=4.0)
    assert effect_of(data, design=design, group="user").verdict == "rejected"


def test_groups_that_are_treated_in_part_or_few():
    data = clustered(np.random.default_rng(1))
    split = data.assign(arm=np.arange(300) % 2)
    with pytest.raises(DataError, match="60 of 60 groups have rows in both arms"):
        effect_of(split, design="randomised", group="user")
    assert effect_of(split, group="user").p_value is not None
    data["site"] = np.arange(300) % 2
    with pytest.raises(DataError, match="groups have rows in several strata"):
        effect_of(data, design="randomised", group="user", strata="site")
    few = effect_of(clustered(np.random.default_rng(1), 40), group="user")
    assert codes(few) == {"too-few-rows"}
    assert "20 groups with arm = 0" in few.warnings[0].message


def test_sums_and_errors_of_groups_are_those_of_a_loop(rng):
    groups = rng.permutation(np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6]))
    values = rng.normal(size=(21, 2))
    sums = np.array([values[groups == g].sum(axis=0) for g in range(6)])
    np.testing.assert_allclose(sums_of(values, groups), sums)
    assert sums_of(values, None) is values
    centred = values - values.mean(axis=0)
    total = sum(centred[groups == g].sum(axis=0) ** 2 for g in range(6))
    np.testing.assert_allclose(standard_error(values, groups), np.sqrt(total * 6 / 5) / 21)
    np.testing.assert_allclose(
        standard_error(values, None), values.std(axis=0, ddof=1) / np.sqrt(21)
    )
    fold = nuisances.folds_of(rng.random(21) < 0.5, rng, 3, groups)
    assert all(len(set(fold[groups == g])) == 1 for g in range(6))


def test_more_than_two_arms_are_compared_with_the_control():
    rng = np.random.default_rng(14)
    data = study(rng, 600)
    dose = np.where(data.arm == 0, 0, rng.choice([5, 10], 600))
    data = data.assign(arm=dose, y=data.y + 0.8 * (dose == 10))
    result = effect_of(data)
    assert result.verdict == "rejected"
    low, high = result.explanation["arms"]
    assert (low["arm"], high["arm"]) == ("arm = 5", "arm = 10")
    assert (low["verdict"], high["verdict"]) == ("not rejected", "rejected")
    assert result.p_value == high["adjusted"] == pytest.approx(2 * high["p_value"])
    assert high["mean_difference"][0]["low"] < 0.8 < high["mean_difference"][0]["high"]
    assert list(result.n) == ["arm = 0", "arm = 5", "arm = 10"]
    other = effect_of(data, control="10", design="randomised")
    assert other.explanation["control"] == "arm = 10"
    # An arm that has no counterparts leaves the others their verdict, and their correction.
    far = data.assign(x0=data.x0 + 20 * (dose == 5))
    result = effect_of(far)
    assert result.verdict == "rejected"
    assert [row["verdict"] for row in result.explanation["arms"]] == ["no verdict", "rejected"]
    assert result.warnings[0].message.startswith("arm = 5: too little overlap")
    far["y"] = study(rng, 600).y
    assert effect_of(far).verdict == "no verdict"


def test_overlap_weights_ask_of_those_that_could_have_been_in_either_arm():
    rng = np.random.default_rng(15)
    n = 1500
    x = rng.normal(size=n)
    arm = 6 * x + rng.logistic(size=n) > 0
    data = pd.DataFrame({"x1": x, "arm": arm * 1, "y": x + rng.normal(size=n)})
    refused = effect_of(data)
    assert refused.verdict == "no verdict"
    assert "--overlap weights" in refused.warnings[0].message
    result = effect_of(data, overlap="weights")
    assert result.verdict == "not rejected"
    assert "in either arm" in result.explanation["claim"]
    after = result.explanation["balance"][0]
    assert abs(after["after"]) < 0.5 < 2 < after["before"]
    data["y"] += 1.0 * arm
    result = effect_of(data, overlap="weights")
    assert result.verdict == "rejected"
    mean = result.explanation["mean_difference"][0]
    assert mean["low"] < 1.0 < mean["high"]
    few = data[:90].assign(x1=np.r_[np.zeros(30), np.ones(60)])
    few = few.assign(arm=np.r_[np.zeros(29), np.ones(60), 0])
    assert effect_of(few, overlap="weights").verdict == "no verdict"


def test_features_with_overlap_weights_are_products_of_residuals(rng, monkeypatch):
    n = 50
    X, psi = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
    treated = rng.random(n) < 0.5
    monkeypatch.setattr(nuisances, "FOLD_DRAWS", 1)
    monkeypatch.setattr(nuisances, "_treatment_model", lambda X, *a: (X, 1.0))
    found = nuisances.doubly_robust(
        X, (X.shape[1],), psi, treated, np.random.default_rng(2), None, True
    )
    fold = nuisances.folds_of(treated, np.random.default_rng(2))
    for i in (0, 17, 49):
        train, at = np.flatnonzero(fold != fold[i]), np.array([i])
        left = treated[i] - nuisances._probabilities(X, treated, train, at, 1.0)[0]
        m = nuisances.ridge(X, psi, train, nuisances.PENALTIES * len(train), at)[0]
        np.testing.assert_allclose(found.phi[i], left * (psi[i] - m), rtol=1e-9)
        assert found.size[i] == pytest.approx(left**2)
    effect, influence = found.influence(slice(0, 1))
    assert effect[0] == pytest.approx(found.phi[:, 0].sum() / found.size.sum())
    np.testing.assert_allclose(influence.mean(axis=0), 0, atol=1e-12)


def test_the_cross_statistic_is_that_of_the_paper(rng):
    phi = rng.normal(size=(31, 4)) + 0.3
    order = np.random.default_rng(1).permutation(31)
    first, second = order[:15], order[15:]
    f = [phi[i] @ sum(phi[j] for j in second) / 16 for i in first]
    value, p = cross_statistic(phi, np.random.default_rng(1))
    assert value == pytest.approx(np.sqrt(15) * np.mean(f) / np.std(f, ddof=1))
    assert p == pytest.approx(norm.sf(value))
    data = study(np.random.default_rng(4), 600, "shift", shift=1.0)
    result = effect_of(data, null="cross")
    assert result.verdict == "rejected"
    assert not result.null["exact"]


@pytest.mark.parametrize("design", ["observational", "randomised"])
def test_a_change_that_the_covariates_blur_is_found_in_what_they_leave(design):
    data = study(np.random.default_rng(16), 400, "split", randomised=design == "randomised")
    result = effect_of(data, design=design)
    assert result.verdict == "rejected"
    assert result.explanation["strongest"]["sees"] == "residual"
    sees = [row["sees"] for row in result.explanation["kernels"]]
    assert sees == 5 * ["outcome"] + 5 * ["residual"]
    # Nothing is left out of an outcome without covariates, or that is a category.
    plain = effect_of(data, design="randomised", covariates="")
    assert len(plain.explanation["kernels"]) == 5


def test_deciles_are_those_of_the_arms_where_nothing_confounds():
    rng = np.random.default_rng(21)
    arm = rng.permutation(400) < 200
    y = np.where(arm, np.round(rng.exponential(2, 400)), np.round(rng.exponential(1, 400)))
    data = pd.DataFrame({"arm": arm * 1, "x1": rng.normal(size=400), "y": y})
    for row in effect_of(data, design="randomised", covariates="").explanation["deciles"]:
        for key, who in (("control", ~arm), ("treated", arm)):
            want = np.quantile(y[who], row["decile"], method="inverted_cdf")
            assert row[key] == pytest.approx(want)
        assert row["low"] <= row["difference"] <= row["high"]


def test_the_band_of_deciles_holds_for_all_together():
    """Of a confounded outcome moved by 1: every decile moves by 1."""
    missed = 0
    for seed in range(12):
        data = study(np.random.default_rng(seed), 300, "shift", shift=1.0)
        rows = effect_of(data, draws=99).explanation["deciles"]
        missed += not all(row["low"] <= 1 <= row["high"] for row in rows)
        assert all(row["control"] <= row["treated"] for row in rows[2:7])
    assert missed <= binom.ppf(0.9995, 12, 0.05)


def test_bands_of_quantiles_are_read_off_those_of_distribution_functions():
    found = Curves(
        points=np.array([1.0, 2.0, 3.0]), lowest=0.0, highest=9.0, smooth=False,
        values=np.array([[0.2, 0.5, 0.8]] * 2), low=np.array([[0.1, 0.4, 0.7]] * 2),
        high=np.array([[0.3, 0.6, 0.9]] * 2),
    )  # fmt: skip
    middle, low, high = found.quantiles(0)
    np.testing.assert_array_equal(middle, [1, 1, 2, 2, 2, 3, 3, 3, 9])
    np.testing.assert_array_equal(low, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(high, [1, 2, 2, 2, 3, 3, 3, 9, 9])


def test_picture_of_both_arms_and_of_who_had_which_chance(tmp_path):
    data = study(np.random.default_rng(3), 300, "shift", shift=1.0)
    result = effect_of(data, plot=str(tmp_path / "effect.svg"))
    assert "chance of treatment" in (tmp_path / "effect.svg").read_text()
    shares = result.explanation["shares"]
    assert 0.8 < sum(shares["treated"]) <= 1
    assert sum(result.explanation["overlap"]["propensity"]["control"]) == pytest.approx(1)
    three = data.assign(arm=np.arange(300) % 3)
    effect_of(three, plot=str(tmp_path / "three.svg"), design="randomised")
    assert "arm = 2" in (tmp_path / "three.svg").read_text()


def one_arm(rng, n, kind="null"):
    """The outcome of the treated is standard normal had all been treated; they are confounded."""
    X = rng.normal(size=(n, 3))
    arm = 0.8 * X[:, 0] + 0.5 * X[:, 1] + rng.logistic(size=n) > 0
    y = 0.6 * X[:, 0] + 0.8 * rng.normal(size=n)
    if kind == "modes":
        y = 0.44 * y + np.where(rng.random(n) < 0.5, 0.9, -0.9)
    data = pd.DataFrame({f"x{i}": X[:, i] for i in range(3)})
    return data.assign(arm=arm * 1, y=np.where(arm, y, 7.0))


def test_one_arm_is_compared_with_a_density_as_if_all_rows_were_in_it():
    data = one_arm(np.random.default_rng(31), 600)
    treated = data.loc[data.arm == 1, ["y"]]
    assert kstest.ksd(treated, target="normal(0, 1)", threads=1).verdict == "rejected"
    result = effect_of(data, target="normal(0, 1)")
    assert result.verdict == "not rejected"
    assert result.explanation["arm"] == "arm = 1"
    assert effect_of(data, target="normal(0.5, 1)").verdict == "rejected"
    result = effect_of(data, fit="normal")
    assert result.verdict == "not rejected"
    mean, sd = result.explanation["fitted"]
    assert (mean["parameter"], sd["parameter"]) == ("mean", "sd")
    assert mean["low"] < 0 < mean["high"] < 0.3
    assert sd["low"] < 1 < sd["high"] < 1.3
    # With a logarithm and its Jacobian the same, and the outcomes of other arms are not looked at.
    positive = data.assign(y=np.where(data.arm == 1, np.exp(data.y), -5.0))
    assert effect_of(positive, target="lognormal(0, 1)").verdict == "not rejected"
    again = effect_of(positive, fit="lognormal")
    assert again.explanation["fitted"][0]["value"] == pytest.approx(mean["value"], abs=0.02)
    # The arm may be any of several: the others are one.
    three = data.assign(arm=np.where(data.arm == 1, 2, np.arange(600) % 2))
    assert effect_of(three, target="normal(0, 1)", arm="2").verdict == "not rejected"
    assert list(effect_of(three, fit="normal", arm="2").n) == ["not arm = 2", "arm = 2"]


def test_two_modes_are_no_normal_distribution_but_a_quartic_one():
    data = one_arm(np.random.default_rng(32), 900, "modes")
    assert effect_of(data, fit="normal").verdict == "rejected"
    # Draws of exp(2 y^2 - y^4), moved and scaled: within the family.
    rng = np.random.default_rng(33)
    grid = np.linspace(-3, 3, 4001)
    cumulative = np.cumsum(np.exp(2 * grid**2 - grid**4))
    y = np.interp(rng.random(1200), cumulative / cumulative[-1], grid)
    frame = pd.DataFrame({"x1": rng.normal(size=1200), "arm": np.arange(1200) % 2, "y": 5 + 3 * y})
    result = effect_of(frame, fit="quartic")
    assert result.verdict == "not rejected"
    second, fourth = (result.explanation["fitted"][k] for k in (1, 3))
    assert second["low"] > 0 > fourth["high"]
    assert effect_of(frame, fit="normal").verdict == "rejected"


def test_fitted_gamma_has_the_parameters_of_the_draws():
    rng = np.random.default_rng(33)
    data = pd.DataFrame({"x1": rng.normal(size=800), "arm": np.arange(800) % 2})
    data["y"] = rng.gamma(2.5, 3.0, 800)
    shape, scale = effect_of(data, fit="gamma").explanation["fitted"]
    assert shape["low"] < 2.5 < shape["high"]
    assert scale["low"] < 3.0 < scale["high"]
    # In other units only the scale is another.
    other = effect_of(data.assign(y=1e6 * data.y), fit="gamma").explanation["fitted"]
    assert other[0]["value"] == pytest.approx(shape["value"], rel=1e-6)
    assert other[1]["value"] == pytest.approx(1e6 * scale["value"], rel=1e-6)


def test_stein_features_have_mean_zero_under_their_density_and_the_slopes_of_differences(rng):
    marks = np.linspace(-2, 2, 9)
    u = rng.normal(size=200_000)
    psi, slope = smooth(u, marks, 0.7)
    step = 1e-6
    differences = (smooth(u[:5] + step, marks, 0.7)[0] - smooth(u[:5] - step, marks, 0.7)[0]) / (
        2 * step
    )
    np.testing.assert_allclose(slope[:5], differences, rtol=1e-5, atol=1e-6)
    xi = -u[:, None] * psi + slope
    assert (np.abs(xi.mean(axis=0)) < 5 * xi.std(axis=0) / np.sqrt(200_000)).all()
    table = np.exp(-((marks[:, None] - marks) ** 2) / (2 * 0.7**2))
    landmarks = smooth(marks, marks, 0.7)[0]
    np.testing.assert_allclose(landmarks @ landmarks.T, table, atol=1e-6)


def test_fitted_parameters_solve_the_least_squares_problem(rng):
    phi = rng.normal(size=(300, 3 * 4)) + 0.5
    fit = fitted(phi, 2)
    zero, one, two = phi.mean(axis=0).reshape(3, 4)
    F = np.stack([one, two], axis=1)
    np.testing.assert_allclose(fit.theta, np.linalg.lstsq(F, -zero, rcond=None)[0])
    np.testing.assert_allclose(F.T @ fit.left.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(F.T @ fit.left.T, 0, atol=1e-10)
    np.testing.assert_allclose(fit.left.mean(axis=0), zero + F @ fit.theta)


def test_what_one_arm_cannot_have_is_refused(rng):
    data = one_arm(rng, 200)
    for more, error, text in (
        ({"arm": "1"}, UsageError, "arm: goes with"),
        ({"target": "normal(0, 1)", "fit": "normal"}, UsageError, "give one"),
        ({"fit": "cauchy"}, UsageError, "accepted: normal, gamma"),
        ({"fit": "normal", "design": "randomised"}, UsageError, "kstest ksd|ksd"),
        ({"fit": "normal", "overlap": "weights"}, UsageError, "overlap: does not go"),
        ({"fit": "normal", "arm": "9"}, UsageError, "arm='9': no such value"),
        ({"fit": "gamma"}, DataError, "values are not above 0"),
        ({"target": "gamma(2, 1)"}, DataError, "outside the target's support"),
        ({"target": "normal(fit)"}, UsageError, "use fit"),
        ({"target": "von_mises(0, 1)"}, UsageError, "angles"),
        ({"fit": "normal", "outcome": "y,x2", "covariates": "x1"}, UsageError, "one outcome"),
    ):
        with pytest.raises(error, match=text):
            effect_of(data, **more)
    with pytest.raises(UsageError, match="say which of the arms"):
        effect_of(data.assign(arm=np.arange(200) % 3), fit="normal")
    few = effect_of(data[:40], fit="normal")
    assert codes(few) == {"too-few-rows"}
    far = data.assign(x0=data.x0 + 30 * data.arm)
    assert codes(effect_of(far, fit="normal")) == {"too-little-overlap"}
    constant = effect_of(data.assign(y=3.0), fit="normal")
    assert constant.verdict in ("no verdict", "rejected")


def test_weights_of_the_least_statistic_are_those_of_a_bounded_least_squares_solver(rng):
    left, base = rng.normal(size=(40, 3)), np.array([3.0, -1.0, 0.5])
    low = 1 + 0.2 * rng.random(40)
    high = low + rng.random(40)
    want = lsq_linear(left.T / 40, -base, (low, high), tol=1e-12)
    found = least_statistic(base, left, low, high, 0.0)
    assert found == pytest.approx(40 * 2 * want.cost, rel=1e-3)
    assert least_statistic(base, left, low, low, 0.0) == pytest.approx(
        40 * ((base + low @ left / 40) ** 2).sum()
    )


def test_a_stronger_effect_takes_a_stronger_hidden_cause():
    factors = []
    for shift in (0.5, 1.5):
        data = study(np.random.default_rng(41), 500, "shift", shift=shift)
        result = effect_of(data, sensitivity=True)
        factors.append(result.explanation["sensitivity"]["odds_factor"])
    assert 1 < factors[0] < factors[1] < 20
    quiet = effect_of(study(np.random.default_rng(5), 300), sensitivity=True)
    assert quiet.verdict == "not rejected"
    assert "sensitivity" not in quiet.explanation
    with pytest.raises(UsageError, match="sensitivity: asks"):
        effect_of(data, sensitivity=True, design="randomised")


def test_a_hidden_cause_of_the_factor_found_is_not_needed_to_explain_confounding():
    """What a cause left out of the covariates does is explained away by about its factor."""
    rng = np.random.default_rng(42)
    n = 4000
    hidden = rng.random(n) < 0.5
    odds = np.where(hidden, 3.0, 1 / 3.0)
    arm = rng.random(n) < odds / (1 + odds)
    data = pd.DataFrame(
        {"x1": rng.normal(size=n), "arm": arm * 1, "y": hidden + rng.normal(size=n)}
    )
    result = effect_of(data, covariates="x1", sensitivity=True)
    assert result.verdict == "rejected"
    assert 1.0 < result.explanation["sensitivity"]["odds_factor"] < 3.0
