"""`hsic` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows by their number (`two_passes.sketch`). These are spent:
units, bandwidths, landmarks and features of both blocks come from them, and they are left out of
the sums. The second pass sums the cross products of the features by bin (`passes`).

A row cannot be paired anew with one of another file, since nobody has both. So this is not the
permutation test of rows in memory. Bins get random signs instead: with D_g the covariance of the
features within bin g of h_g rows, the statistic is

    sum_{a != b} s_a s_b <D_a, D_b> / sum_{a != b} (h_a - 1) (h_b - 1),

at s = 1 an unbiased estimate of HSIC. Which rows are in a bin follows from their numbers and a
key, so that bins are random draws of all rows whatever order the files are in. Where the blocks are
independent and rows are draws of one distribution, the D_g are independent with mean 0, and random
signs keep the null distribution of the sum if their distributions are symmetric. They are nearly
so, as sums over many rows: the test is asymptotic in the rows of a bin
(``benchmarks/two_passes.py`` measures its level). To permute within parts of files would be exact
only for files in random order: in one that is sorted by a function of both blocks they depend on
each other in every part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract import Spans
from ...engine import Work, signed_sums, single_blas, stage
from ...engine.feature_margins import landmark_rows
from ...engine.feature_sums import bin_covariances, bin_products, feature_map, kernel_pairs
from ...engine.work import shared
from ...errors import UsageError
from ...findings import Facts, Finding, summary
from ...kernels import KERNELS, Rows, Units
from ...nulls import SIGN_BINS, independent_signs, p_value, threshold, varies
from ...nulls.places import ROUNDS
from ...result import Notice, Result, unvarying
from ...sample import Sample
from ..common import kernel_names, require_served
from ..two_passes.sketch import Sketch
from ..two_passes.spans import dropped, first_pass, second_pass, spent_rows, too_few
from .combinations import Combination, Statistics, combined
from .options import column_names, resolved
from .passes import Setting, Side, Sums, block_rows, crossed
from .result import SENTENCES, dependence, kernel_block, spent_pairs, strongest
from .statistics import grids

Array = NDArray[np.float64]
Names = tuple[tuple[str, ...], ...]

# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "x", "y", "block", "alpha", "permutations", "seed", "kernel", "bandwidth", "bandwidth_x",
    "bandwidth_y", "aggregate", "scale", "features",
}  # fmt: skip
# Rows of a bin at least, and bins at least where there are few rows.
BIN_ROWS, FEWEST_BINS = 64, 16
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
    params = resolved(params, True)
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
    sums = second_pass(
        crossed, spans, span_rows, lambda side: more, Sums.empty(how), stage(work, 0.2, 1.0)
    )
    warnings = (*base.warnings, *sums.notices)
    base = replace(base, warnings=warnings, provenance={"sums": sums.digest})
    return _result(base, sample, names, how, sums, params, rng), [sample]


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
    """Units, bandwidths and features from the spent rows, which are in random order; bins."""
    units = [Units.of(_numbers(sample, block), params.scale) for block in names]
    rows = [
        block_rows(sample, block, unit, sample.codes)
        for block, unit in zip(names, units, strict=True)
    ]
    sides = []
    by_block = zip(*grids(rows, params, rng), strict=True)
    for block, unit, own, some in zip(names, units, rows, by_block, strict=True):
        landmarks = own.take(slice(_count(params, own)))
        sides.append(Side(block, unit, feature_map(landmarks, own, some)))
    left = sketch.rows - len(rows[0])
    return Setting(
        (sides[0], sides[1]),
        tuple({text: k for k, text in enumerate(some)} for some in sample.levels),
        left,
        int(np.clip(left // BIN_ROWS, FEWEST_BINS, SIGN_BINS)),
        rng.integers(2**64, size=ROUNDS, dtype=np.uint64),
        np.sort(sketch.numbers),
    )


def _numbers(sample: Sample, block: Sequence[str]) -> Array:
    """Numeric columns of a block."""
    return sample.values[:, [c for c, name in enumerate(sample.columns) if name in block]]


def _count(params: Any, rows: Rows) -> int:
    """Number of landmarks, all of them spent rows."""
    if params.features == "auto":
        return min(landmark_rows(rows), len(rows))
    if int(params.features) > len(rows):
        raise UsageError(
            f"--features {params.features}: give at most {len(rows):,}; landmarks are among the "
            f"{len(rows):,} rows that the first pass draws"
        )
    return int(params.features)


def _statistics(how: Setting, sums: Sums, params: Any, rng: np.random.Generator) -> Statistics:
    """HSIC of all pairs of kernels, and the same under random signs of the bins."""
    x, y = (side.made for side in how.sides)
    D, free = bin_covariances(sums.products)
    pairs = float(free.sum() ** 2 - (free**2).sum())
    signs = independent_signs(len(D), params.permutations, rng)
    T = []
    for products in bin_products(D, x, y):
        np.fill_diagonal(products, 0.0)  # pairs within a bin see no sign
        T.append(signed_sums(products[None], signs)[0] / pairs)
    met = kernel_pairs(x, y)
    combinations: list[Combination] = [
        (x.kernels[l][0], (x.kernels[l][1], y.kernels[m][1])) for l, m in met
    ]
    return Statistics(np.array(T), np.array([x.size[l] * y.size[m] for l, m in met]), combinations)


def _result(
    base: Result, sample: Sample, names: Names, how: Setting, sums: Sums, params: Any,
    rng: np.random.Generator,
) -> Result:  # fmt: skip
    """The verdict, and what there is to say of it."""
    found = _statistics(how, sums, params, rng)
    T = combined(found, params.aggregate, how.rows)
    landmarks = max(len(side.made.landmarks) for side in how.sides)
    base = replace(
        base,
        kernel=kernel_block(found, params, landmarks),
        null={
            "scheme": "random signs of bins of rows",
            "replicates": params.permutations,
            "exact": False,
            "bins": how.bins,
            "rows_per_bin": how.rows // how.bins,
        },
    )
    if T is None or not varies(T):
        return unvarying(base, "sign of the bins", CONSTANT)
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
