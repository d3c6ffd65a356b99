"""Which columns are used, and where each table has them.

Columns match by name, never by place, except where a side has no names (arrays).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kstest.errors import DataError, UsageError
from kstest.sources.columns import Exclusion, exclusion, parse_items, resolve
from kstest.sources.options import ReadOptions
from kstest.sources.table import Table
from kstest.sources.wording import listed, option_value, shown


@dataclass(frozen=True)
class Selection:
    """The columns of the run.

    Attributes
    ----------
    names : tuple of str
        In the order of --columns, else in that of the first table.
    excluded : Exclusion
        What other tables may have besides.
    explicit : bool
        True with --columns: then other columns need no mention.
    first : Table
        The table that everything is compared with.
    blocks : tuple of tuple of str
        The names by block, where blocks were asked for.
    """

    names: tuple[str, ...]
    excluded: Exclusion
    explicit: bool
    first: Table
    blocks: tuple[tuple[str, ...], ...] = ()


def select(tables: Sequence[Table], options: ReadOptions) -> Selection:
    """Choose the columns from the first table of every side."""
    first = tables[0]
    seen = tuple(dict.fromkeys(name for table in tables for name in table.names))
    excluded = exclusion(options.exclude, first.names, seen)
    chosen: Sequence[str] = first.names
    blocks = _blocks(first, options, excluded)
    if blocks:
        chosen = [name for block in blocks for name in block]
    elif options.columns is not None:
        items = parse_items(options.columns, "--columns")
        chosen = resolve(items, first.names, "--columns")
    names = tuple(name for name in chosen if excluded.keeps(name))
    if not names:
        raise UsageError(
            f"--columns/--exclude: no column of {first.label} is left; it has "
            f"{listed(first.names)}."
        )
    if "" in names:
        place = first.names.index("") + 1
        raise DataError(
            f"{first.label}: column {place} has no name in the header (pandas and R write row "
            f"names so). Name it, or leave it out with --exclude {place}."
        )
    explicit = options.columns is not None or bool(blocks)
    return Selection(names, excluded, explicit, first, blocks)


def _blocks(first: Table, options: ReadOptions, excluded: Exclusion) -> tuple[tuple[str, ...], ...]:
    """Resolve the column list of every block; no column may be in two."""
    owner: dict[str, int] = {}
    found = []
    for number, (option, text) in enumerate(options.blocks):
        names = resolve(parse_items(text, option), first.names, option)
        names = tuple(name for name in names if excluded.keeps(name))
        if not names:
            raise UsageError(f"{option} {shown(text)}: --exclude leaves no column of it.")
        for name in names:
            if name in owner:
                other = " ".join(options.blocks[owner[name]])
                raise UsageError(
                    f"{option} {shown(text)}: column {shown(name)} is also in {shown(other)}; a "
                    "column depends on itself. Name every column in one block only."
                )
            owner[name] = number
        found.append(names)
    return tuple(found)


def locate(table: Table, selection: Selection) -> list[int]:
    """Return the positions (from 0) of the selected columns in `table`."""
    first = selection.first
    place = {name: j for j, name in enumerate(table.names)}
    absent = [name for name in selection.names if name not in place]
    if selection.explicit and absent:
        raise DataError(
            f"{table.label}: has no column {listed(absent)}, which --columns chose from "
            f"{first.label}; it has {listed(table.names)}."
        )
    wanted = set(selection.names)
    extra = [n for n in table.names if n not in wanted and selection.excluded.keeps(n)]
    if not selection.explicit and (absent or extra):
        common = [name for name in selection.names if name in place]
        advice = f"leave columns out with --exclude {option_value([*absent, *extra])}"
        if common:
            advice = f"use the common ones with --columns {option_value(common)}, or {advice}"
        raise DataError(
            f"{first.label} and {table.label} do not have the same columns. "
            f"Only in {first.label}: {listed(absent)}. Only in {table.label}: {listed(extra)}. "
            f"Rename columns, {advice}."
        )
    return [place[name] for name in selection.names]


def name_by_place(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Give arrays the names of the DataFrame beside them; widths must agree."""
    bare = [table for table in tables.values() if not table.named]
    if not bare:
        return dict(tables)
    widths = {side: len(table.names) for side, table in tables.items()}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{side} has {width:,}" for side, width in widths.items())
        raise DataError(
            f"Arrays match by position and need as many columns on every side; {found}."
        )
    model = next((table for table in tables.values() if table.named), bare[0])
    return {
        side: table if table.named else replace(table, names=model.names)
        for side, table in tables.items()
    }
