"""From tables to Samples: read the blocks, treat missing values, say what was noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError, UsageError
from kstest.result import Notice
from kstest.sample import Input, Sample
from kstest.sources.match import Selection, locate, name_by_place, select
from kstest.sources.options import ReadOptions
from kstest.sources.table import Table
from kstest.sources.wording import LISTED_NAMES, listed, option_value

NOTABLE_SHARE = 0.05  # of the rows of a side, dropped
LISTED_FILES = 5

Opener = Callable[[], Table]


@dataclass(frozen=True)
class Part:
    """What one table gave, besides the rows themselves."""

    label: str
    input: Input
    missing: NDArray[np.int64]  # by selected column
    bad_rows: int
    rounded: frozenset[str]
    identity: tuple[int, int] | None


def collect(
    sides: Mapping[str, Sequence[Opener]], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Open, match and read every table of every side.

    The first table of each side is opened before any row is read, so that a misspelt column
    costs no time; the others one by one, so that a thousand files need no thousand descriptors.
    """
    with ExitStack() as stack:
        firsts: dict[str, Table] = {}
        for side, openers in sides.items():
            if not openers:
                raise UsageError(f"{side}: no file was given; at least one is needed.")
            firsts[side] = openers[0]()
            stack.callback(firsts[side].close)
        firsts = name_by_place(firsts)
        selection = select(tuple(firsts.values()), options)
        seen = {name: None for table in firsts.values() for name in table.names}
        if all(len(openers) == 1 for openers in sides.values()):
            selection.excluded.require_matches(tuple(seen))
        for table in firsts.values():
            locate(table, selection)
        drop = options.missing == "drop"
        parts: dict[str, list[Part]] = {side: [] for side in sides}
        blocks: dict[str, list[NDArray[np.float64]]] = {side: [] for side in sides}
        for side, openers in sides.items():
            for table in _each(firsts[side], openers[1:]):
                seen.update(dict.fromkeys(table.names))
                part, rows = _read(table, selection, drop)
                parts[side].append(part)
                blocks[side].extend(rows)
        selection.excluded.require_matches(tuple(seen))
    if not drop:
        _refuse_missing([p for some in parts.values() for p in some], selection.names)
    # pop: the blocks of one side go before those of the next are joined
    samples = tuple(
        _sample(side, blocks.pop(side), some, selection) for side, some in parts.items()
    )
    return samples, _notices(samples, parts)


def _each(first: Table, rest: Sequence[Opener]) -> Iterator[Table]:
    yield first
    for opener in rest:
        table = opener()
        try:
            yield table
        finally:
            table.close()


def _read(table: Table, selection: Selection, drop: bool) -> tuple[Part, list[NDArray[np.float64]]]:
    names = selection.names
    kept: list[NDArray[np.float64]] = []
    missing = np.zeros(len(names), np.int64)
    rows = bad_rows = 0
    rounded: set[int] = set()
    for block in table.blocks(locate(table, selection)):
        rows += block.values.shape[0]
        rounded.update(block.rounded)
        finite = np.isfinite(block.values)
        if finite.all():
            if drop or not bad_rows:
                kept.append(block.values)
            continue
        good = finite.all(axis=1)
        missing += finite.shape[0] - np.count_nonzero(finite, axis=0)
        bad_rows += int(good.size - np.count_nonzero(good))
        if drop:
            kept.append(block.values[good])
        else:
            kept.clear()  # the run ends with an error: only the counts matter
    if not rows:
        raise DataError(f"{table.label}: has columns but no rows. At least one row is needed.")
    dropped = bad_rows if drop else 0
    part = Part(
        table.label,
        Input(table.path, rows, rows - dropped, dropped, table.digest()),
        missing,
        bad_rows,
        frozenset(names[k] for k in rounded),
        table.identity,
    )
    return part, kept


