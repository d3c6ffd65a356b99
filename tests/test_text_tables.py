"""Text tables as people have them: read right at once, or by the option that the message names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from kstest.errors import KstestError
from kstest.sources import OPTIONS, ReadOptions, csv_read, read_samples
from tests.text_tables import FILES

LEAST_AT_ONCE = 45


@pytest.fixture(params=["one block", "small blocks"])
def read(tmp_path, request, monkeypatch):
    if request.param == "small blocks":
        monkeypatch.setattr(csv_read, "BLOCK_BYTES", 64)
        monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)

    def run(text, *options):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8", newline="")
        (sample,), notices = read_samples({"r": [str(path)]}, parsed(options))
        return sample, notices

    return run


def parsed(options):
    """ReadOptions of words of a command line."""
    flags = {f.name for f in OPTIONS if f.default is False}
    words, given = list(options), {"missing": "indicator"}
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        value = True if name in flags else words.pop(0)
        given[name] = int(value) if name == "skip_rows" else value
    return ReadOptions(**given)


def holes(sample):
    """Values, and NaN where they are missing."""
    return (
        sample.values if sample.missing is None else np.where(sample.missing, np.nan, sample.values)
    )


def test_there_are_three_of_each_convention_and_most_need_no_option():
    assert len(FILES) == 60
    assert sum(not file.needs for file in FILES.values()) >= LEAST_AT_ONCE


@pytest.mark.parametrize("name", FILES)
def test_tables_are_read_right_at_once_or_as_the_message_says(read, name):
    file = FILES[name]
    if file.needs:
        with pytest.raises(KstestError) as caught:
            read(file.text)
        assert caught.value.more in ((), file.needs), caught.value
        assert " ".join(file.needs) in str(caught.value)
    sample, _ = read(file.text, *file.needs)
    assert sample.columns == file.columns
    np.testing.assert_array_equal(holes(sample), file.values)
    found = {
        column: [sample.level_name(j, code) for code in sample.codes[:, j]]
        for j, column in enumerate(sample.categorical)
    }
    assert found == file.texts


TRAPS = {
    "decimal commas that commas cut": ("x,y\n1,5,2\n2,5,3\n3,5,1\n4,5,2\n", "--row-names"),
    "a text with a comma": ("city\nParis, France\nRome, Italy\n", "--row-names"),
    "row names or a name that lacks": ("x\ty\n7\t1\t2\n3\t4\t5\n5\t1\t2\n", "--row-names"),
    "thousands or fractions": ('x,y\n"1,234",1\n"5,678",2\n', "--thousands ,"),
    "both decimal signs": ("x;y\n1,5;2.5\n2,25;3.5\n", "--decimal ,"),
    "a comment that may be a row": ("# note\nx,y\n1,2\n#3,4\n5,6\n", "--comment #"),
    "one in a column": ("# a note of mine\nx\n1\n# 2\n3\n", "--comment #"),
    "names in a comment or below": ("# cities, countries\nname,home\nann,rome\n", "--header-row"),
    "a header of numbers": ("1.5,2.5\n3.5,1.0\n", "--no-header"),
    "whole numbers, too": ("7,3\n4,1\n", "--no-header"),
    "an index that is no number of a row": (',x\n5.5,1\n7.25,2\n', "no name"),
    "one that is quoted": ('"","x"\n"5","1"\n"2","2"\n', "no name"),
    "rows below a comment": ("# a note\nFR,1.5,2\nDE,2,3\n", "--no-header"),
    "a row between blanks": ("1 2\n3 4\n", "--no-header"),
    "numbers in disorder": ("FR,1.5,0.2\nDE,2,3\n", "--no-header"),
    "years below a comment": ("# by me, and, you\nwho,2019,2020\nFR,1,2\n", "--header-row"),
    "an annotation": ("##gff-version 3\nchr1\tgene\t1300\t9000\nchr2\texon\t12\t15\n", "no-header"),
    "a column of decimal commas": ("x\n0,5\n1,5\n2,5\n", "--delimiter ;"),
    "two tables": ("a,b\n1,2\n\nname,unit,value\nu,m,3\nv,m,4\n", "--header-row 4"),
    "words that are no units": ("x,y\nlow,high\n1,2\n3,4\n", "--units-row"),
    "an empty column that fills": ("x,y,\n1,2,\n3,4,\n5,6,7\n", "no name"),
    "a cell too many": ("x,y\n1,2,\n3,4,\n5,6,7,8\n", "row 1"),
    "a cell too few between blanks": ("x y z\n1.5 2 3\n4 5.5 6\n7  8\n", "row 3"),
    "groups of two kinds": ("x;y\n1'234.5;1\n1,234.6;2\n1'234.7;3\n", "thousands"),
    "a group too long": ('x,y\n"1,234.5",1\n"12,3456",2\n', "--thousands"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_what_may_mean_two_things_is_refused(read, name):
    text, word = TRAPS[name]
    with pytest.raises(KstestError) as caught:
        read(text)
    assert word in str(caught.value).replace("'", ""), caught.value


def test_a_title_in_a_comment_is_none_of_the_names(read):
    for text in ("# b\nx y\n1 2\n3 4.5\n", "# a title, with\n# b\nx,y\n1,2\n3,4.5\n"):
        sample, _ = read(text)
        assert (sample.columns, sample.values.tolist()) == (("x", "y"), [[1, 2], [3, 4.5]])
    for text in ("%\na\nb\n", "#\na\nb\n"):
        assert read(text)[0].categorical == (text[0],)
    assert read("lp__\n1\n2\n")[0].columns == ("lp__",)
    for text in ("#1,b\n1,2\n3,4\n", "#1;b\n2024-01-01;5\n2024-01-02;6\n"):
        sample, _ = read(text)
        assert (sample.columns, sample.n) == (("#1", "b"), 2)


SPREADSHEETS = {
    "titles": ("Report;;;\n;;;\nx;y;\n1;2;\n4;6,5;\n", [[1, 2], [4, 6.5]]),
    "years": ("# by me\nwho,2019,2020\nFR,1.5,2\nDE,2,3\n", [[1.5, 2], [2, 3]]),
    "quantiles": ("who,0.25,0.5\nFR,1.5,2\nDE,2,3\n", [[1.5, 2], [2, 3]]),
    "site": ("site,t,p\n,degC,hPa\nA,1.5,2\nB,2,3\n", [[1.5, 2], [2, 3]]),
    "csv2": ('"";"x";"y"\n"1";0,5;2\n"2";1,5;3\n', [[0.5, 2], [1.5, 3]]),
    "swedish": ("x;y\n1 234,5;2\n12;3,5\n", [[1234.5, 2], [12, 3.5]]),
    "holes": ("x;y\n1,5;NA\n;2,25\n", [[1.5, np.nan], [np.nan, 2.25]]),
    "variational": ("# a\nlp__,t.1,t.2\n# eta = 1\n0,.5,2\n0,.25,1\n", [[0.5, 2], [0.25, 1]]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_more_tables_of_spreadsheets_and_programs(read, name):
    text, values = SPREADSHEETS[name]
    np.testing.assert_array_equal(holes(read(text)[0]), values)


BOTH = [("x y\n1.5 2\n3 4.5\n", "--delimiter", "whitespace"), ("x,y\n1,2\n", "--comment", "#"),
        ("x;y\n1,5;2\n", "--decimal", ","), ("note\nx,y\n1,2\n3,4\n", "--header-row", "2"),
        ("x,y\nm,s\n1,2\n3,4\n", "--units-row"), ("x,y\na,1,2\nb,3,4\n", "--row-names"),
        ]  # fmt: skip


@pytest.mark.parametrize("case", BOTH, ids=lambda case: case[1])
def test_what_is_taken_for_granted_may_be_said(read, case):
    text, *options = case
    one, other = read(text)[0], read(text, *options)[0]
    assert one.columns == other.columns
    np.testing.assert_array_equal(one.values, other.values)


def test_what_is_not_as_it_looks_may_be_said(read):
    text = "x;y\n1,5;2\n2,5;3\n"
    assert [n.code for n in read(text)[1]] == ["numbers-read"]
    with pytest.raises(KstestError, match=r"'x', row 1: found '1,5'"):
        read(text, "--decimal", ".")
    assert read("a\nx,y\n1,2\n3,4\n", "--skip-rows", "1")[0].columns == ("x", "y")
    assert read("sep=;\nx;y\n1;2\n", "--delimiter", ";")[0].columns == ("x", "y")
    assert read("5\n7\n", "--header-row", "1")[0].columns == ("5",)
    assert read("x,y\n# 1,2\n3,4\n", "--comment", "#")[0].n == 1
    sample, _ = read('n,x\n"1,234",5\n"2,345",6\n', "--thousands", ",")
    assert sample.values.tolist() == [[1234, 5], [2345, 6]]
    sample, _ = read("n;x\n1.234;5\n2.345,5;6\n", "--thousands", ".")
    assert sample.values.tolist() == [[1234, 5], [2345.5, 6]]
    sample, _ = read("n;x\n1\u202f234,5;5\n2;6\n", "--thousands", "space", "--decimal", ",")
    assert sample.values.tolist() == [[1234.5, 5], [2, 6]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--header-row", "0"), "--header-row: found '0'"),
        (("--header-row", "3-2"), "--header-row"),
        (("--header-row", "x"), "--header-row"),
        (("--header-row", "9"), "nothing in that line"),
        (("--header-row", "1", "--no-header"), "leave out --no-header"),
        (("--thousands", "x"), "--thousands: found 'x'"),
        (("--thousands", ",", "--decimal", ","), "--thousands"),
        (("--row-names",), "--row-names"),
        (("--units-row",), "--units-row: the line below the names holds numbers"),
        (("--header-row", "2"), "--header-row: the line holds numbers"),
        (("--header-row", "1-2"), "--header-row: the line holds numbers"),
        (("--skip-rows", "1"), "no-header"),
    ],
)
def test_options_that_cannot_be_used(read, options, words):
    with pytest.raises(KstestError, match=words):
        read("x,y\n1,2.5\n3,4\n", *options)


def test_columns_that_nobody_named_are_used_where_an_option_names_them(read):
    text = "lp__,a__,t.1\n-7,1,0.5\n-8,2,0.25\n"
    assert read(text)[0].columns == ("t.1",)
    assert read(text, "--columns", "lp__,t.1")[0].columns == ("lp__", "t.1")
    assert read("a__,t.1\n1,2\n")[0].columns == ("a__", "t.1")
    sample, notices = read("x,y,\n1,2,\n3,4,\n")
    assert (sample.columns, [n.code for n in notices]) == (("x", "y"), ["empty-columns"])


def test_names_with_brackets_and_points_in_lists(read):
    text = '"b[1,1]","b[1,2]",t[1],t.1,"a,b"\n1,2,3,4,5\n'
    sample, _ = read(text, "--columns", "b[1,2],t.1,`a,b`,t[1]")
    assert sample.columns == ("b[1,2]", "t.1", "a,b", "t[1]")
    assert sample.values.tolist() == [[2, 4, 5, 3]]
    assert read(text, "--exclude", "`b[1,1]`,b[1,2],'a,b'")[0].columns == ("t[1]", "t.1")
    assert read(text, "--columns", "t.1", "--where", "`b[1,1]` == 1")[0].n == 1
    assert read(text, "--columns", "t.1", "--weights", "b[1,1]")[0].weights.tolist() == [1]


def changed(data, rng):
    """One byte of some bytes exchanged, put in or taken out."""
    at, new = int(rng.integers(len(data))), rng.choice(list(b"\",;\t \n\r#%.-019aE[]'_|\0\xff=:"))
    keep = at + (0 if (how := rng.integers(3)) == 1 else 1)
    return data[:at] + (b"" if how == 2 else bytes([new])) + data[keep:]


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_changed_byte_is_refused_or_leaves_the_other_rows_as_they_are(tmp_path, count):
    rng, names, path = np.random.default_rng(count), [*FILES], tmp_path / "f.csv"
    for k in range(count):
        file = FILES[names[k % len(names)]]
        data = changed(file.text.encode(), rng)
        path.write_bytes(data)
        try:
            (sample,), _ = read_samples({"r": [str(path)]}, parsed(file.needs))
        except KstestError as error:
            assert str(error).isprintable()  # noqa: PT017
            continue
        found = (
            np.where(sample.missing, np.nan, sample.values)
            if sample.missing is not None
            else sample.values
        )
        one, other = (Counter(map(str, rows.tolist())) for rows in (file.values, found))
        # A line end more or less changes two rows.
        assert (one - other).total() <= 2, (names[k % len(names)], data)
        assert (other - one).total() <= 2, (names[k % len(names)], data)
