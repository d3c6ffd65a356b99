"""The reader that --where and --target share: names, places, limits, attacks; Arrow columns."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import kstest
from kstest.errors import KstestError, UsageError
from kstest.sources import where
from kstest.sources.where_parse import parse as parse_where
from kstest.sources.where_tree import names
from kstest.syntax import MOST_BRACKETS, MOST_DEPTH
from kstest.targets import resolve, resolve_discrete
from kstest.targets.language import read

COLUMNS = ("x", "y", "theta[1]", "theta.1", "b[1,1]", "class", "e\u0301", "ﬁ", "a`b")
LANGUAGES = {
    "--where": parse_where,
    "--target logp": lambda text: resolve("logp:" + text, COLUMNS),
    "--target": read,
}
ODD = ["theta[1]", "theta.1", "b[1,1]", "class", "e\u0301", "ﬁ", "a`b"]


@pytest.mark.parametrize("name", ODD)
def test_a_column_by_any_name_in_every_language(name):
    quoted = "`" + name.replace("`", "``") + "`"
    assert list(names(parse_where(f"{quoted} > 1 and x < 2"))) == [name, "x"]
    product = resolve(f"product({quoted}=normal(1, 2), x=gamma(2))", COLUMNS)
    assert product.columns == (name, "x")
    target = resolve(f"logp: -x**2 - ({quoted} - x)**2", COLUMNS)
    assert target.columns == ("x", name)
    np.testing.assert_allclose(target.score(np.array([[1.0, 3.0]])), [[2.0, -4.0]])


def test_bare_names_are_taken_as_they_are_written():
    """Python's grammar would refuse the first and make "fi" of the last."""
    for name in ("class", "e\u0301", "ﬁ"):
        assert resolve(f"logp: -{name}**2", COLUMNS).columns == (name,)
        assert list(names(parse_where(f"{name} > 1"))) == [name]


def test_a_value_by_any_name():
    target = resolve_discrete("categorical(`log in`=0.25, `x=1`=0.75)", ("event",))
    assert target.distributions[0].labels == ("log in", "x=1")


def test_odd_names_from_the_shell_to_the_result():
    frame = {"theta[1]": np.linspace(-2, 2, 60), "theta.2": np.linspace(-2, 2, 60)[::-1]}
    text = "logp: -`theta[1]`**2/2 - (`theta.2` - `mu.1`)**2/2"
    data = pa.table(frame)
    found = kstest.ksd(data, target=text, param=["mu.1=0"], where="`theta[1]` > -1", seed=1)
    assert found.n["data"] == 45


@pytest.mark.parametrize("bare", ["theta[1]", "b[1,1]", "theta.a", "x.__class__"])
def test_odd_names_that_stand_bare_are_told_how_they_are_written(bare):
    for language in ("--where", "--target logp"):
        with pytest.raises(UsageError, match="backquotes"):
            LANGUAGES[language](bare)


@pytest.mark.parametrize(
    ("language", "text", "place"),
    [
        ("--where", "x > 1 and (y + 1) > 2", "character 12, 'y + 1'"),
        ("--where", "  é == 'é' and x[0] == 1", "character 16, 'x[0]'"),
        ("--target logp", "-`theta[1]`**2 + sinh(x)", "character 18, 'sinh(x)'"),
        ("--target logp", "-é**2 + x ** y", "character 14, 'y'"),
        ("--target logp", "-x**2 +", "the end"),
        ("--target", "normal(mean=1, sd=x[2])", "character 19, 'x[2]'"),
        ("--target", "product(`a b`=normal(1, {}))", "character 25, '{}'"),
    ],
)
def test_messages_show_the_place_in_the_text(language, text, place):
    with pytest.raises(UsageError) as caught:
        resolve("logp:" + text, ("x", "y", "é", "theta[1]")) if "logp" in language else LANGUAGES[
            language
        ](text)
    assert str(caught.value).startswith(language + ":")
    assert place in str(caught.value)


ATTACKS = [
    "(" * 10**6, "x" * 10**6, "-" * 4000 + "x", "not " * 999 + "x", "~" * 900 + "x",
    "f(" * 149 + "x" + ")" * 149, "f(" * 1300 + "x" + ")" * 1300, "x" + "[0" * 900 + "]" * 900,
    "[" * 160 + "]" * 160, "x**" * 1300 + "2", "x.a" * 1000, "x if " * 700 + "x", "lambda:" * 500,
    "x.__class__", "().__class__.__bases__[0].__subclasses__()", "__import__('os')", "(x := 1)",
    "f'{x.__class__}'", 'f"{x!r:>{10**9}}"', "[x for x in y]", "{**x}", "*x", "x\0", "\0",
    "\x1b[2J", "x\u200dy", "x ≥ 1", "x\u202e > 1", "9" * 4000, "0x" + "f" * 3900, "1e999", "1__0",
    "1j", "\ud800", "'\ud800' == x", "x == '\\ud800' + 1", "x\\\ny", "'''a'''", "`", "``", "`x",
    "a" + "+a" * 900, "await x", "yield x", "x < y < (x < y)", "exp(x)(x)", "max(x, *y)",
    "log(x, y=2)", "...", "x @ y", "x << 9999999", "10**10**10", "'a' * 10**9",
    "x == " + "(1," * 150,
]  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS, ids=lambda text: ascii(text[:20]))
@pytest.mark.parametrize("language", LANGUAGES)
def test_attacks_are_refused_at_once_in_words(language, text):
    began = time.process_time()
    with pytest.raises(KstestError) as caught:
        LANGUAGES[language](text)
    assert time.process_time() - began < 3  # 10 ms, or a collection of garbage in a large process
    message = str(caught.value)
    assert message.startswith(language)
    assert message.isprintable()
    assert len(message) < 600