def _sample(
    side: str, blocks: list[NDArray[np.float64]], parts: list[Part], selection: Selection
) -> Sample:
    inputs, names = tuple(part.input for part in parts), selection.names
    if not sum(i.rows_used for i in inputs):
        raise DataError(
            f"{side}: no row is left after --missing drop. {_missing_report(parts, names)} "
            f"{_missing_advice(parts, names, drop=True)}"
        )
    values = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return Sample(side, np.ascontiguousarray(values), names, inputs, selection.blocks)


def _refuse_missing(parts: list[Part], names: tuple[str, ...]) -> None:
    bad = [part for part in parts if part.bad_rows]
    if bad:
        raise DataError(f"{_missing_report(bad, names)} {_missing_advice(bad, names, drop=False)}")


def _missing_report(parts: list[Part], names: tuple[str, ...]) -> str:
    lines = []
    for part in parts[:LISTED_FILES]:
        at = np.flatnonzero(part.missing)
        # The name is cut before the count is joined to it, or a long name would hide its count.
        counts = listed([f"{names[j][:30]}: {part.missing[j]:,}" for j in at[:LISTED_NAMES]])
        more = f" and {at.size - LISTED_NAMES:,} more columns" if at.size > LISTED_NAMES else ""
        lines.append(
            f"{part.label}: {part.bad_rows:,} of {part.input.rows_read:,} rows have missing or "
            f"infinite values, by column: {counts}{more}."
        )
    if len(parts) > LISTED_FILES:
        lines.append(f"So have {len(parts) - LISTED_FILES:,} more files.")
    return " ".join(lines)


def _missing_advice(parts: list[Part], names: tuple[str, ...], *, drop: bool) -> str:
    empty = [
        name
        for j, name in enumerate(names)
        if any(part.missing[j] == part.input.rows_read for part in parts)
    ]
    if empty:
        return (
            f"Without any value: {listed(empty)}. Leave such columns out with "
            f"--exclude {option_value(empty)}."
        )
    if drop:
        return "Choose columns with --columns or --exclude."
    return "Drop these rows with --missing drop, or choose columns with --columns or --exclude."


def _notices(samples: Sequence[Sample], parts: Mapping[str, Sequence[Part]]) -> tuple[Notice, ...]:
    return (*_repeated(parts), *_dropped(samples), *_rounded(parts))


def _repeated(parts: Mapping[str, Sequence[Part]]) -> Iterator[Notice]:
    """The same file, or the same bytes, read twice: rows that are no independent draws."""
    files: dict[object, str] = {}
    contents: dict[object, str] = {}
    found: dict[str, list[str]] = {"same-file": [], "same-content": []}
    for side, some in parts.items():
        for part in some:
            here = f"{part.label} ({side})"
            if part.identity is not None and part.identity in files:
                other = files[part.identity]
                found["same-file"].append(f"{other} and {here} are the same file")
                continue
            files[part.identity] = here
            sha = part.input.sha256
            if sha is not None and sha in contents:
                found["same-content"].append(f"{contents[sha]} and {here} hold the same bytes")
            contents.setdefault(sha, here)
    for code, messages in found.items():
        if messages:
            more = f", and {len(messages) - 1:,} more such pairs" if len(messages) > 1 else ""
            yield Notice(code, f"{messages[0]}{more}: the rows are not independent draws.")


def _dropped(samples: Sequence[Sample]) -> Iterator[Notice]:
    for sample in samples:
        total = sample.n + sample.n_dropped
        if sample.n_dropped > NOTABLE_SHARE * total:
            yield Notice(
                "rows-dropped",
                f"{sample.name}: {sample.n_dropped:,} of {total:,} rows "
                f"({sample.n_dropped / total:.0%}) were dropped for missing or infinite values; "
                "the verdict is about the complete rows only.",
            )


def _rounded(parts: Mapping[str, Sequence[Part]]) -> Iterator[Notice]:
    names = dict.fromkeys(n for some in parts.values() for p in some for n in sorted(p.rounded))
    if names:
        yield Notice(
            "rounded",
            f"Columns with whole numbers beyond 2^53, which are rounded: {listed(names)}. "
            "Identifiers are better left out with --exclude.",
        )
