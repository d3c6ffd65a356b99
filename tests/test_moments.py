"""Residuals given columns: statistic, correction for the fit, estimators, verdicts, messages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.errors import DataError, UsageError
from kstest.methods.moments import Params

LINE = {"residual": "y - b0 - b1*x", "fit": "b0,b1"}


def gaussian(w, h):
    return np.exp(-((w[:, None] - w[None]) ** 2) / (2 * h * h))


@pytest.fixture
def line(rng):
    x = rng.normal(size=80)
    return pd.DataFrame({"x": x, "y": 1 + 2 * x + (0.4 + np.abs(x)) * rng.normal(size=80)})


def fixed(n=60):
    """Rows that no random number generator changes, with the numbers of other programs below."""
    i = np.arange(n, dtype=float)
    u = ((i * 7919) % 101) / 101 - 0.5
    x = np.sin(1.7 * i) + 0.1 * (i % 7)
    z1, z2 = np.cos(2.3 * i), np.sin(0.9 * i + 1)
    w = z1 + 0.7 * z2 + 0.8 * u + 0.3 * np.cos(5 * i)
    y = 1 + 2 * x + (0.3 + 0.5 * abs(x)) * u + 0.2 * x**2
    return pd.DataFrame({"x": x, "y": y, "w": w, "v": 1 + w + u + 0.2 * z1**2, "z1": z1, "z2": z2})


def test_statistic_is_the_sum_over_pairs(line):
    """One bandwidth, no unit of the columns, nothing fitted."""
    result = kstest.moments(
        line, residual="y - 1 - 2*x", given="x", bandwidth="0.7", scale="none", draws=99
    )
    r, K = (line.y - 1 - 2 * line.x).to_numpy(), gaussian(line.x.to_numpy(), 0.7)
    np.fill_diagonal(K, 0)
    n = len(r)
    assert result.statistic == pytest.approx(r @ K @ r / (n * (n - 1)) / np.mean(r**2), rel=1e-5)


def test_signs_carry_the_fit_with_them(line, monkeypatch):
    """Every draw against r* = e r + G . mean(e IF) in its own unit, from matrices."""
    from kstest.methods.moment import statistic
    from kstest.nulls import independent_signs

    kept = {}

    def signs(bins, draws, rng):
        kept["signs"] = independent_signs(bins, draws, rng)
        return kept["signs"]

    def cut(rows, keys, units, rng, before=kstest.moments):
        found = original(rows, keys, units, rng)
        kept["cut"] = found[0]
        return found

    from kstest.methods import moments

    original = moments.cut_rows
    monkeypatch.setattr(moments, "cut_rows", cut)
    monkeypatch.setattr(statistic, "independent_signs", signs)
    found = {}
    whole = statistic.signed
    monkeypatch.setattr(moments, "signed", lambda *given: found.setdefault("it", whole(*given)))
    kstest.moments(line, **LINE, given="x", bandwidth="0.7", scale="none", draws=99)
    x, y = line.x.to_numpy(), line.y.to_numpy()
    X = np.column_stack([np.ones_like(x), x])
    r = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    hat = X @ np.linalg.inv(X.T @ X) @ X.T
    loose = r / (1 - np.diag(hat))  # as if fitted to the other rows
    order, starts, n = kept["cut"].order, kept["cut"].starts, len(r)
    K = gaussian(x, 0.7)
    assert len(starts) == n + 1, "every row has its own sign"
    np.fill_diagonal(K, 0)
    for b in (0, 1, 7, 99):
        e = np.empty(n)
        e[order] = kept["signs"][:, b]
        new = r if b == 0 else e * loose - hat @ (e * loose)
        expected = new @ K @ new / (n * (n - 1)) / np.mean(new**2)
        assert found["it"].T[0, b] == pytest.approx(expected, rel=2e-3, abs=2e-4)


def test_estimates_are_those_of_statsmodels():
    """OLS with HC0, RESET and IVGMM (two steps, not centred) of statsmodels 0.14 on `fixed`."""
    found = kstest.moments(fixed(), **LINE, given="x", draws=99).explanation
    rows = found["parameters"]
    assert [r["estimate"] for r in rows] == pytest.approx([1.08946962, 2.11953139], rel=1e-8)
    assert [r["standard_error"] for r in rows] == pytest.approx([0.02776214, 0.05260023], rel=1e-6)
    reset = found["classical"][0]
    assert (reset.name, reset.statistic) == ("RESET", pytest.approx(22.09612645174819))
    assert reset.p_value == pytest.approx(8.431576315429968e-08)
    options = {"residual": "v - b0 - b1*w", "fit": "b0,b1", "instruments": "z1,z2", "draws": 99}
    found = kstest.moments(fixed(), **options).explanation
    rows = found["parameters"]
    assert [r["estimate"] for r in rows] == pytest.approx([1.09290542, 0.97299268], rel=1e-6)
    assert [r["standard_error"] for r in rows] == pytest.approx([0.0386535, 0.04748152], rel=0.02)
    (hansen,) = found["classical"]
    assert hansen.statistic == pytest.approx(0.05556257070912706, rel=1e-4)
    assert hansen.p_value == pytest.approx(0.8136521678061601, rel=1e-4)


@pytest.mark.parametrize("grouped", [False, True])
def test_signs_multiply_residuals_of_a_fit_to_the_other_rows_or_groups(grouped, rng):
    """Against fits that leave rows out one by one, for least squares and one step of GMM."""
    from kstest.methods.moment.estimate import _left_out

    n = 60
    X, Z = np.column_stack([np.ones(n), rng.normal(size=n)]), rng.normal(size=(n, 2))
    Z = Z + X[:, 1:]
    y = X @ [1, 2] + rng.normal(size=n) * (1 + np.abs(X[:, 1]))
    of = rng.integers(0, 20, n) if grouped else np.arange(n)
    for U in (X, np.column_stack([np.ones(n), Z[:, 0]])):
        theta = np.linalg.solve(U.T @ X, U.T @ y)
        pull = U @ np.linalg.inv(U.T @ X).T
        found = _left_out(y - X @ theta, -X, -pull, of if grouped else None)
        for g in np.unique(of):
            rest, own = of != g, of == g
            other = np.linalg.solve(U[rest].T @ X[rest], U[rest].T @ y[rest])
            np.testing.assert_allclose(found[own], (y - X @ other)[own], rtol=0.02, atol=0.02)


def test_hosmer_lemeshow_by_hand(rng):
    p = rng.uniform(0.1, 0.9, 400)
    y = (rng.random(400) < p).astype(float)
    found = kstest.moments(
        pd.DataFrame({"y": y, "p": p}), residual="y - p", given="p", draws=99
    ).explanation["classical"][0]
    tenths = np.array_split(np.argsort(p), 10)
    by_hand = sum((y[t] - p[t]).sum() ** 2 / (p[t] * (1 - p[t])).sum() for t in tenths)
    assert found.statistic == pytest.approx(by_hand)


def regions(rng, n=600):
    x, north = rng.normal(size=n), rng.random(n) < 0.5
    truth = 1 / (1 + np.exp(-1.2 * x - np.where(north, -0.7, 0.7)))
    y = (rng.random(n) < truth).astype(int)
    p = 1 / (1 + np.exp(-1.2 * x))
    return pd.DataFrame({"y": y, "p": p, "region": np.where(north, "north", "south")})


def test_two_regions_wrong_in_opposite_ways(rng):
    table = regions(rng)
    alone = kstest.moments(table, residual="y - p", given="p")
    assert alone.verdict == "not rejected"
    assert alone.null["exact"]
    both = kstest.moments(table, residual="y - p", given="p,region")
    assert both.verdict == "rejected"
    found = {row["where"]: row["mean"] for row in both.explanation["where"]}
    assert found["region = 'north'"] < -0.05 < 0.05 < found["region = 'south'"]
    assert "predicted too high" in str(both)


def test_order_of_rows_and_units_do_not_matter(line):
    options = {**LINE, "given": "x", "draws": 199}
    first = kstest.moments(line, **options)
    turned = kstest.moments(line.iloc[::-1], **options)
    assert (turned.p_value, turned.statistic) == (first.p_value, pytest.approx(first.statistic))
    scaled = line.assign(x=line.x * 1000, y=line.y * 1e-3)
    again = kstest.moments(scaled, **options)
    assert again.p_value == pytest.approx(first.p_value, abs=0.1)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"residual": "y - b*x - c*x", "fit": "b,c", "given": "x"}, "other values fit as well"),
        ({"residual": "y - y", "given": "x"}, "the same under every"),
        ({"residual": "y - b0 - b1*t", "fit": "b0,b1", "given": "t"}, "the same under every"),
        ({**LINE, "given": "x", "where": "x > 1.2"}, "at least 16"),
        ({"residual": "y - x", "given": "x", "where": "x > 1.2"}, "at least 12"),
        ({**LINE, "instruments": "t", "where": "x > -9"}, ""),
    ],
    ids=str,
)
def test_no_verdict_where_there_is_nothing_to_test(options, why, line):
    table = line.assign(t=np.arange(len(line)) % 2)
    result = kstest.moments(table, **options)
    if why:
        assert result.verdict == "no verdict"
        assert why in result.warnings[0].message + str(result)
    else:
        assert result.reject is not None or result.warnings


@pytest.mark.parametrize("rows", [80, 2000])
def test_a_parameter_for_every_level_leaves_nothing_to_test(rows, rng):
    level = rng.integers(0, 3, rows)
    table = pd.DataFrame({"one": level == 1, "two": level == 2, "y": rng.normal(size=rows)})
    table["level"] = [f"level {k}" for k in level]
    whole = {"residual": "y - b0 - b1*one - b2*two", "fit": "b0,b1,b2", "given": "level"}
    assert kstest.moments(table, **whole).verdict == "no verdict"
    part = {"residual": "y - b0 - b1*one", "fit": "b0,b1", "given": "level"}
    assert kstest.moments(table, **part).verdict == "not rejected"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"given": "x"}, "residual: say what should be 0"),
        ({"residual": "y - x"}, "given: name the columns"),
        ({"residual": "y - q", "given": "x"}, "'q' is no column of the data, nor in fit"),
        ({"residual": "y - x", "given": "y"}, "holds 'y', the outcome"),
        ({"residual": "y - x", "given": "x", "fit": "b"}, "the residual does not use it"),
        ({"residual": "b", "given": "x", "fit": "b"}, "names no column"),
        ({"residual": "y - x*b", "given": "x", "fit": "b=q"}, "give NAME or NAME=START"),
        ({"residual": "y - x*b", "given": "x", "fit": "b,b"}, "names 'b' twice"),
        ({"residual": "y - x", "given": "x", "instruments": "x"}, "fit names none"),
        ({"residual": "y - x", "given": "x", "null": "cubic"}, "accepted: auto, signs"),
        ({"residual": "y - x", "given": "x", "null": "bernoulli"}, "accepted: 0 or 1"),
        ({"residual": "y - x", "given": "x", "features": "2"}, "a number of rows"),
        ({"residual": "y - __import__('os')", "given": "x"}, "residual"),
        ({"residual": "y - log(x)", "given": "x"}, "the residual is nan at row"),
        ({**LINE, "given": "x", "null": "normal"}, "null='normal' and fit"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(options, words, line):
    with pytest.raises((UsageError, DataError)) as caught:
        kstest.moments(line, **options)
    assert words in str(caught.value)


def test_what_was_predicted_with_certainty_and_did_not_happen(rng):
    table = pd.DataFrame({"y": [0, 1] * 30, "p": [0.0, 1.0] * 29 + [0.5, 0.0]})
    result = kstest.moments(table, residual="y - p", given="p")
    assert result.verdict == "rejected"
    assert "row 60 has y = 1 where 0 was predicted" in result.summary
    table["p"] = table.y.astype(float)
    assert kstest.moments(table, residual="y - p", given="p").verdict == "no verdict"


def test_one_row_that_owns_the_statistic_is_named(line):
    line.loc[7, "y"] = 1e4
    codes = {w.code for w in kstest.moments(line, residual="y - x", given="x").warnings}
    assert "one-row" in codes


def test_weak_instruments_are_named(rng):
    z, x, u = rng.normal(size=(3, 200))
    table = pd.DataFrame({"z": z, "x": x + 0.05 * z, "y": x + u})
    found = kstest.moments(table, **LINE, instruments="z", draws=99)
    assert "weak-instruments" in {w.code for w in found.warnings}


def test_missing_cells_of_given_columns_are_a_level(rng):
    x = np.where(rng.random(300) < 0.3, np.nan, rng.normal(size=300))
    table = pd.DataFrame({"x": x, "y": np.where(np.isnan(x), 1.0, 0.0) + rng.normal(size=300)})
    result = kstest.moments(table, residual="y - 0.3", given="x", missing="indicator")
    assert result.verdict == "rejected"
    assert "x is" in result.explanation["where"][0]["where"]
    with pytest.raises(DataError, match="a formula has no value there"):
        kstest.moments(table, residual="x - 0.3", given="y", missing="indicator")


def test_all_pairs_and_landmarks_agree(rng):
    table = regions(rng, 1500)
    for null in ("signs", "bernoulli"):
        found = [
            kstest.moments(
                table, residual="y - p", given="p", null=null, features=features, draws=199
            )
            for features in ("none", "300")
        ]
        assert abs(found[0].p_value - found[1].p_value) < 0.15


@pytest.mark.parametrize("field", ["kernel", "aggregate", "scale"])
def test_options_check_themselves(field):
    with pytest.raises(UsageError, match=field):
        Params(residual="y - x", given="x", **{field: "none at all"})


def level(make, options, sets, draws=99):
    """Number of rejections, and 99.9 % of the binomial distribution at .05 above."""
    from scipy.stats import binom

    rejected = 0
    for k in range(sets):
        table = make(np.random.default_rng([3, k]))
        result = kstest.moments(table, seed=k, draws=draws, threads=1, **options)
        rejected += bool(result.reject)
    return rejected, binom.isf(0.0005, sets, 0.05)


def skewed(rng, n=150):
    x = rng.normal(size=n)
    noise = (0.4 + 0.6 * np.abs(x)) * (rng.exponential(size=n) - 1)
    return pd.DataFrame({"x": x, "y": 1 + x + noise})


def calibrated(rng, n=60):
    p = rng.choice([0.02, 0.5, 0.9], n)
    return pd.DataFrame({"p": p, "y": (rng.random(n) < p).astype(int)})


def clustered(rng, n=300):
    of = np.repeat(np.arange(n // 10), 10)
    shared = rng.normal(size=(2, n // 10))
    x = shared[0][of] + 0.3 * rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": 1 + x + shared[1][of], "user": of})


def decided_by_few(rng, n=60):
    """A few rows far out, noise that grows with the distance."""
    x = np.exp(rng.normal(size=n))
    return pd.DataFrame({"x": x, "y": 1 + x + (0.2 + x) * rng.normal(size=n)})


def unequal(rng):
    """Groups of one row to 100."""
    of = np.repeat(np.arange(30), np.minimum(1 + 2 * rng.pareto(1.2, 30), 100).astype(int))
    shared = rng.normal(size=(2, 30))[:, of] + 0.3 * rng.normal(size=(2, len(of)))
    return pd.DataFrame({"x": shared[0], "y": 1 + shared.sum(0), "user": of})


CASES = {
    "groups of unequal sizes": (unequal, {**LINE, "given": "x", "group": "user"}),
    "a fit with skewed noise of unequal spread": (skewed, {**LINE, "given": "x"}),
    "few tied probabilities": (calibrated, {"residual": "y - p", "given": "p"}),
    "groups": (clustered, {**LINE, "given": "x", "group": "user"}),
}


@pytest.mark.parametrize("name", CASES)
def test_level_in_short(name):
    rejected, most = level(*CASES[name], 60)
    assert rejected <= most


def test_rows_that_decide_on_a_parameter_are_told():
    """Signs of left-out residuals are asymptotic in the rows that decide: .107 of 600 sets."""
    told = rejected = 0
    for k in range(60):
        table = decided_by_few(np.random.default_rng([3, k]))
        result = kstest.moments(table, **LINE, given="x", seed=k, draws=99, threads=1)
        told += "few-rows-decide" in {w.code for w in result.warnings}
        rejected += bool(result.reject)
    assert told >= 50
    assert rejected <= 15  # of 60 at .11: more in 1 of 2,000 runs
    table = skewed(np.random.default_rng(1))
    codes = {w.code for w in kstest.moments(table, **LINE, given="x", draws=99).warnings}
    assert "few-rows-decide" not in codes


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_level(name):
    rejected, most = level(*CASES[name], 600)
    assert rejected <= most
