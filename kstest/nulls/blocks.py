"""Partitions for rows that are not exchangeable one by one: groups, and stretches of time.

`group_partition` moves whole groups (an engine, a module, a user). Groups that lie on one side only
have their labels permuted: exact if groups, their sizes included, are exchangeable. Groups that
lie on both sides have their two parts swapped, or not: exact if, within every group, the part that
is called the first could as well have been the second. In both cases the number of rows on a side
changes with the permutation; statistics have to allow for that.

`time_partition` moves stretches of consecutive rows of one length: an approximation, good if the
stretches are long against the memory of the series and many.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .partition import MOST_BINS, Partition

Blocks = list[NDArray[np.int64]]


def group_partition(
    groups: NDArray[np.int64], m: int, rng: np.random.Generator, most: int = MOST_BINS
) -> Partition:
    """Blocks that are groups of rows.

    Parameters
    ----------
    groups : ndarray of int (N,)
        Group of each row of the pooled sample: m rows of the first sample, then the second.
    m : int
    rng : numpy.random.Generator
        Shuffles the groups.
    most : int
        Blocks at most; of more groups, equally many at random move together, which is a subgroup
        of the permutations, so it stays exact.

    Raises
    ------
    DataError
        If some groups lie on both sides and others on one.
    """
    first, second = _by_group(groups, 0, m), _by_group(groups, m, len(groups))
    both = sorted(first.keys() & second.keys())
    if not both:
        return _one_sided(list(first.values()), list(second.values()), rng, most)
    single = len(first.keys() ^ second.keys())
    if single:
        raise DataError(
            f"--group: {len(both):,} groups have rows on both sides and {single:,} on one side "
            "only. Either every group lies on one side, or every group on both; choose rows with "
            "--where, or another column."
        )
    order = rng.permutation(len(both))
    a = _merge([first[both[g]] for g in order], most // 2)
    b = _merge([second[both[g]] for g in order], most // 2)
    blocks = [part for pair in zip(a, b, strict=True) for part in pair]
    none = np.empty(0, np.int64)
    return _assemble(blocks, [1, -1] * len(a), none, none, paired=True, unit="groups")


def time_partition(m: int, n: int, length: int, rng: np.random.Generator) -> Partition:
    """Blocks of `length` consecutive rows of each sample, in file order.

    What is left over at the end of a sample keeps its label. Of more than MOST_BINS stretches
    some are fixed or move together.
    """
    parts: list[Blocks] = []
    for start, rows in ((0, m), (m, n)):
        count = rows // length
        stretches = start + np.arange(count * length).reshape(count, length)
        parts.append(list(stretches[rng.permutation(count)]))
    rest = [np.arange(m - m % length, m), np.arange(m + n - n % length, m + n)]
    a, b, fixed = _limited(parts[0], parts[1], MOST_BINS)
    blocks, labels = _shuffled(a, b, rng)
    kept = [np.concatenate([fixed[side], rest[side]]) for side in (0, 1)]
    return _assemble(
        blocks, labels, *kept, paired=False, unit=f"blocks of {length} rows", exact=False
    )


def _one_sided(first: Blocks, second: Blocks, rng: np.random.Generator, most: int) -> Partition:
    first = [first[g] for g in rng.permutation(len(first))]
    second = [second[g] for g in rng.permutation(len(second))]
    a, b, fixed = _limited(first, second, most)
    blocks, labels = _shuffled(a, b, rng)
    return _assemble(blocks, labels, *fixed, paired=False, unit="groups")


def _by_group(groups: NDArray[np.int64], start: int, stop: int) -> dict[int, NDArray[np.int64]]:
    """Rows start <= i < stop of each group."""
    order = start + np.argsort(groups[start:stop], kind="stable")
    names, first = np.unique(groups[order], return_index=True)
    parts = np.split(order, first[1:])
    return {int(name): part for name, part in zip(names, parts, strict=True)}


def _limited(first: Blocks, second: Blocks, most: int) -> tuple[Blocks, Blocks, Blocks]:
    """At most `most` blocks of both sides: the surplus of a much larger side is fixed, and if that
    is not enough, equally many move together. Returns both sides and the fixed rows of each."""
    small = min(len(first), len(second))
    larger = max(most - small, small)
    cuts = [min(len(side), larger) for side in (first, second)]
    together = max(1, -(-sum(cuts) // most))
    cuts = [cut - cut % together for cut in cuts]
    merged = [
        [np.concatenate(side[i : i + together]) for i in range(0, cut, together)]
        for side, cut in zip((first, second), cuts, strict=True)
    ]
    empty = np.empty(0, np.int64)
    fixed = [
        np.concatenate([empty, *side[cut:]])
        for side, cut in zip((first, second), cuts, strict=True)
    ]
    return merged[0], merged[1], fixed


def _merge(blocks: Blocks, most: int) -> Blocks:
    together = -(-len(blocks) // most)
    return [np.concatenate(blocks[i : i + together]) for i in range(0, len(blocks), together)]


def _shuffled(a: Blocks, b: Blocks, rng: np.random.Generator) -> tuple[Blocks, list[int]]:
    blocks, labels = a + b, [1] * len(a) + [-1] * len(b)
    order = rng.permutation(len(blocks))
    return [blocks[g] for g in order], [labels[g] for g in order]


def _assemble(
    blocks: Blocks,
    labels: list[int],
    fixed_first: NDArray[np.int64],
    fixed_second: NDArray[np.int64],
    *,
    paired: bool,
    unit: str,
    exact: bool = True,
) -> Partition:
    fixed = [(s, rows) for s, rows in ((1, fixed_first), (-1, fixed_second)) if len(rows)]
    parts = [*blocks, *(rows for _, rows in fixed)]
    sizes = {len(block) for block in blocks}
    return Partition(
        order=np.concatenate(parts).astype(np.int64),
        starts=np.cumsum([0, *map(len, parts)]).astype(np.int64),
        movable=len(blocks),
        labels=np.array([*labels, *(s for s, _ in fixed)], np.int8),
        size=sizes.pop() if len(sizes) == 1 else 0,
        paired=paired,
        unit=unit,
        exact=exact,
    )
