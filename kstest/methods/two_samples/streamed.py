"""`mmd` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows of each side (`sketch`). These rows are spent: they give
units, bandwidths and landmarks, and are left out of the sums. The second pass sums the kernel's
values at the landmarks by bin (`passes`); what follows is the permutation test of `mmd`.

Exactness rests on three things. Spent rows are chosen by their number and never by their value, so
that given them all other rows are exchangeable under the null hypothesis, whatever is computed
from the spent ones. Bins have one size on both sides, and which rows are in a bin follows from
their numbers and a key, which knows the pooled rows only as an unordered whole. And the key's
bijection of row numbers acts like a random one: it spreads the rows of sorted and of partitioned
files over all bins (`kstest.nulls.places`; measured on such files by ``benchmarks/two_passes.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract import Spans
from ...engine import Forms, Work, landmark_count, single_blas, stage
from ...engine.forms import of_blocks
from ...engine.landmarks import tables_of_sums
from ...engine.work import run_tasks
from ...findings import Finding, by_bandwidth, summary
from ...kernels import KERNELS, Rows, Units
from ...nulls import (
    Partition,
    aggregate,
    bin_size,
    informative,
    p_value,
    permuted_labels,
    threshold,
    varies,
)
from ...nulls.places import placed
from ...result import Notice, Result, unvarying
from ...sample import Sample
from ..by_column import columns_found
from ..common import grids, require_served
from .cell_statistics import anderson_darling, chi_squared, kolmogorov_smirnov, total_variation
from .columns import CELLS, Evidence, Labelled, ordered
from .effect import Pairs, effect, effect_found, unbiased_mmd
from .passes import Setting, Sums, cells_of_levels, edges_of, summed
from .pooled import SENTENCES, null_block, pool, refused, undecided
from .sketch import Sketch, merged, sketched

Array = NDArray[np.float64]

# Landmarks are at most this share of the spent rows; others say how large kernel values are.
LANDMARK_SHARE = 2 / 3
# Rows of a side below which there is nothing to spend.
LEAST_ROWS = 400
# Options that work as in memory; others have to be at their defaults.
SERVED = {
    "alpha", "permutations", "seed", "kernel", "bandwidth", "aggregate", "scale", "features",
    "bins", "explain", "correction", "permute",
}  # fmt: skip


def check_streamed(params: Any) -> None:
    """Refuse options that need all rows at once.

    Raises
    ------
    UsageError
    """
    refusals = ["permute"] * (params.permute not in ("auto", "bins"))
    refusals += ["scale"] * (params.scale == "auto")
    refusals += ["features"] * (params.features == "none")
    refusals += ["explain"] * (not set(params.explain.split(",")) <= {"columns", "none"})
    unbounded = [n for n in params.kernel.split(",") if not KERNELS[n.strip()].has_bandwidth]
    refusals += ["kernel"] * bool(unbounded)
    require_served(params, SERVED, refusals)


@dataclass(frozen=True)
class Prepared:
    """What the first pass has found.

    Attributes
    ----------
    samples : tuple of Sample
        The spent rows of the sides, as they were given; their inputs tell of all rows.
    totals : (int, int)
        All used rows.
    swapped : bool
        Whether the second side is the smaller one, which comes first in the test.
    sketches : (Sketch, Sketch)
    span_rows : list of int
        Used rows of every span.
    constant : bool
        Whether all rows of both sides are equal.
    """

    samples: tuple[Sample, Sample]
    totals: tuple[int, int]
    swapped: bool
    sketches: tuple[Sketch, Sketch]
    span_rows: list[int]
    constant: bool

    @property
    def mark(self) -> int:
        """A number of the pooled rows that knows neither labels nor order, for the seed."""
        return (self.sketches[0].mark + self.sketches[1].mark) % 2**64


def run(
    spans: Spans, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test two samples in two passes over their files; see the module for what is exact.

    Returns
    -------
    result : Result
    samples : sequence of Sample
        A few rows of each side, with the inputs of all of them.
    """
    check_streamed(params)
    with single_blas():
        return _run(spans, params, rng, work)


