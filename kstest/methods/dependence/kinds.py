"""How two columns go together: kind and strength of their dependence, which is no test."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .column_blocks import Block
from .levels import LOCATION, centred_ranks, describe_levels

Index = NDArray[np.int64]

CRAMER = "Cramer's V"
# A correlation this many standard errors from 0 is worth a name.
NOTABLE = 3.0


@frozen
class Dependence:
    """Description of a pair of columns; not a test.

    Attributes
    ----------
    kind : str
        ``increasing``, ``decreasing``, ``U-shaped``, ``spread``, ``joint spread`` or ``other``;
        with a categorical column ``by level``, and beside a numeric one ``spread by level``,
        ``shape by level`` or ``other``, if it is not its location that differs between levels.
    strength : float
        In the unit of `measure`, from 0 (or -1) to 1.
    measure : str
        ``rank correlation``: the largest in absolute value of the four of `describe`;
        ``correlation ratio`` of the ranks between levels, the root of their share of the
        variance (also ``of the spread`` and ``of the shape``, see `levels`); or ``Cramer's V``
        of two categorical columns.
    spearman : float or None
        Spearman's rank correlation of two numeric columns.
    """

    kind: str
    strength: float
    measure: str = "rank correlation"
    spearman: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
        return Dependence(*describe_levels(numbers.values[there, 0], levels.codes[there, 0]))
    return Dependence(LOCATION, _cramers_v(x.codes[:, 0], y.codes[:, 0], label), CRAMER)


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
