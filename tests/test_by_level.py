"""--by: a two-sample test for each level of a column."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import KstestError
from kstest.methods.two_samples.levels import FEWEST, MOST
from kstest.nulls import holm_adjusted
from kstest.sample import Input, Sample


def sides(rng, levels=6, rows=60, shifted=(), by=1.5):
    frames = []
    for far in (False, True):
        names = np.repeat([f"s{k}" for k in range(levels)], rows)
        x = rng.normal(size=len(names))
        x[np.isin(names, shifted)] += by * far
        frames.append(pd.DataFrame({"seg": names, "x": x, "y": rng.normal(size=len(names))}))
    return frames


@pytest.mark.parametrize("name", ["mmd", "ks"])
def test_the_level_that_differs_is_named_with_its_column(name, rng):
    a, b = sides(rng, shifted=["s2"])
    result = getattr(kstest, name)(a, b, by="seg")
    assert result.reject
    assert result.columns == ("x", "y")
    levels = result.explanation["levels"]
    assert levels[0]["level"] == "s2"
    assert levels[0]["column"] == "x"
    assert [r["adjusted_p_value"] <= 0.05 for r in levels] == [True] + 5 * [False]
    assert result.p_value == levels[0]["adjusted_p_value"]
    assert result.explanation["by"]["tested"] == 6


@pytest.mark.parametrize("name", ["mmd", "ks"])
def test_every_level_is_the_test_of_its_rows_alone(name, rng):
    """Statistics of the naive way: split by hand; p-values corrected by Holm."""
    a, b = sides(rng, levels=3, shifted=["s1"], by=0.6)
    test = getattr(kstest, name)
    rows = {r["level"]: r for r in test(a, b, by="seg").explanation["levels"]}
    for level, row in rows.items():
        alone = test(*(f[f.seg == level].drop(columns="seg") for f in (a, b)))
        if name == "ks" or row["p_value"] > 0.05:  # bandwidths do not depend on the seed, bins do
            assert row["statistic"] == pytest.approx(alone.statistic, rel=0.3)
        assert row["p_value"] == pytest.approx(alone.p_value, abs=0.06)
    p = np.array([r["p_value"] for r in rows.values()])
    np.testing.assert_allclose([r["adjusted_p_value"] for r in rows.values()], holm_adjusted(p))


def test_many_levels_can_be_rejected_all_the_same(rng):
    a, b = sides(rng, levels=80, rows=12, shifted=["s7"], by=4.0)
    levels = kstest.mmd(a, b, by="seg", permutations=199).explanation["levels"]
    assert levels[0]["level"] == "s7"
    assert levels[0]["adjusted_p_value"] <= 0.05 / 3


def test_levels_of_one_side_and_small_ones_are_named_and_not_tested(rng):
    a, b = sides(rng)
    a.loc[:2, "seg"] = "few"
    b.loc[:40, "seg"] = "few"
    a.loc[60:70, "seg"] = "old"
    result = kstest.mmd(a, b, by="seg")
    table = {r["level"]: r for r in result.explanation["levels"]}
    assert table["few"]["words"] == f"not tested: fewer than {FEWEST} rows in reference"
    assert table["old"]["words"] == "not tested: no rows in sample"
    assert table["old"]["p_value"] is None
    codes = {w.code: w.message for w in result.warnings}
    assert "old (reference 11, sample 0): on one side only" in codes["levels-on-one-side"]
    assert "few (reference 3, sample 41): fewer than 8 rows" in codes["levels-not-tested"]
    alone = kstest.mmd(a[a.seg == "few"], b[b.seg == "s1"], by="seg")
    assert alone.verdict == "no verdict"


def test_missing_cells_are_a_level(rng):
    a, b = (f.astype({"seg": object}) for f in sides(rng, levels=2))
    b.loc[:59, "x"] += 3
    a.loc[:59, "seg"] = b.loc[:59, "seg"] = None
    result = kstest.mmd(a, b, by="seg", missing="indicator")
    assert [r["level"] for r in result.explanation["levels"]] == ["missing", "s1"]
    assert result.explanation["levels"][0]["adjusted_p_value"] <= 0.05
    with pytest.raises(KstestError, match="'seg'"):
        kstest.mmd(a, b, by="seg")


def test_numbers_are_levels_too_but_not_a_thousand(rng):
    a, b = (f.assign(seg=f.seg.str[1:].astype(int)) for f in sides(rng, shifted=["s4"]))
    assert kstest.ks(a, b, by="seg").explanation["levels"][0]["level"] == "4"
    c = pd.DataFrame({"id": np.arange(MOST + 1), "x": rng.normal(size=MOST + 1)})
    with pytest.raises(KstestError, match="1,001 levels"):
        kstest.ks(c, c, by="id")


def test_a_column_alone_has_nothing_to_compare(rng):
    a, b = sides(rng)
    with pytest.raises(KstestError, match="no other column"):
        kstest.mmd(a[["seg"]], b[["seg"]], by="seg")
    with pytest.raises(KstestError, match="one test"):
        kstest.mmd(a, b, by="seg", explain="rows=3")


def test_mix_of_levels_is_not_compared(rng):
    """Another number of rows of each level is no difference of any of them."""
    a, b = sides(rng, levels=4, rows=80)
    b = b.groupby("seg").sample(frac=1.0, random_state=1).iloc[:180]
    assert kstest.mmd(a, b, by="seg").verdict == "not rejected"
    assert kstest.ks(a, b, columns="seg").verdict == "rejected"


def test_on_the_command_line(rng, tmp_path, capsys):
    paths = []
    for frame, name in zip(sides(rng, shifted=["s3"]), "ab", strict=True):
        paths.append(str(tmp_path / f"{name}.csv"))
        frame.to_csv(paths[-1], index=False)
    # The column is read whatever --columns says, by name or position.
    for by in ("seg", "1"):
        assert run(["mmd", *paths, "--by", by, "--columns", "x"]) == 1
        out = capsys.readouterr().out
        assert "the samples differ in 1 of 6 levels of seg: s3" in " ".join(out.split())
    drawn = tmp_path / "why.svg"
    assert run(["ks", *paths, "--by", "seg", "--format", "json", "--plot", str(drawn)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["params"]["by"] == "seg"
    assert "s3: x" in drawn.read_text()
    for words, said in (
        (["--by", "zz"], "--by: no column 'zz'"),
        (["--by", "seg,x"], "give one column"),
        (["--by", "seg", "--exclude", "seg"], "named by --exclude, too"),
        (["--by", "seg", "--group", "seg"], "named by --group, too"),
    ):
        assert run(["mmd", *paths, *words]) == 2
        assert said in capsys.readouterr().err


def test_rows_keep_their_numbers(rng):
    inputs = (Input("a", 4, 3, 1), Input("b", 3, 3, 0))
    sample = Sample(
        "reference",
        rng.normal(size=(6, 1)),
        ("x",),
        inputs,
        kept=(np.array([1, 3, 4]), None),
        weights=np.arange(6.0),
    )
    some = sample.take(np.array([1, 2, 4]))
    assert [*some.row_numbers] == [3, 4, 2]
    assert [some.where(i) for i in range(3)] == ["row 3 of a", "row 4 of a", "row 2 of b"]
    assert [*some.weights] == [1, 2, 4]
    assert some.n == 3


@pytest.mark.parametrize(("name", "sets"), [("mmd", 60), ("ks", 60)])
def test_family_wise_level(name, sets, rng):
    """No level differs: any is named in at most 5 % of the sets; a level of 10 % would be seen."""
    rejected = 0
    for _ in range(sets):
        a, b = sides(rng, levels=10, rows=12)
        rejected += getattr(kstest, name)(a, b, by="seg", permutations=199).reject
    assert rejected <= 9  # of a level of .05 in one of a thousand
