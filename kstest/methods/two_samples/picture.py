"""The picture of a two-sample test: each column's two distributions, and its witness function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import mean_similarity
from ...kernels import KERNELS, BandwidthGrid, Rows, scale_columns
from ...picture import Bars, Curve, Drawing, HeatMap, Histogram, Panel, Picture
from ...result import Result
from ...sample import Sample
from ..describe import percent, series_of
from ..distribution import categorical, largest_difference, missing_share, numeric, present
from .by_level import divided
from .columns import ColumnTest, labels
from .explanation import COMPARED

Array = NDArray[np.float64]

MOST_PANELS = 12
GRID = 201
# What is drawn below the distribution of a numeric column.
Below = Callable[[str, Histogram | Bars], Curve | None]


@frozen
class _Column:
    """A column, and what was found of its values and of its missing cells."""

    name: str
    values: ColumnTest | None = None
    missing: ColumnTest | None = None


def picture(
    samples: Sequence[Sample], params: Any, result: Result, by_shares: bool = False
) -> Picture:
    """Return what there is to draw about a two-sample test.

    Parameters
    ----------
    samples : two Samples
    params : Params of the test
    result : Result
        Of these samples and params. Columns come in the order of its explanation; if it has no
        tests of columns, in the order of the largest difference of their shares.
    by_shares : bool
        Whether the curve below a numeric column is the difference of the distribution functions.

    Returns
    -------
    Picture
        Without panels if there is no verdict.

    Notes
    -----
    The curve below a numeric column is the witness function of that column alone,
    mean_j k(z, y_j) - mean_i k(z, x_i), y the sample and x the reference, with the strongest
    kernel of a rejecting result at its bandwidth (Gretton et al. 2012, JMLR 13): exact up to
    4,096 rows, and of more rows as many quantiles stand for all. With `by_shares` it is
    F_sample - F_reference of all rows, marked where it is farthest from 0: the Kolmogorov-Smirnov
    statistic.
    """
    series = tuple(map(series_of, samples))
    if result.verdict == "no verdict":
        return Picture(series)
    if params.by is not None:
        return _of_levels(samples, series, params.by, result)
    tests = result.explanation.get("columns")
    if tests is not None:
        columns = _tested(samples, tests)
        drawings = {c.name: _distribution(samples, c.name) for c in columns[:MOST_PANELS]}
    else:
        columns, drawings = _untested(samples)
    # Drawn to scale chance looks like evidence: a witness needs a rejection.
    strongest = result.explanation.get("strongest") if result.reject else None
    below: Below | None = None
    if by_shares and result.reject:
        below = partial(_shares_below, samples)
    elif strongest:
        below = partial(_witness, samples, params, strongest)
    panels = [
        _panel(samples, c, drawings[c.name], below, result.alpha) for c in columns[:MOST_PANELS]
    ]
    curves = any(isinstance(d, Curve) for p in panels for d in p.drawings)
    if result.explanation.get("pairs"):
        panels.append(_pairs(result))
    return Picture(
        series,
        tuple(panels),
        tuple(c.name for c in columns[MOST_PANELS:]),
        (
            *_notes(samples, params, result),
            *([_explained(samples, None if by_shares else strongest)] if curves else []),
        ),
    )


def side_by_side(samples: Sequence[Sample]) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    """Distributions of all columns, untested, and the names of those that are left out."""
    columns, drawings = _untested(samples)
    shown = columns[:MOST_PANELS]
    panels = tuple(_panel(samples, c, drawings[c.name], None, 0.0) for c in shown)
    return panels, tuple(c.name for c in columns[MOST_PANELS:])


def _of_levels(
    samples: Sequence[Sample], series: tuple[str, ...], by: str, result: Result
) -> Picture:
    """Of every level that differs, the column that differs most."""
    levels, split = divided(samples, by)
    name = levels.column
    rows = [r for r in result.explanation["levels"] if r["column"]]
    panels = []
    for row in rows[:MOST_PANELS]:
        drawing = _distribution(split[row["level"]], row["column"])
        p = f"p {row['adjusted_p_value']:.3g}, {row['reference']:,} and {row['sample']:,} rows"
        words = (p, *([row["words"]] if row["words"] else []))
        title = f"{row['level']}: {row['column']}"
        drawings = () if drawing is None else (drawing,)
        panels.append(Panel(title, words, drawings, True, across=row["column"]))
    note = (
        f"Levels of {name} that differ, each with the column that does so most; p-values are "
        "corrected for the number of levels."
        if rows
        else f"No level of {name} differs."
    )
    left = tuple(f"{r['level']}: {r['column']}" for r in rows[MOST_PANELS:])
    return Picture(series, tuple(panels), left, (note,))


def _tested(samples: Sequence[Sample], tests: Sequence[ColumnTest]) -> list[_Column]:
    """Columns in the order of the evidence of their values or of their missing cells."""
    names, holes = _names(samples), _holes(samples)
    marks = dict(zip(labels(names, holes)[len(names) :], holes, strict=True))
    values = {t.column: t for t in tests if t.column not in marks}
    missing = {marks[t.column]: t for t in tests if t.column in marks}
    order = dict.fromkeys(marks.get(t.column, t.column) for t in tests)
    return [_Column(name, values.get(name), missing.get(name)) for name in order]


def _untested(
    samples: Sequence[Sample],
) -> tuple[list[_Column], dict[str, Histogram | Bars | None]]:
    """Columns in the order of their largest difference, and their distributions."""
    drawings = {name: _distribution(samples, name) for name in _names(samples)}
    size = {}
    for name, drawing in drawings.items():
        a, b = _missing(samples, name)
        size[name] = max(abs(b - a), largest_difference(drawing) if drawing else 0.0)
    columns = [_Column(name) for name in sorted(size, key=lambda name: -size[name])]
    return columns, drawings


def _names(samples: Sequence[Sample]) -> list[str]:
    return [*samples[0].columns, *samples[0].categorical]


def _holes(samples: Sequence[Sample]) -> list[str]:
    """Numeric columns with missing cells, in the order in which they are tested."""
    marks = [s.missing.any(axis=0) for s in samples if s.missing is not None]
    return sorted(np.array(samples[0].columns, object)[np.any(marks, axis=0)]) if marks else []


def _missing(samples: Sequence[Sample], name: str) -> list[float]:
    is_categorical = name not in samples[0].columns
    names = samples[0].categorical if is_categorical else samples[0].columns
    return [missing_share(s, names.index(name), is_categorical) for s in samples]


def _distribution(samples: Sequence[Sample], name: str) -> Histogram | Bars | None:
    if name in samples[0].columns:
        place = samples[0].columns.index(name)
        return numeric(*zip(*(present(s, place) for s in samples), strict=True))
    return categorical(samples, samples[0].categorical.index(name))


def _panel(
    samples: Sequence[Sample],
    column: _Column,
    drawing: Histogram | Bars | None,
    below: Below | None,
    alpha: float,
) -> Panel:
    found = [t for t in (column.values, column.missing) if t]
    strong = any(t.adjusted_p_value <= alpha for t in found)
    words = []
    if column.values:
        words.append(_p(column.values) + (f", {column.values.words}" * bool(column.values.words)))
    shares = _missing(samples, column.name)
    if any(shares):
        p = f" ({_p(column.missing)})" if column.missing else ""
        words.append(f"missing cells: {percent(*shares)}{p}")
    drawings: list[Drawing] = [] if drawing is None else [drawing]
    if drawing is None:
        words.append("without values, or with values too large to draw")
    elif isinstance(drawing, Histogram):
        beyond = [max(0.0, 1 - float(s.sum())) * bool(s.any()) for s in drawing.shares]
        if max(beyond) > 1e-9:
            words.append(f"beyond the axis: {percent(*beyond)}")
    if below and drawing and (isinstance(drawing, Histogram) or drawing.upright):
        curve = below(column.name, drawing)
        if curve:
            drawings.append(curve if strong else replace(curve, marks=None))
    return Panel(column.name, tuple(words), tuple(drawings), strong)


def _p(test: ColumnTest) -> str:
    return f"p {test.adjusted_p_value:.3g}"


def _shares_below(samples: Sequence[Sample], name: str, drawing: Histogram | Bars) -> Curve | None:
    """Difference of the distribution functions of a numeric column; None without values."""
    place = samples[0].columns.index(name)
    parts = [present(s, place) for s in samples]
    if not all(len(values) for values, _ in parts):
        return None
    distinct, at = np.unique(np.concatenate([v for v, _ in parts]), return_inverse=True)
    first, second = (
        np.cumsum(np.bincount(cells, weights, len(distinct)))
        for cells, (_, weights) in zip(np.split(at, [len(parts[0][0])]), parts, strict=True)
    )
    apart = second / second[-1] - first / first[-1]
    farthest = int(np.abs(apart).argmax())
    if isinstance(drawing, Bars):
        places = np.arange(len(distinct), dtype=np.float64)
        return Curve(places, apart, "shares", places[[farthest]])
    x = drawing.grid(GRID)
    x = np.union1d(x, np.clip(distinct[[farthest]], x[0], x[-1]))
    before = np.searchsorted(distinct, x, side="right") - 1
    y = np.where(before < 0, 0.0, apart[np.maximum(before, 0)])
    inside = drawing.edges[0] <= distinct[farthest] <= drawing.edges[-1]
    return Curve(x, y, "shares", distinct[[farthest]] if inside else None)


def _witness(
    samples: Sequence[Sample],
    params: Any,
    strongest: dict[str, Any],
    name: str,
    drawing: Histogram | Bars,
) -> Curve | None:
    """Witness function of a numeric column on a grid; None if one side has no values."""
    place = samples[0].columns.index(name)
    parts = [present(s, place) for s in samples]
    if not all(len(values) for values, _ in parts):
        return None
    both = np.concatenate([values for values, _ in parts])
    scaled = scale_columns(both[:, None], params.unit)[:, 0]
    distinct, first = np.unique(both, return_index=True)
    if isinstance(drawing, Histogram):
        x = points = drawing.grid(GRID, float(distinct[0]), float(distinct[-1]))
    else:
        x, points = np.arange(len(distinct), dtype=np.float64), distinct
    kernel = KERNELS[strongest["kernel"]]
    grid = BandwidthGrid(kernel, (strongest["bandwidth"] if kernel.has_bandwidth else 1.0,))
    # The scaling is linear between neighbouring values.
    at = Rows.of(np.interp(points, distinct, scaled[first])[:, None])
    m = len(parts[0][0])
    means = [
        mean_similarity(at, Rows.of(_representatives(part, weights)[:, None]), grid)
        for part, (_, weights) in zip((scaled[:m], scaled[m:]), parts, strict=True)
    ]
    return Curve(x, means[1] - means[0], "witness")


def _representatives(values: Array, weights: Array | None) -> Array:
    """The values themselves, or as many of their (weighted) quantiles as are compared."""
    if weights is None and len(values) <= COMPARED:
        return values
    order = np.argsort(values, kind="stable")
    below = np.arange(1, len(values) + 1) if weights is None else weights[order].cumsum()
    ranks = (np.arange(COMPARED) + 0.5) / COMPARED * below[-1]
    place = np.minimum(np.searchsorted(below, ranks), len(values) - 1)
    return np.asarray(values[order[place]])


def _pairs(result: Result) -> Panel:
    """Adjusted p-values of columns (on the diagonal) and of their pairs."""
    pairs = result.explanation["pairs"]
    names = [p["columns"][0] for p in pairs if len(p["columns"]) == 1]
    values = np.full((len(names), len(names)), np.nan)
    for pair in pairs:
        places = sorted(names.index(name) for name in pair["columns"])
        values[places[-1], places[0]] = pair["adjusted_p_value"]
    lowest = 1 / (1 + int(result.null["replicates"]))
    words = ("corrected p-values of pairs of columns; on the diagonal, of columns alone",)
    table = HeatMap(tuple(names), tuple(names), values, "p-value", lowest, 1.0, logarithmic=True)
    return Panel("pairs of columns", words, (table,), bool(np.nanmin(values) <= result.alpha))


def _notes(samples: Sequence[Sample], params: Any, result: Result) -> list[str]:
    notes = []
    tests = result.explanation.get("columns")
    if tests is not None:
        some = any(t.adjusted_p_value <= result.alpha for t in tests)
        notes.append(
            f"Bold: the column differs at level {result.alpha:g}; p-values are corrected for the "
            f"number of columns ({params.correction})."
            if some
            else "No column differs by itself." + " Try --explain pairs." * (result.d > 1)
        )
    else:
        why = (
            "Columns are not tested one by one (see --explain)"
            if result.reject
            else "The test does not reject: no difference seen here counts as evidence"
        )
        order = " Columns with the largest differences of shares come first." * (result.d > 1)
        notes.append(f"{why}.{order}")
    if samples[0].counted:
        notes.append("Shares are those of entries.")
    elif any(s.weights is not None for s in samples):
        notes.append("Shares are weighted.")
    return notes


def _explained(samples: Sequence[Sample], strongest: dict[str, Any] | None) -> str:
    """What the curve below a distribution is: the witness, or the difference of shares."""
    if strongest is None:
        return (
            "Below a distribution: the share of rows up to a value, that of the "
            f"{samples[1].name} minus that of the {samples[0].name}; vertical mark: where they "
            "differ most."
        )
    width = strongest["bandwidth"]
    bandwidth = "" if width is None else f", bandwidth {width:.4g} in units of its scale"
    return (
        f"Below a distribution: witness function of that column alone ({strongest['kernel']} "
        f"kernel{bandwidth}). Above the line the {samples[1].name} has more rows, below it "
        f"the {samples[0].name}."
    )
