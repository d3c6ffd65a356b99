"""Independence test by the Hilbert-Schmidt independence criterion (HSIC) over many bandwidths.

Null hypothesis: the blocks of columns are independent of each other, and the rows exchangeable.
`run` reads like the method: arrange the rows in bins, choose bandwidths, multiply the centred
kernels once, evaluate all permutations, combine the bandwidths, calibrate. Its steps are in
the folder `dependence`: `statistics`, all pairs of columns in `pairwise`, what is said besides in
`result`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract import Inputs, Spans, Test
from ..engine import Work
from ..findings import Facts, summary
from ..nulls import p_value, threshold, varies
from ..result import Notice, Result, unvarying
from ..sample import Sample
from .dependence.arrangement import (
    GROUPS,
    STRETCHES,
    Arranged,
    Plan,
    arrange,
    group_rows,
    plan,
    seeded,
)
from .dependence.column_blocks import Block
from .dependence.combinations import combined
from .dependence.min_effect import thresholded
from .dependence.options import Params as Params
from .dependence.options import column_names, columns, resolved, with_blocks
from .dependence.result import (
    SENTENCES,
    column_pairs,
    dependence,
    kernel_block,
    null_block,
    serial_notice,
    series_of,
    strongest,
)
from .dependence.statistics import landmarks_used, prepared, statistics

if TYPE_CHECKING:
    from ..picture import Picture
    from .dependence.conditional import Given

REFERENCES = """\
@inproceedings{gretton2007kernel,
  title     = {A Kernel Statistical Test of Independence},
  author    = {Gretton, Arthur and Fukumizu, Kenji and Teo, Choon Hui and Song, Le and
               Sch{\\"o}lkopf, Bernhard and Smola, Alex},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {20}, year = {2007}
}
@inproceedings{schrab2022efficient,
  title     = {Efficient Aggregated Kernel Tests using Incomplete {U}-statistics},
  author    = {Schrab, Antonin and Kim, Ilmun and Guedj, Benjamin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {35}, year = {2022}, note = {arXiv:2206.09194}
}
@article{pfister2018kernel,
  title   = {Kernel-based Tests for Joint Independence},
  author  = {Pfister, Niklas and B{\\"u}hlmann, Peter and Sch{\\"o}lkopf, Bernhard and
             Peters, Jonas},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume  = {80}, number = {1}, pages = {5--31}, year = {2018}, note = {arXiv:1603.00285}
}
@inproceedings{domingoenrich2025cheap,
  title     = {Cheap Permutation Testing},
  author    = {Domingo-Enrich, Carles and Dwivedi, Raaz and Mackey, Lester},
  year      = {2025}, note = {arXiv:2502.07672}
}
"""

# Fewer rows have no U-centred kernel.
LEAST_ROWS = 4
CONSTANT = "a block is constant or its bandwidth far below or above its distances"


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether blocks of columns are independent.

    Parameters
    ----------
    samples : one Sample
        n rows; the blocks of columns that the options name, or else its two columns, are tested
        against each other, with `all_pairs` every column against every other.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        Two blocks and one bandwidth each: the statistic is the unbiased estimate of HSIC,

            sum_{i != j} k~(x_i, x_j) l~(y_i, y_j) / (n (n - 3)),

        k~ and l~ being the U-centred kernels (`kstest.engine.margins`). More blocks: dHSIC
        (Pfister et al. 2018). Several bandwidths: their aggregate, without a unit. All pairs: no
        statistic; the p-value is the smallest of Holm's adjusted p-values. No verdict with fewer
        rows or bins than p <= alpha needs.

    Notes
    -----
    Exact: p <= alpha has probability at most alpha at every n and d, over the data and the seed,
    if the rows are exchangeable and the blocks independent; ties and heavy tails do no harm.
    Scaling, bandwidths and the choice of informative kernels use each block by itself. Rows that
    depend on their neighbours in time are not exchangeable; a warning says so.

    With `block_length`, blocks of that many consecutive rows are permuted instead. That rests on
    the blocks being nearly independent of each other and on stationary series, and is approximate
    (``exact`` is false); a common trend over the record is dependence to it. ``auto`` takes
    some times the memory of the slowest column, of its values or their sizes, and gives no verdict
    if the record has too few such blocks.

    With `group`, whole groups of one size are permuted, each with its rows in file order: exact if
    groups are exchangeable, however their rows depend on each other.

    With `given`, where values of the given columns repeat, only what is equal in them changes
    places (rows; groups equal row by row; blocks of time), and the p-value is exact (blocks of time
    are approximate). Else it is approximate (``exact`` is false), in three steps. Every tested
    column is predicted from the given ones by the learner that predicts rows it has not seen best,
    out of fold (mean, straight line, function of one straight line, smooth function, sum of
    functions, boosted trees), and the prediction is taken out. Kernel features of what is left are
    smoothed over the given columns once more, each by generalised cross-validation, straight lines
    taken out whole. With A and B what that leaves of two blocks, W kernel features of the given
    columns or 1, the statistics are

        sum_{i != j} (A_i . A_j) (B_i . B_j) (W_i . W_j) / (n (n - 1)),

    and their null distribution is that of random signs of rows (of groups, of blocks of time),
    independent for each block, smoothed again (`kstest.methods.dependence.signs`). Of three blocks
    or more: the same of all pairs, of triples and of all blocks (parts of the total multivariance;
    Boettcher et al. 2019). Two rows of one group or block of time are left out of these sums like a
    row with itself.

    That rests on the product of the errors of two regressions being small beside the noise, sqrt(n)
    mean |error_x error_y|: each error o(n^(-1/4)), or one side right whatever the other (Shah,
    Peters 2020, who also show that no test of conditional independence is valid without such an
    assumption). Equal spreads are not asked for. Rows where a prediction changes by more than the
    residuals' standard deviation between neighbours are left out, by the given columns and the
    predictions alone. A rejection is **no verdict** where learning from half of the rows instead of
    four fifths says that more rows would still improve the prediction of both (sqrt(n growth_x
    growth_y) > 1, growth that of the loss), or where over 1 % of the rows stand at a step of both;
    also with fewer than 50 rows (20 groups or blocks of time, 3 per given column and 3, 40 per
    given column from five on). With groups or blocks of time it also rests on a row depending on
    the given columns by their values in this row only. Measured levels and power:
    ``benchmarks/conditional.py``. ``conditional="permutation"`` permutes the blocks as they are
    among neighbours (local permutation; Kim, Neykov, Balakrishnan, Wasserman 2022), which is right
    only where they hardly change within a neighbourhood, and warns where they do. ``auto`` takes
    the memory of what the given columns leave.

    With `lags`, y is tested against x at every delay in a range, rows being in order of time and
    equally spaced (`kstest.methods.dependence.delays`). It rests on each series being stationary;
    p is at least 1 over the number of windows of shifts, and no verdict is given with fewer than
    20, or where a rejection rests on two series that drift.

    With `min_effect` the null hypothesis is that no two columns depend on each other by more, as
    their rank correlation and those of folded ranks say; p is the larger one of that of
    independence and that of the effects, which is asymptotic (`kstest.nulls.rank_bounds`).

    Of files that are read in two passes no row is kept. Rows are rounded to cells, and what
    permutations make of their counts is drawn: for two blocks, and exact all the same
    (`kstest.methods.dependence.streamed`).

    Without `lags` rows are sorted by value before they are shuffled with the seed, so the answer
    does not depend on their order in the file.

    References
    ----------
    Gretton et al. (2007), NeurIPS 20; the unbiased form in Song et al. (2012), JMLR 13; bandwidths
    of Schrab et al. (2022), arXiv 2206.09194; aggregation as in `kstest.nulls.aggregate`; dHSIC of
    Pfister et al. (2018), arXiv 1603.00285; permutations as in `kstest.nulls.pairings`. Given
    columns: residual kernels in Zhang, Peters, Janzing, Schoelkopf (2012), arXiv 1202.3775, and
    Pogodin et al. (2024), arXiv 2402.13196; products of residuals in Shah, Peters (2020), arXiv
    1804.07203, Scheidegger, Hoerrmann, Buehlmann (2022), arXiv 2111.04361, and Lundborg, Kim, Shah,
    Samworth (2024), arXiv 2211.02039; local permutation in Kim et al. (2022), arXiv 2112.11666;
    total multivariance in Boettcher, Keller-Ressel, Schilling (2019), arXiv 1711.07775.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> x = rng.normal(size=300)
    >>> y = x**2 + rng.normal(size=300)
    >>> kstest.hsic(x, y).verdict
    'rejected'
    """
    data = samples[0]
    names, _ = column_names(data, params)
    return thresholded(_tested(data, params, rng, work), data, names, params)


def _tested(data: Sample, params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test for any dependence at all."""
    names, given_names = column_names(data, params)
    used = [Block.of(data, block) for block in names]
    base = Result(
        method="hsic",
        verdict="no verdict",
        alpha=params.alpha,
        n={data.name: data.n},
        d=len(data.columns) + len(data.categorical),
        columns=(*data.columns, *data.categorical),
    )
    if data.n < LEAST_ROWS:
        return _refused(base, data.n, Plan(1), params)
    if params.lags:
        from .dependence.delay_test import test_delays

        return test_delays(base, data, names, params, rng, work)
    conditioned = [Block.of(data, given_names)] if given_names else []
    given = _given(data, conditioned[0], params, rng) if conditioned else None
    rng = seeded([*used, *conditioned], params.scale, rng)
    whole = Block.of(data, [name for block in names for name in block])
    how = plan(data.n, params, series_of(data, [whole], given)[0])
    bins = data.n // how.size
    if bins < how.least or math.factorial(min(bins, 20)) < 1 / params.alpha:
        return _refused(base, data.n, how, params)
    arranged = arrange(used, how, params.scale, rng, given)
    if arranged.cut.distinct < 1 / params.alpha:
        return _unalike(base, arranged, params)
    if given is not None and not arranged.equal and params.conditional == "residuals":
        from .dependence.signs import targets_of, too_few

        lacking = too_few(arranged)
        if lacking is not None:
            return _lacking(base, lacking)
        single = [Block.of(data, (name,)) for block in names for name in block]
        arranged = replace(arranged, targets=targets_of(arranged, single, params, rng))
    params = resolved(params, arranged.targets is not None)
    made = prepared(arranged, params, rng, work)
    base = replace(
        base,
        null=null_block(arranged, params),
        warnings=serial_notice(series_of(data, used, given), how),
    )
    if given is not None:
        from .dependence.conditional_notes import with_given

        base = with_given(base, arranged, made, params)
    if params.all_pairs:
        from .dependence.pairwise import test_pairs

        return test_pairs(base, arranged, made, params, rng, work)
    found = statistics(arranged, made, params, rng, work)
    T = combined(found, params.aggregate, data.n)
    base = replace(base, kernel=kernel_block(found, params, landmarks_used(made)))
    kind = min(len(names), 3)
    if T is None or not varies(T):
        return unvarying(base, "pairing of the rows", CONSTANT)
    p = p_value(T)
    rejected = p <= params.alpha
    base = base.told(
        summary(_sentence(kind, rejected, given_names)),
        Facts("blocks", [list(block) for block in names]),
        *strongest(found),
    )
    if rejected and arranged.targets is not None:
        from .dependence.doubt import UNLEARNED, doubted

        doubt = doubted(arranged, p, rng)
        if doubt is not None:
            return _doubtful(base, UNLEARNED, doubt)
    if rejected:
        rows = column_pairs(data, names, arranged, params, rng, work, found)
        base = base.told(dependence(rows))
    return replace(
        base,
        verdict="rejected" if rejected else "not rejected",
        statistic=float(T[0]),
        p_value=p,
        threshold=threshold(T, params.alpha),
    )


def _given(data: Sample, block: Block, params: Params, rng: np.random.Generator) -> Given:
    """What is known of the given columns."""
    from .dependence.conditional import Given

    groups = None if data.groups is None else group_rows(data.groups)
    return Given.of(block, groups, params, rng)


def _sentence(kind: int, rejected: bool, given: Sequence[str]) -> str:
    return SENTENCES[kind, rejected] + (f" given {' '.join(given)}" if given else "")


def _refused(base: Result, n: int, how: Plan, params: Params) -> Result:
    needed = max(LEAST_ROWS, how.least)
    while math.factorial(needed) < 1 / params.alpha:
        needed += 1
    if how.unit == GROUPS:
        why = (
            f"{n:,} rows are {n // how.size} groups: the test needs at least {needed} to reject at "
            f"level {params.alpha}"
        )
    elif how.unit == STRETCHES:
        why = (
            f"{n:,} rows are {n // how.size} blocks of {how.size} consecutive rows, and at least "
            f"{needed} are needed: take a longer series, or a smaller --block-length if its memory "
            "is known to be shorter"
        )
    else:
        why = (
            f"{n} row{'s' * (n != 1)}: the test needs at least {needed} to reject at level "
            f"{params.alpha}"
        )
    return _lacking(base, Notice("too-few-rows", why))


def _unalike(base: Result, arranged: Arranged, params: Params) -> Result:
    """No verdict: so few pairings could be told apart that none would be rejected."""
    why = (
        f"{arranged.how.unit} that are alike in --given can be paired in {arranged.cut.distinct} "
        f"ways: the test needs at least {math.ceil(1 / params.alpha)} to reject at level "
        f"{params.alpha}"
    )
    return _lacking(base, Notice("too-few-rows", why))


def _lacking(base: Result, why: Notice) -> Result:
    return base.told(summary("too few rows to decide"), warnings=(why,))


def _doubtful(base: Result, sentence: str, why: Notice) -> Result:
    """No verdict: a rejection that may be what was not learned of the given columns."""
    return base.told(summary(sentence), warnings=(why, *base.warnings))


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Draw the strongest pair of columns, or the table of all pairs."""
    from .dependence.picture import picture

    return picture(samples, params, result)


def by_spans(
    spans: Spans, params: Params, rng: np.random.Generator, work: Work
) -> tuple[Result, Sequence[Sample]]:
    """Test rows that nobody keeps: see `kstest.methods.dependence.streamed`."""
    from .dependence import streamed

    return streamed.run(spans, params, rng, work)


def check_spans(params: Params) -> None:
    """Refuse options that need all rows at once."""
    from .dependence import streamed

    streamed.check_streamed(params)


TEST = Test(
    inputs=Inputs(
        roles=("data",),
        accepts=frozenset({"categorical", "missing", "groups"}),
        params=Params,
        blocks=("x", "y", "z", "u", "v", "w"),
        columns=columns,
        with_blocks=with_blocks,
        example="kstest hsic measurements.parquet --x 'temp,humid' --y rate",
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    by_spans=by_spans,
    check_spans=check_spans,
    # Features of every row at 64 landmarks or more, for some five bandwidths, of each block.
    copies=lambda columns: min(80.0, 10 + 280 / columns),
)
