"""A fit taken apart: without one column, rate against shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine import Work
from ..kernels import Rows
from .features import nystrom
from .law import null_law
from .reference import Reference
from .toys import Pool, toy_statistics

Array = NDArray[np.float64]


@dataclass(frozen=True)
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
    law = null_law(
        reference.grams[0],
        reference.means[0],
        size,
        2 * size * ridge,
        reference.effective_rows,
        kind,
        expected is not None,
    )
    return Evidence(float(t[0, 0]), law.log_tail(float(t[0, 0])))


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
    features = nystrom(centres, [reference.features[0].bandwidth], cut)
    rows = select(reference.rows, numeric, codes)
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
