"""The parts of an independence test that `hsic` strings together: rows, kernels, statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine import Work
from ...engine.feature_margins import FeatureMargin, feature_margins, feature_products
from ...engine.margins import Margin, margins
from ...engine.products import grid_products, table_products
from ...engine.residuals import Residual
from ...engine.shifts import shift_products
from ...errors import UsageError
from ...kernels import KERNELS, BandwidthGrid, Rows
from ...nulls.pairings import (
    Pairing,
    PermutationGrid,
    ShiftGrid,
    permutation_grid,
    permutations_of,
    shift_grid,
    table,
)
from ...params import option_name
from .. import common
from .arrangement import Arranged
from .combinations import Combination, Statistics, joined
from .low_rank import MOST_BINS, landmarks_of
from .signs import Leftover, leftovers, signed_joint, signed_pairs

Index = NDArray[np.int64]
Values = NDArray[np.float64]

# Bins of the coarser test, at least: 7! permutations leave no p-value above 1 / 100 in doubt, and
# those below 2 alpha are found again from all bins.
LEAST_COARSE = 7
# Tables of pairs of columns held at the same time, in numbers of 8 bytes.
TABLE_NUMBERS = 3e7


def bandwidth_rules(count: int, params: Any) -> list[str]:
    """Return the bandwidth option of every block, and refuse what does not go together."""
    rules = [params.bandwidth] * count
    for place, name in enumerate(("bandwidth_x", "bandwidth_y")):
        rule = getattr(params, name)
        if rule and (count != 2 or params.all_pairs):
            raise UsageError(f"{option_name(name)} {rule}: is for two blocks; use --bandwidth")
        if rule:
            rules[place] = rule
    for name in common.kernel_names(params.kernel):
        if not KERNELS[name].has_bandwidth and count > 2 and not params.all_pairs:
            raise UsageError(
                f"--kernel {name}: joint independence of {count} blocks needs a kernel with "
                "k(x, x) = 1, such as gaussian"
            )
    return rules


def grids(
    blocks: Sequence[Rows], params: Any, rng: np.random.Generator
) -> list[list[BandwidthGrid]]:
    """Return per kernel the bandwidth grid of every block; rows in random order."""
    given = zip(blocks, bandwidth_rules(len(blocks), params), strict=True)
    found = [common.grids(rows, params.kernel, rule, "octaves", rng) for rows, rule in given]
    return [list(some) for some in zip(*found, strict=True)]


AnyMargin = Margin | Residual | FeatureMargin
# Per block its margin; with given columns also the same times a kernel of these.
Sides = list[list[AnyMargin]]
# What is made of the blocks before any statistic, per kernel of --kernel: the latter with signs.
Made = list[Sides | Leftover]


def prepared(data: Arranged, params: Any, rng: np.random.Generator, work: Work) -> Made:
    """Choose bandwidths and centre the kernels of every block once, per kernel of --kernel."""
    if data.targets is not None:
        return [*leftovers(data, bandwidth_rules(len(data.blocks), params), params, rng)]
    joint = len(data.blocks) > 2 and not params.all_pairs
    return [_sides(data, some, joint, params, work) for some in grids(data.rows, params, rng)]


def _sides(
    data: Arranged, grids: Sequence[BandwidthGrid], joint: bool, params: Any, work: Work
) -> Sides:
    used = list(zip(data.rows, grids, strict=True))
    landmarks = landmarks_of(data, grids, params, joint)
    if landmarks is not None:
        return [[margin] for margin in feature_margins(used, landmarks, work)]
    if data.given is None:
        return [[margin] for margin in margins(used, not joint, work)]
    orders = [data.cut.rows(l) for l in range(len(used))]
    return [
        [*data.given.margins(rows, grid, order, data.unit, joint, work)]
        for (rows, grid), order in zip(used, orders, strict=True)
    ]


def statistics(
    data: Arranged, made: Made, params: Any, rng: np.random.Generator, work: Work
) -> Statistics:
    """Evaluate the statistics of all kernels of one test of all blocks."""
    count = len(data.blocks)
    if count == 2:
        return next(pair_statistics(data, made, [(0, 1)], params, rng, work))
    signed, permuted = parted(made)
    if signed:
        return signed_joint(signed, params.permutations, rng, work)
    drawn = permutation_grid(data.cut, (count + 1) // 2, params.permutations, rng)
    return joined([many_blocks(data, sides, drawn, work) for sides in permuted])


def parted(made: Made) -> tuple[list[Leftover], list[Sides]]:
    """What is made for random signs, and for permutations; one of the two is empty."""
    signed = [one for one in made if isinstance(one, Leftover)]
    return signed, [one for one in made if not isinstance(one, Leftover)]


def pair_statistics(
    data: Arranged,
    made: Made,
    pairs: Sequence[tuple[int, int]],
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Iterator[Statistics]:
    """Yield the HSIC of pairs of blocks; each block's centred kernels serve all its pairs.

    With random signs, and in few bins, all pairs have the same permutations. One pair, or many
    bins, have their own: circles where single rows move (`kstest.engine.shifts`), else a grid.
    """
    signed, permuted = parted(made)
    if signed:
        yield from signed_pairs(signed, pairs, params.permutations, rng, work)
        return
    single = data.cut.size == 1 and data.cut.cells is None
    if data.cut.bins > MOST_BINS or (single and len(pairs) == 1):
        for x, y in pairs:
            cut = replace(data.cut, stored=(data.cut.stored[x], data.cut.stored[y]))
            if single:
                turned = shift_grid(cut, params.permutations, rng)
                yield joined([_shifted(sides, x, y, turned, work) for sides in permuted])
            else:
                drawn = permutation_grid(cut, 1, params.permutations, rng)
                yield joined([_gridded(sides, x, y, drawn, cut.size, work) for sides in permuted])
        return
    orders = permutations_of(data.cut.bins, params.permutations, rng, data.cut.cells)
    parts = [_tabled(data.cut, sides, pairs, orders, work) for sides in permuted]
    for some in zip(*parts, strict=True):
        yield joined(some)


def _shifted(sides: Sides, x: int, y: int, drawn: ShiftGrid, work: Work) -> Statistics:
    lefts, (right, *_) = _whole(sides[x]), _whole(sides[y])
    sums = [shift_products(left, right, drawn.left, drawn.right, work) for left in lefts]
    found = [(left, _chosen(some, drawn)) for left, some in zip(lefts, sums, strict=True)]
    return joined([unbiased_hsic(left, right, products) for left, products in found])


def _gridded(
    sides: Sides, x: int, y: int, drawn: PermutationGrid, size: int, work: Work
) -> Statistics:
    permuted, lefts, (right, *_) = (drawn.left, drawn.right), _whole(sides[x]), _whole(sides[y])
    cells = [grid_products([left], [right], permuted, size, True, work) for left in lefts]
    found = [(left, _chosen(some, drawn)) for left, some in zip(lefts, cells, strict=True)]
    return joined([unbiased_hsic(left, right, products) for left, products in found])


def _tabled(
    cut: Pairing, sides: Sides, pairs: Sequence[tuple[int, int]], orders: Index, work: Work
) -> Iterator[Statistics]:
    widest = max(len(side[0].grid) for side in sides)
    step = max(1, int(TABLE_NUMBERS // (len(sides[0]) * widest**2 * cut.bins**4 / 2)))
    for first in range(0, len(pairs), step):  # groups, so that the tables fit in memory
        some = pairs[first : first + step]
        meetings = [(left, sides[y][0]) for x, y in some for left in sides[x]]
        used = list({id(margin): margin for pair in meetings for margin in pair}.values())
        place = {id(margin): k for k, margin in enumerate(used)}
        draws = [order for order in table(cut, some, orders) for _ in sides[0]]
        local = [(place[id(x)], place[id(y)]) for x, y in meetings]
        products = iter(_products(used, local, draws, cut.size, work))
        for x, y in some:
            found = [unbiased_hsic(left, sides[y][0], next(products)) for left in sides[x]]
            yield joined(found)


def _products(
    used: Sequence[AnyMargin],
    pairs: Sequence[tuple[int, int]],
    draws: Sequence[Index],
    size: int,
    work: Work,
) -> list[Values]:
    """Sums of products of margins, by features if they have them."""
    low = [margin for margin in used if isinstance(margin, FeatureMargin)]
    if low:
        return feature_products(low, pairs, draws, size, work)
    return table_products(_whole(used), pairs, draws, size, work)


def _whole(margins: Sequence[AnyMargin]) -> list[Margin | Residual]:
    """The margins of whole kernels among them."""
    return [margin for margin in margins if not isinstance(margin, FeatureMargin)]


def coarser(data: Arranged, made: Made, rng: np.random.Generator) -> tuple[Arranged, Made] | None:
    """Return rows and features of the same test with half as many bins, each of two joined.

    Whole bins of twice the rows are as exchangeable, and what is looked up for a pair of blocks
    takes a sixteenth of the time. None where there are no features, or so few bins that the
    permutations of half as many would not do (`LEAST_COARSE`).
    """
    cut, bins = data.cut, data.cut.bins // 2
    kernels = [side for side in made if isinstance(side, list)]
    low = [[m for (m, *_) in sides if isinstance(m, FeatureMargin)] for sides in kernels]
    if bins < LEAST_COARSE or not low or not all(map(len, low)):
        return None
    stored = tuple(rng.permutation(bins) for _ in cut.stored)
    coarse = replace(cut, size=2 * cut.size, bins=bins, stored=stored)
    rows = [np.argsort(cut.rows(l))[coarse.rows(l)] for l in range(len(stored))]
    sides: Made = [[[m.take(r)] for m, r in zip(some, rows, strict=True)] for some in low]
    return replace(data, cut=coarse), sides


def landmarks_used(made: Made) -> int:
    """Landmark rows of a block at most, 0 where all pairs were summed."""
    return max(
        (
            margin.landmarks
            for sides in made
            if isinstance(sides, list)
            for side in sides
            for margin in side
            if isinstance(margin, FeatureMargin)
        ),
        default=0,
    )


def unbiased_hsic(x: AnyMargin, y: AnyMargin, products: Values) -> Statistics:
    """Turn sums of products of centred kernels into unbiased HSIC; see `hsic.run`."""
    n = len(x)
    norms = np.sqrt(x.centred_square[:, None] * y.centred_square[None, :])
    unit = n * (n - 3)
    third: tuple[float | None, ...] = ()
    if isinstance(x, Residual):
        unit, third = x.pairs, (None if x.weight is None else x.weight.grid.bandwidths[0],)
    combinations: list[Combination] = [
        (x.grid.kernel.name, (a, b, *third)) for a in _widths(x.grid) for b in _widths(y.grid)
    ]
    return Statistics(
        products.reshape(len(combinations), -1) / unit, norms.ravel() / unit, combinations
    )


def many_blocks(data: Arranged, sides: Sides, drawn: PermutationGrid, work: Work) -> Statistics:
    """One statistic of more than two blocks, the l-th bandwidth of one with the l-th of the others.

    Pfister, Buehlmann, Schoelkopf, Peters (2018), JRSSB 80, equation (3), with sums over i != j
    apart from those over i = j, where every kernel is 1:

        (1/n^2) (n + sum_{i != j} prod_l k^l_ij) + prod_l (1 + t_l / n) / n
        - (2/n) sum_i prod_l (1 + r^l_i) / n

    With given columns the kernels k~^l are those of residuals, whose means are 0 already. A product
    of these alone would see a dependence of all blocks together only, not of two of three. So it is

        sum_{i != j} (prod_l (1 + k~^l_ij) - 1) / (n (n - 1)),

    the sum of the products over every set of blocks (total multivariance; Boettcher,
    Keller-Ressel, Schilling 2019, arXiv 1711.07775).
    """
    found: list[Any] = [side[0] for side in sides]
    n, k = len(found[0]), len(drawn.left)
    permuted = drawn.left, drawn.right
    pairs = grid_products(found[:k], found[k:], permuted, data.cut.size, False, work)
    widths = zip(*(_widths(m.grid) for m in found), strict=True)
    combinations: list[Combination] = [(found[0].grid.kernel.name, tuple(w)) for w in widths]
    if data.given is not None:
        squares = np.array([m.centred_square for m in found]) / found[0].pairs
        # Mean square of the sum of the products over every set of two blocks or more.
        size = np.sqrt(np.maximum(np.prod(1 + squares, axis=0) - 1 - squares.sum(axis=0), 0))
        return Statistics(_chosen(pairs / found[0].pairs - 1, drawn), size, combinations)
    left = _row_products(found[:k], drawn.left, data.cut)
    right = _row_products(found[k:], drawn.right, data.cut)
    rows = left @ right.transpose(0, 2, 1)  # (R, I, J)
    means = np.prod([(m.sums.sum(axis=1) + n) / n**2 for m in found], axis=0)
    T = (n + pairs) / n**2 + means[:, None, None] - 2 / n * rows
    size = np.sqrt(np.prod([m.mean_square for m in found], axis=0))
    return Statistics(_chosen(T, drawn), size, combinations)


def _row_products(found: Sequence[Margin], orders: Sequence[Any], cut: Pairing) -> Values:
    """Products over margins of the mean kernel value of each row, permuted; (R, I, n)."""
    n = len(found[0])
    bins = np.arange(cut.bins * cut.size).reshape(cut.bins, cut.size)
    out: Values = np.ones(())
    for margin, order in zip(found, orders, strict=True):
        still = np.broadcast_to(np.arange(bins.size, n), (len(order), n - bins.size))
        rows = np.concatenate([bins[order].reshape(len(order), -1), still], axis=1)
        out = out * ((1 + margin.sums) / n)[:, rows]
    return out


def _chosen(cells: Values, drawn: PermutationGrid | ShiftGrid) -> Values:
    """The cells in use, as (..., B + 1)."""
    return cells.reshape(*cells.shape[:-2], -1)[..., drawn.cells]


def _widths(grid: BandwidthGrid) -> list[float | None]:
    return [h if grid.kernel.has_bandwidth else None for h in grid.bandwidths]
