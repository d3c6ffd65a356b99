"""What each column shows by itself: a test of it alone, and events beyond the reference's range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine import Work
from ..engine.work import silent
from ..methods import ks
from ..sample import Sample
from ..wording import printable
from .calibration import Calibration

# Rows of the reference that columns are tested with, drawn by the seed: enough for a description.
MOST_ROWS = 10_000
FEWEST_PERMUTATIONS = 999


def column_p_values(
    pair: tuple[Sample, Sample], alpha: float, seed: int, work: Work
) -> dict[str, float]:
    """Test every column by itself, with one level for all of them together.

    Parameters
    ----------
    pair : two Samples
        Reference and batch, without weights.
    alpha : float
        Level that the permutations have to reach.
    seed : int
    work : Work

    Returns
    -------
    dict of str to float
        p-values corrected by Holm (1979): Anderson-Darling for numbers, chi-squared for categories,
        by permutations (`kstest.methods.ks`), so exact for independent events. That of a column
        with missing cells is the smaller of two, its values and its missing cells. Empty if there
        are too few rows.
    """
    reference, batch = pair
    rng = np.random.default_rng(seed)
    if reference.n > MOST_ROWS:
        chosen = np.sort(rng.choice(reference.n, MOST_ROWS, replace=False))
        holes = None if reference.missing is None else reference.missing[chosen]
        codes = np.ascontiguousarray(reference.codes[chosen])
        reference = replace(reference, values=reference.values[chosen], codes=codes, missing=holes)
    names = (*batch.columns, *batch.categorical)
    tests = len(names) + len(batch.columns) * (batch.missing is not None)
    # Enough that Holm's smallest p-value, doubled as beside another test, is at most half of alpha.
    count = max(FEWEST_PERMUTATIONS, math.ceil(4 * tests / alpha))
    params = ks.Params(
        alpha=alpha, permutations=count, seed=seed, statistic="ad", correction="holm"
    )
    found = ks.run((reference, batch), params, rng, silent(work))
    p = {c.column: c.adjusted_p_value for c in found.explanation.get("columns", ())}
    return {
        name: min(q for label, q in p.items() if label in (name, f"{name} missing"))
        for name in names
        if name in p
    }


def beyond_range(calibration: Calibration, sample: Sample, alpha: float) -> dict[str, Any]:
    """Say how many events lie where the reference has none, so that no ratio can follow them.

    Parameters
    ----------
    calibration : Calibration
    sample : Sample
        The batch.
    alpha : float
        Columns are named where chance has at most this probability, for all columns together.

    Returns
    -------
    dict
        ``events`` and ``share`` of the batch beyond the range of at least one named column, and
        ``columns``, a list of dicts with a sentence.

    Notes
    -----
    If n events of a batch and N of a reference are exchangeable, the k largest of all are in the
    batch with probability n (n - 1) ... (n - k + 1) / ((N + n) ... (N + n - k + 1)), ties left
    aside; on average n / (N + 1) events lie beyond either end. With weights nothing is expected of
    their numbers, and columns with at least 1 % of the events are named.
    """
    layout, side = calibration.layout, calibration.reference
    weighted = sample.weights is not None or bool(np.ptp(side.shares) > 0)
    n, N = sample.n, len(side.rows)
    found, anywhere = [], np.zeros(n, bool)
    for name, q in zip(layout.columns, layout.quantiles, strict=True):
        place = sample.columns.index(name)
        values = sample.values[:, place]
        there = np.ones(n, bool) if sample.missing is None else ~sample.missing[:, place]
        for end, beyond in (("above", values > q[-1]), ("below", values < q[0])):
            outside = beyond & there
            k = int(outside.sum())
            p = None if weighted else _all_outermost(k, n, N) * 2 * len(layout.columns)
            if k and (k >= 0.01 * n if p is None else p <= alpha):
                bound = float(q[-1] if end == "above" else q[0])
                anywhere |= outside
                found.append(_row(name, end, k, n, bound, None if p is None else n / (N + 1), p))
    return {"events": int(anywhere.sum()), "share": float(anywhere.mean()), "columns": found}


def _all_outermost(k: int, n: int, N: int) -> float:
    """Probability that the k outermost of N + n exchangeable events are among the n."""
    if k == 0:
        return 1.0
    i = np.arange(k)
    return float(np.exp(np.log((n - i) / (N + n - i)).sum()))


def _row(
    name: str, end: str, k: int, n: int, bound: float, expected: float | None, p: float | None
) -> dict[str, Any]:
    extreme = "largest" if end == "above" else "smallest"
    chance = "" if expected is None else f", where {expected:.2g} are expected by chance"
    sentence = (
        f"{printable(name)}: {k:,} of {n:,} events ({100 * k / n:.2g} %) lie {end} "
        f"{bound:.6g}, the {extreme} value of the reference{chance}"
    )
    return {
        "column": name,
        "end": end,
        "bound": bound,
        "events": k,
        "share": k / n,
        "expected": expected,
        "p_value": None if p is None else min(p, 1.0),
        "sentence": sentence,
    }


def beyond_note(beyond: Sequence[Any], events: int, n: int) -> str:
    """A caption: where the reweighted reference cannot follow."""
    if not beyond:
        return ""
    names = ", ".join(dict.fromkeys(printable(row["column"]) for row in beyond))
    return (
        f"{events:,} of {n:,} events of the batch ({100 * events / n:.2g} %) lie beyond the range "
        f"of the reference ({names}): the reweighted reference has no events there and cannot "
        "follow."
    )
