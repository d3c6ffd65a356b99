"""Calibrate: from a reference and a pool of good events to all that a check needs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..engine import Work, single_blas
from ..errors import DataError, UsageError
from ..likelihood_ratio import (
    DRAWS,
    Pool,
    QuadraticLaw,
    Reference,
    choose_centres,
    choose_widths,
    draw_indices,
    null_law,
    nystrom,
    toy_statistics,
)
from ..likelihood_ratio.combine import COMBINATIONS
from ..likelihood_ratio.features import cover
from ..likelihood_ratio.reference import STATISTICS
from ..methods.common import serial_dependence
from ..params import check_choices, option, option_name, seed
from ..result import Notice, plain
from ..run import origin
from ..sample import Sample
from ..sources import ReadOptions
from ..sources.wording import shown
from .calibration import ANALYTIC_ROWS, Calibration
from .layout import layout
from .reading import Read, batch_options, reference_options, require_disjoint

SAMPLES = ("reference", "pool")
ACCEPTS = frozenset({"categorical", "missing", "groups", "weights"})
EXAMPLE = "kstest dqm calibrate ref.parquet --pool good.parquet --batch-size 500 -o drift.cal"
DESCRIPTION = """\
Learns what the test statistic of a batch is when nothing is wrong: fits toy batches from a pool of
good events, which must not be in the reference. --weights are those of pool and batches; --group
is the run of an event, for --tolerance (default: each file of the pool is a run)."""

# Per unit of data weight: Falkon's lambda 1e-7 where the reference is four times the batch.
RIDGE = 2.5e-7
FALKON_LAMBDA = 1e-6
# A pool of fewer batches than this shifts the null by what it lacks itself.
POOL_BATCHES = 20
MOST_TOYS = 10_000_000
# Neighbouring sizes of a range such as 100..1000 differ by at most this factor.
STEP = 1.25


@dataclass(frozen=True)
class Params:
    """Options of `calibrate`; see the help of each field."""

    batch_size: str = option(
        "",
        "Events of a batch: a number, several, or a range such as 100..1000. A batch of another "
        "size is cut to the next smaller one.",
        metavar="N[,N...]",
    )
    count: str = option(
        "fixed",
        "Whether the number of events tells something: fixed, only their distribution counts; "
        "poisson, it fluctuates around --batch-size and a change of rate counts too.",
        choices=("fixed", "poisson"),
    )
    toys: int = option(1000, "Toy batches per size; p is at least 1 / (1 + toys).")
    draw: str = option(
        "subsets",
        "How toys are drawn from the pool: without or with replacement; disjoint, which is exact "
        "and takes a pool of toys x size; or consecutive rows, for data in order of time.",
        choices=DRAWS,
    )
    tolerance: bool = option(
        False,
        "Draw every toy from one good run of several, so that the usual differences between runs "
        "raise no alarm; p is at least 1 / (1 + runs).",
    )
    widths: str = option(
        "auto",
        "Kernel widths in units of the reference's standard deviations; auto takes four from the "
        "distances in the reference.",
        metavar="auto|NUMBER[,NUMBER...]",
    )
    aggregate: str = option(
        "minimum",
        "How the p-values of several widths become one statistic.",
        choices=COMBINATIONS,
    )
    statistic: str = option(
        "extended",
        "Likelihood ratio with the normalisation of the reference (extended), or the data term "
        "alone, as in earlier publications.",
        choices=STATISTICS,
    )
    ridge: str = option(
        "auto",
        "Penalty per unit of data weight; auto is 2.5e-7. With --compat falkon it is lambda, and "
        "auto is 1e-6.",
        metavar="auto|NUMBER",
    )
    compat: str = option(
        "none",
        "Convention of --ridge: that of Falkon is divided by all rows, so it weakens the fit as "
        "the reference grows.",
        choices=("none", "falkon"),
    )
    centres: int = option(200, "Kernel centres, rows of the reference.")
    centre_rule: str = option(
        "kmeans++",
        "How centres are chosen: far from each other, or at random.",
        choices=("kmeans++", "uniform"),
    )
    cut: float = option(
        1e-12, "Eigenvalues of the centres' kernel matrix below this share are left out."
    )
    fit: str = option(
        "one-step",
        "One Newton step, as published, or converged, which costs several times as much.",
        choices=("one-step", "converged"),
    )
    reference_weights: str | None = option(
        None, "Column with the weights of the reference; some may be negative.", metavar="COLUMN"
    )
    seed: int = seed()

    def __post_init__(self) -> None:
        check_choices(self)
        sizes(self.batch_size)
        numbers(self.widths, "--widths")
        numbers(self.ridge, "--ridge", single=True)
        if not 1 <= self.toys <= MOST_TOYS:
            raise UsageError(f"--toys {self.toys}: give a whole number from 1 to {MOST_TOYS}")
        if not 1 <= self.centres <= 10_000:
            raise UsageError(f"--centres {self.centres}: give a whole number from 1 to 10000")
        if not 0 < self.cut < 1:
            raise UsageError(f"--cut {self.cut}: give a number between 0 and 1, such as 1e-12")
        if self.tolerance and self.draw == "disjoint":
            raise UsageError("--tolerance and --draw disjoint: leave out one of the two")


def sizes(text: str) -> tuple[int, ...]:
    """Return the sizes that --batch-size names, increasing."""
    found: set[int] = set()
    for part in text.split(","):
        low, mark, high = part.partition("..")
        try:
            ends = int(low), int(high if mark else low)
        except ValueError:
            ends = 0, 0
        if not 1 <= ends[0] <= ends[1]:
            raise UsageError(
                f"--batch-size {text!r}: give the number of events of a batch, such as 500, "
                "250,500 or 100..1000"
            )
        steps = max(1, math.ceil(math.log(ends[1] / ends[0]) / math.log(STEP)))
        found |= {round(x) for x in np.geomspace(*ends, steps + 1)}
    return tuple(sorted(found))


def numbers(text: str, name: str, single: bool = False) -> tuple[float, ...]:
    """Return positive numbers of an option, largest first; empty for `auto`."""
    if text == "auto":
        return ()
    try:
        found = tuple(sorted({float(part) for part in text.split(",")}, reverse=True))
    except ValueError:
        found = (math.nan,)
    if not all(0 < x < 1e12 for x in found) or (single and len(found) > 1):
        what = "a positive number" if single else "positive numbers separated by commas"
        raise UsageError(f"{name} {text!r}: give auto or {what}")
    return found


@single_blas()
def calibrate(
    data: Mapping[str, Any], params: Params, options: ReadOptions, read: Read, work: Work
) -> Calibration:
    """Calibrate the test of batches against a reference.

    Parameters
    ----------
    data : mapping of str to anything that `read` takes
        Of ``reference`` and ``pool``.
    params : Params
    options : ReadOptions
    read : callable
        See `kstest.dqm.reading`.
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
    asked = reference_options(options, params.reference_weights)
    reference, notices = read("reference", data["reference"], asked)
    if reference.weights is not None and reference.weights.sum() <= 0:
        raise DataError(
            f"reference: the weights in {shown(params.reference_weights)} add up to "
            f"{reference.weights.sum():.4g}; a positive sum is needed"
        )
    described = layout(reference, reference.weights, asked, options.weights)
    pool, more = read("pool", data["pool"], batch_options(described, options, "pool"))
    described.require_kinds(pool, "pool")
    require_disjoint(reference, pool)
    wrong = described.other_units(pool, "pool")
    if wrong:
        raise DataError(f"{wrong[0]}. Is it in the same unit?")

    rows, good = described.rows(reference), Pool(described.rows(pool), pool.weights, None)
    if params.tolerance:
        good = Pool(good.rows, good.weights, _runs(pool))
    counts = sizes(params.batch_size)
    _require_rows(good, counts, params)
    aside, good = _put_aside(good, counts[-1], params, others[1])
    centres = choose_centres(rows, params.centres, params.centre_rule, choice)
    centres = cover(centres, described.code_values, choice)
    widths = numbers(params.widths, "--widths") or choose_widths(rows, choice)
    features = nystrom(centres, widths, params.cut)
    side = Reference.of(rows, reference.weights, centres, features, work)
    ridges = tuple(_ridge(params, len(rows), size) for size in counts)
    toys, runs = [], []
    for g, (size, ridge) in enumerate(zip(counts, ridges, strict=True)):
        poisson = params.count == "poisson"
        drawn, of_run = draw_indices(good, params.draw, size, params.toys, poisson, others[0])
        share = Work(work.threads, _share(work, g, len(counts)), work.notify)
        toys.append(
            toy_statistics(side, good, drawn, float(size) if poisson else None, ridge,
                           params.statistic, params.fit == "converged", share)
        )  # fmt: skip
        runs.append(of_run)
    laws = tuple(
        laws_of(side, size, ridge, params, good) for size, ridge in zip(counts, ridges, strict=True)
    )
    tails = tuple(
        np.stack([law.log_tails(x) for law, x in zip(some, t, strict=True)])
        for some, t in zip(laws, toys, strict=True)
    )
    found = (*notices, *more, *_notices(side, good, counts, toys, params), *_series(pool, params))
    where = origin((reference, pool), params, started, time.perf_counter() - clock, work)
    return Calibration(
        described, side, counts, ridges, tuple(toys), tails, tuple(runs), laws,
        {f.name: getattr(params, f.name) for f in fields(params)},
        aside.rows, aside.weights,
        {
            "reference_rows": reference.n,
            "pool_rows": pool.n,
            "runs": _run_names(pool) if params.tolerance else [],
            "warnings": plain(found),
            **plain(where),
        },
    )  # fmt: skip


