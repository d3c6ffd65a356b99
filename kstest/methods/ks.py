"""The classical two-sample tests, column by column: Kolmogorov-Smirnov and its relatives.

Null hypothesis: as in `mmd`, the rows of both samples are exchangeable. What differs is what can be
found: each column is compared by itself, so a change in how columns go together is invisible.

The default statistic is the one the command is named after; benchmarks/column_power.py shows when
another one finds more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs, Spans, Test
from ..diagnostics.missing import missingness
from ..engine import Work
from ..engine.work import single_blas
from ..findings import summary
from ..nulls import permuted_labels, threshold, varies
from ..params import alpha, block_length, check_common, option, permutations, permute, seed
from ..result import Result
from ..sample import Sample
from .by_column import columns_found
from .two_samples.arranged import arrange
from .two_samples.by_level import by, by_level, check_by, parts
from .two_samples.cell_statistics import (
    anderson_darling,
    cramer_von_mises,
    energy,
    kolmogorov_smirnov,
    standard_anderson_darling,
)
from .two_samples.cells import Cells, Layout, merged, value_cells
from .two_samples.columns import (
    ColumnTest,
    Evidence,
    Labelled,
    categorical,
    ordered,
    statistic_named,
)
from .two_samples.counted import refused_for_counts
from .two_samples.min_effect import check_min_effect, min_effect, thresholded
from .two_samples.pooled import (
    SENTENCES,
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
    from ..picture import Picture

DESCRIPTION = """\
The classical tests, column by column, at one level for all columns together: the baseline, and what
to use when each column matters by itself. A change in how columns go together is invisible to them;
kstest mmd sees it. In one numeric column ad and energy find a shift as often as mmd does, which
finds more changes of spread and shape; ks finds less. Of files that are read in two passes
(--scheduler) the shares of about a thousand cells a column are compared."""
REFERENCES = """\
@article{smirnov1948table,
  title   = {Table for Estimating the Goodness of Fit of Empirical Distributions},
  author  = {Smirnov, Nikolai},
  journal = {The Annals of Mathematical Statistics},
  volume  = {19}, number = {2}, pages = {279--281}, year = {1948}
}
@article{anderson1962distribution,
  title   = {On the Distribution of the Two-Sample {Cram{\\'e}r}-von Mises Criterion},
  author  = {Anderson, Theodore W.},
  journal = {The Annals of Mathematical Statistics},
  volume  = {33}, number = {3}, pages = {1148--1159}, year = {1962}
}
@article{scholz1987ksample,
  title   = {K-Sample {Anderson}-{Darling} Tests},
  author  = {Scholz, Fritz W. and Stephens, Michael A.},
  journal = {Journal of the American Statistical Association},
  volume  = {82}, number = {399}, pages = {918--924}, year = {1987}
}
@article{szekely2013energy,
  title   = {Energy Statistics: A Class of Statistics Based on Distances},
  author  = {Sz{\\'e}kely, G{\\'a}bor J. and Rizzo, Maria L.},
  journal = {Journal of Statistical Planning and Inference},
  volume  = {143}, number = {8}, pages = {1249--1272}, year = {2013}
}
@article{holm1979simple,
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  author  = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6}, number = {2}, pages = {65--70}, year = {1979}
}
@article{besag1991sequential,
  title   = {Sequential {Monte} {Carlo} p-Values},
  author  = {Besag, Julian and Clifford, Peter},
  journal = {Biometrika},
  volume  = {78}, number = {2}, pages = {301--304}, year = {1991}
}
@book{westfall1993resampling,
  title     = {Resampling-Based Multiple Testing},
  author    = {Westfall, Peter H. and Young, S. Stanley},
  publisher = {Wiley}, year = {1993}
}
"""

# Distinct values of a column that have a cell of their own. Of 2 million rows the distribution of
# the largest difference is then known to a sixty-fourth of its spread.
CELLS = 4096
# Share of the time that order, seed and warnings take, before the first column is tested.
PREPARED = 0.5


@frozen
class Statistic:
    """A statistic by name: how it is computed, compared between columns, and reported.

    `of` takes the values of the cells.
    """

    title: str
    of: Callable[[NDArray[Any]], Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]]
    # Makes null distributions of columns alike: a power that takes most of the skewness.
    power: float
    # From the computed value and the numbers of rows to the reported value.
    report: Callable[[float, int, int], float] = lambda value, m, n: value

    def verdict(
        self, base: Result, columns: Sequence[ColumnTest], evidence: Sequence[Evidence],
        numeric: Sequence[str], sizes: tuple[int, int], params: Any,
    ) -> Result:  # fmt: skip
        """The verdict of all columns, ordered by p-value, and what there is to say of each.

        `numeric` are the names of numeric ones, `sizes` the rows of the samples.
        """
        p, single = columns[0].adjusted_p_value, len(evidence) == 1 and bool(numeric)
        limit = threshold(evidence[0].statistics, params.alpha) ** (1 / self.power)
        title = self.title if columns[0].column in numeric else "chi-squared"
        rejected = bool(p <= params.alpha)
        return base.told(
            summary(SENTENCES[rejected]),
            statistic_named(title, columns[0].column),
            columns_found(columns, params.alpha, rejected, all_of_them=params.explain == "all"),
            verdict="rejected" if rejected else "not rejected",
            statistic=columns[0].statistic,
            p_value=p,
            threshold=self.report(limit, *sizes) if single else None,
        )


STATISTICS = {
    "ks": Statistic("Kolmogorov-Smirnov", lambda values: kolmogorov_smirnov, 1 / 2),
    "cvm": Statistic("Cramér-von Mises", lambda values: cramer_von_mises, 1 / 3),
    "ad": Statistic(
        "Anderson-Darling", lambda values: anderson_darling, 1 / 3, standard_anderson_darling
    ),
    "energy": Statistic("energy distance", lambda values: partial(energy, values), 1 / 2),
}


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    statistic: str = option(
        "ks",
        "Largest difference of the shares below a value (ks); its mean square (cvm), with more "
        "weight on the tails (ad), or over values in the units of the column (energy). Categories "
        "are compared by chi-squared.",
        choices=tuple(STATISTICS),
        brief="Which classical test.",
    )
    explain: str = option(
        "columns",
        "What is said of columns: of those that differ (columns), or of all, in a table with "
        "p-values and distances.",
        choices=("columns", "all"),
    )
    correction: str = correction()
    min_effect: str = min_effect()
    by: str | None = by()
    permute: str = permute()
    bins: int = bins()
    block_length: str | None = block_length()

    def __post_init__(self) -> None:
        check_common(self)
        check_design(self)
        check_min_effect(self)
        check_by(self)


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test column by column whether two samples are draws from the same distribution.

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
        Rejected if the adjusted p-value of any column is at most alpha; `p_value` is the smallest
        adjusted one, `statistic` that of the same column (`explanation["columns"]` has all, the
        most different first). `threshold` is given for a single column. No verdict if either
        sample has fewer than 2 rows, or too few permutations exist to reach p <= alpha.

        Statistics are those of SciPy: ``ks_2samp``, ``cramervonmises_2samp`` (without ties; see
        `kstest.methods.cell_statistics` for ties), ``anderson_ksamp`` (mid-ranks, standardised)
        and ``energy_distance``; for categories ``chi2_contingency`` without Yates' correction, of
        the 100 most frequent levels and the others together.

    Notes
    -----
    Exact: p-values come from the permutations that `mmd` uses, so ties do no harm. Of a column in
    which nothing differs, p is at most alpha with at most that probability, whatever the other
    columns do. Holm's correction (the default) then controls the family-wise error in the strong
    sense: the probability that any column in which nothing differs is named is at most alpha,
    whichever others differ and however columns depend on each other, alike in both samples or not.
    It draws as many permutations as it takes to resolve alpha (`permutations` or more; a column
    that is far from rejecting stops early, Besag and Clifford 1991).
    ``correction="westfall-young"`` does so only where the dependence between the columns in which
    nothing differs is the same in both samples. Groups, blocks of time and the order of rows: as in
    `mmd`.

    A column of more than 4,096 distinct values is rounded to 4,096 pooled levels before
    permutations are compared, except for its 1,024 smallest and largest values. The rule does not
    see labels, so the p-value stays exact, of the statistic of the rounded values. The statistic
    that is reported is that of all values, the threshold that of the rounded ones.

    Weights, and `counts` of entries that a row stands for: as in `mmd`; every statistic is that of
    the weighted distribution functions (``ad`` and ``cvm`` as means over the pooled mass, without
    SciPy's factor of the numbers of rows; ``chi-squared`` as the sum of (f - g)^2 / h).

    Of files that are read in two passes (``scheduler``) every numeric column is rounded to about a
    thousand cells, quantiles of up to 8,192 rows of each side, which are left out of the statistic:
    see `kstest.methods.two_samples.streamed_columns`.

    Rows with a missing cell (``missing="indicator"``) are left out of the statistic of this column,
    and how many there are on each side is tested as one column more.

    With `min_effect` the null hypothesis is that no column differs by more; p is the larger one of
    that of no change and that of the columns' effects (`kstest.methods.two_samples.min_effect`).

    With `by` the rows of every level of a column are tested by themselves, corrected by Holm: see
    `kstest.methods.two_samples.by_level`. ``explanation["levels"]`` has all, `p_value` is the
    smallest adjusted one.

    References
    ----------
    Smirnov (1948), Ann. Math. Statist. 19; Anderson (1962), Ann. Math. Statist. 33; Scholz and
    Stephens (1987), JASA 82; Székely and Rizzo (2013), J. Statist. Plann. Inference 143; Holm
    (1979), Scand. J. Statist. 6; Besag and Clifford (1991), Biometrika 78; Westfall and Young
    (1993), Resampling-Based Multiple Testing.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + [0, 0.5]
    >>> result = kstest.ks(X, Y)
    >>> result.verdict, result.explanation["columns"][0].column
    ('rejected', '2')
    """
    return by_level(_of_all, samples, params, rng, work, columnwise=True)


def _of_all(
    samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
) -> Result:
    """Test all rows together."""
    return thresholded(_tested(samples, params, rng, work), samples, params)


def _tested(
    samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
) -> Result:
    """Test for any change at all."""
    base = undecided("ks", samples, params.alpha)
    few = refusal(samples, base)
    if few is not None:
        return few
    arranged, sort = None, params.block_length is None
    if not samples[0].counted:
        histogram = refused_for_counts(samples, base)
        if histogram is not None:
            return histogram
        arranged = arrange(samples, sort)
    if arranged is None or multiplied(arranged):
        from .two_samples.massed import ks as mass_ks
        from .two_samples.massed import prepared

        weighted = None if arranged is None else pool(samples, "robust", sort)
        found = prepared(samples, weighted, params, base.d, rng, base)
        title = STATISTICS[params.statistic].title
        return found if isinstance(found, Result) else mass_ks(found, params, title)
    pooled = evened(arranged)
    cut, rng, notices = design(samples, pooled, params, rng)
    none = refused_for_permutations(cut, pooled, base, params.block_length)
    if none is not None:
        return none

    labelled = Labelled.of(
        cut, permuted_labels(cut, params.permutations, rng), pooled.width,
        params.correction, params.alpha, rng,
    )  # fmt: skip
    chosen = STATISTICS[params.statistic]
    evidence: list[Evidence] = []
    work.progress(PREPARED)
    layout = Layout.of(pooled, cut, labelled.signs)
    with single_blas():
        for c in range(pooled.numeric):
            # of the values as they are, not scaled
            cells = value_cells(pooled.column(samples, c), pooled.present(c))
            evidence.append(labelled.tested(_numeric(layout, cells, chosen)))
            work.progress(PREPARED + (1 - PREPARED) * len(evidence) / pooled.width)
        for codes in pooled.codes.T:
            evidence.append(labelled.tested(partial(categorical, layout, codes)))
            work.progress(PREPARED + (1 - PREPARED) * len(evidence) / pooled.width)
    base = replace(
        base,
        null=null_block(cut, labelled.replicates),
        warnings=(*missingness(samples), *notices),
    )
    if not any(varies(e.statistics) for e in evidence):
        return constant(base, "every column has one value")
    columns = ordered(samples, pooled, evidence, params.correction, params.alpha)
    return chosen.verdict(base, columns, evidence, samples[0].columns, (pooled.m, pooled.n), params)


def _numeric(
    layout: Layout, cells: Cells, chosen: Statistic
) -> Callable[[NDArray[np.int8]], Evidence]:
    """The test of one column: what depends on no permutation is computed here, once."""
    first, both = layout.observed(cells)
    compute = chosen.of(cells.values)
    value = float(compute(first, both)[0])
    far = value if compute is kolmogorov_smirnov else float(kolmogorov_smirnov(first, both)[0])
    m = int(first.sum())
    reported = chosen.report(value, m, int(both.sum()) - m)
    few = merged(cells, CELLS)

    def tested(signs: NDArray[np.int8]) -> Evidence:
        statistics = replace(layout, signs=signs).over_permutations(few, chosen.of(few.values))
        return Evidence(statistics**chosen.power, reported, far)

    return tested


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Draw the distributions of the columns, and what the test says of them."""
    from .two_samples.picture import picture

    return picture(samples, params, result, by_shares=True)


def by_spans(
    spans: Spans, params: Params, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test rows that nobody keeps: see `kstest.methods.two_samples.streamed_columns`."""
    from .two_samples import streamed_columns

    return streamed_columns.run(spans, params, STATISTICS[params.statistic], rng, work)


def check_spans(params: Params) -> None:
    """Refuse options that need all rows at once."""
    from .two_samples import streamed_columns

    streamed_columns.check_streamed(params)


TEST = Test(
    inputs=Inputs(
        roles=("reference", "sample"),
        accepts=frozenset({"categorical", "missing", "groups", "weights", "counts"}),
        params=Params,
        parts=parts,
        example="kstest ks reference.parquet batch.csv --columns temp --statistic ad",
        description=DESCRIPTION,
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    by_spans=by_spans,
    check_spans=check_spans,
    copies=lambda columns: 1.2 + 10 / columns,  # one column after the other
)
