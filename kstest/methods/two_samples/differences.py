"""Two-sample statistics of mass that rows bring with them: weighted rows, and bins of histograms.

The labelled tests know two sides and count rows. Here a row's mass on the first side minus that on
the second is a number, as observed (column 0) and as the null distribution draws it; every
statistic is a function of these differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Forms, Work, quadratic_forms
from ...engine.work import single_blas
from ...kernels import BandwidthGrid, Rows
from ...sample import Sample
from ..describe import percent
from .cells import Cells, level_cells, merged, value_cells
from .columns import ColumnTest, Evidence, corrected, labels
from .pooled import Pooled

Array = NDArray[np.float64]
# Cells of a column that are told apart.
CELLS = 2048
# Difference numbers (cells by draws) held at a time.
MOST = 1 << 22


@frozen
class Masses:
    """Rows with their mass, block after block.

    Attributes
    ----------
    rows : Rows
        Scaled, (N,).
    order : ndarray of int (N,)
        Their place in the pooled rows.
    starts : ndarray of int (G + 1,)
        Block g holds the rows starts[g] <= i < starts[g + 1].
    shares : ndarray (N,)
        What a row's block is multiplied by; the difference of mass at row i of block g is
        shares[i] * coefficients[g].
    pooled : ndarray (N,)
        Mass of both sides together, not negative, 1 in all.
    coefficients : ndarray (G, B + 1)
    sum : ndarray (N,)
        Mass of the first side plus that of the second, as observed.
    """

    rows: Rows
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    shares: Array
    pooled: Array
    coefficients: Array
    sum: Array

    def cells(self, cells: Cells) -> tuple[Array, Array]:
        """Differences of mass in each cell, shape (C, B + 1), and pooled mass there, (C,).

        Of the rows in no cell the difference is spread as all mass is: that one side has more of
        them is no difference of the others.
        """
        place, count = cells.place[self.order], len(cells.values)
        inside = np.flatnonzero(place >= 0)
        block = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))[inside]
        place = place[inside]
        table = np.bincount(
            block * count + place, self.shares[inside], (len(self.starts) - 1) * count
        ).reshape(-1, count)
        h = np.bincount(place, self.pooled[inside], count).astype(np.float64)
        h /= h.sum() or 1.0
        with single_blas():
            found = table.T @ self.coefficients
        found -= h[:, None] * found.sum(axis=0)
        return found, h


def kernel_statistics(
    masses: Masses, grids: Sequence[BandwidthGrid], work: Work
) -> tuple[Array, Forms]:
    """a' K a of every kernel and draw, its diagonal included; shape (L, B + 1).

    a is the difference of mass of every row: the squared distance of the two mean embeddings.
    """
    c = masses.coefficients
    forms = quadratic_forms(masses.rows, masses.starts, c, grids, work, masses.shares)
    squares = np.add.reduceat(masses.shares**2, masses.starts[:-1]) @ c**2
    own = [float(grid.kernel.has_bandwidth) for grid in grids for _ in grid.bandwidths]
    return forms.quadratic + np.array(own)[:, None] * squares, forms


def kolmogorov_smirnov(values: Array, h: Array, d: Array) -> Array:
    """max |F - G|."""
    return np.asarray(np.abs(d.cumsum(axis=0)).max(axis=0, initial=0.0))


def cramer_von_mises(values: Array, h: Array, d: Array) -> Array:
    """Mean of (F - G)^2 over the pooled mass, of tied rows half just before and half at them."""
    squares = np.square(d.cumsum(axis=0))
    return np.asarray((h @ squares + h[1:] @ squares[:-1]) / 2)


def anderson_darling(values: Array, h: Array, d: Array) -> Array:
    """Mean of (F - G)^2 / (H (1 - H)) over the pooled mass, at mid-ranks."""
    middle = h.cumsum() - h / 2
    variance = middle * (1 - middle) - h / 4
    use = np.divide(h, variance, out=np.zeros_like(h), where=variance > 1e-12)
    return np.asarray(use @ np.square(d.cumsum(axis=0) - d / 2))


def energy(values: Array, h: Array, d: Array) -> Array:
    """sqrt(2 integral of (F - G)^2 dx)."""
    unit = float(np.abs(values).max(initial=0.0)) or 1.0
    squares = np.square(d.cumsum(axis=0))[:-1]
    return np.asarray(np.sqrt(2 * (np.diff(values / unit) @ squares)) * np.sqrt(unit))


def chi_squared(values: Array, h: Array, d: Array) -> Array:
    """Sum of (f - g)^2 / h over the cells."""
    inverse = np.divide(1.0, h, out=np.zeros_like(h), where=h > 0)
    return np.asarray(inverse @ np.square(d))


STATISTICS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "ks": kolmogorov_smirnov,
    "cvm": cramer_von_mises,
    "ad": anderson_darling,
    "energy": energy,
}


def column_tests(
    samples: Sequence[Sample], pooled: Pooled, masses: Masses, statistic: str, correction: str
) -> list[ColumnTest]:
    """Test every column by one of `STATISTICS`, categories by chi-squared; the strongest first."""
    evidence, words = [], []
    for c, name in enumerate(pooled.names[: pooled.numeric]):
        values = _values(samples, pooled, name)
        cells = merged(value_cells(values, pooled.present(c)), CELLS)
        evidence.append(_evidence(masses, cells, STATISTICS[statistic]))
        words.append(partial(_means, values, pooled.present(c)))
    for c, codes in enumerate(pooled.codes.T):
        evidence.append(_evidence(masses, level_cells(codes), chi_squared, categorical=True))
        words.append(partial(_levels, samples, pooled, c, codes))
    p, adjusted = corrected(evidence, correction)
    count = pooled.numeric + len(samples[0].categorical)
    names = labels(pooled.names[:count], pooled.names[count:])
    first, second = _sides(pooled, masses)
    order = sorted(range(len(names)), key=lambda k: (adjusted[k], p[k], -evidence[k].distance))
    return [
        ColumnTest(
            names[k], float(p[k]), float(adjusted[k]), evidence[k].distance,
            words[k](first, second), evidence[k].statistic,
        )
        for k in order
    ]  # fmt: skip


def _evidence(
    masses: Masses,
    cells: Cells,
    statistic: Callable[[Array, Array, Array], Array],
    categorical: bool = False,
) -> Evidence:
    draws = masses.coefficients.shape[1]
    step = max(1, MOST // max(len(cells.values), 1))
    parts = []
    for start in range(0, draws, step):
        some = replace(masses, coefficients=masses.coefficients[:, start : start + step])
        d, h = some.cells(cells)
        parts.append(statistic(cells.values, h, d))
        if not start:
            far = np.abs(d[:, 0]).sum() / 2 if categorical else np.abs(d[:, 0].cumsum()).max()
    found = np.concatenate(parts)
    return Evidence(np.sqrt(np.maximum(found, 0)), float(found[0]), float(far))


def _values(samples: Sequence[Sample], pooled: Pooled, name: str) -> Array:
    place = samples[0].columns.index(name)
    values: Array = np.concatenate([s.values[:, place] for s in samples])[pooled.origin]
    return values


def _sides(pooled: Pooled, masses: Masses) -> tuple[Array, Array]:
    """Mass of the reference and of the sample at every pooled row, 1 in all each."""
    block = np.repeat(np.arange(len(masses.starts) - 1), np.diff(masses.starts))
    difference = np.zeros(len(masses.order))
    both = np.zeros(len(masses.order))
    difference[masses.order] = masses.shares * masses.coefficients[block, 0]
    both[masses.order] = masses.sum
    first, second = (both + difference) / 2, (both - difference) / 2
    return (first, second) if pooled.reference_first else (second, first)


def _means(values: Array, present: NDArray[np.bool_] | None, first: Array, second: Array) -> str:
    there = np.ones(len(values), bool) if present is None else present
    means = []
    for mass in (first, second):
        total = float(mass[there].sum())
        means.append(float(mass[there] @ values[there]) / total if total else float("nan"))
    return f"mean {means[0]:.4g} -> {means[1]:.4g}"


def _levels(
    samples: Sequence[Sample], pooled: Pooled, c: int, codes: NDArray[np.int32],
    first: Array, second: Array,
) -> str:  # fmt: skip
    used = np.unique(codes)
    shares = np.array([[m[codes == k].sum() for m in (first, second)] for k in used])
    top = int(np.abs(shares[:, 1] - shares[:, 0]).argmax())
    if c >= len(samples[0].categorical):
        top = int(np.flatnonzero(used == 1)[0]) if (used == 1).any() else top
        return f"share of missing cells: {percent(*shares[top])}"
    place = samples[0].categorical.index(pooled.names[pooled.numeric + c])
    return f"share of {samples[0].level_name(place, int(used[top]))!r}: {percent(*shares[top])}"