def laws_of(
    side: Reference, size: int, ridge: float, params: Params, pool: Pool
) -> tuple[QuadraticLaw, ...]:
    """Analytic null law of every width for one size of batch."""
    poisson, laws = params.count == "poisson", []
    for k in range(len(side.features)):
        spread = None
        if pool.weights is not None:
            spread = _weighted_spread(side, pool, k, poisson)
        laws.append(
            null_law(side.grams[k], side.means[k], size, 2 * size * ridge, side.effective_rows,
                     params.statistic, poisson, spread)
        )  # fmt: skip
    return tuple(laws)


def _weighted_spread(side: Reference, pool: Pool, k: int, poisson: bool) -> Any:
    """Covariance of u phi per unit of weight, from the pool."""
    u = np.asarray(pool.weights)
    phi = side.transform(pool.rows, k)
    centred = phi if poisson else phi - u @ phi / u.sum()
    return (centred.T * u**2) @ centred / u.sum()


def _ridge(params: Params, reference_rows: int, size: int) -> float:
    """Penalty per unit of data weight; Falkon's lambda times all rows is rho = 2 N ridge."""
    given = numbers(params.ridge, "--ridge", single=True)
    if params.compat == "falkon":
        value = given[0] if given else FALKON_LAMBDA
        return value * (reference_rows + size) / (2 * size)
    return given[0] if given else RIDGE


