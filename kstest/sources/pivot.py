"""Pivot: a table with a row per hit becomes one with a row per event.

Detectors write hits: event, channel, time, charge; as many rows per event as there are hits. Tests
take rows of a fixed number of columns. So each column of hits becomes one per place: the first
hit, the second, ... in the order of another column, or a channel's first hit; what an event lacks
is a missing cell, and the number of hits is a column of its own. Hits of an event have to be
neighbours in the file: then it is read once, in blocks, and no more is kept than the events' rows.

This module says what is asked for and what the new table looks like; `pivot_rows` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from kstest.columns import Pivot, parse_items, resolve
from kstest.errors import DataError, UsageError
from kstest.sources.convert import by_value
from kstest.sources.nulls import Nulls
from kstest.sources.options import ReadOptions
from kstest.sources.table import NUMBER, TEXT, Block, Table, Wanted, require_unique
from kstest.wording import listed, nearest, shown

HITS = "hits"
MOST_HITS = 1000
_RANGE_DIGITS = 9


def pivot_of(
    event: str,
    order: str | None = None,
    hits: int = 4,
    channels: str | None = None,
    per_event: str | None = None,
) -> Pivot:
    """Check what was asked for.

    Parameters
    ----------
    channels : str, optional
        ``COLUMN=LIST`` such as ``layer=1-4`` or ``pmt=a,b``.

    Raises
    ------
    UsageError
    """
    if not 1 <= hits <= MOST_HITS:
        raise UsageError(f"--hits {hits}: give a whole number from 1 to {MOST_HITS}")
    column, values = (None, ()) if channels is None else _channels(channels)
    if column == event or order == event:
        raise UsageError(
            f"--pivot {event}: --hit-order and --channels need columns other than the event"
        )
    if per_event is not None:
        parse_items(per_event, "--per-event")
    return Pivot(event, order, hits, column, values, per_event)


def _channels(text: str) -> tuple[str, tuple[str, ...]]:
    name, mark, values = text.partition("=")
    if not (name.strip() and mark and values.strip()):
        raise UsageError(
            f"--channels {text!r}: give a column and its values, such as layer=1-4 or pmt=a,b"
        )
    found: dict[str, None] = {}
    for item in parse_items(values, "--channels"):
        first, dash, last = item.partition("-")
        if dash and all(x.isdecimal() and len(x) <= _RANGE_DIGITS for x in (first, last)):
            low, high = int(first), int(last)
            if not low <= high < low + MOST_HITS:
                raise UsageError(
                    f"--channels {text!r}: range {item!r}; the smaller end stands first, and there "
                    f"are at most {MOST_HITS:,} channels"
                )
            found |= dict.fromkeys(map(str, range(low, high + 1)))
        else:
            found[by_value(item)] = None
    return name.strip(), tuple(found)


def pivoted(table: Table, how: Pivot) -> Table:
    """Return the table of events of a table of hits.

    Its columns are those of `per_event`, then for each other column ``t`` of the hits ``t_1``,
    ``t_2``, ... (or ``t_CHANNEL``), then ``hits``.

    Raises
    ------
    DataError
        If a column is not there; while rows are read, if the hits of an event are not neighbours,
        or a column of events changes within one.
    """
    from kstest.sources.pivot_rows import Cells, Source, gathered

    _require(table, how)
    per_event = _event_columns(table, how)
    apart = {how.event, how.channel, *per_event}
    values = [
        name for j, name in enumerate(table.names) if name not in apart and j not in table.aside
    ]
    names = [*per_event, *(f"{v}_{place}" for v in values for place in how.places), HITS]
    require_unique(names, f"{table.label} by --pivot")
    place = {name: j for j, name in enumerate(table.names)}
    count = len(how.places)
    cells = [Cells(place[name]) for name in per_event]
    cells += [Cells(place[name], slot) for name in values for slot in range(count)]
    source = Source(
        table.label,
        tuple(table.names),
        place[how.event],
        None if how.order is None else place[how.order],
        None if how.channel is None else place[how.channel],
        how.places,
        how.strict,
    )

    def kinds(picked: Sequence[int]) -> dict[int, str]:
        needed = [cells[j].column for j in picked if j < len(cells)]
        helpers = [j for j in (source.event, source.order, source.channel) if j is not None]
        found = table.kinds(list(dict.fromkeys([*helpers, *needed])))
        if source.order is not None and found[source.order] == TEXT:
            raise DataError(
                f"{table.label}: column {shown(how.order)} of --hit-order holds text; accepted: "
                "numbers, dates and times."
            )
        return {j: found[cells[j].column] if j < len(cells) else NUMBER for j in picked}

    def blocks(wanted: Wanted) -> Iterator[Block]:
        return gathered(table.blocks, source, cells, wanted)

    return replace(
        table, names=tuple(names), kinds=kinds, blocks=blocks, named=True, aside=frozenset()
    )


def _require(table: Table, how: Pivot) -> None:
    needed = [("--pivot", how.event), ("--hit-order", how.order), ("--channels", how.channel)]
    for option, name in needed:
        if name is not None and name not in table.names:
            raise DataError(
                f"{table.label}: has no column {shown(name)}, which {option} names; it has "
                f"{listed(nearest(name, table.names))}. A row per hit is needed."
            )


def _event_columns(table: Table, how: Pivot) -> tuple[str, ...]:
    found: tuple[str, ...] = tuple(name for name in how.also if name in table.names)
    if how.per_event is not None:
        items = parse_items(how.per_event, "--per-event")
        found = tuple(dict.fromkeys([*resolve(items, table.names, "--per-event"), *found]))
    twice = [name for name in found if name in (how.event, how.channel)]
    if twice:
        raise UsageError(f"--per-event: {listed(twice)} is the event or the channel of a hit")
    return found


def opener_of(
    opener: Callable[[], Table], options: ReadOptions, nulls: Nulls | None
) -> Callable[[], Table]:
    """Open a table whose cells may be `nulls`; one of hits as that of its events."""
    opener = opener if nulls is None else nulls.opening(opener)
    how = options.pivot
    if how is None:
        return opener

    def events() -> Table:
        table = opener()
        try:
            return pivoted(table, how)
        except BaseException:
            table.close()
            raise

    return events
