"""The picture of a goodness-of-fit test: each column beside its target, and the Stein witness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels import KERNELS, BandwidthGrid
from ...picture import Bars, Curve, Drawing, Histogram, Panel, Picture
from ...result import Result
from ...sample import Sample
from ..describe import series_of
from ..distribution import numeric
from .data import Given, coordinates, given_data
from .explanation import MOST_ROWS, witness_at_rows
from .shares import most_different, place_of
from .statistic import setup, shuffled

Array = NDArray[np.float64]

MOST_PANELS = 12
MOST_MODES = 12
# Draws that stand for the target.
TARGET_ROWS = 10_000
# Intervals of a column with about as many rows each, over which the witness is averaged.
INTERVALS, FEWEST = 40, 8


def picture(
    samples: Sequence[Sample], params: Any, result: Result, perturbed: bool = False
) -> Picture:
    """Return what there is to draw about a goodness-of-fit test.

    Parameters
    ----------
    samples : one Sample
    params : Params of the test
    result : Result
        Of this sample and params.
    perturbed : bool
        Whether modes come first, and no witness: that of the rows as they are does not say what
        their jumps showed.

    Returns
    -------
    Picture
        A panel per column, those with the largest share of the discrepancy first: its distribution
        beside that of draws from the target, where it can be sampled.

    Notes
    -----
    Below it, where the test rejects, the column's coordinate of the Stein witness function, a
    mean over rows x of s(x) k(x, v) + grad k(x, v) = E[(s_p - s_q) k(x, v)], at the strongest
    bandwidth: at rows v, averaged over rows with about equal values of the column, in the scaled
    coordinates, so that columns can be compared. Where it is positive the target has more of its
    mass at larger values than the data. Marks stand at the places where the witness is largest
    (see `explanation.explain`).
    """
    data = samples[0]
    given = given_data(samples, params)
    rng = np.random.default_rng(params.seed)
    series = [series_of(data)]
    if result.verdict == "no verdict":
        return Picture(tuple(series))
    others = None
    if given.target is not None and given.target.sample is not None:
        others = given.target.sample(TARGET_ROWS, rng)
    modes = _modes(result) if perturbed else []
    if others is not None or modes:
        series.append(f"target: {given.name}")
    strongest = result.explanation.get("strongest") if result.reject and not perturbed else None
    found = _witness(given, params, strongest["bandwidth"]) if strongest else None
    shares = {d["column"]: d["share"] for d in result.explanation.get("drivers", ())}
    order = sorted(given.columns, key=lambda name: -shares.get(name, 0.0))
    places = result.explanation.get("places", ())
    panels = modes + [
        _panel(given, name, others, found, shares, [p for p in places if p["column"] == name])
        for name in order[:MOST_PANELS]
    ]
    curves = any(isinstance(d, Curve) for p in panels for d in p.drawings)
    notes = tuple(_notes(result, curves, others is None))
    return Picture(tuple(series), tuple(panels), tuple(order[MOST_PANELS:]), notes)


def _modes(result: Result) -> list[Panel]:
    """Shares of the modes, of rows and of the target; none without modes."""
    modes = result.explanation.get("modes", ())
    if not modes:
        return []
    some = sorted(modes[:MOST_MODES], key=lambda m: int(m["mode"]))
    labels = tuple(f"{m['mode']} at {place_of(m['place'])}" for m in some)
    shares = tuple(np.array([m[key] for m in some]) for key in ("share", "target_share"))
    words = [f"and {len(modes) - len(some)} more modes"] * (len(modes) > len(some))
    strong = most_different(list(modes)) is not None and bool(result.reject)
    return [Panel("modes", tuple(words), (Bars(labels, shares, upright=False),), strong)]


def _witness(given: Given, params: Any, bandwidth: float) -> tuple[Array, Array]:
    """Some rows in the data's units, and the witness at them in each coordinate."""
    Y, S = coordinates(given)
    order, rng = shuffled(Y, S, np.random.default_rng(params.seed))
    made = setup(Y[order], given.target, params, rng)
    some = order[np.linspace(0, len(Y) - 1, min(len(Y), MOST_ROWS)).astype(np.int64)]
    points = made.frame.points(Y[some], S[some])
    grid = BandwidthGrid(KERNELS[params.kernel], (bandwidth,))
    return given.X[some], witness_at_rows(points, grid)


def _panel(
    given: Given,
    name: str,
    others: Array | None,
    found: tuple[Array, Array] | None,
    shares: dict[str, float],
    places: Sequence[dict[str, Any]],
) -> Panel:
    c = given.columns.index(name)
    parts = [given.X[:, c]]
    if others is not None:
        parts.append(others[np.isfinite(others[:, c]), c])
    drawing = numeric(parts, [None] * len(parts))
    words = [f"{shares[name]:.0%} of the discrepancy"] if len(shares) > 1 else []
    if places:
        sides = {p["target_has_more"]: "" for p in places}
        for side in sides:
            values = [f"{p['value']:.3g}" for p in places if p["target_has_more"] == side]
            sides[side] = f"{side} {', '.join(values)}"
        words.append(f"the target has more of its mass {'; '.join(sides.values())}")
    drawings: list[Drawing] = [] if drawing is None else [drawing]
    if drawing is None:
        words.append("with values too large to draw")
    if found is not None and isinstance(drawing, Histogram | Bars):
        drawings += _curve(found[0][:, c], found[1][:, c], drawing, places)
    return Panel(name, tuple(words), tuple(drawings), shares.get(name, 0.0) >= 0.5)


def _curve(
    values: Array, witness: Array, drawing: Histogram | Bars, places: Sequence[dict[str, Any]]
) -> list[Drawing]:
    """Means of the witness over intervals of the column; none for a column of few values."""
    if isinstance(drawing, Bars):
        return []
    order = np.argsort(values, kind="stable")
    count = max(1, min(INTERVALS, len(values) // FEWEST))
    x, y = (
        np.array([part.mean() for part in np.array_split(column[order], count)])
        for column in (values, witness)
    )
    inside = (x >= drawing.edges[0]) & (x <= drawing.edges[-1])
    marks = np.array([p["value"] for p in places], np.float64)
    marks = marks[(marks >= drawing.edges[0]) & (marks <= drawing.edges[-1])]
    return [Curve(x[inside], y[inside], "witness", marks)] if inside.sum() > 1 else []


def _notes(result: Result, curves: bool, unsampled: bool) -> list[str]:
    notes = []
    if not result.reject:
        notes.append("The test does not reject: no difference seen here counts as evidence.")
    if unsampled:
        notes.append("The target cannot be sampled, so only the data's distribution is drawn.")
    if curves:
        notes.append(
            "Below a distribution: Stein witness function along that column. Above the line the "
            "target has more of its mass at larger values than the data, below it at smaller ones; "
            "vertical marks: where it is largest."
        )
    return notes
