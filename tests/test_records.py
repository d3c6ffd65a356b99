"""Records (structs) in cells are columns ``s.a``, ``s.b``, in every format that has them."""

import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from kstest.errors import DataError, UsageError
from kstest.sources import ReadOptions, read_samples, records, samples_from_objects

ROWS = [
    {"s": {"a": 1.5, "w": "u", "e": [1, 2], "in": {"k": 7}}, "x": 1},
    {"s": {"a": 2.5, "w": "v", "e": [3, 4], "in": {"k": 8}}, "x": 2},
    {"s": None, "x": 3},
    {"s": {"a": None, "w": "u", "e": None, "in": None}, "x": 4},
]
INNER = pa.struct([("k", pa.int64())])
KIND = pa.struct(
    [("a", pa.float64()), ("w", pa.string()), ("e", pa.list_(pa.int64(), 2)), ("in", INNER)]
)
TABLE = pa.table({"s": pa.array([r["s"] for r in ROWS], KIND), "x": pa.array([1, 2, 3, 4])})
NAMES = ("s.a", "s.e[0]", "s.e[1]", "s.in.k", "x")


def read(path, **options):
    (sample,), _ = read_samples({"data": [str(path)]}, ReadOptions(missing="indicator", **options))
    return sample


def require_whole(sample):
    assert sample.columns == NAMES
    assert sample.categorical == ("s.w",)
    assert sample.values[:2].tolist() == [[1.5, 1, 2, 7, 1], [2.5, 3, 4, 8, 2]]
    assert sample.missing.tolist()[2] == [True] * 4 + [False]
    assert sample.missing.tolist()[3] == [True] * 4 + [False]
    assert [*sample.codes[:, 0]] == [0, 1, -1, 0]


def test_fields_are_columns(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    feather.write_feather(TABLE, str(tmp_path / "a.arrow"))
    require_whole(read(tmp_path / "a.parquet"))
    require_whole(read(tmp_path / "a.arrow"))
    how = ReadOptions(missing="indicator")
    require_whole(samples_from_objects({"data": TABLE}, how)[0][0])
    require_whole(samples_from_objects({"data": TABLE.slice(0, 4)}, how)[0][0])
    part = samples_from_objects({"data": TABLE.slice(1, 2)}, how)[0][0]
    assert part.values[0].tolist() == [2.5, 3, 4, 8, 2]


def test_fields_are_chosen_by_name(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", columns="s.in.k,x").columns == ("s.in.k", "x")
    assert read(tmp_path / "a.parquet", columns="s.*", exclude="s.e,s.w").columns == (
        *NAMES[:1],
        "s.in.k",
    )
    found = read(tmp_path / "a.parquet", columns="s.a", where="`s.in.k` == 8")
    assert found.values.tolist() == [[2.5]]
    with pytest.raises(UsageError, match=r"s\.a"):
        read(tmp_path / "a.parquet", columns="s.b")


@pytest.mark.parametrize("size", [1 << 22, 30])
def test_records_of_json(tmp_path, monkeypatch, size):
    monkeypatch.setattr(records, "BLOCK_BYTES", size)
    path = tmp_path / "a.jsonl"
    lines = [{"s": {"a": 1, "b": {"c": k + 0.5 if k % 2 else k}}} for k in range(6)]
    lines[3]["s"]["d"] = True
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    sample = read(path)
    assert sample.columns == ("s.a", "s.b.c", "s.d")
    assert sample.values[:, 1].tolist() == [0, 1.5, 2, 3.5, 4, 5.5]


def test_a_name_that_is_there_twice_is_refused():
    twice = pa.table({"s": pa.array([{"a": 1}]), "s.a": pa.array([2])})
    with pytest.raises(DataError, match="'s' holds records"):
        samples_from_objects({"data": twice}, ReadOptions())


def test_maps_and_lists_in_records_are_refused(tmp_path):
    maps = pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "x": [1]})
    with pytest.raises(DataError, match=r"'m' holds maps \(row 1: .*column of its own"):
        samples_from_objects({"data": maps}, ReadOptions())
    inner = pa.table({"s": pa.array([{"l": [1, 2]}, {"l": [3]}])})
    with pytest.raises(DataError, match=r"'s\.l' holds lists"):
        samples_from_objects({"data": inner}, ReadOptions())
