"""Explanation and picture of the goodness-of-fit test: places, Stein witness, files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.errors import UsageError
from kstest.methods import ksd
from kstest.methods.stein.picture import INTERVALS, TARGET_ROWS
from kstest.picture import Curve, Histogram
from kstest.run import execute
from kstest.sources import ReadOptions, samples_from_objects

SHIFTED = "normal(mean=0, sd=1)"


def pictured(frame, **options):
    params = ksd.Params(**{"draws": 99, **options})
    reading = ReadOptions(choose=ksd.columns(params))
    samples, notices = samples_from_objects({"data": pd.DataFrame(frame)}, reading)
    result = execute("ksd", samples, params, notices)
    return result, ksd.picture(samples, params, result)


def witness(x, at, h, mean=0.0):
    """Mean over x != v of s(x) k(x, v) + d/dx k(x, v), s the score of a normal distribution, k
    Gaussian."""
    total = []
    for v in at:
        k = np.exp(-((x - v) ** 2) / (2 * h * h))
        terms = (mean - x) * k - (x - v) / h**2 * k
        total.append(terms[x != v].sum() / (len(x) - 1))
    return np.array(total)


def test_the_witness_curve_is_its_formula(rng):
    x = rng.normal(0.8, 1, size=240)
    options = {"kernel": "gaussian", "bandwidth": "0.7", "scale": "none"}
    _, found = pictured({"x": x}, target=SHIFTED, **options)
    histogram, curve = found.panels[0].drawings
    parts = np.array_split(np.sort(x), min(INTERVALS, 240 // 8))
    middles = np.array([part.mean() for part in parts])
    values = np.array([witness(x, part, 0.7).mean() for part in parts])
    inside = (middles >= histogram.edges[0]) & (middles <= histogram.edges[-1])
    np.testing.assert_allclose(curve.x, middles[inside])
    np.testing.assert_allclose(curve.y, values[inside], atol=1e-12)
    # The data lie above the target: it has more of its mass at smaller values.
    assert (curve.y < 0).mean() > 0.8


def test_marks_stand_at_the_places_of_the_explanation(rng):
    frame = {"a": rng.normal(size=300), "b": rng.normal(1, 1, size=300)}
    result, found = pictured(frame, target=SHIFTED)
    assert found.panels[0].title == "b"
    places = [p["value"] for p in result.explanation["places"] if p["column"] == "b"]
    assert 0 < len(places) <= 3
    np.testing.assert_array_equal(found.panels[0].drawings[1].marks, places)
    assert f"below {places[0]:.3g}" in found.panels[0].words[-1]


def test_the_target_is_drawn_where_it_can_be_sampled(rng):
    x = rng.gamma(2, size=300)
    _, found = pictured({"x": x}, target="gamma(shape=4, scale=1)")
    histogram = found.panels[0].drawings[0]
    assert len(histogram.shares) == len(found.series) == 2
    exact = np.random.default_rng(1).gamma(4, size=10 * TARGET_ROWS)
    expected = np.histogram(exact, histogram.edges)[0] / len(exact)
    assert np.abs(histogram.shares[1] - expected).max() < 5 * np.sqrt(0.25 / TARGET_ROWS)
    scores = pd.DataFrame({"x": x, "score_x": -x})
    _, found = pictured(scores, score_prefix="score_")
    assert len(found.panels[0].drawings[0].shares) == len(found.series) == 1
    assert "cannot be sampled" in " ".join(found.notes)


def test_without_a_rejection_there_is_no_witness(rng):
    x = np.random.default_rng(0).normal(size=200)
    result, found = pictured({"x": x}, target=SHIFTED)
    assert result.verdict == "not rejected"
    assert not any(isinstance(d, Curve) for d in found.panels[0].drawings)
    assert "does not reject" in found.notes[0]
    assert pictured({"x": [0.1]}, target=SHIFTED)[1].panels == ()


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (np.tile([1.0, 2.0], 60), SHIFTED),
        (np.r_[np.arange(1.0, 100.0), -1.0], "gamma(shape=2, scale=3)"),  # outside the support
        (np.linspace(-3, 3, 200), "von_mises(0, 4)"),
    ],
)
def test_unusual_data_are_drawn(values, target):
    result, found = pictured({"x": values}, target=target)
    assert result.reject
    assert isinstance(found.panels[0].drawings[0], Histogram)
    assert len(found.series) == 2


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_files_are_written(ending, tmp_path, rng):
    target = tmp_path / f"why{ending}"
    frame = pd.DataFrame(rng.normal(1, 1, size=(120, 2)), columns=["<b>", "$x$"])
    assert kstest.ksd(frame, target=SHIFTED, draws=99, plot=target).reject
    content = target.read_bytes()
    if ending == ".svg":
        ElementTree.fromstring(content)
    assert b"<b>" not in content


def test_explain_gives_as_many_places_as_asked_whatever_the_verdict(rng):
    x = np.random.default_rng(0).normal(size=(200, 1))
    assert "places" not in kstest.ksd(x, target=SHIFTED).explanation
    found = kstest.ksd(x, target=SHIFTED, explain="places=5", bandwidth="0.3")
    places = [p["value"] for p in found.explanation["places"]]
    assert found.verdict == "not rejected"
    assert len(places) == 5
    gaps = np.abs(np.subtract.outer(places, places))[np.triu_indices(5, 1)]
    assert gaps.min() > 0.2  # a bandwidth apart, in whitened units
    none = kstest.ksd(x + 3, target=SHIFTED, explain="none")
    assert none.reject
    assert "drivers" not in none.explanation


@pytest.mark.parametrize("text", ["columns", "places", "places=0", "places=1000", "places=x"])
def test_unusable_explanations_are_named(text):
    with pytest.raises(UsageError, match="explain"):
        kstest.ksd(np.ones((5, 1)), target=SHIFTED, explain=text)
