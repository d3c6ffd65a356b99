"""Independence of numbers, categories and missing cells: values, findings, level."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, rankdata
from scipy.stats.contingency import association

import kstest
from kstest.engine import Work
from kstest.engine.margins import margins
from kstest.errors import UsageError
from kstest.kernels import KERNELS, MISMATCH, BandwidthGrid, Rows
from kstest.methods.dependence.column_blocks import Block
from kstest.methods.dependence.kinds import describe
from kstest.methods.dependence.levels import describe_levels
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
    grid = BandwidthGrid(KERNELS[name], (1.1,))
    (margin,) = margins([(Rows(values, codes), grid)], True, WORK)
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
    for y, words in (
        (rng.normal(size=240) + 0.8 * (kind == 2), "by level"),
        (rng.normal(size=240) * (1 + kind), "spread by level"),
    ):
        frame = pd.DataFrame({"noise": rng.normal(size=240), "kind": LETTERS[kind], "y": y})
        found = kstest.hsic(frame, x="noise,kind", y="y")
        assert found.reject
        assert found.columns == ("noise", "y", "kind")
        assert found.explanation["dependence"][0]["x"] == "kind"
        assert found.explanation["dependence"][0]["kind"] == words


def of_levels(rng, size, *draws):
    """Rows of several levels, `size` of each, from one draw each."""
    values = np.concatenate([draw(size) for draw in draws])
    return values, np.repeat(np.arange(len(draws)), size).astype(np.int32)


@pytest.mark.parametrize("size", [150, 1000])
def test_what_differs_between_levels_is_named(size, rng):
    normal, cauchy = rng.normal, rng.standard_cauchy
    cases = {
        "by level": [
            (lambda n: normal(size=n), lambda n: normal(1, 1, n)),
            (lambda n: cauchy(n), lambda n: cauchy(n) + 1),
            (lambda n: rng.poisson(3, n), lambda n: rng.poisson(9, n)),  # also wider, but less so
            (lambda n: normal(0, 1, n), lambda n: normal(1.5, 1.3, n)),
        ],
        "spread by level": [
            (lambda n: normal(size=n), lambda n: normal(size=n) * 2),
            (lambda n: cauchy(n), lambda n: cauchy(n) * 3),
            (lambda n: rng.integers(-2, 3, n), lambda n: rng.integers(-5, 6, n)),
            (lambda n: rng.gamma(1, 1, n) - 0.7, lambda n: 3 * (rng.gamma(1, 1, n) - 0.7)),
        ],
        "shape by level": [
            (lambda n: normal(size=n), lambda n: np.sign(normal(size=n)) + 0.1 * normal(size=n)),
            (lambda n: rng.gamma(1, 1, n) - 1, lambda n: 1 - rng.gamma(1, 1, n)),
        ],
    }  # fmt: skip
    for kind, draws in cases.items():
        for draw in draws:
            found, strength, measure = describe_levels(*of_levels(rng, size, *draw))
            assert (found, 0.1 < strength < 1) == (kind, True), (kind, draw)
            assert measure.startswith("correlation ratio")
            assert measure.endswith(kind.split()[0]) or kind == "by level"


def test_levels_that_do_not_differ_are_not_given_a_name():
    # 200 sets: normal, ties, skew; two levels or many small ones, which give a large ratio.
    named, rng = 0, np.random.default_rng(3)
    for run in range(200):
        levels, size = ((2, 100), (3, 40), (60, 3))[run % 3]
        values = (rng.normal(size=levels * size), rng.poisson(2, levels * size) * 1.0,
                  rng.exponential(size=levels * size))[run % 2 + (run % 5 == 0)]  # fmt: skip
        codes = np.repeat(np.arange(levels), size).astype(np.int32)
        named += describe_levels(values, codes)[0] != "other"
    assert named <= 30
    one = np.zeros(30, np.int32)
    assert describe_levels(rng.normal(size=30), one)[0] == "other"
    assert describe_levels(np.ones(30), np.repeat([0, 1], 15).astype(np.int32))[0] == "other"
    alone = describe_levels(rng.normal(size=30), np.arange(30, dtype=np.int32))
    assert alone[0] == "other"
    assert describe_levels(np.empty(0), np.empty(0, np.int32))[0] == "other"


def test_correlation_ratio_is_the_textbook_one(rng):
    values, codes = of_levels(rng, 40, *(lambda n, k=k: rng.normal(k, 1, n) for k in range(3)))
    ranks = rankdata(values)
    groups = [ranks[codes == k] for k in range(3)]
    between = sum(len(g) * (g.mean() - ranks.mean()) ** 2 for g in groups)
    kind, strength, _ = describe_levels(values, codes)
    assert kind == "by level"
    assert strength == pytest.approx(np.sqrt(between / ((ranks - ranks.mean()) ** 2).sum()))


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
