"""`ks` over files of which no row is kept: counts of cells, the verdict, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import kstest
from kstest import inputs
from kstest.cli import run
from kstest.engine import Work
from kstest.methods.ks import STATISTICS
from kstest.methods.two_samples import prepared, streamed_columns
from kstest.registry import METHODS
from kstest.sources import survey as spans_room


def write(path, values, **more):
    columns = {f"c{j}": values[:, j] for j in range(values.shape[1])}
    pq.write_table(pa.table({**columns, **more}), path, row_group_size=500)
    return str(path)


def parts(folder, name, values, count):
    for k, x in enumerate(np.array_split(values, count)):
        write(folder / f"{name}-{k:02d}.parquet", x)
    return str(folder / f"{name}-*.parquet")


@pytest.fixture
def values(rng):
    X, Y = rng.normal(size=(6000, 2)), rng.normal([0, 0.3], size=(4000, 2))
    X[:, 0], Y[:, 0] = rng.poisson(3, 6000), rng.poisson(3, 4000)
    return X, Y


@pytest.fixture
def files(tmp_path, values):
    return parts(tmp_path, "a", values[0], 4), parts(tmp_path, "b", values[1], 3)


def test_the_answer_depends_on_neither_threads_nor_spans(files, monkeypatch):
    found = [kstest.ks(*files, scheduler="local", threads=threads) for threads in (1, 2)]
    monkeypatch.setattr(spans_room, "SPAN_ROWS", 1300)
    found.append(kstest.ks(*files, scheduler="local", threads=2))
    assert found[2].provenance["spans"] > found[0].provenance["spans"]
    assert len({(r.p_value, r.statistic, r.provenance["sums"]) for r in found}) == 1
    assert found[0].verdict == "rejected"
    assert found[0].n == {"reference": 6000, "sample": 4000}
    assert found[0].explanation["columns"][0].column == "c1"
    assert found[0].explanation["columns"][1].adjusted_p_value > 0.05


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_those_of_values_rounded_to_cells(name, files, values, monkeypatch):
    kept = []

    def kept_sums(spans, found, how, work):
        kept.append((found, how, prepared.added_up(spans, found, how, work)))
        return kept[0][2]

    monkeypatch.setattr(streamed_columns, "added_up", kept_sums)
    result = kstest.ks(*files, scheduler="local", statistic=name, permutations=99)
    found, how, sums = kept[0]
    here = {c.column: c for c in result.explanation["columns"]}
    for c, column in enumerate(streamed_columns._columns(found)):
        sides = []
        for rows, sketch in zip(values, found.sketches, strict=True):
            left = np.delete(rows[:, c], sketch.numbers)
            sides.append(column.values[np.searchsorted(column.edges, left, side="left")])
        assert sums.cells[c].sum() == sum(map(len, sides)) == sums.counts.sum()
        x, y = sides
        if name == "ks":
            expected = stats.ks_2samp(x, y).statistic
            assert here[f"c{c}"].distance == pytest.approx(expected)
            exact = stats.ks_2samp(*(rows[:, c] for rows in values)).statistic
            assert here[f"c{c}"].distance == pytest.approx(exact, abs=0.03)
        elif name == "ad":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its p-value is capped
                expected = stats.anderson_ksamp([x, y], variant="midrank").statistic
        elif name == "energy":
            expected = stats.energy_distance(x, y)
        else:
            pooled = np.sort(np.concatenate([x, y]))
            F, G = (np.searchsorted(np.sort(s), pooled, "right") / len(s) for s in (x, y))
            f, g = (np.searchsorted(np.sort(s), pooled, "left") / len(s) for s in (x, y))
            weight = len(x) * len(y) / len(pooled) ** 2
            expected = weight * (np.sum((F - G) ** 2) + np.sum((f - g) ** 2)) / 2
        assert here[f"c{c}"].statistic == pytest.approx(expected, rel=1e-9)
    assert how.spent[0].size == found.sketches[found.swapped].numbers.size


def test_the_verdict_is_near_that_of_all_values(files, values):
    here, there = kstest.ks(*files, scheduler="local"), kstest.ks(*values)
    assert here.verdict == there.verdict == "rejected"
    distances = [[c.distance for c in r.explanation["columns"]] for r in (here, there)]
    np.testing.assert_allclose(*distances, atol=0.02)


def test_categories_and_missing_cells(tmp_path, rng):
    sides = []
    for name, share in (("a", 0.5), ("b", 0.3)):
        x = rng.normal(size=(3000, 1))
        x[::100] = np.nan
        kind = np.where(rng.random(3000) < share, "hot", "cold")
        sides.append(write(tmp_path / f"{name}.parquet", x, kind=kind))
    found = kstest.ks(*sides, scheduler="local", missing="drop")
    assert found.explanation["columns"][0].column == "kind"
    assert found.explanation["columns"][0].distance == pytest.approx(0.2, abs=0.05)
    assert "missing-values" in [w.code for w in found.warnings]
    assert "chi-squared" in str(found)


def test_extreme_values_have_cells(tmp_path, rng):
    x = rng.standard_cauchy(size=(2000, 1)) ** 3 * 1e200
    x[:3] = [[1e308], [-1e308], [0.0]]
    sides = [write(tmp_path / f"{k}.parquet", y) for k, y in (("a", x), ("b", x[::-1]))]
    for name in STATISTICS:
        found = kstest.ks(*sides, scheduler="local", statistic=name, permutations=99)
        assert found.verdict == "not rejected"


def test_no_verdict_of_equal_or_of_few_rows(tmp_path, rng):
    same = [write(tmp_path / f"{k}.parquet", np.ones((900, 2))) for k in "ab"]
    assert kstest.ks(*same, scheduler="local").verdict == "no verdict"
    few = write(tmp_path / "few.parquet", rng.normal(size=(300, 2)))
    found = kstest.ks(few, few, scheduler="local")
    assert found.verdict == "no verdict"
    assert "two passes need 400 rows" in found.warnings[-1].message


def test_wide_tables_have_fewer_cells(tmp_path, rng):
    x = rng.normal(size=(2000, 200))
    test = METHODS["ks"].load()
    sides = {"reference": [write(tmp_path / "a.parquet", x)], "sample": [
        write(tmp_path / "b.parquet", x)]}  # fmt: skip
    survey = spans_room.survey(sides, inputs.choose(test.inputs, test.inputs.params(), {}))
    columns = streamed_columns._columns(prepared.prepared(survey, 1, Work(1)))
    assert {len(column.values) for column in columns} == {streamed_columns.FEWEST}


REFUSED = [
    (["--permute", "rows"], "--permute rows: not with files that are read in two passes"),
    (["--block-length", "5"], "--block-length 5: not with files"),
    (["--min-effect", "0.1sd"], "--min-effect 0.1sd: not with files"),
    (["--by", "c1"], "--by c1: not with files"),
    (["--weights", "c1"], "--weights: not with files"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_need_all_rows_are_refused(files, options, words, capsys):
    assert run(["ks", *files, "--scheduler", "local", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(3200, 3200), (20_000, 500)])
def test_level_on_sorted_partitioned_files(m, n, tmp_path):
    sets, rejected = 200, 0
    for seed in range(sets):
        rng = np.random.default_rng([13, seed])
        x, y = np.sort(rng.normal(size=(m, 1)), axis=0), np.sort(rng.normal(size=(n, 1)), axis=0)
        given = parts(tmp_path, "a", x, 20), parts(tmp_path, "b", y, 4)
        found = kstest.ks(*given, scheduler="local", permutations=99, threads=1)
        rejected += found.p_value <= 0.05
    assert stats.binom.ppf(5e-4, sets, 0.05) <= rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)
