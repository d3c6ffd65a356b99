"""`hsic` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows by their number (`two_passes.sketch`). These are spent:
units, bandwidths and cells of both blocks come from them, and they are left out of the second pass,
which counts the rows of every pair of cells (`passes`). What follows is the permutation test of
HSIC, of rows that are rounded to their cell (`cells`): a permutation of the rows makes of the table
of counts a random one with the same margins (`kstest.nulls.tables`), so that none of them is needed
any more.

It is exact. Given the spent rows the cells are fixed; the table does not know in which order the
rows were read, and under the null hypothesis it is, given its margins, a draw like the random ones.
With more than 9 10^8 rows they are dealt to several tables, by their numbers and a key, and
permuted within each. Rounding costs little power where cells are small beside a bandwidth: a column
has 128 of equal shares, several columns 256, and of ten columns they are coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import Spans
from ...engine import Work, single_blas, stage
from ...engine.work import available_threads, run_tasks, shared
from ...errors import UsageError
from ...findings import Facts, Finding, summary
from ...kernels import KERNELS, BandwidthGrid, Rows
from ...nulls import p_value, threshold, varies
from ...nulls.places import ROUNDS
from ...nulls.tables import MOST_ROWS, random_tables
from ...result import Notice, Result, unvarying
from ...sample import Sample
from ..common import kernel_names, require_served
from ..two_passes.sketch import Sketch
from ..two_passes.spans import dropped, first_pass, second_pass, spent_rows, too_few
from .cells import cells_of, kernel_features
from .combinations import Combination, Statistics, combined
from .options import column_names, resolved
from .passes import Setting, Sums, counted, parts_of
from .result import SENTENCES, dependence, kernel_block, spent_pairs, strongest
from .statistics import grids

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Names = tuple[tuple[str, ...], ...]

# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "x", "y", "block", "alpha", "permutations", "seed", "kernel", "bandwidth", "bandwidth_x",
    "bandwidth_y", "aggregate", "scale", "features",
}  # fmt: skip
# Random tables that are drawn at a time: 13 MB.
STEP = 25
CONSTANT = "a block is constant in the rows of the first pass, or its bandwidth far off"


def check_streamed(params: Any) -> None:
    """Refuse options that need all rows at once.

    Raises
    ------
    UsageError
    """
    if len(params.block) > 2:
        raise UsageError(
            "--block: joint independence of more than two blocks: not with files that are read in "
            "two passes (--scheduler); give two blocks, or leave it out"
        )
    refusals = ["features"] * (params.features == "none")
    unbounded = [n for n in kernel_names(params.kernel) if not KERNELS[n].has_bandwidth]
    refusals += ["kernel"] * bool(unbounded)
    require_served(params, SERVED, refusals)


def run(
    spans: Spans, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test two blocks of columns in two passes over their files; see the module.

    Returns
    -------
    result : Result
    samples : sequence of Sample
        A few rows, with the inputs of all of them.
    """
    check_streamed(params)
    params = resolved(params, False)
    names, _ = column_names(_without_rows(spans), params)
    with single_blas():
        return _run(spans, names, params, rng, work)


def _without_rows(spans: Spans) -> Sample:
    c = len(spans.categorical)
    return Sample(
        "data", np.empty((0, len(spans.columns))), tuple(spans.columns), (),
        categorical=tuple(spans.categorical), codes=np.empty((0, c), np.int32), levels=((),) * c,
        file_columns=tuple(spans.names),
    )  # fmt: skip


def _run(
    spans: Spans, names: Names, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    (sketch,), span_rows = first_pass(spans, int(rng.integers(2**63)), stage(work, 0.0, 0.2))
    (sample,) = spent_rows(spans, [sketch])
    sample = replace(sample, file_columns=tuple(spans.names))
    base = _base(spans, sketch, sample, params)
    why = too_few([sketch.rows])
    if why:
        notice = Notice("too-few-rows", why)
        base = base.told(summary("too few rows to decide"), warnings=(*base.warnings, notice))
        return base, [sample]
    rng = np.random.default_rng([int(rng.integers(2**63)), sketch.mark])
    how = _setting(sample, sketch, names, params, rng)
    more = (shared(how, work),)
    used = _grids(how, sample, params, rng)
    sums = second_pass(
        counted, spans, span_rows, lambda side: more, Sums.empty(how), stage(work, 0.2, 0.9)
    )
    warnings = (*base.warnings, *sums.notices)
    base = replace(base, warnings=warnings, provenance={"sums": sums.digest})
    found = _statistics(how, sums.counts, used, params, rng, stage(work, 0.9, 1.0))
    return _result(base, sample, names, how, found, params), [sample]


def _base(spans: Spans, sketch: Sketch, sample: Sample, params: Any) -> Result:
    levels = [{"data": counts} for counts in sketch.levels]
    notices = spans.notices(levels, {"data": (sketch.rows, sketch.low, sketch.high)})
    return Result(
        method="hsic",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sketch.rows},
        d=len(sample.columns) + len(sample.categorical),
        columns=(*sample.columns, *sample.categorical),
        warnings=(*notices, *dropped([sample])),
    )


