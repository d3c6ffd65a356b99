"""--min-effect: a change has to be shown to be larger than the user cares for.

The null hypothesis of a two-sample test is then "no column differs by more than this", and its
p-value is the larger one of two: that of no change at all, and that of the effects, corrected for
the number of columns by Holm. Each effect has a lower confidence bound, simultaneous for all
columns (`kstest.nulls.bounds` has the formulas, and on what they rest); rows are independent of
each other. A change in how columns go together has no size in these units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, printable
from ...findings import Column, Facts, Line, Table, listed, number, summary
from ...nulls.bounds import Means, distance_p_value, largest, share_p_value, variation_p_value
from ...nulls.several import holm_adjusted
from ...params import option
from ...result import Notice, Result
from ...sample import Sample
from ..min_effect import POINTS, SD, SHARE, parsed, sized
from .columns import labels

Array = NDArray[np.float64]
UNITS = (SD, SHARE, POINTS)
EXAMPLE = "0.1sd, 2%, 5%-points, or several separated by commas"
# Levels of a category that are compared one by one, the most frequent ones.
LEVELS = 100
# Levels that are looked at for the bound of a column.
SOLVED = 8
LISTED = 5
RESTS = {
    SD: "asymptotic, skewness corrected",
    SHARE: "Dvoretzky-Kiefer-Wolfowitz, any number of rows",
    POINTS: "exact binomial, any number of rows",
}
_SENTENCES = {
    (True, True): "a column differs by more than {most}",
    (True, False): "the samples differ; no evidence at this level that by more than {most}",
    (False, False): "no evidence at this level that a column differs by more than {most}",
}


def min_effect() -> Any:
    return option(
        "",
        "Reject only if a column is shown to differ by more than this: 0.1sd, its mean in standard "
        "deviations of the reference; 2%, the share of rows that would have to change; 5%-points, "
        "the share of a level of a category; several separated by commas, each for the columns it "
        "fits. For independent rows.",
        metavar="SIZE[,SIZE...]",
        brief="Smallest change worth a rejection, such as 2%.",
    )


def check_min_effect(params: Any) -> None:
    """Check the option by itself and beside others.

    Raises
    ------
    UsageError
    """
    parsed(params.min_effect, UNITS, EXAMPLE)
    if params.min_effect and params.block_length is not None:
        raise UsageError(
            "--min-effect with --block-length: the bounds of effects are for rows that are "
            "independent of each other; leave out one of the two"
        )


@dataclass(frozen=True)
class Effect:
    """How far a column differs.

    Attributes
    ----------
    column : str
    unit : {'sd', '%', '%-points'}
    most : float
        What it may differ by.
    effect : float
        As observed, in standard deviations or as a share of 1.
    bound : float
        Lower confidence bound, of all columns together.
    p_value, adjusted_p_value : float
        Of "at most `most`".
    rests_on : str
    known : bool
        Whether there are rows enough for a bound.
    """

    column: str
    unit: str
    most: float
    effect: float
    bound: float
    p_value: float
    adjusted_p_value: float = 1.0
    rests_on: str = ""
    known: bool = True


@dataclass(frozen=True)
class _Measured:
    """An effect and the p-value of its being at most so large."""

    effect: float
    p_value: Callable[[float], float]
    rests_on: str
    known: bool = True


def thresholded(result: Result, samples: Sequence[Sample], params: Any) -> Result:
    """Hold the effects of all columns against --min-effect; the result itself without it.

    Parameters
    ----------
    result : Result
        Of the test of no change.
    samples : two Samples
    params : Params

    Raises
    ------
    UsageError
        For columns without an effect in any of the units, and rows that are not independent.
    """
    if not params.min_effect:
        return result
    most = parsed(params.min_effect, UNITS, EXAMPLE)
    _refuse_dependent(samples)
    said = ", ".join(sized(size, unit) for unit, size in most.items())
    rule = Line("min effect", f"rejects only what is shown to be more than {said}", "beside")
    none = result.p_value
    if none is None or result.verdict == "no verdict":
        return result.told(Facts("min_effect", {"most": most}, (rule,)))
    found = effects(samples, most, params.alpha)
    p = max(none, min(e.adjusted_p_value for e in found))
    rejected, changed = p <= params.alpha, none <= params.alpha
    lines = (rule, Line("no change", f"p {number(none)}", "beside"))
    value = {"most": most, "p_value_of_no_change": none, "confidence": 1 - params.alpha}
    rests = any(e.rests_on != RESTS[e.unit] or e.unit == SD for e in found)
    told = result.told(
        Facts("min_effect", value, lines),
        _table(found, params.alpha),
        summary(_SENTENCES[changed, rejected].format(most=said)),
        verdict="rejected" if rejected else "not rejected",
        p_value=p,
        threshold=None,
        null={**result.null, "exact": bool(result.null.get("exact")) and not rests},
    )
    unknown = [e.column for e in found if not e.known]
    return _with_unknown(told, unknown, changed) if unknown else told


def _with_unknown(result: Result, columns: Sequence[str], changed: bool) -> Result:
    """Say of which columns there is no bound; no verdict, if one of them may be what changed."""
    names = ", ".join(printable(c) for c in columns[:LISTED]) + ", ..." * (len(columns) > LISTED)
    why = (
        f"too few rows for the tails of {names}: the standard deviation is not known well enough "
        "for a bound in its units; use more rows, or --min-effect in %"
    )
    open_ = changed and result.verdict == "not rejected"
    result = replace(result, warnings=(*result.warnings, Notice("too-few-for-bound", why)))
    if not open_:
        return result
    said = summary("the samples differ, by how much is open")
    return result.told(said, verdict="no verdict", p_value=None)


def effects(samples: Sequence[Sample], most: dict[str, float], alpha: float) -> list[Effect]:
    """The effects of all columns with their bounds, the smallest p-value first."""
    items = [*_items(samples, most)]
    level = alpha / len(items)
    found = []
    for name, unit, made in items:
        p = made.p_value(most[unit]) if made.known else 1.0
        bound = largest(made.p_value, made.effect, level) if made.known else 0.0
        found.append(
            Effect(name, unit, most[unit], made.effect, bound, p, 1.0, made.rests_on, made.known)
        )
    adjusted = holm_adjusted(np.array([e.p_value for e in found]))
    found = [replace(e, adjusted_p_value=float(q)) for e, q in zip(found, adjusted, strict=True)]
    return sorted(found, key=lambda e: (e.adjusted_p_value, e.p_value, -e.bound, -e.effect))


def _refuse_dependent(samples: Sequence[Sample]) -> None:
    weighted = samples[0].weights is not None and not samples[0].counted
    for name, given in (("--group", samples[0].groups is not None), ("--weights", weighted)):
        if given:
            raise UsageError(
                f"--min-effect with {name}: the bounds of effects are for independent rows of "
                "equal weight; leave out one of the two"
            )


def _items(
    samples: Sequence[Sample], most: dict[str, float]
) -> Iterator[tuple[str, str, _Measured]]:
    """What is compared: every column, and which cells are missing; its unit; what was found."""
    reference = samples[0]
    w, v = (np.ones(s.n) if s.weights is None else s.weights for s in samples)
    marks = [s.missing for s in samples]
    missing = [np.zeros(s.values.shape, bool) if s.missing is None else s.missing for s in samples]
    holes = [
        c
        for c in range(len(reference.columns))
        if any(m is not None for m in marks) and any(m[:, c].any() for m in missing)
    ]
    columns = (*reference.columns, *reference.categorical)
    names = labels(columns, [reference.columns[c] for c in holes])
    numbers = len(reference.columns)
    for c in range(numbers):
        unit = _unit(names[c], (SD, SHARE), most)
        x, y = ((s.values[:, c][~m[:, c]]) for s, m in zip(samples, missing, strict=True))
        some = [a[~m[:, c]] for a, m in zip((w, v), missing, strict=True)]
        yield names[c], unit, (_mean if unit == SD else _distance)(x, y, *some)
    for c in range(len(reference.categorical)):
        unit = _unit(names[numbers + c], (POINTS, SHARE), most)
        codes = [s.codes[:, c] for s in samples]
        yield names[numbers + c], unit, _levels(unit, codes, w, v)
    for k, c in enumerate(holes):
        unit = _unit(names[len(columns) + k], (POINTS, SHARE), most)
        yield names[len(columns) + k], unit, _levels(unit, [m[:, c] for m in missing], w, v)


def _unit(column: str, fitting: tuple[str, ...], most: dict[str, float]) -> str:
    found = next((unit for unit in fitting if unit in most), None)
    if found is None:
        given = ",".join(sized(size, unit).replace(" ", "") for unit, size in most.items())
        example = "0.1sd" if SD in fitting else "5%-points"
        raise UsageError(
            f"--min-effect {given}: column {printable(column)} has no such size; add one that it "
            f"has, such as {given},{example} or {given if SHARE in most else given + ',2%'}, or "
            "leave the column out with --exclude"
        )
    return found


def _mean(x: Array, y: Array, w: Array, v: Array) -> _Measured:
    means = Means.of(x, y, w, v) if min(w.sum(), v.sum()) >= 2 else None
    if means is None:
        return _Measured(0.0, lambda most: 1.0, RESTS[SD], known=False)

    def p_value(most: float) -> float:
        return min(1.0, 2 * min(means.p_value(most, sign) for sign in (1, -1)))

    return _Measured(abs(means.shift), p_value, RESTS[SD], means.known)


def _distance(x: Array, y: Array, w: Array, v: Array) -> _Measured:
    m, n = int(w.sum()), int(v.sum())
    if not min(m, n):
        return _Measured(0.0, lambda most: 1.0, RESTS[SHARE])
    values, place = np.unique(np.concatenate([x, y]), return_inverse=True)
    difference = np.bincount(place, np.concatenate([w / m, -v / n]), len(values))
    distance = float(np.abs(np.cumsum(difference)).max())
    return _Measured(distance, lambda most: distance_p_value(distance, most, m, n), RESTS[SHARE])


def _levels(unit: str, codes: Sequence[NDArray[Any]], w: Array, v: Array) -> _Measured:
    """The largest difference of the shares of a level, or of a set of levels."""
    _, place = np.unique(np.concatenate(codes), return_inverse=True)
    m, n = int(w.sum()), int(v.sum())
    count = int(place.max()) + 1
    y, x = (
        np.bincount(part, mass, count).astype(np.float64)
        for part, mass in zip(np.split(place, [len(codes[0])]), (w, v), strict=True)
    )
    apart = np.abs(x / n - y / m)
    common = np.argsort(-(x + y), kind="stable")[: min(LEVELS, count)]
    common = common[np.argsort(-apart[common], kind="stable")]
    # of two levels one says it all
    tests = 1 if count == 2 else len(common)
    top = common[:1] if count == 2 else common
    single = partial(_level_p_value, x[top], n, y[top], m, tests)
    exact = RESTS[POINTS] if count <= 2 else f"{RESTS[POINTS]}, for the levels that were seen"
    if unit == POINTS or count <= 2:
        return _Measured(float(apart[common].max()), single, exact)
    distance = float(apart.sum() / 2)

    def p_value(most: float) -> float:
        whole = variation_p_value(distance, most, m, n, count)
        return min(1.0, 2 * min(single(most), whole))

    return _Measured(distance, p_value, f"{exact}; McDiarmid")


def _level_p_value(x: Array, n: int, y: Array, m: int, tests: int, most: float) -> float:
    """p-value of "no level differs by more"; that of a smaller difference is at least a half."""
    larger = np.flatnonzero(np.abs(x / n - y / m) > most)[:SOLVED]
    if not len(larger):
        return 1.0
    x, y = x[larger], y[larger]
    p = min(share_p_value(x, n, y, m, most).min(), share_p_value(y, m, x, n, most).min())
    return float(min(1.0, 2 * tests * p))


def _table(found: Sequence[Effect], alpha: float) -> Table:
    texts = [
        f"{printable(e.column)}: {sized(e.effect, e.unit)}, "
        + (f"at least {sized(e.bound, e.unit)}" if e.known else "no bound")
        for e in found[:LISTED]
    ]
    if len(found) > LISTED:
        texts.append(f"and {len(found) - LISTED} more columns")
    texts[-1] += f" ({100 * (1 - alpha):.3g} % confidence{' for all' * (len(found) > 1)})"
    columns = (
        Column("column", "column"),
        Column("unit", "unit"),
        Column("effect", "observed"),
        Column("bound", "at least"),
        Column("adjusted_p_value", "p, corrected"),
        Column("rests_on", "rests on"),
    )
    return Table(
        "effects",
        [asdict(e) for e in found],
        columns,
        "Sizes of the differences",
        tuple(listed("differ by", texts, "numbers")),
        "Bold: shown to be larger than --min-effect.",
        tuple(e.adjusted_p_value <= alpha for e in found),
    )
