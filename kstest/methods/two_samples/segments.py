"""Where two samples differ: regions that hold more, or less, of one than of the other.

A region is an interval of a column, or a category, or two of these together
(`kstest.methods.regions`). It is looked for in one half of the rows and judged by the other, so
that its shares are those of any region named beforehand. Halves are of whole groups and of whole
stretches of time where rows of these depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...findings import Column, Line, Table
from ...nulls import Partition
from ...sample import Sample
from ..regions import Region, regions
from .pooled import Pooled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows, groups or stretches of time of each half, below which nothing is looked for.
LEAST_UNITS = 10
LABEL = "region"


def segments(
    samples: Sequence[Sample],
    pooled: Pooled,
    cut: Partition,
    alpha: float,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Return the regions whose shares of the samples differ in rows that did not choose them.

    Parameters
    ----------
    samples : two Samples
    pooled : Pooled
    cut : Partition
        What is permuted, by which rows depend on each other.
    alpha : float
        The intervals of the differences, two at most, hold together with probability 1 - alpha.
    rng : numpy.random.Generator
        Draws the halves.

    Returns
    -------
    list of dict
        ``where`` in words, the ``rows`` in the region, its shares of the ``reference`` and of the
        ``sample``, their ``difference`` and its interval ``low``, ``high``. Empty where none holds.

    Notes
    -----
    A row counts 1 / n in the sample and -1 / m in the reference (or as its weight has it), so the
    sum over a region is the difference of its shares; the region with the largest |sum| in units
    of its null spread is taken, and one of the other sign. Intervals are normal, by the sums of
    the units' deviations, a little wider for few units as in Agresti and Caffo (2000), The American
    Statistician 54.
    """
    table, side, weights = _joined(samples, pooled)
    units = _units(pooled, cut)
    half = _halves(units, side, rng)
    if half is None:
        return []
    signed = _shares(weights, side, half)
    found = []
    for region in regions(table, (*table.columns, *table.categorical), signed):
        row = _judged(region, weights, side, units, ~half, alpha)
        if float(str(row["low"])) * float(str(row["high"])) > 0:
            found.append(row)
    return found


def _joined(samples: Sequence[Sample], pooled: Pooled) -> tuple[Sample, Array, Array]:
    """Both samples in the order of the pooled rows, +1 for rows of the sample, and weights."""
    first, second = samples
    order = pooled.origin
    missing = None
    if first.missing is not None or second.missing is not None:
        missing = np.concatenate(
            [
                s.missing if s.missing is not None else np.zeros(s.values.shape, bool)
                for s in samples
            ]
        )[order]
    table = replace(
        first,
        values=np.concatenate([first.values, second.values])[order],
        codes=np.concatenate([first.codes, second.codes])[order],
        missing=missing,
    )
    side = np.where(order < first.n, -1.0, 1.0)
    weights = np.ones(len(order)) if pooled.weights is None else pooled.weights
    return table, side, weights


def _units(pooled: Pooled, cut: Partition) -> Index:
    """Number of what each row belongs to and does not depend on others."""
    if pooled.groups is not None:
        return pooled.groups
    units = np.arange(len(pooled.origin))
    if cut.exact:
        return units
    units[cut.order] = np.repeat(np.arange(len(cut.starts) - 1), np.diff(cut.starts))
    return units


def _halves(units: Index, side: Array, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Rows of a random half of the units of each side; None for too few of them.

    A group on both sides is one unit of the first.
    """
    names, first, of = np.unique(units, return_index=True, return_inverse=True)
    chosen = np.zeros(len(names), bool)
    for sign in (-1.0, 1.0):
        own = np.flatnonzero(side[first] == sign)
        chosen[rng.permutation(own)[: len(own) // 2]] = True
    half = chosen[of]
    for rows in (half, ~half):
        for sign in (-1.0, 1.0):
            if len(np.unique(of[rows & (side == sign)])) < LEAST_UNITS:
                return None
    return half


def _shares(weights: Array, side: Array, used: NDArray[np.bool_]) -> Array:
    """What each used row adds to the difference of the shares; 0 for the others."""
    out = np.zeros(len(side))
    for sign in (-1.0, 1.0):
        rows = used & (side == sign)
        out[rows] = sign * weights[rows] / weights[rows].sum()
    return out


def _judged(
    region: Region, weights: Array, side: Array, units: Index, used: NDArray[np.bool_], alpha: float
) -> dict[str, object]:
    """Shares of a region, and the interval of their difference, by the used rows."""
    from scipy.special import ndtri

    part = _shares(weights, side, used)
    share = {s: float(np.abs(part[(side == s) & region.inside]).sum()) for s in (-1.0, 1.0)}
    deviation = part * (region.inside - np.where(side > 0, share[1.0], share[-1.0]))
    of = np.unique(units, return_inverse=True)[1]
    error = float((np.bincount(of, deviation) ** 2).sum())
    for sign in (-1.0, 1.0):  # one more row inside and one outside, lest small counts look sure
        error += float((np.bincount(of, np.where(side == sign, part, 0.0)) ** 2).sum() ** 2)
    difference = share[1.0] - share[-1.0]
    wide = float(ndtri(1 - alpha / 4)) * math.sqrt(error)
    return {
        "where": region.words,
        "rows": region.rows,
        "reference": share[-1.0],
        "sample": share[1.0],
        "difference": difference,
        "low": difference - wide,
        "high": difference + wide,
    }


def segments_found(rows: Sequence[dict[str, object]], alpha: float) -> Table:
    """The regions, in words."""
    texts = [_words(row, alpha) for row in rows]
    none = (
        "none stands out: of no single part of the columns do the rows not used to find it differ"
    )
    columns = (
        Column("reference", "reference", "share"),
        Column("sample", "sample", "share"),
        Column("difference", "difference", "share"),
        Column("low", "from", "share"),
        Column("high", "to", "share"),
        Column("where", "where", "last"),
    )
    lines = [Line("" if k else LABEL, text) for k, text in enumerate(texts or [none])]
    return Table("regions", rows, columns, "Where the samples differ", tuple(lines))


def _words(row: dict[str, object], alpha: float) -> str:
    a, b, low, high = (100 * float(str(row[k])) for k in ("reference", "sample", "low", "high"))
    return (
        f"{'more' if b > a else 'fewer'} rows where {row['where']}: {b:.3g} % of the sample, "
        f"{a:.3g} % of the reference ({low:+.3g} to {high:+.3g} points, a "
        f"{100 * (1 - alpha):.3g} % interval by rows not used to find it)"
    )