def _run(
    spans: Spans, params: Any, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    found = _first_pass(spans, int(rng.integers(2**63)), stage(work, 0.0, 0.2))
    base = replace(
        undecided("mmd", found.samples, params.alpha),
        n={s.name: k for s, k in zip(found.samples, found.totals, strict=True)},
        warnings=spans.notices(
            [
                {s.name: k.levels[c] for s, k in zip(found.samples, found.sketches, strict=True)}
                for c in range(len(spans.categorical))
            ],
            {
                s.name: (k.rows, k.low, k.high)
                for s, k in zip(found.samples, found.sketches, strict=True)
            },
        ),
    )
    base = replace(base, warnings=(*base.warnings, *_dropped(found.samples)))
    if found.constant:
        return unvarying(base, "permutation of the rows", "all rows are equal"), found.samples
    if min(found.totals) < LEAST_ROWS:
        sizes = " against ".join(f"{k:,}" for k in found.totals)
        why = (
            f"{sizes} rows: two passes need {LEAST_ROWS} rows on both sides, of which some are "
            "spent; leave --scheduler out"
        )
        return refused(base, why), found.samples
    rng = np.random.default_rng([int(rng.integers(2**63)), found.mark])
    how, few, cut = _setting(found, params, rng)
    sums = _second_pass(spans, found, how, stage(work, 0.2, 1.0))
    table, size = tables_of_sums(sums.kernels, sums.counts, how.landmarks, few, how.grids)
    two_stages = params.aggregate == "mmdagg" and len(table) > 1
    signs = permuted_labels(cut, params.permutations * (2 if two_stages else 1), rng)
    forms = of_blocks(table, size, signs, len(how.landmarks))
    test = _Test(found, how, cut, sums, signs, forms)
    return test.result(base, params, rng), found.samples


def _dropped(samples: Sequence[Sample]) -> Iterator[Notice]:
    for sample in samples:
        dropped, read = (
            sum(getattr(i, name) for i in sample.inputs) for name in ("rows_dropped", "rows_read")
        )
        if dropped:
            text = f"Missing or infinite values, {sample.name}: {dropped:,} of {read:,} rows."
            yield Notice("missing-values", text)


def _first_pass(spans: Spans, key: int, work: Work) -> Prepared:
    names = list(spans.paths)
    shape = (len(spans.columns), len(spans.categorical))
    sides = [names.index(span.side) for span in spans.spans]
    tasks = [
        (spans.files, span, side, key, shape) for span, side in zip(spans.spans, sides, strict=True)
    ]
    costs = [float(span.rows) for span in spans.spans]
    results = run_tasks(sketched, tasks, work, costs, ahead=1)
    first, second, rows = merged(zip(sides, results, strict=True), shape)
    samples = _samples(spans, (first, second))
    low, high = np.minimum(first.low, second.low), np.maximum(first.high, second.high)
    several = [len({t for t, k in (a + b).items() if k}) > 1
               for a, b in zip(first.levels, second.levels, strict=True)]  # fmt: skip
    order = (first.rows, first.mark), (second.rows, second.mark)
    return Prepared(
        samples,
        (first.rows, second.rows),
        order[1] < order[0],
        (first, second),
        rows,
        not (bool((high > low).any()) or any(several)),
    )


def _samples(spans: Spans, sketches: tuple[Sketch, Sketch]) -> tuple[Sample, Sample]:
    """The spent rows as Samples, so that all that describes rows can describe these."""
    every = [sorted(set(a) | set(b)) for a, b in zip(*(s.levels for s in sketches), strict=True)]
    samples = []
    for name, sketch in zip(spans.paths, sketches, strict=True):
        codes = np.zeros((len(sketch.values), len(every)), np.int32)
        for c, levels in enumerate(every):
            place = {text: k for k, text in enumerate(levels)}
            codes[:, c] = [place[text] for text in sketch.texts[c]]
        counts = [sketch.files.get(k, (0,) * 4) for k in range(len(spans.paths[name]))]
        samples.append(
            Sample(
                name, sketch.values, tuple(spans.columns), spans.inputs(name, counts),
                categorical=tuple(spans.categorical), codes=codes,
                levels=tuple(map(tuple, every)), kinds=spans.kinds,
            )
        )  # fmt: skip
    return samples[0], samples[1]


def _setting(
    found: Prepared, params: Any, rng: np.random.Generator
) -> tuple[Setting, Rows, Partition]:
    """Units, bandwidths and landmarks from the spent rows; bins for all others."""
    order = (1, 0) if found.swapped else (0, 1)
    samples = [found.samples[k] for k in order]
    values = np.concatenate([s.values for s in samples])
    units = Units.of(values, params.unit)
    codes = np.concatenate([s.codes for s in samples])
    rows = Rows(units.scaled(values), codes)
    used = grids(rows, params.kernel, params.bandwidth, params.aggregate, rng)
    marks = _landmarks([len(s.values) for s in samples], sum(found.totals), params, rng)
    others = np.setdiff1d(np.arange(len(rows)), marks)
    few = rows.take(np.sort(rng.choice(others, min(500, len(others)), replace=False)))
    left = [found.totals[k] - len(found.samples[k].values) for k in order]
    places, cut = placed(left[0], left[1], bin_size(min(left), params.bins), rng)
    counts = [a + b for a, b in zip(*(s.levels for s in found.sketches), strict=True)]
    explained = params.explain != "none"
    how = Setting(
        units,
        tuple({text: k for k, text in enumerate(some)} for some in samples[0].levels),
        rows.take(marks),
        used,
        places,
        (np.sort(found.sketches[order[0]].numbers), np.sort(found.sketches[order[1]].numbers)),
        tuple(edges_of(column, CELLS) for column in rows.values.T) if explained else (),
        tuple(
            cells_of_levels([some[text] for text in levels])
            for some, levels in zip(counts, samples[0].levels, strict=True)
        )
        if explained
        else (),
    )
    return how, few, cut


def _landmarks(
    spent: Sequence[int], total: int, params: Any, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Places of the landmarks among the spent rows: half from each side, as far as they go."""
    count = landmark_count(total) if params.features == "auto" else int(params.features)
    count = min(count, int(LANDMARK_SHARE * sum(spent)))
    most = [int(LANDMARK_SHARE * k) for k in spent]
    first = max(min(count // 2, most[0]), count - most[1])
    return np.sort(
        np.concatenate(
            [
                rng.choice(spent[0], first, replace=False),
                spent[0] + rng.choice(spent[1], count - first, replace=False),
            ]
        )
    ).astype(np.int64)


def _second_pass(spans: Spans, found: Prepared, how: Setting, work: Work) -> Sums:
    names, seen, tasks = list(spans.paths), [0, 0], []
    for span, rows in zip(spans.spans, found.span_rows, strict=True):
        side = names.index(span.side)
        tasks.append((spans.files, span, side ^ found.swapped, seen[side], rows, how))
        seen[side] += rows
    out = Sums.empty(how)
    for part in run_tasks(summed, tasks, work, [float(r) for r in found.span_rows], ahead=1):
        out.add(part)
    return out


@dataclass(frozen=True)
class _Test:
    """The sums of the second pass, and the permutations of their blocks."""

    found: Prepared
    how: Setting
    cut: Partition
    sums: Sums
    signs: NDArray[np.int8]
    forms: Forms

    def result(self, base: Result, params: Any, rng: np.random.Generator) -> Result:
        """The verdict, and what there is to say of it."""
        forms, cut = self.forms, self.cut
        pairs = Pairs.of(cut.starts, self.signs, None)
        T = unbiased_mmd(forms, pairs)
        kernels = [(grid.kernel.name, h) for grid in self.how.grids for h in grid.bandwidths]
        base = replace(
            base,
            kernel={
                "name": ",".join(dict.fromkeys(name for name, _ in kernels)),
                "bandwidths": [h for _, h in kernels],
                "aggregate": params.aggregate if len(kernels) > 1 else None,
                "scale": params.unit,
                "landmarks": forms.landmarks,
            },
            null=null_block(cut, params.permutations),
            provenance={"sums": self.sums.digest},
        )
        keep = informative(T, forms.size)
        if cut.distinct < 1 / params.alpha:
            return refused(base, f"only {cut.distinct} permutations of the {cut.unit} exist")
        if not keep.any():
            return self._constant(base)
        smaller = min(self.found.totals)
        one = (
            T[0] if len(T) == 1 else aggregate(T[keep], forms.size[keep], params.aggregate, smaller)
        )
        if not varies(one):
            return self._constant(base)
        p = p_value(one)
        rejected = bool(p <= params.alpha)
        return base.told(
            *self._findings(T, keep, kernels, pairs, params, rejected, rng),
            verdict="rejected" if rejected else "not rejected",
            statistic=float(one[0]),
            p_value=p,
            threshold=threshold(one, params.alpha),
        )

    def _constant(self, base: Result) -> Result:
        when = "nearly all rows are equal, or the bandwidth is far from their distances"
        return unvarying(base, "permutation of the rows", when)

    def _findings(
        self, T: Array, keep: NDArray[np.bool_], kernels: list[tuple[str, float]], pairs: Pairs,
        params: Any, rejected: bool, rng: np.random.Generator,
    ) -> list[Finding]:  # fmt: skip
        z = np.full(len(T), -np.inf)
        z[keep] = (T[keep, 0] - T[keep].mean(axis=1)) / T[keep].std(axis=1)
        strongest = int(z.argmax())
        table: list[dict[str, object]] = [
            {"kernel": name, "bandwidth": h, "mmd2": float(T[l, 0]),
             "z": float(z[l]) if keep[l] else None}
            for l, (name, h) in enumerate(kernels)
        ]  # fmt: skip
        interval = effect(self.forms, pairs, self.cut, strongest, params.alpha, rejected)
        findings: list[Finding] = [
            summary(SENTENCES[rejected]),
            effect_found(interval),
            *by_bandwidth(table, strongest, "mmd2"),
        ]
        if rejected and params.explain != "none":
            findings.append(self._columns(params, rng))
        return findings

    def _columns(self, params: Any, rng: np.random.Generator) -> Finding:
        """A test per column from the counts of its cells; words from the spent rows."""
        d = len(self.how.edges)
        more = Labelled.of(
            self.cut, self.signs, len(self.sums.cells), params.correction, params.alpha, rng
        )
        evidence = [
            more.tested(partial(_evidence, cells, c < d)) for c, cells in enumerate(self.sums.cells)
        ]
        pooled = pool(self.found.samples, params.unit, sort=False)
        # Columns as `pooled` has them: in order of their names.
        names = [*self.found.samples[0].columns, *self.found.samples[0].categorical]
        by_name = dict(zip(names, evidence, strict=True))
        evidence = [by_name[name] for name in pooled.names]
        tests = ordered(self.found.samples, pooled, evidence, params.correction, params.alpha)
        return columns_found(tests, params.alpha, True)


def _evidence(cells: NDArray[np.int64], numeric: bool, signs: NDArray[np.int8]) -> Evidence:
    """One column's own test, from the rows of its cells in every block, (C, G)."""
    both = cells.sum(axis=1).astype(np.float64)
    first = cells.astype(np.float64) @ (signs > 0)
    statistic, distance = (
        (anderson_darling, kolmogorov_smirnov) if numeric else (chi_squared, total_variation)
    )
    statistics = statistic(first, both)
    far = float(distance(first[:, :1], both)[0])
    return Evidence(np.cbrt(statistics), float(statistics[0]), far)
