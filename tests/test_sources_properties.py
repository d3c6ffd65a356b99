"""The column language, the Arrow conversion and the formats, on generated cases."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstest.columns import exclusion, parse_items, resolve
from kstest.errors import UsageError
from kstest.sources import ReadOptions, read_samples
from kstest.sources.arrow_types import kind_of
from kstest.sources.convert import to_float64

NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8, unique=True)


def quoted(name: str, mark: str) -> str:
    return mark + name.replace(mark, mark * 2) + mark


@given(NAMES, st.sampled_from("'\""))
def test_quoted_names_come_back(names, mark):
    text = " , ".join(quoted(name, mark) for name in names)
    assert parse_items(text, "--columns") == tuple(names)
    assert resolve(names, names, "--columns") == tuple(names)
    assert not any(exclusion(text, names, names).keeps(name) for name in names)


@given(st.integers(1, 20), st.data())
def test_positions_are_slices(d, data):
    names = [f"c{i}" for i in range(1, d + 1)]
    low = data.draw(st.integers(1, d))
    high = data.draw(st.integers(low, d))
    assert list(resolve([f"{low}-{high}"], names, "--columns")) == names[low - 1 : high]


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    names = ["a", "b c", "3"]
    message = ""
    try:
        assert set(resolve(parse_items(text, "--columns"), names, "--columns")) <= set(names)
    except UsageError as error:
        message = str(error)
    assert message.isprintable()


def test_precedence_and_errors():
    names = ["3", "x1", "x2", "y*", "it's", "a,b"]
    assert resolve(["3"], names, "--columns") == ("3",)
    assert resolve(["2-3", "x*"], names, "--columns") == ("x1", "x2")
    assert resolve(["y*"], names, "--columns") == ("y*",)
    assert parse_items("it's,'a,b',\"q\"", "--columns") == ("it's", "a,b", "q")
    for text, word in {
        "": "empty",
        "a,": "empty",
        "'a": "not closed",
        "'a'b": "not closed",
        "X1": "'x1'",
        "z*": "no glob",
        "0": "1 to 6",
        "5-4": "1 to 6",
        "7": "1 to 6",
    }.items():
        with pytest.raises(UsageError, match=word):
            resolve(parse_items(text, "--exclude"), names, "--exclude")


TYPES = [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.date32()]


@pytest.mark.parametrize(
    "kind", [*TYPES, pa.timestamp("ms"), pa.decimal128(6, 2), pa.null()], ids=str
)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_conversion_agrees_with_values_one_by_one(kind, data):
    cells = st.none() if kind == pa.null() else st.none() | st.integers(0, 1)
    values = data.draw(st.lists(cells, max_size=40))
    start = data.draw(st.integers(0, len(values)))
    if kind == pa.bool_():
        values = [None if v is None else bool(v) for v in values]
    if kind == pa.float16():
        values = [None if v is None else np.float16(v) for v in values]
    unit = 86400 if kind == pa.date32() else 1e-3 if pa.types.is_timestamp(kind) else 1
    expected = [np.nan if v is None else float(v) * unit for v in values[start:]]
    assert kind_of(kind) not in (None, "text")
    np.testing.assert_allclose(to_float64(pa.array(values, kind)[start:]), expected, rtol=1e-15)


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**53) + 1, 2**53 - 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_csv_and_parquet_give_the_same_sample(tmp_path, rows):
    table = pa.table(dict(zip(("f", "i", "b"), map(list, zip(*rows, strict=True)), strict=True)))
    pa.csv.write_csv(table, tmp_path / "t.csv")
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=7)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=3)
    sink.seek(0)
    sides = {"a": [str(tmp_path / "t.csv")], "b": [str(tmp_path / "t.parquet")], "c": ["-"]}
    (a, b, c), notices = read_samples(sides, ReadOptions(), sink)
    expected = np.array([[float(v) for v in row] for row in rows])
    for sample in (a, b, c):
        np.testing.assert_array_equal(sample.values, expected)
        assert sample.columns == ("f", "i", "b")
    assert notices == ()
