"""The picture of a test of sequences: subsequences, lengths and symbols beside the model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import printable
from ...picture import Bars, Panel, Picture
from ...result import Result
from ...sample import Sample
from ...targets.sequence_model import Drawn
from ..describe import series_of
from ..distribution import numeric
from .data import Given, given_sequences
from .explanation import spelled

# Sequences that stand for the model.
MODEL_ROWS = 5_000
MOST_SYMBOLS = 12


def picture(samples: Sequence[Sample], params: Any, result: Result) -> Picture:
    """Return what there is to draw about a test of sequences.

    Parameters
    ----------
    samples : one Sample, with a reference beside it where the model is fitted to that
    params : Params of the test
    result : Result
        Of this sample and params.

    Returns
    -------
    Picture
        Where the test rejects, the subsequences whose Stein features are farthest from 0. Then
        lengths and symbols of the data, beside those of sequences drawn from the model, where it
        can be sampled. Without panels if there is no verdict.
    """
    data = samples[0]
    given = given_sequences(samples, params)
    series = [series_of(data, "sequence")]
    if result.verdict == "no verdict":
        return Picture(tuple(series))
    drawn = [given.drawn]
    if given.model.sample is not None:
        drawn.append(given.model.sample(MODEL_ROWS, np.random.default_rng(params.seed)))
        series.append(f"model: {given.model.name}")
    panels = [_subsequences(result, len(drawn)), _lengths(drawn), _symbols(given, drawn)]
    notes = []
    if not result.reject:
        notes.append("The test does not reject: no difference seen here counts as evidence.")
    if len(drawn) == 1:
        notes.append("The model cannot be sampled, so only the data are drawn.")
    return Picture(tuple(series), tuple(p for p in panels if p is not None), (), tuple(notes))


def _subsequences(result: Result, sides: int) -> Panel | None:
    rows = result.explanation.get("subsequences", ())
    if not rows:
        return None
    keys = ("share_data", "share_model")[:sides]
    shares = tuple(np.array([row[key] for row in rows], np.float64) for key in keys)
    labels = tuple(printable(spelled(row["symbols"])) for row in rows)
    words = ("share among subsequences of this length; the most telling first",)
    strong = any(row["notable"] for row in rows)
    return Panel("subsequences", words, (Bars(labels, shares, upright=False),), strong)


def _lengths(drawn: Sequence[Drawn]) -> Panel:
    lengths = [np.diff(offsets).astype(np.float64) for _, offsets in drawn]
    drawing = numeric(lengths, [None] * len(lengths))
    means = " -> ".join(f"{part.mean():.3g}" for part in reversed(lengths))
    words = f"mean {means}, model -> data" if len(drawn) > 1 else f"mean {means}"
    return Panel("symbols per sequence", (words,), () if drawing is None else (drawing,))


def _symbols(given: Given, drawn: Sequence[Drawn]) -> Panel:
    """Shares of the symbols, the most frequent ones of both sides together first."""
    alphabet = given.model.alphabet
    shares = [
        np.bincount(codes[codes >= 0], minlength=len(alphabet)) / max(1, len(codes))
        for codes, _ in drawn
    ]
    order = np.argsort(-np.sum(shares, axis=0), kind="stable")
    some = order[:MOST_SYMBOLS]
    words = [f"the {len(some)} most frequent of {len(alphabet)}"] * (len(order) > len(some))
    labels = tuple(printable(alphabet[k]) for k in some)
    bars = Bars(labels, tuple(share[some] for share in shares), upright=False)
    return Panel("symbols", tuple(words), (bars,))
