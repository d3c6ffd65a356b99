"""Independence of numbers, categories and missing cells: values, findings, level."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from scipy.stats.contingency import association

import kstest
from kstest.engine import Work, margins
from kstest.errors import UsageError
from kstest.kernels import KERNELS, MISMATCH, Bank, Rows
from kstest.methods.dependence.column_blocks import Block
from kstest.methods.dependence.kinds import describe
from kstest.sample import Sample

WORK = Work(threads=1)
LETTERS = np.array(["a", "b", "c", "d"])


@pytest.mark.parametrize("name", KERNELS)
def test_margins_count_a_mismatch_of_categories_as_distance(name, rng):
    """One-hot columns, scaled so that two levels are MISMATCH apart, give the same kernel."""
    values, codes = rng.normal(size=(21, 2)), rng.integers(0, 3, (21, 1)).astype(np.int32)
    geometry = KERNELS[name].geometry
    side = MISMATCH[geometry] / 2 if geometry == "cityblock" else np.sqrt(MISMATCH[geometry] / 2)
    one_hot = np.hstack([values, side * np.eye(3)[codes[:, 0]]])
    bank = Bank(KERNELS[name], (1.1,))
    (margin,) = margins([(Rows(values, codes), bank)], True, WORK)
    out, index = np.empty((1, 1, 21, 21)), np.arange(21)[None]
    margin.values(index, index, True, out)
    expected = naive.u_centred(naive.kernel_matrix(one_hot, name, 1.1))
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("permute", ["rows", "bins"])
def test_statistic_of_categories_equals_its_formula(permute, rng):
    kind, y = rng.integers(0, 3, 35), rng.normal(size=35)
    frame = pd.DataFrame({"kind": LETTERS[kind], "y": y})
    options = {"scale": "none", "permutations": 19, "permute": permute, "bandwidth": "0.9"}
    found = kstest.hsic(frame, **options).statistic
    expected = naive.hsic_unbiased(np.eye(3)[kind], y[:, None], "gaussian", 0.9, 0.9)
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_category_that_moves_or_spreads_a_number_is_found(rng):
    kind = rng.integers(0, 4, 240)
    for y in (rng.normal(size=240) + 0.8 * (kind == 2), rng.normal(size=240) * (1 + kind)):
        frame = pd.DataFrame({"noise": rng.normal(size=240), "kind": LETTERS[kind], "y": y})
        found = kstest.hsic(frame, x="noise,kind", y="y")
        assert found.reject
        assert found.columns == ("noise", "y", "kind")
        assert found.explanation["dependence"][0]["x"] == "kind"
        assert found.explanation["dependence"][0]["kind"] == "by level"


def test_two_dependent_categories_are_found_and_labels_do_not_matter(rng):
    x = rng.integers(0, 4, 200)
    y = np.where(rng.random(200) < 0.4, x, rng.integers(0, 4, 200))
    one = kstest.hsic(pd.DataFrame({"x": LETTERS[x], "y": LETTERS[y]}))
    two = kstest.hsic(pd.DataFrame({"x": 10 * x, "y": y}), categorical="x,y")
    assert one.reject
    assert (one.p_value, one.statistic) == (two.p_value, two.statistic)


def test_all_pairs_of_a_mixed_table_come_in_the_order_of_the_file(rng):
    kind = rng.integers(0, 3, 150)
    frame = pd.DataFrame({"kind": LETTERS[kind], "a": rng.normal(size=150) + kind})
    frame["other"] = LETTERS[rng.integers(0, 3, 150)]
    rows = kstest.hsic(frame, all_pairs=True).explanation["all_pairs"]
    found = {(r["x"], r["y"]): r["reject"] for r in rows}
    assert found == {("kind", "a"): True, ("kind", "other"): False, ("a", "other"): False}


def test_blocks_given_one_by_one_may_hold_text(rng):
    kind, y = LETTERS[rng.integers(0, 3, 60)], rng.normal(size=60)
    x = pd.DataFrame({"kind": kind, "a": rng.normal(size=60)})
    two = kstest.hsic(x, y, permutations=99)
    one = kstest.hsic(x.assign(y=y), x="kind,a", y="y", permutations=99)
    assert two.columns == one.columns == ("a", "y", "kind")
    assert (two.p_value, two.statistic) == (one.p_value, one.statistic)
    with pytest.raises(UsageError, match="blocks already"):
        kstest.hsic(x, y, all_pairs=True)


def test_columns_of_one_name_in_two_frames_are_told_apart(rng):
    frames = [pd.DataFrame({"a": rng.normal(size=20), "b": rng.normal(size=20)}) for _ in "xy"]
    found = kstest.hsic(*frames, permutations=99)
    assert found.columns == ("x.a", "x.b", "y.a", "y.b")


def test_a_dependence_on_what_is_missing_is_found(rng):
    x, y = rng.normal(size=(2, 300))
    x[rng.random(300) < np.where(y > 0.5, 0.6, 0.1)] = np.nan
    frame = pd.DataFrame({"x": x, "y": y})
    assert kstest.hsic(frame, missing="indicator").reject
    assert not kstest.hsic(frame, missing="drop").reject


def test_a_missing_cell_is_a_level_and_its_place_holder_says_nothing(rng):
    values, hole = rng.normal(size=(30, 1)), np.zeros((30, 1), bool)
    hole[:5] = True
    values[hole] = 0
    sample = Sample("data", values, ("x",), missing=hole)
    block = Block.of(sample, ("x",))
    np.testing.assert_array_equal(block.codes, hole)
    there = Block.of(Sample("data", values[5:], ("x",)), ("x",)).scaled("robust").values
    np.testing.assert_allclose(block.scaled("robust").values, np.r_[np.zeros((5, 1)), there])


def test_strength_of_categories_equals_its_definition(rng):
    x, y = rng.integers(0, 3, 80), rng.integers(0, 4, 80)
    x[:40] = y[:40] % 3
    none = np.empty((80, 0))
    one, two = (Block(("k",), none, c[:, None].astype(np.int32)) for c in (x, y))
    counts = pd.crosstab(x, y).to_numpy()
    assert describe(one, two).strength == pytest.approx(association(counts, method="cramer"))
    number = Block.of_array(rng.normal(size=(80, 1)) + y[:, None])
    ranks = pd.Series(number.values[:, 0]).rank()
    between = ranks.groupby(y).transform("mean")
    assert describe(two, number).strength == pytest.approx(np.sqrt(between.var() / ranks.var()))


def rejections(form, runs):
    """Rejections at level 0.05 of independent blocks of ties, categories and missing cells."""
    count = 0
    for run in range(runs):
        rng = np.random.default_rng([18, run])
        frame = pd.DataFrame(
            {
                "kind": LETTERS[rng.integers(0, 3, 31)],
                "step": rng.integers(0, 3, 31),
                "tail": rng.standard_cauchy(31),
                "y": rng.integers(0, 4, 31) / 2,
            }
        )
        frame.loc[rng.random(31) < 0.2, "tail"] = np.nan
        options = {"missing": "indicator", "permutations": 39, "permute": form, "threads": 1}
        count += kstest.hsic(frame, x="kind,step,tail", y="y", **options).reject
    return count


@pytest.mark.slow
@pytest.mark.parametrize("form", ["rows", "bins"])
def test_level_of_mixed_blocks_with_ties(form):
    """1,000 null data sets at the default seed; central 99.9 % binomial band at level 0.05."""
    low, high = binom.ppf([0.0005, 0.9995], 1000, 0.05)
    assert low <= rejections(form, 1000) <= high
