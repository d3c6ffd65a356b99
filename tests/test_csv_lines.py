"""The first lines of a text table are cut as Python's csv module cuts them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstest.sources.csv_lines import Record, Unreadable, records

TEXTS = st.text(alphabet='ab1.,;\t| "\n\r\0', max_size=30) | st.text(
    alphabet="a1,;\n\r", max_size=60
)


def by_csv(lines, delimiter):
    """Rows of the csv module with what they were cut from; the reason, where there is no first."""
    found, taken = [], []
    reader = csv.reader((taken.append(x) or x for x in lines), delimiter=delimiter, strict=True)
    at = 0
    try:
        for cells in reader:
            if cells:
                found.append(Record(tuple(cells), "".join(taken), at, len(taken)))
            at += len(taken)
            taken.clear()
    except csv.Error as error:
        return found or str(error)
    return found


@given(TEXTS, st.sampled_from(",;\t|"), st.booleans())
def test_rows_are_those_of_the_csv_module(text, delimiter, ends):
    lines = list(io.StringIO(text, newline="")) if ends else text.splitlines(True)
    expected = by_csv(lines, delimiter)
    if isinstance(expected, str):
        with pytest.raises(Unreadable) as caught:
            records(lines, delimiter)
        assert str(caught.value) == expected
    else:
        assert records(lines, delimiter) == expected
        assert records(lines, delimiter, most=1) == expected[:1]


def test_a_cell_that_csv_finds_too_long_is_no_row_without_quotes_either():
    with pytest.raises(Unreadable, match="field larger than field limit"):
        records(["a" * (csv.field_size_limit() + 1) + ",b\n"], ",")
