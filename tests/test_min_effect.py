"""--min-effect: bounds of effects, their levels at the boundary of the null, what is said."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import kstest
from kstest.cli import run as command
from kstest.errors import UsageError
from kstest.methods.min_effect import parsed
from kstest.methods.two_samples.min_effect import EXAMPLE, UNITS
from kstest.nulls.bounds import (
    Means,
    distance_p_value,
    largest,
    share_p_value,
    variation_p_value,
)
from kstest.nulls.rank_bounds import RankCorrelation


def accepts(rejections, sets, level):
    """Whether a rate is no larger than the level, as far as so many sets tell."""
    return rejections <= stats.binom.ppf(0.999, sets, level)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1sd", {"sd": 0.1}),
        ("2%", {"%": 0.02}),
        ("5%-points", {"%-points": 0.05}),
        (" 0.1 sd , 2 %,5 %-points", {"sd": 0.1, "%": 0.02, "%-points": 0.05}),
        ("", {}),
    ],
)
def test_sizes(text, expected):
    assert parsed(text, UNITS, EXAMPLE) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["2", "sd", "-1%", "0%", "100%", "nan sd", "infsd", "2%,3%", ",", "2% 3%", "0.1r", "x%"]
)
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="--min-effect"):
        parsed(text, UNITS, EXAMPLE)


# --- p-values and bounds ----------------------------------------------------------------------


def test_the_tail_of_a_sum_of_two_rayleigh_variables(rng):
    for m, n in ((40, 40), (30, 500)):
        x, y = (rng.rayleigh(1 / (2 * math.sqrt(k)), 200_000) for k in (m, n))
        for t in (0.1, 0.2, 0.3):
            expected = min(1, 2 * float((x + y > t).mean()))
            assert distance_p_value(t + 0.05, 0.05, m, n) == pytest.approx(expected, abs=0.01)
    assert distance_p_value(0.1, 0.1, 50, 50) == 1


@pytest.mark.parametrize("shape", ["normal", "ties", "two values"])
@pytest.mark.parametrize(("m", "n"), [(50, 50), (30, 400)])
def test_level_of_distances_at_the_boundary(shape, m, n):
    """A share of the rows moves by more than all others: sup |F - G| is exactly the share."""
    rng, most, sets = np.random.default_rng([1, m]), 0.1, 400
    found = 0
    for _ in range(sets):
        x, y = rng.normal(size=m), rng.normal(size=n)
        y = np.where(rng.random(n) < most, 9, np.clip(y, None, 8))
        if shape == "ties":
            x, y = np.round(x), np.round(y)
        elif shape == "two values":
            x, y = np.zeros(m), np.where(y == 9, 1.0, 0.0)
        distance = stats.ks_2samp(x, y, method="asymp").statistic
        found += distance_p_value(distance, most, m, n) <= 0.05
    assert accepts(found, sets, 0.05)


@pytest.mark.parametrize(("m", "n"), [(12, 12), (5, 40), (60, 8)])
@pytest.mark.parametrize("most", [0.01, 0.1, 0.4])
def test_shares_hold_their_level_at_every_boundary(m, n, most):
    """All outcomes, with their probabilities."""
    x, y = (k.ravel() for k in np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"))
    p = share_p_value(x, n, y, m, most)
    for share in np.linspace(0, 1 - most, 25):
        mass = stats.binom.pmf(x, n, share + most) * stats.binom.pmf(y, m, share)
        for level in (0.01, 0.05, 0.2):
            assert mass[p <= level].sum() <= level + 1e-9


def test_shares_of_many_rows_are_those_of_the_normal_difference():
    m, n, p, q = 200_000, 100_000, 0.3, 0.325
    (found,) = share_p_value(np.array([q * n]), n, np.array([p * m]), m, 0.02)
    spread = math.sqrt(p * (1 - p) / m + (p + 0.02) * (1 - p - 0.02) / n)
    assert found == pytest.approx(stats.norm.sf((q - p - 0.02) / spread), rel=0.1)


@pytest.mark.parametrize("law", ["equal", "long", "rare"])
def test_level_of_total_variation(law):
    rng, m, n, sets = np.random.default_rng(3), 150, 100, 300
    p = {"equal": np.full(20, 1 / 20), "long": 1 / np.arange(1, 400.0), "rare": np.ones(5000)}[law]
    p = p / p.sum()
    q = 0.8 * p
    q[0] += 0.2  # a fifth of the rows become the first level
    most = float(np.abs(p - q).sum() / 2)
    found = 0
    for _ in range(sets):
        a, b = rng.multinomial(m, p), rng.multinomial(n, q)
        far = float(np.abs(a / m - b / n).sum() / 2)
        found += variation_p_value(far, most, m, n, int(((a + b) > 0).sum())) <= 0.05
    assert accepts(found, sets, 0.05)


LAWS = {
    "normal": (lambda rng, k: rng.normal(size=k), 1.0),
    "exponential": (lambda rng, k: rng.exponential(size=k), 1.0),
    "gamma": (lambda rng, k: rng.gamma(0.3, size=k), math.sqrt(0.3)),
    "t5": (lambda rng, k: rng.standard_t(5, k), math.sqrt(5 / 3)),
    "lognormal": (lambda rng, k: np.exp(rng.normal(size=k)), math.sqrt((math.e - 1) * math.e)),
}


@pytest.mark.parametrize("sets", [150, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("m", "n"), [(60, 60), (60, 1000), (1000, 60), (500, 500)])
@pytest.mark.parametrize("law", LAWS)
def test_level_of_means_at_the_boundary(law, m, n, sign, sets):
    draw, sd = LAWS[law]
    rng, found = np.random.default_rng([4, m, n]), 0
    for _ in range(sets):
        x, y = draw(rng, m), draw(rng, n) + sign * 0.3 * sd
        means = Means.of(x, y, np.ones(m), np.ones(n))
        p = 2 * min(means.p_value(0.3, 1), means.p_value(0.3, -1))
        found += p <= 0.05 and means.known
    assert accepts(found, sets, 0.05)


def test_means_in_any_units_and_with_counts(rng):
    x, y = rng.normal(5, 2, 300), rng.normal(6, 3, 200)
    w, v = np.ones(300), np.ones(200)
    one = Means.of(x, y, w, v)
    for made in (Means.of(x * 1e200, y * 1e200, w, v), Means.of(1e-200 * x, 1e-200 * y, w, v)):
        assert made.p_value(0.1, 1) == pytest.approx(one.p_value(0.1, 1))
    assert one.shift == pytest.approx((y.mean() - x.mean()) / x.std(ddof=1))
    counts = rng.integers(1, 4, 300).astype(float)
    whole = Means.of(np.repeat(x, counts.astype(int)), y, np.ones(int(counts.sum())), v)
    assert Means.of(x, y, counts, v).p_value(0.2, 1) == pytest.approx(whole.p_value(0.2, 1))
    # at the threshold 0 it is Welch's test, but for the skewness
    welch = stats.ttest_ind(y, x, equal_var=False, alternative="greater").pvalue
    assert one.p_value(0.0, 1) == pytest.approx(welch, rel=0.3)
    assert Means.of(np.ones(9), y, np.ones(9), v) is None


def test_a_bound_is_the_p_value_solved():
    bound = largest(lambda most: distance_p_value(0.3, most, 500, 500), 0.3, 0.05)
    assert distance_p_value(0.3, bound, 500, 500) == pytest.approx(0.05, rel=1e-3)
    assert largest(lambda most: 1.0, 0.3, 0.05) == 0


# --- the tests --------------------------------------------------------------------------------


def tables(rng, rows=600, shift=0.0, share=0.5):
    """Numbers, text and missing cells."""
    left = (1 - share) / 2
    frame = pd.DataFrame(
        {
            "a": rng.normal(shift, 1, rows),
            "b": rng.exponential(size=rows),
            "k": rng.choice(["x", "y", "z"], rows, p=[share, left, left]),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "b"] = np.nan
    return frame


@pytest.mark.parametrize("name", ["mmd", "ks"])
@pytest.mark.parametrize(
    ("changed", "size", "verdict"),
    [
        ({}, "2%", "not rejected"),
        ({"shift": 0.6}, "2%", "rejected"),
        ({"shift": 0.6}, "0.2sd,5%-points", "rejected"),
        ({"shift": 0.6}, "0.8sd,5%-points", "not rejected"),
        ({"share": 0.75}, "0.2sd,5%-points", "rejected"),
        ({"share": 0.75}, "0.2sd,5%", "rejected"),
        ({"share": 0.75}, "30%", "not rejected"),
    ],
)
def test_verdicts(name, changed, size, verdict):
    one, two = tables(np.random.default_rng(1)), tables(np.random.default_rng(2), **changed)
    call = getattr(kstest, name)
    result = call(one, two, min_effect=size, missing="indicator")
    plain = call(one, two, missing="indicator")
    assert result.verdict == verdict
    assert (plain.p_value < 0.05) == bool(changed)
    assert result.explanation["min_effect"]["p_value_of_no_change"] == plain.p_value
    assert result.p_value >= plain.p_value
    assert (result.p_value <= 0.05) == (verdict == "rejected")
    effects = result.explanation["effects"]
    assert {e["column"] for e in effects} == {"a", "b", "k", "b missing"}
    assert any(e["bound"] > e["most"] for e in effects) == (verdict == "rejected")
    for e in effects:
        assert 0 <= e["bound"] <= e["effect"]
        assert (e["bound"] > e["most"]) == (e["p_value"] <= 0.05 / 4)
    assert "same" not in result.explanation["summary"]


@pytest.mark.parametrize("sets", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", ["10%", "0.3sd,10%-points"])
def test_level_where_every_column_is_at_the_boundary(size, sets):
    found = 0
    for seed in range(sets):
        rng = np.random.default_rng([9, seed])
        one, two = tables(rng, 300), tables(rng, 300, share=0.6)
        if "sd" in size:
            two["a"] += 0.3
        else:
            two.loc[rng.random(300) < 0.1, "a"] = 9.0
        result = kstest.ks(one, two, min_effect=size, missing="drop", permutations=199)
        found += result.verdict == "rejected"
    assert accepts(found, sets, 0.05)


def test_very_many_rows_do_not_fire_on_nothing(rng):
    one, two = rng.normal(size=300_000), rng.normal(0.015, 1, size=300_000)
    assert kstest.ks(one, two).verdict == "rejected"
    assert kstest.ks(one, two, min_effect="2%").verdict == "not rejected"
    assert kstest.ks(one, two, min_effect="0.3%").verdict == "rejected"


def test_tails_that_are_not_known_are_no_verdict(rng):
    one, two = np.exp(2 * rng.normal(size=80)), np.exp(2 * rng.normal(2, 1, size=80))
    result = kstest.ks(one, two, min_effect="0.1sd")
    assert result.verdict == "no verdict"
    assert [w.code for w in result.warnings] == ["too-few-for-bound"]
    assert kstest.ks(one, two, min_effect="5%").verdict == "rejected"
    constant = kstest.ks(np.ones(80), two, min_effect="0.1sd")
    assert constant.verdict == "no verdict"


def test_counts_are_rows(rng):
    x, y = rng.integers(0, 6, 500), rng.integers(0, 6, 400) + (rng.random(400) < 0.4)
    bins = [pd.DataFrame(np.unique(v, return_counts=True), index=["v", "n"]).T for v in (x, y)]
    counted = kstest.ks(*bins, counts="n", min_effect="5%").explanation["effects"][0]
    rows = kstest.ks(x, y, min_effect="5%").explanation["effects"][0]
    for key in ("effect", "bound", "p_value"):
        assert counted[key] == pytest.approx(rows[key])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"min_effect": "0.1sd"}, "column k has no such size"),
        ({"min_effect": "5%-points"}, "column a has no such size"),
        ({"min_effect": "2%", "group": "g"}, "group"),
        ({"min_effect": "2%", "weights": "w"}, "weights"),
        ({"min_effect": "2%", "block_length": "5"}, "block.length"),
        ({"min_effect": "2"}, "give a size with its unit"),
    ],
)
def test_what_has_no_bound_is_refused_with_the_reason(more, says, rng):
    frames = [tables(rng, 60).assign(g=np.arange(60) // 2, w=1.0 + np.arange(60)) for _ in "ab"]
    if "group" not in more and "weights" not in more:
        frames = [f.drop(columns=["g", "w"]) for f in frames]
    elif "group" in more:
        frames = [f.drop(columns="w") for f in frames]
    with pytest.raises(UsageError, match=says):
        kstest.mmd(*frames, missing="drop", **more)


def test_thresholds_are_printed_whatever_came_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    for name, rows, shift in (("r", 200, 0), ("s", 200, 0), ("t", 200, 2), ("u", 1, 0)):
        pd.DataFrame({"a": rng.normal(shift, 1, rows)}).to_csv(f"{name}.csv", index=False)
    for sample, code in (("s", 0), ("t", 1), ("u", 3)):
        words = ["mmd", "r.csv", f"{sample}.csv", "--min-effect", "2%", "--tolerance", "0.01"]
        assert command(words) == code
        text = capsys.readouterr().out
        assert "more than 2 %" in text
        assert "whichever 1 % of the rows" in text
        assert ("no change   p 0." in text) == (code != 3)
    lines = ['[checks.{0}]\ntest = "mmd"\nreference = "r.csv"\nsample = "{0}.csv"\n']
    lines += ['min-effect = "2%"\ntolerance = 0.01\n']
    (tmp_path / "kstest.toml").write_text("".join("".join(lines).format(n) for n in "stu"))
    assert command(["run", "--threads", "1"]) == 1
    assert capsys.readouterr().out.count("min-effect 2%, tolerance 0.01") == 3
    assert command(["run", "--threads", "1", "--format", "json", "s"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["outcomes"]
    assert one["result"]["params"]["min_effect"] == "2%"
    toml = (tmp_path / "kstest.toml").read_text().replace('"2%"', "2")
    (tmp_path / "kstest.toml").write_text(toml)
    assert command(["validate"]) == 2
    assert "line 5: [checks.s]: --min-effect '2'" in capsys.readouterr().err


def test_a_run_corrects_the_p_value_of_the_effects(tmp_path, monkeypatch, capsys):
    """Not that of no change, which is small whatever is asked for."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    pd.DataFrame({"a": rng.normal(size=20_000)}).to_csv("r.csv", index=False)
    pd.DataFrame({"a": rng.normal(0.1, 1, 20_000)}).to_csv("s.csv", index=False)
    text = '[checks.{0}]\ntest = "ks"\nreference = "r.csv"\nsample = "s.csv"\nmin-effect = "{1}"\n'
    sizes = {"small": "1%", "large": "9%"}
    (tmp_path / "kstest.toml").write_text("".join(text.format(*i) for i in sizes.items()))
    assert command(["run", "--threads", "1", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["outcomes"]
    assert [o["status"] for o in found] == ["rejected", "not rejected"]
    assert found[1]["p_value"] == 1


# --- dependence -------------------------------------------------------------------------------


def tied(rng, n):
    x = rng.poisson(1, n).astype(float)
    return x, rng.poisson(1 + x / 2).astype(float)


def volatile(rng, n):
    x = rng.normal(size=n)
    return x, 0.2 * x + np.exp(x) * rng.normal(size=n)


def bent(rng, n):
    x = rng.normal(size=n)
    return x, x**2 / 2 + rng.normal(size=n)


# made by 10 draws of 200,000 rows
TRUE = {
    tied: (0.350, (False, False)),
    volatile: (0.648, (False, True)),
    bent: (0.425, (True, False)),
}


@pytest.mark.parametrize("sets", [300, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", TRUE)
def test_level_of_rank_correlations_at_the_boundary(draw, sets):
    true, folds = TRUE[draw]
    rng, found = np.random.default_rng(8), []
    for _ in range(sets):
        one = RankCorrelation.of(*draw(rng, 120), *folds)
        found.append((one.r, one.error, one.known and one.p_value(true, 1) <= 0.05))
    r, error, rejected = (np.array(k) for k in zip(*found, strict=True))
    assert accepts(rejected.sum(), sets, 0.05)
    assert error.mean() == pytest.approx(r.std(), rel=0.15)


def test_rank_correlations_are_those_of_scipy(rng):
    x, y = tied(rng, 300)
    assert RankCorrelation.of(x, y).r == pytest.approx(stats.spearmanr(x, y).statistic)
    u, v = (np.abs(stats.rankdata(k) - 150.5) for k in (x, y))
    assert RankCorrelation.of(x, y, True, True).r == pytest.approx(np.corrcoef(u, v)[0, 1])
    rare = (np.arange(300) < 2).astype(float)
    assert not RankCorrelation.of(rare, y).known
    assert not RankCorrelation.of(np.ones(300), y).known
    one = RankCorrelation.of(x, x)
    assert one.p_value(0.9, 1) < 1e-9
    assert one.p_value(0.9, -1) == 1


def test_the_error_of_a_rank_correlation_is_that_of_the_jackknife(rng):
    x, y = volatile(rng, 150)
    for folds in ((False, False), (True, False), (True, True)):
        keep = ~np.eye(150, dtype=bool)
        left = np.array([RankCorrelation.of(x[k], y[k], *folds).r for k in keep])
        jackknife = math.sqrt(149 / 150 * ((left - left.mean()) ** 2).sum())
        assert RankCorrelation.of(x, y, *folds).error == pytest.approx(jackknife, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "size", "verdict"),
    [("line", "0.1r", "rejected"), ("line", "0.6r", "not rejected"), ("bent", "0.1r", "rejected"),
     ("none", "0.1r", "not rejected"), ("faint", "0.1r", "not rejected")],
)  # fmt: skip
def test_verdicts_of_independence(kind, size, verdict):
    rng = np.random.default_rng(7)
    x, noise = rng.normal(size=(2, 6000 if kind == "faint" else 1500))
    y = {"line": x / 2, "bent": x**2 / 2, "none": 0 * x, "faint": 0.1 * x}[kind] + noise
    result = kstest.hsic(x, y, min_effect=size)
    plain = kstest.hsic(x, y)
    assert result.verdict == verdict
    assert result.explanation["min_effect"]["p_value_of_no_change"] == plain.p_value
    assert plain.verdict == ("not rejected" if kind == "none" else "rejected")
    assert not result.null["exact"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"min_effect": "2%"}, "0.1r"),
        ({"min_effect": "0.1r", "y": "k"}, "categories"),
        ({"min_effect": "0.1r", "given": "c"}, "given"),
        ({"min_effect": "0.1r", "block_length": "5"}, "block.length"),
        ({"min_effect": "0.1r", "group": "g"}, "group"),
        ({"min_effect": "0.1r", "missing": "indicator"}, "missing.*indicator"),
    ],
)
def test_dependence_without_such_a_size_is_refused(more, says, rng):
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=["a", "b", "c"])
    frame["k"], frame["g"] = list("xyzx") * 20, np.arange(80) // 2
    if "missing" in more:
        frame.loc[3, "a"] = np.nan
    with pytest.raises(UsageError, match=says):
        kstest.hsic(frame, **{"x": "a", "y": "b", **more})