def _runs(pool: Sample) -> Any:
    runs = pool.row_inputs if pool.groups is None else pool.groups
    count = int(runs.max()) + 1
    if count < 2:
        raise DataError(
            "--tolerance: the pool holds one run; give several files as --pool, or name the column "
            "with the run of an event by --group"
        )
    return runs


def _run_names(pool: Sample) -> list[str]:
    return [i.path for i in pool.inputs] if pool.groups is None else list(pool.group_names)


def _require_rows(pool: Pool, counts: Sequence[int], params: Params) -> None:
    needed = counts[-1]
    if pool.runs is not None:
        own = np.bincount(pool.runs)
        if own.min() < needed:
            raise DataError(
                f"--tolerance: run {int(own.argmin()) + 1} of the pool has {own.min():,} rows, a "
                f"batch {needed:,}; leave it out, or give a smaller --batch-size"
            )
        return
    most = needed * (2 if params.draw == "disjoint" else 1)
    if len(pool.rows) < most and params.draw != "replacement":
        raise DataError(
            f"pool: has {len(pool.rows):,} rows, fewer than {most:,}; give more good events, at "
            f"least {POOL_BATCHES} times {option_name('batch_size')}"
        )


def _put_aside(
    pool: Pool, size: int, params: Params, rng: np.random.Generator
) -> tuple[Pool, Pool]:
    """Take one batch out of the pool; none from a pool, or run, of fewer than two batches."""
    n = len(pool.rows)
    members = np.arange(n) if pool.runs is None else np.flatnonzero(pool.runs == 0)
    taken = np.empty(0, np.int64)
    if len(members) >= 2 * size:
        last = params.draw == "consecutive"
        taken = members[-size:] if last else np.sort(rng.choice(members, size, replace=False))
    kept = np.setdiff1d(np.arange(n), taken)
    return _taken(pool, taken), _taken(pool, kept)


def _taken(pool: Pool, index: Any) -> Pool:
    weights = None if pool.weights is None else pool.weights[index]
    return Pool(pool.rows.take(index), weights, None if pool.runs is None else pool.runs[index])


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
                f"batch: below {ANALYTIC_ROWS} the analytic law is shown for comparison only",
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


def _share(work: Work, part: int, parts: int) -> Any:
    return lambda share: work.progress((part + share) / parts)
