"""Why two samples differ: rows that are least like the reference, and pairs of columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...engine import Work, mean_similarity, quadratic_forms
from ...errors import UsageError
from ...findings import Column, Table, listed, number, plain
from ...kernels import KERNELS, BandwidthGrid, Rows, choose, pair_distances
from ...nulls import Partition
from ...sample import Sample
from ..common import DISTANCE_ROWS
from .effect import Pairs, unbiased_mmd
from .pooled import Pooled

if TYPE_CHECKING:
    from .columns import Evidence

EXPLANATIONS = ("columns", "all", "pairs", "rows", "region")
# Rows of each side that a row of the sample is compared with.
COMPARED = 4096
# Pairs of columns cost a kernel sum each.
MOST_COLUMNS = 20
# Pairs that are said in words.
LISTED = 10


def explanations(text: str) -> dict[str, int]:
    """Read --explain: what is asked for, and of how many."""
    asked: dict[str, int] = {}
    for part in text.split(",") if text != "none" else ():
        word, _, number = part.strip().partition("=")
        count = number if number else "10"
        if word not in EXPLANATIONS or (number and word != "rows") or not count.isdecimal():
            raise UsageError(
                f"--explain {text!r}: give columns, all, pairs, region, rows=K with a whole number "
                "K, several of them separated by commas, or none"
            )
        asked[word] = int(count)
    return asked


def strange_rows(
    samples: Sequence[Sample],
    pooled: Pooled,
    kernel: tuple[str, float],
    count: int,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """The rows of the sample where the witness function is largest.

    The witness at z is mean_j k(z, y_j) - mean_j k(z, x_j), y the sample, x the reference: large
    where the sample has more rows than the reference has (Gretton et al. 2012). Of a large side,
    4,096 rows at random stand for all.
    """
    sides = [np.arange(pooled.m), pooled.m + np.arange(pooled.n)]
    reference, sample = sides if pooled.reference_first else sides[::-1]
    grid = BandwidthGrid(KERNELS[kernel[0]], (kernel[1],))
    at = pooled.rows.take(sample)
    means = []
    for side in (reference, sample):
        chosen = side
        if len(side) > COMPARED:
            chosen = np.sort(rng.choice(side, COMPARED, replace=False))
        means.append(mean_similarity(at, pooled.rows.take(chosen), grid))
    witness = means[1] - means[0]
    top = np.argsort(-witness, kind="stable")[:count]
    position = pooled.origin[sample[top]] - samples[0].n
    numbers, inputs = samples[1].row_numbers, samples[1].row_inputs
    return [
        {
            "row": int(numbers[p]),
            "file": samples[1].inputs[inputs[p]].path if samples[1].inputs else None,
            "witness": float(witness[t]),
        }
        for t, p in zip(top, position, strict=True)
    ]


def pairs_found(rows: Sequence[dict[str, object]], alpha: float) -> Table:
    """Columns and pairs of columns, the most telling first."""
    tests = [plain(row) for row in rows]
    texts = [f"{' and '.join(t['columns'])} (p {number(t['adjusted_p_value'])})" for t in tests]
    columns = (
        Column("columns", "columns"),
        Column("adjusted_p_value", "p, corrected"),
        Column("p_value", "p alone"),
    )
    return Table(
        "pairs",
        rows,
        columns,
        "Pairs of columns",
        tuple(listed("pairs", texts[:LISTED])),
        strong=tuple(test["adjusted_p_value"] <= alpha for test in tests),
    )


def rows_found(rows: Sequence[dict[str, object]]) -> Table:
    """The rows that are least like the reference."""
    texts = [
        f"row {row['row']}{_of_file(row)} (witness {number(row['witness'])})"
        for row in map(plain, rows)
    ]
    columns = Column("row", "row", "d"), Column("file", "file"), Column("witness", "witness")
    return Table("rows", rows, columns, "Strangest rows", tuple(listed("rows", texts)))


def _of_file(row: dict[str, object]) -> str:
    return f" of {row['file']}" if row["file"] else ""


def pair_tests(
    rows: Rows,
    names: Sequence[str],
    cut: Partition,
    signs: NDArray[np.int8],
    weights: NDArray[np.float64] | None,
    work: Work,
    correction: str,
    alpha: float,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Test every column, and every pair of columns, at their median bandwidth.

    p-values are corrected together, as those of columns are. Where a pair differs and neither of
    its columns does, the difference is in how they go together.
    """
    from .columns import Labelled, corrected

    d, width = rows.values.shape[1], rows.width
    if width > MOST_COLUMNS:
        raise UsageError(
            f"--explain pairs: {width} columns make {width * (width - 1) // 2:,} pairs; choose up "
            f"to {MOST_COLUMNS} columns with --columns"
        )
    sets = [*itertools.combinations(range(width), 1), *itertools.combinations(range(width), 2)]
    labelled = Labelled.of(cut, signs, len(sets), correction, alpha, rng)
    evidence = []
    for columns in sets:
        part = Rows(
            np.ascontiguousarray(rows.values[:, [c for c in columns if c < d]]),
            np.ascontiguousarray(rows.codes[:, [c - d for c in columns if c >= d]]),
        )
        # Rows are in random order: the first ones are as good as any.
        distances = pair_distances(part.take(slice(0, DISTANCE_ROWS)), "euclidean")
        grid = choose(KERNELS["gaussian"], distances, "median", "")
        evidence.append(labelled.tested(partial(_of_part, part, cut, grid, weights, work)))
    p, adjusted = corrected(evidence, correction)
    order = sorted(range(len(sets)), key=lambda k: (adjusted[k], p[k], len(sets[k])))
    return [
        {
            "columns": [names[c] for c in sets[k]],
            "p_value": float(p[k]),
            "adjusted_p_value": float(adjusted[k]),
        }
        for k in order
    ]


def _of_part(
    part: Rows,
    cut: Partition,
    grid: BandwidthGrid,
    weights: NDArray[np.float64] | None,
    work: Work,
    signs: NDArray[np.int8],
) -> Evidence:
    """The MMD of some columns under every permutation."""
    from .columns import Evidence

    forms = quadratic_forms(part, cut.starts, signs, [grid], work, weights)
    T = unbiased_mmd(forms, Pairs.of(cut.starts, signs, weights))[0]
    return Evidence(T, float(T[0]), 0.0)