def _setting(
    sample: Sample, sketch: Sketch, names: Names, params: Any, rng: np.random.Generator
) -> Setting:
    """Cells of both blocks from the spent rows."""
    most = None if params.features == "auto" else int(params.features)
    cells = [
        cells_of(*parts_of(sample, block, sample.codes), params.scale, most) for block in names
    ]
    left = sketch.rows - sample.n
    return Setting(
        (names[0], names[1]),
        (cells[0], cells[1]),
        tuple({text: k for k, text in enumerate(some)} for some in sample.levels),
        left,
        -(-left // MOST_ROWS),
        rng.integers(2**64, size=ROUNDS, dtype=np.uint64),
        np.sort(sketch.numbers),
    )


def _grids(
    how: Setting, sample: Sample, params: Any, rng: np.random.Generator
) -> list[list[BandwidthGrid]]:
    """Bandwidths of both blocks by the spent rows, per kernel of --kernel."""
    rows = []
    for names, cells in zip(how.blocks, how.cells, strict=True):
        numbers, codes = parts_of(sample, names, sample.codes)
        rows.append(Rows(cells.units.scaled(numbers), codes))
    return grids(rows, params, rng)


@frozen
class _Kernels:
    """One kernel of --kernel: features of the cells of both blocks at all of its bandwidths.

    Attributes
    ----------
    left, right : ndarray (K, Q), (K', Q')
        Bandwidth after bandwidth.
    cuts : (ndarray of int, ndarray of int)
        Where each begins.
    """

    left: Array
    right: Array
    cuts: tuple[Whole, Whole]

    def squares(self, tables: Whole) -> Array:
        """|F' N H|^2 of every table, (B, K, K'), and pair of bandwidths; (pairs, B)."""
        out = []
        for table in tables.astype(np.float64):
            products = (self.left.T @ table @ self.right) ** 2
            rows = np.add.reduceat(products, self.cuts[0], axis=0)
            out.append(np.add.reduceat(rows, self.cuts[1], axis=1).ravel())
        return np.array(out).T


def _drawn(
    kernels: Sequence[_Kernels], margins: Sequence[tuple[Whole, Whole]], count: int, seed: int
) -> Array:
    """Statistics of random tables with the margins of all tables of counts: a task."""
    rng = np.random.default_rng(seed)
    tables = sum(random_tables(rows, columns, count, rng) for rows, columns in margins)
    return np.concatenate([one.squares(np.asarray(tables)) for one in kernels])


def _statistics(
    how: Setting, counts: Whole, used: Sequence[Sequence[BandwidthGrid]], params: Any,
    rng: np.random.Generator, work: Work,
) -> Statistics:  # fmt: skip
    """HSIC of all pairs of bandwidths, and the same of random tables."""
    n, whole = float(how.rows), counts.sum(axis=0)
    totals = [whole.sum(axis=1), whole.sum(axis=0)]
    kernels, combinations, means, sizes = [], list[Combination](), [], []
    for pair in used:
        both = [kernel_features(c, g, t) for c, g, t in zip(how.cells, pair, totals, strict=True)]
        own = [[(f * f).sum(axis=1) for f in side] for side in both]
        traces = [[float(t @ v) for v in side] for side, t in zip(own, totals, strict=True)]
        norms = [
            [_off_diagonal(f, v, t) for f, v in zip(fs, vs, strict=True)]
            for fs, vs, t in zip(both, own, totals, strict=True)
        ]
        kernels.append(_kernels(both))
        means += [a * b / (n - 1) for a in traces[0] for b in traces[1]]
        sizes += [np.sqrt(a * b) for a in norms[0] for b in norms[1]]
        name = pair[0].kernel.name
        combinations += [(name, (a, b)) for a in pair[0].bandwidths for b in pair[1].bandwidths]
    margins = [(table.sum(axis=1), table.sum(axis=0)) for table in counts]
    observed = np.concatenate([one.squares(whole[None]) for one in kernels])
    steps = [min(STEP, params.permutations - b) for b in range(0, params.permutations, STEP)]
    tasks = [(kernels, margins, step, int(rng.integers(2**63))) for step in steps]
    here = replace(work, executor=None, threads=min(work.threads, available_threads()))
    T = np.hstack([observed, *run_tasks(_drawn, tasks, here)])
    unit = n * (n - 3)
    return Statistics((T - np.array(means)[:, None]) / unit, np.array(sizes) / unit, combinations)


def _kernels(both: Sequence[Sequence[Array]]) -> _Kernels:
    """Features side by side; a kernel that says nothing has one, of zeros."""
    sides, cuts = [], []
    for some in both:
        some = [f if f.shape[1] else np.zeros((len(f), 1)) for f in some]
        sides.append(np.hstack(some))
        cuts.append(np.cumsum([0, *(f.shape[1] for f in some)])[:-1])
    return _Kernels(sides[0], sides[1], (cuts[0], cuts[1]))


def _off_diagonal(features: Array, own: Array, counts: Whole) -> float:
    """Sum of k~(i, j)^2 over i != j; 0 where only rounding is left."""
    inner = (features * counts[:, None]).T @ features
    whole, diagonal = float((inner * inner).sum()), float(counts @ (own * own))
    return whole - diagonal if whole - diagonal > 1e-5 * whole else 0.0


def _result(
    base: Result, sample: Sample, names: Names, how: Setting, found: Statistics, params: Any
) -> Result:
    """The verdict, and what there is to say of it."""
    T = combined(found, params.aggregate, how.rows)
    base = replace(
        base,
        kernel={**kernel_block(found, params, 0), "cells": [len(cells) for cells in how.cells]},
        null={
            "scheme": "permutation of rows, rounded to cells",
            "replicates": params.permutations,
            "exact": True,
        },
    )
    if T is None or not varies(T):
        return unvarying(base, "pairing of the rows", CONSTANT)
    p = p_value(T)
    rejected = bool(p <= params.alpha)
    findings: list[Finding] = [
        summary(SENTENCES[2, rejected]),
        Facts("blocks", [list(block) for block in names]),
        *strongest(found),
    ]
    if rejected:
        findings.append(dependence(spent_pairs(sample, names, found)))
    return base.told(
        *findings,
        verdict="rejected" if rejected else "not rejected",
        statistic=float(T[0]),
        p_value=p,
        threshold=threshold(T, params.alpha),
    )
