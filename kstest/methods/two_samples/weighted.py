"""Weighted rows against rows weighted otherwise: what is summed, drawn and said.

Rows can be permuted with their weights only if weights have one distribution on both sides. A
simulation with weights against data without has not; there, and where weights may be negative, the
null distribution is that of Gaussian multipliers, see `kstest.nulls.multipliers`: asymptotic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.missing import weights_differ
from ...findings import Column, Table, listed
from ...kernels import Rows
from ...kernels.scaling import robust_spread
from ...result import Notice, Result
from ...sample import Sample
from ..common import DISTANCE_ROWS
from .arranged import Arranged
from .pooled import Pooled, refused

if TYPE_CHECKING:
    from .differences import Masses

Array = NDArray[np.float64]
A = TypeVar("A", bound=Arranged)

# Weights that differ at this level have no one distribution: under the null of rows that are
# exchangeable with their weights, the share of data sets whose null distribution is approximate
# without need.
WEIGHTS_LEVEL = 0.001
# Effective rows of a side without which there is no verdict, and below which a warning.
LEAST_EFFECTIVE, FEW_EFFECTIVE = 20, 40
# A side whose weights cancel to this share of their sizes has nothing left to compare.
CANCELLED = 0.1
# Share of one row in a side's sum of squared weights that is worth a warning.
HEAVY = 0.2
# Blocks of a side that have a multiplier of their own; rows of more are joined at random.
BLOCKS = 512
# Rows that stand for all in units and bandwidths, by their mass.
STANDING = 4096


@frozen
class Side:
    """What the weights of one side are like.

    Attributes
    ----------
    sample : str
    rows : int
    effective : float
        (sum w)^2 / sum w^2, w the weights of rows, or of whole groups.
    largest : float
        Share of the largest of them in sum w^2.
    negative : float
        Share of negative weight in sum |w|.
    kept : float
        sum w / sum |w|.
    unit : {'rows', 'groups'}
        What has a weight each.
    """

    sample: str
    rows: int
    effective: float
    largest: float
    negative: float
    kept: float
    unit: str = "rows"

    @property
    def left(self) -> str:
        """How many rows the weights leave, in words."""
        rows = " rows" * (self.unit != "rows")
        return f"{self.effective:.1f} effective {self.unit} of {self.rows:,}{rows}"


def multiplied(pooled: Arranged) -> bool:
    """Whether rows cannot be permuted with their weights.

    They can where weights are equal within each side, or have one distribution on both sides as far
    as a test of the weights alone sees, and none is negative.
    """
    if pooled.weights is None:
        return False
    w, u = pooled.weights[: pooled.m], pooled.weights[pooled.m :]
    if (pooled.weights < 0).any():
        return True
    equal = [bool((side == side[0]).all()) for side in (w, u)]
    if all(equal):
        return False
    return any(equal) or weights_differ(pooled.weights, pooled.m) <= WEIGHTS_LEVEL


def evened(pooled: A) -> A:
    """Without weights, where they are equal within each side: every row is one share of it."""
    if pooled.weights is None:
        return pooled
    sides = (pooled.weights[: pooled.m], pooled.weights[pooled.m :])
    if all((side == side[0]).all() and side[0] > 0 for side in sides):
        return replace(pooled, weights=None)
    return pooled


def weights_given(samples: Sequence[Sample], pooled: Pooled) -> list[Side]:
    """Describe the weights of each side, in the order of the samples."""
    found = []
    for sample in samples:
        w = np.ones(sample.n) if sample.weights is None else sample.weights
        each = w
        if sample.groups is not None:
            each = np.bincount(sample.groups, w).astype(np.float64)
            each = each[np.unique(sample.groups)]
        squares, size = float(each @ each), float(np.abs(w).sum())
        total = float(w.sum())
        found.append(
            Side(
                sample.name,
                sample.n,
                total**2 / squares if squares else 0.0,
                float((each**2).max() / squares) if squares else 1.0,
                float(np.abs(w[w < 0]).sum() / size) if size else 0.0,
                total / size if size else 0.0,
                "rows" if sample.groups is None else "groups",
            )
        )
    return found


def unusable(sides: Sequence[Side], base: Result) -> Result | None:
    """No verdict, where weights cancel, or too few rows carry a side."""
    for side in sides:
        if side.kept <= CANCELLED:
            return refused(
                base,
                f"the weights of the {side.sample} add up to {100 * side.kept:.3g} % of their "
                f"sizes: more than {100 * CANCELLED:.3g} % is needed, as positive and negative "
                "weights otherwise cancel to noise",
                "too-little-weight",
            )
    for side in sides:
        if side.effective < LEAST_EFFECTIVE:
            return refused(
                base,
                f"the weights of the {side.sample} leave {side.left} "
                f"((sum w)^2 / sum w^2): at least {LEAST_EFFECTIVE} are needed for "
                "the power to find anything. Use more rows, or weights that differ less",
                "too-few-effective-rows",
            )
    return None


def told(sides: Sequence[Side]) -> Table:
    """What weights leave of the rows of each side."""
    texts = []
    for side in sides:
        negative = f", {100 * side.negative:.3g} % negative" if side.negative else ""
        texts.append(
            f"{side.effective:,.1f} effective {side.unit} in the {side.sample}, the largest holds "
            f"{100 * side.largest:.3g} % of the squares{negative}"
        )
    columns = (
        Column("sample", "sample"),
        Column("rows", "rows"),
        Column("effective", "effective", ",.1f"),
        Column("largest", "largest, of squares", "share"),
        Column("negative", "negative", "share"),
    )
    lines = tuple(listed("weights", texts, "data"))
    return Table("weights", [asdict(side) for side in sides], columns, "Weights", lines)


def weight_notices(sides: Sequence[Side]) -> tuple[Notice, ...]:
    """Warn of few effective rows, and of one row that carries a side."""
    out = []
    for side in sides:
        if side.effective < FEW_EFFECTIVE:
            out.append(
                Notice(
                    "few-effective-rows",
                    f"the weights leave {side.left} in "
                    f"the {side.sample}: below {FEW_EFFECTIVE} the p-value is rough and the power "
                    "low",
                )
            )
        if side.largest > HEAVY:
            out.append(
                Notice(
                    "heavy-row",
                    f"one {side.unit[:-1]} of the {side.sample} holds {100 * side.largest:.0f} % "
                    f"of its sum of squared weights: the p-value rests on that {side.unit[:-1]}, "
                    "and on weights larger still that were not drawn",
                )
            )
    return tuple(out)


def standing(mass: Array, count: int = STANDING) -> NDArray[np.int64]:
    """Rows that stand for all by their mass: the ones at evenly spaced quantiles of it."""
    ends = np.cumsum(mass)
    at = (np.arange(count) + 0.5) / count * ends[-1]
    found = np.searchsorted(ends, at, side="right")
    return np.asarray(np.minimum(found, len(mass) - 1), dtype=np.int64)


def in_units(rows: Rows, mass: Array, scale: str) -> Rows:
    """Rows in units of the spread that their mass has."""
    if scale == "none":
        return rows
    values = rows.values.copy()
    some = standing(mass)
    for column in values.T:
        spread = robust_spread(column[some]) if scale == "robust" else float(column[some].std())
        column /= spread or 1.0
    return Rows(values, rows.codes)


def for_bandwidths(rows: Rows, mass: Array) -> Rows:
    """A few rows by their mass, whose distances give the bandwidths."""
    return rows.take(standing(mass, DISTANCE_ROWS))


def masses_of(pooled: Pooled, draws: int, rng: np.random.Generator) -> Masses:
    """Rows in blocks that share a multiplier, and the multipliers of all draws."""
    from ...nulls.multipliers import multipliers
    from .differences import Masses

    assert pooled.weights is not None
    sign = np.repeat(np.array([1, -1], np.int8), [pooled.m, pooled.n])
    share, size = pooled.weights.copy(), np.abs(pooled.weights)
    for one in (1, -1):
        share[sign == one] /= share[sign == one].sum()
        size[sign == one] /= 2 * size[sign == one].sum()
    unit = _units(pooled, rng)
    key = 2 * unit + (sign < 0)
    order = np.argsort(key, kind="stable")
    used, first = np.unique(key[order], return_index=True)
    starts = np.concatenate([first, [len(key)]]).astype(np.int64)
    side = np.where(used % 2, -1, 1).astype(np.int8)
    share = share[order]
    coefficients = multipliers(np.add.reduceat(share, first), side, used // 2, draws, rng)
    rows = in_units(pooled.rows, size, pooled.scale).take(order)
    return Masses(rows, order, starts, share, size[order], coefficients, share)


def _units(pooled: Pooled, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows that share a multiplier: a group, and of very many some at random, side by side."""
    count = pooled.m + pooled.n
    groups = np.arange(count) if pooled.groups is None else pooled.groups
    names, unit = np.unique(groups, return_inverse=True)
    first = np.isin(np.arange(len(names)), unit[: pooled.m])
    second = np.isin(np.arange(len(names)), unit[pooled.m :])
    bins: NDArray[np.int64] = np.empty(len(names), np.int64)
    start = 0
    for these in (first & second, first & ~second, second & ~first):
        some = np.flatnonzero(these)
        bins[some] = start + rng.permutation(len(some)) % min(max(len(some), 1), BLOCKS)
        start += BLOCKS
    return np.asarray(bins[unit])
