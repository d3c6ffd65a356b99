"""Files, streams and objects become the same Samples, or one clear error."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kstest.errors import DataError, KstestError, UsageError
from kstest.sources import ReadOptions, csv_read, read_samples, samples_from_objects

OK = b"x,y\n1,2\n3,4\n"
TIMES = b"x,y\n2020-01-01 10:00,1\n"


@pytest.fixture
def write(tmp_path):
    def make(name, content):
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content)
        return str(path)

    return make


@pytest.fixture
def read(write):
    """Read one content against OK; returns its sample and the notices."""

    def run(content, name="f.csv", other=OK, stdin=None, **options):
        path = content if isinstance(content, str) else write(name, content)
        sides = {"reference": [path], "sample": [write("ok.csv", other)]}
        samples, notices = read_samples(sides, ReadOptions(**options), stdin)
        return samples[0], [n.code for n in notices]

    return run


@pytest.fixture
def tiny_blocks(monkeypatch):
    monkeypatch.setattr(csv_read, "PEEK_BYTES", 48)
    monkeypatch.setattr(csv_read, "BLOCK_BYTES", 48)
    monkeypatch.setattr(csv_read, "QUOTED_BYTES", 48)
    monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n1,2\n5,6",
        b"x,y\r\n1,2\r\n5,6\r\n",
        b"\xef\xbb\xbfx;y\n1;2\n5;6\n",
        b'"x"\t"y"\n1\t2\n\n5\t"6"\n',
        b"\n\ny,x\n2,1\n6,5\n",
        gzip.compress(b"x,y\n1,2\n5,6\n", mtime=0),
    ],
)
def test_csv_dialects_read_alike(read, content):
    sample, _ = read(content, columns="x,y")
    assert sample.columns == ("x", "y")
    np.testing.assert_array_equal(sample.values, [[1, 2], [5, 6]])
    assert sample.values.flags.c_contiguous
    assert sample.inputs[0].sha256 == hashlib.sha256(content).hexdigest()
    assert (sample.inputs[0].rows_read, sample.inputs[0].rows_used) == (2, 2)


def test_zstd_and_quoted_header_with_delimiter(read):
    content = pa.Codec("zstd").compress(b'"a;b";"c,d"\n1;2\n', asbytes=True)
    sample, _ = read(content, other=b'"c,d","a;b"\n1,2\n')
    assert sample.columns == ("a;b", "c,d")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"\n\n", ["only blank lines"]),
        (b"x,y\n", ["no rows"]),
        (b"x,y", ["no rows"]),
        (gzip.compress(OK, mtime=0)[:-9], ["Truncated"]),
        (b"\x1f\x8bgarbage", ["cannot be read"]),
        (b"x,y,x\n1,2,3\n", ["same name", "'x'"]),
        (b"x,\n1,2\n", ["column 2 has no name", "--exclude 2"]),
        (b"x,y\n1,2\n1,2,3\n", ["row 2", "Expected 2", "found 3"]),
        (b"x,y\n1,2\n1\n", ["row 2", "found 1"]),
        (b"x,y\n1,2\n\n3,oops\n", ["'y'", "row 2", "'oops'", "--categorical", "--exclude y"]),
        (b"x,y\n0x10,1\n", ["'x'", "'0x10'"]),
        (b"x,y\na,2\n", ["'x' holds text in", "numbers in", "ok.csv", "--categorical x"]),
        (b"x,y\n2020-01-01,2\n", ["'x' holds dates in", "numbers in"]),
        (b"x,y\n1,2\na,b\n", ["'a'", "1 other", "--categorical x,y", "--exclude x,y"]),
        (b"x;y\n1,5;2\n1.5;2\n", ["--decimal ,"]),
        (b'x,y\n1,"2\n3,4\n', ["a quote opens in line 2", "not closed", "'2\\n3,4"]),
        (b"x,y\n1,2\n1,\x1b[2J" + b"z" * 500 + b"\n", ["\\x1b[2J", "…"]),
        (b"x,y\n1,caf\xe9\n", ["line 2", "0xe9", "--encoding"]),
        ("x,y\n".encode("utf-16"), ["UTF-16", "--encoding"]),
        (b"x,y\n1,\x00\n", ["binary data"]),
        (b'"x,y\n1,2\n', ["header cannot be read"]),
        (b"PK\x03\x04" + bytes(40), ["zip archive"]),
        (b"PAR1" + b"x" * 50, ["complete?"]),
        (b"ARROW1\0\0" + bytes(30), ["complete?"]),
        (b"\xff\xff\xff\xff\x10\0\0\0abc", ["complete?"]),
        (b"z,x\n1,2\n", ["Only in", "'z'", "'y'", "--columns x", "--exclude z,y"]),
    ],
)
def test_bad_content_is_one_clear_error(read, content, words):
    with pytest.raises(DataError) as caught:
        read(content)
    message = str(caught.value)
    assert "f.csv" in message
    assert all(word in message for word in words), message
    assert len(message) < 1000
    assert all(c.isprintable() for c in message)


def test_paths_that_cannot_be_read(read, tmp_path):
    for path, words in {
        "nope.csv": "no such file",
        str(tmp_path): "is a directory",
        str(tmp_path / "*.nope"): "no file matches",
        "bad\x1b.csv": r"bad\x1b.csv",
        "nul\0.csv": "null byte",
    }.items():
        with pytest.raises(DataError) as caught:
            read(path)
        assert words in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(read, write):
    path = write("secret.csv", OK)
    os.chmod(path, 0)
    with pytest.raises(DataError, match="no permission"):
        read(path)


@pytest.mark.parametrize("size", [1, 7, 40, 41])
def test_whole_numbers_then_fractions_across_blocks(read, tiny_blocks, size):
    rows = [f"{i},{i}" for i in range(size)] + ["0.5,1e5", "NA,nan"]
    sample, _ = read(("x,y\n" + "\n".join(rows)).encode(), missing="drop")
    assert sample.n == size + 1
    np.testing.assert_array_equal(sample.values[-1], [0.5, 1e5])
    assert sample.n_dropped == 1


def test_bad_cell_in_a_late_block_has_its_row(read, tiny_blocks):
    rows = "".join(f"{i},1\n" for i in range(100))
    with pytest.raises(DataError, match=r"column 'y', row 101: found 'x'"):
        read(f"x,y\n{rows}7,x\n{rows}".encode())
    with pytest.raises(DataError, match=r"row 101: Expected 2"):
        read(f"x,y\n{rows}7\n{rows}".encode())
    with pytest.raises(DataError, match=r"a row is longer than .* kB"):
        read(f"x,y\n{rows}7,{'z' * 5000}\n".encode(), exclude="y", other=b"x\n1\n")


def test_header_longer_than_the_peek(read, tiny_blocks):
    names = ",".join(f"column{i}" for i in range(50))
    cells = ",".join("1" for _ in range(50))
    content = f"{names}\n{cells}\n".encode()
    assert read(content, other=content)[0].values.shape == (1, 50)


def test_times_and_booleans_become_numbers(read):
    assert read(b"x,y\n1970-01-02,true\n", other=TIMES)[0].values.tolist() == [[86400, 1]]
    content = b"x,y\n1970-01-01T00:00:00.5,false\n1970-01-01 01:00:00,true\n"
    assert read(content, other=TIMES)[0].values.tolist() == [[0.5, 0], [3600, 1]]
    with pytest.raises(DataError, match=r"'x', row 2: found 'foo'; accepted: dates"):
        read(b"x,y\n2020-01-01 10:00,1\nfoo,0\n", other=TIMES)


def test_fractions_of_seconds_in_a_late_block(read, tiny_blocks):
    content = b"x,y\n" + b"1970-01-01 00:00:01,1\n" * 9 + b"1970-01-01 00:00:01.250,1\n"
    assert read(content, other=TIMES)[0].values[-1].tolist() == [1.25, 1]


def test_parquet_types(read):
    day = dt.date(1970, 1, 3)
    table = pa.table(
        {
            "i": pa.array([1, None, 3], pa.int32()),
            "b": [True, False, None],
            "t": pa.array([1_500_000, 0, None], pa.timestamp("us", "UTC")),
            "d": [day, day, None],
            "dec": pa.array([None, 1, 2], pa.decimal128(5, 2)),
            "f": pa.array([0.5, 1.5, float("nan")], pa.float32()),
            "u": pa.array([1, 2, 3], pa.uint8()),
        }
    )
    names = ",".join(table.column_names)
    row = b"1,1,1970-01-01,1970-01-01,1,1,1\n"
    with pytest.raises(DataError) as caught:
        read(table, "t.csv", other=names.encode() + b"\n" + row)  # by content, not by name
    message = str(caught.value)
    assert "3 of 3 rows" in message
    assert all(f"'{name}': 1" in message for name in ("i", "b", "t", "d", "dec", "f"))
    table = table.slice(1, 1).drop_columns(["i"])
    other = names[2:].encode() + b"\n" + row[2:]
    assert read(table, other=other)[0].values.tolist() == [[0, 0, 172800, 1, 1.5, 2]]


@pytest.mark.parametrize(
    ("column", "word"),
    [
        (pa.array([None, ["te\x1bxt"]]), r"lists \(row 2: .*te\\\\x1bxt"),
        (pa.array([b"a", b"b"]).dictionary_encode(), "categories of raw bytes"),
        (pa.array([[1], [2]]), "lists"),
        (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), "maps"),
        (pa.array([b"a", b"b"]), "raw bytes"),
    ],
)
def test_columns_that_are_no_numbers(read, column, word):
    with pytest.raises(DataError, match=word) as caught:
        read(pa.table({"x": [1, 2], "y": column}), "f.parquet")
    assert "--exclude y" in str(caught.value)


def _arrow_bytes(table, writer, chunk=2):
    sink = io.BytesIO()
    with writer(sink, table.schema) as out:
        out.write_table(table, max_chunksize=chunk)
    return sink.getvalue()


@pytest.mark.parametrize("writer", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_arrow_ipc(read, writer, packed):
    table = pa.table({"s": ["a"] * 5, "y": [1, 2, 3, 4, 5], "x": [0.5] * 5})
    content = packed(_arrow_bytes(table, writer))
    sample, _ = read(content, "a.arrow" if packed is bytes else "a.arrow.gz", columns="x,y")
    assert sample.values[:, 1].tolist() == [1, 2, 3, 4, 5]
    assert sample.inputs[0].sha256 == hashlib.sha256(content).hexdigest()


def test_format_by_content_name_and_option(read):
    with pytest.raises(DataError, match="the name says Parquet, but the content is text"):
        read(OK, "f.parquet")
    with pytest.raises(DataError, match="--input-format arrow was given"):
        read(OK, input_format="arrow")
    assert read(OK, "f.parquet", input_format="csv")[0].n == 2
    with pytest.raises(UsageError, match="--input-format"):
        ReadOptions(input_format="xlsx")
    with pytest.raises(UsageError, match="--missing"):
        ReadOptions(missing="ignore")


def test_stdin(read, write):
    assert read("-", stdin=io.BytesIO(OK))[0].inputs[0].path == "-"
    with open(write("p", pa.table({"x": [1.0], "y": [2.0]})), "rb") as file:
        content = file.read()
    sample, _ = read("-", stdin=io.BytesIO(content))
    assert sample.inputs[0].sha256 == hashlib.sha256(content).hexdigest()
    with pytest.raises(UsageError, match="is closed"):
        read("-")
    terminal = io.BytesIO(OK)
    terminal.isatty = lambda: True
    with pytest.raises(UsageError, match="is a terminal"):
        read("-", stdin=terminal)
    with pytest.raises(UsageError, match="more than once"):
        read_samples({"a": ["-"], "b": ["-"]}, ReadOptions(), io.BytesIO(OK))


def test_fifo_is_opened_once(read, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    content = b"x,y\n" + b"1,2\n" * 300_000  # more than a block, so that it must stream

    def feed():
        with open(fifo, "wb") as out:
            out.write(content)

    writer = threading.Thread(target=feed)
    writer.start()
    sample, _ = read(fifo)
    writer.join()
    assert sample.n == 300_000
    assert sample.inputs[0].sha256 == hashlib.sha256(content).hexdigest()


def test_globs_and_several_files(read, write, tmp_path):
    for name, row in {"b2.csv": b"3,4", "b1.csv": b"1,2", "b[1].csv": b"5,6"}.items():
        write(name, b"x,y\n" + row + b"\n")
    other = [write("ok.csv", OK)]
    samples, _ = read_samples({"r": [str(tmp_path / "b?.csv")], "s": other}, ReadOptions())
    assert samples[0].values.tolist() == [[1, 2], [3, 4]]
    assert [os.path.basename(i.path) for i in samples[0].inputs] == ["b1.csv", "b2.csv"]
    assert read(str(tmp_path / "b[1].csv"))[0].values.tolist() == [[5, 6]]
    write("b3.csv", b"x,y,z\n7,8,9\n")
    sides = {"r": [str(tmp_path / "b?.csv")], "s": other}
    with pytest.raises(DataError, match=r"Only in .*b3.csv: 'z'"):
        read_samples(sides, ReadOptions())
    assert read_samples(sides, ReadOptions(exclude="z"))[0][0].n == 3
    with pytest.raises(UsageError, match="'q'"):
        read_samples(sides, ReadOptions(exclude="z,q"))


def test_missing_values(read):
    rows = b"".join(b"%d,1\n" % i for i in range(40))
    content = b"x,y\n" + rows + b"inf,\n,1\n"
    with pytest.raises(DataError) as caught:
        read(content)
    assert "2 of 42 rows" in str(caught.value)
    assert "'x': 2, 'y': 1" in str(caught.value)
    assert "--missing drop" in str(caught.value)
    sample, codes = read(content, missing="drop")
    assert (sample.n, sample.n_dropped, codes) == (40, 2, ["missing-values"])
    assert read(content + b"NA,-inf\n", missing="drop")[1] == ["missing-values", "rows-dropped"]
    for missing in ("error", "drop"):
        with pytest.raises(DataError, match=r"Without any value: 'y'.*--exclude y"):
            read(b"x,y\n1,\n2,\n", missing=missing)
    assert read(b"x,y\n1,\n2,\n", exclude="y")[0].n == 2


def test_notices(read, write):
    path = write("ok.csv", OK)
    assert read(path)[1] == ["same-file"]
    assert read(OK)[1] == ["same-content"]
    assert read(b"x,y\n1e300,-1e300\n")[0].values.tolist() == [[1e300, -1e300]]


def test_objects_follow_the_rules_of_files():
    import pandas as pd

    X = np.arange(6).reshape(3, 2)
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2]}, index=[5, 9])

    def values(reference, sample, **options):
        samples, _ = samples_from_objects(
            {"reference": reference, "sample": sample}, ReadOptions(**options)
        )
        return samples

    assert values(X, X[:2])[0].columns == ("1", "2")
    first, second = values(X, frame)
    assert first.columns == second.columns == ("a", "b")
    assert second.values.tolist() == [[1.5, 1], [2.5, 2]]
    assert first.inputs[0].path == "<array>"
    assert values(X, frame, columns="b")[0].values.tolist() == [[1], [3], [5]]
    assert values(X[:, 0], [1.0, 2.0])[1].values.shape == (2, 1)
    assert values(pa.table({"b": [1], "a": [2]}), frame)[1].values.tolist() == [[1, 1.5], [2, 2.5]]
    times = np.array(["1970-01-01T00:01", "NaT"], "datetime64[m]")
    assert values(times, times, missing="drop")[0].values.tolist() == [[60]]
    masked = np.ma.masked_array([1, 2], mask=[True, False])
    assert values(masked, [1.0], missing="drop")[0].values.tolist() == [[2]]
    for bad, words in [
        ((X, X[:, :1]), "reference has 2, sample has 1"),
        ((X, np.zeros((2, 2, 2))), "3 dimensions"),
        ((X, np.array(["a"])), "accepted: arrays"),
        ((X, 1j * X), "complex"),
        ((X, "file.csv"), "found a str"),
        ((frame, frame.assign(b="text")), "holds numbers in reference and text in sample"),
        ((X, X * np.nan), "Without any value"),
    ]:
        with pytest.raises(KstestError, match=words):
            values(*bad)


def test_ten_thousand_columns(read):
    d = 10_000
    header = ",".join(f"c{i}" for i in range(d)).encode() + b"\n"
    content = header + (b",".join([b"1.5"] * d) + b"\n") * 20
    assert read(content, other=content)[0].values.shape == (20, d)


def test_reading_imports_only_what_it_needs(write):
    files = [write("a.csv", OK), write("b.csv", b"x,y\n5,6\n")]
    parquet = write("c.parquet", pa.table({"x": [1.0, None], "y": [True, False]}))
    script = f"""
import sys, kstest.sources as s
assert "pyarrow" not in sys.modules
s.read_samples({{"a": [{files[0]!r}], "b": [{files[1]!r}]}}, s.ReadOptions())
heavy = ("pandas", "pyarrow.parquet", "pyarrow.dataset", "pyarrow.compute")
assert not [m for m in heavy if m in sys.modules]
s.read_samples({{"a": [{parquet!r}], "b": [{files[1]!r}]}}, s.ReadOptions(missing="drop"))
assert "pandas" not in sys.modules and "pyarrow.dataset" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
