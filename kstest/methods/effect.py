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
from ..nulls import informative, p_value, threshold, varies
from ..result import Notice, Result, unvarying
from ..sample import Sample
from .causal.data import Study, study
from .causal.features import OutcomeFeatures, covariate_features, outcome_features
from .causal.nuisances import doubly_robust, leftover
from .causal.options import RANDOMISED, columns
from .causal.options import Params as Params
from .causal.overlap import overlap, overlap_found, refused
from .causal.result import claim, mean_difference, sentence, strongest
from .causal.statistic import (
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
@article{luedtke2024onestep,
  title   = {One-Step Estimation of Differentiable {H}ilbert-Valued Parameters},
  author  = {Luedtke, Alex and Chung, Incheoul},
  journal = {The Annals of Statistics}, year = {2024}, note = {arXiv:2303.16711}
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
        n rows: outcomes, covariates, and a treatment of two values; or two samples with the same
        columns, the second of which counts as treated.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        The statistic combines those of five bandwidths, n |mean phi|^2 (`kernels` among the
        findings), without a unit. Beside it ``mean_difference`` with an interval at level
        1 - alpha, in units of the outcome, ``overlap`` and ``balance``. No verdict where the arms
        hardly overlap, an arm has fewer than 30 rows (observational), labels can hardly be
        permuted (randomised), or the outcome is constant.

    Raises
    ------
    UsageError, DataError
        For missing outcomes or treatments, a treatment with more than two values, and columns of
        two parts.

    Notes
    -----
    Let psi(y) be Nystrom features of a Gaussian kernel of the outcome, of .25, .5, 1, 2 and 4
    times the median distance.

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
    small arms). Measured levels and power: ``benchmarks/effect.py``.

    Randomised (exact): psi(Y) less what the covariates predict of it, out of fold and without
    looking at the treatment, is compared between the arms, and labels are permuted, within
    `strata`. P(p <= alpha) is at most alpha at every n if the treatment does nothing to any row
    and was drawn by lot, however bad the predictions; covariates only add power. The interval of
    the mean is approximate.

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
    made = study(samples, params)
    base = _base(samples, made, params)
    few = _too_few(made, params)
    if few is not None:
        return base.told(summary("too few rows to decide"), warnings=(few,))
    with single_blas():
        X = covariate_features(made.covariates)
        psi = outcome_features(made.outcomes, X.values, rng)
        if params.design == RANDOMISED:
            left = within(leftover(X.values, psi.values, rng), made.strata)
            T = permutation_statistics(
                left, made.treated, made.strata, psi.blocks, params.draws, rng, work
            )
            difference = _adjusted_mean(left[:, psi.means], made)
        else:
            robust = doubly_robust(X.values, X.values[:, : X.joint], psi.values, made.treated, rng)
            seen = overlap(made, X, robust)
            base = base.told(*overlap_found(seen, made.arms))
            if seen.lacking:
                return base.told(
                    summary("no decision is possible: the arms hardly overlap"),
                    warnings=(refused(seen, made.arms),),
                )
            T = multiplier_statistics(robust.phi, psi.blocks, params.draws, rng, work)
            phi = robust.phi[:, psi.means]
            difference = phi.mean(axis=0), phi.std(axis=0, ddof=1) / math.sqrt(len(phi))
    return _judged(base, made, psi, T, difference, params, len(samples) == 2)


def _base(samples: Sequence[Sample], made: Study, params: Params) -> Result:
    randomised = params.design == RANDOMISED
    names = made.outcomes.names + made.covariates.names
    strata = ", within strata" if params.strata else ""
    return Result(
        method="effect",
        verdict="no verdict",
        alpha=params.alpha,
        n=dict(zip(made.arms, made.sizes, strict=True)),
        d=len(names),
        columns=names,
        null={
            "scheme": f"permutation of the treatment{strata}" if randomised
            else "Gaussian multipliers of doubly robust features (approximate)",
            "replicates": params.draws,
            "exact": randomised,
        },
    ).told(Facts("treated", made.arms[1], (Line("treated", made.arms[1], "data"),)))  # fmt: skip


def _too_few(made: Study, params: Params) -> Notice | None:
    """Why there is no verdict, where rows are too few."""
    sizes = " and ".join(f"{n:,} rows with {a}" for n, a in zip(made.sizes, made.arms, strict=True))
    if params.design == RANDOMISED:
        if permutations_of(made.treated, made.strata) >= math.log(1 / params.alpha) - 1e-9:
            return None
        return Notice(
            "too-few-rows",
            f"{sizes}: their labels can be permuted in fewer than {math.ceil(1 / params.alpha)} "
            f"ways, which is too few to reject at level {params.alpha}",
        )
    if min(made.sizes) >= LEAST_ROWS:
        return None
    return Notice(
        "too-few-rows",
        f"{sizes}: at least {LEAST_ROWS} of each are needed to learn who is treated. If that was "
        "drawn by lot, --design randomised takes fewer",
    )


def _adjusted_mean(left: Array, made: Study) -> tuple[Array, Array]:
    """Difference of the means of what is left, within strata, and its standard error."""
    A = within(made.treated.astype(np.float64), made.strata)
    size = float(A @ A)
    slope = A @ left / size
    error = np.sqrt((A**2) @ (left - A[:, None] * slope) ** 2) / size
    return slope, error


def _judged(
    base: Result,
    made: Study,
    psi: OutcomeFeatures,
    T: Array,
    difference: tuple[Array, Array],
    params: Params,
    two_files: bool,
) -> Result:
    """The verdict, and what is said besides."""
    keep = informative(T, psi.sizes)
    kernel = {"name": "gaussian", "bandwidths": list(psi.bandwidths), "aggregate": "maximum"}
    base = replace(base, kernel=kernel)
    if not keep.any():
        return unvarying(base, "draw of the null", CONSTANT)
    combined = studentised_maximum(T[keep])
    if not varies(combined):
        return unvarying(base, "draw of the null", CONSTANT)
    p = p_value(combined)
    rejected = p <= params.alpha
    return base.told(
        summary(sentence(made, rejected, two_files)),
        claim(params, two_files),
        mean_difference(made, psi, difference, params.alpha),
        *strongest(T, keep, psi),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=threshold(combined, params.alpha),
    )


TEST = Test(
    inputs=Inputs(
        roles=("reference", "sample"),
        needed=1,
        accepts=frozenset({"categorical", "missing"}),
        params=Params,
        columns=columns,
        example="kstest effect trial.csv --treatment arm --outcome y --covariates age,sex",
        description="One file with a column --treatment of two values, or two files, the second "
        "of which counts as treated: did the outcome change beyond what the covariates explain?",
    ),
    references=REFERENCES,
    run=run,
)
