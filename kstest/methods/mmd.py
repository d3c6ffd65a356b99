"""Two-sample test by the maximum mean discrepancy (MMD) over many bandwidths.

Null hypothesis: the rows of both samples are exchangeable, for example independent draws from
one distribution. `run` reads like the method: scale, cut into blocks, choose bandwidths, sum the
kernels once, evaluate all permutations, combine the kernels, calibrate, explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs, Test
from ..diagnostics.missing import missingness
from ..engine import Forms, Work, quadratic_forms, stage
from ..findings import Finding, by_bandwidth, summary
from ..kernels import KERNELS, SCALES, BandwidthGrid, Rows
from ..nulls import (
    AGGREGATES,
    Partition,
    aggregate,
    informative,
    p_value,
    permuted_labels,
    threshold,
    varies,
)
from ..params import alpha, block_length, check_common, option, permutations, permute, seed
from ..result import Result
from ..sample import Sample
from .by_column import columns_found
from .common import bandwidth_numbers, grids, kernel_names
from .two_samples import geometries
from .two_samples.by_level import by, by_level, check_by, parts
from .two_samples.counted import refused_for_counts
from .two_samples.effect import (
    Pairs,
    check_bounded,
    check_tolerance,
    effect,
    effect_found,
    tolerant_p_value,
    tolerant_statistics,
    unbiased_mmd,
)
from .two_samples.explanation import (
    explanations,
    pair_tests,
    pairs_found,
    rows_found,
    strange_rows,
)
from .two_samples.geometries import check_scale, other_than_auto
from .two_samples.kinds import kinds_found
from .two_samples.landmarks import check_features, choose, features, landmarks_of_each
from .two_samples.marginals import Blocked
from .two_samples.min_effect import check_min_effect, min_effect, thresholded
from .two_samples.pooled import (
    SENTENCES,
    Pooled,
    bins,
    check_design,
    constant,
    correction,
    design,
    null_block,
    pool,
    refusal,
    refused_for_permutations,
    undecided,
)
from .two_samples.weighted import evened, multiplied

if TYPE_CHECKING:
    from ..contract import Spans
    from ..picture import Picture

REFERENCES = """\
@article{gretton2012kernel,
  title   = {A Kernel Two-Sample Test},
  author  = {Gretton, Arthur and Borgwardt, Karsten M. and Rasch, Malte J. and
             Sch{\\"o}lkopf, Bernhard and Smola, Alexander},
  journal = {Journal of Machine Learning Research},
  volume  = {13}, number = {25}, pages = {723--773}, year = {2012}
}
@inproceedings{biggs2023mmdfuse,
  title     = {{MMD-FUSE}: Learning and Combining Kernels for Two-Sample Testing Without Data
               Splitting},
  author    = {Biggs, Felix and Schrab, Antonin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36}, year = {2023}, note = {arXiv:2306.08777}
}
@article{schrab2023mmdagg,
  title   = {{MMD} Aggregated Two-Sample Test},
  author  = {Schrab, Antonin and Kim, Ilmun and Albert, M{\\'e}lisande and Laurent, B{\\'e}atrice
             and Guedj, Benjamin and Gretton, Arthur},
  journal = {Journal of Machine Learning Research},
  volume  = {24}, number = {194}, pages = {1--81}, year = {2023}
}
@inproceedings{domingoenrich2025cheap,
  title     = {Cheap Permutation Testing},
  author    = {Domingo-Enrich, Carles and Dwivedi, Raaz and Mackey, Lester},
  year      = {2025}, note = {arXiv:2502.07672}
}
"""
CONSTANT = "all rows are equal or the bandwidth is far below or above their distances"


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    kernel: str = option(
        "gaussian",
        f"Kernel, or several separated by commas: {', '.join(KERNELS)}.",
        metavar="NAME[,NAME...]",
        brief="Kernel, or several; gaussian by default.",
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths: a grid of them, combined (aggregate); one, the median distance of the "
        "pooled rows (median); or numbers, in units of the scaled columns.",
        metavar="aggregate|median|NUMBER[,NUMBER...]",
        brief="A grid of bandwidths, one, or numbers.",
    )
    aggregate: str = option(
        "mahalanobis", "How several kernels become one statistic.", choices=tuple(AGGREGATES)
    )
    scale: str | None = option(
        None,
        "Unit of each column: pooled median absolute deviation (robust), standard deviation, or as "
        "it is; auto: robust, and also ranks, without correlation, single columns and pairs of "
        "them, in one level. Default: auto with the Gaussian grid of bandwidths by mahalanobis, of "
        "rows in memory that are permuted; otherwise robust.",
        choices=(*SCALES, "auto"),
        brief="Unit of each column, or several geometries (auto).",
    )
    features: str = features()
    permute: str = permute()
    bins: int = bins()
    block_length: str | None = block_length()
    tolerance: float = option(
        0.0,
        "Share of the rows that may be corrupt, 0 to 1: reject only what remains whichever these "
        "are.",
        brief="Share of the rows that may be corrupt.",
    )
    min_effect: str = min_effect()
    by: str | None = by()
    explain: str = option(
        "columns",
        "What to explain a rejection by: columns that differ; all, a table of all columns with "
        "p-value and distance, whatever the verdict; rows=K, the K rows of the sample least "
        "like the reference; pairs of columns; region, where the samples' shares of the rows "
        "differ most, by one or two columns; or none.",
        metavar="columns,all,pairs,region,rows=K|none",
        brief="What to explain a rejection by.",
    )
    correction: str = correction()

    def __post_init__(self) -> None:
        check_common(self)
        names = kernel_names(self.kernel)
        bandwidth_numbers(self.bandwidth)
        check_design(self)
        check_tolerance(self.tolerance, names)
        check_min_effect(self)
        check_by(self)
        check_features(self.features)
        explanations(self.explain)
        check_scale(self)

    @property
    def unit(self) -> str:
        """Unit of the columns that are taken together."""
        return "robust" if self.scale in (None, "auto") else self.scale

    @property
    def several(self) -> bool:
        """Whether several geometries are combined."""
        return self.scale == "auto" or (self.scale is None and other_than_auto(self) is None)


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether two samples are draws from the same distribution.

    Parameters
    ----------
    samples : two Samples
        With the same columns; m and n rows, d columns.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one kernel and one bandwidth the statistic is the unbiased estimate of MMD^2,

            sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1))
            - 2 sum_{i, j} k(x_i, y_j) / (m n);

        with several it is their aggregate, without a unit. No verdict if either sample has
        fewer than 2 rows, or too few permutations exist to reach p <= alpha.

    Notes
    -----
    Exact: p <= alpha has probability at most alpha at every m, n and d, over the data and the
    seed, if rows are exchangeable under the null; ties and heavy tails do no harm. Scaling,
    bandwidths and the choice of informative kernels use the pooled rows without their labels.
    Without `scale`, and with ``auto``, several geometries are combined in one exact level: the grid
    of bandwidths on columns in robust units, the same on normal scores without their correlation,
    every column by itself, and products of two columns. It sees what one grid is nearly blind to (a
    light column beside heavy ones, one column or one correlation of many, copulas), at about twice
    the cost, and pays little elsewhere: see `kstest.methods.two_samples.geometries`. Other kernels,
    bandwidths and aggregates, a tolerance, two passes over files, counts and weights of another
    distribution mean ``robust``, as does a single column; ``kernel["scale"]`` says which it was.
    Rows that depend on their neighbours in time are not exchangeable: a warning says so, and
    `block_length` permutes stretches of time, which is an approximation (`exact` is then false).
    With `group`, groups are exchangeable instead of rows: see `kstest.nulls.blocks`.

    With many rows (`features`) the kernel is replaced by its Nystrom approximation at r landmark
    rows whose label no permutation changes, so the test stays exact and its cost grows like N r
    instead of N^2 / 2: see `kstest.engine.landmarks`.

    Missing cells marked by an indicator are a level of their own, and categories are equal or
    not: see `kstest.kernels.rows`. Weights multiply every row's share of its sample and move
    with the row: exact if rows with their weights are exchangeable, or weights are equal within
    each side. Where the weights of the samples have different distributions (one side is a
    simulation), or some are negative, rows are not permuted: the null distribution is that of
    Gaussian multipliers with the aggregate ``studentised``, asymptotic (`kstest.nulls.multipliers`;
    levels: ``benchmarks/weighted.py``; ``exact`` is false). The statistic of a kernel is then the
    squared distance of the weighted mean embeddings, pairs of a row with itself included. No
    verdict below 20 effective rows a side, (sum w)^2 / sum w^2, where power is low, or where
    weights cancel to a tenth of their sizes. No number of effective rows finds weights whose tail
    was not drawn.

    With `counts` a row stands for as many entries, as in a histogram: these are dealt to the two
    sides anew (multivariate hypergeometric given the pooled counts), which is exact for independent
    entries, at a cost that does not grow with them. A kernel that tells bins apart however near
    (chi-squared) joins the others. A difference of the totals is not tested.

    Files larger than memory, or on a cluster, are read in two passes and no row is kept: see
    `kstest.methods.two_samples.streamed` for what exactness rests on there. That answer depends on
    the order of the files and of the rows in them, and on the units of the columns, by the random
    bins; not on threads, workers or how the files are cut.

    With `tolerance` R the statistic is max_k MMD_k (biased, so bounded), and p counts the
    permutations with T_b + 2 sqrt(2) R >= T_0: no more than the share R of min(m, n) altered rows
    can cause a rejection, whatever they are (after Schrab and Kim 2024, arXiv 2405.19912). Exact
    for given bandwidths and `scale` none, approximate otherwise.

    With `min_effect` the null hypothesis is that no column differs by more; p is the larger one of
    that of no change and that of the columns' effects (`kstest.methods.two_samples.min_effect`).

    With `by` the rows of every level of a column are tested by themselves, corrected by Holm: see
    `kstest.methods.two_samples.by_level`. ``explanation["levels"]`` has all, `p_value` is the
    smallest adjusted one.

    Rows are sorted by value, and columns by name, before rows are shuffled with the seed, so the
    answer does not depend on their order in the file, nor on which sample is called the
    reference, nor (up to rounding, and unless bandwidths are given as numbers in unscaled units)
    on the units and the origin of the columns.

    References
    ----------
    Gretton et al. (2012), JMLR 13; aggregation as described in `kstest.nulls.aggregate`; bins as
    in Domingo-Enrich, Dwivedi, Mackey (2025), arXiv 2502.07672.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + [0, 0.5]
    >>> kstest.mmd(X, Y).verdict
    'rejected'
    """
    return by_level(_of_all, samples, params, rng, work, {"explain": "none"})


def _of_all(
    samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
) -> Result:
    """Test all rows together."""
    result = thresholded(_tested(samples, params, rng, work), samples, params)
    if result.verdict != "rejected" or samples[0].records is None:
        return result
    return result.told(*kinds_found(samples, params.alpha, rng))


def _tested(
    samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
) -> Result:
    """Test for any change at all."""
    base = undecided("mmd", samples, params.alpha)
    few = refusal(samples, base)
    if few is not None:
        return few
    check_bounded(params.tolerance, samples)
    pooled = None
    if not samples[0].counted:
        histogram = refused_for_counts(samples, base)
        if histogram is not None:
            return histogram
        pooled = pool(samples, params.unit, sort=params.block_length is None)
    if pooled is None or multiplied(pooled):
        from .two_samples.massed import mmd as mass_mmd
        from .two_samples.massed import prepared

        width = 1 if params.explain == "none" else base.d
        found = prepared(samples, pooled, params, width, rng, base)
        return found if isinstance(found, Result) else mass_mmd(found, params, rng, work)
    pooled = evened(pooled)
    counts = landmarks_of_each(params, pooled.m, pooled.n)
    cut, rng, notices = design(samples, pooled, params, rng, counts)
    none = refused_for_permutations(cut, pooled, base, params.block_length)
    if none is not None:
        return none

    rows = pooled.rows.take(cut.order)
    weights = None if pooled.weights is None else pooled.weights[cut.order]
    used = grids(rows, params.kernel, params.bandwidth, params.aggregate, rng)
    two_stages = params.aggregate == "mmdagg" and sum(map(len, used)) > 1
    signs = permuted_labels(cut, params.permutations * (2 if two_stages else 1), rng)
    marks = choose(cut, pooled.m, counts, rng) if any(counts) else None

    def summed(
        rows: Rows, grids: Sequence[BandwidthGrid], part: tuple[float, float], every: int = 1
    ) -> Forms:
        landmarks, own = None if marks is None else rows.take(marks), stage(work, *part)
        return quadratic_forms(rows, cut.starts, signs, grids, own, weights, landmarks, every)

    twice = params.several and pooled.numeric > 1
    forms = summed(rows, used, (0.0, 0.5 if twice else 1.0))
    pairs = Pairs.of(cut.starts, signs, weights)
    T = unbiased_mmd(forms, pairs)

    kernels = [(grid.kernel.name, h) for grid in used for h in grid.bandwidths]
    sums = _Sums(samples, pooled, cut, rows, weights, signs, forms, pairs, T, kernels)
    # A bandwidth or unit that corrupt rows can move makes the tolerance approximate.
    given = bandwidth_numbers(params.bandwidth) and params.scale == "none"
    base = replace(
        base,
        kernel=_kernel_block(kernels, params, forms.landmarks),
        null=null_block(cut, params.permutations, exact=not params.tolerance or bool(given)),
        warnings=(*missingness(samples), *notices),
    )
    combined = _combined(sums, params)
    if combined is None or not varies(combined):
        return constant(base, CONSTANT)
    each = _geometries(sums, combined, params, summed, rng) if params.several else {}
    if len(each) > 1:
        combined = geometries.combined(each)
        base = replace(base, kernel={**base.kernel, "scale": "auto"})
    p, limit = p_value(combined), threshold(combined, params.alpha)
    if params.tolerance:
        p = tolerant_p_value(combined, params.tolerance)
        limit += 2 * np.sqrt(2) * params.tolerance
    rejected = bool(p <= params.alpha)
    said = [geometries.geometry_found(each, rejected)] if len(each) > 1 else []
    return base.told(
        *_findings(sums, params, rejected, rng, work),
        *said,
        verdict="rejected" if rejected else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=limit,
    )


@frozen
class _Sums:
    """Statistics of every kernel under every permutation, and what they are sums of."""

    samples: Sequence[Sample]
    pooled: Pooled
    cut: Partition
    rows: Rows
    weights: NDArray[np.float64] | None
    signs: NDArray[np.int8]
    forms: Forms
    pairs: Pairs
    T: NDArray[np.float64]
    kernels: list[tuple[str, float]]

    @property
    def blocked(self) -> Blocked:
        """Rows and permutations, for other geometries of them."""
        missing = self.pooled.missing
        missing = None if missing is None else missing[self.cut.order]
        return Blocked(self.rows, missing, self.cut.starts, self.signs, self.weights)

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Kernels that say anything."""
        return informative(self.T, self.forms.size)


def _combined(sums: _Sums, params: Params) -> NDArray[np.float64] | None:
    """One statistic of all kernels under every permutation; None if no kernel says anything."""
    keep = sums.keep
    if not keep.any():
        return None
    if params.tolerance:
        return tolerant_statistics(sums.forms, sums.pairs)
    if len(sums.kernels) == 1:
        return np.asarray(sums.T[0])
    smaller = min(sums.pooled.m, sums.pooled.n)
    return aggregate(sums.T[keep], sums.forms.size[keep], params.aggregate, smaller)


def _geometries(
    sums: _Sums,
    robust: NDArray[np.float64],
    params: Params,
    summed: Callable[..., Forms],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Score of every geometry under every permutation; of some rows the robust one alone."""
    own = rng.spawn(1)[0]  # what explains a rejection draws the same numbers as without these
    return geometries.scores(
        robust, sums.blocked, sums.pairs, min(sums.pooled.m, sums.pooled.n),
        lambda some: grids(some, params.kernel, params.bandwidth, params.aggregate, own),
        lambda some, widths: summed(some, widths, (0.5, 1.0), every=2), own,
    )  # fmt: skip


def _findings(
    sums: _Sums, params: Params, rejected: bool, rng: np.random.Generator, work: Work
) -> list[Finding]:
    """Effect, bandwidths, and the columns, pairs and rows that were asked for."""
    samples, pooled, cut = sums.samples, sums.pooled, sums.cut
    strongest, table = _strongest(sums.T, sums.keep, sums.kernels)
    asked, alpha, correction = explanations(params.explain), params.alpha, params.correction
    interval = effect(sums.forms, sums.pairs, cut, strongest, alpha, rejected)
    findings = [
        summary(SENTENCES[rejected]),
        effect_found(interval),
        *by_bandwidth(table, strongest, "mmd2"),
    ]
    if ("columns" in asked and rejected) or "all" in asked:
        from .two_samples.columns import Labelled, column_tests, try_pairs

        more = Labelled.of(cut, sums.signs, pooled.width, correction, alpha, rng)
        tests = column_tests(samples, pooled, cut, more, correction, alpha)
        advice = "" if "pairs" in asked else try_pairs(tests)
        findings.append(columns_found(tests, alpha, rejected, advice, "all" in asked))
    if "region" in asked and rejected:
        from .two_samples.segments import segments, segments_found

        places = segments(samples, pooled, cut, alpha, rng)
        findings.append(segments_found(places, alpha))
    if "pairs" in asked:
        from .two_samples.columns import labels

        d = len(samples[0].columns) + len(samples[0].categorical)
        names = labels(pooled.names[:d], pooled.names[d:])
        tested = pair_tests(
            sums.rows, names, cut, sums.signs, sums.weights, work, correction, alpha, rng
        )
        findings.append(pairs_found(tested, alpha))
    if "rows" in asked:
        kernel = sums.kernels[strongest]
        findings.append(rows_found(strange_rows(samples, pooled, kernel, asked["rows"], rng)))
    return findings


def _kernel_block(
    kernels: list[tuple[str, float]], params: Params, landmarks: int
) -> dict[str, object]:
    names = {name for name, _ in kernels}
    return {
        "name": ",".join(name for name in KERNELS if name in names),
        "bandwidths": [h if KERNELS[name].has_bandwidth else None for name, h in kernels],
        "aggregate": params.aggregate if len(kernels) > 1 else None,
        "scale": params.unit,
        **({"landmarks": landmarks} if landmarks else {}),
    }


def _strongest(
    T: NDArray[np.float64], keep: NDArray[np.bool_], kernels: list[tuple[str, float]]
) -> tuple[int, list[dict[str, object]]]:
    """The kernel whose statistic stands out most, and what every kernel says."""
    rows: list[dict[str, object]] = []
    z = np.full(len(T), -np.inf)
    z[keep] = (T[keep, 0] - T[keep].mean(axis=1)) / T[keep].std(axis=1)
    for l, (name, h) in enumerate(kernels):
        bandwidth = h if KERNELS[name].has_bandwidth else None
        own = float(z[l]) if keep[l] else None
        rows.append({"kernel": name, "bandwidth": bandwidth, "mmd2": float(T[l, 0]), "z": own})
    return int(z.argmax()), rows


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Draw the distributions of the columns, and what the test says of them."""
    from .two_samples.picture import picture

    return picture(samples, params, result)


def by_spans(
    spans: Spans, params: Params, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test rows that nobody keeps: see `kstest.methods.two_samples.streamed`."""
    from .two_samples import streamed

    return streamed.run(spans, params, rng, work)


def check_spans(params: Params) -> None:
    """Refuse options that need all rows at once."""
    from .two_samples import streamed

    streamed.check_streamed(params)


TEST = Test(
    inputs=Inputs(
        roles=("reference", "sample"),
        accepts=frozenset({"categorical", "missing", "groups", "weights", "counts", "records"}),
        params=Params,
        parts=parts,
        example="kstest mmd reference.parquet batch.csv --columns 'temp,rate'",
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    by_spans=by_spans,
    check_spans=check_spans,
    copies=lambda columns: 5 + 6 / columns,  # ranks and whitened ranks beside the rows
)
