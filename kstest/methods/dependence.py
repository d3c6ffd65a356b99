"""What an independence test says besides its p-value: where, what kind, on what it rests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Work
from ..kernels import KERNELS
from ..params import smallest_permutations
from ..result import Notice
from ..sample import Sample
from .arrangement import GROUPS, STRETCHES, Arranged, Plan, arrange, seeded
from .column_blocks import Block
from .common import serial_dependence
from .conditional import Given
from .independence import Statistics, informative_z, largest_z, pair_statistics, prepared

Index = NDArray[np.int64]

# Pairs of columns described one by one, and those that get an HSIC of their own.
MOST_DESCRIBED = 400
MOST_TESTED = 16
RATIO, CRAMER = "correlation ratio", "Cramer's V"
# A correlation this many standard errors from 0 is worth a name.
NOTABLE = 3.0


@dataclass(frozen=True)
class Dependence:
    """Description of a pair of columns; not a test.

    Attributes
    ----------
    kind : str
        ``increasing``, ``decreasing``, ``U-shaped``, ``spread``, ``joint spread`` or ``other``;
        with a categorical column ``by level``.
    strength : float
        In the unit of `measure`, from 0 (or -1) to 1.
    measure : str
        ``rank correlation``: the largest in absolute value of the four of `describe`;
        ``correlation ratio`` of the ranks between levels, the root of their share of the
        variance; or ``Cramer's V`` of two categorical columns.
    spearman : float or None
        Spearman's rank correlation of two numeric columns.
    """

    kind: str
    strength: float
    measure: str = "rank correlation"
    spearman: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def centred_ranks(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mid-ranks, from -1 to 1, with mean 0."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray((2 * middle[inverse] - len(column) - 1) / max(1, len(column)))


def within(block: Block, label: Index) -> Block:
    """Put ranks less their mean among rows of one label in place of a column of numbers."""
    if not block.values.size:
        return block
    ranks = centred_ranks(block.values[:, 0])
    means = np.bincount(label, ranks) / np.maximum(np.bincount(label), 1)
    return replace(block, values=(ranks - means[label])[:, None])


def expected_counts(i: Index, j: Index, label: Index | None = None) -> NDArray[np.float64]:
    """Rows in each cell of a table if two classifications were independent, within labels if given.

    Parameters
    ----------
    i, j : ndarray of int (n,)
        Class of each row, from 0.
    label : ndarray of int (n,), optional
    """
    label = np.zeros(len(i), np.int64) if label is None else label
    counts = [np.zeros((int(label.max()) + 1, int(k.max()) + 1)) for k in (i, j)]
    for table, k in zip(counts, (i, j), strict=True):
        np.add.at(table, (label, k), 1)
    sizes = np.maximum(counts[0].sum(axis=1), 1)
    return np.asarray(counts[0].T @ (counts[1] / sizes[:, None]))


def describe(x: Block, y: Block, label: Index | None = None) -> Dependence:
    """Name the kind of dependence of two blocks of one column each, where both are present.

    Given `label`, of rows alike in other columns, numbers must come from `within`.
    """
    there = np.ones(len(x), np.bool_)
    for block in (x, y):
        if block.missing is not None and block.missing.size:
            there &= ~block.missing[:, 0]
    if x.values.size and y.values.size:
        return describe_numbers(x.values[there, 0], y.values[there, 0])
    if x.values.size or y.values.size:
        numbers, levels = (x, y) if x.values.size else (y, x)
        ranks = centred_ranks(numbers.values[there, 0])
        return Dependence("by level", _correlation_ratio(ranks, levels.codes[there, 0]), RATIO)
    return Dependence("by level", _cramers_v(x.codes[:, 0], y.codes[:, 0], label), CRAMER)


def describe_numbers(x: NDArray[np.float64], y: NDArray[np.float64]) -> Dependence:
    """Name the kind of dependence of two numeric columns.

    With u and v the centred ranks, corr(u, v) is Spearman's correlation; corr(|u|, v) and
    corr(u, |v|) are large where one column is highest or lowest at both ends of the other, or
    where the spread of one changes with the other; corr(|u|, |v|) where both are extreme together.
    """
    u, v = centred_ranks(x), centred_ranks(y)
    spearman = _correlation(u, v)
    candidates = {
        "increasing" if spearman > 0 else "decreasing": spearman,
        "U-shaped": _correlation(np.abs(u), v),
        "spread": _correlation(u, np.abs(v)),
        "joint spread": _correlation(np.abs(u), np.abs(v)),
    }
    kind = max(candidates, key=lambda name: abs(candidates[name]))
    largest = candidates[kind]
    if abs(largest) * math.sqrt(max(1, len(x) - 1)) < NOTABLE:
        kind = "other"
    return Dependence(kind, largest, "rank correlation", spearman)


def _correlation_ratio(ranks: NDArray[np.float64], codes: NDArray[np.int32]) -> float:
    """Root of the share of the variance that lies between levels."""
    _, level, counts = np.unique(codes, return_inverse=True, return_counts=True)
    means = np.bincount(level, ranks) / counts
    total = float(ranks @ ranks)
    return math.sqrt(float(counts @ means**2) / total) if total > 0 else 0.0


def _cramers_v(x: NDArray[np.int32], y: NDArray[np.int32], label: Index | None = None) -> float:
    """Cramer's V: root of chi-squared over its largest possible value.

    With `label` the expected counts are those of independence among rows of one label.
    """
    (kx, i), (ky, j) = (np.unique(codes, return_inverse=True) for codes in (x, y))
    counts = np.bincount(i * len(ky) + j, minlength=len(kx) * len(ky)).reshape(len(kx), len(ky))
    expected = expected_counts(i, j, label)
    most = min(len(kx), len(ky)) - 1
    apart = np.zeros_like(expected)
    np.divide((counts - expected) ** 2, expected, out=apart, where=expected > 0)
    chi = float(apart.sum())
    return math.sqrt(chi / (len(x) * most)) if most else 0.0


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norm if norm > 0 else 0.0


def column_pairs(
    data: Sample,
    names: Sequence[tuple[str, ...]],
    arranged: Arranged,
    params: Any,
    rng: np.random.Generator,
    work: Work,
    found: Statistics,
) -> list[dict[str, Any]]:
    """Describe the pairs of columns from different blocks, the strongest first.

    `z` is the HSIC of the two columns at their median distances, in units of its spread under
    permutation; only for a few pairs, and of the test itself (`found`) where there is one pair.
    These are descriptions: the test is over all columns. With given columns, of what is left of
    both among rows alike in them.
    """
    given = arranged.given
    columns = [(l, name) for l, block in enumerate(names) for name in block]
    pairs = [
        (i, j) for i, j in combinations(range(len(columns)), 2) if columns[i][0] != columns[j][0]
    ]
    pairs = pairs[:MOST_DESCRIBED]
    single = [Block.of(data, (name,)) for _, name in columns]
    z: list[float | None] = [None] * len(pairs)
    if len(pairs) == 1:
        z = [largest_z(found)]
    elif len(pairs) <= MOST_TESTED:
        alone = replace(
            params,
            x="", y="", block=(), all_pairs=True,
            kernel=params.kernel.split(",")[0], bandwidth="median", bandwidth_x="", bandwidth_y="",
            permutations=max(199, smallest_permutations(params.alpha)),
        )  # fmt: skip
        rng = seeded(single, params.scale, rng)
        apart = arrange(single, arranged.how, params.scale, rng, given)
        made = prepared(apart, alone, rng, work)
        z = [largest_z(some) for some in pair_statistics(apart, made, pairs, alone, rng, work)]
    label = None if given is None else given.label
    if label is not None:
        single = [within(block, label) for block in single]
    rows = [
        {
            "x": columns[i][1],
            "y": columns[j][1],
            "z": z[k],
            **describe(single[i], single[j], label).to_dict(),
        }
        for k, (i, j) in enumerate(pairs)
    ]
    return sorted(rows, key=lambda row: -(row["z"] or abs(row["strength"])))


def strongest(found: Statistics) -> dict[str, Any]:
    """HSIC at each combination of bandwidths, and the one that stands out most."""
    z = informative_z(found)
    rows = [
        {"kernel": name, "bandwidths": list(widths), "hsic": float(found.T[k, 0]), "z": z[k]}
        for k, (name, widths) in enumerate(found.rungs)
    ]
    best = max((k for k in range(len(rows)) if z[k] is not None), key=lambda k: float(z[k] or 0))
    return {"strongest": rows[best], "kernels": rows}


def kernel_block(found: Statistics, params: Any, of_pairs: bool = False) -> dict[str, Any]:
    """The `kernel` of a result: bandwidths in combination, or their number for many pairs."""
    several = len(found.rungs) > 1
    return {
        "name": ",".join(name for name in KERNELS if name in {r[0] for r in found.rungs}),
        "bandwidths": [] if of_pairs else [list(widths) for _, widths in found.rungs],
        "combinations": len(found.rungs),
        "aggregate": params.aggregate if several else None,
        "scale": params.scale,
    }


def null_block(data: Arranged, params: Any) -> dict[str, Any]:
    """The `null` of a result."""
    how, cut, scheme, cells = data.how, data.cut, f"permutation of {data.how.unit}", {}
    if cut.cells is not None:
        where = "with equal values" if data.equal else "among neighbours"
        scheme = f"{scheme} {where} of the given columns"
        cells = {"cells": int(cut.cells[-1]) + 1}
    return {
        "scheme": scheme,
        "replicates": params.permutations,
        "exact": how.unit != STRETCHES and data.equal,
        "bins": cut.bins,
        "rows_per_bin": how.size,
        **cells,
    }


def series_of(data: Sample, blocks: Sequence[Block], given: Given | None) -> list[Sample]:
    """Numeric columns of each block as a series, without what given columns explain of them."""
    found = [block.sample(data, f"block {' '.join(block.names)[:40]}") for block in blocks]
    return found if given is None else [given.left_over(series) for series in found]


def serial_notice(series: Sequence[Sample], how: Plan) -> tuple[Notice, ...]:
    """Warn when the rows of two or more blocks look like their neighbours in the file.

    One block may be a time series: permuting rows is exact as long as the rows of the others
    are exchangeable.
    """
    if how.unit in (STRETCHES, GROUPS):
        return ()
    found = [notice for one in series for notice in serial_dependence([one], sizes=True)]
    return tuple(found[:1]) if len(found) > 1 else ()
