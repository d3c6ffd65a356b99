"""From tables to Samples: open, decide what is read, gather the rows, join them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from kstest.diagnostics.tracks import Track
from kstest.errors import DataError, KstestError, UsageError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.chains import left_out, with_chains
from kstest.sources.convert import Levels
from kstest.sources.gathered import Gathered
from kstest.sources.join import join, look_at_columns, require_few
from kstest.sources.match import Selection, named_like, require_columns
from kstest.sources.notices import merged, no_value, notices, refuse_missing, require_rows
from kstest.sources.options import ReadOptions, name_side
from kstest.sources.plan import Plan
from kstest.sources.planning import matched, require_kinds
from kstest.sources.rows import Part, Rows
from kstest.sources.table import Table

Opener = Callable[[], Table]


def open_firsts(
    sides: Mapping[str, Sequence[Opener]], options: ReadOptions, stack: ExitStack
) -> tuple[dict[str, Table], Selection, Plan]:
    """Open the first table of every side, which `stack` closes, and match their columns."""
    firsts: dict[str, Table] = {}
    for side, openers in sides.items():
        if not openers:
            raise UsageError(f"{side}: no file was given; at least one is needed.")
        try:
            firsts[side] = openers[0]()
        except KstestError as error:
            if firsts:  # an option would be wrong for these
                name_side(side, error)
            raise
        stack.callback(firsts[side].close)
    return matched(firsts, options, alone=all(len(some) == 1 for some in sides.values()))


def collect(
    sides: Mapping[str, Sequence[Opener]], options: ReadOptions
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Open, match and read every table of every side.

    The first table of each side is opened before any row is read, so that a misspelt column
    costs no time; the others one by one, so that a thousand files need no thousand descriptors.
    """
    units = options.units
    policy = options.missing
    if units is not None and policy == "drop":  # whole records are, not rows of them
        policy = "indicator"
    with ExitStack() as stack:
        firsts, selection, plan = open_firsts(sides, options, stack)
        seen = {name: None for table in firsts.values() for name in table.names}
        levels = [Levels() for _ in plan.coded]
        targets = {side: tuple(plan.split) or (side,) for side in sides}
        parts: dict[str, list[Part]] = {side: [] for some in targets.values() for side in some}
        two = len(parts) == 2
        gathered = {side: Gathered(Track(len(plan.columns)) if two else None) for side in parts}
        for side, table in firsts.items() if plan.where is None and not plan.split else ():
            gathered[side].expect(table.rows or 0)
        chains: dict[str, list[int]] = {side: [] for side in parts}
        remarks: list[tuple[str, Notice]] = []
        for side, openers in sides.items():
            for opened in _each(firsts[side], openers[1:]):
                table = named_like(opened, firsts[side])
                seen.update(dict.fromkeys(table.names))
                remarks += [(table.label, notice) for notice in table.notices]
                if opened is not firsts[side]:
                    require_columns(table, selection)
                    require_kinds(table, plan)
                try:
                    into = {target: gathered[target] for target in targets[side]}
                    found = _read(table, plan, levels, policy, into)
                except DataError as error:
                    if any(some.rows for t, some in gathered.items() if t not in targets[side]):
                        name_side(side, error)
                    raise
                for target, part in found.items():
                    parts[target].append(part)
                    chains[target].append(table.chains)
        selection.excluded.require_matches(tuple(seen))
    every = [part for some in parts.values() for part in some]
    refuse = policy if units is None else "records"
    refuse_missing(every, plan.all_names, refuse, len(plan.names))
    if policy == "indicator" and not options.empty_columns:
        _require_values(every, plan)
    require_rows(parts, plan.all_names)
    said = look_at_columns(gathered, parts, plan, levels)
    samples = join(gathered, parts, plan, levels)
    samples = tuple(with_chains(s, parts[s.name], chains[s.name], options) for s in samples)
    if units is not None:
        from kstest.sources.units import recorded

        samples, more = recorded(samples, units)
        return samples, (*merged(remarks), *notices(samples, parts, split=bool(plan.split)), *more)
    said = (*left_out(selection.counters), *said)
    said = (*notices(samples, parts, split=bool(plan.split)), *said)
    return samples, (*merged(remarks), *said)


def _each(first: Table, rest: Sequence[Opener]) -> Iterator[Table]:
    yield first
    for opener in rest:
        table = opener()
        try:
            yield table
        finally:
            table.close()


def _read(
    table: Table, plan: Plan, levels: Sequence[Levels], policy: str, into: Mapping[str, Gathered]
) -> dict[str, Part]:
    """Read a table once, for one side or, with --sample-column, for all of them."""
    if plan.where is not None:
        from kstest.sources.where import holds
    if plan.split:
        from kstest.sources.split import assigned
    gathered = {side: Rows(table, plan, levels, policy, some) for side, some in into.items()}
    first = next(iter(gathered.values()))
    start = 0
    for block in table.blocks(plan.wanted(table)):
        columns = plan.cells(block)
        chosen = None if plan.where is None else holds(plan.where, columns)
        if plan.split:
            for side, rows in assigned(plan.split, columns, table.label, start).items():
                kept = rows if chosen is None else rows[chosen[rows]]
                gathered[side].add(block, start, kept, rows.size - kept.size)
        elif chosen is None or chosen.all():
            first.add(block, start)
        else:
            kept = np.flatnonzero(chosen)
            first.add(block, start, kept, block.rows - kept.size)
        start += block.rows
        require_few(plan, levels, start)
    if not start:
        raise DataError(f"{table.label}: has columns but no rows. At least one row is needed.")
    digest = table.digest()
    return {side: rows.finish(digest, start) for side, rows in gathered.items()}


def _require_values(parts: Sequence[Part], plan: Plan) -> None:
    """Refuse a column that is empty everywhere: even an indicator of it says nothing."""
    counts = np.sum([part.missing for part in parts], axis=0)
    rows = sum(part.rows for part in parts)
    empty = [name for name, k in zip(plan.all_names, counts, strict=True) if k == rows]
    if empty:
        raise no_value(empty)
