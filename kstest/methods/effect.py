"""Does a treatment change the distribution of an outcome, beyond what covariates explain?

`run` reads like the method: features of the outcome's kernels, what covariates predict of them,
what is left, its mean over the arms, the null distribution, bandwidths combined. Its steps are in
the folder `causal`. For means only, and nothing assumed of covariates, `mmd` compares two samples;
for the dependence of blocks of columns given others see `hsic`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..contract import Inputs, Test
from ..engine import Work, single_blas
from ..findings import Facts, Line, summary
from ..nulls import informative, p_value, replicates, threshold, varies
from ..result import Notice, Result, unvarying
from ..sample import Sample
from .causal.arms import of_arms
from .causal.balance import imbalance, many_covariates, out_of_balance
from .causal.counterfactual import counterfactual
from .causal.data import Study, studies
from .causal.features import (
    BANDWIDTHS,
    CovariateFeatures,
    OutcomeFeatures,
    covariate_features,
    outcome_features,
)
from .causal.lots import by_lot, lot, neighbours, require_whole_groups, slope
from .causal.nuisances import doubly_robust, leftover
from .causal.options import CROSS, RANDOMISED, columns
from .causal.options import Params as Params
from .causal.overlap import overlap, overlap_found, refused
from .causal.picture import picture
from .causal.quantiles import points_of
from .causal.result import (
    claim,
    distributions,
    mean_difference,
    normal_quantile,
    sentence,
    strongest,
)
from .causal.sensitivity import sensitivity_found
from .causal.statistic import (
    cross_statistic,
    multiplier_statistics,
    permutation_statistics,
    permutations_of,
    studentised_maximum,
    within,
)

Array = NDArray[np.float64]

REFERENCES = """\
@inproceedings{martineztaboada2023efficient,
  title     = {An Efficient Doubly-Robust Test for the Kernel Treatment Effect},
  author    = {Martinez Taboada, Diego and Ramdas, Aaditya and Kennedy, Edward H.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36}, year = {2023}, note = {arXiv:2304.13237}
}
@inproceedings{martineztaboada2024counterfactual,
  title     = {Counterfactual Density Estimation using Kernel {S}tein Discrepancies},
  author    = {Mart{\\'i}nez-Taboada, Diego and Kennedy, Edward H.},
  booktitle = {International Conference on Learning Representations},
  year      = {2024}, note = {arXiv:2309.16129}
}
@article{luedtke2024onestep,
  title   = {One-Step Estimation of Differentiable {H}ilbert-Valued Parameters},
  author  = {Luedtke, Alex and Chung, Incheoul},
  journal = {The Annals of Statistics}, year = {2024}, note = {arXiv:2303.16711}
}
@article{li2018balancing,
  title   = {Balancing Covariates via Propensity Score Weighting},
  author  = {Li, Fan and Morgan, Kari Lock and Zaslavsky, Alan M.},
  journal = {Journal of the American Statistical Association},
  volume  = {113}, number = {521}, pages = {390--400}, year = {2018}
}
@article{chernozhukov2018double,
  title   = {Double/Debiased Machine Learning for Treatment and Structural Parameters},
  author  = {Chernozhukov, Victor and Chetverikov, Denis and Demirer, Mert and Duflo, Esther and
             Hansen, Christian and Newey, Whitney and Robins, James},
  journal = {The Econometrics Journal},
  volume  = {21}, number = {1}, pages = {C1--C68}, year = {2018}, note = {arXiv:1608.00060}
}
"""

# Rows of an arm below which probabilities of treatment are not estimated.
LEAST_ROWS = 30
CONSTANT = "the outcome is constant"


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether a treatment changes the distribution of an outcome beyond its covariates.

    Parameters
    ----------
    samples : one or two Samples
        n rows: outcomes, covariates, and a treatment; or two samples with the same columns, the
        second of which counts as treated.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        The statistic combines those of all kernels, n |mean phi|^2 (`kernels` among the
        findings), without a unit. Beside it ``mean_difference`` with an interval at level
        1 - alpha, in units of the outcome, ``overlap`` and ``balance``. Of more than two arms
        every one is compared with the control, ``arms`` has what was found, and the p-value is the
        smallest by Holm's method. No verdict where the arms hardly overlap, an arm has fewer than
        30 rows (observational; groups, if there are any), labels can hardly be permuted
        (randomised), or the outcome is constant.

    Raises
    ------
    UsageError, DataError
        For missing outcomes or treatments, a treatment with one value or very many, columns of two
        parts, and groups of a randomised design that lie in both arms.

    Notes
    -----
    Let psi(y) be Nystrom features of a Gaussian kernel of the outcome, of .25, .5, 1, 2 and 4
    times the median distance, and of the same kernels of y - m(x), with m(x) what ridge regression
    predicts of the outcome out of fold, without looking at the treatment. A change given the
    covariates is blurred in the former by all that these explain. If the treatment does nothing
    given the covariates, both kinds have the same mean in both arms, however bad m is.

    Observational (approximate; ``exact`` is false): with b_a(x) = E[psi(Y) | x, arm a] by ridge
    regression and pi(x) = P(treated | x) by logistic ridge regression, both on straight lines and
    Nystrom features of the covariates (b also on those of single columns) and out of fold (five
    folds, three draws of them averaged, one from 20,000 rows on),

        phi = A / pi (psi(Y) - b_1) + b_1 - (1 - A) / (1 - pi) (psi(Y) - b_0) - b_0

    has mean 0 if the treatment does nothing to the distribution, every common cause of treatment
    and outcome is among the covariates, and rows are independent. The null distribution of
    n |mean phi|^2 is that of Gaussian multipliers of phi - mean phi; bandwidths are combined by
    the maximum of their statistics, each less its mean and over its standard deviation under the
    null. It rests on the product of the errors of b and pi being small
    beside n^(-1/2), and on **overlap**: no verdict with fewer than 20 effective rows of an arm,
    (sum w)^2 / sum w^2 with w one over the probability of the own arm, fewer than a third of its
    rows, or over 10 % of the probabilities at their limits (.02 and .98, nearer to 0 and 1 for
    small arms). No verdict either where the weights leave a feature of the covariates, or a product
    of two, .25 standard deviations apart and more than chance would (see
    `kstest.methods.causal.balance`). Measured levels and power: ``benchmarks/effect.py``.

    Randomised (exact): psi(Y) less what the covariates predict of it, out of fold and without
    looking at the treatment, is compared between the arms, and labels are permuted, within
    `strata`. P(p <= alpha) is at most alpha at every n if the treatment does nothing to any row
    and was drawn by lot, however bad the predictions; covariates only add power. The interval of
    the mean is approximate.

    Rows of a group (`group`) share their fold and their multiplier, or are permuted as a whole.

    With `overlap` "weights", phi = (A - pi) (psi - E[psi | x]), which compares rows weighted by
    pi (1 - pi) (Li, Morgan, Zaslavsky 2018) and divides by no small probability. With `null`
    "cross" the statistic is that of Martinez Taboada, Ramdas, Kennedy (2023), of the median
    bandwidth, with the normal distribution; its folds are those of all rows.

    With `target` or `fit` one arm is looked at (Martinez-Taboada, Kennedy 2024): Stein features
    of the outcome, xi(y) = s(y) psi(y) + psi'(y) with s the score of the target, take the place of
    psi, and phi = A / pi (xi - b) + b has mean 0 if the outcome, had all rows been in the arm, had
    that density. `fit` solves for the parameters of an exponential family, gives their intervals,
    and tests what the family leaves, off the directions of the parameters.

    `sensitivity` lets a hidden cause move the odds of treatment of every row by a factor between
    1 / L and L (Tan 2006), and gives the largest L that leaves the statistic of the strongest
    kernel above its critical value, whatever that cause does to the rows.

    Two samples ask whether the outcome changed given the covariates (concept drift), whatever
    happened to the covariates (covariate shift).

    Covariates measured after the treatment, which it may have changed, make the answer wrong, and
    nothing in the data shows it.

    References
    ----------
    Martinez Taboada, Ramdas, Kennedy (2023), arXiv 2304.13237; multipliers for one-step estimators
    in Hilbert spaces: Luedtke, Chung (2024), arXiv 2303.16711; cross-fitting: Chernozhukov et al.
    (2018), arXiv 1608.00060.

    Examples
    --------
    >>> import kstest, numpy, pandas
    >>> rng = numpy.random.default_rng(0)
    >>> x = rng.normal(size=400)
    >>> arm = (x + rng.logistic(size=400) > 0) * 1.0
    >>> y = x + rng.normal(size=400)
    >>> data = pandas.DataFrame({"arm": arm, "x": x, "y": y, "z": y + arm})
    >>> kstest.effect(data, treatment="arm", outcome="y", covariates="x").verdict
    'not rejected'
    >>> kstest.effect(data, treatment="arm", outcome="z", covariates="x").verdict
    'rejected'
    """
    if params.target or params.fit:
        return counterfactual(samples, params, rng, work)
    compared = studies(samples, params)
    draws = replicates(len(compared), params.alpha, params.draws)
    results = [_compared(made, params, draws, rng, work) for made in compared]
    if len(results) == 1:
        return results[0]
    return of_arms(compared, results, params)


def _compared(
    made: Study, params: Params, draws: int, rng: np.random.Generator, work: Work
) -> Result:
    """One treated arm beside the control."""
    require_whole_groups(made, params)
    base = _base(made, params, draws)
    few = _too_few(made, params)
    if few is not None:
        return base.told(summary("too few rows to decide"), warnings=(few,))
    with single_blas():
        X = covariate_features(made.covariates)
        y = made.outcomes
        single = y.values.shape[1] == 1 and not y.codes.shape[1]
        points = points_of(y.values[:, 0], made.treated) if single else np.empty(0)
        psi = outcome_features(y, X.values, rng, points, made.groups)
        if params.design == RANDOMISED:
            return _randomised(base, made, X, psi, params, rng, work)
        return _observational(base, made, X, psi, params, rng, work)


def _randomised(
    base: Result,
    made: Study,
    X: CovariateFeatures,
    psi: OutcomeFeatures,
    params: Params,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Labels permuted; nothing before that looks at them."""
    left = within(leftover(X.values, psi.values, rng, made.groups), made.strata)
    sums, treated, strata = lot(made, left)
    T = permutation_statistics(
        sums, treated, strata, psi.blocks, base.null["replicates"], rng, work
    )
    effect, influence = slope(made, left[:, psi.means])
    base = base.told(warnings=(*base.warnings, *neighbours(made, influence)))
    base = base.told(mean_difference(made, psi, effect, influence, params.alpha))
    if len(psi.points):
        base = base.told(*distributions(made, psi, by_lot(made, psi, left), params, rng))
    return _judged(base, made, psi, T, params)


def _observational(
    base: Result,
    made: Study,
    X: CovariateFeatures,
    psi: OutcomeFeatures,
    params: Params,
    rng: np.random.Generator,
    work: Work,
) -> Result:
    """Doubly robust features, and multipliers of their rows."""
    weighted = params.overlap == "weights"
    robust = doubly_robust(
        X.values,
        X.values[:, : X.joint],
        psi.values,
        made.treated,
        rng,
        made.groups,
        weighted,
        work,
        psi.below,
        params.sensitivity,
    )
    seen = overlap(made, X, robust, weighted)
    base = base.told(*overlap_found(seen, made.arms))
    if seen.lacking:
        return base.told(
            summary("no decision is possible: the arms hardly overlap"),
            warnings=(*base.warnings, refused(seen, made.arms)),
        )
    base = base.told(warnings=(*base.warnings, *many_covariates(made, X)))
    effect, influence = robust.influence(psi.means)
    base = base.told(warnings=(*base.warnings, *neighbours(made, influence)))
    base = base.told(mean_difference(made, psi, effect, influence, params.alpha))
    uneven = imbalance(made, X, robust, weighted)
    if uneven is not None:
        base = base.told(warnings=(*base.warnings, out_of_balance(uneven)))
        if uneven.refused:
            return base.told(summary("no decision is possible: covariates are out of balance"))
    if len(psi.points) and not weighted:
        arms = robust.first - robust.phi[:, psi.below], robust.first
        base = base.told(*distributions(made, psi, arms, params, rng))
    if params.null == CROSS:
        statistic, p = cross_statistic(robust.phi[:, psi.blocks[BANDWIDTHS.index(1.0)]], rng)
        return _decided(base, made, params, statistic, p, normal_quantile(params.alpha))
    T = multiplier_statistics(robust.phi, psi.blocks, base.null["replicates"], rng, made.groups)
    judged = _judged(base, made, psi, T, params)
    if params.sensitivity and judged.reject and judged.threshold is not None:
        best = judged.explanation["kernels"].index(judged.explanation["strongest"])
        limit = float(T[best].mean() + judged.threshold * T[best].std())
        judged = judged.told(sensitivity_found(robust, psi.blocks[best], made.treated, limit))
    return judged


def _base(made: Study, params: Params, draws: int) -> Result:
    randomised = params.design == RANDOMISED
    names = made.outcomes.names + made.covariates.names
    scheme = "Gaussian multipliers of doubly robust features (approximate)"
    if randomised:
        scheme = "permutation of the treatment" + ", within strata" * bool(params.strata)
    elif params.null == CROSS:
        scheme, draws = "normal limit of the cross statistic (approximate)", 0
    if made.groups is not None:
        scheme += ", of groups" if randomised else ", rows of a group together"
    return Result(
        method="effect",
        verdict="no verdict",
        alpha=params.alpha,
        n=dict(zip(made.arms, made.sizes, strict=True)),
        d=len(names),
        columns=names,
        null={"scheme": scheme, "replicates": draws, "exact": randomised},
    ).told(Facts("treated", made.arms[1], (Line("treated", made.arms[1], "data"),)))


def _too_few(made: Study, params: Params) -> Notice | None:
    """Why there is no verdict, where rows are too few."""
    unit = "row" if made.groups is None else "group"
    pairs = zip(made.units, made.arms, strict=True)
    sizes = " and ".join(f"{n:,} {unit}{'s' * (n != 1)} with {a}" for n, a in pairs)
    if params.design == RANDOMISED:
        _, treated, strata = lot(made, np.empty((len(made.treated), 0)))
        if permutations_of(treated, strata) >= math.log(1 / params.alpha) - 1e-9:
            return None
        return Notice(
            "too-few-rows",
            f"{sizes}: their labels can be permuted in fewer than {math.ceil(1 / params.alpha)} "
            f"ways, which is too few to reject at level {params.alpha}",
        )
    if min(made.units) >= LEAST_ROWS:
        return None
    return Notice(
        "too-few-rows",
        f"{sizes}: at least {LEAST_ROWS} of each are needed to learn who is treated. If that was "
        "drawn by lot, --design randomised takes fewer",
    )


def _judged(base: Result, made: Study, psi: OutcomeFeatures, T: Array, params: Params) -> Result:
    """Bandwidths combined."""
    keep = informative(T, psi.sizes)
    kernel = {"name": "gaussian", "bandwidths": list(psi.bandwidths), "aggregate": "maximum"}
    base = replace(base, kernel=kernel)
    combined = studentised_maximum(T[keep]) if keep.any() else np.zeros(1)
    if not varies(combined):
        return unvarying(base, "draw of the null", CONSTANT)
    base = base.told(*strongest(T, keep, psi))
    limit = threshold(combined, params.alpha)
    return _decided(base, made, params, float(combined[0]), p_value(combined), limit)


def _decided(
    base: Result, made: Study, params: Params, statistic: float, p: float, limit: float | None
) -> Result:
    """The verdict, and what it rests on."""
    rejected = p <= params.alpha
    return base.told(
        summary(sentence(made, rejected, params)),
        claim(params),
        verdict="rejected" if rejected else "not rejected",
        statistic=statistic,
        p_value=p,
        threshold=limit,
    )


TEST = Test(
    inputs=Inputs(
        roles=("reference", "sample"),
        needed=1,
        accepts=frozenset({"categorical", "missing", "groups"}),
        params=Params,
        columns=columns,
        example="kstest effect trial.csv --treatment arm --outcome y --covariates age",
        description="One file with a column --treatment, or two files, the second "
        "of which counts as treated: did the outcome change beyond what the covariates explain?",
    ),
    references=REFERENCES,
    run=run,
    picture=picture,
)
