"""Explain: which columns, where, rate or shape, and which events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..contract import Inputs
from ..engine import Work, single_blas
from ..findings import Facts, summary
from ..kernels import Rows
from ..likelihood_ratio import Pool, Reference
from ..likelihood_ratio.explain import (
    Evidence,
    at_width,
    choose_ridge,
    evidence,
    rate_statistic,
    select,
    with_columns,
)
from ..likelihood_ratio.toys import batch_weight
from ..methods.describe import CATEGORY, MISSING, NUMBER, in_words
from ..params import option
from ..picture import Picture
from ..result import Notice, Result
from ..run import told_of_records
from . import check, words
from .advice import MOSTLY_RATE, advice, meaning
from .calibration import Calibration
from .findings import Column, Ratios
from .marginal import beyond_range, column_p_values
from .over_time import SENTENCES
from .picture import picture
from .reachable import require_reachable
from .windows import Batch, cut

Array = NDArray[np.float64]


@frozen
class Params(check.Judging):
    """Options of `explain`: those of `check` that are about one batch."""

    events: int = option(
        20,
        "Events with the largest learned ratio to list.",
        brief="Events of the largest ratio to list; 20.",
    )


INPUTS = Inputs(
    roles=("batch",),
    params=Params,
    example="kstest dqm explain drift.cal run_0816.parquet --plot why.html",
    description="""\
Fits the likelihood ratio of the batch to convergence, and shows each column as it is in the
reference, in the batch, and in the reference reweighted by the learned ratio: where the last two
agree, the ratio has found the difference. Columns are ranked by the evidence that is lost without
them; one is said to differ if a test of it alone says so. A file of several batches is judged in
windows of the calibrated size.""",
)


@single_blas()
def explain(
    calibration: Calibration, batch: Batch, params: Params, work: Work
) -> tuple[Result, Picture]:
    """Judge a batch, and say what drives the verdict.

    Returns
    -------
    result : Result
        That of `check` without an alarm, which takes other batches, too. Its explanation has
        ``ranking`` (list of `Column`), ``beyond`` (columns with events beyond the range of the
        reference) with ``beyond_events``, ``rate``, ``events``, ``meaning`` and ``advice`` in
        sentences, and when the calibration was made, ``calibrated``.
    picture : Picture
        A panel per column: reference, batch and reweighted reference, log ratios below.

    Notes
    -----
    The ranking is at the strongest width. Dropping one of two columns that carry the same
    difference loses little, so both may rank low; the words and the picture show them. Tests of
    single columns and numbers beyond a range take events for independent of each other.

    A file that holds several batches of the calibrated size is judged in windows, with Simes'
    p-value for all of them, min_k (m / k) p_(k), which holds for p-values that share toys (Sarkar
    1998; Bates, Candes, Lei, Romano, Sesia 2023, arXiv 2104.08279); it is explained as a whole.
    """
    require_reachable(calibration, params)
    check.require_units(calibration, batch, params)
    parts = cut(calibration, batch, 0, 0, params.min_events)
    result = _together(batch, check.judge(calibration, parts, params, work))
    if result.verdict == "no verdict":
        said = meaning(calibration, result)
        return result.told(*words.meant(said, advice(result, ()))), Picture()
    g = _size(calibration, result)
    ridge, expected = calibration.ridges[g], calibration.expected(g)
    k = int(np.argmin([row["analytic_p_value"] for row in result.explanation["kernels"]]))
    side = at_width(calibration.reference, k)
    rows = calibration.layout.rows(batch.sample)
    events = Pool(rows, batch.sample.weights)
    kind = str(calibration.settings["statistic"])
    whole = evidence(side, events, expected, ridge, kind, work)
    ratios = learned(side, events, expected, ridge, work)
    pair = _pair(calibration, rows, batch)
    ranking = _ranking(calibration, side, events, expected, ridge, whole, pair, work)
    beyond = beyond_range(calibration, batch.sample, params.alpha)
    ranking = _tested(calibration, pair, ranking, beyond["columns"], params, work)
    rate = _rate(calibration, events, expected, whole)
    found = [] if ratios.converged else [Notice("not-converged", "the fit did not converge")]
    result = result.told(
        words.ranking(ranking, bool(result.reject), rate["tested"]),
        words.beyond(beyond["columns"]),
        Facts("beyond_events", beyond["events"]),
        words.rate(rate),
        words.events(_events(batch, ratios, params.events), calibration.layout.units is not None),
        Facts("ratio_ridge", ratios.ridge),
        *words.meant(
            meaning(calibration, result), advice(result, ranking, beyond["columns"], rate)
        ),
        words.calibrated(calibration.record),
        warnings=(*result.warnings, *found),
    )
    if calibration.layout.units is not None:
        result = told_of_records(result, result.columns, batch.notices)
    return result, picture(pair, calibration.reference.shares, ratios, ranking, result)


def _together(batch: Batch, results: Sequence[Result]) -> Result:
    """One result of all windows of a file: that of the most different one, with Simes' p-value."""
    if len(results) == 1:
        return results[0]
    m = len(results)
    first = min(results, key=lambda r: (r.p_value, r.explanation["analytic_p_value"]))

    def simes(values: Any) -> float:
        return float(min(1.0, (np.sort(list(values)) * m / np.arange(1, m + 1)).min()))

    p = simes(r.p_value for r in results)
    analytic = simes(r.explanation["analytic_p_value"] for r in results)
    notices = {n.message: n for r in results for n in r.warnings}
    used = sum(r.explanation["events_used"] for r in results)
    return first.told(
        words.batch(batch.label),
        summary(SENTENCES[p <= first.alpha]),
        *words.evidence(p, analytic, used, batch.sample.n, whole=False),
        words.windows(
            [
                {"batch": r.explanation["batch"], "p_value": r.p_value, "reject": r.reject}
                for r in results
            ],
            used,
        ),
        verdict="rejected" if p <= first.alpha else "not rejected",
        p_value=p,
        e_value=float(0.5 / math.sqrt(p)),
        threshold=None,
        n={**first.n, "batch": batch.sample.n},
        null={**first.null, "exact": False, "correction": "Simes"},
        warnings=tuple(notices.values()),
    )


