"""Two passes over files of which no row is kept: places, sums, the verdict, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import kstest
from kstest import inputs as inputs_room
from kstest.cli import run
from kstest.engine import Work, landmarks
from kstest.engine.landmark_loops import power_sums
from kstest.engine.landmarks import batch_sums, landmark_sums, tables_of_sums
from kstest.errors import DataError, UsageError
from kstest.inputs import spans as inputs_spans
from kstest.kernels import KERNELS, BandwidthGrid, Rows, Units, scale_columns
from kstest.methods.two_passes import sketch
from kstest.methods.two_samples import passes, streamed
from kstest.nulls import partition
from kstest.nulls.places import ROUNDS, placed, scattered
from kstest.registry import METHODS
from kstest.sources import survey as spans_room


def keys(seed):
    return np.random.default_rng(seed).integers(2**64, size=ROUNDS, dtype=np.uint64)


def write(path, values, group=500, **more):
    columns = {f"c{j}": values[:, j] for j in range(values.shape[1])}
    pq.write_table(pa.table({**columns, **more}), path, row_group_size=group)
    return str(path)


def parts(folder, name, values, count, group=500):
    some = np.array_split(values, count)
    return [write(folder / f"{name}-{k:02d}.parquet", x, group) for k, x in enumerate(some)]


@pytest.fixture
def files(tmp_path, rng):
    X, Y = rng.normal(size=(6000, 2)), rng.normal([0, 0.3], size=(4000, 2))
    parts(tmp_path, "a", X, 4)
    parts(tmp_path, "b", Y, 3)
    return str(tmp_path / "a-*.parquet"), str(tmp_path / "b-*.parquet")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 255, 256, 257, 1000, 65537])
def test_scattered_is_a_bijection(n):
    found = scattered(np.arange(n), n, keys(n))
    assert np.array_equal(np.sort(found), np.arange(n))
    part = np.arange(n)[n // 2 :]
    assert np.array_equal(scattered(part, n, keys(n)), found[n // 2 :])


def test_places_of_pairs_of_neighbours_are_uniform():
    n, cells = 1000, np.zeros((4, 4))
    for seed in range(200):
        bins = scattered(np.arange(n), n, keys(seed)) * 4 // n
        np.add.at(cells, (bins[:-1], bins[1:]), 1)
    expected = cells.sum() / 16
    # Pairs of one key depend on each other a little: a bound far beyond that of independence.
    assert ((cells - expected) ** 2 / expected).sum() < 2 * stats.chi2.isf(1e-4, 15)


def test_keys_scatter_every_row_to_every_place():
    places = np.array([scattered(np.array([0, 6]), 7, keys(seed)) for seed in range(1400)])
    for column in places.T:
        assert stats.chisquare(np.bincount(column, minlength=7)).pvalue > 1e-4


@pytest.mark.parametrize(("m", "n", "size"), [(7, 50, 2), (64, 64, 1), (1000, 130_000, 15)])
def test_bins_are_cut_as_where_all_rows_are_there(m, n, size):
    places, cut = placed(m, n, size, np.random.default_rng(1))
    there = partition(m, n, size, np.random.default_rng(2))
    assert (cut.movable, cut.size, cut.unit) == (there.movable, there.size, there.unit)
    assert np.array_equal(cut.starts, there.starts)
    assert np.count_nonzero(cut.labels > 0) == np.count_nonzero(there.labels > 0)
    for side, rows in enumerate((m, n)):
        blocks = places.blocks(side, np.arange(rows))
        assert (cut.labels[np.unique(blocks)] == (1, -1)[side]).all()
        counts = np.bincount(blocks, minlength=len(cut.labels))
        assert np.array_equal(counts[counts > 0], cut.sizes[counts > 0])


@pytest.mark.parametrize("how", ["robust", "standard", "none"])
def test_units_are_those_of_scaled_columns(how, rng):
    x = rng.normal(size=(301, 3)) * [1, 1e9, 1e-5] + [5, 0, 1]
    x[0, 1] = 1e300
    np.testing.assert_allclose(
        Units.of(x, how).scaled(x), scale_columns(x, how), rtol=1e-9, atol=1e-9
    )


def test_units_of_a_column_that_is_constant_so_far():
    units = Units.of(np.full((9, 2), [3.0, 0.0]), "robust")
    assert np.isfinite(units.scaled(np.array([[1e308, -1e308], [3, 0]]))).all()
    assert np.array_equal(units.scaled(np.array([[3.0, 0.0]])), np.zeros((1, 2)))


@pytest.mark.parametrize("name", ["gaussian", "laplace", "imq"])
def test_sums_of_batches_are_those_of_all_rows(name, rng):
    rows = Rows(rng.normal(size=(900, 2)), rng.integers(3, size=(900, 1)).astype(np.int32))
    marks = Rows(rng.normal(size=(40, 2)), rng.integers(3, size=(40, 1)).astype(np.int32))
    grid = [BandwidthGrid(KERNELS[name], (2.0, 1.0))]
    block = rng.integers(6, size=900)
    out = np.zeros((2, 6, 40))
    for first in range(0, 900, 250):
        part = slice(first, first + 250)
        batch_sums(rows.take(part), block[part], marks, grid, out)
    order = np.argsort(block, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(block))])
    there, _ = landmark_sums(rows.take(order), starts, marks, grid, Work(1))
    here, _ = tables_of_sums(out, np.bincount(block), marks, rows.take(slice(500)), grid)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(here[:, off], there[:, off], rtol=1e-4)


@pytest.mark.parametrize(("n", "r"), [(1, 130), (7, 128), (48, 5), (49, 128), (103, 200)])
def test_powers_are_summed_in_one_written_order(n, r, rng):
    values = np.exp(-3 * rng.random((n, r))).astype(np.float32)
    out = np.ones((3, r))
    power_sums(values.copy(), out)
    v = values
    for row in out:
        total, i = np.zeros(r, np.float32), 0
        while i < n:
            size = 1 if n <= 48 else next(k for k in (8, 4, 2, 1) if k <= n - i)
            total += sum(v[i + 1 : i + size], start=v[i])
            i += size
        np.testing.assert_array_equal(row, 1 + total.astype(float))
        v = v * v


def test_compiled_sums_are_those_of_numpy(rng, monkeypatch):
    rows, marks = Rows.of(rng.normal(size=(700, 3))), Rows.of(rng.normal(size=(70, 3)))
    block, grid = rng.integers(3, size=700), [BandwidthGrid(KERNELS["gaussian"], (2.0, 1.0, 0.5))]
    out = np.zeros((2, 3, 5, 70))
    batch_sums(rows, block, marks, grid, out[0])
    monkeypatch.setattr(landmarks, "_gaussian_batch", lambda *given: False)
    batch_sums(rows, block, marks, grid, out[1])
    assert not out[:, :, 3:].any()
    np.testing.assert_allclose(out[0], out[1], atol=1e-4)


def test_sums_of_batches_against_plain_loops(rng):
    x, z, block = rng.normal(size=(60, 2)), rng.normal(size=(5, 2)), rng.integers(3, size=60)
    out = np.zeros((1, 3, 5))
    batch_sums(Rows.of(x), block, Rows.of(z), [BandwidthGrid(KERNELS["gaussian"], (1.5,))], out)
    naive = np.zeros((3, 5))
    for row, g in zip(x, block, strict=True):
        for j, mark in enumerate(z):
            naive[g, j] += np.exp(-((row - mark) ** 2).sum() / (2 * 1.5**2))
    np.testing.assert_allclose(out[0], naive, atol=1e-4)


def test_the_answer_depends_on_neither_threads_nor_spans(files, monkeypatch):
    found = [kstest.mmd(*files, scheduler="local", threads=1)]
    found.append(kstest.mmd(*files, scheduler="local", threads=2))
    for rows in (1, 1300):
        monkeypatch.setattr(spans_room, "SPAN_ROWS", rows)
        found.append(kstest.mmd(*files, scheduler="local", threads=2))
    assert len({r.provenance["spans"] for r in found}) == 3
    assert len({r.provenance["sums"] for r in found}) == 1
    assert len({(r.p_value, r.statistic) for r in found}) == 1
    assert found[0].verdict == "rejected"
    assert found[0].n == {"reference": 6000, "sample": 4000}
    columns = found[0].explanation["columns"]
    assert [c.column for c in columns if c.adjusted_p_value <= 0.05] == ["c1"]


def test_the_verdict_is_near_that_of_all_pairs(files):
    there, here = kstest.mmd(*map(read, files)), kstest.mmd(*files, scheduler="local")
    a, b = there.explanation["effect"]["mmd"], here.explanation["effect"]["mmd"]
    assert there.verdict == here.verdict == "rejected"
    assert abs(a - b) < 0.5 * a


def read(pattern):
    import glob

    return pa.concat_tables(pq.read_table(path) for path in sorted(glob.glob(pattern)))


def test_text_files_give_the_same_sums(tmp_path, rng):
    X, Y = rng.normal(size=(900, 2)).round(3), rng.normal(size=(700, 2)).round(3)
    paths = []
    for name, x in (("a", X), ("b", Y)):
        write(tmp_path / f"{name}.parquet", x, group=5000)
        np.savetxt(tmp_path / f"{name}.csv", x, "%.3f", ",", header="c0,c1", comments="")
        paths.append([str(tmp_path / f"{name}.{kind}") for kind in ("parquet", "csv")])
    parquet, text = (kstest.mmd(a, b, scheduler="local") for a, b in zip(*paths, strict=True))
    assert parquet.provenance["sums"] == text.provenance["sums"]
    stored = kstest.mmd(f"file://{paths[0][0]}", f"file://{tmp_path}/b*.parquet", scheduler="local")
    assert stored.provenance["sums"] == parquet.provenance["sums"]


def test_parts_of_files_are_read(tmp_path, rng):
    h5py = pytest.importorskip("h5py")
    names = []
    for name in "ab":
        X = rng.normal(size=(1500, 2))
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["run/x"], file["other"] = X, X[:5]
        names.append((f"{tmp_path}/{name}.h5:run/x", write(tmp_path / f"{name}.parquet", X, 5000)))
    by_part, whole = (
        kstest.mmd(*files, scheduler="local", permutations=99) for files in zip(*names, strict=True)
    )
    assert by_part.provenance["sums"] == whole.provenance["sums"]
    with pytest.raises(DataError, match="has no 'nix'; it has"):
        kstest.mmd(f"{tmp_path}/a.h5:nix", names[1][0], scheduler="local")
    (tmp_path / "a.h5").unlink()
    with pytest.raises(DataError, match=r"a\.h5"):
        kstest.mmd(*names[0], scheduler="local")


def test_categories_conditions_and_missing_cells(tmp_path, rng):
    for name, share in (("a", 0.5), ("b", 0.3)):
        x = rng.normal(size=(3000, 1))
        x[::100] = np.nan
        kind = np.where(rng.random(3000) < share, "hot", "cold")
        write(tmp_path / f"{name}.parquet", x, kind=kind, day=np.arange(3000) % 10)
    files = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    options = {"missing": "drop", "where": "day < 9", "exclude": "day", "explain": "columns"}
    there = kstest.mmd(*map(pq.read_table, files), **options)
    here = kstest.mmd(*files, scheduler="local", **options)
    assert here.n == there.n
    names = ("rows_read", "rows_used", "rows_dropped", "rows_filtered")
    assert [[i[k] for k in names] for i in here.inputs] == [
        [i[k] for k in names] for i in there.inputs
    ]
    assert here.verdict == "rejected"
    assert here.explanation["columns"][0].column == "kind"
    assert "missing-values" in [w.code for w in here.warnings]


def test_files_that_are_too_large_for_the_memory_are_read_twice(files, monkeypatch, capsys):
    monkeypatch.setattr(inputs_spans, "memory", lambda: 300_000.0)
    assert run(["mmd", *files, "--format", "json", "--explain", "none"]) == 1
    captured = capsys.readouterr()
    assert "the files are read in two passes" in captured.err
    assert '"spans": 2' in captured.out
    assert run(["mmd", *files, "--features", "none"]) == 1  # in memory, as it asks
    said = capsys.readouterr().err
    assert "a run in memory takes about 0.00128 of 0.0003 GB, and the files cannot be" in said
    assert "--features none: not with files that are read in two passes" in said
    assert run(["mmd", *files, "--quiet", "--scheduler", "local", "--plot", "x.txt"]) == 2


def test_a_picture_is_drawn_of_the_spent_rows(files, tmp_path):
    kstest.mmd(*files, scheduler="local", plot=tmp_path / "why.svg")
    assert (tmp_path / "why.svg").read_text().startswith("<?xml")


def test_no_verdict_of_equal_or_of_few_rows(tmp_path, rng):
    same = [write(tmp_path / f"{k}.parquet", np.ones((900, 2))) for k in "ab"]
    assert kstest.mmd(*same, scheduler="local").verdict == "no verdict"
    few = write(tmp_path / "few.parquet", rng.normal(size=(300, 2)))
    found = kstest.mmd(few, few, scheduler="local")
    assert found.verdict == "no verdict"
    assert "two passes need 400 rows" in found.warnings[-1].message


REFUSED = [
    (["--features", "none"], "--features none: not with files that are read in two passes"),
    (["--permute", "rows"], "--permute rows: not with files"),
    (["--block-length", "5"], "--block-length 5: not with files"),
    (["--kernel", "energy"], "--kernel energy: not with files"),
    (["--scale", "auto"], "--scale auto: not with files"),
    (["--explain", "region"], "--explain region: not with files"),
    (["--tolerance", "0.1"], "--tolerance 0.1: not with files"),
    (["--min-effect", "0.1sd"], "--min-effect 0.1sd: not with files"),
    (["--by", "c1"], "--by c1: not with files"),
    (["--group", "c1"], "--group: not with files"),
    (["--weights", "c1"], "--weights: not with files"),
    (["--missing", "indicator"], "--missing indicator: not with files"),
    (["--scheduler", "host:8786"], "--scheduler host:8786: give local, or the address"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_need_all_rows_are_refused(files, options, words, capsys):
    assert run(["mmd", *files, "--scheduler", "local", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pksd", "all rows at once"),
        ("skit", "one after the"),
    ],
)
def test_other_tests_say_why_they_have_no_scheduler(name, why, files, capsys):
    assert run([name, *files[:1], "--scheduler", "local"]) == 2
    assert f"--scheduler: not for {name}: " in (err := capsys.readouterr().err)
    assert why in " ".join(err.split())
    with pytest.raises(UsageError, match=f"not for {name}"):
        getattr(kstest, name)(files[0], scheduler="local")


def test_arrays_and_standard_input_are_refused(rng, files):
    with pytest.raises(UsageError, match="found ndarray; with scheduler="):
        kstest.mmd(rng.normal(size=(9, 2)), files[1], scheduler="local")
    with pytest.raises(UsageError, match="standard input can be read only once"):
        kstest.mmd("-", files[1], scheduler="local")
    for address in ("https://host/a.parquet", "duckdb:select 1"):
        with pytest.raises(UsageError, match="reads files twice and in parts"):
            kstest.mmd(address, files[1], scheduler="local")
    with pytest.raises(UsageError, match="scheduler: found int"):
        kstest.mmd(*files, scheduler=3)


def test_parts_that_differ_are_named_before_any_row_is_read(files, tmp_path, rng):
    write(tmp_path / "a-09.parquet", rng.normal(size=(50, 1)))
    with pytest.raises(DataError, match=r"a-09.parquet do not have the same columns"):
        kstest.mmd(*files, scheduler="local")
    pq.write_table(pa.table({"c0": ["x"] * 9, "c1": np.zeros(9)}), tmp_path / "a-09.parquet")
    with pytest.raises(DataError, match=r"column 'c0' holds numbers .* and text in .*a-09.parquet"):
        kstest.mmd(*files, scheduler="local")
    write(tmp_path / "a-09.parquet", np.zeros((0, 2)))
    with pytest.raises(DataError, match=r"a-09.parquet: has columns but no rows"):
        kstest.mmd(*files, scheduler="local")


def test_a_file_that_changes_between_the_passes(files, tmp_path, rng, monkeypatch):
    first = streamed.prepared

    def then_changed(*given):
        found = first(*given)
        write(tmp_path / "a-01.parquet", rng.normal(size=(1500, 2)))
        return found

    monkeypatch.setattr(streamed, "prepared", then_changed)
    with pytest.raises(DataError, match=r"a-01.parquet: has changed while it was read"):
        kstest.mmd(*files, scheduler="local")


def test_the_same_file_on_both_sides_is_named(files):
    found = kstest.mmd(files[0], files[0], scheduler="local", explain="none")
    assert found.verdict == "not rejected"
    assert "same-file" in [w.code for w in found.warnings]


def test_a_side_without_rows_is_refused(files):
    with pytest.raises(DataError, match="reference: no row is left after where and missing"):
        kstest.mmd(*files, scheduler="local", where="c0 > 100")


def test_missing_cells_name_the_row_of_the_file(files, tmp_path, rng):
    x = rng.normal(size=(1500, 2))
    x[1234, 1] = np.nan
    path = write(tmp_path / "a-01.parquet", x)
    with pytest.raises(DataError, match=re.escape(path)):
        kstest.mmd(*files, scheduler="local")


def test_spent_rows_are_a_uniform_sample_that_sees_no_value(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(sketch, "KEPT", 100)
    x = np.sort(rng.normal(size=(4000, 1)), axis=0)
    test = METHODS["mmd"].load()
    options = inputs_room.choose(test.inputs, test.inputs.params(), {})
    sides = {"reference": parts(tmp_path, "a", x, 4), "sample": parts(tmp_path, "b", x[::-1], 3)}
    found = spans_room.survey(sides, options)
    for key in (1, 2):
        got = streamed.prepared(found, key, Work(1))
        a, b = got.sketches
        assert got.totals == (4000, 4000)
        assert np.array_equal(a.values[:, 0], x[a.numbers, 0])
        assert np.array_equal(b.values[:, 0], x[::-1][b.numbers, 0])
        assert len(set(a.numbers.tolist())) == 100
        assert stats.kstest(a.numbers / 4000, "uniform").pvalue > 1e-4
        assert a.mark == b.mark  # the same rows in another order


def test_spent_rows_are_left_out_of_the_sums(tmp_path, rng):
    x = rng.normal(size=(1000, 2))
    sides = {"reference": parts(tmp_path, "a", x, 2), "sample": parts(tmp_path, "b", x, 2)}
    test = METHODS["mmd"].load()
    found = spans_room.survey(sides, inputs_room.choose(test.inputs, test.inputs.params(), {}))
    prepared = streamed.prepared(found, 1, Work(1))
    how, _, cut = streamed._setting(prepared, test.inputs.params(), np.random.default_rng(1))
    sums = streamed.added_up(found, prepared, how, Work(1))
    assert np.array_equal(sums.counts, cut.sizes)
    assert sums.counts.sum() == 2 * (1000 - 50)
    assert all(np.array_equal(cells.sum(axis=0), cut.sizes) for cells in sums.cells)
    assert isinstance(sums, passes.Sums)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "sets"), [(3200, 3200, 300), (20_000, 500, 150)])
def test_level_on_sorted_partitioned_files(m, n, sets, tmp_path):
    rejected = 0
    for seed in range(sets):
        rng = np.random.default_rng([3, seed])
        x, y = np.sort(rng.normal(size=(m, 1)), axis=0), np.sort(rng.normal(size=(n, 1)), axis=0)
        files = parts(tmp_path, "a", x, 20), parts(tmp_path, "b", y, 4)
        found = kstest.mmd(*files, scheduler="local", permutations=99, explain="none", threads=1)
        rejected += found.p_value <= 0.05
    assert stats.binom.ppf(5e-4, sets, 0.05) <= rejected <= stats.binom.ppf(1 - 5e-4, sets, 0.05)


def test_an_address_with_a_password_is_refused_and_not_shown(capsys):
    from kstest.cli import run

    words = ["mmd", "s3://key:secret@bucket/a.parquet", "b.parquet", "--scheduler", "local"]
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "password is not taken" in said
    assert "secret" not in said


def test_few_rows_and_long_text_are_remarked_for_workers(files, tmp_path, monkeypatch):
    path = tmp_path / "long.csv"
    path.write_text("c0,c1\n" + "1,2\n" * 900)
    test = METHODS["mmd"].load()
    options = inputs_room.choose(test.inputs, test.inputs.params(), {})
    found = spans_room.survey({"reference": [files[0]], "sample": [str(path)]}, options)
    monkeypatch.setattr(inputs_spans, "LONG_TEXT", 100)
    few, long = inputs_spans.remarks_for_workers(found)
    assert few.startswith("about 6,112 rows: below 1,000,000 one machine")
    assert "long.csv: one worker reads the whole file" in long
    monkeypatch.setattr(inputs_spans, "FEW_ROWS", 100)
    assert len([*inputs_spans.remarks_for_workers(found)]) == 1


@pytest.mark.parametrize("names", [("gaussian",), ("laplace",)])
def test_a_far_row_changes_no_sum_but_that_of_its_block(names, rng):
    """Else rows beside it in a file are rounded in another way than those of the other sample."""
    x, z = rng.normal(size=(400, 2)), rng.normal(size=(60, 2))
    far = np.concatenate([x, [[3e6, -2e6]]])
    block = rng.integers(0, 8, 400)
    grids = [BandwidthGrid(KERNELS[name], (4.0, 2.0, 1.0, 0.5)) for name in names]
    plain, beside = np.zeros((2, 4, 9, 60))
    batch_sums(Rows.of(x), block, Rows.of(z), grids, plain)
    batch_sums(Rows.of(far), np.append(block, 8), Rows.of(z), grids, beside)
    np.testing.assert_allclose(beside[:, :8], plain[:, :8], atol=1e-5)


def spent(folder, x, y, monkeypatch, rows=500):
    """Numbers of the spent rows of two sides at one seed."""
    monkeypatch.setattr(spans_room, "SPAN_ROWS", rows)
    test = METHODS["mmd"].load()
    sides = {"reference": parts(folder, "a", x, 4), "sample": parts(folder, "b", y, 3)}
    found = spans_room.survey(sides, inputs_room.choose(test.inputs, test.inputs.params(), {}))
    return [sorted(k.numbers.tolist()) for k in streamed.prepared(found, 7, Work(1)).sketches]


def test_one_seed_spends_other_places_in_other_data(tmp_path, rng, monkeypatch):
    """Else sorted files of one size would lack the same quantiles in every data set."""
    x, y = (np.sort(rng.normal(size=(3000, 1)), axis=0) for _ in range(2))
    first = spent(tmp_path, x, y, monkeypatch)
    assert spent(tmp_path, x, y, monkeypatch, rows=5000) == first
    assert spent(tmp_path, y, x, monkeypatch) == first  # the mark knows no side
    other = spent(tmp_path, x, y + 1e-9, monkeypatch)
    assert all(len(set(a) & set(b)) < 40 for a, b in zip(first, other, strict=True))
    monkeypatch.setattr(sketch, "KEPT", 150)  # chosen among the 150 rows of smallest rank
    monkeypatch.setattr(sketch, "DRAWN", 150)
    assert spent(tmp_path, x, y, monkeypatch) == spent(tmp_path, x, y + 1e-9, monkeypatch)
