"""The picture of an independence test: p-values of all pairs, and how two columns go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...picture import Curve, HeatMap, Panel, Picture
from ...result import Result
from ...sample import MISSING_CODE, MISSING_NAME, Sample
from ..distribution import number_labels
from .column_blocks import Block
from .kinds import NOTABLE, expected_counts, within
from .neighbourhoods import row_cells
from .options import column_names
from .pairs_map import pairs_map

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Pairs of columns drawn as tables.
MOST_TABLES = 6
# Cells of a table on each side; where columns are independent a cell holds this many rows or more.
FEWEST_BINS, MOST_BINS, CELL_ROWS = 2, 8, 10
# Colours end at this many times the rows that independence gives, and at one part of so many.
MOST_TIMES = 4.0


def picture(samples: Sequence[Sample], params: Any, result: Result) -> Picture:
    """Return what there is to draw about an independence test.

    Parameters
    ----------
    samples : one Sample
    params : Params of the test
    result : Result
        Of this sample and params.

    Returns
    -------
    Picture
        With ``all_pairs`` a map of the adjusted p-values, the dependent pairs marked. Then a table
        per pair of columns, the strongest first: rows in a cell over what independence of the two
        gives, n_a n_b / n, in cells between quantiles, or of a level. With ``given`` ranks among
        rows alike in the given columns stand for numbers, and what independence gives is the sum
        over such rows. With ``lags`` the dependence by lag, or the map alone. No panels if there
        is no verdict.
    """
    data = samples[0]
    if result.verdict == "no verdict":
        return Picture()
    every = result.explanation.get("all_pairs")
    panels = [pairs_map(every, result)] if every else []
    if params.lags:  # tables of rows at other delays than the found ones would mislead
        panels += [_by_lag(result)] * ("delay" in result.explanation)
        return Picture((), tuple(panels), (), tuple(_notes(result, False, False)))
    pairs = _pairs(every, result)
    label = _alike(data, params)
    for pair in pairs[:MOST_TABLES]:
        clear = pair.get("z") is None or pair["z"] > NOTABLE
        panels.append(_table(data, pair, label, bool(result.reject) and clear))
    left_out = tuple(f"{p['x']} ~ {p['y']}" for p in pairs[MOST_TABLES:])
    return Picture((), tuple(panels), left_out, tuple(_notes(result, bool(every), bool(pairs))))


def _by_lag(result: Result) -> Panel:
    """The dependence at every asked lag, as a multiple of that at lags of the null."""
    curve = result.explanation["delay"]["curve"]
    lags, ratios = (np.array([point[key] for point in curve]) for key in ("lag", "ratio"))
    found = result.explanation["delay"]["lag"]
    drawn = Curve(
        lags.astype(np.float64), ratios, "times other lags", marks=np.array([float(found)]),
        level=1.0, level_words="other lags", across="lag in rows",
    )  # fmt: skip
    title = f"dependence by lag, largest at lag {found}"
    return Panel(title, (), (drawn,), bool(result.reject))


def _pairs(every: Sequence[dict[str, Any]] | None, result: Result) -> list[dict[str, Any]]:
    """Pairs of columns to draw: the dependent ones, or those between blocks, described or not."""
    if every:
        found = [pair for pair in every if pair["reject"]]
        return sorted(found, key=lambda pair: -(pair["z"] or 0))
    described = result.explanation.get("dependence")
    if described is not None:
        return list(described)
    blocks = result.explanation.get("blocks", [])
    columns = [(k, name) for k, block in enumerate(blocks) for name in block]
    return [
        {"x": x, "y": y} for i, (k, x) in enumerate(columns) for l, y in columns[i + 1 :] if k < l
    ]


def _alike(data: Sample, params: Any) -> Index | None:
    """Number rows so that equal ones are alike in the given columns."""
    if not params.given:
        return None
    block = Block.of(data, column_names(data, params)[1])
    return row_cells(block, block.scaled(params.scale))[1]


def _table(data: Sample, pair: dict[str, Any], label: Index | None, strong: bool) -> Panel:
    """Two columns in cells: how many rows a cell holds, in units of what independence gives."""
    x, y = (Block.of(data, (pair[side],)) for side in ("x", "y"))
    if label is not None:
        x, y = within(x, label), within(y, label)
    most = int(np.clip(np.sqrt(data.n / CELL_ROWS), FEWEST_BINS, MOST_BINS))
    (i, across), (j, up) = (_binned(data, block, most) for block in (x, y))
    counts = np.zeros((len(up), len(across)))
    np.add.at(counts, (j, i), 1)
    expected = expected_counts(j, i, label)
    ratio = np.full(expected.shape, np.nan)
    np.divide(counts, expected, out=ratio, where=expected > 0)
    words = []
    if "kind" in pair:
        z = f", {pair['z']:.3g} sd above independence" if pair["z"] is not None else ""
        words.append(f"{pair['kind']}, {pair['measure']} {pair['strength']:.2f}{z}")
    drawn = HeatMap(
        up[::-1], across, ratio[::-1], "times independence", 1 / MOST_TIMES, MOST_TIMES,
        logarithmic=True, diverging=True, across=pair["x"], upwards=pair["y"],
    )  # fmt: skip
    return Panel(f"{pair['x']} ~ {pair['y']}", tuple(words), (drawn,), strong)


def _binned(data: Sample, block: Block, most: int) -> tuple[Index, tuple[str, ...]]:
    """Cell of every row, and what the cells are called: a median value, or a level."""
    if not block.values.size:
        place = data.categorical.index(block.names[0])
        return _levels(data, place, block.codes[:, 0], most)
    values = block.values[:, 0]
    there = np.ones(len(values), np.bool_)
    if block.missing is not None:
        there = ~block.missing[:, 0]
    inner = np.linspace(0, 1, most + 1)[1:-1]
    edges = np.unique(np.quantile(values[there], inner)) if there.any() else inner[:0]
    index = np.searchsorted(edges, values, side="right")
    index[~there] = most
    used, index = np.unique(index, return_inverse=True)
    middles = [
        float(np.median(values[there & (index == k)])) for k in range(len(used)) if used[k] < most
    ]
    labels = number_labels(_rounded(np.array(middles)))
    return index, (*labels, *[MISSING_NAME] * int(used[-1] == most))


def _rounded(middles: Array) -> Array:
    """Numbers in as many decimal places as it takes to tell them apart, and one more."""
    gap = float(np.diff(middles).min(initial=np.inf))
    if not 0 < gap < np.inf:
        return middles
    return np.asarray(np.round(middles, 1 - math.floor(math.log10(gap))) + 0.0)


def _levels(
    data: Sample, place: int, codes: NDArray[np.int32], most: int
) -> tuple[Index, tuple[str, ...]]:
    """The most frequent levels, the others together."""
    levels, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
    names = [MISSING_NAME if k == MISSING_CODE else data.level_name(place, int(k)) for k in levels]
    if len(levels) <= most:
        return index, tuple(names)
    kept = np.argsort(-counts, kind="stable")[: most - 1]
    to = np.full(len(levels), most - 1)
    to[kept] = np.arange(most - 1)
    return to[index], (*(names[k] for k in kept), f"({len(levels) - most + 1:,} others)")


def _notes(result: Result, every: bool, tables: bool) -> list[str]:
    notes = []
    if not result.reject:
        notes.append("The test does not reject: no pattern seen here counts as evidence.")
    if tables:
        what = (
            "ranks among rows alike in the given columns" if "given" in result.explanation else ""
        )
        notes.append(
            "Tables: rows in a cell, as a multiple of what independence of the two columns gives "
            "(1); numbers are cut at quantiles, and a cell is named by its median"
            + (f"; here of {what}, from -1 to 1." if what else ".")
        )
    if every and not tables:
        notes.append("No pair is drawn by itself: none is dependent.")
    return notes
