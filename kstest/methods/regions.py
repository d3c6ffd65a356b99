"""Where a number of every row is not 0 on average: regions of one or two columns.

The number is the residual of `moments`, or the side a row is from (`mmd`).

Numeric columns are cut at their deciles, or value by value where they have few; a region is an
interval of them, or one category, or two of these together. All are looked at, by the sums of r and
r^2 in the cells of every pair of columns, so z is a measure and no test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..sample import MISSING_CODE, MISSING_NAME, Sample
from ..wording import shown, value_text

Array = NDArray[np.float64]

FEW_VALUES, PARTS = 10, 10
# Columns that are looked at two by two.
MOST_COLUMNS = 12
# Rows that a region has at least, and share of them, or of the sum of squares.
LEAST_ROWS, LEAST_SHARE = 10, 0.02
TINY = 1e-300
# Levels of a category that are looked at.
MOST_LEVELS = 100
# A condition has to raise |z| by this much, lest chance adds some.
WORTH = 1.0
# Beyond this many standard errors a second region, of the other sign, is told too.
SURE = 3.0


@frozen
class Region:
    """Rows by conditions on columns.

    Attributes
    ----------
    words : str
        Such as ``region = 'north' and age >= 70``; empty for all rows.
    mean, z : float
        Of the number.
    rows : int
    inside : ndarray of bool (n,)
        The rows.
    """

    words: str
    mean: float
    z: float
    rows: int
    inside: NDArray[np.bool_] = field(compare=False, repr=False)


@frozen
class _Axis:
    """A column in cells.

    Attributes
    ----------
    cells : ndarray of int (n,)
    held : ndarray (R, K)
        Which of the K cells each region holds; the first region holds all.
    words : tuple of str
        Of every region.
    """

    cells: NDArray[np.int64]
    held: Array
    words: tuple[str, ...]


def regions(sample: Sample, names: Sequence[str], residual: Array) -> list[Region]:
    """Return the region that stands out most and, where it is sure, one of the other sign."""
    axes = [_axis(sample, name, residual) for name in names]
    unit = float(np.sqrt(np.mean(residual**2))) or 1.0
    tables = [((axis,), _table((axis,), residual / unit)) for axis in axes]
    order = sorted(range(len(axes)), key=lambda a: -float(np.abs(tables[a][1][0]).max()))
    for a, b in combinations(sorted(order[:MOST_COLUMNS]), 2):
        pair = (axes[a], axes[b])
        tables.append((pair, _table(pair, residual / unit)))  # type: ignore[arg-type]
    found = []
    for sign in (1.0, -1.0):
        best, region = 0.0, None
        for some, (z, sums, rows) in tables:
            worth = np.where(sign * z > 0, sign * z - WORTH * _conditions(z.shape), -np.inf)
            k = np.unravel_index(int(np.argmax(worth)), z.shape)
            if worth[k] > best or (region is None and worth[k] > -np.inf):
                said = [axis.words[i] for axis, i in zip(some, k, strict=True)]
                best, words = float(worth[k]), " and ".join(filter(None, said))
                inside = np.all(
                    [axis.held[i, axis.cells] > 0 for axis, i in zip(some, k, strict=True)], axis=0
                )
                mean = unit * float(sums[k] / rows[k])
                region = Region(words, mean, float(z[k]), int(rows[k]), inside)
        found += [region] if region is not None else []
    found.sort(key=lambda region: -abs(region.z))
    return found[:1] + [region for region in found[1:] if abs(region.z) > SURE]


def _conditions(shape: tuple[int, ...]) -> Array:
    """How many conditions every combination of regions has; the first of an axis is none."""
    grids = np.meshgrid(*[np.arange(k) > 0 for k in shape], indexing="ij")
    return np.asarray(np.sum(grids, axis=0), dtype=np.float64)


def _table(axes: Sequence[_Axis], r: Array) -> tuple[Array, Array, Array]:
    """z, sum of r and number of rows of all combinations of regions; 0 for too few rows."""
    shape, total = tuple(axis.held.shape[1] for axis in axes), float(r @ r)
    place = np.ravel_multi_index(tuple(axis.cells for axis in axes), shape)
    out = []
    for weights in (r, r * r, None):
        table = np.bincount(place, weights, int(np.prod(shape))).reshape(shape).astype(np.float64)
        for a, axis in enumerate(axes):
            table = np.moveaxis(np.tensordot(axis.held, table, (1, a)), 0, a)
        out.append(table)
    sums, squares, rows = out
    share = np.maximum(rows / len(r), squares / max(total, TINY))
    sound = (rows >= min(LEAST_ROWS, len(r))) & (share >= LEAST_SHARE) & (squares > 0)
    return np.where(sound, sums / np.sqrt(np.where(sound, squares, 1.0)), 0.0), sums, rows


def _axis(sample: Sample, name: str, residual: Array) -> _Axis:
    label = name if name.isidentifier() else shown(name)
    if name in sample.categorical:
        return _categories(sample, sample.categorical.index(name), label, residual)
    place = sample.columns.index(name)
    values, kind = sample.values[:, place], sample.kinds.get(name, "")
    gone = np.zeros(len(values), bool) if sample.missing is None else sample.missing[:, place]
    there = values[~gone]
    distinct = np.unique(there)
    few = len(distinct) <= FEW_VALUES
    edges = distinct[1:]
    if not few:
        edges = np.unique(np.quantile(there, np.arange(1, PARTS) / PARTS))
        edges = edges[edges > distinct[0]]
    # a value on an edge is above it, of few values and of deciles alike
    cells = np.searchsorted(edges, values, side="right")
    parts = len(edges) + 1
    cells[gone] = parts
    texts = [value_text(float(x), kind) for x in edges]
    held, words = [np.ones(parts + 1)], [""]
    for first, last in combinations(range(parts + 1), 2):
        if last - first == parts:
            continue
        held.append(np.r_[np.zeros(first), np.ones(last - first), np.zeros(parts + 1 - last)])
        if few and last == first + 1:
            words.append(f"{label} = {value_text(float(distinct[first]), kind)}")
        elif first == 0:
            words.append(f"{label} < {texts[last - 1]}")
        elif last == parts:
            words.append(f"{label} >= {texts[first - 1]}")
        else:
            words.append(f"{texts[first - 1]} <= {label} < {texts[last - 1]}")
    if gone.any():
        held.append(np.eye(parts + 1)[parts])
        words.append(f"{label} is {MISSING_NAME}")
    return _Axis(cells, np.array(held), tuple(words))


def _categories(sample: Sample, place: int, label: str, residual: Array) -> _Axis:
    """The levels that have most rows, or most of the sum of squares; others are in no region."""
    present, of = np.unique(sample.codes[:, place], return_inverse=True)
    n, squares = np.bincount(of), np.bincount(of, residual**2)
    share = np.maximum(n / len(of), squares / max(float(squares.sum()), TINY))
    kept = np.sort(np.argsort(-share, kind="stable")[:MOST_LEVELS])
    cell = np.full(len(present), len(kept))
    cell[kept] = np.arange(len(kept))
    others = len(kept) < len(present)
    held = np.vstack([np.ones((1, len(kept))), np.eye(len(kept))])
    if others:
        held = np.column_stack([held, np.r_[1.0, np.zeros(len(kept))]])
    words = [
        f"{label} is {MISSING_NAME}"
        if code == MISSING_CODE
        else f"{label} = {shown(sample.levels[place][code])}"
        for code in present[kept]
    ]
    return _Axis(cell[of].astype(np.int64), held, ("", *words))
