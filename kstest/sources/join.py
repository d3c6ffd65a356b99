"""Joining: the chunks of each side become one Sample, with codes that all sides share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.diagnostics.tracks import Track, counting
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
from kstest.sources.plan import Plan
from kstest.sources.rows import Chunk, Part
from kstest.sources.table import BOOLEAN, NUMBER
from kstest.wording import shown

MANY_LEVELS = 1 << 20  # from here on it is asked while reading, too

Recode = tuple[tuple[str, ...], NDArray[np.int32]]


def join(
    chunks: dict[str, list[Chunk]],
    parts: Mapping[str, Sequence[Part]],
    plan: Plan,
    levels: Sequence[Levels],
) -> tuple[Sample, ...]:
    """Make one Sample per side. `chunks` is emptied side by side, to save memory."""
    recodes = [_recode(j, chunks, plan, known) for j, known in enumerate(levels)]
    masked = any(chunk.missing is not None for some in chunks.values() for chunk in some)
    return tuple(
        _sample(side, chunks.pop(side), some, plan, recodes, masked) for side, some in parts.items()
    )


def _recode(j: int, chunks: Mapping[str, Sequence[Chunk]], plan: Plan, known: Levels) -> Recode:
    """Sort the categories that occur."""
    met = np.zeros(len(known) + 1, np.bool_)  # the last entry takes the missing cells
    for some in chunks.values():
        for chunk in some:
            met[_codes(chunk, j, plan)] = True
    return known.finish(met[:-1])


def _counts(
    j: int, chunks: Mapping[str, Sequence[Chunk]], plan: Plan, levels: int
) -> dict[str, NDArray[np.int64]]:
    """How often each category occurs on every side, by provisional code."""
    counts = {}
    for side, some in chunks.items():
        counts[side] = np.zeros(levels + 1, np.int64)  # the first entry takes the missing cells
        for chunk in some:
            counts[side] += np.bincount(_codes(chunk, j, plan) + 1, minlength=levels + 1)
    return {side: found[1:] for side, found in counts.items()}


def look_at_columns(
    chunks: Mapping[str, Sequence[Chunk]],
    parts: Mapping[str, Sequence[Part]],
    plan: Plan,
    levels: Sequence[Levels],
) -> tuple[Notice, ...]:
    """Refuse text that is no category; return what else there is to say of the columns.

    Named too are numeric columns that tell two sides apart by themselves.
    """
    label = next(iter(parts.values()))[0].label
    tracks = _tracks(chunks, plan)
    found: list[Notice] = []
    errors: list[Identifier] = []
    for j, name in enumerate(plan.categorical):
        counts = _counts(j, chunks, plan, len(levels[j]))
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


def _tracks(chunks: Mapping[str, Sequence[Chunk]], plan: Plan) -> dict[str, Track]:
    """The course of the numeric columns on either of two sides."""
    if len(chunks) != 2:
        return {}
    tracks = {side: Track(len(plan.columns)) for side in chunks}
    for side, some in chunks.items():
        for chunk in some:
            tracks[side].add(chunk.values, chunk.missing)
    return tracks


def _codes(chunk: Chunk, j: int, plan: Plan) -> Any:
    if chunk.codes is not None and j < len(plan.categorical):
        return chunk.codes[:, j]
    return chunk.groups


def _rows(chunks: Sequence[Chunk]) -> int:
    return sum(chunk.values.shape[0] for chunk in chunks)


def require_few(plan: Plan, levels: Sequence[Levels], rows: int) -> None:
    """Stop before the words of an identifier fill the memory; the exact rule comes at the end."""
    for name, known in zip(plan.coded, levels, strict=True):
        many = len(known) > max(MANY_LEVELS, MOST_DISTINCT * rows)
        if many and name not in plan.by_value:
            raise Identifier(name, len(known), rows)


def _sample(
    side: str,
    chunks: list[Chunk],
    parts: Sequence[Part],
    plan: Plan,
    recodes: Sequence[Recode],
    masked: bool,
) -> Sample:
    n, c = _rows(chunks), len(plan.categorical)
    codes = np.empty((n, c), np.int32)
    at = 0
    for chunk in chunks if c else ():
        rows = slice(at, at := at + chunk.values.shape[0])
        for j in range(c):
            codes[rows, j] = recodes[j][1][_codes(chunk, j, plan)]
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    if plan.group is not None:
        group_names, final = recodes[plan.group]
        groups = final.astype(np.int64)[_joined(chunks, lambda chunk: chunk.groups)]
    counts = np.sum([part.missing for part in parts], axis=0)
    mask = _joined(chunks, _mask) if masked else None
    weights = _weights(side, chunks, plan)
    _require_entries(side, dict(zip(plan.all_names, counts, strict=True)), plan)
    return Sample(
        side,
        _values(chunks, n, len(plan.columns)),
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
        chained="named" if plan.chained else "",
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


def _joined(chunks: Sequence[Chunk], get: Callable[[Chunk], Any]) -> Any:
    return get(chunks[0]) if len(chunks) == 1 else np.concatenate([get(chunk) for chunk in chunks])


def _values(chunks: list[Chunk], rows: int, columns: int) -> NDArray[np.float64]:
    """The numbers of all chunks, row by row from here on. Each chunk goes when it is copied."""
    if len(chunks) == 1:
        return np.ascontiguousarray(chunks[0].values)
    values = np.empty((rows, columns))
    end = rows
    while chunks:
        part = chunks.pop().values
        values[end - len(part) : end] = part
        end -= len(part)
    return values


def _mask(chunk: Chunk) -> NDArray[np.bool_]:
    return np.zeros(chunk.values.shape, np.bool_) if chunk.missing is None else chunk.missing


def _weights(side: str, chunks: Sequence[Chunk], plan: Plan) -> NDArray[np.float64] | None:
    if plan.weights is None:
        return None
    weights: NDArray[np.float64] = np.ascontiguousarray(_joined(chunks, lambda c: c.weights))
    option, wanted = "--weights", "a weight above zero"
    if plan.counted:
        option, wanted = "--counts", "an entry"
    if not weights.any():
        raise DataError(
            f"{side}: {option}: column {shown(plan.numbers[plan.weights])} is zero in every row; "
            f"at least one row needs {wanted}."
        )
    return weights
