"""The functions as Python's own tools see them, and their messages in Python's words."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys

import numpy as np
import pandas as pd
import pytest
from stub import PATH
from test_contract import NEEDED, samples_for

import kstest
from kstest.api.language import SYNONYMS, in_python
from kstest.api.shown import shown
from kstest.api.signatures import DECLARED, options, stub
from kstest.errors import DataError, KstestError, UsageError
from kstest.registry import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_signature_and_help_have_every_option(name):
    function = getattr(kstest, name)
    found, inputs = inspect.signature(function), METHODS[name].load().inputs
    text = inspect.getdoc(function)
    for f in options(inputs):
        parameter = found.parameters[f.name]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default == f.default
        assert f"\n{f.name} : " in text
    assert list(found.parameters)[: len(inputs.roles)] == list(inputs.roles)
    assert "Params" not in text.partition("Returns\n")[0]
    assert " --" not in text.partition("Returns\n")[0]
    for part in ("Parameters", "Returns", "Examples", "References"):
        assert text.count(f"\n{part}\n---") == 1


@pytest.mark.parametrize("name", DECLARED)
def test_signature_and_help_of_the_other_functions(name):
    function = getattr(kstest, name)
    text, found = inspect.getdoc(function), inspect.signature(function).parameters
    assert not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found.values())
    for parameter in found:
        assert re.search(rf"^(\*|\w+, )*{parameter}(, \w+)* : ", text, re.M), parameter
    assert "**given" not in text
    assert "'" not in str(inspect.signature(function)).partition("(")[2].split(",")[0]
    assert text.count("\nReturns\n---") == text.count("\nExamples\n---") == 1


def test_a_plan_and_thinned_rows_are_looked_at(rng, tmp_path):
    X = rng.normal(size=(300, 2))
    plan = kstest.plan(X, shift=1.5, draws=20, permutations=99, plot=tmp_path / "plan.svg")
    thin = kstest.thin(X, rows=20, plot=tmp_path / "thin.svg", label={"1": "speed [m/s]"})
    assert "speed [m/s]" in (tmp_path / "thin.svg").read_text()
    for found in (plan, thin):
        assert len(repr(found)) < 120
        assert str(found).lower().startswith(repr(found).split(": ")[1].split(";")[0])
        assert "<table" in found._repr_html_()
        assert found.figure().axes
        assert "<svg" in found.to_html()
        assert "--" not in str(found)
        assert type(pickle.loads(pickle.dumps(found))) is type(found)


def test_reports_speak_of_keywords(rng):
    walk = rng.normal(size=(300, 1)).cumsum(axis=0)
    result = kstest.mmd(walk, walk[::-1] + 3.0, permutations=99)
    assert any("--block-length" in n.message for n in result.warnings)
    assert "block_length" in str(result)
    assert "--" not in str(result)


def test_types_for_checkers_are_those_of_the_options():
    assert PATH.read_text() == stub(kstest), "run: python3 -m tests.stub"


def test_names_are_exported():
    from kstest import __all__, mmd  # noqa: F401

    assert {"mmd", "Result", "plan", "dqm_check"} <= set(__all__)
    assert all(hasattr(kstest, name) for name in __all__)


@pytest.fixture
def pair(rng):
    return rng.normal(size=(40, 2)), rng.normal(size=(40, 2))


@pytest.mark.parametrize("name", METHODS)
def test_a_result_is_looked_at(name, rng):
    data = samples_for(METHODS[name].load().inputs, rng)
    result = getattr(kstest, name)(*data, **NEEDED.get(name, {}))
    assert isinstance(result, kstest.Result)
    assert result.verdict in repr(result)
    assert len(repr(result)) < 120
    assert str(result).startswith(result.verdict.upper())
    assert result._repr_markdown_().count("\n") > 3
    statistic, p_value = result
    assert (statistic, p_value, result.pvalue) == (result.statistic, result.p_value, p_value)
    assert result.summary in str(result).replace("\n", " ")
    assert copy.copy(result) == result


def test_samples_by_name_and_by_place_are_alike(pair):
    x, y = pair
    by_place, named = kstest.ks(x, y), kstest.ks(sample=y, reference=x)
    assert by_place.p_value == named.p_value == kstest.ks(x, sample=y).p_value
    with pytest.raises(TypeError, match="takes 2 samples: reference, sample"):
        kstest.ks(x)
    with pytest.raises(TypeError, match="no option 'reference'"):
        kstest.ks(x, y, reference=x)
    assert pickle.loads(pickle.dumps(by_place)) == by_place


def test_a_generator_gives_a_seed(pair):
    seeds = [
        kstest.ks(*pair, seed=make(7)).params["seed"]
        for make in (np.random.default_rng, np.random.default_rng, np.random.RandomState)
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    generator = np.random.default_rng(7)
    drawn = {kstest.ks(*pair, seed=generator).params["seed"] for _ in range(3)}
    assert len(drawn) == 3
    assert kstest.ks(*pair, seed=seeds[0]).p_value == kstest.ks(*pair, seed=seeds[1]).p_value


def test_figure_is_that_of_the_plot(pair, tmp_path):
    result = kstest.mmd(*pair, plot=tmp_path / "a.png")
    width, height = result.figure().get_size_inches()
    assert width > 3 < height
    with pytest.raises(UsageError, match="mmd has no picture"):
        shown(result).figure()  # as that of a test without one


def test_the_page_is_that_of_the_plot_or_of_the_report(pair, tmp_path):
    result = kstest.ks(*pair, plot=tmp_path / "a.html")
    assert result.to_html() == (tmp_path / "a.html").read_text("utf-8")
    plain = result.to_html(picture=False)
    assert "<svg" not in plain
    assert plain == shown(result).to_html()  # as that of a test without a picture


@pytest.mark.parametrize(("other", "ours"), [(k, v[0]) for k, v in SYNONYMS.items()])
def test_names_of_other_libraries_are_known(other, ours, pair):
    if other != "features":  # an option of mmd
        with pytest.raises(TypeError, match=f"no option '{other}'; here it is called '{ours}'"):
            kstest.mmd(*pair, **{other: 1})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alpha": 5}, "alpha=5: give a number between 0 and 1, such as 0.05"),
        ({"permutations": 3}, "permutations=3: the smallest .* above alpha=0.05"),
        ({"missing": "drp"}, "missing: found 'drp'; accepted: error, drop, indicator"),
        ({"columns": "q"}, "columns: no column 'q' among the 2 columns"),
        ({"threads": 0}, "threads: give a whole number"),
        ({"seed": -1}, "seed=-1: give a whole number, 0 or larger"),
        ({"plot": "a.gif"}, "plot=?.*ends in .gif"),
        ({"kernel": "cubic"}, "kernel='cubic'"),
    ],
    ids=str,
)
def test_messages_speak_of_keywords(given, words, pair):
    with pytest.raises(KstestError, match=words) as caught:
        kstest.mmd(*pair, **given)
    assert "--" not in str(caught.value)


def test_advice_speaks_of_keywords(pair):
    x, y = pair
    with pytest.raises(DataError) as caught:
        kstest.mmd(np.where(x > 2, np.nan, x), np.where(y > 1, np.nan, y))
    assert "missing='drop'" in str(caught.value)
    assert "--" not in str(caught.value)


def test_a_near_name_is_asked_for(pair):
    with pytest.raises(TypeError, match="no option 'permutatons'; did you mean 'permutations'"):
        kstest.mmd(*pair, permutatons=99)
    with pytest.raises(TypeError, match="no option 'qqq'; it has aggregate, alpha"):
        kstest.mmd(*pair, qqq=99)
    with pytest.raises(TypeError, match=r"'format', which is one of the command; .*to_dict"):
        kstest.mmd(*pair, format="json")
    with pytest.raises(AttributeError, match="did you mean 'mmd'"):
        kstest.MMD  # noqa: B018
    with pytest.raises(UsageError, match="calibration: found ndarray; accepted"):
        kstest.dqm_check(*pair)
    with pytest.raises(UsageError, match="plot: found int"):
        kstest.mmd(*pair, plot=1)


@pytest.mark.parametrize(
    ("shell", "python"),
    [
        ("give --block-length auto, or not", "give block_length auto, or not"),
        ("--where 'x > 1': no", "where='x > 1': no"),
        ("see --missing.", "see missing."),
        ("--delimiter CHAR", "delimiter=CHAR"),
        (
            "no column 'd'. Leave it out by --exclude d.",
            "no column 'd'. Leave it out by exclude='d'.",
        ),
        ("--columns or --exclude", "columns or exclude"),
        ("out with --exclude 'a b',c.", "out with exclude='a b,c'."),
        ("for example --score-prefix score_", "for example score_prefix='score_'"),
        ("such as --residual 'y - p' --given p,q", "such as residual='y - p' given='p,q'"),
        ("--target 'normal(mean=0, sd=1)', or", "target='normal(mean=0, sd=1)', or"),
        ("a--b", "a--b"),
        ("2 -- 3", "2 -- 3"),
    ],
)
def test_what_becomes_a_keyword(shell, python):
    assert in_python(shell, {}, ()) == python


def test_axes_have_the_names_that_were_asked(pair, tmp_path):
    A, B = (pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])]) for X in pair)
    label = {"c0": "drift time [ns]"}
    result = kstest.ks(A, B, label=label, plot=tmp_path / "a.svg")
    assert "drift time [ns]" in (tmp_path / "a.svg").read_text("utf-8")
    assert "drift time [ns]" in [axes.get_xlabel() for axes in result.figure().axes]
    assert "drift time [ns]" in result.to_html()
    with pytest.warns(UserWarning, match="no axis of the picture is that of a column other"):
        kstest.ks(A, B, label={"other": "x"}).figure()


@pytest.mark.parametrize("label", ["c0=x", {"c0": 1}, {0: "x"}, ["c0"], {"c0": ""}])
def test_names_of_axes_that_are_none_are_refused(label, pair):
    with pytest.raises(UsageError, match="label: found"):
        kstest.ks(*pair, label=label)


def test_a_notebook_shows_the_core_of_the_page(pair, monkeypatch):
    A = pd.DataFrame({"<b>x</b>": pair[0][:, 0]})
    result = kstest.ks(A, A + 3)
    found = result._repr_html_()
    assert "REJECTED" in found
    assert "&lt;b&gt;x&lt;/b&gt;" in found
    assert "<b>x" not in found
    for whole in ("<script", "<html", "<body", "\nbody", ":root"):  # nothing of the page around it
        assert whole not in found
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert result._repr_html_() is None  # then Markdown is shown
