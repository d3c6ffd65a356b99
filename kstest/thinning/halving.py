"""Kernel halving: half of the rows of a node, and a tree of nodes that halves many rows cheaply.

A node of 2 s rows is split by the self-balancing walk of generalised kernel thinning (Dwivedi and
Mackey 2022, arXiv 2110.01593: the target kernel itself, here the sum over a bandwidth grid), then
every chosen row is exchanged for the one that lowers the MMD to the node most. Compress (Shetty,
Dwivedi, Mackey 2022, arXiv 2111.07941): four halves of one level are put together and halved, so
that 2^j s rows stand for 4^j s, at 2 s log_4(n / s) kernel values a row.

Leaves have one length, and the rows that do not fill them are left out at random: nodes of several
lengths with equal weights per row would be a bias, and not noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from .. import jit
from ..engine.work import Work, run_tasks
from ..kernels import KERNELS, MISMATCH, BandwidthGrid, Rows
from . import loops

Index = NDArray[np.int64]

# Rows of a leaf: five times as cheap as 600, and as good.
LEAF = 128
# A node of more rows is halved in parts.
LARGEST_NODE = 8192
# Rows among which the last exchange looks.
LARGEST_CORE = 32768
DELTA = 0.5


@frozen
class Points:
    """Rows as the compiled loops take them.

    Attributes
    ----------
    columns : ndarray of float32 (d, n)
        Less their mean, so that squares stay small.
    norms : ndarray of float32 (n,)
    codes : ndarray of int32 (c, n)
    factor, apart : float32
        Of the widest bandwidth; of levels that differ.
    count : int
        Bandwidths.
    """

    columns: NDArray[np.float32]
    norms: NDArray[np.float32]
    codes: NDArray[np.int32]
    factor: np.float32
    apart: np.float32
    count: int

    @classmethod
    def of(cls, rows: Rows, grid: BandwidthGrid) -> Points:
        centred = rows.values - rows.values.mean(axis=0)
        columns = np.ascontiguousarray(centred.T, dtype=np.float32)
        norms = np.einsum("cn,cn->n", columns, columns)
        codes = np.ascontiguousarray(rows.codes.T)
        apart = np.float32(MISMATCH["euclidean"])
        return cls(columns, norms, codes, np.float32(grid.factors[0]), apart, len(grid))

    @property
    def whole(self) -> tuple[Any, ...]:
        """What the loops over a node take first."""
        return (self.columns, self.norms, self.codes, self.apart, self.factor, self.count)

    def take(self, index: Index) -> Points:
        return Points(
            np.ascontiguousarray(self.columns[:, index]), self.norms[index],
            np.ascontiguousarray(self.codes[:, index]), self.factor, self.apart, self.count,
        )  # fmt: skip


def load(work: Work) -> None:
    """Compile what this machine has not compiled yet, telling the user."""
    file = Path(loops.__file__)
    if jit.is_compiled(file):
        return
    work.notify("compiling the loops for thinning, once per machine: a few seconds")
    grid = BandwidthGrid(KERNELS["gaussian"], (1.0,), squaring=True)
    points = Points.of(Rows.of(np.arange(4.0)[:, None]), grid)
    halved(points, np.full(2, 0.5), 2)
    out = np.empty((4, 1))
    columns, codes = points.columns, points.codes
    loops.sums(
        columns, points.norms, codes, columns, points.norms, codes, points.apart, points.factor, out
    )
    loops.precise_sums(
        columns, codes, columns, codes, float(points.apart), float(points.factor), out
    )
    jit.mark_compiled(file)


def halved(points: Points, draws: NDArray[np.float64], wanted: int) -> NDArray[np.int8]:
    """Mark `wanted` rows of a node: half of them, or up to all.

    Parameters
    ----------
    points : Points
        n rows, n even if half are wanted.
    draws : ndarray (n // 2,)
        Uniform numbers, one for each pair.
    wanted : int
        At least n // 2.
    """
    n = points.columns.shape[1]
    chosen = np.zeros(n, np.int8)
    constant = 2 * math.log(2 * max(n, 2) / DELTA)
    loops.split(*points.whole, draws, constant, chosen)
    others = np.flatnonzero(chosen == 0)
    more = wanted - int(chosen.sum())
    chosen[others[np.linspace(0, len(others) - 1, more).astype(np.int64)]] = 1
    loops.swap(*points.whole, chosen)
    return chosen


def tree(points: Points, n: int, wanted: int, rng: np.random.Generator, work: Work) -> Index:
    """Return a coreset of at least `wanted` of n rows, by Compress; indices in order."""
    levels = min(int(math.log(max(n / LEAF, 1), 4)), int(math.log2(max(n / wanted, 1))))
    while levels and _leaf(n, levels) << levels < wanted:  # for the rows that fill no leaf
        levels -= 1
    leaf = _leaf(n, levels)
    kept = np.arange(n)
    if levels:
        kept = np.delete(kept, rng.choice(n, n - (leaf << 2 * levels), replace=False))
    for level in range(levels):
        nodes = kept.reshape(4 ** (levels - level - 1), -1)
        kept = np.concatenate(_level(points, list(nodes), rng, work))
    return kept


def _leaf(n: int, levels: int) -> int:
    """Rows of a leaf of a tree over n rows: an even number where it is halved."""
    leaf = n >> 2 * levels
    return leaf - (leaf % 2 if levels else 0)


def _level(
    points: Points, nodes: Sequence[Index], rng: np.random.Generator, work: Work
) -> list[Index]:
    tasks = [(points.take(node), rng.random(len(node) // 2), len(node) // 2) for node in nodes]
    flips = rng.random(len(nodes)) < 0.5
    marked = run_tasks(halved, tasks, work, [float(len(node)) ** 2 for node in nodes])
    # A half and the other are as far from the node: by chance, lest errors of nodes add up.
    return [node[mark == int(flip)] for node, mark, flip in zip(nodes, marked, flips, strict=True)]


def thinned(points: Points, wanted: int, rng: np.random.Generator, work: Work) -> Index:
    """Return the `wanted` rows that stand for all, by halving; indices in order.

    What is left of the tree is halved on, and then each row is exchanged once more, for any row of
    what was left: the errors of the last halves do not add up.
    """
    core = kept = tree(points, points.columns.shape[1], wanted, rng, work)
    while len(kept) >= 2 * wanted:
        if len(kept) % 2:
            kept = np.delete(kept, rng.integers(len(kept)))
        parts = max(1, math.ceil(len(kept) / LARGEST_NODE))
        edges = 2 * np.linspace(0, len(kept) // 2, parts + 1).astype(np.int64)[1:-1]
        kept = np.concatenate(_level(points, np.split(kept, edges), rng, work))
    if len(kept) > wanted:
        kept = np.concatenate(_exactly(points, kept, wanted, rng, work))
    if wanted < len(core) <= LARGEST_CORE:
        (marked,) = run_tasks(_exchanged, [(points.take(core), np.isin(core, kept))], work)
        kept = core[marked == 1]
    return kept


def _exchanged(points: Points, kept: NDArray[np.bool_]) -> NDArray[np.int8]:
    chosen = kept.astype(np.int8)
    loops.swap(*points.whole, chosen)
    return chosen


def _exactly(
    points: Points, kept: Index, wanted: int, rng: np.random.Generator, work: Work
) -> list[Index]:
    """Thin c rows, wanted < c < 2 wanted, in parts of one share."""
    parts = max(1, math.ceil(len(kept) / LARGEST_NODE))
    nodes = np.array_split(kept, parts)
    shares = np.diff(np.round(np.linspace(0, wanted, parts + 1)).astype(np.int64))
    tasks = [
        (points.take(node), rng.random(len(node) // 2), int(share))
        for node, share in zip(nodes, shares, strict=True)
    ]
    marked = run_tasks(halved, tasks, work)
    return [node[mark == 1] for node, mark in zip(nodes, marked, strict=True)]
