"""`ksd` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows by their number (`two_passes.sketch`). These are spent:
coordinates, bandwidths and landmarks come from them, and they are left out of the sums. The second
pass sums the Stein kernel between landmarks and rows by bin (`passes`); what follows is the test of
`statistic.by_features`, random signs of bins. Given the spent rows the feature map is fixed, and
has mean 0 under the null hypothesis; bins follow from the numbers of the rows and a key, and know
no value. As in memory the signs are asymptotic, and take rows to be independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import Spans
from ...engine import Work, signed_sums, single_blas, stage
from ...engine.stein import SteinPoints, stein_sums
from ...engine.work import shared
from ...errors import UsageError
from ...findings import Finding, summary
from ...findings import target as named
from ...kernels import BandwidthGrid
from ...nulls import independent_signs, p_value, sign_bins, threshold, varies
from ...nulls.places import ROUNDS
from ...result import Notice, Result, unvarying
from ...sample import Sample
from ...targets import Target, resolve, speaks_of_values
from ..by_column import LISTED
from ..common import require_served
from ..frequencies.rounded import no_verdict
from ..two_passes.sketch import Sketch
from ..two_passes.spans import dropped, first_pass, second_pass, too_few
from .data import (
    Given,
    coordinates,
    oddities,
    on_target,
    outside_support,
    require_numbers,
    with_scores,
)
from .explanation import explain, places
from .passes import Setting, Sums, numbered, stein_summed
from .result import (
    UNVARYING,
    combined,
    fits,
    impossible,
    kernel_block,
    null_block,
    per_bandwidth,
    strongest,
)
from .rounding import finest, grids, too_coarse
from .statistic import LANDMARKS, projected, setup

Array = NDArray[np.float64]

# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "target", "score_prefix", "param", "allow_python", "alpha", "draws", "seed", "kernel",
    "bandwidth", "aggregate", "scale", "features", "null", "explain",
}  # fmt: skip


def check_streamed(params: Any) -> None:
    """Refuse options that need all rows at once, and targets of which two passes know nothing.

    Raises
    ------
    UsageError
    """
    refusals = ["null"] * (params.null not in ("auto", "wild"))
    refusals += ["features"] * (params.features == "none")
    text = params.target if isinstance(params.target, str) else ""
    fitted = "fit" in text.replace(":", " ").replace("(", " ").replace(")", " ").split()
    discrete = bool(text) and speaks_of_values(text)
    refusals += ["target"] * (fitted or discrete)
    require_served(params, SERVED, refusals)


def run(
    spans: Spans, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test a sample against a density in two passes over its files; see the module.

    Returns
    -------
    result : Result
    samples : sequence of Sample
        A few rows, with the inputs of all of them.
    """
    check_streamed(params)
    require_numbers(
        Sample("data", np.empty((0, len(spans.columns))), tuple(spans.columns), (),
               categorical=tuple(spans.categorical))
    )  # fmt: skip
    target = _target(spans, params, work)
    with single_blas():
        return _run(spans, target, params, rng, work)


def _target(spans: Spans, params: Any, work: Work) -> Target | None:
    """The target, which travels to other processes by what its text says; None for scores."""
    if params.score_prefix:
        return None
    text = params.target
    if work.executor is not None and (not isinstance(text, str) or text.startswith("python:")):
        raise UsageError(
            "--target: a Python object is not sent to workers, whose modules may be others; give "
            "the density as text, such as 'logp: -0.5*x**2', a file, or --score-prefix"
        )
    found = resolve(text, tuple(spans.columns), params.param, params.allow_python, None)
    if found.fitted:
        raise UsageError(
            f"--target {found.name}: is fitted to the data, whose null distribution needs all rows "
            "at once; leave --scheduler out"
        )
    return found


