"""`mmd` of rows that nobody keeps: two passes over files, on this machine or on others.

The first pass counts, and draws a few rows of each side (`two_passes.sketch`). These rows are
spent: they give units, bandwidths and landmarks, and are left out of the sums. The second pass sums
the kernel's values at the landmarks by bin (`passes`); what follows is the permutation test of
`mmd`.

Exactness rests on three things. Spent rows are chosen by their number and never by their value, so
that given them all other rows are exchangeable under the null hypothesis, whatever is computed
from the spent ones. Bins have one size on both sides, and which rows are in a bin follows from
their numbers and a key, which knows the pooled rows only as an unordered whole. And the key's
bijection of row numbers acts like a random one: it spreads the rows of sorted and of partitioned
files over all bins (`kstest.nulls.places`; measured on such files by ``benchmarks/two_passes.py``).
Centre and precision of distances follow from the landmarks: from the rows of a batch they would
differ between the sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...contract import Spans
from ...engine import Forms, Work, landmark_count, single_blas, stage
from ...engine.forms import of_blocks
from ...engine.landmarks import tables_of_sums
from ...findings import Finding, by_bandwidth, summary
from ...kernels import KERNELS, Rows, Units
from ...nulls import (
    Partition,
    aggregate,
    informative,
    p_value,
    permuted_labels,
    threshold,
    varies,
)
from ...result import Result, unvarying
from ...sample import Sample
from ..by_column import columns_found
from ..common import grids, require_served
from ..two_passes.spans import too_few
from .cell_statistics import anderson_darling, chi_squared, kolmogorov_smirnov, total_variation
from .columns import CELLS, Evidence, Labelled
from .effect import Pairs, effect, effect_found, unbiased_mmd
from .passes import Setting, Sums, edges_of
from .pooled import SENTENCES, null_block, refused
from .prepared import Prepared, added_up, found_in_order, prepared

Array = NDArray[np.float64]

# Landmarks are at most this share of the spent rows; others say how large kernel values are.
LANDMARK_SHARE = 2 / 3
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
    found = prepared(spans, int(rng.integers(2**63)), stage(work, 0.0, 0.2))
    base = found.beginning("mmd", spans, params.alpha)
    if found.constant:
        return unvarying(base, "permutation of the rows", "all rows are equal"), found.samples
    why = too_few(found.totals)
    if why:
        return refused(base, why), found.samples
    rng = np.random.default_rng([int(rng.integers(2**63)), found.mark])
    how, few, cut = _setting(found, params, rng)
    sums = added_up(spans, found, how, stage(work, 0.2, 1.0))
    table, size = tables_of_sums(sums.kernels, sums.counts, how.landmarks, few, how.grids)
    two_stages = params.aggregate == "mmdagg" and len(table) > 1
    signs = permuted_labels(cut, params.permutations * (2 if two_stages else 1), rng)
    forms = of_blocks(table, size, signs, len(how.landmarks))
    test = _Test(found, how, cut, sums, signs, forms)
    return test.result(base, params, rng), found.samples


def _setting(
    found: Prepared, params: Any, rng: np.random.Generator
) -> tuple[Setting, Rows, Partition]:
    """Units, bandwidths and landmarks from the spent rows; bins for all others."""
    samples = found.in_order
    values = np.concatenate([s.values for s in samples])
    units = Units.of(values, params.unit)
    codes = np.concatenate([s.codes for s in samples])
    rows = Rows(units.scaled(values), codes)
    used = grids(rows, params.kernel, params.bandwidth, params.aggregate, rng)
    marks = _landmarks([len(s.values) for s in samples], sum(found.totals), params, rng)
    others = np.setdiff1d(np.arange(len(rows)), marks)
    few = rows.take(np.sort(rng.choice(others, min(500, len(others)), replace=False)))
    places, cut = found.placed(params.bins, rng)
    explained = params.explain != "none"
    how = Setting(
        units,
        found.codes,
        rows.take(marks),
        used,
        places,
        found.spent,
        tuple(edges_of(column, CELLS) for column in rows.values.T) if explained else (),
        found.cells_of_levels() if explained else (),
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


@frozen
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
        tests = found_in_order(self.found, evidence, params, params.unit)
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
