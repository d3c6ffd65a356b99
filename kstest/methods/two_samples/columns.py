"""Which columns differ: a test per column from the permutations that are there anyway.

Every column is cut into cells (pooled quantiles, or its levels): see `cells`. The statistic is
that of Anderson and Darling on the cells of a numeric column, and chi-squared on the levels of a
categorical one; both see location, spread, tails and single values.

p-values are corrected for the number of columns, by default with Holm's method: the probability
that any column in which nothing differs is named is at most alpha, whatever differs in the others
and however columns hang together. See `kstest.nulls.several`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine.work import single_blas
from ...findings import Facts, Line
from ...nulls import (
    CORRECTIONS,
    ENOUGH,
    Partition,
    besag_clifford,
    holm_adjusted,
    permuted_labels,
    replicates,
    tie_ranks,
)
from ...sample import Sample
from ..describe import describe
from .arranged import Arranged
from .cell_statistics import anderson_darling, chi_squared, kolmogorov_smirnov, total_variation
from .cells import Cells, Layout, level_cells, quantile_cells
from .pooled import Pooled

Array = NDArray[np.float64]

# Cells of a numeric column: their edges are fine enough for a tail of 2 %.
CELLS = 50
# Columns that are described in words.
DESCRIBED = 20


@frozen
class Evidence:
    """What a column's own test found.

    Attributes
    ----------
    statistics : ndarray (B + 1,)
        Under every permutation, on a scale where columns have null distributions of a like shape.
    statistic : float
        As observed, on the scale that is reported.
    distance : float
        The share of the rows that would have to change at least: the largest difference of the
        shares below a value (Kolmogorov), or of the shares of a set of levels (total variation).
    p_value : float or None
        Where it is not the rank of the first statistic, see `Labelled.tested`.
    """

    statistics: Array
    statistic: float
    distance: float
    p_value: float | None = None


@frozen
class ColumnTest:
    """One column's evidence; see `Result.explanation`."""

    column: str
    p_value: float
    adjusted_p_value: float
    distance: float
    words: str
    statistic: float


def try_pairs(tests: Sequence[ColumnTest]) -> str:
    """What to try where the whole differs and no column does."""
    return "; try --explain pairs" if len(tests) > 1 else ""


def statistic_named(title: str, column: str) -> Facts:
    """The name of a statistic that is that of one column, among several statistics."""
    return Facts("statistic", title, (Line(title, f"in column {column}", "statistic"),))


@frozen
class Labelled:
    """Permuted labels for tests of several columns: the first ones, and more where they are needed.

    Attributes
    ----------
    signs : ndarray of int8 (G, B + 1)
    further : ndarray of int8 (G, B' + 1) or None
        More, after the observed one.
    """

    signs: NDArray[np.int8]
    further: NDArray[np.int8] | None = None

    @classmethod
    def of(
        cls,
        cut: Partition,
        signs: NDArray[np.int8],
        tests: int,
        correction: str,
        alpha: float,
        rng: np.random.Generator,
    ) -> Labelled:
        """Draw as many more permutations as the correction of this many tests asks for."""
        given = signs.shape[1] - 1
        wanted = replicates(tests, alpha, given) if correction == "holm" else given
        return cls(signs, permuted_labels(cut, wanted - given, rng) if wanted > given else None)

    @property
    def replicates(self) -> int:
        """Permuted labels besides the observed one, of a test that needs all of them."""
        more = 0 if self.further is None else self.further.shape[1] - 1
        return int(self.signs.shape[1]) - 1 + more

    def tested(self, test: Callable[[NDArray[np.int8]], Evidence]) -> Evidence:
        """Evidence of one test under the first permutations, and under more if it may reject.

        With more of them the p-value is that of `besag_clifford`, a function of the whole series
        of permutations, so that stopping early is exact.
        """
        found = test(self.signs)
        if self.further is None:
            return found
        statistics = found.statistics
        tie = 1e-6 * float(statistics.std())
        if np.count_nonzero(statistics[1:] >= statistics[0] - tie) < ENOUGH:
            statistics = np.concatenate([statistics, test(self.further).statistics[1:]])
        return replace(found, p_value=besag_clifford(statistics))


