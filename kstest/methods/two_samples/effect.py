"""The MMD from kernel sums: unbiased, as an effect with an interval, and tolerant of corruption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...engine import Forms
from ...errors import UsageError
from ...findings import Facts, Line, number, plain
from ...kernels import KERNELS
from ...nulls import Partition, p_value
from ...sample import Sample

Array = NDArray[np.float64]


@frozen
class Pairs:
    """How much weight the pairs of a permutation hold; arrays of shape (B + 1,).

    Attributes
    ----------
    x, y : ndarray
        Weight of each side (its rows, without weights).
    within_x, within_y : ndarray
        Sum of w_i w_j over i != j of each side; n (n - 1) without weights.
    blocks, squares : ndarray (G,)
        Weight, and sum of squared weights, of every block.
    first : ndarray of bool (G, B + 1)
        Which blocks are on the first side.
    """

    x: Array
    y: Array
    within_x: Array
    within_y: Array
    blocks: Array
    squares: Array
    first: NDArray[np.bool_]

    @classmethod
    def of(cls, starts: NDArray[np.int64], signs: NDArray[np.int8], weights: Array | None) -> Pairs:
        if weights is None:  # each row counts 1, and there may be too many for an array of ones
            blocks = squares = np.diff(starts).astype(np.float64)
        else:
            blocks, squares = (
                np.add.reduceat(v, starts[:-1]) for v in (weights, weights * weights)
            )
        first = signs > 0
        x, xx = (v @ first.astype(np.float64) for v in (blocks, squares))
        y, yy = blocks.sum() - x, squares.sum() - xx
        return cls(x, y, x * x - xx, y * y - yy, blocks, squares, first)


def unbiased_mmd(forms: Forms, pairs: Pairs) -> Array:
    """Return the U-statistic MMD^2 of every kernel and permutation; shape (L, B + 1).

    With v = +1 on the rows of one sample and -1 on those of the other, and K0 the kernel matrix
    without its diagonal, the within and between sums are (t + 2 r + q) / 4, (t - 2 r + q) / 4 and
    (t - q) / 4, where t = 1'K0 1, r = 1'K0 v, q = v'K0 v. A side of a single row has no pairs
    and adds nothing; where all rows of a side weigh nothing, MMD^2 is taken to be 0.
    """
    within_x, within_y, between = _sums(forms)
    x, y = (
        np.divide(part, count, out=np.zeros_like(part), where=count > 0)
        for part, count in ((within_x, pairs.within_x), (within_y, pairs.within_y))
    )
    both = pairs.x * pairs.y
    across = np.divide(between, both, out=np.zeros_like(between), where=both > 0)
    return np.asarray(np.where(both > 0, x + y - 2 * across, 0.0))


def _sums(forms: Forms) -> tuple[Array, Array, Array]:
    t, r, q = forms.total[:, None], forms.linear, forms.quadratic
    return (t + 2 * r + q) / 4, (t - 2 * r + q) / 4, (t - q) / 4


def effect_found(value: dict[str, object] | None) -> Facts:
    """The finding ``effect``: how far the samples are apart, with its interval."""
    if not value:
        return Facts("effect", value)
    found = plain(value)
    low, high = found["interval"]
    text = (
        f"MMD {number(found['mmd'])} at the strongest bandwidth, "
        f"{100 * found['confidence']:.3g} % interval {number(low)} to {number(high)}"
    )
    return Facts("effect", value, (Line("effect", text, "numbers"),))


def effect(
    forms: Forms, pairs: Pairs, cut: Partition, kernel: int, alpha: float, rejected: bool
) -> dict[str, object] | None:
    """The MMD of one kernel with a confidence interval, from a jackknife over the blocks.

    sqrt(max(MMD^2, 0)) of the unbiased estimate, between 0 (the distributions agree) and sqrt(2)
    (they share nothing, at this bandwidth) for kernels between 0 and 1. The interval is asymptotic:
    the delete-one-block jackknife of MMD^2 with normal quantiles, good away from 0. At 0 the
    distribution of the estimate is not normal; the interval then starts at 0, as it does whenever
    the test does not reject. None where the sums of the blocks were not kept, and where a side
    has weight in fewer than three blocks.
    """
    if forms.blocks is None or cut.movable < 8:
        return None
    K, first = forms.blocks[kernel], pairs.first[:, 0]
    to_x, to_y = K[:, first].sum(axis=1), K[:, ~first].sum(axis=1)
    own = K.diagonal()
    xx, yy, xy = to_x[first].sum(), to_y[~first].sum(), to_y[first].sum()

    def without(g: NDArray[np.int64], in_x: bool) -> Array:
        """MMD^2 without block g, for all g of one side."""
        mine, other = (to_x, to_y) if in_x else (to_y, to_x)
        same, different = (xx, yy) if in_x else (yy, xx)
        w, w_other = (pairs.x[0], pairs.y[0]) if in_x else (pairs.y[0], pairs.x[0])
        count = pairs.within_x[0] if in_x else pairs.within_y[0]
        count_other = pairs.within_y[0] if in_x else pairs.within_x[0]
        b, b2 = pairs.blocks[g], pairs.squares[g]
        left = count - 2 * w * b + b * b + b2  # (w - b)^2 - (sum of squares - b2)
        left = np.maximum(left, 1e-300)
        inside = same - 2 * mine[g] + own[g]
        return np.asarray(
            inside / left + different / count_other - 2 * (xy - other[g]) / ((w - b) * w_other)
        )

    variance = 0.0
    for in_x in (True, False):
        g = np.flatnonzero((first == in_x)[: cut.movable])
        if np.count_nonzero(pairs.blocks[g]) < 3:
            return None
        values = without(g, in_x)
        variance += (len(g) - 1) / len(g) * float(((values - values.mean()) ** 2).sum())
    mmd2 = xx / pairs.within_x[0] + yy / pairs.within_y[0] - 2 * xy / (pairs.x[0] * pairs.y[0])
    half = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt(variance)
    low = max(mmd2 - half, 0.0) if rejected else 0.0
    return {
        "mmd": math.sqrt(max(mmd2, 0.0)),
        "interval": [math.sqrt(low), math.sqrt(max(mmd2 + half, 0.0))],
        "confidence": 1 - alpha,
    }


def check_tolerance(tolerance: float, kernels: Sequence[str]) -> None:
    if not 0 <= tolerance < 1:
        raise UsageError(f"--tolerance {tolerance}: give a share of the rows, 0 to 1")
    unbounded = [name for name in kernels if not KERNELS[name].has_bandwidth]
    if tolerance and unbounded:
        raise UsageError(
            f"--tolerance with --kernel {unbounded[0]}: a single row can move this statistic "
            "without bound; use a kernel between 0 and 1, such as gaussian"
        )


def check_bounded(tolerance: float, samples: Sequence[Sample]) -> None:
    """Refuse --tolerance where a row may weigh more than 1 / min(m, n)."""
    weights = "--counts" if samples[0].counted else "--weights"
    for option, given in ((weights, samples[0].weights), ("--group", samples[0].groups)):
        if tolerance and given is not None:
            raise UsageError(
                f"--tolerance with {option}: the bound on what corrupt rows can do holds for rows "
                "of equal weight that are permuted one by one or in bins; leave out one of the two"
            )


def tolerant_statistics(forms: Forms, pairs: Pairs) -> Array:
    """max_k of the biased MMD_k, for every permutation; kernels with k(x, x) = 1 and no weights."""
    within_x, within_y, between = _sums(forms)
    x, y = pairs.x, pairs.y
    squared = (within_x + x) / x**2 + (within_y + y) / y**2 - 2 * between / (x * y)
    return np.asarray(np.sqrt(np.maximum(squared, 0)).max(axis=0))


def tolerant_p_value(statistics: Array, tolerance: float) -> float:
    """p-value that a share `tolerance` of min(m, n) altered rows cannot make too small.

    One row moves the biased MMD of a kernel between 0 and 1 by at most sqrt(2) / min(m, n), under
    every permutation, and so the observed value and each replicate (Schrab and Kim 2024, arXiv
    2405.19912).
    """
    lowered = statistics.copy()
    lowered[0] -= 2 * math.sqrt(2) * tolerance
    return p_value(lowered)
