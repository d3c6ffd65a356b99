"""--min-effect: sizes in the user's units, and results held against them.

The null hypothesis of a test is then "no effect is larger than this". Its p-value is the larger one
of two: that of no change at all, and that of the effects, corrected for their number by Holm; each
effect has a lower confidence bound, simultaneous for all (`kstest.nulls.bounds`). What the effects
are, a test says: `two_samples.min_effect`, `dependence.min_effect`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from kstest.frozen import frozen

from ..errors import UsageError, printable
from ..findings import Column, Facts, Line, Table, listed, number, summary
from ..nulls.several import holm_adjusted
from ..result import Notice, Result

SD, SHARE, POINTS, CORRELATION = "sd", "%", "%-points", "r"
ASYMPTOTIC = "asymptotic, many rows"
LISTED = 5
_UPPER = {SD: math.inf, SHARE: 100.0, POINTS: 100.0, CORRELATION: 1.0}


def parsed(text: str, units: Sequence[str], example: str) -> dict[str, float]:
    """Read sizes: by unit, shares as parts of 1.

    Parameters
    ----------
    text : str
        Empty for none.
    units : sequence of str
        Those that a test knows.
    example : str
        What is accepted, for messages.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> parsed("0.1sd, 5%-points", ("sd", "%", "%-points"), "")
    {'sd': 0.1, '%-points': 0.05}
    """
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")) if text else ():
        word = part.strip()
        unit = next((u for u in sorted(units, key=len, reverse=True) if word.endswith(u)), None)
        size = _number(word.removesuffix(unit)) if unit is not None else math.nan
        if unit is None or not 0 < size < _UPPER[unit]:
            raise UsageError(f"--min-effect {text!r}: give a size with its unit: {example}")
        if unit in found:
            raise UsageError(f"--min-effect {text!r}: gives two sizes in {unit}; leave out one")
        found[unit] = size / 100 if unit in (SHARE, POINTS) else size
    if text and not found:
        raise UsageError(f"--min-effect {text!r}: give a size with its unit: {example}")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def sized(size: float, unit: str) -> str:
    """A size in words.

    Examples
    --------
    >>> sized(0.05, "%-points"), sized(0.1, "sd")
    ('5 %-points', '0.1 sd')
    """
    return f"{100 * size:.3g} {unit}" if unit in (SHARE, POINTS) else f"{size:.3g} {unit}"


@frozen
class Effect:
    """How far a column differs, or how far two go together.

    Attributes
    ----------
    column : str
    unit : {'sd', '%', '%-points', 'r'}
    most : float
        What it may differ by.
    effect : float
        As observed, in its unit, shares as parts of 1.
    bound : float
        Lower confidence bound, of all columns together.
    p_value, adjusted_p_value : float
        Of "at most `most`".
    rests_on : str
    known : bool
        Whether there are rows enough for a bound.
    exact : bool
        Whether the bound holds at every number of rows.
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
    exact: bool = True


@frozen
class Measured:
    """An effect and the p-value of its being at most so large."""

    effect: float
    p_value: Callable[[float], float]
    rests_on: str
    known: bool = True
    exact: bool = True


def bounded(
    items: Sequence[tuple[str, str, Measured]], most: Mapping[str, float], alpha: float
) -> list[Effect]:
    """Bounds of all effects at once, and corrected p-values; the smallest p-value first.

    Parameters
    ----------
    items : sequence of (name, unit, Measured)
    most : mapping of str to float
        By unit.
    alpha : float
    """
    from ..nulls.bounds import largest

    level, found = alpha / max(1, len(items)), []
    for name, unit, made in items:
        p = made.p_value(most[unit]) if made.known else 1.0
        bound = largest(made.p_value, made.effect, level) if made.known else 0.0
        about = (made.rests_on, made.known, made.exact)
        found.append(Effect(name, unit, most[unit], made.effect, bound, p, 1.0, *about))
    adjusted = holm_adjusted(np.array([e.p_value for e in found]))
    found = [replace(e, adjusted_p_value=float(q)) for e, q in zip(found, adjusted, strict=True)]
    return sorted(found, key=lambda e: (e.adjusted_p_value, e.p_value, -e.bound, -e.effect))


def held(
    result: Result,
    most: Mapping[str, float],
    effects: Callable[[], list[Effect]],
    sentences: Mapping[tuple[bool, bool], str],
) -> Result:
    """The result of a test of no change, held against sizes.

    Parameters
    ----------
    result : Result
    most : mapping of str to float
        By unit.
    effects : callable
        What was found; not called where there is no verdict.
    sentences : mapping of (bool, bool) to str
        By whether there is a change, and a larger one, with ``{most}``.
    """
    said = ", ".join(sized(size, unit) for unit, size in most.items())
    rule = Line("min effect", f"rejects only what is shown to be more than {said}", "beside")
    none, alpha = result.p_value, result.alpha
    if none is None or result.verdict == "no verdict":
        return result.told(Facts("min_effect", {"most": most}, (rule,)))
    found = effects()
    p = max(none, min(e.adjusted_p_value for e in found))
    rejected, changed = p <= alpha, none <= alpha
    exact = bool(result.null.get("exact")) and all(e.exact for e in found)
    told = result.told(
        Facts(
            "min_effect",
            {"most": most, "p_value_of_no_change": none, "confidence": 1 - alpha},
            (rule, Line("no change", f"p {number(none)}", "beside")),
        ),
        _table(found, alpha),
        summary(sentences[changed, rejected].format(most=said)),
        verdict="rejected" if rejected else "not rejected",
        p_value=p,
        threshold=None,
        null={**result.null, "exact": exact},
    )
    unknown = [e.column for e in found if not e.known]
    return _with_unknown(told, unknown, changed) if unknown else told


def _with_unknown(result: Result, columns: Sequence[str], changed: bool) -> Result:
    """Say of which columns there is no bound; no verdict, if one of them may be what changed."""
    names = ", ".join(printable(c) for c in columns[:LISTED]) + ", ..." * (len(columns) > LISTED)
    why = (
        f"too few rows for the tails of {names}: there is no bound in this unit; use more rows, or "
        "--min-effect in another unit"
    )
    open_ = changed and result.verdict == "not rejected"
    result = replace(result, warnings=(*result.warnings, Notice("too-few-for-bound", why)))
    if not open_:
        return result
    said = summary("the samples differ, by how much is open")
    return result.told(said, verdict="no verdict", p_value=None)


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
