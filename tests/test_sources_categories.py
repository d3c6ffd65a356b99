"""Text, categories, missing cells, groups and weights: from files and objects into Samples."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstest.errors import DataError, KstestError, UsageError
from kstest.sources import ReadOptions, csv_read, read_samples, samples_from_objects
from kstest.sources.convert import by_value, level_text


@pytest.fixture
def read(tmp_path):
    """Read two contents (bytes of a CSV, or Arrow tables) as reference and sample."""

    def run(*contents, **options):
        paths = []
        for k, content in enumerate(contents):
            path = tmp_path / f"f{k}.{'csv' if isinstance(content, bytes) else 'parquet'}"
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                pq.write_table(content, path)
            paths.append(str(path))
        sides = dict(zip(("reference", "sample"), ([p] for p in paths), strict=False))
        samples, notices = read_samples(sides, ReadOptions(**options))
        return (*samples, {n.code: n.message for n in notices})

    return run


def words(sample, column=0):
    return [sample.level_name(column, code) for code in sample.codes[:, column]]


def test_text_columns_are_categories_common_to_both_sides(read):
    a, b, notices = read(b"x,c,y\n1,b,5\n2,z,6\n3,b,7\n", b"c,y,x\na,1,2\nb,3,4\n")
    assert (a.columns, a.categorical) == (("x", "y"), ("c",))
    assert a.levels == b.levels == (("a", "b", "z"),)
    assert a.codes.tolist() == [[1], [2], [1]]
    assert b.codes.tolist() == [[0], [1]]
    assert a.codes.dtype == np.int32
    assert b.values.tolist() == [[2, 1], [4, 3]]
    assert a.missing is None
    assert notices == {}


def test_a_table_of_text_alone(read):
    a, b, _ = read(b"c\nu\nv\n", pa.table({"c": ["v", "w"]}))
    assert a.values.shape == (2, 0)
    assert words(a) + words(b) == ["u", "v", "v", "w"]


def test_categorical_numbers_go_by_value(read):
    csv = b"k,f\n1,0.50\n2.0,1e1\n-0,007\n"
    table = pa.table({"k": [1.0, 2.0, 0.0], "f": pa.array([0.5, 10.0, 7.0])})
    a, b, _ = read(csv, table, categorical="k,f")
    assert a.columns == ()
    assert words(a, 0) == words(b, 0) == ["1", "2", "0"]
    assert (words(a, 1), words(b, 1)) == (["0.5", "10", "007"], ["0.5", "10", "7"])


def test_text_keeps_its_writing(read):
    cells = b"c\n1.50\n01\ntrue\n0x10\n2024-05-01\nnone\nNone\n1e5\nx\nwww\n"
    a, b, _ = read(cells, pa.table({"c": ["1.50", "01"]}))
    assert words(a) == cells.decode().split()[1:]
    assert words(b) == ["1.50", "01"]


def test_typed_columns_as_categories(read):
    table = pa.table(
        {
            "i": pa.array([2**60 + 1, 2**60], pa.int64()),
            "b": [True, None],
            "d": pa.array([0, 1], pa.date32()),
            "t": pa.array([0, 1], pa.timestamp("ns")),
            "q": pa.array([1, 2], pa.decimal128(5, 2)),
            "h": pa.array([np.float16(1), None], pa.float16()),
            "e": pa.array([1, 2]).dictionary_encode(),  # Parquet gives numbers back
        }
    )
    a, b, _ = read(table, table, categorical="i,b,d,t,q,h,e", missing="indicator")
    rows = [[a.level_name(j, code) for code in a.codes[:, j]] for j in range(7)]
    assert rows == [
        ["1152921504606846977", "1152921504606846976"],
        ["true", "missing"],
        ["1970-01-01", "1970-01-02"],
        ["1970-01-01 00:00:00", "1970-01-01 00:00:00.000000001"],
        ["1", "2"],
        ["1", "missing"],
        ["1", "2"],
    ]
    assert (b.codes == a.codes).all()


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (b"x,c\n1,a\n", b"x,c\n1,2\n", ["text in", "numbers in", "--categorical c"]),
        (b"x,c\n1,2020-01-01\n", b"x,c\n1,2\n", ["dates", "numbers"]),
        (b"x,c\n1,10:00\n", b"x,c\n1,2020-01-01\n", ["times of day", "dates"]),
    ],
)
def test_kinds_that_clash_are_refused_unless_named_categorical(read, one, other, words):
    for pair in ((one, other), (other, one)):
        with pytest.raises(DataError) as caught:
            read(*pair)
        message = str(caught.value)
        assert all(word in message for word in (*words, "f0.csv", "f1.csv"))
        assert read(*pair, categorical="c")[0].categorical == ("c",)


def test_a_clash_in_a_later_file_and_columns_without_values(tmp_path):
    for name, content in {"a": b"c\nu\n", "b": b"c\n1\n", "d": b"c\nw\n", "e": b"c\n\nv\n"}.items():
        (tmp_path / f"{name}.csv").write_bytes(content)

    def run(*reference):
        paths = [str(tmp_path / f"{name}.csv") for name in reference]
        return read_samples({"r": paths, "s": [str(tmp_path / "d.csv")]}, ReadOptions())[0]

    with pytest.raises(DataError, match=r"holds text in .*a.csv and numbers in .*b.csv"):
        run("a", "b")
    assert run("a", "e")[0].levels == (("u", "v", "w"),)


def test_numbers_with_a_bad_cell_are_not_categories(read):
    numbers = b"".join(b"%d\n" % i for i in range(9))
    for content in (b"x\n" + numbers + b"oops\n", b"x\noops\n" + numbers):
        with pytest.raises(DataError, match=r"'oops'; accepted: numbers.*--categorical x"):
            read(content, content)
        assert "oops" in read(content, content, categorical="x")[0].levels[0]


def test_identifiers_are_refused_unless_named(read):
    names = [f"n{i}" for i in range(1002)]
    unique, repeated = pa.table({"c": names}), pa.table({"c": names * 2})
    with pytest.raises(DataError, match=r"reference: text column 'c' has 1,002 different.*--exclu"):
        read(unique, repeated)
    assert len(read(unique, unique, categorical="c")[0].levels[0]) == 1002
    assert read(repeated, repeated)[0].n == 2004
    assert read(repeated.slice(0, 900), repeated)[0].n == 900


HOLES = b"x,y,c\n1,,a\n2,inf,\n,4,b\n5,6,a\n"
WHOLE = b"x,y,c\n1,2,a\n"


def test_missing_indicator(read):
    a, b, notices = read(HOLES, WHOLE, missing="indicator")
    assert a.values.tolist() == [[1, 0], [2, 0], [0, 4], [5, 6]]
    assert a.missing.tolist() == [[False, True], [False, True], [True, False], [False, False]]
    assert b.missing.tolist() == [[False, False]]
    assert a.codes.tolist() == [[0], [-1], [1], [0]]
    assert a.level_name(0, -1) == "missing"
    assert a.row_numbers.tolist() == [1, 2, 3, 4]
    assert (a.n_missing, a.rows_with_missing) == ({"x": 1, "y": 2, "c": 1}, 3)
    assert (b.n_missing, b.rows_with_missing) == ({}, 0)
    assert "reference: 'x': 1, 'y': 2, 'c': 1 (3 of 4 rows)" in notices["missing-values"]
    with pytest.raises(DataError, match=r"Without any value in any file: 'y'.*--exclude y"):
        read(b"x,y\n1,\n", b"x,y\n1,\n", missing="indicator")
    assert read(b"x,y\n1,\n", b"x,y\n1,2\n", missing="indicator")[0].missing.any()


def test_missing_dropped_and_refused(read):
    a, _, notices = read(HOLES, WHOLE, missing="drop")
    assert (a.values.tolist(), words(a), a.missing) == ([[5, 6]], ["a"], None)
    assert (a.row_numbers.tolist(), a.n_dropped, a.rows_with_missing) == ([4], 3, 3)
    assert a.n_missing == {"x": 1, "y": 2, "c": 1}
    assert a.levels == (("a",),)  # a category of dropped rows only is none
    assert set(notices) == {"missing-values", "rows-dropped"}
    with pytest.raises(DataError, match=r"3 of 4 rows .*'x': 1, 'y': 2, 'c': 1.*--missing indic"):
        read(HOLES, WHOLE)


def test_groups_and_weights_are_not_tested(read):
    a, b, _ = read(
        b"x,run,w\n1,7,0.5\n2,10,0\n3,7,2\n",
        pa.table({"x": [9.0], "run": [11.0], "w": [3]}),
        group="run",
        weights="w",
    )
    assert (a.columns, a.categorical) == (("x",), ())
    assert a.group_names == b.group_names == ("10", "11", "7")
    assert (a.groups.tolist(), b.groups.tolist()) == ([2, 0, 2], [1])
    assert a.groups.dtype == np.int64
    assert (a.weights.tolist(), b.weights.tolist()) == ([0.5, 0, 2], [3])
    assert a.values.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x,g,w\n1,a,inf\n", ["--weights", "'w', row 1", "found inf"]),
        (b"x,g,w\n1,a,0\n", ["--weights", "'w' is zero in every row"]),
        (b"x,g,w\n1,a,u\n", ["f1.csv: --weights or --counts: column 'w' holds text"]),
        (b"x,g,w\n1,a,\n2,,1\n", ["2 of 2 rows", "'w': 1, 'g': 1", "--missing drop"]),
        (b"x,g\n1,a\n", ["has no column 'w', which --weights names", "'g'"]),
    ],
)
def test_bad_groups_and_weights(read, content, words):
    with pytest.raises(DataError) as caught:
        read(b"x,g,w\n1,a,1\n", content, group="g", weights="w")
    assert all(word in str(caught.value) for word in words), caught.value


def test_missing_groups_and_weights_are_dropped_never_marked(read):
    holes = b"x,g,w\n1,a,\n2,,1\n3,b,1\n"
    a, _, _ = read(holes, b"x,g,w\n1,a,1\n", group="g", weights="w", missing="drop")
    assert (a.n, a.group_names, a.n_missing) == (1, ("a", "b"), {"w": 1, "g": 1})
    with pytest.raises(DataError, match="not for --group, --weights and --counts"):
        read(holes, b"x,g,w\n1,a,1\n", group="g", weights="w", missing="indicator")


def test_one_column_for_one_part(read):
    for option in ("group", "weights"):
        for value, word in {"x,g": "found 2 columns", "q": "no column 'q'", "": "empty"}.items():
            with pytest.raises(UsageError, match=word):
                read(b"x,g\n1,2\n", b"x,g\n1,2\n", **{option: value})
    with pytest.raises(UsageError, match="no column"):
        read(b"x\n1\n", b"x\n1\n", group="x")
    with pytest.raises(UsageError, match="--categorical: no column 'q'"):
        read(b"x\n1\n", b"x\n1\n", categorical="q")


def test_row_numbers_over_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_read, "BLOCK_BYTES", 16)
    monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)
    for name, gap in {"a": 5, "b": None, "c": 2}.items():
        rows = ["" if i == gap else str(i) for i in range(1, 13)]
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "".join(f"{v},1\n" for v in rows))
    paths = [str(tmp_path / f"{name}.csv") for name in "abc"]
    (a, b), _ = read_samples({"r": paths, "s": paths[1:2]}, ReadOptions(missing="drop"))
    assert (a.values[:, 0] == a.row_numbers).all()
    assert np.bincount(a.row_inputs).tolist() == [11, 12, 11]
    assert b.row_numbers.tolist() == list(range(1, 13))


def test_objects_with_categories():
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["u", None, "v"]),
            "k": pd.Categorical([1, 2, 1]),
            "s": ["a", "b", "a"],
            "x": [1.0, 2.0, 3.0],
        }
    )
    (a, b), _ = samples_from_objects(
        {"r": frame, "s": pa.Table.from_pandas(frame[:1])}, ReadOptions(missing="indicator")
    )
    assert a.categorical == ("c", "k", "s")
    assert [words(a, j) for j in range(3)] == [["u", "missing", "v"], ["1", "2", "1"], list("aba")]
    assert [words(b, j) for j in range(3)] == [["u"], ["1"], ["a"]]
    X = np.array([[1, 2], [3, 2]])
    (a, _), _ = samples_from_objects({"r": X, "s": X}, ReadOptions(categorical="2"))
    assert (words(a), a.values.tolist()) == (["2", "2"], [[1], [3]])
    masked = np.ma.masked_array([[1, 2]], mask=[[False, True]])
    (a, _), _ = samples_from_objects(
        {"r": masked, "s": X}, ReadOptions(categorical="2", missing="indicator")
    )
    assert words(a) == ["missing"]
    mixed = pd.DataFrame({"x": [1, "a"]})
    with pytest.raises(KstestError, match="r: column 'x'"):
        samples_from_objects({"r": mixed, "s": mixed}, ReadOptions())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1"), ("-1", "-1"), ("1.0", "1"), ("1.", "1"), (".5", "0.5"), ("-.5", "-0.5"),
        ("1e2", "100"), ("1.10", "1.1"), ("007", "007"), ("+1", "+1"), ("", ""), (".", "."),
        ("e1", "e1"), ("-", "-"), ("1e999", "1e999"), ("True", "true"), ("١", "١"),
        ("9" * 5000, "9" * 5000), ("-0.0", "0"),
    ],
)  # fmt: skip
def test_numbers_by_value(text, canonical):
    assert by_value(text) == canonical


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_a_number_reads_the_same_from_every_type(number):
    assert by_value(repr(number)) == level_text(number) == level_text(float(number))
    assert float(level_text(number)) == number


CELLS = st.none() | st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=4
)


@given(st.lists(CELLS, min_size=1, max_size=30), st.lists(CELLS, min_size=1, max_size=30))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_codes_come_back_as_text_whatever_the_blocks_and_the_order(tmp_path, one, other):
    tables = {}
    for side, cells in {"a": ["x", *one], "b": ["y", *other]}.items():
        tables[side] = pa.table({"c": pa.array(cells, pa.string()), "n": range(len(cells))})
        pq.write_table(tables[side], tmp_path / f"{side}.parquet", row_group_size=3)
    options = ReadOptions(missing="indicator", categorical="c")
    paths = {side: [str(tmp_path / f"{side}.parquet")] for side in tables}
    (a, b), _ = read_samples(paths, options)
    (b2, a2), _ = read_samples(dict(reversed(paths.items())), options)
    whole, _ = samples_from_objects(tables, options)
    for sample, again, direct, side in ((a, a2, whole[0], "a"), (b, b2, whole[1], "b")):
        cells = tables[side]["c"].to_pylist()
        assert [None if k < 0 else sample.levels[0][k] for (k,) in sample.codes] == cells
        for same in (again, direct):
            assert same.levels == sample.levels
            assert (same.codes == sample.codes).all()
    assert list(a.levels[0]) == sorted({v for v in ["x", "y", *one, *other] if v is not None})


def test_csv_blocks_do_not_change_codes(read, monkeypatch):
    cells = "".join(f"{'abcdefgh'[i * i % 7]},{i % 3}\n" for i in range(200))
    content = f"c,k\n{cells}".encode()
    plain = read(content, content, categorical="k")[0]
    monkeypatch.setattr(csv_read, "PEEK_BYTES", 40)
    monkeypatch.setattr(csv_read, "BLOCK_BYTES", 40)
    monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)
    small = read(content, content, categorical="k")[0]
    assert small.levels == plain.levels
    assert (small.codes == plain.codes).all()


def test_text_from_a_stream(tmp_path):
    table = pa.table({"c": ["u", "v"] * 50, "x": np.arange(100.0)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=7)
    sink.seek(0)
    pa.csv.write_csv(table, tmp_path / "t.csv")
    (a, b), _ = read_samples({"r": ["-"], "s": [str(tmp_path / "t.csv")]}, ReadOptions(), sink)
    assert words(a) == words(b) == ["u", "v"] * 50
    assert (a.values == b.values).all()
