"""Check: batches against a calibration, one Result each, and alarms over all of them."""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from kstest.frozen import frozen

from ..contract import Inputs
from ..diagnostics.dependence import serial_dependence
from ..engine import Work, single_blas
from ..errors import DataError, UsageError
from ..findings import Facts, by_bandwidth, summary
from ..kernels import Rows
from ..nulls.online import CONTROLS
from ..params import INPUT, NULL, check_choices, option, seed
from ..result import Notice, Result
from ..run import origin, records_found, told_of_records
from . import alarms, words
from .calibration import Calibration, Score
from .history import History, Identity
from .over_time import SENTENCES, with_alarms
from .reachable import require_reachable
from .windows import Batch, cut

RANGES = ("refuse", "warn")
# Longer names are kept as a digest.
MOST_NAME = 1000


@frozen
class Judging:
    """Options of `check` and `explain` that are about one batch."""

    alpha: float = option(
        0.01,
        "Level of each batch; with --control lond and the like the false discovery rate.",
        section=NULL,
        brief="Level of each batch; 0.01 by default.",
    )
    null: str = option(
        "toys",
        "Where p-values come from: toys, or the analytic distribution.",
        choices=("toys", "analytic"),
        section=NULL,
    )
    persistence: str = option(
        "2/3",
        "k/n: k rejections among the last n batches are an alarm.",
        metavar="K/N",
        section=NULL,
        brief="k/n: k rejections of n batches are an alarm.",
    )
    min_events: int = option(0, "Below this many events there is no verdict.", section=NULL)
    expected: int = option(
        0, "With --count poisson and several sizes: events that a batch of this length should have."
    )
    ranges: str = option(
        "refuse",
        "What to do about a column that looks as if it were in another unit.",
        choices=RANGES,
    )
    seed: int = seed()

    def __post_init__(self) -> None:
        check_choices(self)
        alarms.parse(self.persistence)
        if not 0 < self.alpha < 1:
            raise UsageError(f"--alpha {self.alpha}: give a number between 0 and 1, such as 0.01")
        for name in ("per_day", "min_events", "expected", "window", "step"):
            value = getattr(self, name, 0)
            if not 0 <= value < math.inf:
                raise UsageError(
                    f"--{name.replace('_', '-')} {value}: give a number that is not negative"
                )


