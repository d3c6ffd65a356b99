"""Which columns differ: a test per column from the labellings that are there anyway.

Every column is cut into cells (pooled quantiles, or its levels): see `cells`. The statistic is
that of Anderson and Darling on the cells of a numeric column, and chi-squared on the levels of a
categorical one; both see location, spread, tails and single values.

p-values are corrected for the number of columns: see `kstest.nulls.several`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.work import single_blas
from ...nulls import CORRECTIONS, Partition, tie_ranks
from ...params import option
from ...sample import Sample
from ..describe import describe
from .cell_statistics import anderson_darling, chi_squared, kolmogorov_smirnov, total_variation
from .cells import Layout, level_cells, quantile_cells
from .pooled import Pooled

Array = NDArray[np.float64]

# Cells of a numeric column: their edges are fine enough for a tail of 2 %.
CELLS = 50
# Columns that are described in words.
DESCRIBED = 20


@dataclass(frozen=True)
class Evidence:
    """What a column's own test found.

    Attributes
    ----------
    statistics : ndarray (B + 1,)
        Under every labelling, on a scale where columns have null laws of a like shape.
    statistic : float
        As observed, on the scale that is reported.
    distance : float
        The share of the rows that would have to change at least: the largest difference of the
        shares below a value (Kolmogorov), or of the shares of a set of levels (total variation).
    """

    statistics: Array
    statistic: float
    distance: float


@dataclass(frozen=True)
class ColumnTest:
    """One column's evidence; see `Result.explanation`."""

    column: str
    p_value: float
    adjusted_p_value: float
    distance: float
    words: str
    statistic: float


def correction() -> Any:
    return option(
        "westfall-young", "How p-values of columns are corrected.", choices=tuple(CORRECTIONS)
    )


def column_tests(
    samples: Sequence[Sample],
    pooled: Pooled,
    cut: Partition,
    signs: NDArray[np.int8],
    correction: str,
    level: float,
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
    level : float
        Columns with an adjusted p-value up to this are described in words.

    Notes
    -----
    Each p-value is as exact as the labellings are.
    """
    d = pooled.rows.values.shape[1]
    layout = Layout.of(pooled, cut, signs)
    evidence = []
    with single_blas():  # small products, which threads only slow down
        for c in range(d):
            cells = quantile_cells(pooled.rows.values[:, c], CELLS, pooled.present(c))
            statistics = layout.over_labellings(cells, anderson_darling)
            distance = float(kolmogorov_smirnov(*layout.observed(cells))[0])
            evidence.append(Evidence(np.cbrt(statistics), float(statistics[0]), distance))
        evidence += [categorical(layout, codes) for codes in pooled.rows.codes.T]
    return ordered(samples, pooled, evidence, correction, level)


def categorical(layout: Layout, codes: NDArray[np.int32]) -> Evidence:
    """Test one categorical column, or the marks of missing cells, by chi-squared."""
    cells = level_cells(codes)
    statistics = layout.over_labellings(cells, chi_squared)
    distance = float(total_variation(*layout.observed(cells))[0])
    # Chi-squared laws of any number of cells become alike by their cube root (Wilson and
    # Hilferty 1931), so that no column is favoured.
    return Evidence(np.cbrt(statistics), float(statistics[0]), distance)


def ordered(
    samples: Sequence[Sample],
    pooled: Pooled,
    evidence: Sequence[Evidence],
    correction: str,
    level: float,
) -> list[ColumnTest]:
    """Correct the p-values of all columns together and put the most different column first."""
    statistics = np.array([e.statistics for e in evidence])
    ranks, adjusted = tie_ranks(statistics), CORRECTIONS[correction](statistics)
    # A missing cell is a level of the column that holds it.
    columns = pooled.rows.values.shape[1] + len(samples[0].categorical)
    tested = labels(pooled.names[:columns], pooled.names[columns:])
    # Equal p-values, as at the resolution of the labellings: the larger difference first.
    order = sorted(
        range(len(tested)), key=lambda c: (adjusted[c], ranks[c, 0], -evidence[c].distance)
    )
    return [
        ColumnTest(
            tested[c],
            float(ranks[c, 0]),
            float(adjusted[c]),
            evidence[c].distance,
            describe(samples, pooled, c) if place < DESCRIBED and adjusted[c] <= level else "",
            evidence[c].statistic,
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
