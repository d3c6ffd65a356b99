"""`hsic` over files of which no row is kept: cells, counts, the verdict, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import kstest
from kstest import inputs as inputs_room
from kstest.cli import run
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.kernels import KERNELS, BandwidthGrid
from kstest.methods.dependence import passes, streamed
from kstest.methods.dependence.cells import cells_of, kernel_features
from kstest.nulls.tables import random_tables
from kstest.registry import METHODS
from kstest.sources import survey as spans_room

BLOCKS = {"x": "x*", "y": "y*", "permutations": 99, "features": "30"}
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


def test_random_tables_are_those_of_permuted_rows():
    """Against all permutations of seven rows."""
    a, b = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 1, 2])

    def table(order):
        out = np.zeros((3, 3), np.int64)
        np.add.at(out, (a, b[list(order)]), 1)
        return out

    every = Counter(table(order).tobytes() for order in permutations(range(7)))
    rows, columns = table(range(7)).sum(axis=1), table(range(7)).sum(axis=0)
    drawn = random_tables(rows, columns, 4000, np.random.default_rng(1))
    assert (drawn.sum(axis=2) == rows).all()
    assert (drawn.sum(axis=1) == columns).all()
    found = Counter(one.tobytes() for one in drawn)
    assert set(found) <= set(every)
    seen = np.array([found[one] for one in every])
    expected = 4000 * np.array([every[one] for one in every]) / 5040
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_random_tables_of_empty_cells_and_of_many_rows():
    rows = np.array([0, 500_000_000, 0, 399_999_999])
    drawn = random_tables(rows, rows[::-1].copy(), 2, np.random.default_rng(1))
    assert (drawn.sum(axis=2) == rows).all()
    assert (drawn.sum(axis=1) == rows[::-1]).all()


@pytest.mark.parametrize("name", ["gaussian", "laplace"])
def test_features_of_cells_have_the_kernels_inner_products(name, rng):
    values, codes = rng.normal(size=(50, 2)), rng.integers(3, size=(50, 1)).astype(np.int32)
    cells = cells_of(values, codes, "none", 30)
    assert len(cells) == 30
    counts = rng.integers(0, 9, size=30)
    grid = BandwidthGrid(KERNELS[name], (3.0, 1.5))
    x, c = cells.values.values, cells.values.codes[:, 0]
    share, held = counts / counts.sum(), counts > 0
    for h, features in zip(grid.bandwidths, kernel_features(cells, grid, counts), strict=True):
        k = np.empty((30, 30))
        for i in range(30):
            for j in range(30):
                if name == "gaussian":
                    far = ((x[i] - x[j]) ** 2).sum() + 2 * (c[i] != c[j])
                    k[i, j] = np.exp(-far / (2 * h**2))
                else:
                    far = np.abs(x[i] - x[j]).sum() + 2 / np.sqrt(np.pi) * (c[i] != c[j])
                    k[i, j] = np.exp(-far / h)
        k = k - k @ share - (share @ k)[:, None] + share @ k @ share
        found = features @ features.T
        np.testing.assert_allclose(found[np.ix_(held, held)], k[np.ix_(held, held)], atol=2e-3)
        np.testing.assert_allclose(share @ features, 0, atol=1e-9)


def test_the_nearest_cell_is_that_of_plain_loops(rng):
    values, codes = rng.normal(size=(300, 2)), rng.integers(3, size=(300, 1)).astype(np.int32)
    cells = cells_of(values[:100], codes[:100], "standard", 20)
    x, z = cells.units.scaled(values), cells.values
    for i, cell in enumerate(cells.of(values, codes)):
        far = [((x[i] - v) ** 2).sum() + 2 * (codes[i, 0] != c[0])
               for v, c in zip(z.values, z.codes, strict=True)]  # fmt: skip
        assert far[cell] == pytest.approx(min(far))
    single = cells_of(values[:100, :1], codes[:, :0], "robust", 16)
    assert single.edges is not None
    some = single.of(values[:100, :1], codes[:100, :0])
    assert np.array_equal(some, [(v > single.edges).sum() for v in values[:100, 0]])
    means = [single.units.scaled(values[:100, :1])[some == k].mean() for k in range(16)]
    np.testing.assert_allclose(single.values.values[:, 0], means)


def test_statistics_against_plain_loops_over_rows(rng):
    """HSIC of rounded rows, shifted to mean 0 over all permutations, of the same tables."""
    n = 60
    x, y = rng.normal(size=(2, n, 1))
    blocks = [cells_of(v, np.empty((n, 0), np.int32), "none", 8) for v in (x, y)]
    a, b = (c.of(v, np.empty((n, 0), np.int32)) for c, v in zip(blocks, (x, y), strict=True))
    counts = np.zeros((1, 8, 8), np.int64)
    np.add.at(counts[0], (a, b), 1)
    grid = BandwidthGrid(GAUSSIAN, (1.0, 0.5))
    how = passes.Setting((("x",), ("y",)), tuple(blocks), (), n, 1, None, np.empty(0, np.int64))
    params = METHODS["hsic"].load().inputs.params(permutations=20)
    found = streamed._statistics(
        how, counts, [(grid, grid)], params, np.random.default_rng(3), Work(1)
    )
    drawn = np.random.default_rng(3)
    seed = int(drawn.integers(2**63))
    other = random_tables(counts[0].sum(1), counts[0].sum(0), 20, np.random.default_rng(seed))
    for row, (_, (g, h)) in zip(found.T, found.combinations, strict=True):
        sides = []
        for cells, place, width in ((blocks[0], a, g), (blocks[1], b, h)):
            v = cells.values.values[place, 0]
            k = np.exp(-((v[:, None] - v[None]) ** 2) / (2 * width**2))
            sides.append(k - k.mean(0) - k.mean(1)[:, None] + k.mean())
        shift = np.trace(sides[0]) * np.trace(sides[1]) / (n - 1)
        value = ((sides[0] * sides[1]).sum() - shift) / (n * (n - 3))
        assert row[0] == pytest.approx(value, rel=1e-4, abs=1e-6)
        # The first random table, by rows that have it.
        p, q = np.nonzero(other[0])
        p, q = np.repeat(p, other[0][p, q]), np.repeat(q, other[0][p, q])
        v, w = blocks[0].values.values[p, 0], blocks[1].values.values[q, 0]
        k, l = (np.exp(-((u[:, None] - u[None]) ** 2) / (2 * s**2)) for u, s in ((v, g), (w, h)))
        k, l = (m - m.mean(0) - m.mean(1)[:, None] + m.mean() for m in (k, l))
        assert row[1] == pytest.approx(((k * l).sum() - shift) / (n * (n - 3)), rel=1e-4, abs=1e-6)


def test_the_answer_depends_on_neither_threads_nor_spans(files, monkeypatch):
    options = {"bandwidth": "2,1", "scheduler": "local", **BLOCKS}
    found = [kstest.hsic(files, threads=threads, **options) for threads in (1, 2)]
    for rows in (1, 1300):
        monkeypatch.setattr(spans_room, "SPAN_ROWS", rows)
        found.append(kstest.hsic(files, threads=2, **options))
    assert len({r.provenance["spans"] for r in found}) == 3
    assert len({(r.provenance["sums"], r.p_value, r.statistic) for r in found}) == 1
    assert found[0].verdict == "rejected"
    assert found[0].n == {"data": 6000}
    assert found[0].null["exact"]
    assert found[0].kernel["cells"] == [30, 30]
    strongest = found[0].explanation["dependence"][0]
    assert (strongest["x"], strongest["y"], strongest["kind"]) == ("x0", "y0", "U-shaped")


@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_the_statistic_is_near_that_of_all_pairs(strength, tmp_path, rng):
    x, y = pair(rng, 3000, 1.5 * strength, 1)
    options = {"bandwidth": "1", "permutations": 199}
    here = kstest.hsic(parts(tmp_path, x, y), scheduler="local", x="x0", y="y0", **options)
    there = kstest.hsic(x, y, features="none", **options)
    assert here.verdict == there.verdict
    # Both are unbiased estimates of HSIC; the spread of either is about its threshold.
    assert abs(here.statistic - there.statistic) < 0.1 * there.statistic + there.threshold


def totals(found, rows, how):
    empty = passes.Sums.empty(how)
    more = (how,)
    return streamed.second_pass(
        passes.counted, found, rows, lambda side: more, empty, Work(1)
    ).counts


def test_the_order_of_the_rows_makes_no_difference(tmp_path, rng, monkeypatch):
    """But for the spent rows, which are chosen by their number."""
    x, y = pair(rng, 3000, 0.2, 1)
    files, counts = parts(tmp_path, x, y), []
    test = METHODS["hsic"].load()
    params = test.inputs.params(x="x0", y="y0")
    found = spans_room.survey({"data": [files]}, inputs_room.choose(test.inputs, params, {}))
    (sketch,), rows = streamed.first_pass(found, 1, Work(1))
    (sample,) = streamed.spent_rows(found, [sketch])
    for most in (9e8, 1000):
        monkeypatch.setattr(streamed, "MOST_ROWS", int(most))
        how = streamed._setting(
            sample, sketch, (("x0",), ("y0",)), params, np.random.default_rng(1)
        )
        counts.append(totals(found, rows, how))
    left = np.setdiff1d(np.arange(3000), sketch.numbers)
    plain, none = np.zeros((128, 128), np.int64), np.empty((len(left), 0), np.int32)
    cells = [c.of(v[left], none) for c, v in zip(how.cells, (x, y), strict=True)]
    np.add.at(plain, tuple(cells), 1)
    assert np.array_equal(counts[0], plain[None])
    assert counts[1].sum(axis=(1, 2)).tolist() == [950, 950, 950]
    assert np.array_equal(counts[1].sum(axis=0), plain)
    monkeypatch.setattr(streamed, "MOST_ROWS", 1000)
    assert kstest.hsic(files, scheduler="local", **BLOCKS).verdict == "rejected"


def test_text_files_give_the_same_sums(tmp_path, rng):
    x, y = (v.round(3) for v in pair(rng, 1500))
    write(tmp_path / "a.parquet", x, y, group=5000)
    np.savetxt(tmp_path / "a.csv", np.hstack([x, y]), "%.3f", ",", header="x0,x1,y0,y1",
               comments="")  # fmt: skip
    found = [kstest.hsic(tmp_path / f"a.{kind}", scheduler="local", **BLOCKS)
             for kind in ("parquet", "csv")]  # fmt: skip
    assert found[0].provenance["sums"] == found[1].provenance["sums"]


def test_categories_conditions_and_missing_cells(tmp_path, rng):
    x, y = pair(rng, 2000, 0.0, 1)
    kind = np.where(rng.random(2000) < 0.5 + 0.2 * (y[:, 0] > 0), "hot", "cold")
    x[::100] = np.nan
    write(tmp_path / "a.parquet", x, y, kind=kind, day=np.arange(2000) % 10)
    path = tmp_path / "a.parquet"
    options = {"x": "x0,kind", "y": "y0", "missing": "drop", "where": "day < 9"}
    options |= {"bandwidth": "median", "permutations": 99}
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
    assert kstest.hsic(small, scheduler="local", **BLOCKS).kernel["cells"] == [21, 21]


def test_neighbours_that_are_alike_are_named_where_both_blocks_have_them(tmp_path, rng):
    x, y = np.cumsum(rng.normal(size=(2, 3000, 1)), axis=1)
    options = {"bandwidth": "median", "scheduler": "local", **BLOCKS}
    found = kstest.hsic(parts(tmp_path, x, y), **options)
    said = {w.code: w.message for w in found.warnings}
    assert "try fewer rows in memory, with --block-length auto" in said["serial-dependence"]
    found = kstest.hsic(parts(tmp_path, x, rng.normal(size=(3000, 1))), **options)
    assert "serial-dependence" not in [w.code for w in found.warnings]


def test_a_picture_is_drawn_of_the_spent_rows(files, tmp_path):
    options = {"bandwidth": "median", "plot": tmp_path / "why.svg", **BLOCKS}
    kstest.hsic(files, scheduler="local", **options)
    assert (tmp_path / "why.svg").read_text().startswith("<?xml")


def test_files_that_are_too_large_for_the_memory_are_read_twice(files, monkeypatch, capsys):
    monkeypatch.setattr("kstest.inputs.spans.memory", lambda: 200_000.0)
    words = [
        "hsic",
        files,
        "--x",
        "x*",
        "--y",
        "y*",
        "--bandwidth",
        "1",
        "--features",
        "9",
        "--format",
        "json",
    ]
    assert run(words) == 1
    captured = capsys.readouterr()
    assert "the files are read in two passes" in captured.err
    assert json.loads(captured.out)["null"]["scheme"] == "permutation of rows, rounded to cells"


REFUSED = [
    (["--features", "none"], "--features none: not with files that are read in two passes"),
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
                parts(tmp_path, x[order], y[order], 4), scheduler="local",
                threads=1, bandwidth="1", **BLOCKS,
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
            parts(tmp_path, x[order], y[order], 8), scheduler="local", threads=1, x="x0",
            y="y0", permutations=99,
        )  # fmt: skip
        rejected += found.p_value is not None and found.p_value <= 0.05
    assert rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)
