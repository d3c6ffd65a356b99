"""Reading holds the columns that it returns once, and little besides."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from kstest.sources import ReadOptions, read_samples
from kstest.sources.gathered import Chunk, Gathered, Growing

ROWS, COLUMNS = 120_000, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("large")
    values = rng.integers(-(10**6), 10**6, (COLUMNS, ROWS)) / 1e6
    table = pa.table({f"x{j}": column for j, column in enumerate(values)})
    table = table.append_column("side", pa.array(np.array(["a", "b"])[np.arange(ROWS) % 2]))
    pq.write_table(table, folder / "t.parquet", row_group_size=30_000)
    pa.csv.write_csv(table, folder / "t.csv")
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table, 1000)
    holes = pa.array(values[0], mask=rng.random(ROWS) < 0.1)
    pq.write_table(table.set_column(0, "x0", holes), folder / "h.parquet")
    return folder


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (["t.parquet"], {}),
        (["t.arrow"], {}),
        (["t.parquet", "t.csv"], {}),
        (["t.csv"], {}),
        (["t.parquet"], {"where": "x0 > 0"}),
        (["h.parquet"], {"missing": "drop"}),
        (["h.parquet"], {"missing": "indicator"}),
        (["t.arrow"], {"categorical": "side"}),
    ],
)
def test_rows_are_held_once(folder, files, options):
    options = {"exclude": "side"} | options if "categorical" not in options else options
    paths = [str(folder / name) for name in files]
    read_samples({"a": paths}, ReadOptions(**options))  # imports
    tracemalloc.start()
    try:
        samples, _ = read_samples({"a": paths, "b": paths}, ReadOptions(**options))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    held = 0
    for sample in samples:
        assert sample.values.flags.c_contiguous
        more = (sample.missing, *(kept for kept in sample.kept if kept is not None))
        held += sample.values.nbytes + sample.codes.nbytes
        held += sum(some.nbytes for some in more if some is not None)
    # Blocks that are under way, and the first megabyte of a text, which says what columns hold.
    assert peak < 1.1 * held + (9e6 if any("csv" in name for name in files) else 5e6)


def test_text_with_quotes_is_not_read_far_ahead(tmp_path):
    rows = "".join(f'{k},"a{k % 3}"\n' for k in range(1_500_000))
    (tmp_path / "t.csv").write_text("x,w\n" + rows)
    del rows
    tracemalloc.start()
    try:
        samples, _ = read_samples({"a": [str(tmp_path / "t.csv")]}, ReadOptions())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * (samples[0].values.nbytes + samples[0].codes.nbytes) + 9e6


def test_growing_arrays_are_what_was_added():
    rng = np.random.default_rng(1)
    for shape in ((), (3,)):
        parts = [rng.normal(size=(int(n), *shape)) for n in rng.integers(0, 400, 60)]
        for room in (0, 100, 10**5):
            found = Growing(parts[0], room)
            for part in parts[1:]:
                found.add(part)
            assert np.array_equal(found.whole(), np.concatenate(parts))
            assert found.whole().base is None


def test_marks_of_missing_cells_begin_with_the_first():
    gathered, hole = Gathered(), np.array([[True, False]])
    gathered.expect(10**12)  # a number that no file of these bytes has
    for missing in (None, hole, None):
        gathered.add(Chunk(np.zeros((1, 2)), missing, None, None, None))
    assert gathered.whole("missing").tolist() == [[False, False], [True, False], [False, False]]
    assert gathered.whole("codes") is None
