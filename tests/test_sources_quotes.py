"""Quotes that are not closed are found, in columns that nobody reads as well."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.errors import DataError
from kstest.sources import ReadOptions, csv_read, read_samples
from kstest.sources.csv_quotes import Quotes


@pytest.fixture(params=["one block", "small blocks"])
def read(tmp_path, request, monkeypatch):
    if request.param == "small blocks":
        for name in ("PEEK_BYTES", "BLOCK_BYTES"):
            monkeypatch.setattr(csv_read, name, 64)
        # Longer than any cell here: else two errors race for the longest.
        monkeypatch.setattr(csv_read, "QUOTED_BYTES", 1 << 17)

    def run(text, **options):
        (tmp_path / "f.csv").write_text(text)
        return read_samples({"r": [str(tmp_path / "f.csv")]}, ReadOptions(**options))[0][0]

    return run


ROWS = "".join(f"{i},a,{i}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'x,c,y\n{ROWS}7,"oops,1\n{ROWS}', ["line 42"]),
        (f'x,c,y\n{ROWS}7,"oops,1\n{ROWS}7,b"b,2\n', ["line 42", "look like rows"]),
        (f'x,c,y\n{ROWS}7,"oops,1\n{ROWS}7,"b",2\n', ["line 42", "look like rows"]),
        (f'x,"c","y"\n{ROWS}7,a,"1\n', ["line 42", "not closed before the end"]),
        (f'"x\n1",c,y\n{ROWS}7,"oops,1\n', ["line 43", "not closed"]),
    ],
)
def test_rows_are_not_swallowed_in_columns_that_are_not_read(read, text, words):
    with pytest.raises(DataError) as caught:
        read(text, columns="1")
    assert all(word in str(caught.value) for word in words), caught.value


def test_quotes_that_mean_something_else(read):
    plain = (
        'x,c\n1,5"\n2,"a ""b"" c"\n3,"two\nlines, or\nthree"\n4,""\n5,a"b"c\n6," ""\n7,"""q"""\n'
    )
    text = plain.replace('" ""', '" """')
    sample = read(text, missing="indicator", null_values="none")
    assert sample.values[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert sample.codes[3, 0] == -1
    assert set(sample.levels[0]) >= {'5"', 'a "b" c', "two\nlines, or\nthree", 'a"b"c', '"q"'}


def test_ten_thousand_lines_in_one_cell_are_implausible(read):
    lines = "word\n" * 10_001
    with pytest.raises(DataError, match="line 2"):
        read(f'x,c\n1,"{lines}"\n', columns="x")


@pytest.mark.parametrize(
    ("columns", "inner", "refused"),
    [
        (2, 9, False),  # nine lines with one comma each may be a text
        (2, 10, True),
        (3, 4, False),
        (3, 5, True),
        (6, 2, True),
        (11, 1, False),  # a single line is a text, however many commas it has
    ],
)
def test_how_many_lines_like_rows_make_a_swallowed_table(columns, inner, refused):
    """Ten delimiters where rows have them, in two lines at least."""
    line = "a" + ",b" * (columns - 1) + "\n"
    data = f'"open\n{line * inner}close"\n'.encode()
    quotes = Quotes("f", ",", columns, 1)
    if refused:
        with pytest.raises(DataError, match="look like rows"):
            quotes.watch(data)
    else:
        quotes.watch(data)
        quotes.end()


TEXT = st.text('",\nab', max_size=40)


@given(TEXT, st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_open_quotes_are_those_of_a_naive_reader(text, size):
    data = text.encode()
    quotes = Quotes("f", ",", 50, 1)  # so many columns that nothing looks like a row
    for k in range(0, len(data), size):
        quotes.watch(data[k : k + size])
    inside, opened = naive(text)
    if inside:
        with pytest.raises(DataError, match=f"in line {opened} "):
            quotes.end()
    else:
        quotes.end()


def naive(text):
    """Whether the text ends inside a quoted cell, and the line where that opened."""
    inside, at_start, opened, k = False, True, 0, 0
    while k < len(text):
        if inside:
            if text[k] == '"' and text[k + 1 : k + 2] == '"':
                k += 1
            elif text[k] == '"':
                inside = at_start = False
        elif text[k] == '"' and at_start:
            inside, opened = True, 1 + text.count("\n", 0, k)
        else:
            at_start = text[k] in ",\n"
        k += 1
    return inside, opened


@given(st.lists(st.lists(st.text("\",\nab'", max_size=6), min_size=2, max_size=2), min_size=1))
@settings(max_examples=100, deadline=None)
def test_what_a_writer_quotes_is_read_back(rows):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["k", "c"], *rows])
    quotes = Quotes("f", ",", 50, 1)
    quotes.watch(out.getvalue().encode())
    quotes.end()
    table = pa.csv.read_csv(
        io.BytesIO(out.getvalue().encode()),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types={"k": pa.string(), "c": pa.string()}),
    )
    assert table["c"].to_pylist() == [row[1] for row in rows]
