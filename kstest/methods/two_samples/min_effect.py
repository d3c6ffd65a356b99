"""--min-effect: a change has to be shown to be larger than the user cares for.

The null hypothesis of a two-sample test is then "no column differs by more than this", and its
p-value is the larger one of two: that of no change at all, and that of the effects, corrected for
the number of columns by Holm. Each effect has a lower confidence bound, simultaneous for all
columns (`kstest.nulls.bounds` has the formulas, and on what they rest); rows are independent of
each other. A change in how columns go together has no size in these units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, printable
from ...params import option
from ...result import Result
from ...sample import Sample
from ..min_effect import (
    ASYMPTOTIC,
    POINTS,
    SD,
    SHARE,
    Effect,
    Measured,
    bounded,
    held,
    parsed,
    sized,
)  # fmt: skip

Array = NDArray[np.float64]
UNITS = (SD, SHARE, POINTS)
EXAMPLE = "0.1sd, 2%, 5%-points, or several separated by commas"
# Levels of a category that are compared one by one, the most frequent ones.
LEVELS = 100
# Levels that are looked at for the bound of a column.
SOLVED = 8
RESTS = {
    SD: ASYMPTOTIC,
    SHARE: "Dvoretzky-Kiefer-Wolfowitz, any number of rows",
    POINTS: "exact binomial, any number of rows",
}
SENTENCES = {
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
    return held(result, most, lambda: effects(samples, most, params.alpha), SENTENCES)


def effects(samples: Sequence[Sample], most: dict[str, float], alpha: float) -> list[Effect]:
    """The effects of all columns with their bounds, the smallest p-value first."""
    return bounded([*_items(samples, most)], most, alpha)


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
) -> Iterator[tuple[str, str, Measured]]:
    """What is compared: every column, and which cells are missing; its unit; what was found."""
    from .columns import labels

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


def _mean(x: Array, y: Array, w: Array, v: Array) -> Measured:
    from ...nulls.bounds import Means

    means = Means.of(x, y, w, v) if min(w.sum(), v.sum()) >= 2 else None
    if means is None:
        return Measured(0.0, lambda most: 1.0, ASYMPTOTIC, known=False)

    def p_value(most: float) -> float:
        return min(1.0, 2 * min(means.p_value(most, sign) for sign in (1, -1)))

    return Measured(abs(means.shift), p_value, ASYMPTOTIC, means.known, exact=False)


def _distance(x: Array, y: Array, w: Array, v: Array) -> Measured:
    from ...nulls.bounds import distance_p_value

    m, n = int(w.sum()), int(v.sum())
    if not min(m, n):
        return Measured(0.0, lambda most: 1.0, RESTS[SHARE])
    values, place = np.unique(np.concatenate([x, y]), return_inverse=True)
    difference = np.bincount(place, np.concatenate([w / m, -v / n]), len(values))
    distance = float(np.abs(np.cumsum(difference)).max())
    return Measured(distance, lambda most: distance_p_value(distance, most, m, n), RESTS[SHARE])


def _levels(unit: str, codes: Sequence[NDArray[Any]], w: Array, v: Array) -> Measured:
    """The largest difference of the shares of a level, or of a set of levels."""
    from ...nulls.bounds import variation_p_value

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
        return Measured(float(apart[common].max()), single, exact, exact=count <= 2)
    distance = float(apart.sum() / 2)

    def p_value(most: float) -> float:
        whole = variation_p_value(distance, most, m, n, count)
        return min(1.0, 2 * min(single(most), whole))

    return Measured(distance, p_value, f"{exact}; McDiarmid", exact=False)


def _level_p_value(x: Array, n: int, y: Array, m: int, tests: int, most: float) -> float:
    """p-value of "no level differs by more"; that of a smaller difference is at least a half."""
    from ...nulls.bounds import share_p_value

    larger = np.flatnonzero(np.abs(x / n - y / m) > most)[:SOLVED]
    if not len(larger):
        return 1.0
    x, y = x[larger], y[larger]
    p = min(share_p_value(x, n, y, m, most).min(), share_p_value(y, m, x, n, most).min())
    return float(min(1.0, 2 * tests * p))