@frozen
class Params(Judging):
    """Options of `check`; see the help of each field."""

    control: str = option(
        "persistence",
        "How verdicts of many batches become alarms: k of the last n rejected, or an online rule "
        "that keeps the share of false alarms.",
        choices=CONTROLS,
        section=NULL,
        brief="How verdicts of many batches become alarms.",
    )
    per_day: float = option(
        0.0, "Batches per day, to state how many false alarms to expect.", section=NULL
    )
    window: int = option(
        0,
        "Cut files into windows of this many rows, each a batch. Default: a file of two batches or "
        "more is cut into batches of the calibrated size.",
        section=INPUT,
        brief="Cut files into windows of so many rows.",
    )
    step: int = option(0, "Rows from one window to the next. Default: the window.", section=INPUT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step and not self.window:
            raise UsageError("--step: needs --window, the rows of a batch")


INPUTS = Inputs(
    roles=("batch",),
    params=Params,
    example="kstest dqm check drift.cal run_0815.parquet run_0816.parquet",
)


def check(
    calibration: Calibration,
    batches: Sequence[Batch],
    params: Params,
    work: Work,
    history: History | None = None,
) -> list[Result]:
    """Judge batches in their order, and say after which of them there is an alarm.

    Parameters
    ----------
    calibration : Calibration
    batches : sequence of Batch
        One that holds several of the calibrated size is cut into them (`kstest.dqm.windows`).
    params : Params
    work : Work
    history : History, optional
        Earlier batches, for alarms; those of this run are added.

    Returns
    -------
    list of Result
        One per batch. `explanation` holds the statistic and the analytic p-value of every width,
        the analytic p-value of all, and the state of the alarm after the batch.

    Notes
    -----
    With disjoint toys p <= alpha has probability at most alpha for good batches of independent
    events, whatever the reference. Other toys share a pool, for which they are stretched
    (`kstest.likelihood_ratio.finite_pool`), and p is uniform on average over references and pools,
    in the normal approximation: `benchmarks/README.md` has the measured levels. With one
    calibration all p-values share the reference and the toys, so they are too small together or too
    large together.
    """
    parts, results = judge_all(calibration, batches, params, work)
    identities = [] if history is None else [identity(calibration, part) for part in parts]
    return with_alarms(calibration, results, params, history, identities)


@single_blas()
def judge_all(
    calibration: Calibration, batches: Sequence[Batch], params: Params, work: Work
) -> tuple[list[Batch], list[Result]]:
    """The first half of `check`: batches, cut where they hold several, and an answer to each.

    `with_alarms` is the second one, which takes no time: no history is locked for long.
    """
    require_reachable(calibration, params, params.control)
    parts: list[Batch] = []
    for batch in batches:
        # A file has one unit; a stretch of it that leaves the range of good events is a fault.
        require_units(calibration, batch, params)
        parts += cut(calibration, batch, params.window, params.step, params.min_events)
    return parts, judge(calibration, parts, params, work)


def judge(
    calibration: Calibration, batches: Sequence[Batch], params: Judging, work: Work
) -> list[Result]:
    """Judge batches, each by itself; parameters as in `check`.

    Results have no alarm: see `with_alarms`.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    batches = [replace(b, notices=(*b.notices, *_seen(calibration, b))) for b in batches]
    chosen = [_choose(calibration, batch, params) for batch in batches]
    scores = _scores(calibration, [c for c in chosen if c is not None], params, work)
    results = [
        _undecided(calibration, batch, params)
        if picked is None
        else _decided(calibration, batch, picked, scores[id(picked)], params)
        for batch, picked in zip(batches, chosen, strict=True)
    ]
    seconds = time.perf_counter() - clock
    where = [origin((b.sample,), params, started, seconds, work) for b in batches]
    results = [replace(r, **w) for r, w in zip(results, where, strict=True)]
    return _in_units(calibration, batches, results)


def _in_units(
    calibration: Calibration, batches: Sequence[Batch], results: Sequence[Result]
) -> list[Result]:
    """Results, in the words of records where batches hold these."""
    if calibration.layout.units is None:
        return list(results)
    return [
        told_of_records(r, r.columns, b.notices).told(*records_found((b.sample,)))
        for r, b in zip(results, batches, strict=True)
    ]


def identity(calibration: Calibration, batch: Batch) -> Identity:
    """By what a history knows a batch: a name, and a digest of its events as they are judged."""
    rows, weights = calibration.layout.rows(batch.sample), batch.sample.weights
    digest = hashlib.blake2b(digest_size=16)
    for array in (rows.values, rows.codes, np.empty(0) if weights is None else weights):
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    name = batch.name or batch.label
    name = f"{name} rows {batch.rows}" if batch.rows else name
    if len(name) > MOST_NAME or not _is_text(name):
        name = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Identity(name, digest.hexdigest(), batch.named)


def _is_text(name: str) -> bool:
    """Whether a name of a file has no bytes that are no text."""
    try:
        return bool(name.encode()) or True
    except UnicodeEncodeError:
        return False


def require_units(calibration: Calibration, batch: Batch, params: Judging) -> None:
    """Refuse a file with a column in another unit."""
    calibration.layout.require_kinds(batch.sample, batch.label)
    wrong = calibration.layout.other_units(batch.sample, batch.label)
    if wrong and params.ranges == "refuse":
        raise DataError(f"{wrong[0]}. Is it another unit? --ranges warn judges it all the same.")


@frozen
class _Chosen:
    """The rows of a batch that are judged, and by which size of the calibration."""

    rows: Rows
    weights: Any
    g: int
    used: int


def _choose(calibration: Calibration, batch: Batch, params: Judging) -> _Chosen | None:
    """Rows to judge; None if they are too few."""
    layout, sample = calibration.layout, batch.sample
    n = sample.n
    rows, weights = layout.rows(sample), sample.weights
    if n < (1 if batch.rows else max(params.min_events, 1)):
        return None
    if calibration.poisson:
        return _Chosen(rows, weights, _expected(calibration, params), n)
    g = calibration.size_for(n)
    if g is None:
        return None
    size = calibration.sizes[g]
    if size < n:
        if calibration.settings["draw"] == "consecutive":
            index = np.arange(n - size, n)
        else:
            rng = np.random.default_rng([params.seed, n, size])
            index = np.sort(rng.choice(n, size, replace=False))
        rows = rows.take(index)
        weights = None if weights is None else weights[index]
    return _Chosen(rows, weights, g, size)


def _expected(calibration: Calibration, params: Judging) -> int:
    if not params.expected and len(calibration.sizes) == 1:
        return 0
    if params.expected not in calibration.sizes:
        known = ", ".join(map(str, calibration.sizes))
        raise UsageError(
            f"--expected {params.expected}: the calibration has {known}; say which of them a batch "
            "of this length should have"
        )
    return calibration.sizes.index(params.expected)


def _scores(
    calibration: Calibration, chosen: Sequence[_Chosen], params: Judging, work: Work
) -> dict[int, Score]:
    by_size: dict[int, list[_Chosen]] = defaultdict(list)
    for c in chosen:
        by_size[c.g].append(c)
    found: dict[int, Score] = {}
    for g, some in by_size.items():
        scores = calibration.scores([c.rows for c in some], [c.weights for c in some], g, work)
        found |= {id(c): score for c, score in zip(some, scores, strict=True)}
    return found


def _base(calibration: Calibration, batch: Batch, params: Judging) -> Result:
    layout = calibration.layout
    return Result(
        method="dqm",
        verdict="no verdict",
        alpha=params.alpha,
        n={"reference": len(calibration.reference.rows), "batch": batch.sample.n},
        d=len(layout.names),
        columns=layout.names,
        kernel={
            "name": "gaussian",
            "bandwidths": list(calibration.widths),
            "aggregate": calibration.settings["aggregate"] if len(calibration.widths) > 1 else None,
        },
        findings=(words.batch(batch.label), Facts("calibration", calibration.digest)),
        warnings=(*batch.notices, *layout.unknown(batch.sample), *_units(layout, batch)),
    )


def _seen(calibration: Calibration, batch: Batch) -> Iterator[Notice]:
    """Say when a batch is a file of the calibration: it fits too well to be judged."""
    known = {i["sha256"]: i["sample"] for i in calibration.record["inputs"] if i["sha256"]}
    for source in batch.sample.inputs:
        if source.sha256 in known:
            text = f"{batch.label} is a file of the calibration's {known[source.sha256]}"
            yield Notice("batch-in-calibration", f"{text}: its p-value says nothing")


def _units(layout: Any, batch: Batch) -> Iterator[Notice]:
    for text in layout.other_units(batch.sample, batch.label):
        yield Notice("other-units", text)


def _undecided(calibration: Calibration, batch: Batch, params: Judging) -> Result:
    least = max(params.min_events, 1 if calibration.poisson else calibration.sizes[0])
    n = batch.sample.n
    text = f"{batch.label} has {n:,} event{'s' * (n != 1)}, at least {least:,} are needed"
    base = _base(calibration, batch, params)
    return base.told(
        summary("too few events"),
        warnings=(*base.warnings, Notice("too-few-events", text)),
    )


def _decided(
    calibration: Calibration, batch: Batch, chosen: _Chosen, score: Score, params: Judging
) -> Result:
    base, g = _base(calibration, batch, params), chosen.g
    p = score.analytic if params.null == "analytic" else score.p_value
    runs, toys = calibration.run_count(g), calibration.toys[g].shape[1]
    strongest = int(score.tails.argmin())
    table = [
        {"bandwidth": h, "scale": a, "statistic": float(t), "analytic_p_value": float(q)}
        for h, a, t, q in zip(
            calibration.widths, calibration.scales, score.statistics, score.tails, strict=True
        )
    ]
    draw = calibration.settings["draw"]
    found: list[Notice] = []
    if draw != "consecutive":
        found += serial_dependence((batch.sample,), "calibrating with --draw consecutive")
    rejected = p <= params.alpha
    analytic = params.null == "analytic"
    titled = "t" if len(calibration.widths) == 1 else "t at the strongest width"
    return base.told(
        summary(SENTENCES[bool(rejected)]),
        words.statistic(titled),
        *words.evidence(p, score.analytic, chosen.used, batch.sample.n),
        Facts("events_expected", calibration.expected(g) or chosen.used),
        words.tolerance(runs or None),
        *by_bandwidth(table, strongest, "statistic"),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(score.statistics[strongest]),
        p_value=p,
        e_value=float(0.5 / np.sqrt(p)),
        threshold=None if analytic else calibration.threshold(g, params.alpha),
        null={
            "scheme": "analytic" if analytic else f"toys ({draw})",
            "replicates": None if analytic else runs or toys,
            "exact": not analytic and draw == "disjoint",
        },
        warnings=(*base.warnings, *found),
    )


def exit_code(results: Sequence[Result]) -> int:
    """1 if there was an alarm after any batch, else 3 if one had no verdict, else 0.

    An alarm that is acknowledged is none for the exit code.
    """
    states = [r.explanation["alarm"] for r in results]
    if any(state["alarm"] and not state.get("acknowledged") for state in states):
        return 1
    return 3 if any(r.verdict == "no verdict" for r in results) else 0
