"""Compare: one batch against one reference by permutations, without a pool of good events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs, Test
from ..diagnostics.dependence import serial_dependence
from ..diagnostics.digests import fingerprint
from ..diagnostics.missing import missingness
from ..engine import Work
from ..errors import UsageError
from ..findings import by_bandwidth, summary
from ..likelihood_ratio.combine import COMBINATIONS, combine
from ..likelihood_ratio.features import SCALES, choose_centres, choose_features
from ..likelihood_ratio.permute import permutation_statistics
from ..methods.two_samples.pooled import pool
from ..nulls import p_value
from ..params import alpha, check_common, option, permutations, seed
from ..result import Notice, Result, unvarying
from ..sample import Sample
from . import words
from .references import REFERENCES
from .settings import RIDGE, numbers, scale

CUT = 1e-12
SENTENCES = {
    True: "the batch differs from the reference",
    False: "no evidence at this level that the batch differs from the reference",
}


@frozen
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    permutations: int = permutations()
    widths: str = option(
        "auto",
        "Kernel widths in units of the columns' standard deviations; auto takes four.",
        metavar="auto|NUMBER[,NUMBER...]",
        brief="Kernel widths; four by default.",
    )
    scale: str = scale()
    aggregate: str = option(
        "minimum", "How the p-values of several widths become one.", choices=COMBINATIONS
    )
    ridge: float = option(RIDGE, "Penalty per unit of data weight.")
    centres: int = option(200, "Kernel centres, rows of either side.")
    seed: int = seed()

    def __post_init__(self) -> None:
        check_common(self)
        numbers(self.widths, "--widths")
        if not 0 < self.ridge < 1e12:
            raise UsageError(f"--ridge {self.ridge}: give a positive number")
        if not 1 <= self.centres <= 10_000:
            raise UsageError(f"--centres {self.centres}: give a whole number from 1 to 10000")


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether a batch has the distribution of a reference, by a learned likelihood ratio.

    Parameters
    ----------
    samples : two Samples
        Reference and batch.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        The extended statistic t = 2 [sum_D f - (n_D / n_R) sum_R (e^f - 1)] of the strongest width.

    Notes
    -----
    Exact at every size if the rows of both sides together are exchangeable under the null: scaling,
    axes, widths and centres come from all rows without their labels.
    """
    pooled = pool(samples, "standard", sort=True)
    n, size = len(pooled.rows), samples[1].n
    mark = fingerprint(pooled.rows, robust=False)
    rng = np.random.default_rng([int(rng.integers(2**63)), mark])
    names = (*samples[0].columns, *samples[0].categorical)
    base = Result(
        method="dqm",
        verdict="no verdict",
        alpha=params.alpha,
        n={s.name: s.n for s in samples},
        d=len(names),
        columns=names,
    )
    if min(size, samples[0].n) < 2:
        why = Notice("too-few-events", "both sides need at least 2 events")
        return base.told(summary("too few events"), warnings=(why,))
    shuffled = pooled.rows.take(rng.permutation(n))
    centres = choose_centres(shuffled, params.centres, "kmeans++", rng)
    first = pooled.m if pooled.reference_first else 0
    batches = [np.arange(first, first + size)]
    batches += [rng.permutation(n)[:size] for _ in range(params.permutations)]
    given = numbers(params.widths, "--widths")
    features = choose_features(shuffled, centres, given, params.scale, CUT, rng)
    t = permutation_statistics(pooled.rows, batches, centres, features, params.ridge, work)
    spread = t.std(axis=1, keepdims=True)
    z = np.divide(t - t.mean(axis=1, keepdims=True), spread, out=np.zeros_like(t), where=spread > 0)
    # Ties among ranks are broken by how far a width's statistic stands out, whoever's it is.
    if not t.std(axis=1).any():
        return unvarying(base, "permutation of the rows", "all events are equal")
    p = p_value(combine(t, -np.exp(np.minimum(z, 100.0)), params.aggregate))
    rejected, strongest = p <= params.alpha, int(z[:, 0].argmax())
    table = [
        {
            "bandwidth": f.bandwidth,
            "scale": SCALES[f.axes is not None],
            "statistic": float(x),
            "z": float(y),
        }
        for f, x, y in zip(features, t[:, 0], z[:, 0], strict=True)
    ]
    return base.told(
        summary(SENTENCES[bool(rejected)]),
        words.statistic("t at the strongest width"),
        *by_bandwidth(table, strongest, "statistic"),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(t[strongest, 0]),
        p_value=p,
        kernel={
            "name": "gaussian",
            "bandwidths": [f.bandwidth for f in features],
            "aggregate": params.aggregate if len(features) > 1 else None,
        },
        null={"scheme": "permutations", "replicates": params.permutations, "exact": True},
        warnings=(*missingness(samples), *serial_dependence(samples, "a calibration")),
    )


TEST = Test(
    inputs=Inputs(
        roles=("reference", "batch"),
        accepts=frozenset({"categorical", "missing", "records"}),
        params=Params,
        example="kstest dqm compare reference.parquet batch.parquet",
        description="""\
Needs no calibration and no pool: the labels of reference and batch are permuted, which takes a
fit per permutation. For small data and single questions; exact if events are exchangeable.""",
    ),
    references=REFERENCES,
    run=run,
)
