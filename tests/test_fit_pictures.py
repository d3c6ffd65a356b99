"""Pictures of the tests of modes and of sequences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.methods import pksd
from kstest.picture import Bars, Curve
from kstest.run import execute
from kstest.sources import ReadOptions, samples_from_objects

MODES = "gaussian_mixture([0.5, 0.5], means=[-3, 3], covariances=1)"


def pictured(frame, **options):
    params = pksd.Params(**{"draws": 99, **options})
    reading = ReadOptions(choose=pksd.columns(params))
    samples, notices = samples_from_objects({"data": pd.DataFrame(frame)}, reading)
    result = execute("pksd", samples, params, notices)
    return result, pksd.TEST.picture(samples, params, result)


def test_modes_come_first_with_the_shares_of_the_table(rng):
    x = np.where(rng.random(400) < 0.85, 3, -3) + rng.normal(size=400)
    result, found = pictured({"x": x}, target=MODES)
    modes, column = found.panels
    assert modes.title == "modes"
    assert modes.strong
    by_number = sorted(result.explanation["modes"], key=lambda m: int(m["mode"]))
    bars = modes.drawings[0]
    assert isinstance(bars, Bars)
    assert not bars.upright
    assert [*bars.shares[0]] == [m["share"] for m in by_number]
    assert [*bars.shares[1]] == [m["target_share"] for m in by_number]
    assert all("at x = " in label for label in bars.labels)
    # What the jumps showed is in no curve of the rows as they are.
    assert not any(isinstance(d, Curve) for d in column.drawings)
    assert len(found.series) == len(column.drawings[0].shares) == 2


def test_a_density_without_draws_still_names_its_modes(rng):
    x = np.where(rng.random(300) < 0.85, 3, -3) + rng.normal(size=300)
    density = "logp = logsumexp(-(x - 3) ** 2 / 2, -(x + 3) ** 2 / 2)"
    found = pictured({"x": x}, target=density.replace("logp = ", "logp: "), box="-6:6")[1]
    assert found.panels[0].title == "modes"
    assert len(found.series) == 2
    assert len(found.panels[1].drawings[0].shares) == 1
    assert any("cannot be sampled" in note for note in found.notes)


def test_without_a_verdict_nothing_is_drawn(rng):
    result, found = pictured({"x": rng.normal(size=100)}, target="normal(mean=0, sd=1)")
    assert result.verdict == "no verdict"
    assert not found.panels


def sequences(stay, count, rng):
    """Sequences over three letters in which one is repeated with probability `stay`."""
    made = []
    for _ in range(count):
        letters = [rng.integers(3)]
        while rng.random() > 0.15:
            letters.append(letters[-1] if rng.random() < stay else rng.integers(3))
        made.append("".join("abc"[k] for k in letters))
    return made


def test_subsequences_lengths_and_symbols(rng, tmp_path):
    words, before = sequences(0.7, 300, rng), sequences(0.1, 2000, rng)
    result = kstest.seqksd(
        words, reference=before, target="fit:order=1", draws=99, plot=tmp_path / "s.svg"
    )
    text = (tmp_path / "s.svg").read_text()
    for row in result.explanation["subsequences"]:
        assert f">{''.join(row['symbols'])}<" in text
    for title in ("subsequences", "symbols per sequence", "symbols", "data: ", "model: fit"):
        assert f">{title}" in text


def test_sequences_that_fit_show_no_subsequences(rng, tmp_path):
    words = sequences(0.3, 200, rng)
    kstest.seqksd(words, target="fit:order=1", draws=99, plot=tmp_path / "s.svg")
    text = (tmp_path / "s.svg").read_text()
    assert ">subsequences<" not in text
    assert "counts as evidence" in text


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_symbols_of_a_file_are_text_and_nothing_else(ending, rng, tmp_path):
    hostile = ["<i>odd", "$x^2$", "\x1b[2J", 'a"b&c']
    words = [[hostile[k] for k in rng.integers(4, size=5)] for _ in range(80)]
    kstest.seqksd(words, target="fit:order=1", draws=99, plot=tmp_path / f"s{ending}")
    content = (tmp_path / f"s{ending}").read_bytes()
    assert ending == ".png" or not (b"<i>odd" in content or b"\x1b" in content)
