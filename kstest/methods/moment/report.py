"""What the moment test says besides its p-value: where, how much, classical tests, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics.dependence import strongest_lag
from ...errors import printable
from ...findings import Column, Facts, Finding, Line, Table, number
from ...result import Notice
from ...wording import listed
from ..regions import Region, regions
from .classical import Classical, hansen, hosmer_lemeshow, mean_residual, reset
from .distributions import Drawn, Units
from .estimate import WEAK, Fit
from .question import Question

Array = NDArray[np.float64]

# Share of the sum of squares at which one row is said to own the statistic.
OWNED = 0.25
# Leverage of a row from which on few rows decide on the parameters.
DECIDES = 0.2
SHOWN = 6
_HOW = {"GMM": "by two-step GMM", "least squares": "by least squares"}


def findings(
    question: Question, fit: Fit | None, drawn: Drawn | None, r: Array, units: Units, rejected: bool
) -> list[Finding]:
    """Mean residual, classical tests, parameters; of a rejection, where the residual is."""
    mean, z = mean_residual(r, fit, units.of)
    text = f"{number(mean)} (z = {z:.2f})" if z is not None else "0, as the fit makes it"
    told: list[Finding] = [
        Facts("mean_residual", {"mean": mean, "z": z}, (Line("mean", text, "numbers"),))
    ]
    if fit is not None:
        told.append(_parameters(question, fit))
    beside = _beside(question, fit, drawn)
    if beside:
        texts = [
            f"{test.name} p {number(test.p_value)} ({number(test.statistic)}; {test.distribution})"
            for test in beside
        ]
        columns = (
            Column("name", "test", "<", 18),
            Column("statistic", "statistic"),
            Column("p_value", "p"),
            Column("distribution", "if right", "last"),
        )
        lines = tuple(Line("" if k else "classical", t, "numbers", 1) for k, t in enumerate(texts))
        told.append(Table("classical", beside, columns, "Classical tests", lines))
    if rejected:
        found = regions(question.sample, question.given.names, r)
        told.append(_where(found, bool(question.outcome)))
    return told


def _beside(question: Question, fit: Fit | None, drawn: Drawn | None) -> list[Classical]:
    found: list[Classical | None] = []
    if drawn is not None and drawn.kind == "bernoulli":
        found.append(hosmer_lemeshow(question, drawn))
    if fit is not None:
        found += [reset(question, fit), hansen(fit)]
    return [test for test in found if test is not None]


def _parameters(question: Question, fit: Fit) -> Table:
    strengths = [None] * len(fit.theta) if fit.first_stage is None else fit.first_stage.tolist()
    rows = [
        {"name": name, "estimate": float(x), "standard_error": float(e), "first_stage_f": f}
        for name, x, e, f in zip(question.parameters, fit.theta, fit.errors, strengths, strict=True)
    ]
    texts = [
        f"{printable(name)} = {number(x)} +- {number(e)}"
        for name, x, e in zip(question.parameters, fit.theta, fit.errors, strict=True)
    ]
    how, more = _HOW[fit.estimator], len(texts) - SHOWN
    text = ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    columns = (
        Column("name", "parameter", "<", 18),
        Column("estimate", "estimate"),
        Column("standard_error", "standard error", width=16),
    )
    lines = (Line("fitted", f"{text}, {how}", "numbers"),)
    return Table("parameters", rows, columns, f"Parameters, fitted {how}", lines)


def _where(found: Sequence[Region], predicted: bool) -> Table:
    rows = [
        {"where": region.words or "all rows", "mean": region.mean, "z": region.z,
         "rows": region.rows}
        for region in found
    ]  # fmt: skip
    columns = (
        Column("mean", "mean residual", width=14),
        Column("z", "z", ".1f", 8),
        Column("rows", "rows"),
        Column("where", "where", "last"),
    )
    lines = [
        Line("" if k else "where", region_words(region, predicted))
        for k, region in enumerate(found)
    ]
    return Table("where", rows, columns, "Where the residual is", tuple(lines))


def region_words(region: Region, predicted: bool) -> str:
    """Such as: predicted too high by 0.06 where region = 'north' (412 rows)."""
    size = number(abs(region.mean))
    if predicted:
        text = f"predicted too {'high' if region.mean < 0 else 'low'} by {size}"
    else:
        text = f"residual {'-' * (region.mean < 0)}{size} on average"
    place = f"where {region.words}" if region.words else "over all rows"
    return f"{text} {place} ({region.rows:,} rows)"


def notices(
    question: Question, fit: Fit | None, drawn: Drawn | None, r: Array, units: Units
) -> tuple[Notice, ...]:
    """What may weaken the verdict."""
    found = [*_of_fit(question, fit), *_of_drawn(question, drawn)]
    squares = (r / np.abs(r).max()) ** 2
    share = float(squares.max() / squares.sum())
    if share > OWNED:
        i = int(np.argmax(squares))
        found.append(
            Notice(
                "one-row",
                f"{question.sample.where(i)} has {100 * share:.0f} % of the sum of squared "
                "residuals "
                f"({number(float(r[i]))}) and owns the statistic, whatever the others say: look at "
                "it first, and leave it out with --where if it is an error",
            )
        )
    lag = strongest_lag(r[:, None]) if units.of is None else None
    if lag is not None:
        found.append(
            Notice(
                "serial-dependence",
                f"neighbouring rows have alike residuals (lag-1 autocorrelation {lag[0]:.2f}). If "
                "the file is in order of time, false alarms are likely: try --block-length auto "
                "(--group where rows come in groups). If it is only sorted, ignore this",
            )
        )
    return tuple(found)


def _of_fit(question: Question, fit: Fit | None) -> list[Notice]:
    found: list[Notice] = []
    if fit is None:
        return found
    leverage = fit.leverage
    if leverage.max() > DECIDES:
        i = int(np.argmax(leverage))
        found.append(
            Notice(
                "few-rows-decide",
                f"{question.sample.where(i)} has {100 * leverage[i]:.0f} % of the say on a "
                "fitted value: where few rows decide and the noise grows with the columns the "
                "level is only roughly kept (.10 in place of .05 in a simulation with 60 rows); "
                "take more rows, or a transform of the column",
            )
        )
    if fit.first_stage is not None and fit.first_stage.min() < WEAK:
        weak = [
            f"{printable(name)} (F = {f:.1f})"
            for name, f in zip(question.parameters, fit.first_stage, strict=True)
            if f < WEAK
        ]
        found.append(
            Notice(
                "weak-instruments",
                f"the instruments say little of {', '.join(weak)}: with a first-stage F below "
                f"{WEAK:g} neither the parameters nor this test nor Hansen's J can be relied on; "
                "name stronger instruments",
            )
        )
    apart = [name for name in question.predictors() if name not in question.given.names]
    if fit.estimator == "least squares" and apart:
        found.append(
            Notice(
                "fitted-beside-given",
                f"least squares makes the residual unrelated to {listed(apart)}, which --given "
                "does not name: a rejection may be of that and not of the formula. Name them in "
                "--given, or fit by --instruments",
            )
        )
    return found


def _of_drawn(question: Question, drawn: Drawn | None) -> list[Notice]:
    if drawn is None or drawn.kind == "normal":
        return []
    apart = [name for name in question.predictors() if name not in question.given.names]
    if not apart:
        return []
    return [
        Notice(
            "prediction-not-given",
            f"--null {drawn.kind} takes every prediction for right, by {listed(apart)} too, which "
            "--given does not name: a rejection may be of their size and not of the given columns. "
            "Name them in --given, or take --null signs",
        )
    ]


def null_block(
    drawn: Drawn | None, fit: Fit | None, units: Units, bins: int, params: Any
) -> dict[str, object]:
    schemes = {
        "bernoulli": "outcomes drawn with the predicted probabilities",
        "poisson": "counts drawn with the predicted means",
        "normal": "normal residuals drawn anew",
    }
    scheme = f"random signs of {units.name}" if drawn is None else schemes[drawn.kind]
    return {
        "scheme": scheme + ", corrected for the fit" * (fit is not None),
        "replicates": params.draws,
        "exact": drawn is not None,
        "bins": bins,
    }
