"""Data quality monitoring: calibrations, checks, alarms, explanations, and their files."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.datasets.drift_tubes import make
from kstest.dqm import alarms, check
from kstest.dqm.settings import sizes
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.inputs.batches import batch_options, from_objects
from kstest.nulls.online import Rule, gamma_lord, gamma_power
from kstest.report import render
from kstest.sources import ReadOptions

FAST = {"batch_size": 100, "toys": 199, "centres": 40, "threads": 1}


def events(n, rng, shift=0.0):
    return pd.DataFrame(rng.normal(size=(n, 2)) + shift, columns=["a", "b"])


@pytest.fixture(scope="module")
def known():
    rng = np.random.default_rng(5)
    reference, pool = events(1500, rng), events(2500, rng)
    return kstest.dqm_calibrate(reference, pool, **FAST)


# --- what a check says


def test_good_batches_keep_quiet_and_a_shift_alarms(known):
    rng = np.random.default_rng(11)
    good, bad = kstest.dqm_check(known, events(100, rng), events(100, rng, 0.7))
    assert good.p_value > 0.01
    assert bad.p_value == 1 / 200  # never 0
    assert bad.verdict == "rejected"
    assert bad.explanation["z"] == pytest.approx(2.576, abs=0.001)  # a number, beyond all toys
    assert bad.explanation["analytic_p_value"] < 1e-6
    assert bad.e_value == pytest.approx(0.5 / np.sqrt(bad.p_value))
    assert bad.to_dict()["null"] == {"scheme": "toys (subsets)", "replicates": 199, "exact": False}


def test_the_batch_is_what_is_judged(known, rng):
    # A published script gave the reference's first rows the label of the batch.
    batch = events(100, rng)
    results = kstest.dqm_check(known, batch, batch + 3)
    t = [r.explanation["kernels"][0]["statistic"] for r in results]
    assert t[1] > t[0] + 20


def test_units_come_from_the_reference_alone(known, rng):
    # Pooled scaling would absorb a part of a shift, and each batch would have its own units.
    batch = events(100, rng)
    rows = known.layout.rows(from_objects("b", batch, _options(known))[0])
    mean, sd = np.array(known.layout.mean), np.array(known.layout.sd)
    assert rows.values == pytest.approx((batch.to_numpy() - mean) / sd)


def _options(known):
    return batch_options(known.layout, ReadOptions(), "b")


def test_same_seed_same_calibration_at_any_time(rng, tmp_path):
    reference, pool = events(300, rng), events(600, rng)
    first, second = (
        kstest.dqm_calibrate(reference, pool, batch_size=50, toys=50, centres=20) for _ in range(2)
    )
    assert np.array_equal(first.toys[0], second.toys[0])
    other = kstest.dqm_calibrate(reference, pool, batch_size=50, toys=50, centres=20, seed=1)
    assert not np.array_equal(first.toys[0], other.toys[0])


def test_order_of_columns_does_not_matter(known, rng):
    batch = events(100, rng)
    one, two = kstest.dqm_check(known, batch, batch[["b", "a"]].assign(c=7.0))
    assert one.statistic == two.statistic


def test_a_batch_of_another_size_is_cut_or_refused(known, rng):
    large, small = kstest.dqm_check(known, events(130, rng), events(99, rng))
    assert large.explanation["events_used"] == 100
    assert small.verdict == "no verdict"
    assert small.p_value is None
    assert "at least 100" in small.warnings[0].message


def test_min_events(known, rng):
    (result,) = kstest.dqm_check(known, events(150, rng), min_events=200)
    assert result.verdict == "no verdict"
    assert result.exit_code == 3


def test_several_sizes_have_their_own_null(rng):
    known = kstest.dqm_calibrate(
        events(800, rng), events(4000, rng), **FAST | {"batch_size": "50,200"}
    )
    results = kstest.dqm_check(known, events(180, rng), events(200, rng))
    assert [r.explanation["events_used"] for r in results] == [50, 50, 50, 200]
    assert not np.array_equal(known.toys[0], known.toys[1])


def test_poisson_counts_are_used(rng):
    known = kstest.dqm_calibrate(events(2000, rng), events(4000, rng), **FAST, count="poisson")
    usual, few = kstest.dqm_check(known, events(104, rng), events(40, rng))
    assert usual.p_value > 0.01 > few.p_value
    result = kstest.dqm_explain(known, events(40, rng))
    assert result.explanation["rate"]["z"] < -5
    assert "mostly the rate" in result.explanation["rate"]["sentence"]


def test_a_broken_bond_between_columns_is_seen():
    # Five readings of one thing; two of them move apart by two thirds of what readings differ by.
    rng = np.random.default_rng(1)

    def readings(n, apart=0.0):
        z = rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, 5))
        z[:, 0] += apart / 2
        z[:, 1] -= apart / 2
        return pd.DataFrame(z, columns=list("abcde"))

    reference, pool = readings(1500), readings(2500)
    bad, found = [readings(100, 0.2) for _ in range(20)], {}
    for scale in ("auto", "standard"):
        known = kstest.dqm_calibrate(reference, pool, **FAST, scale=scale)
        found[scale] = sum(kstest.dqm_check(known, b, alpha=0.05)[0].reject for b in bad)
    assert found["auto"] >= 17 > 14 >= found["standard"]


def test_windows_are_the_stretches_of_the_batch_in_their_order(known):
    rng = np.random.default_rng(11)
    # A published script sorted the events by time, but not the times that cut them.
    whole = pd.concat([events(100, rng), events(100, rng, 1.0), events(100, rng)])
    windows = kstest.dqm_check(known, whole, window=100)
    alone = [kstest.dqm_check(known, whole.iloc[k : k + 100])[0] for k in (0, 100, 200)]
    assert [w.p_value for w in windows] == [a.p_value for a in alone]
    assert [w.reject for w in windows] == [False, True, False]
    overlapping = kstest.dqm_check(known, whole, window=100, step=50)
    assert len(overlapping) == 5
    assert "overlapping-windows" in {n.code for n in overlapping[0].warnings}
    assert "overlapping-windows" not in {n.code for n in windows[0].warnings}


def test_weights_count_as_events(rng):
    reference, pool = events(1000, rng), events(2000, rng).assign(w=1.0)
    plain = kstest.dqm_calibrate(reference, pool[["a", "b"]], **FAST)
    weighted = kstest.dqm_calibrate(reference, pool, weights="w", **FAST)
    batch = events(100, rng)
    (one,) = kstest.dqm_check(plain, batch)
    (two,) = kstest.dqm_check(weighted, batch.assign(w=1.0))
    t = [[k["statistic"] for k in r.explanation["kernels"]] for r in (one, two)]
    assert t[1] == pytest.approx(t[0])
    with pytest.raises(DataError, match="w"):
        kstest.dqm_check(weighted, batch)


def test_the_reference_may_have_negative_weights(rng):
    reference, extra = events(1500, rng), events(200, rng, 3.0)
    signed = pd.concat([reference, extra, extra]).assign(gen=np.r_[np.ones(1700), -np.ones(200)])
    known = kstest.dqm_calibrate(signed, events(2500, rng), reference_weights="gen", **FAST)
    good, bad = kstest.dqm_check(known, events(100, rng), events(100, rng, 1.0))
    assert good.p_value > 0.01 > bad.p_value
    with pytest.raises(DataError, match="none of them negative"):
        kstest.dqm_calibrate(signed[["a", "b"]], signed, weights="gen", **FAST)


def test_categories_and_new_ones(rng):
    def table(n, share=0.1):
        return pd.DataFrame(
            {"x": rng.normal(size=n), "k": rng.choice(["u", "v"], n, p=[share, 1 - share])}
        )

    known = kstest.dqm_calibrate(table(1000), table(2500), **FAST)
    strange = table(100).assign(k="w")
    good, other, new = kstest.dqm_check(known, table(100), table(100, 0.6), strange)
    assert good.p_value > 0.01 > max(other.p_value, new.p_value)
    assert any(n.code == "new-categories" for n in new.warnings)
    explained = kstest.dqm_explain(known, table(100, 0.6))
    assert explained.explanation["ranking"][0].column == "k"


@pytest.mark.parametrize("rule", ["uniform", "kmeans++"])
def test_a_batch_of_a_rare_or_unknown_category_is_no_good_batch(rule, rng):
    def table(n):
        kinds = rng.choice(["u", "v", "rare"], n, p=[0.6, 0.399, 0.001])
        return pd.DataFrame({"x": rng.normal(size=n), "k": kinds})

    known = kstest.dqm_calibrate(table(3000), table(2500), **FAST, centre_rule=rule)
    for kind in ("rare", "new"):
        assert kstest.dqm_check(known, table(100).assign(k=kind))[0].reject
    some = table(100)
    some.loc[:39, "k"] = "new"
    assert kstest.dqm_check(known, some)[0].reject


def test_a_batch_far_outside_of_the_reference_is_no_good_batch(known, rng):
    for shift in (6.0, 60.0, 6e6):
        assert kstest.dqm_check(known, events(100, rng, shift), ranges="warn")[0].reject


def test_missing_cells_can_be_what_differs(rng):
    def table(n, share):
        frame = events(n, rng)
        frame.loc[rng.random(n) < share, "b"] = np.nan
        return frame

    with pytest.raises(DataError, match="missing"):
        kstest.dqm_calibrate(table(800, 0.1), table(2000, 0.1), **FAST)
    known = kstest.dqm_calibrate(table(800, 0.1), table(2500, 0.1), missing="indicator", **FAST)
    good, bad = kstest.dqm_check(known, table(100, 0.1), table(100, 0.5))
    assert good.p_value > 0.01 > bad.p_value


def test_tolerance_keeps_the_usual_differences_between_runs_quiet(rng):
    def run(n, centre):
        return (events(n, rng) + np.array([centre, 0.0])).assign(run=f"at {centre:.6f}")

    centres = rng.normal(scale=0.4, size=30)
    pool = pd.concat([run(300, c) for c in centres])
    reference = events(1500, rng)
    plain = kstest.dqm_calibrate(reference, pool.drop(columns="run"), **FAST)
    tolerant = kstest.dqm_calibrate(reference, pool, group="run", tolerance=True, **FAST)
    batch = events(100, rng) + np.array([0.45, 0.0])
    (one,) = kstest.dqm_check(plain, batch, alpha=0.05)
    (two,) = kstest.dqm_check(tolerant, batch, alpha=0.05)
    assert two.p_value >= 1 / 31
    assert two.p_value > one.p_value
    (far,) = kstest.dqm_check(tolerant, events(100, rng) + np.array([0.0, 2.0]), alpha=0.05)
    assert far.reject
    with pytest.raises(UsageError, match="impossible at this number of good runs"):
        kstest.dqm_check(tolerant, batch, alpha=0.01)


# --- what is refused


def test_pool_and_reference_must_be_apart(rng):
    reference = events(1000, rng)
    for pool in (
        reference,
        pd.concat([events(1500, rng), reference.iloc[:200]]).sample(frac=1, random_state=1),
    ):
        with pytest.raises(DataError, match="in the reference"):
            kstest.dqm_calibrate(reference, pool, **FAST)
    # Few values: equal rows are chance, equal stretches are not.
    coarse, other = events(1000, rng).round(0), events(2000, rng).round(0)
    kstest.dqm_calibrate(coarse, other, **FAST)
    with pytest.raises(DataError, match="in the reference"):
        kstest.dqm_calibrate(coarse, pd.concat([other, coarse.iloc[300:700]]), **FAST)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.drop(columns="b"), "no column 'b'"),
        (lambda b: b.assign(b="x"), "holds text"),
        (lambda b: b.assign(b=b["b"] * 1000), "multiplied by"),
        (lambda b: b.assign(b=b["b"] / 1000), "multiplied by"),
        (lambda b: b.assign(b=b["b"] + 273.15), "far outside"),
    ],
)
def test_other_columns_and_units_are_refused(known, change, words, rng):
    with pytest.raises(DataError, match=words):
        kstest.dqm_check(known, change(events(100, rng)))


def test_a_dead_column_is_an_alarm_and_no_unit(known, rng):
    (result,) = kstest.dqm_check(known, events(100, rng).assign(b=0.0))
    assert result.reject
    (result,) = kstest.dqm_check(known, events(100, rng).assign(b=400.0), ranges="warn")
    assert result.reject
    assert any(n.code == "other-units" for n in result.warnings)


def test_constant_columns_and_small_pools_are_refused(rng):
    with pytest.raises(DataError, match="constant"):
        kstest.dqm_calibrate(events(100, rng).assign(a=1), events(200, rng), **FAST)
    with pytest.raises(DataError, match="fewer than"):
        kstest.dqm_calibrate(events(100, rng), events(90, rng), **FAST)


def test_a_level_below_the_smallest_p_value_is_refused(known, rng):
    with pytest.raises(UsageError, match="impossible at this number of toys"):
        kstest.dqm_check(known, events(100, rng), alpha=0.001)
    (result,) = kstest.dqm_check(known, events(100, rng, 1.0), alpha=1e-6, null="analytic")
    assert result.reject
    assert result.p_value < 1e-6


def test_the_analytic_distribution_needs_a_large_reference(rng):
    known = kstest.dqm_calibrate(events(500, rng), events(2500, rng), **FAST)
    with pytest.raises(UsageError, match="at least 1,000 rows"):
        kstest.dqm_check(known, events(100, rng), null="analytic")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", "0"), ("batch_size", "9..3"), ("widths", "-1"), ("ridge", "1,2"),
        ("toys", 0), ("cut", 2.0), ("draw", "both"), ("centres", 0),
    ],
)  # fmt: skip
def test_options_are_checked(option, value, rng):
    with pytest.raises(UsageError, match=option):
        kstest.dqm_calibrate(events(300, rng), events(300, rng), **FAST | {option: value})


def test_sizes():
    assert sizes("500") == (500,)
    assert sizes("500,100") == (100, 500)
    found = sizes("100..1000")
    assert (found[0], found[-1]) == (100, 1000)
    assert max(np.array(found[1:]) / found[:-1]) < 1.26


def test_ridge_of_falkon_is_divided_by_all_rows(rng):
    reference, pool = events(800, rng), events(1000, rng)
    ours = kstest.dqm_calibrate(reference, pool, **FAST, ridge="4.5e-6")
    theirs = kstest.dqm_calibrate(reference, pool, **FAST, ridge="1e-6", compat="falkon")
    assert theirs.ridges == pytest.approx((1e-6 * 900 / 200,))
    assert theirs.toys[0] == pytest.approx(ours.toys[0], rel=1e-9)


# --- the file


def test_a_file_gives_the_same_answers(known, rng, tmp_path):
    path = str(tmp_path / "k.cal")
    known.save(path)
    again = kstest.dqm_load(path)
    batch = events(100, rng, 0.3)
    (one,), (two,) = kstest.dqm_check(known, batch), kstest.dqm_check(again, batch)
    assert one.p_value == two.p_value
    assert one.explanation == two.explanation
    assert again.layout == known.layout
    again.save(str(tmp_path / "again.cal"))
    assert (tmp_path / "again.cal").read_bytes() == (tmp_path / "k.cal").read_bytes()


def test_damaged_and_foreign_files_are_refused(known, tmp_path):
    path = tmp_path / "k.cal"
    known.save(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        kstest.dqm_load(str(path))
    place = whole.index(b"reference_values") + 400
    path.write_bytes(whole[:place] + b"\x17" + whole[place + 1 :])
    with pytest.raises(DataError, match="damaged"):
        kstest.dqm_load(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", '{"kstest": "calibration", "version": 99}')
    with pytest.raises(DataError, match="version 99"):
        kstest.dqm_load(str(path))


# --- many batches


def test_alarms_persist_and_clear_again():
    seen = [False, True, True, None, False, False, True]
    assert list(alarms.persistent(seen, 2, 3)) == [False, False, True, True, True, False, False]
    assert list(alarms.persistent([True], 2, 3)) == [True]  # all of the verdicts so far
    assert list(alarms.persistent([None, False], 1, 1)) == [False, False]


@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 3), (1, 3), (3, 5)])
def test_expected_false_alarms_are_what_happens(k, n, rng):
    alpha, batches = 0.2, 200_000
    states = np.array(list(alarms.persistent((rng.random(batches) < alpha).tolist(), k, n)))
    begun = np.count_nonzero(states[1:] & ~states[:-1]) / batches
    assert alarms.false_alarms(alpha, k, n) == pytest.approx(begun, rel=0.05)


def test_sequences_of_online_rules_have_a_sum_of_at_most_one():
    assert sum(gamma_lord(j) for j in range(1, 20_000)) < 1
    assert sum(gamma_power(j) for j in range(1, 20_000)) < 1


def test_first_levels_of_online_rules():
    # From the formulas, by hand: alpha 0.05, no rejection yet.
    assert Rule("lond", 0.05).level == pytest.approx(0.05 * 0.43749)
    assert Rule("lord", 0.05).level == pytest.approx(0.005 * 0.07720838 * np.log(2))
    assert Rule("saffron", 0.05).level == pytest.approx(0.5 * 0.025 * 0.43749)
    assert Rule("addis", 0.05).level == pytest.approx(0.25 * 0.025 * 0.43749)
    addis = Rule("addis", 0.05)
    addis.add(0.9)  # above tau: costs nothing
    assert addis.level == pytest.approx(0.25 * 0.025 * 0.43749)
    addis.add(0.4)
    assert addis.level == pytest.approx(0.25 * 0.025 * 0.43749 * 2**-1.6)
    lord = Rule("lord", 0.05)
    assert lord.add(1e-9)
    assert lord.level == pytest.approx(0.005 * gamma_lord(2) + 0.045 * gamma_lord(1))


@pytest.mark.parametrize("name", ["lond", "lord", "saffron", "addis"])
def test_online_rules_keep_the_false_discovery_rate_and_find_something(name, rng):
    shares, found = [], []
    for _ in range(150):
        rule, bad = Rule(name, 0.1), rng.random(100) < 0.2
        p = np.where(bad, 10.0 ** -rng.uniform(4, 8, 100), rng.random(100))
        alarm = np.array([rule.add(float(x)) for x in p])
        shares.append((alarm & ~bad).sum() / max(alarm.sum(), 1))
        found.append((alarm & bad).sum() / bad.sum())
    assert np.mean(shares) < 0.1 + 3 * np.std(shares) / np.sqrt(150)
    assert np.mean(found) > 0.5


def test_a_rule_that_could_not_reject_the_first_batch_is_refused(known, rng):
    with pytest.raises(UsageError, match=r"lord begins with level .* at least 18,6\d\d toys"):
        kstest.dqm_check(known, events(100, rng, 1.0), control="lord")
    (result,) = kstest.dqm_check(known, events(100, rng, 1.0), control="lond", null="analytic")
    assert result.explanation["alarm"]["alarm"]
    assert not {n.code for n in result.warnings} & {"too-few-toys", "dependent-p-values"}
    (result,) = kstest.dqm_check(known, events(100, rng), control="saffron", null="analytic")
    assert "dependent-p-values" in {n.code for n in result.warnings}


@pytest.mark.parametrize("control", ["lond", "saffron", "addis"])
def test_a_clear_change_is_never_called_good_for_lack_of_toys(known, control):
    # Levels fall from batch to batch, below the smallest p-value that toys can give.
    rng = np.random.default_rng(2)
    batches = [*(events(100, rng) for _ in range(12)), events(100, rng, 3.0)]
    results = kstest.dqm_check(known, *batches, control=control, alpha=0.1)
    *good, bad = results
    assert {r.verdict for r in good} == {"not rejected"}
    assert bad.p_value == 1 / 200 > bad.explanation["alarm"]["level"]
    assert bad.verdict == "no verdict"
    assert not bad.explanation["alarm"]["possible"]
    needed = int(1 / bad.explanation["alarm"]["level"])
    assert f"at least {needed:,} --toys" in bad.warnings[0].message.replace(f"{needed - 1:,}", "")
    assert check.exit_code(results) == 3


# --- why


def test_the_column_that_differs_ranks_first(rng):
    def table(n, **fault):
        return pd.DataFrame(make(n, rng, **fault))

    known = kstest.dqm_calibrate(table(1500), table(3000), **FAST | {"batch_size": 300})
    noisy = table(300, threshold=0.25)
    explanation = kstest.dqm_explain(known, noisy).explanation
    assert explanation["ranking"][0].column == "n_hits"
    event = explanation["events"][0]
    assert event["ratio"] > 3
    assert event["values"]["n_hits"] == noisy["n_hits"].iloc[event["row"] - 1]


def test_the_reweighted_reference_follows_the_batch(known, rng):
    from kstest.dqm import explain
    from kstest.dqm.windows import Batch

    batch = events(400, rng, 0.8)
    sample = from_objects("batch", batch, _options(known))[0]
    result, picture = explain.explain(known, Batch("b", sample), explain.Params(), Work(threads=1))
    assert result.reject
    for panel in picture.panels:
        histogram, observed, learned = panel.drawings
        centre = (histogram.edges[1:] + histogram.edges[:-1]) / 2
        means = [float(s @ centre / s.sum()) for s in histogram.shares]
        assert means[2] == pytest.approx(means[1], abs=0.15)
        assert means[0] < means[1] - 0.5
        assert observed.common == learned.common


def test_the_meaning_counts_the_toys_that_are_as_far(known):
    rng = np.random.default_rng(3)
    for shift in (0.0, 0.1, 0.2, 3.0):
        result = kstest.dqm_explain(known, events(100, rng, shift))
        above = round(result.p_value * 200) - 1
        count = f"{above or 'none'} {'is' if above < 2 else 'are'} as far from the reference"
        assert f"Of 199 batches drawn from good events, {count}" in result.explanation["meaning"]
    assert above == 0


def test_the_advice_names_the_column_that_carries_the_evidence(known):
    rng = np.random.default_rng(0)
    one = events(100, rng).assign(b=lambda x: x["b"] + 2)
    text = kstest.dqm_explain(known, one).explanation["advice"]
    assert text[0].startswith("Look at b (higher: median")
    assert "without it the batch would look good" in text[0]
    assert "2 rejected of the last 3 are an alarm" in text[1]
    # The columns alone are as they were; how they go together is not.
    a = rng.normal(size=100)
    both = kstest.dqm_explain(known, pd.DataFrame({"a": a, "b": a}))
    assert both.reject
    assert both.explanation["meaning"].startswith("Of 199")
    quiet = kstest.dqm_explain(known, events(100, rng)).explanation["advice"]
    assert quiet[0].startswith("Nothing.")
    few = kstest.dqm_explain(known, events(20, rng)).explanation
    assert "could not be judged" in few["meaning"]
    assert "smaller batches" in few["advice"][0]


def test_columns_that_only_differ_together_are_named_together(rng):
    a = rng.normal(size=(4000, 3))
    good = pd.DataFrame({"a": a[:, 0], "b": a[:, 1], "c": a[:, 2]})
    known = kstest.dqm_calibrate(good.iloc[:1500], good.iloc[1500:], **FAST)
    x = rng.normal(size=100)
    bound = pd.DataFrame({"a": x, "b": x, "c": rng.normal(size=100)})
    result = kstest.dqm_explain(known, bound).explanation
    assert {c.column for c in result["ranking"][:2]} == {"a", "b"}
    text = result["advice"][0]
    assert "without it the batch would look good" in text or "a, b" in text or "b, a" in text
    wide = bound.assign(a=x + 2, b=x + 2)
    text = kstest.dqm_explain(known, wide).explanation["advice"][0]
    assert "No column alone explains it: how" in text


def test_words_are_about_what_stands_out_most(rng):
    from kstest.methods.describe import NUMBER, in_words
    from kstest.sources import samples_from_objects

    def words(x, y):
        sides = {"reference": pd.DataFrame({"x": x}), "batch": pd.DataFrame({"x": y})}
        return in_words(samples_from_objects(sides, ReadOptions())[0], "x", NUMBER)

    x, y = rng.random(5000), rng.random(500)
    # Three in a hundred events beyond all others: less than medians differ by chance, but certain.
    y[:15] = 1.1
    assert words(x, y).startswith("share above")
    assert words(x, rng.random(500) + 0.2).startswith("higher: median")
    assert words(x, 0.5 + 0.5 * (rng.random(500) - 0.5)).startswith("narrower")
    dice = [rng.integers(1, 7, n).astype(float) for n in (5000, 500)]
    dice[1][:60] = 6
    assert words(*dice).startswith("share of 6")


def test_selftest_passes_and_a_blind_calibration_fails(known):
    from kstest.dqm.selftest import Params, selftest

    assert selftest(known, Params(), Work(threads=1))["passed"]
    blind = replace(known, toys=tuple(t + 1e6 for t in known.toys))
    assert not selftest(blind, Params(), Work(threads=1))["passed"]
    nervous = replace(known, toys=tuple(t - 1e6 for t in known.toys))
    assert not selftest(nervous, Params(), Work(threads=1))["passed"]


# --- without a pool


def test_permutations_equal_fits_from_scratch(rng):
    from kstest.kernels import Rows
    from kstest.likelihood_ratio import Pool, Reference, nystrom, toy_statistics
    from kstest.likelihood_ratio.permute import permutation_statistics

    rows = Rows.of(rng.normal(size=(90, 2)))
    centres, one = rows.take(np.arange(0, 90, 4)), Work(threads=1)
    features = nystrom(centres, (2.0, 1.0), 1e-12)
    batches = [rng.permutation(90)[:30] for _ in range(4)]
    found = permutation_statistics(rows, batches, centres, features, 1e-4, one)
    for b, batch in enumerate(batches):
        others = np.setdiff1d(np.arange(90), batch)
        reference = Reference.of(rows.take(others), None, centres, features, one)
        events = Pool(rows.take(batch))
        t = toy_statistics(reference, events, [np.arange(30)], None, 1e-4, "extended", False, one)
        assert found[:, b] == pytest.approx(t[:, 0], rel=1e-7)


def test_compare_does_not_depend_on_the_order_of_rows(rng):
    X, Y = events(120, rng), events(40, rng, 0.4)
    one = kstest.dqm_compare(X, Y, permutations=99)
    two = kstest.dqm_compare(X.iloc[::-1], Y.iloc[::-1], permutations=99)
    assert one.p_value == two.p_value
    assert kstest.dqm_compare(X, Y + 2, permutations=99).reject
    assert kstest.dqm_compare(X, Y.iloc[:1], permutations=99).verdict == "no verdict"


@pytest.mark.slow
def test_level_of_compare():
    p = []
    for run in range(1000):
        rng = np.random.default_rng([3, run])
        # Ties, skew, and fewer events than centres.
        X, Y = (np.floor(rng.exponential(2, size=(n, 2))) for n in (40, 15))
        result = kstest.dqm_compare(X, Y, permutations=39, centres=15, widths="2,1", threads=1)
        p.append(result.p_value)
    low, high = binom.ppf([5e-4, 1 - 5e-4], 1000, 0.05)
    assert low <= np.count_nonzero(np.array(p) <= 0.05) <= high


@pytest.mark.parametrize("name", ["lond", "lord", "saffron", "addis"])
def test_online_rules_equal_their_formulas(name):
    rng = np.random.default_rng(4)
    for share in (0.0, 0.3, 1.0):
        bad = rng.random(150) < share
        p = np.where(bad, 10.0 ** -rng.uniform(1, 6, 150), rng.random(150)).tolist()
        p[20] = p[21] = 0.5  # on the edge of what ticks and what does not
        p[30] = 0.25
        rule, levels = Rule(name, 0.1), []
        for value in p:
            levels.append(rule.level)
            rule.add(value)
        assert levels == pytest.approx(naive.online_levels(name, 0.1, p), rel=1e-12)


@pytest.mark.parametrize(("seen", "k", "n"), [(1, 2, 3), (2, 2, 3), (2, 3, 5), (4, 2, 5)])
def test_false_alarms_of_few_batches_are_what_happens(seen, k, n, rng):
    alpha, runs = 0.2, 100_000
    verdicts = rng.random((runs, seen)) < alpha
    states = [list(alarms.persistent(row, k, n))[-1] for row in verdicts.tolist()]
    assert alarms.false_alarms(alpha, k, n, seen) == pytest.approx(np.mean(states), rel=0.05)


# --- files of several batches


def test_no_event_is_left_out_without_a_word(known):
    rng = np.random.default_rng(8)
    many = events(530, rng)
    results = kstest.dqm_check(known, many)
    assert [r.explanation["batch"] for r in results] == [
        f"batch 1 rows {k}-{k + 99}" for k in range(1, 500, 100)
    ]
    notices = [n.message for r in results for n in r.warnings if n.code == "events-left-out"]
    assert notices == [
        "batch 1: 30 of 530 events, at its end, are in no window and were not judged"
    ]
    alone = kstest.dqm_check(known, many.iloc[100:200])
    assert alone[0].p_value == results[1].p_value
    whole = kstest.dqm_check(known, many.iloc[:199])  # one window, and most of another
    assert [r.explanation["events_used"] for r in whole] == [100]
    gaps = kstest.dqm_check(known, many, window=100, step=200)
    assert len(gaps) == 3
    assert "230 of 530 events" in gaps[-1].warnings[-1].message
    with pytest.raises(UsageError, match="window=250: the calibration judges 100 events"):
        kstest.dqm_check(known, many, window=250)
    (small,) = kstest.dqm_check(known, many, min_events=1000)
    assert small.verdict == "no verdict"


def test_a_fault_in_a_part_of_a_file_is_no_other_unit(known):
    rng = np.random.default_rng(8)
    part = events(700, rng)
    part.iloc[300:400] = 40.0
    results = kstest.dqm_check(known, part)
    assert [r.reject for r in results] == [k == 3 for k in range(7)]
    with pytest.raises(DataError, match="far outside"):
        kstest.dqm_check(known, part.iloc[300:400])


def test_a_file_of_several_batches_is_explained_as_a_whole(known):
    rng = np.random.default_rng(8)
    bad = kstest.dqm_explain(known, events(1000, rng, 0.5))
    assert bad.reject
    assert len(bad.explanation["windows"]) == 10
    p = sorted(w["p_value"] for w in bad.explanation["windows"])
    assert bad.p_value == pytest.approx(min(10 / k * q for k, q in enumerate(p, 1)))
    assert bad.n["batch"] == 1000
    assert "of the file" in bad.explanation["meaning"]
    assert not kstest.dqm_explain(known, events(1000, rng)).reject


# --- what is blamed


def test_no_column_is_blamed_that_does_not_differ():
    rng = np.random.default_rng(0)
    known = kstest.dqm_calibrate(events(1500, rng), events(2500, rng), **FAST)
    a = rng.normal(size=100)
    result = kstest.dqm_explain(known, pd.DataFrame({"a": a, "b": a}))
    assert result.reject
    assert not any(c.differs for c in result.explanation["ranking"])
    assert min(c.p_value for c in result.explanation["ranking"]) > 0.01
    assert result.explanation["advice"][0].startswith("No single column differs by itself (p ")
    assert "no column by itself: how they go together changed" in render(result, "text")


def test_events_beyond_the_reference_are_counted_where_chance_has_fewer(known):
    rng = np.random.default_rng(6)
    result = kstest.dqm_explain(known, events(100, rng))
    assert result.explanation["beyond"] == []
    batch = events(100, rng)
    batch.loc[:6, "a"] = 6.0
    batch.loc[5:9, "b"] = -6.0
    result = kstest.dqm_explain(known, batch)
    found = result.explanation["beyond"]
    assert [(row["column"], row["end"], row["events"]) for row in found] == [
        ("a", "above", 7),
        ("b", "below", 5),
    ]
    assert result.explanation["beyond_events"] == 10
    assert found[0]["expected"] == pytest.approx(100 / 1501)
    # 7 of 7 outermost among 1,600 events are in the batch: 100 99 ... / (1600 1599 ...).
    exact = np.prod((100 - np.arange(7)) / (1600 - np.arange(7)))
    assert found[0]["p_value"] == pytest.approx(4 * exact)
    assert "7 of 100 events (7 %) lie above" in render(result, "text")
    differ = {c.column: c.words for c in result.explanation["ranking"] if c.differs}
    assert differ["a"] == "share above the reference: 0 % -> 7 %"


@pytest.mark.slow
def test_columns_are_blamed_of_good_batches_as_often_as_the_level_says(known):
    # Tests of columns alone, corrected: of good batches at most a share alpha names any.
    from kstest.dqm.explain import Params, _tested
    from kstest.dqm.findings import Column
    from kstest.dqm.marginal import beyond_range

    rng = np.random.default_rng(12)
    named, runs, params = 0, 120, Params(alpha=0.1)
    reference = known.layout.sample(known.reference.rows, None, "reference")
    for _ in range(runs):
        sample = from_objects("batch", events(100, rng), _options(known))[0]
        rows = [Column(n, "number", "", 1.0, 0.5, -2.0, -1.0, 1.0) for n in ("a", "b")]
        beyond = beyond_range(known, sample, params.alpha)["columns"]
        tested = _tested(known, (reference, sample), rows, beyond, params, Work(threads=1))
        named += any(c.differs for c in tested)
    assert named <= binom.ppf(0.999, runs, 0.1)


def test_a_note_under_the_picture_says_where_the_ratio_cannot_follow(known):
    from kstest.dqm import explain
    from kstest.dqm.windows import Batch

    rng = np.random.default_rng(6)
    for shift, words in ((0.0, 0), (3.0, 1)):
        sample = from_objects("batch", events(100, rng, shift), _options(known))[0]
        _, picture = explain.explain(known, Batch("b", sample), explain.Params(), Work(threads=1))
        assert sum("cannot follow." in note and "beyond the range" in note
                   for note in picture.notes) == words  # fmt: skip


def test_a_change_of_rate_is_no_change_of_columns(rng):
    known = kstest.dqm_calibrate(events(2000, rng), events(4000, rng), **FAST, count="poisson")
    result = kstest.dqm_explain(known, events(300, rng))
    assert result.explanation["advice"][0].startswith("Look at the rate: 300 events are more than")
    assert "no column by itself: the rate" in render(result, "text")