def _tested(
    calibration: Calibration,
    pair: tuple[Any, Any],
    ranking: Sequence[Column],
    beyond: Sequence[Mapping[str, Any]],
    params: Params,
    work: Work,
) -> list[Column]:
    """Add to each column what tests of it alone say, where events have no weights.

    There are two, of its distribution and of events beyond the range of the reference, each
    corrected for all columns; twice the smaller p-value is that of both.
    """
    if pair[1].weights is not None or np.ptp(calibration.reference.shares) > 0:
        return list(ranking)
    plain = (replace(pair[0], weights=None), pair[1])
    p = column_p_values(plain, params.alpha, params.seed, work)
    outside: dict[str, Mapping[str, Any]] = {}
    for end in sorted(beyond, key=lambda end: -float(end["p_value"])):
        outside[end["column"]] = end  # that with the smaller p-value stays
    found = []
    for c in ranking:
        row, own = outside.get(c.column), p.get(c.column, 1.0)
        both = min(1.0, 2 * min(own, row["p_value"] if row else 1.0))
        words = c.words
        if row is not None and own > params.alpha / 2:
            words = f"share {row['end']} the reference: 0 % -> {100 * row['share']:.2g} %"
        found.append(replace(c, words=words, p_value=both, differs=both <= params.alpha))
    return found if p else list(ranking)


def _size(calibration: Calibration, result: Result) -> int:
    size = int(result.explanation["events_expected"])
    return calibration.sizes.index(size)


