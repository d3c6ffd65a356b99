"""`hsic` over files of which no row is kept: features, sums, the verdict, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import kstest
from kstest import inputs as inputs_room
from kstest.cli import run
from kstest.engine import Work
from kstest.engine import feature_sums as sums_room
from kstest.engine.feature_sums import (
    add_cross_products,
    bin_covariances,
    bin_products,
    feature_map,
)
from kstest.errors import DataError, UsageError
from kstest.kernels import KERNELS, BandwidthGrid, Rows
from kstest.methods.dependence import passes, streamed
from kstest.nulls import sign_bins
from kstest.registry import METHODS
from kstest.sources import survey as spans_room

BLOCKS = {"x": "x*", "y": "y*"}
GAUSSIAN = KERNELS["gaussian"]


def write(path, x, y, group=500, **more):
    columns = {f"x{j}": x[:, j] for j in range(x.shape[1])}
    columns |= {f"y{j}": y[:, j] for j in range(y.shape[1])}
    pq.write_table(pa.table({**columns, **more}), path, row_group_size=group)


def parts(folder, x, y, count=3, name="a"):
    places = np.array_split(np.arange(len(x)), count)
    for k, some in enumerate(places):
        write(folder / f"{name}-{k}.parquet", x[some], y[some])
    return str(folder / f"{name}-*.parquet")


def pair(rng, n, strength=0.0, d=2):
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    y[:, 0] += strength * (x[:, 0] ** 2 - 1)
    return x, y


@pytest.fixture
def files(tmp_path, rng):
    return parts(tmp_path, *pair(rng, 6000, 0.3, 2))


def test_features_have_the_kernels_inner_products(rng):
    rows = Rows(rng.normal(size=(400, 2)), rng.integers(3, size=(400, 1)).astype(np.int32))
    grids = [BandwidthGrid(KERNELS[name], (3.0, 1.5)) for name in ("gaussian", "laplace")]
    made = feature_map(rows.take(slice(200)), rows, grids)
    few = rows.take(slice(200, 300))
    f = made.features(few)[:, 1:].astype(float)
    assert np.array_equal(f / sums_room.QUANTUM, np.rint(f / sums_room.QUANTUM))
    for (name, h), weights in zip(made.kernels, made.weights, strict=True):
        a, b = few.values[:, None], few.values[None]
        apart = (few.codes[:, None, 0] != few.codes[None, :, 0]).astype(float)
        if name == "gaussian":
            k = np.exp(-(((a - b) ** 2).sum(-1) + 2 * apart) / (2 * h**2))
        else:
            k = np.exp(-(np.abs(a - b).sum(-1) + 2 / np.sqrt(np.pi) * apart) / h)
        near = f @ weights @ weights.T @ f.T
        k, near = (m - m.mean(0) - m.mean(1)[:, None] + m.mean() for m in (k, near))
        assert (k * near).sum() > 0.95 * np.sqrt((k * k).sum() * (near * near).sum())


def test_features_do_not_depend_on_the_rows_beside_them(rng):
    rows = Rows.of(rng.normal(size=(200, 2)))
    made = feature_map(rows.take(slice(50)), rows, [BandwidthGrid(GAUSSIAN, (2.0, 1.0))])
    beside = Rows.of(np.concatenate([rows.values, [[3e6, -2e6]]]))
    np.testing.assert_allclose(
        made.features(beside)[:200], made.features(rows), atol=2 * sums_room.QUANTUM
    )


def test_statistics_against_plain_loops(rng):
    n, bins = 40, rng.integers(3, size=40)
    made = []
    for d in (1, 2):
        rows = Rows.of(rng.normal(size=(n, d)))
        grid = [BandwidthGrid(GAUSSIAN, (2.0, 1.0))]
        made.append((rows, feature_map(rows.take(slice(10)), rows, grid)))
    (x, fx), (y, fy) = made
    left, right = fx.features(x), fy.features(y)
    out = np.zeros((3, left.shape[1], right.shape[1]))
    for some in (slice(15), slice(15, 40)):
        add_cross_products(left[some], right[some], bins[some], out)
    D, free = bin_covariances(out)
    assert np.array_equal(free, np.bincount(bins, minlength=3) - 1)
    found = [*bin_products(D, fx, fy)]
    for k, (l, m) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        u, v = left[:, 1:] @ fx.weights[l], right[:, 1:] @ fy.weights[m]
        for a in range(3):
            for b in range(3):
                total = 0.0
                for i in np.flatnonzero(bins == a):
                    for j in np.flatnonzero(bins == b):
                        p, q = (w[i] - w[bins == a].mean(0) for w in (u, v))
                        r, s = (w[j] - w[bins == b].mean(0) for w in (u, v))
                        total += (p @ r) * (q @ s)
                assert found[k][a, b] == pytest.approx(total, rel=1e-6, abs=1e-9)


def test_constant_blocks_have_no_features():
    rows = Rows.of(np.ones((50, 1)))
    made = feature_map(rows.take(slice(20)), rows, [BandwidthGrid(GAUSSIAN, (1.0, 0.5))])
    assert made.features(rows).shape == (50, 1)
    assert [w.shape for w in made.weights] == [(0, 0)] * 2
    assert not made.size.any()


def test_the_answer_depends_on_neither_threads_nor_spans(files, monkeypatch):
    options = {"bandwidth": "2,1", "features": "40", "scheduler": "local", **BLOCKS}
    found = [kstest.hsic(files, threads=threads, **options) for threads in (1, 2)]
    for rows in (1, 1300):
        monkeypatch.setattr(spans_room, "SPAN_ROWS", rows)
        found.append(kstest.hsic(files, threads=2, **options))
    monkeypatch.setattr(passes, "HELD_ROWS", 1)
    found.append(kstest.hsic(files, threads=1, **options))
    assert len({r.provenance["spans"] for r in found}) == 3
    assert len({(r.provenance["sums"], r.p_value, r.statistic) for r in found}) == 1
    assert found[0].verdict == "rejected"
    assert found[0].n == {"data": 6000}
    assert not found[0].null["exact"]
    strongest = found[0].explanation["dependence"][0]
    assert (strongest["x"], strongest["y"], strongest["kind"]) == ("x0", "y0", "U-shaped")


@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_the_statistic_is_near_that_of_all_pairs(strength, tmp_path, rng):
    x, y = pair(rng, 3000, 1.5 * strength, 1)
    options = {"bandwidth": "1", "permutations": 199}
    here = kstest.hsic(parts(tmp_path, x, y), scheduler="local", **options, **BLOCKS)
    there = kstest.hsic(x, y, features="none", **options)
    assert here.verdict == there.verdict
    # Both are unbiased estimates of HSIC; the spread of either is about its threshold.
    assert abs(here.statistic - there.statistic) < 0.1 * there.statistic + there.threshold


def test_spent_rows_are_left_out_of_the_sums(files):
    test = METHODS["hsic"].load()
    params = test.inputs.params(**BLOCKS)
    found = spans_room.survey({"data": [files]}, inputs_room.choose(test.inputs, params, {}))
    (sketch,), rows = streamed.first_pass(found, 1, Work(1))
    (sample,) = streamed.spent_rows(found, [sketch])
    names = (("x0", "x1"), ("y0", "y1"))
    how = streamed._setting(sample, sketch, names, params, np.random.default_rng(1))
    more = (how,)
    sums = streamed.second_pass(
        passes.crossed, found, rows, lambda side: more, passes.Sums.empty(how), Work(1)
    )
    assert how.rows == 6000 - 300
    sizes = np.diff(sign_bins(how.rows, how.bins))
    assert np.array_equal(sums.products[:, 0, 0], sizes)
    assert how.bins == 89


def test_text_files_give_the_same_sums(tmp_path, rng):
    x, y = (v.round(3) for v in pair(rng, 1500))
    write(tmp_path / "a.parquet", x, y, group=5000)
    np.savetxt(tmp_path / "a.csv", np.hstack([x, y]), "%.3f", ",", header="x0,x1,y0,y1",
               comments="")  # fmt: skip
    found = [kstest.hsic(tmp_path / f"a.{kind}", scheduler="local", permutations=99, **BLOCKS)
             for kind in ("parquet", "csv")]  # fmt: skip
    assert found[0].provenance["sums"] == found[1].provenance["sums"]


def test_categories_conditions_and_missing_cells(tmp_path, rng):
    x, y = pair(rng, 2000, 0.0, 1)
    kind = np.where(rng.random(2000) < 0.5 + 0.2 * (y[:, 0] > 0), "hot", "cold")
    x[::100] = np.nan
    write(tmp_path / "a.parquet", x, y, kind=kind, day=np.arange(2000) % 10)
    path = tmp_path / "a.parquet"
    options = {"x": "x0,kind", "y": "y0", "missing": "drop", "where": "day < 9"}
    options |= {"bandwidth": "median", "permutations": 199}
    here = kstest.hsic(path, scheduler="local", **options)
    there = kstest.hsic(pq.read_table(path), **options)
    assert here.n == there.n
    assert here.verdict == there.verdict == "rejected"
    assert "missing-values" in [w.code for w in here.warnings]
    assert {r["x"] for r in here.explanation["dependence"]} == {"x0", "kind"}
    pair_of = kstest.hsic(
        path, scheduler="local", columns="kind,y0", bandwidth="median"
    )  # two columns: two blocks
    assert pair_of.explanation["blocks"] == [["y0"], ["kind"]]
    assert pair_of.explanation["dependence"][0]["z"] > 3


def test_no_verdict_of_few_rows_and_of_constant_blocks(tmp_path, rng):
    few = parts(tmp_path, *pair(rng, 300))
    found = kstest.hsic(few, scheduler="local", **BLOCKS)
    assert found.verdict == "no verdict"
    assert "two passes need 400 rows" in found.warnings[-1].message
    same = parts(tmp_path, np.ones((900, 1)), rng.normal(size=(900, 1)), name="b")
    found = kstest.hsic(same, scheduler="local", **BLOCKS)
    assert found.verdict == "no verdict"
    assert "constant in the rows of the first pass" in found.warnings[-1].message
    small = parts(tmp_path, *pair(rng, 420, 2.0), name="c")
    assert kstest.hsic(small, scheduler="local", **BLOCKS).null["bins"] == 16


def test_neighbours_that_are_alike_are_named_where_both_blocks_have_them(tmp_path, rng):
    x, y = np.cumsum(rng.normal(size=(2, 3000, 1)), axis=1)
    options = {"bandwidth": "median", "scheduler": "local", **BLOCKS}
    found = kstest.hsic(parts(tmp_path, x, y), **options)
    assert "serial-dependence" in [w.code for w in found.warnings]
    found = kstest.hsic(parts(tmp_path, x, rng.normal(size=(3000, 1))), **options)
    assert "serial-dependence" not in [w.code for w in found.warnings]


def test_a_picture_is_drawn_of_the_spent_rows(files, tmp_path):
    options = {"bandwidth": "median", "plot": tmp_path / "why.svg", **BLOCKS}
    kstest.hsic(files, scheduler="local", **options)
    assert (tmp_path / "why.svg").read_text().startswith("<?xml")


def test_files_larger_than_half_of_the_memory_are_read_twice(files, monkeypatch, capsys):
    monkeypatch.setattr("kstest.inputs.spans.memory", lambda: 200_000.0)
    words = ["hsic", files, "--x", "x*", "--y", "y*", "--bandwidth", "1", "--format", "json"]
    assert run(words) == 1
    captured = capsys.readouterr()
    assert "the files are read in two passes" in captured.err
    assert json.loads(captured.out)["null"]["scheme"] == "random signs of bins of rows"


REFUSED = [
    (["--features", "none"], "--features none: not with files that are read in two passes"),
    (["--features", "400"], "--features 400: give at most 300; landmarks are among the 300 rows"),
    (["--permute", "rows"], "--permute rows: not with files"),
    (["--bins", "12"], "--bins 12: not with files"),
    (["--block-length", "5"], "--block-length 5: not with files"),
    (["--lags", "0:3"], "--lags 0:3: not with files"),
    (["--given", "x1"], "--given"),
    (["--kernel", "energy"], "--kernel energy: not with files"),
    (["--min-effect", "0.1r"], "--min-effect 0.1r: not with files"),
    (["--group", "x1"], "--group: not with files"),
    (["--missing", "indicator"], "--missing indicator: not with files"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_need_all_rows_are_refused(files, options, words, capsys):
    blocks = ["--x", "x0", "--y", "y*"] if options[1] == "x1" else ["--x", "x*", "--y", "y*"]
    assert run(["hsic", files, *blocks, "--scheduler", "local", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_other_numbers_of_blocks_are_refused(files, capsys):
    words = ["hsic", files, "--scheduler", "local", "--quiet"]
    assert run([*words, "--all-pairs"]) == 2
    assert run([*words, "--block", "x0", "--block", "x1", "--block", "y0"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--all-pairs True: not with files" in said
    assert "joint independence of more than two blocks: not with files" in said
    assert run(words) == 2
    assert "4 columns: say which to test against which" in " ".join(capsys.readouterr().err.split())


def test_parts_that_differ_or_change_are_named(files, tmp_path, monkeypatch):
    first = streamed.first_pass

    def then_changed(*given):
        found = first(*given)
        write(tmp_path / "a-1.parquet", np.ones((70, 2)), np.ones((70, 2)))
        return found

    monkeypatch.setattr(streamed, "first_pass", then_changed)
    with pytest.raises(DataError, match=r"a-1.parquet: has changed while it was read"):
        kstest.hsic(files, scheduler="local", **BLOCKS)
    write(tmp_path / "a-9.parquet", np.ones((70, 2)), np.ones((70, 1)))
    with pytest.raises(DataError, match=r"a-9.parquet"):
        kstest.hsic(files, scheduler="local", **BLOCKS)
    with pytest.raises(UsageError, match="found ndarray; with scheduler="):
        kstest.hsic(np.ones((900, 2)), scheduler="local")


def test_level_and_power_in_a_file_sorted_by_both_blocks(tmp_path):
    """Rows near each other in it depend, whether or not the blocks do."""
    count = {0.0: 0, 0.2: 0}
    for strength in count:
        for seed in range(10):
            x, y = pair(np.random.default_rng([4, seed]), 2000, strength, 1)
            order = np.argsort((x + y)[:, 0])
            found = kstest.hsic(
                parts(tmp_path, x[order], y[order], 4), scheduler="local", permutations=99,
                threads=1, features="40", bandwidth="1", **BLOCKS,
            )  # fmt: skip
            count[strength] += found.p_value <= 0.05
    assert count[0.0] <= stats.binom.ppf(1 - 5e-4, 10, 0.05)
    assert count[0.2] >= 8


def normal(rng, n):
    return rng.normal(size=(n, 1))


def skewed(rng, n):
    return rng.lognormal(sigma=1.5, size=(n, 1))


def rare(rng, n):
    return (rng.random((n, 1)) < 0.02) * rng.exponential(size=(n, 1))


@pytest.mark.slow
@pytest.mark.parametrize("law", [normal, skewed, rare])
@pytest.mark.parametrize("n", [1000, 4000])
def test_level_on_sorted_files(law, n, tmp_path):
    sets, rejected = 300, 0
    for seed in range(sets):
        rng = np.random.default_rng([5, seed])
        x, y = law(rng, n), law(rng, n)
        order = np.argsort((x + y)[:, 0], kind="stable")
        found = kstest.hsic(
            parts(tmp_path, x[order], y[order], 8), scheduler="local", permutations=99, threads=1,
            **BLOCKS,
        )  # fmt: skip
        rejected += found.p_value is not None and found.p_value <= 0.05
    assert rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)
