"""Verdicts of a run: levels by what came before, one correction over all checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..result import Result
from . import control, schema
from .control import Member
from .history import History
from .outcome import Outcome
from .settings import Settings
from .unit import Unit, past_of


def decided(
    settings: Settings, units: Sequence[Unit], history: History | None, day: str
) -> list[Outcome]:
    """Give every unit its verdict.

    Parameters
    ----------
    settings : Settings
    units : sequence of Unit
        Each with its result, or why there is none.
    history : History or None
        Within a transaction, so that no other run uses the same level.
    day : str
        For acknowledgements.
    """
    given = list(_levels(units, history))
    family: list[Member] = []
    places: list[tuple[int | None, int | None]] = []
    for unit, (level, known) in zip(units, given, strict=True):
        if unit.check.over_time == "anytime":
            places.append((None, None))
            continue
        test = len(family)
        family.append(Member(p_of(unit.result, known), level, unit.check.alpha))
        columns: int | None = None
        if unit.check.schema == "error" and unit.changes:
            columns = len(family)
            family.append(Member(schema.smallest_p(unit.changes), level, unit.check.alpha))
        places.append((test, columns))
    p = control.adjusted(family, settings.correction)
    out = []
    for unit, (level, before), (one, two) in zip(units, given, places, strict=True):
        found = _outcome(unit, level, None if one is None else p[one])
        repeated = before is not None
        found = replace(found, p_value=before) if repeated else found
        changes = _changes(unit, None if two is None else p[two])
        said = None if history is None else history.acknowledged(day, unit.check.name)
        out.append(replace(found, changes=changes, repeated=repeated, acknowledged=said))
    return out


def _levels(units: Sequence[Unit], history: History | None) -> Iterator[tuple[float, float | None]]:
    """The level of every unit, and the p-value of its data where they were checked before."""
    fresh: dict[tuple[str, str], list[float]] = {}
    count: dict[tuple[str, str], int] = defaultdict(int)
    for unit in units:
        count[unit.check.name, unit.series] += 1
    for unit in units:
        check, key = unit.check, (unit.check.name, unit.series)
        if check.over_time == "anytime" and unit.result is not None:
            yield unit.result.alpha, None
            continue
        over_time = check.over_time in ("spending", "online-fdr")
        if over_time and history is not None and unit.identity:
            known = history.known(check.name, unit.series, unit.identity)
            if known is not None:
                yield float(known["level"]), float(known["p_value"])
                continue
        if key not in fresh:
            past = [] if history is None else past_of(history, check, unit.series)
            fresh[key] = control.levels(check, past, count[key])
        yield fresh[key].pop(0), None


def p_of(result: Result | None, known: float | None = None) -> float:
    """The p-value that counts in the family: 1 without a verdict.

    Of data that were checked before it is that of then, `known`: more permutations now would be
    another look.
    """
    if result is None or result.verdict == "no verdict":
        return 1.0
    if known is not None:
        return known
    if result.p_value is not None:
        return result.p_value
    return result.alpha if result.verdict == "rejected" else 1.0


def _outcome(unit: Unit, level: float, adjusted: float | None) -> Outcome:
    check, result = unit.check, unit.result
    base = Outcome(
        name=check.name,
        unit=unit.label,
        test=check.kind.name,
        severity=check.severity,
        over_time=check.over_time,
        status="error",
        alpha=level if adjusted is None else check.alpha,
        level=level,
        schema=check.schema,
        seconds=round(unit.seconds, 3),
        result=result,
        message=unit.error,
        bug=unit.bug,
        picture=unit.picture,
    )
    if result is None:
        return base
    summary = str(result.explanation.get("summary", ""))
    base = replace(base, p_value=result.p_value, message=summary, adjusted=adjusted)
    if result.verdict == "no verdict" or adjusted is None:
        why = _why(result) if result.verdict == "no verdict" else summary
        return replace(base, status=result.verdict, message=why)
    if adjusted <= check.alpha and result.verdict == "rejected":
        return replace(base, status="rejected")
    deaf = "" if check.kind.stream else _deaf(result, level)
    if deaf:
        return replace(base, status="no verdict", message=deaf)
    words = summary
    if result.verdict == "rejected":
        words = "no evidence that is left after the correction over the checks of this run"
        if level < check.alpha:
            words = "no evidence at the level that is left for this run"
    return replace(base, status="not rejected", message=words)


def _why(result: Result) -> str:
    """The notice that says why there is no verdict."""
    for notice in result.warnings:
        if notice.code.startswith(("too-", "unsound-", "constant-")):
            return notice.message
    return str(result.explanation.get("summary", "")) or "no verdict"


def _deaf(result: Result, level: float) -> str:
    """Why a test cannot have rejected, or cannot tell how clearly; empty if it can.

    "Not rejected" would mean nothing where even the smallest p-value is above the level of the run.
    """
    if not level:
        return "the level is spent: reset the check, or give it a longer horizon"
    count: Any = result.null.get("replicates")
    least = control.smallest(count if isinstance(count, int) else None)
    if least > level * (1 + control.TIED):
        return (
            f"{count:,} draws give p-values from {least:.3g} on, and this run may use the level "
            f"{level:.3g}: give more of them, or choose another over-time"
        )
    if result.p_value is not None and least and result.p_value <= least * (1 + control.TIED):
        return (
            f"p {result.p_value:.3g} is the smallest that {count:,} draws can give, and too large "
            "after the correction over the checks of this run: give more of them"
        )
    return ""


def _changes(unit: Unit, adjusted: float | None) -> tuple[Any, ...]:
    """The changes of the columns to report; as errors only those that the family lets through."""
    alpha = unit.check.alpha
    if adjusted is not None and adjusted > alpha:
        alpha = 0.0
    return schema.kept(unit.changes, alpha)
