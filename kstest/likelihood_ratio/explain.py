"""A fit taken apart: without one column, rate against shape."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ..engine import Work
from ..kernels import Rows
from .distribution import null_distribution
from .features import nystrom, whitened_axes
from .reference import Reference
from .toys import Pool, batch_weight, toy_statistics

Array = NDArray[np.float64]

# Penalties that are tried, a power of ten from one to the next, and rows that try them.
RIDGES = 7
HELD_OUT_ROWS = 10_000


@frozen
class Evidence:
    """Statistic of a fit and its analytic p-value, as logarithm."""

    statistic: float
    log_p: float


def evidence(
    reference: Reference, batch: Pool, expected: float | None, ridge: float, kind: str, work: Work
) -> Evidence:
    """Fit one batch at the first width of a reference, in one step.

    Parameters
    ----------
    reference : Reference
    batch : Pool
        The events of the batch.
    expected : float or None
        As for `toy_statistics`.
    ridge : float
        Per unit of data weight.
    kind : {'extended', 'data'}
    work : Work
    """
    everything = np.arange(len(batch.rows))
    t = toy_statistics(reference, batch, [everything], expected, ridge, kind, False, work)
    weight = len(everything) if batch.weights is None else float(batch.weights.sum())
    size = expected or weight
    distribution = null_distribution(
        reference.grams[0],
        reference.means[0],
        size,
        2 * size * ridge,
        reference.effective_rows,
        kind,
        expected is not None,
    )
    return Evidence(float(t[0, 0]), distribution.log_tail(float(t[0, 0])))


def choose_ridge(
    reference: Reference, events: Pool, expected: float | None, smallest: float, work: Work
) -> float:
    """Choose the penalty with which a converged fit predicts events that it has not seen best.

    A test may use a penalty at which the fit follows single events: toys do so, too. As a
    description of a batch such a fit is worthless: a few rows of the reference carry its ratio.

    Parameters
    ----------
    reference : Reference
        Of one width.
    events : Pool
        The batch.
    expected : float or None
        As for `toy_statistics`.
    smallest : float
        Penalty per unit of data weight; it and its multiples by powers of ten are tried.
    work : Work

    Returns
    -------
    float
        That with the largest extended log likelihood ratio sum_D u f - N sum_R v (e^f - 1) on the
        halves of batch and reference (at most 10,000 rows of it) that a fit has not seen.
    """
    rng = np.random.default_rng(0)
    rows = _halves(rng.permutation(len(reference.rows))[:HELD_OUT_ROWS])
    batch = _halves(rng.permutation(len(events.rows)))
    ridges = [smallest * 10.0**k for k in range(RIDGES)]
    if min(map(len, batch)) < 2 or min(reference.shares[half].sum() for half in rows) <= 0:
        return ridges[-1]
    scores = np.zeros(len(ridges))
    for seen in (0, 1):
        parts = [_part(reference, rows[side], work) for side in (seen, 1 - seen)]
        phis = [reference.transform(events.rows.take(batch[side]), 0) for side in (seen, 1 - seen)]
        weights = [None if events.weights is None else events.weights[batch[side]]
                   for side in (seen, 1 - seen)]  # fmt: skip
        whole = batch_weight(events.weights, np.arange(len(events.rows)), expected)
        n = [whole * len(batch[side]) / len(events.rows) for side in (seen, 1 - seen)]
        for k, ridge in enumerate(ridges):
            a = parts[0].newton(0, phis[0], weights[0], n[0], 2 * n[0] * ridge, work).coefficients
            f = phis[1] @ a
            gain = f.sum() if weights[1] is None else weights[1] @ f
            scores[k] += gain - n[1] * parts[1].excess([a[:, None]], work)[0, 0]
    # Of equals the smoothest.
    return ridges[len(ridges) - 1 - int(scores[::-1].argmax())]


def _halves(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    middle = len(order) // 2
    return order[:middle], order[middle:]


def _part(reference: Reference, rows: NDArray[np.int64], work: Work) -> Reference:
    """The reference of some of its rows."""
    return Reference.of(
        reference.rows.take(rows),
        reference.shares[rows],
        reference.centres,
        reference.features,
        work,
    )


def at_width(reference: Reference, k: int) -> Reference:
    """The reference with its width k alone."""
    return Reference(
        reference.rows,
        reference.shares,
        reference.centres,
        (reference.features[k],),
        (reference.grams[k],),
        (reference.means[k],),
    )


def with_columns(
    reference: Reference, numeric: list[int], codes: list[int], cut: float, work: Work
) -> Reference:
    """The reference of some of its columns, at its first width and the same centres."""
    centres = select(reference.centres, numeric, codes)
    whole = np.hstack([centres.values, centres.codes])
    centres = centres.take(np.sort(np.unique(whole, axis=0, return_index=True)[1]))
    rows = select(reference.rows, numeric, codes)
    (kept,) = reference.features
    axes = None if kept.axes is None else whitened_axes(rows)
    features = nystrom(centres, [kept.bandwidth], cut, axes)
    return Reference.of(rows, reference.shares, centres, features, work)


def select(rows: Rows, numeric: list[int], codes: list[int]) -> Rows:
    """Some columns of rows."""
    return Rows(
        np.ascontiguousarray(rows.values[:, numeric]), np.ascontiguousarray(rows.codes[:, codes])
    )


def rate_statistic(events: float, expected: float) -> tuple[float, float]:
    """Twice the log likelihood ratio of a Poisson count, and its signed root.

    2 (n log(n / N) - n + N): the part of an extended likelihood ratio that the number of events
    alone carries.
    """
    log = events * math.log(events / expected) if events > 0 else 0.0
    t = max(2 * (log - events + expected), 0.0)
    return t, math.copysign(math.sqrt(t), events - expected)
