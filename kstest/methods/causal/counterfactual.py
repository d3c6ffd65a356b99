"""One arm alone: the distribution of the outcome, had all rows been in it, beside a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...engine import Work, single_blas
from ...findings import Facts, Finding, Line, Note, by_bandwidth, number, summary
from ...findings import target as named
from ...nulls import p_value, threshold, varies
from ...result import Notice, Result, unvarying
from ...sample import Sample
from .data import Study, one_arm_of
from .features import covariate_features
from .lots import neighbours
from .nuisances import one_arm
from .options import Params
from .overlap import overlap, overlap_found, refused
from .result import normal_quantile
from .statistic import multiplier_statistics, standard_error, studentised_maximum
from .stein import FAMILIES, Fit, SteinFeatures, fitted, parameters, stein_features

Array = NDArray[np.float64]

LEAST_ROWS = 30


def counterfactual(
    samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work
) -> Result:
    """Test one arm's counterfactual distribution against --target, or against a fitted family.

    Notes
    -----
    Rows of the other arms say who is in this one, and nothing of the outcome.
    """
    made = one_arm_of(samples, params)
    base = Result(
        method="effect",
        verdict="no verdict",
        alpha=params.alpha,
        n=dict(zip(made.arms, made.sizes, strict=True)),
        d=len(made.outcomes.names + made.covariates.names),
        columns=made.outcomes.names + made.covariates.names,
        null={
            "scheme": "Gaussian multipliers of doubly robust features (approximate)",
            "replicates": params.draws,
            "exact": False,
        },
    ).told(
        Facts("arm", made.arms[1], (Line("arm", made.arms[1], "data"),)),
        named(params.target or f"{params.fit}, fitted"),
    )
    if min(made.units) < LEAST_ROWS:
        few = f"at least {LEAST_ROWS} rows or groups are needed in {made.arms[1]} and outside"
        return base.told(summary("too few rows to decide"), warnings=(Notice("too-few-rows", few),))
    seen = stein_features(made, params.target, params.fit)
    with single_blas():
        X = covariate_features(made.covariates)
        robust = one_arm(X.values, X.prefixes, seen.values, made.treated, rng, made.groups, work)
        found = overlap(made, X, robust, False)
        found = replace(found, effective=(float(made.sizes[0]), found.effective[1]))
        base = base.told(*overlap_found(found, made.arms))
        if found.lacking:
            return base.told(
                summary("no decision is possible: the arm hardly overlaps with the others"),
                warnings=(refused(found, made.arms),),
            )
        terms = FAMILIES[params.fit].terms if params.fit else 0
        fit = fitted(robust.phi, terms)
        base = base.told(warnings=neighbours(made, fit.influence[:, :1]))
        T = multiplier_statistics(fit.left, seen.blocks, params.draws, rng, made.groups)
    told = _parameters(made, params, fit, seen) if params.fit else ()
    return _judged(base.told(*told), T, seen, made, params)


def _parameters(made: Study, params: Params, fit: Fit, seen: SteinFeatures) -> tuple[Finding, ...]:
    """Fitted parameters with their intervals."""
    value, influence = parameters(params.fit, fit, seen)
    error, z = standard_error(influence, made.groups), normal_quantile(params.alpha / 2)
    rows: list[dict[str, object]] = []
    lines: list[Line] = []
    for name, v, e in zip(FAMILIES[params.fit].names, value, error, strict=True):
        low, high = float(v - z * e), float(v + z * e)
        rows.append({"parameter": name, "value": float(v), "low": low, "high": high})
        text = f"{name} {number(float(v))} ({number(low)} to {number(high)})"
        lines.append(Line("" if lines else "fitted", text, "numbers"))
    if not np.isfinite(value).all():
        lines = [Line("fitted", f"no {params.fit} distribution comes near", "numbers")]
    return (Facts("fitted", rows, tuple(lines)),)


def _judged(base: Result, T: Array, seen: SteinFeatures, made: Study, params: Params) -> Result:
    kernel = {"name": "gaussian", "bandwidths": list(seen.bandwidths), "aggregate": "maximum"}
    base = replace(base, kernel=kernel)
    spread = T.std(axis=1)
    keep = spread > 1e-12 * max(float(spread.max()), 1e-300)
    combined = studentised_maximum(T[keep]) if keep.any() else np.zeros(1)
    if not varies(combined):
        return unvarying(base, "draw of the null", "the outcome is constant")
    z = np.where(keep, (T[:, 0] - T.mean(axis=1)) / np.where(keep, spread, 1.0), -np.inf)
    rows = [
        {"bandwidth": h, "statistic": float(t), "z": float(one) if kept else None}
        for h, t, one, kept in zip(seen.bandwidths, T[:, 0], z, keep, strict=True)
    ]
    p = p_value(combined)
    rejected = p <= params.alpha
    what = params.target or f"a {params.fit} distribution"
    outcome = f"{made.outcomes.names[0]}, had all rows been in {made.arms[1]},"
    sentence = f"{outcome} is not distributed as {what}"
    text = (
        "every common cause of treatment and outcome being among the covariates, and these from "
        "before the treatment"
    )
    return base.told(
        summary(sentence if rejected else f"no evidence at this level that {sentence}"),
        Note("claim", text, lines=(Line("rests on", text),), role="meaning"),
        *by_bandwidth(rows, int(z.argmax()), "statistic"),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=threshold(combined, params.alpha),
    )
