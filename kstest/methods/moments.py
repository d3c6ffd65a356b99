"""Test whether what a formula leaves over is unrelated, in the mean, to given columns.

Null hypothesis: E[residual | given columns] = 0. `run` reads like the method: residual, parameters
and their influence, kernel of the given columns, sums over pairs once, signs or outcomes drawn
anew, one statistic out of all bandwidths, calibrate, say where. Its steps are in the folder
`moment`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs, Test
from ..engine import Work
from ..errors import UsageError, printable
from ..findings import Facts, Line, summary
from ..kernels import SCALES, BandwidthGrid, lacking, serving
from ..nulls import p_value, threshold, varies
from ..params import NULL, alpha, check_common, draws, option, seed
from ..result import Notice, Result, unvarying
from ..sample import Sample
from ..wording import in_words, listed
from .common import bandwidth_numbers, grids
from .moment.distributions import (
    LEAST_PER_PARAMETER,
    LEAST_UNITS,
    Units,
    cut_rows,
    drawn_of,
    impossible,
    units_of,
)
from .moment.estimate import Fit, NotIdentified, fitted
from .moment.picture import picture
from .moment.question import Null, Question, columns, residual_of
from .moment.report import findings, notices, null_block
from .moment.statistic import redrawn, signed
from .moment.symmetry import unsound_signs
from .stein.result import combined, per_bandwidth
from .stein.result import impossible as rejected_at_once

Array = NDArray[np.float64]

REFERENCES = """\
@inproceedings{muandet2020kernel,
  title     = {Kernel Conditional Moment Test via Maximum Moment Restriction},
  author    = {Muandet, Krikamol and Jitkrittum, Wittawat and K{\\"u}bler, Jonas},
  booktitle = {Conference on Uncertainty in Artificial Intelligence},
  year      = {2020}, note = {arXiv:2002.09225}
}
@inproceedings{kremer2023estimation,
  title     = {Estimation Beyond Data Reweighting: Kernel Method of Moments},
  author    = {Kremer, Heiner and Nemmour, Yassine and Sch{\\"o}lkopf, Bernhard and Zhu, Jia-Jie},
  booktitle = {International Conference on Machine Learning},
  year      = {2023}, note = {arXiv:2305.10898}
}
"""

SENTENCES = {
    True: "the residual depends on {given} in its mean, which is not always 0",
    False: "no evidence at this level that the mean of the residual given {given} is other than 0",
}
NOTHING = "the fit makes the residual's mean 0 for every value of the given columns"
# Residuals that a fit leaves of larger ones, and that are only rounding.
ROUNDING = 1e-13
CONSTANT = "all residuals are 0"
UNSOUND = "no decision is possible: random signs may be wrong for such residuals"


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    residual: str = option(
        "",
        "What should be 0 on average, in column names: 'y - p', or with parameters "
        "'y - b0 - b1*x'; + - * / **, exp, log, sqrt and so on, and `odd names` in backquotes.",
        metavar="EXPRESSION",
        brief="What should be 0 on average, such as 'y - p'.",
    )
    given: str = option(
        "",
        "Columns that the residual should be unrelated to, such as p,age,'x*'; by default the "
        "instruments. The claim is conditional on these alone: name all that matter.",
        metavar="LIST",
        brief="Columns it should be unrelated to.",
    )
    fit: str = option(
        "",
        "Parameters of the residual, fitted to these rows by least squares (with --instruments by "
        "two-step GMM), with a start where it is not linear in them: b0,b1=0.5.",
        metavar="NAME[=START],...",
        brief="Parameters of the residual, to be fitted.",
    )
    instruments: str = option(
        "",
        "Fit the parameters so that the residual is uncorrelated with these columns and of mean 0; "
        "whether it is unrelated to them in any other way is then tested.",
        metavar="LIST",
        brief="Columns to fit parameters by.",
    )
    null: str = option(
        "auto",
        "Null distribution: random signs of the residuals (signs), outcomes drawn with the "
        "predicted probabilities (bernoulli) or means (poisson), or normal residuals of this "
        "standard deviation (normal for 1, 'normal(0, sd)'). auto draws outcomes of 0 and 1 where "
        "--given names their probability, else takes signs.",
        metavar="auto|signs|bernoulli|poisson|normal",
        section=NULL,
        brief="signs, bernoulli, poisson or normal.",
    )
    alpha: float = alpha()
    draws: int = draws()
    seed: int = seed()
    kernel: str = option(
        "gaussian",
        "Kernel of the given columns.",
        choices=serving("has_bandwidth"),
        refused=lacking("has_bandwidth"),
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths: five around the median distance, combined (aggregate); the median distance "
        "(median); or numbers, in units of the scaled columns.",
        metavar="aggregate|median|NUMBER[,NUMBER...]",
    )
    aggregate: str = option(
        "studentised",
        "How several bandwidths become one statistic.",
        choices=("studentised", "minp", "fuse"),
    )
    scale: str = option(
        "robust",
        "Unit of each given column: median absolute deviation, standard deviation, or as it is.",
        choices=SCALES,
    )
    features: str = option(
        "auto",
        "Sum over all pairs of rows (none), or over their features at so many landmark rows; auto: "
        "all pairs up to 20,000 rows (4,096 where outcomes are drawn).",
        metavar="auto|none|NUMBER",
    )
    block_length: str | None = option(
        None,
        "For rows in order of time: blocks of this many consecutive rows share a sign; auto takes "
        "the length from the autocorrelation of the residuals.",
        metavar="auto|ROWS",
        section=NULL,
        brief="For rows in order of time: blocks of them.",
    )

    def __post_init__(self) -> None:
        check_common(self)
        if not self.residual:
            raise UsageError(
                "--residual: say what should be 0 on average, for example --residual 'y - p' "
                "--given p"
            )
        if not self.given and not self.instruments:
            raise UsageError("--given: name the columns that the residual should be unrelated to")
        residual_of(self)
        Null.read(self.null)
        if self.instruments and not self.fit:
            raise UsageError(
                "--instruments: fit parameters, and --fit names none; name the columns in --given"
            )
        bandwidth_numbers(self.bandwidth)
        text = self.features
        if text not in ("auto", "none") and not (text.isdecimal() and 5 <= int(text) <= 4096):
            raise UsageError(f"--features {text}: give auto, none or a number of rows, 5 to 4096")
        text = self.block_length or "auto"
        if text != "auto" and not (text.isdecimal() and int(text) > 0):
            raise UsageError(f"--block-length {text!r}: give auto, or a whole number of rows")


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether what a formula leaves over is 0 on average, whatever given columns are.

    Parameters
    ----------
    samples : one Sample
        n rows.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one bandwidth the statistic is

            sum_{i != j} r_i r_j k(w_i, w_j) / (n (n - 1)) / mean r^2,

        r the residuals and w the given columns; with several it is their aggregate. No verdict
        with fewer than 12 rows, groups or blocks of time under random signs, fewer than 8 for each
        fitted parameter, parameters that the data do not determine, or a fit that leaves nothing to
        test (as many parameters as the given columns have values).

    Notes
    -----
    Outcomes drawn anew (``bernoulli``, ``poisson``, ``normal``) are exact: p <= alpha has
    probability at most alpha at every n, if every outcome is an independent draw with its
    predicted probability, mean or standard deviation. That is more than E[r | given] = 0 unless the
    given columns hold what the prediction is made of, which a warning says.

    Random signs ask for E[r | given] = 0 and independent rows (`group`, `block_length`: groups or
    blocks of time) and nothing of the spread of r. They are exact where r is symmetric given w,
    else asymptotic: few rows of a very skewed residual, whose mean few of them decide, reject too
    often. A rejection with nothing fitted is therefore no verdict where a test of symmetry rejects
    at level .1 and p lies above alpha less what the skewness adds to the level (see
    `kstest.methods.moment.symmetry`), or where all outcomes are the same. After a fit the signs
    carry the influence of every row on the parameters with them,

        r*_i = e_i r_i + G_i . mean_j e_j IF_j,

    without which the test hardly ever rejects, and r_i comes from a fit to the other rows or
    groups, without which single rows or groups that decide on a parameter make it reject too often.
    Every draw is then in units of its own mean square. Asymptotic, for parameters that are well
    determined (see `kstest.methods.moment.estimate`). Measured: ``benchmarks/moments.py``.

    Predictions have to come from other rows than these, or their parameters from --fit: a model
    that has seen the outcomes leaves residuals that are no test of it, which no test can see.

    References
    ----------
    Statistic: Muandet, Jitkrittum, Kuebler (2020), arXiv 2002.09225; conditional moments in a
    kernel's space as an estimator: Kremer, Nemmour, Schoelkopf, Zhu (2023), arXiv 2305.10898.
    Specification tests with estimated parameters by multipliers: Stute, Gonzalez Manteiga, Presedo
    Quindimil (1998), Journal of the American Statistical Association 93; signs of left-out
    residuals: Davidson, Flachaire (2008), Journal of Econometrics 146. Two-step GMM and J: Hansen
    (1982), Econometrica 50. First-stage F: Sanderson, Windmeijer (2016), Journal of Econometrics
    190. Aggregation as in `kstest.nulls.aggregate`.

    Examples
    --------
    >>> import kstest, numpy, pandas
    >>> rng = numpy.random.default_rng(1)
    >>> p, north = rng.uniform(0.2, 0.8, 1500), rng.random(1500) < 0.5
    >>> y = rng.random(1500) < p + numpy.where(north, -0.12, 0.12)
    >>> table = pandas.DataFrame({"y": y, "p": p, "north": north})
    >>> kstest.moments(table, residual="y - p", given="p").verdict
    'not rejected'
    >>> result = kstest.moments(table, residual="y - p", given="p,north")
    >>> result.verdict, result.explanation["where"][0]["where"]
    ('rejected', 'north = 1')
    """
    question = Question.of(samples[0], params)
    base = _base(question, params)
    if question.n < 2:
        why = f"{question.n} row{'s' * (question.n != 1)}: the test needs at least 2"
        return _no_verdict(base, "too few rows to decide", Notice("too-few-rows", why))
    r, _ = question.residual(question.start)
    question.require_finite(r, "the residual", ", or give --fit another start" * bool(params.fit))
    drawn = drawn_of(question, params)
    if drawn is not None and (never := impossible(drawn, question, r)):
        return rejected_at_once(base, never, params, "predictions")
    units = units_of(question, params, r)
    lacking = _lacking(question, units, params) if drawn is None else None
    if lacking is not None:
        return _no_verdict(base, "too few rows to decide", lacking)
    fit: Fit | None = None
    if question.parameters:
        try:
            fit = fitted(question, units.of)
        except NotIdentified as why:
            notice = Notice("unsound-parameters", str(why))
            return _no_verdict(base, "no decision is possible: parameters not identified", notice)
        r = np.where(np.abs(fit.residual).max() > ROUNDING * np.abs(r).max(), fit.residual, 0.0)
    if not np.abs(r).max() > 0:
        return unvarying(base, "draw of the null", CONSTANT)

    rows = question.given.scaled(params.scale)
    # Draws are not to know the true outcomes; a fit is the same in any order but for its last bit.
    keys = question.X if drawn is None else drawn.parameter[:, None]
    cut, rng = cut_rows(rows, keys, units, rng)
    grid = grids(rows.take(cut.order), params.kernel, params.bandwidth, "octaves", rng)[0]
    if drawn is None:
        found = signed(rows, r, fit, cut, [grid], params, rng, work)
    else:
        found = redrawn(rows, r, drawn, cut, [grid], params, rng, work)
    bins = question.n if drawn is not None else len(cut.starts) - 1
    base = replace(
        base,
        kernel=_kernel(grid, found.landmarks, params),
        null=null_block(drawn, fit, units, bins, params),
        warnings=notices(question, fit, drawn, r, units),
    )
    one, keep = combined(found.T, found.size, params, question.n)
    if not keep.any() or not varies(one):
        return unvarying(base, "draw of the null", NOTHING if fit else CONSTANT)
    p = p_value(one)
    rejected = p <= params.alpha
    if rejected and drawn is None and fit is None:
        doubt = unsound_signs(question, r, units, cut.order, p, params.alpha)
        if doubt is not None:
            told = base.told(*findings(question, fit, drawn, r, units, False))
            return told.told(summary(UNSOUND), warnings=(*base.warnings, doubt))
    text = SENTENCES[rejected].format(given=in_words(question.given.names))
    return base.told(
        summary(text),
        *per_bandwidth(found.T, keep, grid, "mmr"),
        *findings(question, fit, drawn, r, units, rejected),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(one[0]),
        p_value=p,
        threshold=threshold(one, params.alpha),
    )


def _lacking(question: Question, units: Units, params: Params) -> Notice | None:
    """Say what is missing for random signs: units at all, or for so many parameters."""
    count = len(question.parameters)
    signs = 1 + math.ceil(-math.log2(params.alpha))  # fewer do not reach the level
    needed = max(LEAST_UNITS, LEAST_PER_PARAMETER * count, signs)
    if units.count >= needed:
        return None
    what = f" and {count} parameters" * (count > 0)
    why = f"{units.count:,} {units.name}: random signs{what} take at least {needed}"
    return Notice("too-few-rows", why)


def _base(question: Question, params: Params) -> Result:
    given = question.given.names
    text = f"{printable(params.residual.strip())}, given {listed(given)}"
    return Result(
        method="moments",
        verdict="no verdict",
        alpha=params.alpha,
        n={question.sample.name: question.n},
        d=len(given),
        columns=given,
    ).told(Facts("residual", params.residual.strip(), (Line("residual", text, "target"),)))


def _kernel(grid: BandwidthGrid, marks: int, params: Params) -> dict[str, Any]:
    several = len(grid) > 1
    found = {
        "name": params.kernel,
        "bandwidths": grid.bandwidths,
        "aggregate": params.aggregate if several else None,
        "scale": params.scale,
    }
    return {**found, "landmarks": marks} if marks else found


def _no_verdict(base: Result, sentence: str, why: Notice) -> Result:
    return base.told(summary(sentence), warnings=(why,))


TEST = Test(
    inputs=Inputs(
        roles=("data",),
        accepts=frozenset({"categorical", "missing", "groups"}),
        params=Params,
        columns=columns,
        example="kstest moments forecast.csv --residual 'y - p' --given p,age,region",
        description="Are predicted probabilities right for every region and age? Is a regression "
        "or calibration formula right everywhere? Are instruments valid? Tests whether the "
        "residual is 0 on average whatever the given columns are, with fitted parameters accounted "
        "for. Predictions have to come from other rows than these.",
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
)
