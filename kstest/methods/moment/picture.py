"""The picture of a moment test: the residual, smoothed, against every given column, with a band.

Where the prediction is a probability and a given column, its panel is the reliability diagram:
the share of outcomes against what was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import printable
from ...picture import Band, Panel, Picture
from ...result import Result
from ...sample import MISSING_CODE, Sample
from .distributions import drawn_of
from .question import Question

Array = NDArray[np.float64]

MOST_PANELS, MOST_LEVELS = 12, 12
GRID, PARTS = 101, 400
# Width of the smoothing window, as a share of the rows.
WINDOW = 0.1
# Standard errors of a band that holds 95 % of its points.
BAND = 1.96


def picture(samples: Sequence[Sample], params: Any, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`.

    Notes
    -----
    Numeric columns: the mean residual of the nearest rows, by Gaussian weights over the ranks of
    the column, whose standard deviation is a tenth of the rows; the band is +- 1.96 standard
    errors at each point by itself. Categories: means and the same for every level.
    """
    if result.verdict == "no verdict" or result.null.get("scheme", "").startswith("support"):
        return Picture()
    question = Question.of(samples[0], params)
    r = question.residual(_theta(question, result))[0]
    names = question.given.names
    panels = [_panel(question, params, name, r) for name in names[:MOST_PANELS]]
    notes: tuple[str, ...] = (
        "Lines are means of the residual of the nearest tenth of the rows or so, bands +- 1.96 "
        "standard errors at each place by itself; a right formula leaves them around the dashed "
        "line.",
    )
    if question.sample.groups is not None or params.block_length is not None:
        notes += ("Bands take rows for independent of each other, which the p-value does not.",)
    return Picture((), tuple(panels), tuple(names[MOST_PANELS:]), notes)


def _theta(question: Question, result: Result) -> Array:
    if not question.parameters:
        return question.start
    return np.array([row["estimate"] for row in result.explanation["parameters"]])


def _panel(question: Question, params: Any, name: str, r: Array) -> Panel:
    sample, title = question.sample, printable(name)
    if name in sample.categorical:
        return Panel(title, (), (_levels(sample, name, r),))
    place = sample.columns.index(name)
    there = np.ones(len(r), bool) if sample.missing is None else ~sample.missing[:, place]
    x = sample.values[there, place]
    centres, means, errors = smoothed(x, r[there])
    expected = np.zeros(len(centres))
    label = "mean residual"
    if question.outcome and question.predictors() == (name,) and not question.parameters:
        drawn = drawn_of(question, params)
        if drawn is not None and drawn.kind == "bernoulli":
            p = drawn.parameter[there]
            expected = smoothed(x, p)[1]
            means, label = means + expected, f"share of {printable(question.outcome)} = 1"
            title = f"Reliability of {title}"
    low, high = means - BAND * errors, means + BAND * errors
    return Panel(title, (), (Band(centres, means, low, high, expected, label, printable(name)),))


def smoothed(x: Array, r: Array) -> tuple[Array, Array, Array]:
    """Return places (k,), the smoothed mean of r there, and its standard errors.

    Rows of one value are one point. Of many values, `PARTS` stretches of equally many rows.
    """
    values, of = np.unique(x, return_inverse=True)
    ranks = np.cumsum(np.bincount(of)) - np.bincount(of) / 2
    part = np.minimum((ranks * PARTS / len(x)).astype(np.int64), PARTS - 1)
    if len(values) > PARTS:
        of = np.unique(part, return_inverse=True)[1][of]
    n, sums, squares = np.bincount(of), np.bincount(of, r), np.bincount(of, r * r)
    centres, middle = np.bincount(of, x) / n, (np.cumsum(n) - n / 2) / len(x)
    at = np.arange(len(n))
    if len(n) > GRID:
        at = np.unique(np.linspace(0, len(n) - 1, GRID).astype(np.int64))
    # few values are levels of their own
    width = WINDOW / 2 if len(n) > MOST_LEVELS else 1e-9
    weights = np.exp(-(((middle[at, None] - middle) / width) ** 2) / 2)
    total = weights @ n
    return centres[at], weights @ sums / total, np.sqrt(weights**2 @ squares) / total


def _levels(sample: Sample, name: str, r: Array) -> Band:
    """Means and bands of the most frequent levels."""
    column = sample.categorical.index(name)
    present, of = np.unique(sample.codes[:, column], return_inverse=True)
    n, sums, squares = np.bincount(of), np.bincount(of, r), np.bincount(of, r * r)
    kept = np.sort(np.argsort(-n, kind="stable")[:MOST_LEVELS])
    means, errors = (sums / n)[kept], (np.sqrt(squares) / n)[kept]
    labels = tuple(
        "missing"
        if present[k] == MISSING_CODE
        else printable(sample.level_name(column, present[k]))
        for k in kept
    )
    x = np.arange(len(kept), dtype=np.float64)
    low, high = means - BAND * errors, means + BAND * errors
    return Band(x, means, low, high, np.zeros(len(x)), "mean residual", printable(name), labels)
