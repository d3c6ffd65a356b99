"""What a test of sequences says: no verdict, the verdict and what it rests on, warnings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics.dependence import strongest_lag
from ...findings import Table, summary, target
from ...nulls import p_value, threshold, varies
from ...result import Notice, Result, unvarying
from ...targets import SequenceModel
from .explanation import sentence, subsequences
from .statistic import Evidence, Setup

# Below so many sequences random signs deserve a warning.
SIGNED_ROWS = 100

_SENTENCES = {
    True: "the data do not fit the model: they are not independent draws from it",
    False: "no evidence at this level against the model",
}


def base_of(params: Any, n: int, column: str) -> Result:
    """The result before there is a verdict."""
    return Result(
        method="seqksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": n},
        d=1,
        columns=(column,),
    )


def too_few(n: int, distribution: str, alpha: float) -> bool:
    """Whether no sample of n sequences could be rejected."""
    return n < 2 or (distribution == "wild" and 2.0 ** (1 - n) > alpha)


def undecided(base: Result, params: Any) -> Result:
    """No verdict, since there are too few sequences."""
    n = base.n["data"]
    enough = max(2, 1 + math.ceil(-math.log2(params.alpha)))
    why = Notice(
        "too-few-rows",
        f"{n} sequence{'s' * (n != 1)}: the test needs at least 2, and {enough} where the null "
        f"distribution comes from random signs, to reject at level {params.alpha}",
    )
    return base.told(summary("too few sequences to decide"), warnings=(*base.warnings, why))


def decided(
    base: Result,
    model: SequenceModel,
    made: Setup,
    found: Evidence,
    distribution: str,
    params: Any,
    warnings: tuple[Notice, ...],
    explain: Callable[[], list[dict[str, Any]]],
) -> Result:
    """The verdict; `explain` is asked for the rows of its explanation where it is a rejection."""
    combined = found.combined
    if not varies(combined):
        when = "no edit of a sequence changes its probability, or all have one length and symbol"
        return unvarying(base, "draw of the null", when)
    p = p_value(combined)
    text = _SENTENCES[p <= params.alpha]
    reasons: tuple[Table, ...] = ()
    if p <= params.alpha:
        rows = explain()
        text, reasons = text + sentence(rows), (subsequences(rows),)
    return base.told(
        summary(text),
        target(model.name),
        *reasons,
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=threshold(combined, params.alpha),
        kernel=_kernel_block(made),
        null=_null_block(distribution, found, model, params),
        warnings=(*base.warnings, *warnings),
    )


def _kernel_block(made: Setup) -> dict[str, object]:
    span = "-".join(map(str, dict.fromkeys((made.kernel.shortest, made.kernel.longest))))
    name = f"contiguous subsequences of length {span}"
    name += ", equal lengths" * made.kernel.equal_lengths
    name += ", and numbers of symbols" * made.counting
    return {"name": "exponentiated Hamming" if made.hamming else name, "bandwidths": ()}


def _null_block(
    distribution: str, found: Evidence, model: SequenceModel, params: Any
) -> dict[str, object]:
    fitted = model.simulate is not None
    scheme = "data sets simulated from the model" + ", refitted" * fitted
    return {
        "scheme": scheme if distribution == "parametric" else "random signs of sequences",
        "replicates": params.draws,
        "exact": distribution == "parametric" and not fitted and model.own_alphabet,
        "bins": found.bins,
    }


def alike(lengths: NDArray[np.int64]) -> tuple[Notice, ...]:
    """Warn of sequences that are as long as their neighbours."""
    lag = strongest_lag(lengths[:, None].astype(np.float64))
    if lag is None:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring sequences have alike lengths (lag-1 autocorrelation {lag[0]:.2f}). "
            "If the file is in order of time, the sequences depend on each other and false "
            "alarms are likely; if it is only sorted, ignore this",
        ),
    )


def few(n: int, distribution: str, instead: str) -> tuple[Notice, ...]:
    """Warn of few sequences for random signs; `instead` says what is exact."""
    if distribution != "wild" or n >= SIGNED_ROWS:
        return ()
    return (
        Notice(
            "few-sequences",
            f"{n} sequences are few for random signs, which are an approximation: below "
            f"{SIGNED_ROWS} false alarms can be more frequent than --alpha says. {instead}",
        ),
    )
