"""--by: the test once for every level of a column, as one family: which segments differ.

The null hypothesis of a level is that its rows of both samples are exchangeable; how many rows a
level has is not tested (`kstest ks --columns COLUMN` does). Given the numbers of rows every
level's p-value is exact where the test is, and Holm's correction controls the family-wise error
strongly, however the levels depend on each other.

Holm needs p-values as small as alpha over the number of levels. A level whose p-value is above
alpha cannot be rejected, whatever it is; the others are tested once more with as many permutations
as that takes. With p_1 of the first test and p_2 of the second, p = p_1 where p_1 > alpha and p_2
elsewhere: {p <= u} lies in {p_2 <= u} for u <= alpha and in {p_1 <= u} above, so p is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...columns import parse_items, resolve
from ...engine import Work, stage
from ...errors import KstestError, UsageError, printable
from ...findings import Column, Facts, Line, Table, listed, number, summary
from ...nulls import holm_adjusted, replicates
from ...params import option
from ...result import Notice, Result
from ...sample import Sample
from ...wording import shown
from .levels import Levels, levels_of
from .pooled import undecided

Run = Callable[[Sequence[Sample], Any, np.random.Generator, Work], Result]

NOTHING: Mapping[str, Any] = {}
# Levels in words.
LISTED = 8
COLUMNS = (
    Column("level", "level"),
    Column("reference", "rows, reference"),
    Column("sample", "rows, sample"),
    Column("statistic", "statistic"),
    Column("p_value", "p alone"),
    Column("adjusted_p_value", "p, corrected"),
    Column("words", "what differs"),
)


@frozen
class Level:
    """What was found of a level.

    Attributes
    ----------
    level : str
    reference, sample : int
        Rows.
    statistic, p_value, adjusted_p_value : float or None
        None where it was not tested.
    column : str
        The column that differs most, where the level does.
    words : str
        What differs, or why it was not tested.
    """

    level: str
    reference: int
    sample: int
    statistic: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    column: str = ""
    words: str = ""


def by() -> Any:
    return option(
        None,
        "Test the rows of each level of a column by themselves, with p-values corrected for the "
        "number of levels: which segments differ? The column itself is not compared.",
        metavar="COLUMN",
        brief="A test for each level of a column.",
    )


def parts(params: Any) -> dict[str, str]:
    """The column that has another part to play, by its option."""
    return {"--by": params.by} if params.by is not None else {}


def check_by(params: Any) -> None:
    """Check the option beside others.

    Raises
    ------
    UsageError
    """
    if params.by is None:
        return
    name = params.by if isinstance(params.by, str) else str(params.by)
    if len(parse_items(name, "--by")) != 1:
        raise UsageError(f"--by {params.by}: give one column")
    explain = params.explain
    if explain not in ("columns", "none"):
        raise UsageError(
            f"--explain {explain} with --by: explains one test; take --explain columns or none, "
            "and run the level that differs by itself with --where"
        )


def by_level(
    run: Run,
    samples: Sequence[Sample],
    params: Any,
    rng: np.random.Generator,
    work: Work,
    quick: Mapping[str, Any] = NOTHING,
    columnwise: bool = False,
) -> Result:
    """Test the levels of `params.by` one by one; without it, all rows together.

    Parameters
    ----------
    run : callable
        The test of two samples.
    samples : two Samples
    params : Params of the test
    rng : numpy.random.Generator
    work : Work
    quick : mapping
        Options that make a first test of a level cheaper and leave its p-value.
    columnwise : bool
        Whether the test corrects its p-value for the number of columns.

    Raises
    ------
    UsageError, DataError
        If the column is not there, or has too many levels.
    """
    if params.by is None:
        return run(samples, params, rng, work)
    levels, some = divided(samples, params.by)
    inner = replace(params, by=None)
    # Levels have generators of their own: what one takes changes no other.
    seeds = rng.integers(2**63, size=(len(levels.names), 2))
    results: dict[str, Result] = {}
    for place, (level, pair) in enumerate(some.items()):
        part = stage(work, place / len(some), (place + 1) / len(some))
        width = len(pair[0].columns) + len(pair[0].categorical) if columnwise else 1
        tests = len(some) * width
        try:
            results[level] = _tested(run, pair, inner, quick, tests, seeds[place], part)
        except KstestError as error:
            raise type(error)(f"{error} ({printable(levels.column)} {shown(level)})") from error
    return _together(samples, params, levels, results)


def divided(samples: Sequence[Sample], column: str) -> tuple[Levels, dict[str, tuple[Sample, ...]]]:
    """The levels, and the samples of each that is tested, in their order and without the column."""
    first = samples[0]
    names = first.file_columns or (*first.columns, *first.categorical)
    (name,) = resolve(parse_items(column, "--by"), names, "--by")
    place = first.categorical.index(name)
    if not (len(first.columns) + len(first.categorical) > 1):
        raise UsageError(f"--by {shown(name)}: no other column is left to be compared")
    levels = levels_of(samples, place)
    levels.require_few()
    rest = [s.without(place) for s in samples]
    return levels, {
        levels.names[k]: tuple(
            part.take(np.flatnonzero(s.codes[:, place] == levels.codes[k]))
            for s, part in zip(samples, rest, strict=True)
        )
        for k in levels.tested
    }


def _tested(
    run: Run,
    pair: Sequence[Sample],
    params: Any,
    quick: Mapping[str, Any],
    tests: int,
    seeds: NDArray[np.int64],
    work: Work,
) -> Result:
    """The test of one level; a second time, with more permutations, if its p-value counts."""
    first = run(pair, replace(params, **quick), np.random.default_rng(seeds[0]), work)
    if first.p_value is None or first.p_value > params.alpha:
        return first
    enough = replicates(tests, params.alpha, params.permutations)
    more = replace(params, permutations=enough)
    return run(pair, more, np.random.default_rng(seeds[1]), work)


def _together(
    samples: Sequence[Sample], params: Any, levels: Levels, results: dict[str, Result]
) -> Result:
    """One result of all levels."""
    name = levels.column
    decided = {k: r for k, r in results.items() if r.p_value is not None}
    adjusted = holm_adjusted(np.array([r.p_value for r in decided.values()]))
    corrected = dict(zip(decided, adjusted.tolist(), strict=True))
    rows = [
        _level(levels, k, results.get(level), corrected.get(level), params)
        for k, level in enumerate(levels.names)
    ]
    rows.sort(key=lambda r: (r.p_value is None, r.adjusted_p_value or 0, r.p_value or 0))
    base = _base(samples, levels, params)
    findings = (_facts(name, rows, params), _table(name, rows, params.alpha))
    undone = [r for r in rows if r.p_value is None and r.level in results]
    notices = (*_collected(name, decided), *levels.left_out(), *_without_verdict(name, undone))
    if not decided:
        said = summary(f"no level of {printable(name)} could be tested")
        return base.told(said, *findings, warnings=notices)
    top = decided[rows[0].level]
    differ = [r for r in rows if (r.adjusted_p_value or 0) <= params.alpha and r.level in decided]
    if differ:
        text = (
            f"the samples differ in {len(differ)} of {len(decided)} levels of {printable(name)}: "
            f"{_named([r.level for r in differ])}"
        )
    else:
        text = f"no evidence at this level that rows of any level of {printable(name)} differ"
    return base.told(
        summary(text),
        *findings,
        verdict="rejected" if differ else "not rejected",
        statistic=top.statistic,
        p_value=rows[0].adjusted_p_value,
        kernel=top.kernel,
        null={**top.null, "exact": all(r.null.get("exact") for r in decided.values())},
        warnings=notices,
    )


def _base(samples: Sequence[Sample], levels: Levels, params: Any) -> Result:
    method = type(params).__module__.rpartition(".")[2]
    place = samples[0].categorical.index(levels.column)
    left = undecided(method, [s.without(place) for s in samples], params.alpha)
    return replace(left, n={s.name: s.n for s in samples})


def _level(
    levels: Levels, k: int, found: Result | None, adjusted: float | None, params: Any
) -> Level:
    name, (m, n) = levels.names[k], levels.rows[:, k].tolist()
    if found is None:
        return Level(name, m, n, words=levels.reason(k))
    if adjusted is None:
        return Level(name, m, n, words=f"not tested: {_sentence(found)}")
    column = words = ""
    tests = found.explanation.get("columns")
    if adjusted <= params.alpha and tests:
        column, p = tests[0].column, tests[0].adjusted_p_value
        words = f"{printable(column)} {tests[0].words}".strip() if p <= params.alpha else ""
    return Level(name, m, n, found.statistic, found.p_value, adjusted, column, words)


def _sentence(found: Result) -> str:
    return str(found.explanation.get("summary") or "no verdict")


def _facts(name: str, rows: Sequence[Level], params: Any) -> Facts:
    tested = sum(r.p_value is not None for r in rows)
    value = {"column": name, "levels": len(rows), "tested": tested, "correction": "holm"}
    text = f"{tested} of {len(rows)} levels of {printable(name)} tested, corrected by Holm"
    return Facts("by", value, (Line("by", text),))


def _table(name: str, rows: Sequence[Level], alpha: float) -> Table:
    differ = [r.adjusted_p_value is not None and r.adjusted_p_value <= alpha for r in rows]
    texts = [
        f"{printable(r.level)} (p {number(r.adjusted_p_value or 0.0)}, {r.reference:,} and "
        f"{r.sample:,} rows)" + (f", {r.words}" if r.words else "")
        for r, far in zip(rows, differ, strict=True)
        if far
    ]
    left = len(texts) - LISTED
    texts = texts[:LISTED] + [f"and {left} more levels"] * (left > 0)
    return Table(
        "levels",
        [asdict(r) for r in rows],
        COLUMNS,
        f"Levels of {printable(name)}",
        tuple(listed("differ in", texts)),
        "Bold: differs, with p-values corrected for the number of levels.",
        tuple(differ),
    )


def _collected(name: str, results: dict[str, Result]) -> list[Notice]:
    """Warnings of the tests, each once, with the levels that it is about."""
    found: dict[str, list[tuple[str, Notice]]] = {}
    for level, result in results.items():
        for notice in result.warnings:
            found.setdefault(notice.code, []).append((level, notice))
    return [
        replace(
            said[0][1],
            message=f"{printable(name)} {_named([level for level, _ in said])}: "
            f"{said[0][1].message}",
        )
        for said in found.values()
    ]


def _without_verdict(name: str, rows: Sequence[Level]) -> Iterator[Notice]:
    """Levels with rows enough on which there was no verdict all the same."""
    if rows:
        more = ", or another reason in the table" * (len({r.words for r in rows}) > 1)
        text = f"{printable(name)} {_named([r.level for r in rows])}: {rows[0].words}{more}"
        yield Notice("levels-not-tested", text)


def _named(levels: Sequence[str]) -> str:
    more = f" and {len(levels) - LISTED} more" if len(levels) > LISTED else ""
    return ", ".join(printable(level) for level in levels[:LISTED]) + more
