"""CSV dialects: delimiter, missing cells, header, comments, decimal sign, encoding."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.errors import DataError, KstestError, UsageError
from kstest.sources import ReadOptions, csv_read, read_samples, samples_from_objects
from kstest.sources.dialect import NULLS
from kstest.sources.filters import Lines, Transcoded, uncommented
from kstest.sources.stream import CHUNK_BYTES


@pytest.fixture
def read(tmp_path):
    """Read contents (bytes of a CSV, or Arrow tables) as files of one side."""

    def run(*contents, **options):
        paths = []
        for k, content in enumerate(contents):
            path = tmp_path / f"f{k}.{'csv' if isinstance(content, bytes) else 'parquet'}"
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                pq.write_table(content, path)
            paths.append(str(path))
        return read_samples({"r": paths}, ReadOptions(**options))[0][0]

    return run


def words(sample, column=0):
    return [sample.level_name(column, code) for code in sample.codes[:, column]]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"x|y\n1|2\n5|6\n", {"delimiter": "|"}),
        (b"x y\n1 2\n5 6\n", {"delimiter": " "}),
        (b"x\ty\n1\t2\n5\t6\n", {"delimiter": "tab"}),
        (b"x\ty\n1\t2\n5\t6\n", {"delimiter": "\t"}),
        (b"x;y\n1,0;2\n5;6,00\n", {"decimal": ","}),
        (b"#a,b,c,d\nx,y\n#\n1,2\n# 3,4\n5,6\n#", {"comment": "#"}),
        (b"\xef\xbb\xbf#a\nx,y\n1,2\n5,6\n", {"comment": "#"}),
        (b"#a\r\nx,y\r\n1,2\r\n#b\r\n5,6\r\n", {"comment": "#"}),
        (b"#a\rx,y\r1,2\r#b\r5,6\r", {"comment": "#"}),
        (b"1,2\n5,6\n", {"no_header": True}),
        (b"\xef\xbb\xbf1;2\n5;6\n", {"no_header": True}),
        ("x,y\n1,2\n5,6\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("\ufeffx,y\n1,2\n5,6\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("x,y\n1,2\n5,6\n".encode("utf-32"), {"encoding": "UTF_32"}),
        (b"x,y\n1,2\n5,6\n", {"encoding": "UTF-8"}),
        (b"%1|2,0\n1|2,0\n%\n5|6,0\n", {"comment": "%", "no_header": True, "delimiter": "|"}
            | {"decimal": ","}),
    ],
)  # fmt: skip
def test_dialects_read_alike(read, content, options):
    sample = read(content, **options)
    assert sample.columns == (("1", "2") if options.get("no_header") else ("x", "y"))
    assert sample.values.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": "||"}, ["--delimiter: found '||'", "one ASCII character", "tab"]),
        ({"delimiter": '"'}, ["--delimiter"]),
        ({"delimiter": "é"}, ["--delimiter"]),
        ({"delimiter": ""}, ["--delimiter"]),
        ({"comment": "//"}, ["--comment: found '//'"]),
        ({"comment": "\n"}, ["--comment"]),
        ({"comment": ";", "delimiter": ";"}, ["--comment", "not the same"]),
        ({"decimal": "x"}, ["--decimal: found 'x'; accepted: ., ,."]),
        ({"encoding": "klingon"}, ["--encoding: found 'klingon'", "latin-1"]),
        ({"encoding": "base64"}, ["--encoding: found 'base64'"]),
        ({"encoding": "a\0b"}, ["--encoding"]),
        ({"encoding": "../os"}, ["--encoding"]),
        ({"null_values": "a,,b"}, ["--null-values: found an empty item"]),
    ],
)
def test_options_that_cannot_be_used(read, options, words):
    with pytest.raises(UsageError) as caught:
        read(b"x,y\n1,2\n", **options)
    assert all(word in str(caught.value) for word in words), caught.value


def test_text_in_other_encodings(read):
    text = "naïve,ö\n1,é\n2,Straße\n" + "3,日\n" * 0
    for encoding in ("latin-1", "cp1252", "utf-16", "utf-8", "iso8859-15"):
        sample = read(text.encode(encoding), encoding=encoding)
        assert sample.columns == ("naïve",)
        assert words(sample) == ["é", "Straße"]
    assert words(read("a\n日\n本\n".encode("shift_jis"), encoding="shift_jis")) == ["日", "本"]


def test_bytes_that_are_no_text_name_their_place(read, monkeypatch):
    content = b"x,c\n" + b"1,\xc3\xa9\n" * 5 + b"2,\xe9\n"
    with pytest.raises(DataError, match=r"line 7 is not UTF-8.*0xe9.*--encoding latin-1"):
        read(content)
    ascii_and_more = b"x,c\n1,a\n2,\xe9\n"
    with pytest.raises(DataError, match=r"line 3 \(byte 11\) is no ascii: found byte 0xe9"):
        read(ascii_and_more, encoding="ascii")
    with pytest.raises(DataError, match=r"is UTF-16 text.*--encoding utf-16"):
        read("x\n1\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"--encoding utf-16-le"):
        read("x,y\n1,2\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"--encoding utf-16-be"):
        read("x,y\n1,2\n".encode("utf-16-be"))
    with pytest.raises(DataError, match="utf-16"):
        read("x\n1\n".encode("utf-16")[:-1], encoding="utf-16")
    for name in ("PEEK_BYTES", "BLOCK_BYTES", "QUOTED_BYTES"):
        monkeypatch.setattr(csv_read, name, 48)
    monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)
    with pytest.raises(DataError, match=r"'c', row 9,001: is not UTF-8 text.*--enc"):
        read(b"x,c\n" + b"1,a\n" * 9000 + b"2,\xe9\n")


@given(st.text(max_size=40), st.sampled_from(["utf-16", "utf-8", "utf-7", "gb18030"]), st.data())
@settings(max_examples=100, deadline=None)
def test_transcoding_does_not_depend_on_the_chunks(text, encoding, data):
    content = text.encode(encoding)

    class Trickle(io.RawIOBase):
        at = 0

        def read(self, size=-1):
            step = data.draw(st.integers(1, 5))
            out, self.at = content[self.at : self.at + step], self.at + step
            return out

    filtered = Transcoded(Trickle(), encoding, "f")
    out = b"".join(iter(lambda: filtered.read(data.draw(st.integers(1, 7))), b""))
    assert out.decode() == content.decode(encoding)


@given(st.text("#a\n\r,", max_size=40), st.data())
@settings(max_examples=200, deadline=None)
def test_comments_do_not_depend_on_the_chunks(text, data):
    content = text.encode()

    class Trickle(io.RawIOBase):
        at = 0

        def read(self, size=-1):
            step = data.draw(st.integers(1, 5))
            out, self.at = content[self.at : self.at + step], self.at + step
            return out

    filtered = Lines(Trickle(), "f", uncommented("#", None, "f"))
    out = b"".join(iter(lambda: filtered.read(data.draw(st.integers(1, 7))), b""))
    lines = io.StringIO(text, newline="")
    assert out.decode() == "".join(line for line in lines if not line.startswith("#"))


def test_a_comment_character_inside_a_line_stays(read):
    assert words(read(b"c\na#b\n #c\n#d\n", comment="#")) == ["a#b", " #c"]
    with pytest.raises(DataError, match="longer than 64 MB"):
        Lines(io.BytesIO(b"x" * 66 * CHUNK_BYTES), "f", bytes).read(1)


def test_missing_cells_by_default_and_by_option(read):
    assert NULLS[0] == ""
    for cell in NULLS:
        content = f"x,c\n1,a\n{cell},{cell}\n".encode()
        sample = read(content, missing="indicator")
        assert sample.missing.tolist() == [[False], [True]]
        assert words(sample) == ["a", "missing"]
    for cell in ("none", "None", "na", "-", "?", "."):
        assert words(read(f"c\na\n{cell}\n".encode())) == ["a", cell]
        with pytest.raises(DataError, match=r"'x', row 2: found .*--null-values"):
            read(f"x\n1\n{cell}\n".encode())
    content = b"x,c\n1,NA\n-999,?\n,'\n"
    sample = read(content, missing="indicator", null_values="-999,'?',''''")
    assert sample.missing.tolist() == [[False], [True], [True]]
    assert words(sample) == ["NA", "missing", "missing"]
    names = b"name\nnan\nna\nNA\n"
    assert words(read(names, null_values="")) == ["nan", "na", "NA"]
    with pytest.raises(DataError, match="2 of 3 rows"):
        read(names)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2.5", ".5", "1e5", "1E-3", "inf"], "numbers"),
        (["true", "False", "TRUE"], "numbers"),
        (["2024-05-01", "2024-05-02T10:00:00"], "numbers"),
        (["10:00", "11:30:15"], "numbers"),
        (["yes", "no", "yes"], "text"),
        (["u", "0x11", "v"], "text"),
        (["01/02/2024", "02/02/2024"], "text"),
        (["A1", "01", "B2"], "text"),
        (["5%", "6%"], "text"),
        (["1 000", "2 000"], "text"),
    ],
)
def test_what_cells_are_read_as(read, cells, kind):
    sample = read(("c\n" + "\n".join(cells) + "\n").encode(), missing="indicator")
    if kind == "text":
        assert words(sample) == cells
    else:
        assert (sample.columns, sample.categorical) == (("c",), ())


def test_decimal_commas(read):
    assert read(b'x,y\n1,"2"\n', delimiter=",").values.tolist() == [[1, 2]]
    with pytest.raises(DataError, match="both the delimiter and the --decimal sign"):
        read(b"x,y\n1,2\n", decimal=",")
    with pytest.raises(DataError, match=r"'x', row 2: found '1\.5'"):
        read(b"x;y\n1,5;2\n1.5;2\n", decimal=",")
    sample = read(b"k;x\n1,50;1\n1,5;2\n2;3\na,b;4\n", decimal=",", categorical="k")
    assert words(sample) == ["1.5", "1.5", "2", "a,b"]
    sample = read(b"k;x\n1,5;1\n2;2\n", decimal=",", categorical="k", where="k == 1.5")
    assert sample.values.tolist() == [[1]]


def test_files_without_header_match_by_position(read, tmp_path):
    named = pa.table({"a": [9], "b": [8]})
    sample = read(b"1,2\n3,4\n", b"5,6\n", no_header=True, columns="2")
    assert (sample.columns, sample.values.tolist()) == (("2",), [[2], [4], [6]])
    sample = read(named, b"5,6\n", no_header=True)
    assert (sample.columns, sample.values.tolist()) == (("a", "b"), [[9, 8], [5, 6]])
    with pytest.raises(DataError, match=r"has 3 columns, .*has 2.*by position"):
        read(b"1,2\n", b"1,2,3\n", no_header=True)
    (tmp_path / "a.csv").write_bytes(b"1,2\n")
    pq.write_table(named, tmp_path / "b.parquet")
    sides = {"r": [str(tmp_path / "a.csv")], "s": [str(tmp_path / "b.parquet")]}
    (a, b), _ = read_samples(sides, ReadOptions(no_header=True, exclude="b"))
    assert a.columns == b.columns == ("a",)
    assert (a.values.tolist(), b.values.tolist()) == ([[1]], [[9]])


def test_options_of_csv_leave_other_formats_alone(read):
    table = pa.table({"x": [1.0], "c": ["NA"]})
    sample = read(table, delimiter="|", encoding="latin-1", comment="#", decimal=",")
    assert words(sample) == ["NA"]


def test_the_unnamed_index_of_pandas_is_no_column(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=[5, 9])
    frame.to_parquet(tmp_path / "a.parquet")
    frame.rename_axis("run").to_parquet(tmp_path / "b.parquet")
    (a,), _ = read_samples({"r": [str(tmp_path / "a.parquet")]}, ReadOptions())
    assert (a.columns, a.values.tolist()) == (("x",), [[1], [2]])
    (b,), _ = read_samples({"r": [str(tmp_path / "b.parquet")]}, ReadOptions())
    assert b.columns == ("x", "run")
    (c,), _ = samples_from_objects({"r": pa.Table.from_pandas(frame)}, ReadOptions())
    assert c.columns == ("x",)
    bare = pa.table({"__index_level_0__": [1.0]})  # without the word of pandas: a column
    assert samples_from_objects({"r": bare}, ReadOptions())[0][0].columns == ("__index_level_0__",)


def test_categories_of_numbers_come_back_from_pandas_files(tmp_path):
    frame = pd.DataFrame({"k": pd.Categorical([3, 1]), "x": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    (a,), _ = read_samples({"r": [str(tmp_path / "a.parquet")]}, ReadOptions())
    assert (a.columns, words(a)) == (("x",), ["3", "1"])
    for nonsense in (
        b"{",
        b"[]",
        b'{"columns": 1, "index_columns": [{}]}',
        b'{"columns": [1, {"name": [], "pandas_type": "categorical"}]}',
    ):
        table = pa.table({"x": [1.0]}).replace_schema_metadata({b"pandas": nonsense})
        assert samples_from_objects({"r": table}, ReadOptions())[0][0].columns == ("x",)


def test_long_cells_of_digits_cost_no_time(read):
    assert words(read(b"c\na\n" + b"1" * 300_000 + b"x\n"))[0] == "a"


def test_wide_files_and_long_texts(read):
    d = 10_000
    header = ",".join(f"c{i}" for i in range(d))
    rows = "\n".join(",".join(["1", "a"] * (d // 2)) for _ in range(3))
    sample = read(f"{header}\n{rows}\n".encode())
    assert (sample.values.shape, sample.codes.shape) == ((3, d // 2), (3, d // 2))
    long = "é" * 200_000
    sample = read(f'x,c\n1,"{long}"\n2,"a\nb"\n'.encode())
    assert words(sample) == [long, "a\nb"]
    late = 'x,c\n1,"a"\n' * 1 + '1,"b"\n' * 300_000 + f'2,"{long * 5}"\n'
    assert read(late.encode()).n == 300_002


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_table_or_a_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "f.csv"
    path.write_bytes(content)
    for options in ({}, {"encoding": "utf-16", "comment": "#"}, {"no_header": True}):
        try:
            (sample,), _ = read_samples({"r": [str(path)]}, ReadOptions(**options))
        except KstestError as error:
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert np.isfinite(sample.values).all()
