"""Findings and formats: what is said follows from their kind, and hostile names stay text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.findings import Facts, Line, Note, Pairs, joined
from kstest.report import FORMATS, render


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    names = ["a|b", "`x` <b>", "line\nbreak"]
    reference = pd.DataFrame(rng.normal(size=(60, 3)), columns=names)
    return kstest.ks(reference, reference + 1)


def test_explanation_has_the_values_of_findings_by_key(result):
    assert list(result.explanation) == ["summary", "statistic", "columns"]
    assert result.explanation["columns"][0].column in result.columns
    assert list(result.to_dict()["explanation"]) == list(result.explanation)


def test_a_finding_takes_the_place_of_that_of_the_same_key():
    first, more = (Note("summary", "a"), Facts("x", 1)), (Note("summary", "b"), Facts("y", 2))
    assert [(f.key, f.value) for f in joined(first, more)] == [("summary", "b"), ("x", 1), ("y", 2)]


def test_markdown_escapes_what_columns_are_called(result):
    text = render(result, "markdown")
    assert text.startswith("### REJECTED: ")
    assert "a\\|b" in text
    assert "\\`x\\` &lt;b&gt;" in text
    assert "line\\\\nbreak" in text
    assert "<b>" not in text


def test_lines_of_a_verdict_are_said_with_it_only(result):
    line = Line("late", "later", only=("not rejected",))
    assert "later" not in render(result.told(Facts("late", 1, (line,))), "text")
    shown = result.told(Facts("late", 1, (line,)), verdict="not rejected")
    assert "later" in render(shown, "text")


def test_a_frame_is_a_row_of_numbers_or_a_table(result):
    frame = result.to_frame()
    assert (len(frame), frame["verdict"][0], frame["n_sample"][0]) == (1, "rejected", 60)
    assert set(result.to_frame("columns")["column"]) == set(result.columns)
    with pytest.raises(KeyError, match="those that have: columns"):
        result.to_frame("summary")


def test_pairs_are_a_table_to_formats(rng):
    rows = [
        {"x": "a", "y": "b", "adjusted_p_value": 0.5, "reject": None},
        {"x": "a", "y": "c", "adjusted_p_value": 0.01, "reject": True},
    ]
    found = Pairs("all_pairs", rows, "Holm's correction", ("", "linear"), (0.0, -3.0))
    assert len(found.columns) == 5
    assert found.rows() == [
        ["a", "c", "0.01", "yes", "linear"],
        ["a", "b", "0.5", "no verdict", ""],
    ]
    result = kstest.ks(rng.normal(size=30), rng.normal(size=30)).told(found)
    assert "#### Pairs of columns (2)" in render(result, "markdown")
    assert "| a | c | 0.01 | yes | linear |" in render(result, "markdown")


def test_a_format_is_one_module_and_one_line(result, tmp_path, monkeypatch):
    module = (
        "from kstest.report.outline import outline\n"
        "def render(answer, color=False):\n"
        "    shape = outline(answer)\n"
        "    return f'{shape.headline.title},{len(answer.documents())}\\n'\n"
    )
    (tmp_path / "tiny_format.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(FORMATS, "tiny", "tiny_format")
    assert render(result, "tiny") == "REJECTED,1\n"
