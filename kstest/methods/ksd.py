"""Goodness-of-fit test by the kernel Stein discrepancy (KSD) over many bandwidths.

Null hypothesis: the rows are independent draws from a given density, known up to its constant.
`run` reads like the method: target and scores, support, whitening, bandwidths, sums of the Stein
kernel once, signs or simulated samples, one statistic out of all bandwidths, calibrate, explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Beside, Inputs, Test
from ..engine import Work
from ..engine.stein import SteinPoints
from ..errors import UsageError
from ..findings import summary
from ..findings import target as named
from ..kernels import BandwidthGrid
from ..nulls import p_value, threshold, varies
from ..params import NULL, alpha, check_common, draws, option, seed
from ..picture import Picture
from ..result import Notice, Result, unvarying
from ..sample import Sample
from ..targets import DISCRETE_NAMES, DiscreteTarget, Target, chosen_columns, resolve_discrete
from .by_column import LISTED
from .common import bandwidth_numbers
from .frequencies import verdict as frequencies
from .frequencies.picture import picture as picture_of_frequencies
from .frequencies.rounded import able, no_verdict, tested_as_rounded
from .stein import options as stein_options
from .stein.data import (
    Given,
    arrangement,
    coordinates,
    given_data,
    oddities,
    on_edge,
    outside_support,
    require_numbers,
    unused_scores,
)
from .stein.draws import INDEPENDENT, Draws, chains_of, worth_too_little
from .stein.explanation import explain, places
from .stein.picture import picture as picture_of_density
from .stein.result import (
    UNVARYING,
    combined,
    fits,
    impossible,
    kernel_block,
    null_block,
    per_bandwidth,
    strongest,
    too_few,
    undecided,
)
from .stein.robust import robust
from .stein.rounding import finest, grids, too_coarse
from .stein.statistic import (
    LANDMARKS,
    MANY_ROWS,
    Setup,
    by_features,
    landmarks,
    parametric,
    setup,
    wild,
)
from .stein.streamed import check_streamed
from .stein.streamed import run as by_spans

Array = NDArray[np.float64]

REFERENCES = """\
@inproceedings{liu2016kernelized,
  title     = {A Kernelized {Stein} Discrepancy for Goodness-of-fit Tests},
  author    = {Liu, Qiang and Lee, Jason D. and Jordan, Michael},
  booktitle = {International Conference on Machine Learning}, pages = {276--284},
  year      = {2016}, note = {arXiv:1602.03253}
}
@inproceedings{chwialkowski2016kernel,
  title     = {A Kernel Test of Goodness of Fit},
  author    = {Chwialkowski, Kacper and Strathmann, Heiko and Gretton, Arthur},
  booktitle = {International Conference on Machine Learning}, pages = {2606--2615},
  year      = {2016}, note = {arXiv:1602.02964}
}
@inproceedings{gorham2017measuring,
  title     = {Measuring Sample Quality with Kernels},
  author    = {Gorham, Jackson and Mackey, Lester},
  booktitle = {International Conference on Machine Learning}, pages = {1292--1301},
  year      = {2017}, note = {arXiv:1703.01717}
}
@inproceedings{schrab2022ksd,
  title     = {{KSD} Aggregated Goodness-of-fit Test},
  author    = {Schrab, Antonin and Guedj, Benjamin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {35},
  year      = {2022}, note = {arXiv:2202.00824}
}
"""

# Below this the wild bootstrap's shape is off by a little, and simulating costs little.
PARAMETRIC_ROWS = 200


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    target: Any = stein_options.target(
        "; fit:gmm:K, fit:kde with --reference; or a discrete distribution, whose frequencies are "
        f"tested ({', '.join(DISCRETE_NAMES)}), such as 'poisson(rate=3)'"
    )
    score_prefix: str = option(
        "",
        "In place of --target: columns PREFIX + NAME hold the score (gradient of the log "
        "density) with respect to x_NAME, or else NAME.",
        metavar="PREFIX",
    )
    reference: Any = option(
        "",
        "A file that --target fit:gmm:K (Gaussian mixture) or fit:kde (kernel density) is fitted "
        "to; the null distribution is simulated with refitting.",
        metavar="FILE",
        brief="A sample to fit the target to.",
    )
    param: Any = stein_options.param()
    allow_python: bool = stein_options.allow_python()
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()
    kernel: str = stein_options.kernel()
    bandwidth: str = stein_options.bandwidth("aggregate")
    aggregate: str = stein_options.aggregate()
    statistic: str = option(
        "u", "U-statistic (unbiased) or V-statistic (with the diagonal).", choices=("u", "v")
    )
    scale: str = stein_options.scale()
    features: str = option(
        "auto",
        "Sum over all pairs of rows (none), or over their features at so many landmark rows "
        f"(Nystrom): auto takes {LANDMARKS} landmarks from {MANY_ROWS:,} rows on.",
        metavar="auto|none|NUMBER",
    )
    null: str = option(
        "auto",
        "Null distribution: samples simulated from the target (parametric), random signs for "
        "independent rows (wild), or signs that persist (markov) for rows that depend on their "
        "neighbours. auto takes markov for chains, else simulates below "
        f"{PARAMETRIC_ROWS} rows where the target can, else takes wild.",
        choices=("auto", "wild", "markov", "parametric"),
        section=NULL,
    )
    flip: str = stein_options.flip()
    contamination: float = option(
        0.0,
        "Test whether the data are the target but for this share of rows, which may be anything: "
        "at large n no model is exactly right. Uses one bandwidth.",
        brief="Share of the rows that may be anything.",
    )
    explain: str = option(
        "auto",
        "What drives the discrepancy: columns and three places, of a rejection (auto); columns and "
        "K places, whatever the verdict (places=K); or nothing (none).",
        metavar="auto|none|places=K",
        brief="What to explain a rejection by.",
    )
    bound: float = option(
        0.0,
        "With --contamination: a bound of the tilted Stein kernel that you can prove; 0 derives "
        "it, for normal distributions and their mixtures.",
    )

    def __post_init__(self) -> None:
        check_common(self)
        if bool(self.score_prefix) == (not isinstance(self.target, str) or bool(self.target)):
            raise UsageError(
                "give either --target, for example --target 'normal(mean=0, sd=1)', or "
                "--score-prefix, for example --score-prefix score_"
            )
        if self.features not in ("auto", "none") and not self.features.isdigit():
            raise UsageError(f"--features {self.features}: give auto, none or a number of rows")
        stein_options.check_flip(self.flip)
        places(self.explain)
        numbers = bandwidth_numbers(self.bandwidth)
        if not 0 <= self.contamination < 1 or self.bound < 0:
            raise UsageError(
                f"--contamination {self.contamination}, --bound {self.bound}: give a share from 0 "
                "to 1, and a bound of at least 0"
            )
        if self.contamination and (len(numbers) > 1 or self.null in ("markov", "parametric")):
            raise UsageError(
                "--contamination: takes one bandwidth (--bandwidth median or a number) and "
                "independent rows (--null wild)"
            )


def columns(params: Params) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Which columns of a file are worth reading when --columns does not say."""
    return chosen_columns(params.target, params.score_prefix, params.param)


def picture(samples: Sequence[Sample], params: Params, result: Result) -> Picture:
    """Return what there is to draw about the result of `run`."""
    discrete = _discrete(samples[0], params)
    if discrete is not None:
        return picture_of_frequencies(samples, discrete, params, result)
    return picture_of_density(samples, params, result)


def _discrete(sample: Sample, params: Params) -> DiscreteTarget | None:
    if params.score_prefix:
        return None
    return resolve_discrete(params.target, (*sample.columns, *sample.categorical))


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether a sample consists of independent draws from a given density.

    Parameters
    ----------
    samples : one Sample
        n rows.
    params : Params
        `target` is a text as on the command line, or in Python an object with a method
        `score(X)`, (n, d) to (n, d), and optionally `logpdf(X)` and `sample(n, rng)`.
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one bandwidth the statistic is the U-statistic sum_{i != j} u(x_i, x_j) / (n (n - 1))
        of the Stein kernel u (see `kstest.engine.stein`), an unbiased estimate of the squared
        kernel Stein discrepancy, which is negative half of the time under the null; with
        several it is their aggregate, without a unit. From 512 rows on, rows share signs in bins
        formed at random, and pairs within a bin are left out. No verdict with fewer than 2 rows,
        or too few for signs to reach p <= alpha.

    Notes
    -----
    ``parametric`` is exact: p <= alpha has probability at most alpha at every n and d, over data
    and seed, because the statistics of the data and of the simulated samples are made alike.
    With parameters fitted to the data it is a parametric bootstrap with refitting, asymptotic.
    Coordinates and bandwidths come from rows simulated from the target, or from the data where
    it cannot be sampled; the test is then timid while n is below about 20 d. ``wild`` and
    ``markov`` are asymptotic in n: the signs copy the null distribution of a degenerate statistic.
    Measured levels are printed by ``benchmarks/stein.py``.

    A discrete target (`kstest.targets.discrete`) has no score: the frequencies of its values are
    compared with it, by kernels on the cells against simulated counts (at least 1,999, and 20 per
    column and level), exactly; see `kstest.methods.frequencies`. So are columns that were rounded
    to a grid too coarse for the density (`kstest.methods.stein.rounding`), where the
    probabilities between the roundings are known; elsewhere they get no verdict. On a finer grid
    bandwidths are at least two steps, so that no kernel sees the rounding.

    Coordinates with a bounded support are mapped to the line with their log-Jacobian; a row
    outside the support rejects at once, since under the null it has probability 0. The test is
    blind to the weights of well separated modes (see `kstest.pksd`) and to a single row however far
    away, and loses power as d grows.

    References
    ----------
    Liu, Lee, Jordan (2016), arXiv 1602.03253; Chwialkowski, Strathmann, Gretton (2016), arXiv
    1602.02964; kernel choice: Gorham, Mackey (2017), arXiv 1703.01717; aggregation: Schrab,
    Guedj, Gretton (2022), arXiv 2202.00824, and `kstest.nulls.aggregate`.

    Examples
    --------
    >>> import kstest, numpy
    >>> X = numpy.random.default_rng(1).normal(size=(300, 2))
    >>> kstest.ksd(X, target="normal(mean=0, sd=1)").verdict
    'not rejected'
    >>> kstest.ksd(X, target="student_t(df=3)").verdict
    'rejected'
    >>> ranks = numpy.random.default_rng(1).integers(0, 10, size=300)
    >>> kstest.ksd(ranks, target="discrete_uniform(0, 9)").verdict
    'not rejected'
    """
    sample = samples[0]
    spare = unused_scores(sample, params)
    discrete = _discrete(sample, params)
    if discrete is not None:
        chains_of(sample, params, INDEPENDENT["discrete"])
        frequencies.require_usable(params)
        found = frequencies.run(sample, discrete, params, rng)
        return replace(found, warnings=(*spare, *found.warnings))
    require_numbers(sample)
    given = given_data(samples, params)
    on_grids = grids(given)
    coarse = too_coarse(on_grids, sample.n)
    fitted = given.target is not None and given.target.fitted
    chain = chains_of(sample, params, INDEPENDENT["fitted"] if fitted else "")
    if chain is None and (coarse or on_edge(given)) and able(given, on_grids, params):
        found = tested_as_rounded(given, on_grids, params, rng)
        return replace(found, warnings=(*spare, *found.warnings))
    base = Result(
        method="ksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sample.n},
        d=len(given.columns),
        columns=given.columns,
    )
    if coarse:
        return no_verdict(replace(base, warnings=spare), given, coarse)
    outside = outside_support(given)
    if outside:
        return impossible(base, outside, params)
    distribution = _null(params, given.target, sample.n) if chain is None else "markov"
    if too_few(sample.n, distribution, params.alpha):
        return undecided(base, params)

    Y, S = coordinates(given)
    order, rng = arrangement(Y, S, distribution, rng, chain)
    draws = None if chain is None else Draws.of(Y[order], S[order], chain[order], given.columns)
    notices = (*spare, *oddities(Y, S, given, distribution, draws))
    if draws is not None and draws.too_few:
        return worth_too_little(replace(base, warnings=notices), draws)
    Y, S = Y[order], S[order]
    made = setup(Y, given.target, params, rng, finest(on_grids))
    points, grid = made.frame.points(Y, S), made.grid

    if params.contamination:
        return _robust(base, Y, points, made, given, params, rng, work, notices)
    if distribution == "parametric" and given.target is not None:
        T, size = parametric(Y, S, made, given.target, params, rng, work)
        signs = None
    else:
        count = landmarks(params, sample.n, distribution)
        T, size, signs = (
            by_features(points, grid, count, params, rng, work)
            if count
            else wild(points, grid, distribution, params, rng, work, draws)
        )
    one, keep = combined(T, size, params, sample.n)
    if not varies(one):
        return unvarying(replace(base, warnings=notices), *UNVARYING)
    p = p_value(one)
    findings = [summary(fits(p <= params.alpha, draws)), *per_bandwidth(T, keep, grid)]
    count = places(params.explain)
    if count and (p <= params.alpha or params.explain != "auto"):
        narrow = BandwidthGrid(grid.kernel, (grid.bandwidths[strongest(T, keep)],))
        rows = sample.row_numbers
        said = 1 if params.explain == "auto" else LISTED
        findings += explain(points, order, narrow, given.X, given.columns, rows, count, said)
    return base.told(
        *findings,
        named(given.name),
        *([] if draws is None else [draws.finding()]),
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(one[0]),
        p_value=p,
        threshold=threshold(one, params.alpha),
        kernel=kernel_block(params.kernel, grid, params),
        null=null_block(distribution, sample.n, params, given.target, signs),
        warnings=notices,
    )


def _null(params: Params, target: Target | None, n: int) -> str:
    if target is not None and target.fitted:
        if params.null in ("wild", "markov"):
            raise UsageError(
                f"--null {params.null}: {target.name} is fitted to the tested data, which random "
                "signs do not know about; use --null parametric"
            )
        return "parametric"
    able = target is not None and target.sample is not None
    if params.null == "parametric" and not able:
        raise UsageError(
            "--null parametric: this target cannot be sampled from; use --null wild or markov"
        )
    if params.contamination:
        return "wild"
    if params.null != "auto":
        return params.null
    return "parametric" if able and n < PARAMETRIC_ROWS else "wild"


def _robust(
    base: Result,
    Y: Array,
    points: SteinPoints,
    made: Setup,
    given: Given,
    params: Params,
    rng: np.random.Generator,
    work: Work,
    notices: tuple[Notice, ...],
) -> Result:
    T, found, bins = robust(Y, points, made, given.target, params, rng, work)
    p = p_value(T)
    share = f"{params.contamination:.3g} of the rows"
    sentences = {
        True: f"the data do not fit the target, even if {share} may be anything",
        False: f"no evidence at this level against the target, if {share} may be anything",
    }
    return base.told(
        summary(sentences[p <= params.alpha]),
        named(given.name),
        *found,
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(T[0]),
        p_value=p,
        threshold=threshold(T, params.alpha),
        kernel=kernel_block(f"tilted {params.kernel}", made.grid, params),
        null={**null_block("wild", bins, params, given.target), "scheme": "centred random signs"},
        warnings=notices,
    )


TEST = Test(
    inputs=Inputs(
        roles=("data",),
        accepts=frozenset({"categorical", "chains"}),
        params=Params,
        beside=(Beside("reference"),),
        columns=columns,
        example="kstest ksd data.csv --target 'normal(mean=0, sd=1)' --columns x",
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
    by_spans=by_spans,
    check_spans=check_streamed,
    copies=lambda columns: 14.0,
)
