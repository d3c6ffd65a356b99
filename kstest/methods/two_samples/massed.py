"""`mmd` and `ks` of rows that bring their mass: weights of another distribution, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.digests import fingerprint
from ...diagnostics.missing import missingness
from ...engine import Work
from ...errors import UsageError
from ...findings import Facts, Finding, Line, Table, summary
from ...nulls import aggregate, informative, p_value, replicates, threshold
from ...params import option_name
from ...result import Notice, Result
from ...sample import Sample
from ..by_column import columns_found
from ..common import grids
from . import counted, weighted
from .columns import ColumnTest, statistic_named, try_pairs
from .differences import Masses, column_tests, kernel_statistics
from .explanation import explanations
from .pooled import SENTENCES, Pooled, constant, refused

Array = NDArray[np.float64]


@frozen
class Prepared:
    """Masses under the null, and what is to be said of them.

    Attributes
    ----------
    samples : sequence of Sample
        Rows, or the positions of bins.
    pooled : Pooled
    masses : Masses
    base : Result
    said : finding
        `weights` or `entries` by side.
    counted : bool
    smaller : int
    """

    samples: Sequence[Sample]
    pooled: Pooled
    masses: Masses
    base: Result
    said: Facts | Table
    counted: bool
    smaller: int


def prepared(
    samples: Sequence[Sample], pooled: Pooled | None, params: Any, tests: int,
    rng: np.random.Generator, base: Result,
) -> Prepared | Result:  # fmt: skip
    """Draw the null distribution for this many corrected tests, or say why there is no verdict.

    `pooled` are weighted rows; without them the samples are counted.
    """
    _refuse_options(params, "--counts" if pooled is None else "--weights of another distribution")
    draws = params.permutations
    if params.correction == "holm":
        draws = replicates(tests, params.alpha, draws)
    if pooled is None:
        return _counted(samples, params, draws, rng, base)
    sides = weighted.weights_given(samples, pooled)
    none = weighted.unusable(sides, base)
    said = weighted.told(sides)
    if none is not None:
        return none.told(said)
    rng = np.random.default_rng([int(rng.integers(2**63)), fingerprint(pooled.rows, False)])
    masses = weighted.masses_of(pooled, draws, rng)
    what = "groups" if pooled.groups is not None else "rows"
    base = replace(
        base,
        null={
            "scheme": f"Gaussian multipliers of {what}",
            "replicates": draws,
            "exact": False,
        },
        warnings=(*missingness(samples), *weighted.weight_notices(sides)),
    )
    smaller = min(pooled.m, pooled.n)
    return Prepared(samples, pooled, masses, base, said, False, smaller)


def _counted(
    samples: Sequence[Sample], params: Any, draws: int, rng: np.random.Generator, base: Result
) -> Prepared | Result:
    scale = getattr(params, "unit", "robust")
    bins, pooled, first, both = counted.bins_of(samples, scale)
    entries = [int(first.sum()), int(both.sum() - first.sum())]
    named = {s.name: k for s, k in zip(samples, entries, strict=True)}
    text = ", ".join(f"{k:,} {name}" for name, k in named.items())
    said = Facts("entries", named, (Line("entries", text, "data"),))
    if min(entries) < 2:
        none = refused(base, f"{entries[0]} against {entries[1]} entries: at least 2 are needed")
        return none.told(said)
    mark = fingerprint(pooled.rows, False)
    drawn = int(rng.integers(2**63))
    rng = np.random.default_rng([drawn, mark, *both.astype(np.int64).tolist()])
    masses, exact = counted.masses_of(pooled, first, both, draws, rng)
    notices = [] if exact else [_beyond()]
    base = replace(
        base,
        null={"scheme": "entries dealt to the sides", "replicates": draws, "exact": exact},
        warnings=(*missingness(samples), *notices),
    )
    return Prepared(bins, pooled, masses, base, said, True, min(entries))


def mmd(found: Prepared, params: Any, rng: np.random.Generator, work: Work) -> Result:
    """Compare the mean embeddings of two sides by all kernels together."""
    masses, base = found.masses, found.base
    if _one_value(found):
        return constant(base, "all rows are equal")
    few = weighted.for_bandwidths(masses.rows, masses.pooled)
    used = grids(few, params.kernel, params.bandwidth, params.aggregate, rng)
    kernels = [(grid.kernel.name, h) for grid in used for h in grid.bandwidths]
    if found.counted:
        T, size = counted.bin_statistics(masses, used, work)
        kernels.append(("equal bins", 0.0))
        keep = T.std(axis=1) > 1e-12 * np.abs(T).max(axis=1)
        rule = params.aggregate
    else:
        T, forms = kernel_statistics(masses, used, work)
        size = forms.size
        keep = informative(T, size)
        # which rule held its level under multipliers was measured: benchmarks/weighted.py
        rule = "studentised" if params.aggregate == "mahalanobis" else params.aggregate
    base = replace(base, kernel=_kernel_block(kernels, rule, params))
    if not keep.any():
        return constant(base, "all rows are equal")
    one = T[keep][0] if keep.sum() == 1 else aggregate(T[keep], size[keep], rule, found.smaller)
    p = p_value(one)
    rejected = p <= params.alpha
    findings: list[Finding] = [summary(SENTENCES[rejected]), found.said]
    asked = explanations(params.explain)
    if (rejected and "columns" in asked) or "all" in asked:
        tests = _columns(found, "cvm", params)
        advice = try_pairs(tests)
        findings.append(columns_found(tests, params.alpha, rejected, advice, "all" in asked))
    return base.told(
        *findings,
        verdict="rejected" if rejected else "not rejected",
        statistic=float(one[0]),
        p_value=p,
        threshold=threshold(one, params.alpha),
    )


def ks(found: Prepared, params: Any, title: str) -> Result:
    """Compare every column by itself."""
    if _one_value(found):
        return constant(found.base, "every column has one value")
    columns = _columns(found, params.statistic, params)
    p = columns[0].adjusted_p_value
    numeric = columns[0].column in found.samples[0].columns
    rejected = bool(p <= params.alpha)
    return found.base.told(
        summary(SENTENCES[rejected]),
        found.said,
        statistic_named(title if numeric else "chi-squared", columns[0].column),
        columns_found(columns, params.alpha, rejected, try_pairs(columns), params.explain == "all"),
        verdict="rejected" if rejected else "not rejected",
        statistic=columns[0].statistic,
        p_value=p,
    )


def _one_value(found: Prepared) -> bool:
    """Whether every column is constant, as where all entries are in one bin."""
    rows = found.masses.rows
    return not any(np.ptp(column) for column in (*rows.values.T, *rows.codes.T))


def _columns(found: Prepared, statistic: str, params: Any) -> list[ColumnTest]:
    return column_tests(found.samples, found.pooled, found.masses, statistic, params.correction)


def _kernel_block(
    kernels: Sequence[tuple[str, float]], rule: str, params: Any
) -> dict[str, object]:
    return {
        "name": ",".join(dict.fromkeys(name for name, _ in kernels)),
        "bandwidths": [h or None for _, h in kernels],
        "aggregate": rule if len(kernels) > 1 else None,
        "scale": params.unit,
    }


def _beyond() -> Notice:
    return Notice(
        "approximate-counts",
        "more than a billion entries: where parts of the histogram hold as many, their "
        "distribution is taken as normal or binomial",
    )


def _refuse_options(params: Any, what: str) -> None:
    """Refuse options that say how rows are permuted, or what is made of single rows."""
    asked = set(getattr(params, "explain", "columns").split(","))
    other = {
        "block_length": params.block_length is not None,
        "tolerance": bool(getattr(params, "tolerance", 0)),
        "permute": params.permute != "auto",
        "features": getattr(params, "features", "auto") not in ("auto", "none"),
        "scale": getattr(params, "scale", "") == "auto",
        "explain": not asked <= {"columns", "all", "none"},
    }
    for name, used in other.items():
        if used:
            raise UsageError(
                f"{option_name(name)} {getattr(params, name)}: not with {what}, where rows are "
                "neither permuted nor taken as landmarks; leave it out"
            )
    if getattr(params, "aggregate", "") == "mmdagg":
        raise UsageError(f"--aggregate mmdagg: not with {what}; leave it out")
