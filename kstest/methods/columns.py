"""Which columns differ: a test per column from the labellings that are there anyway.

Every column is cut into cells (pooled quantiles, or its levels), so that a labelling costs one
product of its signs with the table of cell counts per block: no kernel sum is repeated. The
statistic is that of Anderson and Darling on the cells of a numeric column, and chi-squared on the
levels of a categorical one; both see location, spread, tails and single values.

p-values are corrected for the number of columns: see `kstest.nulls.several`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine import single_blas
from ..nulls import CORRECTIONS, Partition, tie_ranks
from ..sample import Sample
from .describe import describe
from .two_sample import Pooled

Array = NDArray[np.float64]

# Cells of a numeric column: their edges are fine enough for a tail of 2 %.
CELLS = 50
# Levels of a categorical column that have a cell of their own; the rarest share the last.
LEVELS = 100
# Columns that are described in words.
DESCRIBED = 20


@dataclass(frozen=True)
class ColumnTest:
    """One column's evidence; see `Result.explanation`."""

    column: str
    p_value: float
    adjusted_p_value: float
    distance: float
    words: str


def column_tests(
    samples: Sequence[Sample],
    pooled: Pooled,
    cut: Partition,
    signs: NDArray[np.int8],
    correction: str,
) -> list[ColumnTest]:
    """Test every column, the strongest evidence first and then the largest difference.

    Parameters
    ----------
    samples, pooled, cut
        As in the test that asks.
    signs : ndarray of int8 (G, B + 1)
        Labellings of the blocks; column 0 is the observed one.
    correction : str
        One of `kstest.nulls.CORRECTIONS`.

    Notes
    -----
    Each p-value is as exact as the labellings are. `distance` is the largest difference of the
    shares below a value (Kolmogorov), or of the shares of a set of levels (total variation):
    that share of the rows at least would have to change.
    """
    d = pooled.rows.values.shape[1]
    statistics = np.empty((pooled.rows.width, signs.shape[1]))
    distances = np.empty(len(statistics))
    sides = _Sides.of(pooled, cut, signs)
    with single_blas():  # small products, which threads only slow down
        for c in range(len(statistics)):
            if c < d:
                cells = _quantile_cells(pooled.rows.values[:, c])
            else:
                cells = _level_cells(pooled.rows.codes[:, c - d])
            statistics[c], distances[c] = _cell_statistics(cells[cut.order], sides, ordered=c < d)
    ranks = tie_ranks(statistics)
    # Chi-squared-like laws of any number of cells become alike by their cube root (Wilson and
    # Hilferty 1931), so that no column is favoured.
    adjusted = CORRECTIONS[correction](np.cbrt(statistics))
    # A missing cell is a level of the column that holds it.
    columns = d + len(samples[0].categorical)
    tested = labels(pooled.names[:columns], pooled.names[columns:])
    # Equal p-values, as at the resolution of the labellings: the larger difference first.
    order = sorted(range(len(tested)), key=lambda c: (adjusted[c], ranks[c, 0], -distances[c]))
    return [
        ColumnTest(
            tested[c],
            float(ranks[c, 0]),
            float(adjusted[c]),
            float(distances[c]),
            describe(samples, pooled, c) if place < DESCRIBED and distances[c] > 0 else "",
        )
        for place, c in enumerate(order)
    ]


def labels(columns: Sequence[str], holes: Sequence[str]) -> list[str]:
    """Names of what is tested: columns, and the missing cells of those that have any.

    No two are equal, even if a column is called like the missing cells of another.
    """
    out = dict.fromkeys(columns)
    for name in holes:
        label = f"{name} missing"
        while label in out:
            label += " cells"
        out[label] = None
    return [*out]


@dataclass(frozen=True)
class _Sides:
    """Signs as 0/1 indicators of the first side, and weights, per row and labelling."""

    first: NDArray[np.float32]
    block: NDArray[np.int64]
    weights: Array
    total: Array
    share: Array

    @classmethod
    def of(cls, pooled: Pooled, cut: Partition, signs: NDArray[np.int8]) -> _Sides:
        n = len(pooled.rows)
        weights = np.ones(n) if pooled.weights is None else pooled.weights[cut.order]
        block = np.repeat(np.arange(len(cut.labels)), cut.sizes)
        total = np.bincount(block, weights, len(cut.labels)).astype(np.float64)
        first = (signs > 0).astype(np.float32)
        return cls(first, block, weights, total, total @ first.astype(np.float64))


def _cell_statistics(cells: NDArray[np.int64], sides: _Sides, ordered: bool) -> tuple[Array, float]:
    """Statistic of every labelling, and the observed distance."""
    count = int(cells.max()) + 1
    blocks = len(sides.total)
    table = np.bincount(sides.block * count + cells, sides.weights, blocks * count)
    table = table.reshape(blocks, count)
    pooled = table.sum(axis=0)
    # Differences of shares, F_x - F_y = (S_x - w_x S) / (w_x (1 - w_x) W), S over cells or below.
    inside = (table.T.astype(np.float32) @ sides.first).astype(np.float64)
    weight = pooled.sum()
    if ordered:
        inside, pooled = inside.cumsum(axis=0)[:-1], pooled.cumsum()[:-1]
    x = sides.share / weight
    scale = np.maximum(x * (1 - x), 1e-300) * weight
    differ = (inside - pooled[:, None] * x) / scale
    p = pooled / weight
    width = np.diff(p, prepend=0.0) if ordered else 1.0
    variance = p * (1 - p) if ordered else p
    use = np.divide(width, variance, out=np.zeros_like(p), where=variance > 1e-12)
    statistics = np.einsum("c,cb,cb->b", use, differ, differ)
    # The null spread of a difference of shares goes with 1 / (w_x (1 - w_x)).
    statistics = statistics * x * (1 - x)
    observed = np.abs(differ[:, 0])
    if not len(observed):
        return statistics, 0.0
    return statistics, float(observed.max() if ordered else observed.sum() / 2)


def _quantile_cells(column: Array) -> NDArray[np.int64]:
    """Cell of each value: its own if there are few distinct values, else a pooled quantile bin."""
    ordered = np.sort(column)
    edges = ordered[np.flatnonzero(np.diff(ordered))]
    if len(edges) >= CELLS:
        edges = np.unique(ordered[len(column) * np.arange(1, CELLS) // CELLS])
    return np.searchsorted(edges, column, side="left").astype(np.int64)


def _level_cells(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    position = np.empty(len(counts), np.int64)
    position[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(position, LEVELS)[place]
