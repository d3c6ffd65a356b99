"""The column language of --columns and --exclude.

A list such as ``a,b,3-5,x*``: each item is an exact name, else a position or range counted from
1, else a glob. Not here: which names the sides must share (`collect`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from kstest.errors import UsageError
from kstest.frozen import frozen
from kstest.wording import LISTED_NAMES, listed, meant, nearest, shown

# A quote means something at the start of an item only, so that it's stays a name.
# Commas in brackets are part of a name: b[1,1].
_ITEM = re.compile(
    r"""\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|`((?:[^`]|``)*)`"""
    r"""|((?!['"`])(?:\[[^\[\]]*\]|[^,])*))\s*(,|$)""",
    re.DOTALL,
)
_POSITIONS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def parse_items(text: str, option: str) -> tuple[str, ...]:
    """Split a column list into its items.

    Parameters
    ----------
    text : str
        The list. An item with commas or outer blanks is quoted with ``'``, ``"`` or a backquote;
        the quote itself is doubled inside. Commas in brackets need none: ``b[1,1],b[1,2]``.
    option : str
        Named in errors.
    """
    items: list[str] = []
    at, comma = 0, ","
    while comma:
        found = _ITEM.match(text, at)
        if found is None:
            raise UsageError(
                f"{option}: cannot read {shown(text[at:].strip())}: a quote is not closed, or "
                f"text follows it. Write for example {option} a,'b,c'."
            )
        single, double, back, bare, comma = found.groups()
        if single is not None:
            item = single.replace("''", "'")
        elif double is not None:
            item = double.replace('""', '"')
        elif back is not None:
            item = back.replace("``", "`")
        else:
            item = bare.strip()
            if not item:
                raise UsageError(
                    f"{option}: found an empty item in {shown(text)}; "
                    "accepted: names, positions and globs separated by commas."
                )
        items.append(item)
        at = found.end()
    return tuple(items)


def quoted(names: Iterable[str]) -> str:
    """Write names as a column list, whatever they hold; the inverse of `parse_items`."""
    return ",".join("'" + name.replace("'", "''") + "'" for name in names)


def resolve(items: Iterable[str], names: Sequence[str], option: str) -> tuple[str, ...]:
    """Turn items into column names, in the order of the items, each name once.

    Parameters
    ----------
    items : iterable of str
        From `parse_items`.
    names : sequence of str
        The available columns; positions count in their order.
    option : str
        Named in errors.

    Raises
    ------
    UsageError
        When an item matches no column.
    """
    chosen: dict[str, None] = {}
    known = frozenset(names)
    for item in items:
        matched = _matched(item, names, known, option)
        if not matched:
            raise no_match(item, names, option)
        chosen.update(dict.fromkeys(matched))
    return tuple(chosen)


@frozen
class ByOption:
    """A choice of columns by the options of a test, each of which has a part for them.

    Attributes
    ----------
    find : callable
        From the names of all columns of a file to options and those that each names.
    """

    find: Callable[[Sequence[str]], Iterable[tuple[str, Sequence[str]]]]

    def __call__(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, part in self.find(names) for name in part))


@frozen
class Exclusion:
    """The columns to leave out of every file: names, and globs that later files may match."""

    items: tuple[str, ...] = ()
    exact: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()

    def keeps(self, name: str) -> bool:
        """Tell whether `name` stays."""
        return name not in self.exact and not any(fnmatchcase(name, g) for g in self.globs)

    def require_matches(self, seen: Sequence[str]) -> None:
        """Refuse an item that matched nothing in `seen`, the columns of all files."""
        resolve(self.items, seen, "--exclude")


def exclusion(text: str | None, first: Sequence[str], seen: Sequence[str]) -> Exclusion:
    """Read an --exclude list.

    Positions count in `first`, the columns of the first file; a name that is in `seen`, the
    columns of all files opened so far, wins over a position.
    """
    if text is None:
        return Exclusion()
    exact: set[str] = set()
    globs: list[str] = []
    items: list[str] = []
    for item in parse_items(text, "--exclude"):
        position = None if item in seen else _positions(item, first, "--exclude")
        if position is not None:
            exact.update(position)
            continue
        items.append(item)
        exact.add(item)
        if item not in seen and _is_glob(item):
            globs.append(item)
        elif item not in seen:
            exact.update(_matched(item, seen, frozenset(), "--exclude"))
    return Exclusion(tuple(items), frozenset(exact), tuple(globs))


def no_match(item: str, names: Sequence[str], option: str) -> UsageError:
    """Say that an item matches none of `names`."""
    nearby = nearest(item, [name for name in names if name])
    what = "glob" if _is_glob(item) else "column"
    hint = "the closest" if len(nearby) > LISTED_NAMES else "available"
    return UsageError(
        f"{option}: no {what} {shown(item)} among the {len(names):,} columns; "
        f"{hint}: {listed(nearby)}{meant(item, names, '.')}"
    )


def _matched(item: str, names: Sequence[str], known: frozenset[str], option: str) -> Sequence[str]:
    if item in known:
        return (item,)
    position = _positions(item, names, option)
    if position is not None:
        return position
    if _is_glob(item):
        return [n for n in names if fnmatchcase(n, item)]
    return [n for n in names if n.startswith(f"{item}[")]  # the places of a list: e[0], e[1], ...


def _is_glob(item: str) -> bool:
    return any(c in item for c in "*?[")


def _positions(item: str, names: Sequence[str], option: str) -> Sequence[str] | None:
    found = _POSITIONS.fullmatch(item)
    if found is None:
        return None
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= last <= len(names):
        raise UsageError(
            f"{option}: found position {shown(item)}; accepted: 1 to {len(names):,}, "
            "the smaller number first."
        )
    return names[first - 1 : last]


@frozen
class Units:
    """How rows become records, of which each is a sample's unit.

    Attributes
    ----------
    unit : str
        Column whose values tell records apart.
    order : str or None
        Column of numbers or times by which the rows of a record are put in order; None leaves them
        as they are in the file.
    rows : int or None
        Rows of a record that are looked at, the first ones; None leaves that to the data.
    by_first : bool
        Whether the first side alone decides on `rows`, as the others come later.
    length : bool
        Whether the number of rows of a record is a feature.
    seed : int
        Of the random features.
    """

    unit: str
    order: str | None = None
    rows: int | None = None
    by_first: bool = False
    length: bool = False
    seed: int = 0


@frozen
class Pivot:
    """How hits become events.

    Attributes
    ----------
    event : str
        Column with the number of the event that a hit belongs to.
    order : str or None
        Column of numbers or times by which the hits of an event are put in order; None leaves
        them as they are in the file.
    hits : int
        Hits of an event that get columns; all are counted.
    channel : str or None
        Column with the channel of a hit; then columns are per channel, for its first hit.
    channels : tuple of str
        Its values, as categories are written.
    per_event : str or None
        List of the columns that say the same of all hits of an event.
    also : tuple of str
        More such columns, where a table has them: weights and groups.
    strict : bool
        Refuse a hit with a missing cell.
    """

    event: str
    order: str | None = None
    hits: int = 4
    channel: str | None = None
    channels: tuple[str, ...] = ()
    per_event: str | None = None
    also: tuple[str, ...] = ()
    strict: bool = True

    @property
    def places(self) -> tuple[str, ...]:
        """What the columns of one column of hits end in."""
        return self.channels or tuple(str(k + 1) for k in range(self.hits))