def learned(
    side: Reference, events: Pool, expected: float | None, ridge: float, work: Work
) -> Ratios:
    """Converge the fit of a batch at the first width, and evaluate it at all events.

    Its penalty is that which predicts held-out events best, the calibration's or a larger one.
    """
    n = batch_weight(events.weights, np.arange(len(events.rows)), expected)
    ridge = choose_ridge(side, events, expected, ridge, work)
    phi = side.transform(events.rows, 0)
    fit = side.newton(0, phi, events.weights, n, 2 * n * ridge, work)
    return Ratios(side.ratios(0, fit.coefficients), phi @ fit.coefficients, fit.converged, ridge)


def _pair(calibration: Calibration, rows: Rows, batch: Batch) -> tuple[Any, Any]:
    """Reference and batch as Samples with common categories."""
    layout, side = calibration.layout, calibration.reference
    reference = layout.sample(side.rows, np.abs(side.shares), "reference")
    own = layout.sample(rows, batch.sample.weights, "batch")
    return reference, replace(own, inputs=batch.sample.inputs)


def _ranking(
    calibration: Calibration,
    side: Reference,
    events: Pool,
    expected: float | None,
    ridge: float,
    whole: Evidence,
    pair: tuple[Any, Any],
    work: Work,
) -> list[Column]:
    layout = calibration.layout
    d, c = len(layout.columns), len(layout.categorical)
    marks = d if layout.marks else 0
    kind = str(calibration.settings["statistic"])
    names = [(n, NUMBER) for n in layout.columns] + [(n, CATEGORY) for n in layout.categorical]
    found = []
    for place, (name, what) in enumerate(names):
        # The mark of missing cells goes with its column.
        numeric = [j for j in range(d) if j != place]
        codes = [j for j in range(c) if d + j != place] + [
            c + j for j in range(marks) if j != place
        ]
        without = None
        if numeric or codes:
            part = with_columns(side, numeric, codes, float(calibration.settings["cut"]), work)
            rows = Pool(select(events.rows, numeric, codes), events.weights)
            without = evidence(part, rows, expected, ridge, kind, work)
        words = in_words(pair, name, what)
        if (
            marks
            and what == NUMBER
            and pair[1].missing is not None
            and pair[1].missing[:, place].any()
        ):
            words = f"{words}; {in_words(pair, name, MISSING)}"
        scale = math.log(10)
        found.append(
            Column(
                name,
                what,
                words,
                whole.statistic,
                None if without is None else without.statistic,
                whole.log_p / scale,
                None if without is None else without.log_p / scale,
                (-whole.log_p if without is None else without.log_p - whole.log_p) / scale,
            )
        )
    return sorted(found, key=lambda column: -column.evidence)


def _rate(
    calibration: Calibration, events: Pool, expected: float | None, whole: Evidence
) -> dict[str, Any]:
    """The part of the evidence that the number of events carries."""
    n = float(len(events.rows) if events.weights is None else events.weights.sum())
    tested = expected is not None
    t, z = rate_statistic(n, expected) if expected is not None else (0.0, 0.0)
    if not tested:
        sentence = "only the shape of the distribution was tested, not the rate"
    elif t < whole.statistic / 3:
        sentence = "mostly the shape of the distribution, not the rate"
    elif t > whole.statistic * 2 / 3:
        sentence = MOSTLY_RATE
    else:
        sentence = "both the rate and the shape"
    return {
        "events": n if events.weights is not None else len(events.rows),
        "expected": expected,
        "tested": tested,
        "statistic": t,
        "z": z,
        "sentence": sentence,
    }


def _events(batch: Batch, ratios: Ratios, count: int) -> list[dict[str, Any]]:
    order = np.argsort(-ratios.batch, kind="stable")[:count]
    numbers, s = batch.sample.row_numbers, batch.sample
    return [
        {
            "row": int(numbers[i]),
            "ratio": float(np.exp(min(ratios.batch[i], 700.0))),
            "values": {name: float(s.values[i, j]) for j, name in enumerate(s.columns)}
            | {n: s.level_name(j, int(s.codes[i, j])) for j, n in enumerate(s.categorical)},
        }
        for i in order
    ]
