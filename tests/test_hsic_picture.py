"""Pictures of independence tests: the numbers behind them, and files that can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest import plot
from kstest.methods import hsic
from kstest.methods.dependence.pairs_map import MOST_COLUMNS
from kstest.methods.dependence.picture import MOST_BINS, MOST_TABLES
from kstest.methods.dependence.result import all_pairs
from kstest.result import Result
from kstest.run import execute
from kstest.sources import ReadOptions, samples_from_objects

SVG = "{http://www.w3.org/2000/svg}"


def pictured(frame, missing="error", **options):
    params = hsic.Params(**{"permutations": 99, **options})
    reading = ReadOptions(missing=missing, choose=hsic.columns(params))
    samples, notices = samples_from_objects({"data": pd.DataFrame(frame)}, reading)
    result = execute("hsic", samples, params, notices)
    return result, hsic.picture(samples, params, result)


def weather(rng, n=400):
    x = rng.normal(size=n)
    frame = pd.DataFrame({"t": x, "h": x**2 + 0.5 * rng.normal(size=n), "r": rng.normal(size=n)})
    frame["s"] = np.where(frame.r + 0.3 * rng.normal(size=n) > 0, "up", "down")
    return frame


def test_the_map_of_all_pairs_holds_the_adjusted_p_values(rng):
    result, found = pictured(weather(rng), all_pairs=True)
    heat = found.panels[0].drawings[0]
    assert (heat.rows, heat.columns) == (("h", "r", "s"), ("t", "h", "r"))
    expected = np.full((3, 3), np.nan)
    marked = np.zeros((3, 3), bool)
    for pair in result.explanation["all_pairs"]:
        cell = heat.rows.index(pair["y"]), heat.columns.index(pair["x"])
        expected[cell], marked[cell] = pair["adjusted_p_value"], pair["reject"]
    np.testing.assert_array_equal(heat.values, expected)
    np.testing.assert_array_equal(heat.marked, marked)
    assert marked.sum() == 2
    assert {p.title for p in found.panels[1:]} == {"t ~ h", "r ~ s"}


def test_a_table_compares_rows_in_cells_with_independence(rng):
    frame = weather(rng, 320)
    _, found = pictured(frame, x="t", y="s")
    heat = found.panels[0].drawings[0]
    assert heat.rows == ("up", "down")
    edges = np.quantile(frame.t, np.linspace(0, 1, len(heat.columns) + 1))
    inside = [
        (frame.t >= a) & (frame.t < b if k < len(edges) - 2 else frame.t <= b)
        for k, (a, b) in enumerate(pairwise(edges))
    ]
    expected = [
        [
            len(frame) * (cell & (frame.s == level)).sum() / (cell.sum() * (frame.s == level).sum())
            for cell in inside
        ]
        for level in heat.rows
    ]
    np.testing.assert_allclose(heat.values, expected)
    middles = [frame.t[cell].median() for cell in inside]
    np.testing.assert_allclose([float(label) for label in heat.columns], middles, atol=0.05)


def test_missing_cells_and_rare_levels_have_cells_of_their_own(rng):
    frame = weather(rng).assign(k=np.r_[np.repeat(["a", "b"], 150), [f"z{i}" for i in range(100)]])
    frame.loc[:40, "t"] = np.nan
    _, found = pictured(frame, "indicator", x="t", y="k")
    heat = found.panels[0].drawings[0]
    assert heat.columns[-1] == "missing"
    assert heat.rows[0] == f"({102 - len(heat.rows) + 1} others)"
    assert len(heat.rows) <= MOST_BINS


def test_given_columns_are_taken_out_of_the_table(rng):
    z = rng.normal(size=600)
    frame = pd.DataFrame({"x": 3 * z, "y": 3 * z, "z": z})
    frame[["x", "y"]] += rng.normal(size=(600, 2))
    _, plain = pictured(frame, x="x", y="y")
    _, given = pictured(frame, x="x", y="y", given="z")
    corner = [found.panels[0].drawings[0].values[0, -1] for found in (plain, given)]
    assert corner[0] > 4
    assert corner[1] < 2
    assert "given" in given.notes[-1]


def test_no_evidence_is_said_and_no_verdict_is_not_drawn(rng):
    _, found = pictured({"x": rng.normal(size=50), "y": rng.normal(size=50)})
    assert "does not reject" in found.notes[0]
    assert not found.panels[0].strong
    assert pictured({"x": [1.0, 2.0], "y": [2.0, 1.0]})[1].panels == ()


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_files_are_written_and_the_same_each_time(ending, tmp_path, rng):
    frame = weather(rng, 100).rename(columns={"t": "<b>$x^2$", "h": "W" * 200, "r": "\x1b[2J"})
    target = tmp_path / f"why{ending}"
    contents = []
    for _ in range(2):
        kstest.hsic(frame, x="1", y="2,3", permutations=99, plot=target)
        contents.append(target.read_bytes())
    assert contents[0] == contents[1]
    if ending == ".svg":
        ElementTree.fromstring(contents[0])
    assert b"<b>" not in contents[0]


def test_many_columns_make_no_endless_figure(rng):
    data = pd.DataFrame(rng.normal(size=(40, MOST_COLUMNS + 5))).add_prefix("c")
    samples, _ = samples_from_objects({"data": data}, ReadOptions())
    described = {"kind": "other", "measure": "rank correlation", "strength": 0.1, "z": 4.0}
    pairs = [
        {"x": x, "y": y, "p_value": p, "adjusted_p_value": p, "reject": p < 0.05, **described}
        for (x, y), p in zip(combinations(data, 2), rng.random(2080), strict=True)
    ]
    result = Result("hsic", "rejected", 0.05, findings=(all_pairs(pairs),))
    found = hsic.picture(samples, hsic.Params(all_pairs=True), result)
    assert len(found.panels) == 1 + MOST_TABLES
    assert len(found.panels[0].drawings[0].rows) == MOST_COLUMNS - 1
    assert found.left_out
    root = ElementTree.fromstring(plot.draw(result, found, "x.svg"))
    assert float(root.get("height").removesuffix("pt")) < 72 * 30