def _run(
    spans: Spans, target: Target | None, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    (sketch,), span_rows = first_pass(spans, int(rng.integers(2**63)), stage(work, 0.0, 0.3))
    sample = _spent(spans, sketch)
    told = [sample]
    base = _base(spans, sketch, sample, target, params)
    why = too_few([sketch.rows])
    if why:
        notice = Notice("too-few-rows", why)
        return base.told(summary("too few rows to decide"), warnings=(*base.warnings, notice)), told
    rows = numbered(sample, sketch.numbers, spans.paths["data"], sketch.files)
    given = with_scores(rows, params.score_prefix) if target is None else on_target(rows, target)
    base = replace(base, d=len(given.columns), columns=given.columns)
    outside = outside_support(given)
    if outside:
        return impossible(base, outside, params), told
    coarse = too_coarse(grids(given), sketch.rows)
    if coarse:
        return no_verdict(base, given, coarse), told
    rng = np.random.default_rng([int(rng.integers(2**63)), sketch.mark])
    test = _Test.of(given, sketch, target, params, rng)
    sums = _second_pass(spans, span_rows, test.how, stage(work, 0.3, 1.0))
    # Of rows near each other, and of those far apart: the spent ones, in the order of the files.
    said = {n.code: n for n in (*sums.notices, *oddities(*test.spent, given, "wild"))}
    warnings = (*base.warnings, *said.values())
    base = replace(base, warnings=warnings, provenance={"sums": sums.digest})
    if sums.outside:
        return impossible(base, sums.outside, params), told
    return test.result(base, given, sums, params, rng), told


def _spent(spans: Spans, sketch: Sketch) -> Sample:
    """The spent rows in the order of the files; the inputs are those of all rows."""
    order = np.argsort(sketch.numbers)
    sketch.numbers, sketch.values = sketch.numbers[order], sketch.values[order]
    counts = [sketch.files.get(k, (0,) * 4) for k in range(len(spans.paths["data"]))]
    return Sample(
        "data", sketch.values, tuple(spans.columns), spans.inputs("data", counts), kinds=spans.kinds
    )


def _base(
    spans: Spans, sketch: Sketch, sample: Sample, target: Target | None, params: Any
) -> Result:
    columns = sample.columns if target is None else target.columns
    notices = spans.notices([], {"data": (sketch.rows, sketch.low, sketch.high)})
    return Result(
        method="ksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sketch.rows},
        d=len(columns),
        columns=columns,
        warnings=(*notices, *dropped([sample])),
    )


@frozen
class _Test:
    """What the spent rows have decided.

    Attributes
    ----------
    how : Setting
    spent : (ndarray, ndarray)
        Coordinates and scores of the spent rows.
    points : SteinPoints
        The same, in the units of the kernel.
    size : ndarray (L,)
        Root mean square of the Stein kernel.
    """

    how: Setting
    spent: tuple[Array, Array]
    points: SteinPoints
    size: Array

    @classmethod
    def of(
        cls, given: Given, sketch: Sketch, target: Target | None, params: Any,
        rng: np.random.Generator,
    ) -> _Test:  # fmt: skip
        """Coordinates, bandwidths, landmarks and bins."""
        Y, S = coordinates(given)
        order = rng.permutation(len(Y))
        made = setup(Y[order], given.target, params, rng, finest(grids(given)))
        points = made.frame.points(Y, S)
        marks = np.sort(order[: _count(params, len(Y))])
        few = points.take(np.sort(order[:500]))
        squares = stein_sums(few, np.array([0, len(few)]), made.grid, Work(threads=1)).squares
        rows, scores = made.frame.mapped(Y, S)
        how = Setting(
            target,
            params.score_prefix,
            made.frame,
            rows.mean(axis=0) * made.frame.line,
            made.grid,
            (rows[marks], scores[marks]),
            sketch.rows - len(Y),
            rng.integers(2**64, size=ROUNDS, dtype=np.uint64),
            sketch.numbers,
        )
        return cls(how, (Y, S), points, np.sqrt(2 * squares / (len(few) * (len(few) - 1))))

    def result(
        self, base: Result, given: Given, sums: Sums, params: Any, rng: np.random.Generator
    ) -> Result:
        """The verdict, and what there is to say of it."""
        how, grid = self.how, self.how.grid
        marks, bins = how.marks, np.diff(sign_bins(how.rows)).astype(np.float64)
        own, alone = marks.own(grid), Work(threads=1)
        inner = stein_sums(marks, np.arange(len(marks) + 1), grid, alone).blocks
        tables = zip(inner, own, sums.cross, strict=True)
        blocks = np.array([projected(a + np.diag(u), cross) for a, u, cross in tables])
        signs = independent_signs(len(bins), params.draws, rng)
        T = signed_sums(blocks, signs) / (float(how.rows) ** 2 - float((bins**2).sum()))
        one, keep = combined(T, self.size, params, base.n["data"])
        if not varies(one):
            return unvarying(base, *UNVARYING)
        p = p_value(one)
        findings: list[Finding] = [summary(fits(p <= params.alpha))]
        findings += per_bandwidth(T, keep, grid)
        count = places(params.explain)
        if count and (p <= params.alpha or params.explain != "auto"):
            narrow = BandwidthGrid(grid.kernel, (grid.bandwidths[strongest(T, keep)],))
            said = 1 if params.explain == "auto" else LISTED
            order, rows = np.arange(len(given.X)), given.sample.row_numbers
            more = (given.X, given.columns, rows, count, said)
            findings += explain(self.points, order, narrow, *more)
        return base.told(
            *findings,
            named(given.name),
            verdict="rejected" if p <= params.alpha else "not rejected",
            statistic=float(one[0]),
            p_value=p,
            threshold=threshold(one, params.alpha),
            kernel=kernel_block(params.kernel, grid, params) | {"landmarks": len(marks)},
            null=null_block("wild", len(bins), params, given.target),
        )


def _count(params: Any, spent: int) -> int:
    """Number of landmarks, all of them spent rows."""
    count = LANDMARKS if params.features == "auto" else int(params.features)
    if params.features != "auto" and not 5 <= count <= min(2000, spent):
        raise UsageError(
            f"--features {count}: give 5 to {min(2000, spent):,} landmarks, which are among the "
            f"{spent:,} rows that the first pass draws"
        )
    return min(count, spent)


def _second_pass(spans: Spans, span_rows: Sequence[int], how: Setting, work: Work) -> Sums:
    more = len(spans.paths["data"]) > 1, shared(how, work)
    return second_pass(stein_summed, spans, span_rows, lambda side: more, Sums.empty(how), work)
