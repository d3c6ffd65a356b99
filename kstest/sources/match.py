"""Which columns are used, and where each table has them.

Columns match by name, never by place, except where a side has no names (arrays).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from kstest.columns import Exclusion, exclusion, parse_items, resolve
from kstest.errors import DataError, UsageError
from kstest.frozen import frozen
from kstest.sources.chain_columns import chain_column, counters_of
from kstest.sources.options import ReadOptions
from kstest.sources.spellings import PLAIN
from kstest.sources.table import Table, duplicates
from kstest.wording import listed, meant, nearest, option_value, shown

if TYPE_CHECKING:
    from kstest.sources.where_tree import Condition


@frozen
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
    by_value : frozenset of str
        Columns that --categorical names.
    roles : dict of str to str
        Columns with another part to play, by option: ``{"--group": "run"}``. They are not
        tested.
    where : Condition or None
        Which rows to use; its columns may be tested or not.
    counters : tuple of str
        Columns that number the draws of the chains of --chain; left out unless they are named.
    """

    names: tuple[str, ...]
    excluded: Exclusion
    explicit: bool
    first: Table
    by_value: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)
    where: Condition | None = None
    counters: tuple[str, ...] = ()

    @property
    def where_names(self) -> tuple[str, ...]:
        """The columns of --where."""
        if self.where is None:
            return ()
        from kstest.sources.where_tree import names

        return tuple(dict.fromkeys(names(self.where)))


def select(tables: Sequence[Table], options: ReadOptions) -> Selection:
    """Choose the columns from the first table of every side."""
    first = tables[0]
    seen = tuple(dict.fromkeys(name for table in tables for name in table.names))
    excluded = exclusion(options.exclude, first.names, seen)
    chosen: Sequence[str] = tested(first)
    every = chosen
    if options.columns is not None:
        items = parse_items(options.columns, "--columns")
        chosen = resolve(items, first.names, "--columns")
    elif options.choose is not None:
        chosen = options.choose(first.names)
        chosen = tested(first) if chosen is first.names else chosen
    explicit = options.columns is not None or chosen is not every
    given = {"--group": options.group, "--unit": options.unit, "--weights": options.weights}
    given["--counts"] = options.counts
    given["--chain"] = chain_column(first, options)
    given["--sample-column"] = options.sample_column
    roles = {o: _one(text, tables, o) for o, text in given.items() if text is not None}
    apart = frozenset(roles.values())
    parts = {o: _one(text, tables, o) for o, text in options.parts.items()}
    for option, name in parts.items():
        if not excluded.keeps(name) or name in apart:
            other = next((o for o in roles if roles[o] == name), "--exclude")
            raise UsageError(f"{option}: column {shown(name)} is named by {other}, too.")
    chosen = tuple(dict.fromkeys((*chosen, *parts.values())))
    counters = () if explicit or "--chain" not in roles else counters_of(first.names)
    counters = tuple(name for name in counters if excluded.keeps(name))
    apart |= frozenset(counters)
    names = tuple(name for name in chosen if excluded.keeps(name) and name not in apart)
    if options.order is not None:  # read like a tested column, the last, and taken out again
        order = _one(options.order, tables, "--order")
        names = tuple(name for name in names if name != order)
        names += (order,) if names else ()
    if not names:
        raise UsageError(
            f"--columns/--exclude: no column of {first.label} is left; it has "
            f"{listed(first.names)}."
        )
    if "" in names:
        places = [str(j) for j, name in enumerate(first.names, 1) if not name]
        where, it = ",".join(places), "it" if len(places) == 1 else "them"
        raise DataError(
            f"{first.label}: column{'s' * (len(places) > 1)} {where} ha"
            f"{'s' if len(places) == 1 else 've'} no name in the header (pandas and R write row "
            f"names so). Name {it}, or leave {it} out with --exclude {where}.",
            ("--exclude", where),
        )
    categorical: Sequence[str] = ()
    if options.categorical is not None:
        items = parse_items(options.categorical, "--categorical")
        categorical = resolve(items, first.names, "--categorical")
    return Selection(
        names,
        excluded,
        explicit,
        first,
        frozenset((*categorical, *parts.values())),
        roles,
        None if options.where is None else _parsed(options.where),
        counters,
    )


def tested(table: Table) -> Sequence[str]:
    """The names of a table but for the columns that nobody means to be tested."""
    if not table.aside:
        return table.names
    return [name for j, name in enumerate(table.names) if j not in table.aside]


