"""Files with damaged bytes: refused, or read as the library of their format reads them."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather as feather
import pyarrow.json
import pyarrow.parquet as pq
import pytest

from benchmarks.fuzz import mutated
from kstest.errors import DataError
from kstest.sources import ReadOptions, read_samples


def written_as(kind, path):
    """A file of numbers, and the library that is asked for them beside kstest."""
    rng = np.random.default_rng(3)
    numbers = pa.table({"a": rng.normal(size=40).round(4), "b": rng.integers(0, 99, 40)})
    if kind == "csv":
        pa.csv.write_csv(numbers, path)
        return lambda: pa.csv.read_csv(path, pa.csv.ReadOptions(use_threads=False))
    if kind == "jsonl":
        rows = numbers.to_pylist()
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return lambda: pa.json.read_json(path)
    if kind == "parquet":
        pq.write_table(numbers, path)
        return lambda: pq.ParquetFile(path).read()
    if kind == "npy":
        np.save(path, np.column_stack([numbers["a"], numbers["b"]]))
        return lambda: pa.table({str(j + 1): c for j, c in enumerate(np.load(path).T)})
    if kind == "feather":
        feather.write_feather(numbers, path)
    else:
        with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(
            path, numbers.schema
        ) as writer:
            writer.write_table(numbers, 25)
    opened = pa.ipc.open_stream if kind == "arrows" else pa.ipc.open_file
    return lambda: opened(path.read_bytes()).read_all()


COUNT = 40
KINDS = ["csv", "jsonl", "parquet", "npy", "feather", "arrow", "arrows"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_read_as_their_library_reads_them(kind, tmp_path):
    """What a library gives of damaged bytes is what is tested, or less; never other rows."""
    path, rng = tmp_path / f"t.{kind}", random.Random(7)
    reference = written_as(kind, path)
    content = path.read_bytes()
    assert reference().num_rows == 40
    equal = refused = 0
    for _ in range(COUNT):
        path.write_bytes(mutated(content, rng))
        try:
            samples, _ = read_samples({"data": [str(path)]}, ReadOptions(missing="indicator"))
        except DataError:
            refused += 1
            continue
        try:
            theirs = reference()
            theirs.validate(full=True)
        except Exception:
            theirs = None  # they refuse what may be read: blank lines, a cut end
        if theirs is None or (kind == "csv" and theirs.column_names != [*"ab"]):
            continue
        sample = samples[0]
        for j, name in enumerate(sample.columns):
            column = theirs[name]
            if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
                continue
            wanted = np.array([np.nan if v is None else float(v) for v in column.to_pylist()])
            found = sample.values[:, j]
            if sample.missing is not None:
                found = np.where(sample.missing[:, j], np.nan, found)
                wanted[~np.isfinite(wanted)] = np.nan
            assert np.array_equal(found, wanted, equal_nan=True), path.read_bytes()
            equal += 1
    assert refused + equal > COUNT // 4
