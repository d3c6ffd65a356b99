"""Calibrate: from a reference and a pool of good events to all that a check needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..contract import Inputs
from ..diagnostics.dependence import serial_dependence
from ..diagnostics.overlap import require_disjoint
from ..engine import Work, single_blas, stage
from ..errors import DataError
from ..likelihood_ratio import (
    Pool,
    QuadraticDistribution,
    Reference,
    choose_centres,
    choose_features,
    draw_indices,
    null_distribution,
    toy_statistics,
)
from ..likelihood_ratio.features import cover
from ..likelihood_ratio.finite_pool import stretch_of, stretched
from ..result import Notice, plain
from ..run import origin
from ..sample import Sample
from .calibration import ANALYTIC_ROWS, Calibration
from .good_events import POOL_BATCHES, put_aside, require_rows, run_names, runs_of
from .layout import Layout
from .settings import Params, numbers, ridge_of, sizes

__all__ = ["INPUTS", "Params", "calibrate", "distributions_of"]

INPUTS = Inputs(
    roles=("reference", "pool"),
    accepts=frozenset({"categorical", "missing", "groups", "weights", "records"}),
    params=Params,
    example="kstest dqm calibrate ref.parquet --pool good.parquet --batch-size 500 -o drift.cal",
    description="""\
Learns what the test statistic of a batch is when nothing is wrong: fits toy batches from a pool of
good events, which must not be in the reference. --weights are those of pool and batches; --group
is the run of an event, for --tolerance (default: each file of the pool is a run).""",
)


@single_blas()
def calibrate(
    samples: Sequence[Sample],
    described: Layout,
    params: Params,
    notices: Sequence[Notice],
    work: Work,
) -> Calibration:
    """Calibrate the test of batches against a reference.

    Parameters
    ----------
    samples : two Samples
        Reference and pool; the pool was read by the layout.
    described : Layout
        Of the reference.
    params : Params
    notices : sequence of Notice
        What their reading had to say.
    work : Work

    Returns
    -------
    Calibration

    Raises
    ------
    DataError
        If the pool holds rows of the reference, or fewer than a batch.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    streams = np.random.SeedSequence(params.seed).spawn(3)
    choice, *others = map(np.random.default_rng, streams)
    reference, pool = samples
    described.require_kinds(pool, "pool")
    require_disjoint(reference, pool)
    wrong = described.other_units(pool, "pool")
    if wrong:
        raise DataError(f"{wrong[0]}. Is it in the same unit?")

    rows, good = described.rows(reference), Pool(described.rows(pool), pool.weights, None)
    if params.tolerance:
        good = Pool(good.rows, good.weights, runs_of(pool))
    counts = sizes(params.batch_size)
    require_rows(good, counts, params)
    aside, good = put_aside(good, counts[-1], params, others[1])
    centres = choose_centres(rows, params.centres, params.centre_rule, choice)
    centres = cover(centres, described.code_values, choice)
    widths = numbers(params.widths, "--widths")
    features = choose_features(rows, centres, widths, params.scale, params.cut, choice)
    side = Reference.of(rows, reference.weights, centres, features, work)
    ridges = tuple(ridge_of(params, len(rows), size) for size in counts)
    stretches = [
        # Toys of several runs are compared run by run.
        1.0 if params.tolerance
        else stretch_of(params.draw, size, len(good.rows), side.effective_rows)
        for size in counts
    ]  # fmt: skip
    toys, runs = [], []
    for g, (size, ridge) in enumerate(zip(counts, ridges, strict=True)):
        poisson = params.count == "poisson"
        drawn, of_run = draw_indices(good, params.draw, size, params.toys, poisson, others[0])
        share = stage(work, g / len(counts), (g + 1) / len(counts))
        t = toy_statistics(side, good, drawn, float(size) if poisson else None, ridge,
                           params.statistic, params.fit == "converged", share)  # fmt: skip
        toys.append(stretched(t, stretches[g]))
        runs.append(of_run)
    distributions = tuple(
        distributions_of(side, size, ridge, params, good)
        for size, ridge in zip(counts, ridges, strict=True)
    )
    tails = tuple(
        np.stack([distribution.log_tails(x) for distribution, x in zip(some, t, strict=True)])
        for some, t in zip(distributions, toys, strict=True)
    )
    found = (*notices, *_notices(side, good, counts, toys, params), *_series(pool, params))
    where = origin((reference, pool), params, started, time.perf_counter() - clock, work)
    return Calibration(
        described, side, counts, ridges, tuple(toys), tails, tuple(runs), distributions,
        {f.name: getattr(params, f.name) for f in fields(params)},
        aside.rows, aside.weights,
        {
            "reference_rows": reference.n,
            "pool_rows": pool.n,
            "runs": run_names(pool) if params.tolerance else [],
            "stretches": stretches,
            "warnings": plain(found),
            **plain(where),
        },
    )  # fmt: skip


def distributions_of(
    side: Reference, size: int, ridge: float, params: Params, pool: Pool
) -> tuple[QuadraticDistribution, ...]:
    """Analytic null distribution of every width for one size of batch."""
    poisson, distributions = params.count == "poisson", []
    for k in range(len(side.features)):
        spread = None
        if pool.weights is not None:
            spread = _weighted_spread(side, pool, k, poisson)
        distributions.append(
            null_distribution(
                side.grams[k], side.means[k], size, 2 * size * ridge, side.effective_rows,
                params.statistic, poisson, spread,
            )
        )  # fmt: skip
    return tuple(distributions)


def _weighted_spread(side: Reference, pool: Pool, k: int, poisson: bool) -> Any:
    """Covariance of u phi per unit of weight, from the pool."""
    u = np.asarray(pool.weights)
    phi = side.transform(pool.rows, k)
    centred = phi if poisson else phi - u @ phi / u.sum()
    return (centred.T * u**2) @ centred / u.sum()


def _notices(
    side: Reference, pool: Pool, counts: Sequence[int], toys: Sequence[Any], params: Params
) -> tuple[Notice, ...]:
    found = []
    largest = counts[-1]
    if len(pool.rows) < POOL_BATCHES * largest:
        found.append(
            Notice(
                "small-pool",
                f"the pool holds {len(pool.rows) / largest:.3g} batches of {largest:,} events: "
                f"below {POOL_BATCHES} its own fluctuation shifts all p-values",
            )
        )
    if side.effective_rows < ANALYTIC_ROWS * largest:
        found.append(
            Notice(
                "small-reference",
                f"the reference has {side.effective_rows / largest:.3g} times the events of a "
                f"batch: below {ANALYTIC_ROWS} the analytic distribution is only shown to compare",
            )
        )
    fewest = min(t.shape[1] for t in toys)
    if fewest < params.toys:
        found.append(
            Notice(
                "few-toys", f"the pool is enough for {fewest:,} disjoint toys, not {params.toys:,}"
            )
        )
    return tuple(found)


def _series(pool: Sample, params: Params) -> tuple[Notice, ...]:
    if params.draw == "consecutive":
        return ()
    return serial_dependence((pool,), "--draw consecutive")