def column_tests(
    samples: Sequence[Sample],
    pooled: Pooled,
    cut: Partition,
    labelled: Labelled,
    correction: str,
    level: float,
) -> list[ColumnTest]:
    """Test every column, the strongest evidence first and then the largest difference.

    Parameters
    ----------
    samples, pooled, cut
        As in the test that asks.
    labelled : Labelled
        Permuted labels of the blocks.
    correction : str
        One of `kstest.nulls.CORRECTIONS`.
    level : float
        Columns with an adjusted p-value up to this are described in words.

    Notes
    -----
    Each p-value is as exact as the permutations are.
    """
    d = pooled.numeric
    evidence = []
    layout = Layout.of(pooled, cut, labelled.signs)
    with single_blas():  # small products, which threads only slow down
        for c in range(d):
            cells = quantile_cells(pooled.rows.values[:, c], CELLS, pooled.present(c))
            evidence.append(labelled.tested(partial(_numeric, layout, cells)))
        for codes in pooled.codes.T:
            evidence.append(labelled.tested(partial(categorical, layout, codes)))
    return ordered(samples, pooled, evidence, correction, level)


def _numeric(layout: Layout, cells: Cells, signs: NDArray[np.int8]) -> Evidence:
    layout = replace(layout, signs=signs)
    statistics = layout.over_permutations(cells, anderson_darling)
    distance = float(kolmogorov_smirnov(*layout.observed(cells))[0])
    return Evidence(np.cbrt(statistics), float(statistics[0]), distance)


def categorical(layout: Layout, codes: NDArray[np.int32], signs: NDArray[np.int8]) -> Evidence:
    """Test one categorical column, or the marks of missing cells, by chi-squared."""
    layout = replace(layout, signs=signs)
    cells = level_cells(codes)
    statistics = layout.over_permutations(cells, chi_squared)
    distance = float(total_variation(*layout.observed(cells))[0])
    # Chi-squared distributions of any number of cells become alike by their cube root (Wilson and
    # Hilferty 1931), so that no column is favoured.
    return Evidence(np.cbrt(statistics), float(statistics[0]), distance)


def ordered(
    samples: Sequence[Sample],
    pooled: Arranged,
    evidence: Sequence[Evidence],
    correction: str,
    level: float,
) -> list[ColumnTest]:
    """Correct the p-values of all columns together and put the most different column first."""
    p, adjusted = corrected(evidence, correction)
    # A missing cell is a level of the column that holds it.
    columns = pooled.numeric + len(samples[0].categorical)
    tested = labels(pooled.names[:columns], pooled.names[columns:])
    # Equal p-values, as at the resolution of the permutations: the larger difference first.
    order = sorted(range(len(tested)), key=lambda c: (adjusted[c], p[c], -evidence[c].distance))
    return [
        ColumnTest(
            tested[c],
            float(p[c]),
            float(adjusted[c]),
            evidence[c].distance,
            describe(samples, pooled, c) if place < DESCRIBED and adjusted[c] <= level else "",
            evidence[c].statistic,
        )
        for place, c in enumerate(order)
    ]


def corrected(evidence: Sequence[Evidence], correction: str) -> tuple[Array, Array]:
    """p-values of several tests, and the same corrected for their number."""
    statistics = np.array([e.statistics for e in evidence])
    ranks = tie_ranks(statistics)[:, 0]
    p = np.array(
        [r if e.p_value is None else e.p_value for r, e in zip(ranks, evidence, strict=True)]
    )
    return p, holm_adjusted(p) if correction == "holm" else CORRECTIONS[correction](statistics)


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
