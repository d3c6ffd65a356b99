"""Rows of hits to rows of events, block by block; see `pivot`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError
from kstest.frozen import frozen
from kstest.inexact import refusal
from kstest.sources.convert import concatenated
from kstest.sources.table import Block, Coded, Wanted
from kstest.wording import shown

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@frozen
class Cells:
    """Where a column of events comes from.

    Attributes
    ----------
    column : int
        Position in the table of hits.
    slot : int or None
        The how manieth hit, or channel, from 0; None where all hits of an event say the same.
    """

    column: int
    slot: int | None = None


@frozen
class Source:
    """The table of hits: its label and columns, and the positions of those with a part to play.

    Attributes
    ----------
    label : str
    names : tuple of str
    event : int
    order, channel : int or None
    places : tuple of str
        The channels in the order of their slots, or just as many names as there are slots.
    strict : bool
        Refuse a hit with a missing cell.
    """

    label: str
    names: tuple[str, ...]
    event: int
    order: int | None
    channel: int | None
    places: tuple[str, ...]
    strict: bool


@frozen
class _Hits:
    """Whole events: `first` hit of each, `event` of each hit, and the `slot` of each or -1."""

    block: Block
    first: Index
    event: Index
    slot: Index


def gathered(
    read: Callable[[Wanted], Iterator[Block]],
    source: Source,
    cells: Sequence[Cells],
    wanted: Wanted,
) -> Iterator[Block]:
    """Yield blocks of events; the last event of a block of hits waits for the next block.

    Parameters
    ----------
    read : callable
        `Table.blocks` of the hits.
    source : Source
    cells : sequence of Cells
        Of every column of events but the last, which is the number of hits.
    wanted : Wanted
        Columns of events.
    """
    below = _below(source, cells, wanted)
    met: set[str] = set()
    waiting: Block | None = None
    row = 0  # rows before those that wait
    for block in read(below):
        if not block.rows:
            continue
        _require_exact(block, source, below, row + (0 if waiting is None else waiting.rows))
        whole = block if waiting is None else _joined(waiting, block)
        starts = _starts(whole, source, met, row)
        if source.strict:
            _require_values(whole, source, below, row)
        last = int(starts[-1])
        if last:
            yield _events(whole.take(np.arange(last)), starts[:-1], source, cells, wanted, below)
        waiting = whole.take(np.arange(last, whole.rows))
        row += last
    if waiting is not None:
        yield _events(waiting, np.zeros(1, np.int64), source, cells, wanted, below)


def _below(source: Source, cells: Sequence[Cells], wanted: Wanted) -> Wanted:
    """The columns of hits that are needed: first those with a part to play."""
    numbers = [] if source.order is None else [source.order]
    texts = [j for j in (source.event, source.channel) if j is not None]
    by_value = frozenset(texts) | {cells[j].column for j in wanted.by_value if j < len(cells)}
    numbers += [cells[j].column for j in wanted.numbers if j < len(cells)]
    texts += [cells[j].column for j in wanted.texts if j < len(cells)]
    return Wanted(tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(texts)), by_value)


def _joined(a: Block, b: Block) -> Block:
    texts = tuple(concatenated(pair) for pair in zip(a.texts, b.texts, strict=True))
    return Block(np.concatenate([a.values, b.values]), texts=texts)


def _starts(block: Block, source: Source, met: set[str], row: int) -> Index:
    """First rows of the events; `met` are the events that are complete."""
    text = block.texts[0]
    name = shown(source.names[source.event])
    bad = np.flatnonzero(text.codes < 0)
    if bad.size:
        raise DataError(
            f"{source.label}: row {row + int(bad[0]) + 1:,} has no value in column {name} of "
            "--pivot: every hit needs its event."
        )
    starts = np.r_[0, np.flatnonzero(np.diff(text.codes)) + 1].astype(np.int64)
    events = [text.levels[code] for code in text.codes[starts]]
    for k, event in enumerate(events):
        if event in met:
            raise DataError(
                f"{source.label}: row {row + int(starts[k]) + 1:,}: hits of event {shown(event)} "
                f"come after those of other events. Sort the rows by column {name} first."
            )
        if k < len(events) - 1:
            met.add(event)
    return np.asarray(starts)


def _require_exact(block: Block, source: Source, below: Wanted, row: int) -> None:
    """Refuse whole numbers that float64 does not hold."""
    for k, cells in block.rounded.items():
        if cells.refused:
            at = int(cells.rows[0])
            name = source.names[below.numbers[k]]
            raise refusal(source.label, name, row + at + 1, cells.cell(at))


def _require_values(block: Block, source: Source, below: Wanted, row: int) -> None:
    """Refuse missing cells of hits, as is done for other tables: what an event lacks is marked."""
    holes = [(j, ~np.isfinite(block.values[:, k])) for k, j in enumerate(below.numbers)]
    holes += [(j, text.codes < 0) for j, text in zip(below.texts, block.texts, strict=True)]
    for j, bad in holes:
        if bad.any():
            at = int(np.argmax(bad))
            event = block.texts[0].levels[block.texts[0].codes[at]]
            raise DataError(
                f"{source.label}: column {shown(source.names[j])}, row {at + row + 1:,} (event "
                f"{shown(event)}) is missing or infinite. Leave such hits out of the file, or keep "
                "and mark them with --missing indicator."
            )


def _events(
    block: Block,
    starts: Index,
    source: Source,
    cells: Sequence[Cells],
    wanted: Wanted,
    below: Wanted,
) -> Block:
    """Turn the hits of whole events into rows."""
    lengths = np.diff(np.r_[starts, block.rows])
    hits = _sorted(block, starts, np.repeat(np.arange(len(starts)), lengths), source)
    place = {j: k for k, j in enumerate(below.numbers)}
    values = np.empty((len(starts), len(wanted.numbers)))
    for k, j in enumerate(wanted.numbers):
        if j >= len(cells):
            values[:, k] = lengths
            continue
        column = place[cells[j].column]
        values[:, k] = _cell(hits, hits.block.values[:, column], cells[j], np.nan, source)
    place = {j: k for k, j in enumerate(below.texts)}
    texts = []
    for j in wanted.texts:
        if j >= len(cells):
            numbers = [str(n) for n in np.unique(lengths)]
            codes = np.searchsorted(np.unique(lengths), lengths).astype(np.int32)
            texts.append(Coded(codes, numbers))
            continue
        text = hits.block.texts[place[cells[j].column]]
        codes = _cell(hits, text.codes, cells[j], np.int32(-1), source)
        texts.append(Coded(codes, text.levels))
    return Block(values, texts=tuple(texts))


def _sorted(block: Block, starts: Index, event: Index, source: Source) -> _Hits:
    """Put the hits of every event in order, and find their slots."""
    if source.order is not None:
        block = block.take(np.lexsort((block.values[:, 0], event)))  # stable: ties as in the file
    if source.channel is None:
        slot = np.arange(block.rows) - starts[event]
        return _Hits(block, starts, event, np.where(slot < len(source.places), slot, -1))
    text = block.texts[1]
    known = {channel: k for k, channel in enumerate(source.places)}
    table = [known.get(level, -1) for level in text.levels]
    slot = np.array([*table, -1], np.int64)[text.codes]
    # Of several hits of a channel the first counts.
    key = event * len(source.places) + slot
    first = np.zeros(block.rows, bool)
    first[np.unique(key, return_index=True)[1]] = True
    return _Hits(block, starts, event, np.where(first, slot, -1))


def _cell(
    hits: _Hits, values: NDArray[Any], cell: Cells, empty: object, source: Source
) -> NDArray[Any]:
    """One column of events; `empty` where an event has no such hit."""
    if cell.slot is None:
        out = values[hits.first]
        same = (values == out[hits.event]) | ((values != values) & (out != out)[hits.event])
        if not same.all():
            text = hits.block.texts[0]
            event = text.levels[text.codes[int(np.argmin(same))]]
            raise DataError(
                f"{source.label}: column {shown(source.names[cell.column])} changes within event "
                f"{shown(event)}; a column of events (--per-event, --weights, --group) says the "
                "same for all its hits."
            )
        return out
    out = np.full(len(hits.first), empty, values.dtype)
    rows = np.flatnonzero(hits.slot == cell.slot)
    out[hits.event[rows]] = values[rows]
    return out
