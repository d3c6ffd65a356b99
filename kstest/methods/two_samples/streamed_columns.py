"""`ks` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows of each side (`two_passes.sketch`). These are spent: the
cells of every column come from them, and they are left out of the sums. The second pass counts the
rows of every cell by bin (`passes`); what follows is the permutation test of `ks`, of values that
are rounded to their cell.

It is exact for the reasons that `streamed` gives. Rounding costs little power: shares are compared
at a thousand values, and only a change that is undone within a cell, a thousandth of the rows, is
invisible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import Spans
from ...engine import Work, single_blas, stage
from ...kernels import Rows, Units
from ...nulls import permuted_labels, varies
from ...result import Result
from ...sample import Sample
from ..common import require_served
from ..two_passes.spans import too_few
from .cell_statistics import chi_squared, kolmogorov_smirnov, total_variation
from .columns import Evidence, Labelled
from .passes import Setting, edges_of
from .pooled import constant, null_block, refused
from .prepared import Prepared, added_up, found_in_order, prepared

if TYPE_CHECKING:
    from ..ks import Statistic

Array = NDArray[np.float64]

# Cells of a numeric column, and of all of them together: 8 bytes a cell and bin.
CELLS, ALL_CELLS, FEWEST = 1024, 12 * 1024, 64
# Counts of cells that are compared at a time: 32 MB.
AT_ONCE = 1 << 22
# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "alpha", "permutations", "seed", "statistic", "explain", "correction", "permute", "bins",
}  # fmt: skip


def check_streamed(params: Any) -> None:
    """Refuse options that need all rows at once.

    Raises
    ------
    UsageError
    """
    require_served(params, SERVED, ["permute"] * (params.permute not in ("auto", "bins")))


def run(
    spans: Spans,
    params: Any,
    chosen: Statistic,
    rng: np.random.Generator,
    work: Work,
) -> tuple[Result, Sequence[Sample]]:
    """Test two samples column by column in two passes over their files.

    Returns
    -------
    result : Result
    samples : sequence of Sample
        A few rows of each side, with the inputs of all of them.
    """
    check_streamed(params)
    with single_blas():
        return _run(spans, params, chosen, rng, work)


def _run(
    spans: Spans, params: Any, chosen: Statistic, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    found = prepared(spans, int(rng.integers(2**63)), stage(work, 0.0, 0.4))
    base = found.beginning("ks", spans, params.alpha)
    if found.constant:
        return constant(base, "every column has one value"), found.samples
    why = too_few(found.totals)
    if why:
        return refused(base, why), found.samples
    rng = np.random.default_rng([int(rng.integers(2**63)), found.mark])
    places, cut = found.placed(params.bins, rng)
    columns = _columns(found)
    how = Setting(
        _as_they_are(len(columns)),
        found.codes,
        Rows(np.empty((0, len(columns))), np.empty((0, len(found.codes)), np.int32)),
        (),
        places,
        found.spent,
        tuple(column.edges for column in columns),
        found.cells_of_levels(),
    )
    sums = added_up(spans, found, how, stage(work, 0.4, 0.9))
    signs = permuted_labels(cut, params.permutations, rng)
    labelled = Labelled.of(cut, signs, len(sums.cells), params.correction, params.alpha, rng)
    base = replace(
        base, null=null_block(cut, labelled.replicates), provenance={"sums": sums.digest}
    )
    if cut.distinct < 1 / params.alpha:
        return refused(base, f"only {cut.distinct} permutations of the {cut.unit} exist"), (
            found.samples
        )
    tests: list[Callable[[NDArray[np.int8]], Evidence]] = [
        partial(_numeric, cells, column.values, chosen)
        for cells, column in zip(sums.cells, columns, strict=False)
    ]
    tests += [partial(_categorical, cells) for cells in sums.cells[len(columns) :]]
    evidence = []
    for test in tests:
        evidence.append(labelled.tested(test))
        work.progress(0.9 + 0.1 * len(evidence) / len(tests))
    return _result(base, found, evidence, chosen, params), found.samples


def _result(
    base: Result, found: Prepared, evidence: list[Evidence], chosen: Statistic, params: Any
) -> Result:
    """The verdict, and what there is to say of every column."""
    if not any(varies(e.statistics) for e in evidence):
        return constant(base, "every column has one value, or one cell of values")
    columns = found_in_order(found, evidence, params)
    m, n = (k - len(s.values) for k, s in zip(found.totals, found.samples, strict=True))
    return chosen.verdict(base, columns, evidence, found.samples[0].columns, (m, n), params)


@frozen
class _Column:
    """Cells of a numeric column.

    Attributes
    ----------
    edges : ndarray (C - 1,)
        Values up to the first edge are in the first cell.
    values : ndarray (C,)
        What rows of a cell count as: the mean of the spent rows there.
    """

    edges: Array
    values: Array


def _columns(found: Prepared) -> list[_Column]:
    """Cells of all numeric columns, by quantiles of the spent rows of both sides."""
    spent = np.concatenate([sample.values for sample in found.in_order])
    most = max(FEWEST, min(CELLS, ALL_CELLS // max(1, spent.shape[1])))
    out = []
    for column in spent.T:
        edges = edges_of(column, most)
        cell = np.searchsorted(edges, column, side="left")
        unit = float(np.abs(column).max()) or 1.0  # no sum of huge values overflows
        sums = np.bincount(cell, column / unit, len(edges) + 1)
        out.append(_Column(edges, unit * (sums / np.bincount(cell, minlength=len(edges) + 1))))
    return out


def _as_they_are(d: int) -> Units:
    """Values are compared with edges, not with each other: they need no unit."""
    return Units(np.ones(d), np.zeros(d), np.ones(d), np.inf)


def _numeric(
    cells: NDArray[np.int64], values: Array, chosen: Statistic, signs: NDArray[np.int8]
) -> Evidence:
    """Test one column by the rows of its cells in every bin, (C, G)."""
    compute = chosen.of(values)
    statistics, first, both = _permuted(cells, compute, signs)
    far = float(kolmogorov_smirnov(first, both)[0])
    m = int(first.sum())
    reported = chosen.report(float(statistics[0]), m, int(both.sum()) - m)
    return Evidence(statistics**chosen.power, reported, far)


def _categorical(cells: NDArray[np.int64], signs: NDArray[np.int8]) -> Evidence:
    statistics, first, both = _permuted(cells, chi_squared, signs)
    far = float(total_variation(first, both)[0])
    return Evidence(np.cbrt(statistics), float(statistics[0]), far)


def _permuted(
    cells: NDArray[np.int64], compute: Callable[[Array, Array], Array], signs: NDArray[np.int8]
) -> tuple[Array, Array, Array]:
    """The statistic under every permutation; and counts of the first side, (C, 1), and of both."""
    counts = cells.astype(np.float64)
    both, step, out = counts.sum(axis=1), max(1, AT_ONCE // len(cells)), []
    for start in range(0, signs.shape[1], step):
        first = counts @ (signs[:, start : start + step] > 0)
        out.append(compute(first, both))
    return np.concatenate(out), counts @ (signs[:, :1] > 0), both
