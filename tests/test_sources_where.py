"""--where: its language against a naive evaluator, its errors, its counts, and attacks on it."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstest.errors import DataError, KstestError, UsageError
from kstest.sources import (
    ReadOptions,
    csv_read,
    read_options,
    read_samples,
    samples_from_objects,
)
from kstest.sources.where_parse import parse
from kstest.sources.where_tree import names

FRAME = pd.DataFrame(
    {
        "i": [1, 2, 3, 4],
        "f": [0.5, None, 2.5, -1.0],
        "s": ["a", "b", None, "it's"],
        "t": ["b", "b", "c", None],
        "ok": [True, False, True, True],
        "day": pd.to_datetime(["2024-01-01", "2024-02-01", None, "2024-03-01"]),
        "odd name`": [9, 8, 7, 6],
        "class": [1, 1, 0, 0],
    }
)


def rows(condition, frame=FRAME):
    """The rows (from 1) that fulfil the condition."""
    whole = samples_from_objects({"r": frame}, ReadOptions(where=condition, columns="i"))
    return whole[0][0].values[:, 0].tolist()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("i == 2", [2]),
        ("2<=i", [2, 3, 4]),
        ("1 < i <= 3", [2, 3]),
        ("i >= 2 and f < 0 or i == 1", [1, 4]),
        ("i >= 2 and (f < 0 or i == 3)", [3, 4]),
        ("not i == 2", [1, 3, 4]),
        ("f != 0.5", [3, 4]),
        ("not f == 0.5", [2, 3, 4]),
        ("f is null", [2]),
        ("f is not null and s is not null", [1, 4]),
        ("s is null or t is null", [3, 4]),
        ("f == -1", [4]),
        ("f > -1.5e0", [1, 3, 4]),
        ("s == 'a'", [1]),
        ('s == "it\'s"', [4]),
        (r"s == 'it\'s'", [4]),
        ("s < 'b'", [1]),
        ("s >= 'b'", [2, 4]),
        ("s == t", [2]),
        ("s != t", [1]),
        ("t > s", [1]),
        ("s < t", [1]),
        ("i in (1, 4, 9)", [1, 4]),
        ("i not in [1, 4]", [2, 3]),
        ("i in (1)", [1]),
        ("s in ('a', 'zz')", [1]),
        ("s not in ('a',)", [2, 4]),
        ("f not in (0.5,)", [3, 4]),
        ("ok", [1, 3, 4]),
        ("not ok", [2]),
        ("ok == true and i != 1", [3, 4]),
        ("ok == False", [2]),
        ("ok == 1", [1, 3, 4]),
        ("day >= '2024-02-01'", [2, 4]),
        ("day == '2024-01-01T01:00+01:00'", [1]),
        ("day in ('2024-01-01', '2024-03-01')", [1, 4]),
        ("`odd name```< 8", [3, 4]),
        ("class == 1 AND `i` > 1", [2]),
        ("i > f and\n i < 4", [1, 3]),
        ("  i == 1  ", [1]),
        ("i == 1.0", [1]),
        ("i == 0x2", [2]),
    ],
)
def test_conditions(condition, expected):
    assert rows(condition) == expected


def test_columns_by_any_name_and_texts_with_anything_in_them():
    frame = pd.DataFrame({"i": [1, 2], "ﬁ": [1, 0], "None": [0, 1], "n0": [0, 1], "lambda": [1, 0]})
    assert rows("ﬁ == 1", frame) == [1]
    assert rows("None == 1 and n0 == 1", frame) == [2]
    assert rows("lambda > 0", frame) == [1]
    text = pd.DataFrame({"i": [1, 2], "s": ["x is null and `y`", "b # 'c"]})
    assert rows("s == 'x is null and `y`'", text) == [1]
    assert rows('s == "b # \'c"', text) == [2]
    assert rows(f"s == {'b # é' + chr(39)!r} or i == 1", text) == [1]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", ["is empty"]),
        ("   ", ["is empty"]),
        ("i = 2", ["write == to compare", "character 3", "'= 2'"]),
        ("i == ", ["cannot be read", "the end"]),
        ("i == 2 3", ["cannot be read"]),
        ("i == 'a", ["cannot be read"]),
        ("i == `a", ["this character is not accepted: at character 6, '`a'"]),
        ("i`f` == 1", ["cannot be read", "character 2"]),
        ("i > 1 # 2", ["this character is not accepted: at character 7, '# 2'"]),
        ("i > 1; i", ["this character is not accepted: at character 6, '; i'"]),
        ("i > 1 \\", ["is not accepted"]),
        ("i == '''a'''", ["three quotes"]),
        ("__import__('os').system('x')", ["functions are not accepted", "character 1,"]),
        ("i == __import__('os')", ["functions are not accepted", "character 6"]),
        ("i.__class__ == 1", ["in backquotes"]),
        ("().__class__.__bases__", ["in backquotes"]),
        ("lambda: 1", ["not accepted"]),
        ("(x := 1)", ["this character is not accepted: at character 4, ':= 1)'"]),
        ("[i for i in (1, 2)]", ["cannot be read"]),
        ("i == [j for j in k]", ["cannot be read"]),
        ("i in {1, 2}", ["is not accepted"]),
        ("f'{i}' == s", ["cannot be read"]),
        ("s == b'a'", ["cannot be read"]),
        ("i == 10 ** 10 ** 10", ["arithmetic is not accepted"]),
        ("i + 1 == 2", ["arithmetic is not accepted"]),
        ("(i == 1) & (f == 1)", ["write and, or"]),
        ("i == 1e999", ["1.8e308"]),
        ("i == 9007199254740993", ["2^53"]),
        ("i == " + "9" * 3900, ["2^53"]),
        ("i == " + "9" * 50 + "j", ["is not accepted"]),
        ("i[0] == 1", ["is not accepted"]),
        ("1 == 1", ["compares no column"]),
        ("1", ["a value alone"]),
        ("'i'", ["a value alone"]),
        ("true", ["a value alone"]),
        ("i is 1", ["before null only"]),
        ("i is f", ["before null only"]),
        ("i == null", ["null stands after is only"]),
        ("1 is null", ["a column is expected"]),
        ("1 in (1, 2)", ["a column is expected"]),
        ("i in ()", ["no value"]),
        ("i in (1, f)", ["only values"]),
        ("i in (1, (2, 3))", ["is not accepted"]),
        ("i == -'a'", ["before a number only"]),
        ("i == --1", ["before a number only"]),
        ("i == +1", ["is not accepted"]),
        ("i == ...", ["is not accepted"]),
        ("(i == 1) == 1", ["join comparisons"]),
        ("i if ok else f", ["cannot be read"]),
        ("i == 1\0", ["not accepted", "character 7"]),
        ("s == '\\x'", ["cannot be read"]),
        ("(" * 150 + "i == 1" + ")" * 150, []),
        ("(" * 1900 + "i == 1" + ")" * 1900, ["cannot be read"]),
        ("not " * 900 + "ok", ["too deeply"]),
        ("-" * 3000 + "1 == i", ["--where"]),
        ("(" * 10**5, ["100,000 characters", "4,000"]),
        ("i == 1 or " * 10**5 + "i == 1", ["characters"]),
    ],
)
def test_what_is_not_understood_is_one_clear_error(condition, words):
    if not words:
        assert rows(condition) == [1]
        return
    with pytest.raises(UsageError, match=r"^--where: ") as caught:
        rows(condition)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert len(message) < 500
    assert message.isprintable()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("i == 'a'", ["'i' holds numbers", "the text 'a'", "without quotes"]),
        ("s == 1", ["'s' holds text", "the number 1", "'1' in quotes"]),
        ("s < f", ["'s' holds text", "column 'f', which holds numbers"]),
        ("1 < s", ["'s' holds text"]),
        ("s in ('a', 1)", ["'s' holds text"]),
        ("i == true", ["true or false", "1 or 0"]),
        ("day == 5", ["'day' holds dates", "'2024-05-01'"]),
        ("day == 'monday'", ["'day' holds dates", "'monday'"]),
        ("day == i", ["'day' holds dates", "numbers"]),
        ("i", ["'i' holds numbers", "a truth value"]),
        ("nope == 1", ["no column 'nope', which --where names"]),
        ("i == 7", ["no row of 'r' fulfils --where"]),
    ],
)
def test_conditions_that_do_not_fit_the_columns(condition, words):
    with pytest.raises(DataError) as caught:
        rows(condition)
    assert all(word in str(caught.value) for word in words), caught.value


@given(st.text(max_size=40) | st.text("in()<>=!'\"`. 1andortul", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_condition_or_a_clear_error(text):
    try:
        rows(text)
    except KstestError as error:
        assert str(error).isprintable()  # noqa: PT017


CONSTANTS = {
    "i": st.integers(-1, 3).map(float),
    "f": st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
    "s": st.sampled_from(["", "a", "b", "it's", "é`#"]),
    "t": st.sampled_from(["a", "b"]),
}
OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def naive_compare(name, left, right):
    return left is not None and right is not None and OPERATORS[name](left, right)


@st.composite
def comparisons(draw):
    """A text of a comparison and a function of a row (a dict)."""
    name, sign = draw(st.sampled_from("ifst")), draw(st.sampled_from(sorted(OPERATORS)))
    other = {"i": "f", "f": "i", "s": "t", "t": "s"}[name]
    value = draw(CONSTANTS[name])
    values = draw(st.lists(CONSTANTS[name], min_size=1, max_size=3))
    negated = draw(st.booleans())
    listing = f"({', '.join(map(repr, values))},)"
    return draw(
        st.sampled_from(
            [
                (f"{name} {sign} {value!r}", lambda r: naive_compare(sign, r[name], value)),
                (f"{value!r}{sign}`{name}`", lambda r: naive_compare(sign, value, r[name])),
                (f"{name} {sign} {other}", lambda r: naive_compare(sign, r[name], r[other])),
                (
                    f"{name} {'not ' * negated}in {listing}",
                    lambda r: r[name] is not None and (r[name] in values) != negated,
                ),
                (
                    f"{name} is {'not ' * negated}null",
                    lambda r: (r[name] is None) != negated,
                ),
                (
                    f"{value!r} <= {name} {sign} {other}",
                    lambda r: (
                        naive_compare("<=", value, r[name])
                        and naive_compare(sign, r[name], r[other])
                    ),
                ),
            ]
        )
    )


def joined(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda c: (f"not ({c[0]})", lambda r: not c[1](r))),
        pair.map(lambda c: (f"({c[0][0]}) and {c[1][0]}", lambda r: c[0][1](r) and c[1][1](r))),
        pair.map(lambda c: (f"({c[0][0]}) or ({c[1][0]})", lambda r: c[0][1](r) or c[1][1](r))),
    )


def simple(inner):
    """`and` binds tighter than `or`: the right part of an unparenthesised `and` is a comparison."""
    return inner.filter(lambda c: " or " not in c[0])


CONDITIONS = st.recursive(comparisons(), lambda inner: joined(simple(inner)), max_leaves=6)
TABLES = st.lists(
    st.fixed_dictionaries({k: st.none() | v for k, v in CONSTANTS.items()}), min_size=1, max_size=12
)


@given(TABLES, CONDITIONS)
@settings(max_examples=400, deadline=None)
def test_conditions_agree_with_a_naive_evaluator(table, condition):
    text, holds = condition
    kinds = {"i": pa.float64(), "f": pa.float64(), "s": pa.string(), "t": pa.string()}
    columns = {k: pa.array([r[k] for r in table], kinds[k]) for k in CONSTANTS}
    expected = [k + 1 for k, r in enumerate(table) if holds(r)]
    data = pa.table({"row": range(1, len(table) + 1), **columns})
    try:
        found = samples_from_objects({"r": data}, ReadOptions(where=text, columns="row"))[0][0]
    except DataError as error:
        assert "fulfils --where" in str(error)  # noqa: PT017
        assert not expected
        return
    assert found.values[:, 0].tolist() == found.row_numbers.tolist() == expected
    assert found.n_filtered == len(table) - len(expected)


def test_names_of_a_condition():
    condition = parse("a < b and (not c in (1, 2) or `d e` is null) and f")
    assert list(names(condition)) == ["a", "b", "c", "d e", "f"]


def test_rows_left_out_are_counted_apart_and_categories_of_theirs_are_none(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,c,w\n" + "1,,u,1\n2,5,v,1\n3,6,w,-1\n4,7,v,1\n" * 50)
    (tmp_path / "b.csv").write_text("w,c,y,x\n1,v,1,2\n")
    options = ReadOptions(columns="y,c", where="x != 3", missing="drop", weights="w")
    sides = {"r": [str(tmp_path / "a.csv")], "s": [str(tmp_path / "b.csv")]}
    (a, _), notices = read_samples(sides, options)
    source = a.inputs[0]
    assert (source.rows_read, source.rows_used, source.rows_dropped) == (200, 100, 50)
    assert source.rows_filtered == a.n_filtered == 50
    assert (a.columns, a.levels) == (("y",), (("v",),))
    assert a.row_numbers[:4].tolist() == [2, 4, 6, 8]
    assert a.n_missing == {"y": 50}
    assert [n.code for n in notices] == ["missing-values", "rows-dropped"]
    assert "50 of 150 rows" in notices[0].message
    with pytest.raises(DataError, match="'w', row 3: found -1"):
        read_samples(
            sides, ReadOptions(columns="y", where="x > 2", weights="w", signed_weights=False)
        )


def test_blocks_do_not_matter(tmp_path, monkeypatch, rng):
    n = 300
    frame = pd.DataFrame(
        {"x": rng.integers(0, 9, n), "c": rng.choice(list("abc"), n), "k": range(n)}
    )
    frame.loc[rng.random(n) < 0.2, "c"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    sides = {"t": [str(tmp_path / "a.csv")]}
    given = {"where": "x > 2 or c is null", "missing": "drop", "columns": "k,c"}
    given |= {"sample_column": "x", "reference_values": "0-4", "sample_values": "5-9"}
    options = read_options(("reference", "sample"), given)
    whole = read_samples(sides, options)[0]
    for name in ("PEEK_BYTES", "BLOCK_BYTES"):
        monkeypatch.setattr(csv_read, name, 50)
    monkeypatch.setattr(csv_read, "BLOCK_ROWS", 1)
    for one, other, side in zip(whole, read_samples(sides, options)[0], (True, False), strict=True):
        kept = frame[((frame.x <= 4) == side) & (frame.x > 2) & frame.c.notna()]
        for sample in (one, other):
            assert sample.values[:, 0].tolist() == kept.k.tolist()
            assert (sample.row_numbers == kept.k + 1).all()
            assert [sample.levels[0][j] for (j,) in sample.codes] == kept.c.tolist()
            assert sample.n_filtered == ((frame.x <= 2) & frame.c.notna()).sum() * side


def test_a_column_as_category_group_and_condition(tmp_path):
    (tmp_path / "a.csv").write_text("k,d\n1,2024-01-01\n2.0,2024-01-02\n3,2024-01-03\n")
    sides = {"r": [str(tmp_path / "a.csv")]}
    options = ReadOptions(where="k >= 2 and d < '2024-01-03'", categorical="k", group="d")
    (a,), _ = read_samples(sides, options)
    assert (a.levels, a.group_names) == ((("2",),), ("2024-01-02",))
    (b,), _ = samples_from_objects(
        {"r": np.array([[1, 5], [2, 6]])}, ReadOptions(where="`1` == 2", columns="2")
    )
    assert b.values.tolist() == [[6]]
