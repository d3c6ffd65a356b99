"""Joining: the rows of each side become one Sample, with codes that all sides share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kstest.diagnostics.tracks import counting
from kstest.diagnostics.tracks import notices as track_notices
from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.categories import (
    MOST_DISTINCT,
    Identifier,
    Words,
    require_categories,
    together,
    unlike,
)
from kstest.sources.convert import Levels
from kstest.sources.gathered import STRIP, Gathered
from kstest.sources.plan import Plan
from kstest.sources.rows import Part
from kstest.sources.table import BOOLEAN, NUMBER
from kstest.wording import shown

MANY_LEVELS = 1 << 20  # from here on it is asked while reading, too

Recode = tuple[tuple[str, ...], NDArray[np.int32]]


def join(
    gathered: Mapping[str, Gathered],
    parts: Mapping[str, Sequence[Part]],
    plan: Plan,
    levels: Sequence[Levels],
) -> tuple[Sample, ...]:
    """Make one Sample per side, of the arrays of `gathered`, whose codes become final."""
    recodes = [_recode(j, gathered, plan, known) for j, known in enumerate(levels)]
    masked = any(some.whole("missing") is not None for some in gathered.values())
    return tuple(
        _sample(side, gathered[side], some, plan, recodes, masked) for side, some in parts.items()
    )


def _recode(j: int, gathered: Mapping[str, Gathered], plan: Plan, known: Levels) -> Recode:
    """Sort the categories that occur."""
    met = np.zeros(len(known) + 1, np.bool_)  # the last entry takes the missing cells
    for some in gathered.values():
        for codes in some.codes(j, len(plan.categorical)):
            met[codes] = True
    return known.finish(met[:-1])


def _counts(
    j: int, gathered: Mapping[str, Gathered], plan: Plan, levels: int
) -> dict[str, NDArray[np.int64]]:
    """How often each category occurs on every side, by provisional code."""
    counts = {}
    for side, some in gathered.items():
        counts[side] = np.zeros(levels + 1, np.int64)  # the first entry takes the missing cells
        for codes in some.codes(j, len(plan.categorical)):
            counts[side] += np.bincount(codes + 1, minlength=levels + 1)
    return {side: found[1:] for side, found in counts.items()}


def look_at_columns(
    gathered: Mapping[str, Gathered],
    parts: Mapping[str, Sequence[Part]],
    plan: Plan,
    levels: Sequence[Levels],
) -> tuple[Notice, ...]:
    """Refuse text that is no category; return what else there is to say of the columns.

    Named too are numeric columns that tell two sides apart by themselves.
    """
    label = next(iter(parts.values()))[0].label
    two = len(gathered) == 2
    tracks = {side: some.track for side, some in gathered.items() if two and some.track is not None}
    found: list[Notice] = []
    errors: list[Identifier] = []
    for j, name in enumerate(plan.categorical):
        counts = _counts(j, gathered, plan, len(levels[j]))
        try:
            found += notes_on(plan, words_of(plan, name, label, levels[j].texts, counts))
        except Identifier as error:
            errors.append(error)
    if errors:
        raise together(errors, counting(plan.columns, plan.kinds, tracks))
    # The bins of a histogram are a grid, and the same on both sides.
    apart = () if plan.counted else track_notices(plan.columns, plan.kinds, tracks)
    return (*found, *apart)


def words_of(
    plan: Plan, name: str, label: str, words: Sequence[str], counts: Mapping[str, NDArray[np.int64]]
) -> Words:
    """What was found in a text column, of which `label` is the first file."""
    alone = plan.first.delimited and len(plan.first.names) == 1
    return Words(name, label, words, counts, alone, plan.decimal)


def notes_on(plan: Plan, column: Words) -> tuple[Notice, ...]:
    """Refuse a text column that is no category; return what else there is to say of it."""
    insisted = column.name in plan.by_value
    refused = () if insisted or plan.settled else require_categories(column)
    return (*refused, *unlike(column, insisted))


def require_few(plan: Plan, levels: Sequence[Levels], rows: int) -> None:
    """Stop before the words of an identifier fill the memory; the exact rule comes at the end."""
    for name, known in zip(plan.coded, levels, strict=True):
        many = len(known) > max(MANY_LEVELS, MOST_DISTINCT * rows)
        if many and name not in plan.by_value:
            raise Identifier(name, len(known), rows)


def _sample(
    side: str,
    gathered: Gathered,
    parts: Sequence[Part],
    plan: Plan,
    recodes: Sequence[Recode],
    masked: bool,
) -> Sample:
    n, c = gathered.rows, len(plan.categorical)
    codes = gathered.whole("codes") if c else np.empty((n, 0), np.int32)
    for j in range(c):
        for start in range(0, n, STRIP):
            strip = codes[start : start + STRIP, j]
            strip[:] = recodes[j][1][strip]
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    if plan.group is not None:
        group_names, final = recodes[plan.group]
        groups = final.astype(np.int64)[gathered.whole("groups")]
    counts = np.sum([part.missing for part in parts], axis=0)
    mask = gathered.whole("missing")
    if masked and mask is None:
        mask = np.zeros((n, len(plan.columns)), np.bool_)
    weights = _weights(side, gathered, plan)
    _require_entries(side, dict(zip(plan.all_names, counts, strict=True)), plan)
    return Sample(
        side,
        gathered.whole("values"),
        plan.columns,
        tuple(part.input for part in parts),
        mask,
        plan.categorical,
        codes,
        tuple(recodes[j][0] for j in range(c)),
        groups,
        group_names,
        weights,
        {n: int(k) for n, k in zip(plan.all_names, counts, strict=True) if k},
        sum(part.bad_rows for part in parts),
        tuple(part.kept for part in parts),
        tuple(plan.first.names),
        kinds={n: plan.kinds[n] for n in plan.columns if plan.kinds[n] not in (NUMBER, BOOLEAN)},
        counted=plan.counted,
    )


def _require_entries(side: str, missing: Mapping[str, int], plan: Plan) -> None:
    """Refuse to drop bins whose entries are unknown: the other side keeps its own."""
    name = plan.numbers[plan.weights] if plan.counted and plan.weights is not None else ""
    if missing.get(name, 0):
        raise DataError(
            f"{side}: --counts: column {shown(name)} is missing in {missing[name]:,} rows; a bin "
            "that one side lacks makes the sides differ. Write 0 where there are no entries, or "
            "leave the bin out on both sides with --where."
        )


def _weights(side: str, gathered: Gathered, plan: Plan) -> NDArray[np.float64] | None:
    if plan.weights is None:
        return None
    weights: NDArray[np.float64] = gathered.whole("weights")
    option, wanted = "--weights", "a weight above zero"
    if plan.counted:
        option, wanted = "--counts", "an entry"
    if not weights.any():
        raise DataError(
            f"{side}: {option}: column {shown(plan.numbers[plan.weights])} is zero in every row; "
            f"at least one row needs {wanted}."
        )
    return weights
