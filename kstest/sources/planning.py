"""The plan of a run, decided once from the first table of every side, before any row is read.

Later files have to agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kstest.errors import DataError
from kstest.sources.match import Selection, name_by_place, require_columns, select
from kstest.sources.options import ReadOptions
from kstest.sources.plan import Plan
from kstest.sources.table import BOOLEAN, EMPTY, NUMBER, TEXT, Table
from kstest.wording import option_value, shown

if TYPE_CHECKING:
    from kstest.sources.where_tree import Condition


def matched(
    firsts: Mapping[str, Table], options: ReadOptions, alone: bool
) -> tuple[dict[str, Table], Selection, Plan]:
    """Choose columns from the first table of every side, and decide how they are read.

    `alone` says that these are all tables, so that --exclude has to find its columns in them.
    """
    tables = name_by_place(firsts)
    selection = select(tuple(tables.values()), options)
    if alone:
        seen = {name: None for table in tables.values() for name in table.names}
        selection.excluded.require_matches(tuple(seen))
    for table in tables.values():
        require_columns(table, selection)
    plan = make_plan(tuple(tables.values()), selection, options)
    return tables, selection, plan


def make_plan(tables: Sequence[Table], selection: Selection, options: ReadOptions) -> Plan:
    """Look at what the columns of the first tables hold, and decide."""
    read = _unique(selection.names, [*selection.roles.values(), *selection.where_names])
    found = [kinds(table, read) for table in tables]
    agreed: dict[str, str] = {}
    group, weights = (selection.roles.get(option) for option in ("--group", "--weights"))
    group = selection.roles.get("--unit", group)
    group = selection.roles.get("--chain", group)
    counted = "--counts" in selection.roles
    weights = selection.roles.get("--counts", weights)
    for name in read:
        known = [(table, of[name]) for table, of in zip(tables, found, strict=True)]
        telling = [(table, kind) for table, kind in known if kind != EMPTY] or known[:1]
        agreed[name] = telling[0][1]
        if name == weights:
            for table, kind in known:
                _require_numbers(table, name, kind)
        if name in selection.by_value or name in (group, weights):
            if len({_family(kind) for _, kind in telling}) > 1:
                agreed[name] = TEXT
            continue
        for table, kind in telling[1:]:
            _require_agreement(name, telling[0], (table, kind))
    is_category = {n: n in selection.by_value or agreed[n] == TEXT for n in selection.names}
    columns = tuple(n for n in selection.names if not is_category[n])
    categorical = tuple(n for n in selection.names if is_category[n])
    numbers = _unique(columns, [weights])
    apart = selection.roles.get("--sample-column")
    chosen_by = _unique(selection.where_names, [apart])
    texts = _unique(categorical, [group])
    return Plan(
        columns,
        categorical,
        _unique(numbers, [name for name in chosen_by if agreed[name] != TEXT]),
        _unique(texts, [name for name in chosen_by if agreed[name] == TEXT]),
        selection.by_value | ({group} if group is not None else frozenset()),
        selection.by_value,
        agreed,
        selection.first,
        None if weights is None else numbers.index(weights),
        None if group is None else texts.index(group),
        None if selection.where is None else _bound(selection.where, agreed),
        {} if apart is None else _split(apart, agreed[apart], options.values),
        options.signed_weights,
        options.decimal or ".",
        options.settled,
        counted,
        "--chain" in selection.roles,
    )


def kinds(table: Table, names: Sequence[str]) -> dict[str, str]:
    """What some columns of a table hold, by name."""
    place = {name: j for j, name in enumerate(table.names)}
    found = table.kinds([place[name] for name in names])
    return {name: found[place[name]] for name in names}


def require_kinds(table: Table, plan: Plan) -> None:
    """Refuse a later table whose columns hold something else than those of the first ones."""
    names = _unique(plan.numbers, plan.texts)
    for name, kind in kinds(table, names).items():
        if plan.weights is not None and name == plan.numbers[plan.weights]:
            _require_numbers(table, name, kind)
        elif name not in plan.by_value and EMPTY not in (kind, plan.kinds[name]):
            _require_agreement(name, (plan.first, plan.kinds[name]), (table, kind))


def _require_agreement(name: str, one: tuple[Table, str], other: tuple[Table, str]) -> None:
    (first, kind), (second, other_kind) = one, other
    if _family(kind) == _family(other_kind):
        return
    raise DataError(
        f"column {shown(name)} holds {kind} in {first.label} and {other_kind} in {second.label}. "
        f"{_mended({kind, other_kind}, name)}leave the column out with --exclude "
        f"{option_value([name])}."
    )


def _mended(kinds: set[str], name: str) -> str:
    """What to do about a column of two kinds; categories must be written in one way, too."""
    if kinds == {BOOLEAN, TEXT}:
        return "Are these truth values? Then write true and false, or 1 and 0, in both; or "
    if kinds == {NUMBER, TEXT}:
        return (
            "Mend one of them (is a cell no number?), read both as categories with --categorical "
            f"{option_value([name])}, or "
        )
    if TEXT in kinds:
        return "Write both as 2024-05-01 12:30:00 (a time of day as 12:30:00), or "
    return "Write both in one way, or "


def _require_numbers(table: Table, name: str, kind: str) -> None:
    if kind not in (NUMBER, BOOLEAN, EMPTY):
        raise DataError(
            f"{table.label}: --weights or --counts: column {shown(name)} holds {kind}; accepted: "
            "numbers."
        )


def _family(kind: str) -> str:
    return NUMBER if kind == BOOLEAN else kind


def _unique(first: Sequence[str], more: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *(name for name in more if name is not None)]))


def _bound(condition: Condition, kinds: Mapping[str, str]) -> Condition:
    from kstest.sources.where import bind

    return bind(condition, kinds)


def _split(name: str, kind: str, values: Mapping[str, str]) -> dict[str, Condition]:
    from kstest.sources.split import conditions

    return conditions(name, kind, values)