def test_limits_are_no_tighter_than_they_say():
    inside = "(" * (MOST_BRACKETS - 1) + "x" + ")" * (MOST_BRACKETS - 1)
    assert resolve("logp:" + inside, COLUMNS).columns == ("x",)
    assert list(names(parse_where(inside + " > 1"))) == ["x"]
    deep = "-" * (MOST_DEPTH - 2) + "x"
    assert resolve("logp:" + deep, COLUMNS).columns == ("x",)
    wide = "x in (" + ", ".join(["1"] * 1200) + ")"
    assert list(names(parse_where(wide))) == ["x"]


NUMBERS = [1.0, None, -0.0, 3.0]
KINDS = {
    "doubles with NaN": pa.array([1.0, np.nan, -0.0, 3.0]),
    "doubles with null": pa.array(NUMBERS),
    "whole numbers": pa.array([1, None, 0, 3], pa.int32()),
    "chunks": pa.chunked_array([NUMBERS[:1], NUMBERS[1:]], pa.float64()),
    "a slice": pa.array([9.0, *NUMBERS, 9.0])[1:5],
    "numpy": np.array([1.0, np.nan, -0.0, 3.0]),
}
TEXTS = {
    "strings": pa.array(["a", None, "é", "c"]),
    "large strings": pa.array(["a", None, "é", "c"], pa.large_string()),
    "a dictionary": pa.array(["a", None, "é", "c"]).dictionary_encode(),
    "a null in a dictionary": pa.DictionaryArray.from_arrays(
        pa.array([1, 0, 2, 3]), pa.array([None, "a", "é", "c"])
    ),
    "codes": where.Coded(np.array([1, -1, 2, 0], np.int32), ["c", "a", "é"]),
}


def held(text, column, kind):
    condition = where.bind(parse_where(text), {"v": kind})
    return np.flatnonzero(where.holds(condition, {"v": column})).tolist()


@pytest.mark.parametrize("column", KINDS.values(), ids=KINDS)
def test_conditions_on_arrow_columns_of_numbers(column):
    for text, rows in {
        "v >= 1": [0, 3],
        "v != 1": [2, 3],
        "not v != 1": [0, 1],
        "v == 0": [2],
        "v in (0, 3)": [2, 3],
        "v not in (0, 7)": [0, 3],
        "v is null": [1],
        "v == v": [0, 2, 3],
        "2 > v": [0, 2],
    }.items():
        assert held(text, column, "numbers") == rows, text


@pytest.mark.parametrize("column", TEXTS.values(), ids=TEXTS)
def test_conditions_on_arrow_columns_of_text(column):
    for text, rows in {
        "v == 'é'": [2],
        "v != 'a'": [2, 3],
        "v < 'é'": [0, 3],
        "v in ('a', 'zz')": [0],
        "v not in ('a',)": [2, 3],
        "v is not null": [0, 2, 3],
        "v >= v": [0, 2, 3],
    }.items():
        assert held(text, column, "text") == rows, text


def test_conditions_on_no_rows_and_on_truth_values():
    assert held("v > 1", pa.array([], pa.float64()), "numbers") == []
    truth = pa.array([True, False, None])
    assert held("v", truth, "true/false") == [0]
    assert held("not v", truth, "true/false") == [1, 2]
    assert held("v == false", truth, "true/false") == [1]


def test_a_condition_loads_neither_pandas_nor_a_query_engine(tmp_path):
    (tmp_path / "d.csv").write_text("x,c\n" + "".join(f"{k},w{k % 3}\n" for k in range(60)))
    code = (
        "import sys\nfrom kstest.sources import ReadOptions, read_samples\n"
        "options = ReadOptions(where=\"x > 3 and c in ('w1', 'w2')\", columns='x')\n"
        "read_samples({'r': ['d.csv']}, options)\n"
        "print(sorted({'pandas', 'pyarrow._acero', 'pyarrow._dataset'} & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_a_sum_of_many_terms_is_no_nesting(rng):
    X = pd.DataFrame(rng.normal(size=(40, 80)), columns=[f"x{k}" for k in range(80)])
    target = "logp: " + " - ".join(["0", *(f"{name}**2/2" for name in X)])
    assert kstest.ksd(X, target=target, draws=99).p_value > 0
    deep = "logp: " + "(0 - " * 60 + "x0" + ")" * 60
    with pytest.raises(UsageError, match="nested too deeply"):
        kstest.ksd(X, target=deep)
    long = "logp: " + " - ".join(["0", *(f"{name}**2/2" for name in X)] * 10)
    with pytest.raises(UsageError, match="at most 4,096"):
        kstest.ksd(X, target=long)
