"""What an independence test says besides its p-value: where, and on what it rests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...diagnostics.dependence import serial_dependence
from ...engine import Work
from ...findings import Column, Finding, Pairs, Table, by_bandwidth, listed, number
from ...kernels import KERNELS
from ...params import smallest_permutations
from ...result import Notice
from ...sample import Sample
from .arrangement import BINS, GROUPS, ROWS, STRETCHES, Arranged, Plan, arrange, seeded
from .column_blocks import Block
from .combinations import Statistics, informative_z, largest_z
from .kinds import describe, within
from .statistics import pair_statistics, prepared

if TYPE_CHECKING:
    from .conditional import Given

# Pairs of columns described one by one, and those that get an HSIC of their own.
MOST_DESCRIBED = 400
MOST_TESTED = 16
# Those that are said in words.
MOST_PAIRS = 5
# By number of blocks, up to three, and rejection; one that does not reject has not shown
# independence.
SENTENCES = {
    (2, True): "the blocks are dependent",
    (2, False): "no evidence at this level that the blocks depend on each other",
    (3, True): "the blocks are not jointly independent",
    (3, False): "no evidence at this level against joint independence of the blocks",
}


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
        apart = replace(arranged, blocks=single)
        if arranged.targets is None:
            apart = arrange(single, arranged.how, params.scale, rng, given)
        made = prepared(apart, alone, rng, work)
        z = [largest_z(some) for some in pair_statistics(apart, made, pairs, alone, rng, work)]
    return _described(single, pairs, z, None if given is None else given.label)


def spent_pairs(
    data: Sample, names: Sequence[tuple[str, ...]], found: Statistics
) -> list[dict[str, Any]]:
    """The same from a few rows of many, without `z` but for a single pair, which is that of all."""
    single = [[Block.of(data, (name,)) for name in block] for block in names]
    cut, columns = len(single[0]), [*single[0], *single[1]]
    pairs = [(i, j) for i in range(cut) for j in range(cut, len(columns))][:MOST_DESCRIBED]
    z = [largest_z(found) if len(pairs) == 1 else None] * len(pairs)
    return _described(columns, pairs, z, None)


def _described(
    single: list[Block], pairs: Sequence[tuple[int, int]], z: Sequence[float | None], label: Any
) -> list[dict[str, Any]]:
    named = [block.names[0] for block in single]
    if label is not None:
        single = [within(block, label) for block in single]
    rows = [
        {
            "x": named[i],
            "y": named[j],
            "z": z[k],
            **describe(single[i], single[j], label).to_dict(),
        }
        for k, (i, j) in enumerate(pairs)
    ]
    return sorted(rows, key=lambda row: -(row["z"] or abs(row["strength"])))


def dependence(rows: list[dict[str, Any]]) -> Table:
    """The finding of the same name: which pairs of columns depend on each other, and how."""
    texts = []
    for row in rows[:MOST_PAIRS]:
        z = f", {number(row['z'])} sd above independence" if row["z"] is not None else ""
        kind = f"{row['kind']}, {row['measure']} {row['strength']:.2f}"
        texts.append(f"{row['x']} ~ {row['y']}: {kind}{z}")
    if len(rows) > MOST_PAIRS:
        texts.append(f"and {len(rows) - MOST_PAIRS} more pairs of columns")
    columns = (
        Column("x", "x"),
        Column("y", "y"),
        Column("kind", "kind"),
        Column("measure", "measure"),
        Column("strength", "strength", ".2f"),
        Column("z", "sd above independence"),
    )
    lines = tuple(listed("dependent", texts))
    return Table("dependence", rows, columns, "Dependent columns", lines)


def all_pairs(rows: list[dict[str, Any]]) -> Pairs:
    """The finding of the same name."""
    return Pairs(
        "all_pairs",
        rows,
        "Holm's correction",
        tuple(f"{row['kind']} {row['strength']:+.2f}{_at_lag(row)}" for row in rows),
        tuple(-float(row["z"] or 0) for row in rows),
    )


def _at_lag(row: dict[str, Any]) -> str:
    return f" at lag {row['lag']}" if "lag" in row else ""


def strongest(found: Statistics) -> tuple[Finding, ...]:
    """HSIC at each combination of bandwidths, and the one that stands out most."""
    z = informative_z(found)
    rows = [
        {"kernel": name, "bandwidths": list(widths), "hsic": float(found.T[k, 0]), "z": z[k]}
        for k, (name, widths) in enumerate(found.combinations)
    ]
    best = max((k for k in range(len(rows)) if z[k] is not None), key=lambda k: float(z[k] or 0))
    return by_bandwidth(rows, best, "hsic")


def kernel_block(
    found: Statistics, params: Any, landmarks: int, of_pairs: bool = False
) -> dict[str, Any]:
    """The `kernel` of a result: bandwidths in combination, or their number for many pairs."""
    several = len(found.combinations) > 1
    return {
        "name": ",".join(name for name in KERNELS if name in {r[0] for r in found.combinations}),
        "bandwidths": [] if of_pairs else [list(widths) for _, widths in found.combinations],
        "combinations": len(found.combinations),
        "aggregate": params.aggregate if several else None,
        "scale": params.scale,
        **({"landmarks": landmarks} if landmarks else {}),
    }


def null_block(data: Arranged, params: Any) -> dict[str, Any]:
    """The `null` of a result."""
    how, cut, scheme, cells = data.how, data.cut, f"permutation of {data.how.unit}", {}
    if data.targets is not None:
        unit = ROWS if how.unit == BINS else how.unit
        return {
            "scheme": f"random signs of {unit}, after smoothing and smoothed again",
            "replicates": params.permutations,
            "exact": False,
            "bins": data.units,
            "rows_per_bin": data.unit,
        }
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


def serial_notice(
    series: Sequence[Sample], how: Plan, remedy: str = "--block-length auto"
) -> tuple[Notice, ...]:
    """Warn when the rows of two or more blocks look like their neighbours in the file.

    One block may be a time series: permuting rows is exact as long as the rows of the others
    are exchangeable.
    """
    if how.unit in (STRETCHES, GROUPS):
        return ()
    found = [notice for one in series for notice in serial_dependence([one], remedy)]
    return tuple(found[:1]) if len(found) > 1 else ()
