"""Joining: the chunks of each side become one Sample, with codes that all sides share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.sample import Sample
from kstest.sources.levels import Levels
from kstest.sources.notices import nothing_left
from kstest.sources.plan import Plan
from kstest.sources.rows import Chunk, Part
from kstest.sources.wording import option_value, shown

# A text column with more categories than this, and than half of its rows, is an identifier.
MOST_LEVELS = 1000
MOST_DISTINCT = 0.5
MANY_LEVELS = 1 << 20  # from here on it is asked while reading, too

Recode = tuple[tuple[str, ...], NDArray[np.int32]]


def join(
    chunks: dict[str, list[Chunk]],
    parts: Mapping[str, Sequence[Part]],
    plan: Plan,
    levels: Sequence[Levels],
) -> tuple[Sample, ...]:
    """Make one Sample per side. `chunks` is emptied side by side, to save memory."""
    for side, some in parts.items():
        if not sum(part.input.rows_used for part in some):
            raise nothing_left(side, some, plan.all_names)
    recodes = [_recode(j, chunks, plan, known) for j, known in enumerate(levels)]
    masked = any(chunk.missing is not None for some in chunks.values() for chunk in some)
    return tuple(
        _sample(side, chunks.pop(side), some, plan, recodes, masked) for side, some in parts.items()
    )


def _recode(j: int, chunks: Mapping[str, Sequence[Chunk]], plan: Plan, known: Levels) -> Recode:
    """Sort the categories that occur, after a look at whether they are categories at all."""
    every = np.zeros(len(known) + 1, np.bool_)
    for side, some in chunks.items():
        met = np.zeros(len(known) + 1, np.bool_)  # the last entry takes the missing cells
        for chunk in some:
            met[_codes(chunk, j, plan)] = True
        met[-1] = False
        _require_repeats(int(np.count_nonzero(met)), _rows(some), side, plan.texts[j], plan)
        every |= met
    return known.finish(every)


def _codes(chunk: Chunk, j: int, plan: Plan) -> Any:
    if chunk.codes is not None and j < len(plan.categorical):
        return chunk.codes[:, j]
    return chunk.groups


def _rows(chunks: Sequence[Chunk]) -> int:
    return sum(chunk.values.shape[0] for chunk in chunks)


def require_few(plan: Plan, levels: Sequence[Levels], rows: int) -> None:
    """Stop before the words of an identifier fill the memory; the exact rule comes at the end."""
    for name, known in zip(plan.coded, levels, strict=True):
        if len(known) > MANY_LEVELS:
            _require_repeats(len(known), rows, "", name, plan)


def _require_repeats(count: int, rows: int, side: str, name: str, plan: Plan) -> None:
    if name in plan.by_value or count <= MOST_LEVELS or count <= MOST_DISTINCT * rows:
        return
    where = f"{side}: " if side else ""
    raise DataError(
        f"{where}text column {shown(name)} has {count:,} different values in {rows:,} rows: it "
        "looks like an identifier, not like a category. Leave it out with --exclude "
        f"{option_value([name])}; to test it all the same, name it in --categorical."
    )


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
    return Sample(
        side,
        np.ascontiguousarray(_joined(chunks, lambda chunk: chunk.values)),
        plan.columns,
        tuple(part.input for part in parts),
        _joined(chunks, _mask) if masked else None,
        plan.categorical,
        codes,
        tuple(recodes[j][0] for j in range(c)),
        groups,
        group_names,
        _weights(side, chunks, plan),
        {n: int(k) for n, k in zip(plan.all_names, counts, strict=True) if k},
        sum(part.bad_rows for part in parts),
        tuple(part.kept for part in parts),
        tuple(plan.first.names),
        counted=plan.counted,
    )


def _joined(chunks: Sequence[Chunk], get: Callable[[Chunk], Any]) -> Any:
    return get(chunks[0]) if len(chunks) == 1 else np.concatenate([get(chunk) for chunk in chunks])


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
