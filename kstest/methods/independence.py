"""The parts of an independence test that `hsic` strings together: rows, kernels, statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Margin, Work, grid_products, margins, table_products
from ..errors import UsageError
from ..kernels import KERNELS, Bank, Rows
from ..nulls import (
    Grid,
    Pairing,
    aggregate,
    grid,
    informative,
    permutations_of,
    table,
)
from ..params import option_name
from . import common
from .arrangement import Arranged, Plan, arrange, seeded
from .column_blocks import Block

Index = NDArray[np.int64]
Values = NDArray[np.float64]
# A kernel of each block: name and bandwidths, None where the kernel has none.
Rung = tuple[str, tuple[float | None, ...]]

# Most bins for which one table of all pairs of bins beats a grid of permutations.
MOST_BINS = 32
# Tables of pairs of columns held at the same time, in numbers of 8 bytes.
TABLE_NUMBERS = 3e7


def banks(blocks: Sequence[Rows], params: Any, rng: np.random.Generator) -> list[list[Bank]]:
    """Return per kernel the bank of every block; rows in random order."""
    rules = [params.bandwidth] * len(blocks)
    for place, name in enumerate(("bandwidth_x", "bandwidth_y")):
        rule = getattr(params, name)
        if rule and (len(blocks) != 2 or params.all_pairs):
            raise UsageError(f"{option_name(name)} {rule}: is for two blocks; use --bandwidth")
        if rule:
            rules[place] = rule
    for name in common.kernel_names(params.kernel):
        if not KERNELS[name].has_bandwidth and len(blocks) > 2 and not params.all_pairs:
            raise UsageError(
                f"--kernel {name}: joint independence of {len(blocks)} blocks needs a kernel with "
                "k(x, x) = 1, such as gaussian"
            )
    given = zip(blocks, rules, strict=True)
    found = [common.banks(rows, params.kernel, rule, "octaves", rng) for rows, rule in given]
    return [list(some) for some in zip(*found, strict=True)]


@dataclass(frozen=True)
class Statistics:
    """Statistics of K kernels under B + 1 pairings, the observed one first.

    Attributes
    ----------
    T : ndarray (K, B + 1)
    size : ndarray (K,)
        Unit of each kernel's statistic; 0 where the kernel says nothing.
    rungs : list of Rung
    """

    T: Values
    size: Values
    rungs: list[Rung]


def joined(parts: Sequence[Statistics]) -> Statistics:
    """Put the statistics of several kernels together."""
    return Statistics(
        np.concatenate([p.T for p in parts]),
        np.concatenate([p.size for p in parts]),
        [rung for p in parts for rung in p.rungs],
    )


def draw(cut: Pairing, replicates: int, rng: np.random.Generator) -> Grid | Index:
    """Draw the pairings of a test: a table for two blocks in few bins, else a grid."""
    blocks = len(cut.stored)
    if blocks == 2 and cut.bins <= MOST_BINS:
        drawn = permutations_of(cut.bins, replicates, rng, cut.cells)
        return table(cut, [(0, 1)], drawn)[0]
    return grid(cut, (blocks + 1) // 2, replicates, rng)


def statistics(
    blocks: Sequence[Block], how: Plan, params: Any, rng: np.random.Generator, work: Work
) -> Statistics:
    """Arrange, draw, and evaluate the statistics of all kernels of one test."""
    rng = seeded(blocks, params.scale, rng)
    data = arrange(blocks, how, params.scale, rng)
    chosen = banks(data.blocks, params, rng)
    drawn: Any = draw(data.cut, params.permutations, rng)
    evaluate = two_blocks if len(blocks) == 2 else many_blocks
    return joined([evaluate(data, some, drawn, work) for some in chosen])


def combined(found: Statistics, rule: str, n: int) -> Values | None:
    """Return one statistic per pairing; None if no kernel says anything."""
    keep = informative(found.T, found.size)
    if not keep.any():
        return None
    if len(found.size) == 1:
        return np.asarray(found.T[0])
    return aggregate(found.T[keep], found.size[keep], rule, n)


def two_blocks(
    data: Arranged, banks: Sequence[Bank], drawn: Grid | Index, work: Work
) -> Statistics:
    """HSIC of two blocks, every bandwidth of one with every bandwidth of the other."""
    x, y = margins(list(zip(data.blocks, banks, strict=True)), True, work)
    return unbiased_hsic(x, y, crossed(x, y, data.cut.size, drawn, work))


def crossed(x: Any, y: Any, size: int, drawn: Grid | Index, work: Work) -> Values:
    """Sums of products of two margins, every rung with every rung, under B + 1 pairings."""
    if not isinstance(drawn, Grid):
        return table_products([x, y], [(0, 1)], [drawn], size, work)[0]
    cells = grid_products([x], [y], (drawn.left, drawn.right), size, True, work)
    return _chosen(cells, drawn)


def pair_statistics(
    blocks: Sequence[Block],
    pairs: Sequence[tuple[int, int]],
    how: Plan,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> Iterator[Statistics]:
    """Yield the statistics of pairs of blocks, under the same permutations of the bins."""
    rng = seeded(blocks, params.scale, rng)
    data = arrange(blocks, how, params.scale, rng)
    if data.cut.bins > MOST_BINS:
        for x, y in pairs:
            yield statistics([blocks[x], blocks[y]], how, params, rng, work)
        return
    drawn = permutations_of(data.cut.bins, params.permutations, rng)
    parts = [_pairs(data, some, pairs, drawn, work) for some in banks(data.blocks, params, rng)]
    for some in zip(*parts, strict=True):
        yield joined(some)


def _pairs(
    data: Arranged,
    banks: Sequence[Bank],
    pairs: Sequence[tuple[int, int]],
    drawn: Index,
    work: Work,
) -> Iterator[Statistics]:
    """HSIC of many pairs of blocks; each block's centred kernels serve all its pairs."""
    found = margins(list(zip(data.blocks, banks, strict=True)), True, work)
    step = max(1, int(TABLE_NUMBERS // (max(map(len, banks)) ** 2 * data.cut.bins**4 / 2)))
    for first in range(0, len(pairs), step):  # groups, so that the tables fit in memory
        chosen = pairs[first : first + step]
        used = sorted({l for pair in chosen for l in pair})
        local = [(used.index(x), used.index(y)) for x, y in chosen]
        draws = table(data.cut, chosen, drawn)
        products = table_products([found[l] for l in used], local, draws, data.cut.size, work)
        for (x, y), product in zip(chosen, products, strict=True):
            yield unbiased_hsic(found[x], found[y], product)


def unbiased_hsic(x: Margin, y: Margin, products: Values) -> Statistics:
    """Turn sums of products of centred kernels into unbiased HSIC; see `hsic.run`."""
    n = len(x)
    norms = np.sqrt(x.centred_square[:, None] * y.centred_square[None, :])
    rungs: list[Rung] = [
        (x.bank.kernel.name, (a, b)) for a in _widths(x.bank) for b in _widths(y.bank)
    ]
    unit = n * (n - 3)
    return Statistics(products.reshape(len(rungs), -1) / unit, norms.ravel() / unit, rungs)


def many_blocks(data: Arranged, banks: Sequence[Bank], drawn: Grid, work: Work) -> Statistics:
    """dHSIC of two or more blocks, the l-th bandwidth of one with the l-th of the others.

    Pfister, Buehlmann, Schoelkopf, Peters (2018), JRSSB 80, equation (3), with sums over i != j
    apart from those over i = j, where every kernel is 1:

        (1/n^2) (n + sum_{i != j} prod_l k^l_ij) + prod_l (1 + t_l / n) / n
        - (2/n) sum_i prod_l (1 + r^l_i) / n
    """
    found = margins(list(zip(data.blocks, banks, strict=True)), False, work)
    n, k = len(found[0]), len(drawn.left)
    sides = drawn.left, drawn.right
    pairs = grid_products(found[:k], found[k:], sides, data.cut.size, False, work)
    left = _row_products(found[:k], drawn.left, data.cut)
    right = _row_products(found[k:], drawn.right, data.cut)
    rows = left @ right.transpose(0, 2, 1)  # (R, I, J)
    means = np.prod([(m.sums.sum(axis=1) + n) / n**2 for m in found], axis=0)
    T = (n + pairs) / n**2 + means[:, None, None] - 2 / n * rows
    size = np.sqrt(np.prod([m.mean_square for m in found], axis=0))
    constant = np.any([m.centred_square == 0 for m in found], axis=0) & (len(found) == 2)
    widths = zip(*(_widths(m.bank) for m in found), strict=True)
    rungs = [(banks[0].kernel.name, tuple(w)) for w in widths]
    return Statistics(_chosen(T, drawn), np.where(constant, 0.0, size), rungs)


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


def _chosen(cells: Values, drawn: Grid) -> Values:
    """The cells in use, as (..., B + 1)."""
    return cells.reshape(*cells.shape[:-2], -1)[..., drawn.cells]


def _widths(bank: Bank) -> list[float | None]:
    return [h if bank.kernel.has_bandwidth else None for h in bank.bandwidths]


def informative_z(found: Statistics) -> list[float | None]:
    """Distance of each kernel's observed statistic from its null mean, in units of its spread."""
    keep = informative(found.T, found.size)
    T = np.where(keep[:, None], found.T, np.arange(found.T.shape[1]))
    z = (T[:, 0] - T.mean(axis=1)) / T.std(axis=1)
    return [float(value) if good else None for value, good in zip(z, keep, strict=True)]


def largest_z(found: Statistics) -> float | None:
    """Return the largest of `informative_z`."""
    return max((z for z in informative_z(found) if z is not None), default=None)
