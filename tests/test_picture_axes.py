"""Axes: their names and units, powers of ten, small panels, and what is over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kstest.cli import run
from kstest.dqm.course_picture import picture as course
from kstest.methods.distribution import numeric
from kstest.picture import Band, Curve, HeatMap, Histogram, Panel, Picture, relabelled
from kstest.plot import as_figure, headings
from kstest.result import Answer, Notice, Result

NULL = Result(method="mmd", verdict="not rejected", alpha=0.05)


def texts(figure):
    axes = figure.axes
    labels = [t for a in axes for t in (a.xaxis.label, a.yaxis.label, *a.texts)]
    ticks = [t for a in axes for t in (*a.get_xticklabels(), *a.get_yticklabels())]
    return {t.get_text() for t in (*figure.texts, *labels, *ticks)}


def test_values_over_powers_of_ten_get_a_logarithmic_axis(rng):
    wide = np.exp(rng.normal(size=800) * 2)
    drawing = numeric([wide, wide[:300] * 2], [None, None])
    assert drawing.logarithmic
    assert drawing.edges[0] > 0
    assert np.allclose(np.diff(np.log(drawing.edges)), np.log(drawing.edges[1] / drawing.edges[0]))
    for values, shares in zip((wide, wide[:300] * 2), drawing.shares, strict=True):
        assert shares == pytest.approx(np.histogram(values, drawing.edges)[0] / len(values))
        assert shares.sum() > 0.97
    grid = drawing.grid(11, 0.5)
    assert grid[0] == pytest.approx(max(0.5, drawing.edges[0]))
    assert np.allclose(np.diff(np.log(grid)), np.log(grid[1] / grid[0]))


@pytest.mark.parametrize("kind", ["exponential", "uniform", "normal", "zeros", "negative"])
def test_other_values_do_not(kind, rng):
    values = {
        "exponential": rng.exponential(size=3000),
        "uniform": rng.uniform(1e-6, 1, 3000),
        "normal": rng.normal(1000, 1, 3000),
        "zeros": np.r_[0, np.exp(rng.normal(size=900) * 3)],
        "negative": -np.exp(rng.normal(size=900) * 3),
    }[kind]
    assert not numeric([values], [None]).logarithmic


def test_labels_name_axes_and_nothing_else():
    x = np.arange(3.0)
    bins = Histogram(np.arange(4.0), (x / 3,))
    cells = HeatMap(("t1", "b"), ("t1",), np.ones((2, 1)), "p", 0.1, 1.0, across="t1", upwards="u")
    names = HeatMap(("t1", "b"), ("t1",), np.ones((2, 1)), "p", 0.1, 1.0)
    band = Band(x, x, x, x, x, "power", "t1")
    found = Picture((), tuple(Panel("t1", (), (d,)) for d in (bins, cells, names, band)))
    named, used = relabelled(found, {"t1": "time [ns]", "other": "no"})
    assert used == {"t1"}
    one, two, three, four = named.panels
    assert (one.title, one.across) == ("t1", "time [ns]")
    assert (two.drawings[0].across, two.drawings[0].rows) == ("time [ns]", ("t1", "b"))
    assert three.drawings[0].rows == ("time [ns]", "b")
    assert four.drawings[0].across == "time [ns]"
    assert {"t1", "time [ns]", "share"} <= texts(as_figure(NULL, named))


def test_label_on_the_command_line(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        pd.DataFrame({"t=1": rng.normal(size=60)}).to_csv(f"{name}.csv", index=False)
    words = ["ks", "a.csv", "b.csv", "--threads", "1", "-q"]
    assert run([*words, "--label", "none=x", "--label", "t=1", "--plot", "a.svg"]) == 0
    assert "--label none: no axis" in capsys.readouterr().err
    pd.read_csv("a.csv").rename(columns={"t=1": "t1"}).to_csv("a.csv", index=False)
    pd.read_csv("b.csv").rename(columns={"t=1": "t1"}).to_csv("b.csv", index=False)
    for order in (["--plot", "a.svg", "--label", "t1=T [ns] <&>"],
                  ["--label", "t1=T [ns] <&>", "--plot", "a.svg"]):  # fmt: skip
        assert run([*words, *order]) == 0
        assert "T [ns] &lt;&amp;&gt;" in (tmp_path / "a.svg").read_text()
    for label in ("t1", "=x", "t1="):
        assert run([*words, "--plot", "a.svg", "--label", label]) == 2
        assert "give NAME=TEXT" in capsys.readouterr().err
    assert run([*words, "--label", "t1=x"]) == 2
    assert "--label: names the axes of --plot FILE, which is not given" in capsys.readouterr().err


def test_evidence_is_numbered_by_itself_and_small_panels_are_low():
    x, y = np.arange(50.0), np.linspace(-1, np.log(900), 50)
    curve = Curve(x, y, "e-value", level=np.log(20), level_words="rejects", base=np.e)
    one = as_figure(NULL, Picture((), (Panel("a", (), (curve,)),)))
    assert {"1", "10", "20", "100", "rejects"} <= texts(one) | {"10"}
    guard = Panel("guard", (), (curve,), small=True)
    figure = as_figure(NULL, Picture((), (Panel("a", (), (curve,)), guard, guard)))
    tall, *low = (ax.get_position().height for ax in figure.axes)
    wide, *narrow = (ax.get_position().width for ax in figure.axes)
    assert max(low) < tall / 2
    assert max(narrow) < wide / 2
    p = Curve(x, y + 1, "p-value", level=2.0, level_words="level 0.01", base=0.1, dots=True)
    assert {"0.01", "1"} <= texts(as_figure(NULL, Picture((), (Panel("a", (), (p,)),))))


def batch(name, p, alarm):
    verdict = "no verdict" if p is None else "rejected" if p <= 0.01 else "not rejected"
    from kstest.findings import Facts

    facts = Facts("batch", name), Facts("alarm", {"alarm": alarm, "level": 0.01})
    return Result(method="dqm", verdict=verdict, alpha=0.01, p_value=p, findings=facts)


def test_batches_over_time():
    p = [0.5, None, 0.001, 1e-5, 0.3]
    alarms = [False, False, False, True, False]
    results = [batch(f"b{k}", *found) for k, found in enumerate(zip(p, alarms, strict=True))]
    (panel,) = course(results, None).panels
    (curve,) = panel.drawings
    assert list(curve.x) == [1, 3, 4, 5]
    assert curve.y == pytest.approx([-np.log10(q) for q in p if q])
    assert (list(curve.marks), curve.level, panel.strong) == ([4], pytest.approx(2), True)
    assert panel.words == ("1: b0; 5: b4", "1 without a verdict")
    assert course(results[1:2], None).panels == ()
    lines = [{"batch": "old", "p_value": 0.2}, {"batch": "b0", "p_value": 0.5, "alarm": True}]
    (panel,) = course(results[:1], lines).panels
    assert (list(panel.drawings[0].x), list(panel.drawings[0].marks)) == ([1, 2], [2])
    assert "batch" in texts(as_figure(Answer((), parts=tuple(results)), course(results, None)))


def test_files_and_day_are_said(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    inputs = tuple({"path": f"some/where/{k}.csv"} for k in range(6))
    one = Result(
        method="mmd", verdict="rejected", alpha=0.05, inputs=inputs,
        provenance={"started": "2026-03-01T10:00:00+00:00"}, warnings=(Notice("a", "b"),),
    )  # fmt: skip
    assert headings.origin(one) == "0.csv, 1.csv, 2.csv, 3.csv and 2 more; 2026-03-01"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert headings.origin(Answer((), parts=(one,))).endswith("1970-01-01")
    assert headings.origin(Answer(())) == "1970-01-01"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "x")
    assert headings.origin(Answer(())) == ""