def _one(text: str, tables: Sequence[Table], option: str) -> str:
    """Resolve an option that takes one column of the first table."""
    first, names, items = tables[0], tables[0].names, parse_items(text, option)
    if items[0] not in names and any(items[0] in table.names for table in tables[1:]):
        raise _without(first, items[0], option)
    found = resolve(items, names, option)
    if len(found) != 1:
        raise UsageError(
            f"{option}: found {len(found):,} columns, {listed(found)}; one is accepted."
        )
    if not found[0]:
        raise UsageError(f"{option}: this column has no name in the header. Name it first.")
    return found[0]


def _without(table: Table, name: str, option: str) -> DataError:
    """Say that a table lacks a column that another has and an option names."""
    ones = " Data without weights take a column of ones under that name." * (option == "--weights")
    return DataError(
        f"{table.label}: has no column {shown(name)}, which {option} names; it has "
        f"{listed(nearest(name, table.names))}{meant(name, table.names, '.')}{ones}"
    )


def require_columns(table: Table, selection: Selection) -> None:
    """Refuse a table that lacks a column of the run, or has others that were not mentioned."""
    first = selection.first
    place = frozenset(table.names)
    needed = [*selection.roles.items(), *(("--where", name) for name in selection.where_names)]
    for option, name in needed:
        if name not in place:
            raise _without(table, name, option)
    if not selection.explicit:
        _require_no_duplicates(table, selection)
    absent = [name for name in selection.names if name not in place]
    if selection.explicit and absent:
        raise DataError(
            f"{table.label}: has no column {listed(absent)}, which --columns chose from "
            f"{first.label}; it has {listed(table.names)}."
        )
    wanted = {*selection.names, *selection.roles.values(), *selection.counters}
    extra = [n for n in tested(table) if n not in wanted and selection.excluded.keeps(n)]
    if not selection.explicit and (absent or extra):
        common = [name for name in selection.names if name in place]
        raise DataError(
            f"{first.label} and {table.label} do not have the same columns. "
            f"Only in {first.label}: {listed(absent)}. Only in {table.label}: {listed(extra)}. "
            f"{_renamed(absent, extra)}{_common(common, [*absent, *extra])}."
        )


def _require_no_duplicates(table: Table, selection: Selection) -> None:
    """Refuse columns of one name, unless all but one of them are left out."""
    for name, places in duplicates(table.names).items():
        kept = [j for j in places if selection.excluded.keeps(table.names[j - 1])]
        if len(kept) > 1:
            where = ",".join(map(str, kept))
            raise DataError(
                f"{table.label}: several columns have the same name: {shown(name)} (columns "
                f"{where}). Columns are matched by name: rename them so that every name is unique, "
                f"or choose by position, such as --exclude {','.join(map(str, kept[1:]))}.",
                ("--exclude", ",".join(map(str, kept[1:]))),
            )


def _renamed(absent: Sequence[str], extra: Sequence[str]) -> str:
    """Guess why names of two files differ."""
    if not (absent and extra):
        return "Rename columns"
    if all(PLAIN.fullmatch(name) for name in (*absent, *extra)):
        return (
            "These are numbers: if the files have no header, say --no-header; else rename columns"
        )
    alike = {_plain(name): name for name in extra}
    pair = next(((name, alike[_plain(name)]) for name in absent if _plain(name) in alike), None)
    if pair is None:
        return "Rename columns"
    one, other = map(ascii, pair)
    return f"{one} and {other} differ in case, blanks or the form of letters only. Rename columns"


def _plain(name: str) -> str:
    """A name without what is easily overlooked."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split()).strip("\ufeff")


def _common(common: Sequence[str], others: Sequence[str]) -> str:
    """What else can be done; without common columns nothing would be left."""
    if not common:
        return ""
    return (
        f", use the common ones with --columns {option_value(common)}, or leave columns out with "
        f"--exclude {option_value(others)}"
    )


def name_by_place(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Give tables without names (arrays, --no-header) those of a table beside them, if any."""
    bare = [table for table in tables.values() if not table.named]
    if not bare:
        return dict(tables)
    widths = {side: len(table.names) for side, table in tables.items()}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{side} has {width:,}" for side, width in widths.items())
        raise DataError(f"Columns without names match by position, as many on every side; {found}.")
    model = next((table for table in tables.values() if table.named), bare[0])
    return {side: named_like(table, model) for side, table in tables.items()}


def named_like(table: Table, model: Table) -> Table:
    """Give a table without names those of `model`, by position; widths must agree."""
    if table.named:
        return table
    if len(table.names) != len(model.names):
        raise DataError(
            f"{table.label}: has {len(table.names):,} columns, {model.label} has "
            f"{len(model.names):,}. Columns without names match by position."
        )
    return replace(table, names=model.names)


def _parsed(text: str) -> Condition:
    from kstest.sources.where_parse import parse

    return parse(text)
