"""What a file looks like, before it is tested: how it is written, what its columns hold.

Nothing is judged here. Values that may mean missing, identifiers and running numbers are named with
the option that says so; the first rows speak for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kstest.errors import DataError, KstestError
from kstest.frozen import frozen
from kstest.sources.categories import LEAST_CELLS, NEARLY_ALL
from kstest.sources.dialect_options import dialect
from kstest.sources.opening import open_table
from kstest.sources.options import DIALECTS, ReadOptions
from kstest.sources.spellings import AS_TEXT, named_spelling
from kstest.sources.table import EMPTY, TEXT, Block, Table, Wanted, duplicates
from kstest.wording import DATE, listed, value_text

MOST_ROWS = 100_000
MOST_TRIES = 4
LEAST_DISTINCT = 5  # other values beside one that may mean missing
LEAST_RISING = 8
SENTINEL, IDENTIFIER, RUNNING, UNREAD = "sentinel", "identifier", "running number", "not read"
ASIDE, TWICE = "left out", "of a name that another has"


@frozen
class Seen:
    """A column: what it holds, and what is odd about it (a constant above, or nothing)."""

    name: str
    kind: str
    missing: int = 0
    holds: str = ""
    role: str = ""
    sentinel: float | None = None


@dataclass
class Sniffed:
    """A file.

    Attributes
    ----------
    path : str
    dialect : dict of str to str
        How its text is written.
    rows : int
        That were looked at.
    whole : bool
        Whether these are all.
    columns : list of Seen
    remarks : list of str
        What was taken for granted.
    options : list of str
        What reads it, as words of a command line.
    error : str
        Why it cannot be read; empty if it can.
    """

    path: str
    dialect: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    whole: bool = True
    columns: list[Seen] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    error: str = ""


def sniff(path: str, options: ReadOptions, stdin: BinaryIO | None = None) -> Sniffed:
    """Look at the first rows of a file; try the options of its dialect that messages name.

    Parameters
    ----------
    path : str
    options : ReadOptions
        How the text is to be taken.
    stdin : binary file, optional
        What ``-`` reads.
    """
    more: list[str] = []
    while True:
        found = Sniffed(path)
        try:
            _look(found, options, stdin)
        except KstestError as error:
            found.error, named = str(error), _fields(error.more)
            if named and path != "-" and len(more) < 2 * MOST_TRIES:
                options = replace(options, **named)
                more += error.more
                continue
        found.options = [*more, *([] if found.error else _suggested(found.columns))]
        return found


def _fields(more: Sequence[str]) -> dict[str, Any]:
    """Options of the dialect, of words of a command line; others are for the test to say."""
    known = {f.name: f.default is False for f in DIALECTS}
    name = more[0].removeprefix("--").replace("-", "_") if more else ""
    return {name: True if known[name] else more[-1]} if name in known else {}


def _look(found: Sniffed, options: ReadOptions, stdin: BinaryIO | None) -> None:
    table = open_table(found.path, options.input_format, dialect(options), stdin)
    try:
        found.dialect = dict(table.dialect)
        found.remarks = [notice.message for notice in table.notices]
        kinds = _kinds(table)
        numbers = tuple(j for j, kind in kinds.items() if kind not in (TEXT, UNREAD))
        texts = tuple(j for j, kind in kinds.items() if kind == TEXT)
        blocks = _first(table, Wanted(numbers, texts), found)
    finally:
        table.close()
    values = [
        np.concatenate([np.empty(0), *(b.values[:, k] for b in blocks)])
        for k in range(len(numbers))
    ]
    twice = {j - 1 for places in duplicates(table.names).values() for j in places[1:]}
    odd = {sentinel(x[np.isfinite(x)]) for x in values} - {None}
    for j, name in enumerate(table.names):
        label = name or f"(column {j + 1})"
        if j in table.aside:
            found.columns.append(Seen(label, ASIDE))
        elif kinds[j] == UNREAD:
            found.columns.append(Seen(label, UNREAD, role=UNREAD))
        elif j in twice:
            found.columns.append(Seen(label, TWICE, role=TWICE))
        elif kinds[j] == TEXT:
            found.columns.append(_text(label, texts.index(j), blocks, options.decimal or "."))
        else:
            found.columns.append(_numbers(label, kinds[j], values[numbers.index(j)], odd))


def _kinds(table: Table) -> dict[int, str]:
    """Kinds of the columns that are read unless left out."""
    places = [j for j in range(len(table.names)) if j not in table.aside]
    try:
        return table.kinds(places)
    except DataError:  # a column of lists, or of something else: which?
        kinds: dict[int, str] = {}
        for j in places:
            try:
                kinds |= table.kinds([j])
            except DataError:
                kinds[j] = UNREAD
        table.kinds([j for j in places if kinds[j] != UNREAD])
        return kinds


def _first(table: Table, wanted: Wanted, found: Sniffed) -> list[Block]:
    blocks: list[Block] = []
    for block in table.blocks(wanted):
        if found.rows >= MOST_ROWS:
            found.whole = False
            break
        blocks.append(block)
        found.rows += block.rows
    return blocks


def _text(name: str, place: int, blocks: Sequence[Block], decimal: str) -> Seen:
    counts: Counter[str] = Counter()
    missing = 0
    for block in blocks:
        text = block.texts[place]
        missing += int(np.count_nonzero(text.codes < 0))
        met = np.bincount(text.codes[text.codes >= 0], minlength=len(text.levels))
        counts.update(dict(zip(text.levels, met.tolist(), strict=True)))
    cells, levels = counts.total(), len(counts)
    most = [word for word, _ in counts.most_common(3)]
    holds = f"{levels:,} different: {listed(most, 2)}" if most else "nothing"
    some = dict(counts.most_common(2000))
    spelled = named_spelling([*some], [*some.values()], decimal)
    if spelled is not None and spelled.spelling is not AS_TEXT:
        return Seen(
            name, TEXT, missing, f"{spelled.spelling.words}: {spelled.spelling.advice}", UNREAD
        )
    if cells >= LEAST_CELLS and levels >= NEARLY_ALL * cells:
        return Seen(name, TEXT, missing, f"{holds}; an identifier", IDENTIFIER)
    return Seen(name, TEXT, missing, holds)


def _numbers(
    name: str, kind: str, values: NDArray[np.float64], known: Collection[float | None]
) -> Seen:
    there = values[np.isfinite(values)]
    missing = len(values) - len(there)
    if not len(there):
        return Seen(name, EMPTY, missing, "", UNREAD)
    odd = sentinel(there)
    # A value that means missing in one column does so at the end of another.
    for end in (float(there.min()), float(there.max())) if odd is None else ():
        odd = end if end in known and there.min() < there.max() else odd
    plain = there if odd is None else there[there != odd]
    low, high = (value_text(float(x), kind) for x in (plain.min(), plain.max()))
    holds = f"{low} to {high}" if low != high else f"{low} only"
    if odd is not None:
        times = int(np.count_nonzero(there == odd))
        holds += f", and {odd:g} in {times:,} cells, which may mean missing"
        return Seen(name, kind, missing, holds, SENTINEL, odd)
    with np.errstate(over="ignore"):
        steps = np.diff(there)
    if len(there) >= LEAST_RISING and (steps > 0).all():
        clock = kind == DATE or not np.allclose(steps, steps[0], rtol=1e-9, atol=0)
        what = "rises from row to row: a time?" if clock else "counts on: a number of the row?"
        return Seen(name, kind, missing, f"{holds}; {what}", RUNNING)
    return Seen(name, kind, missing, holds)


def sentinel(values: NDArray[np.float64]) -> float | None:
    """A value at either end that is met again and stands farther off than all others reach.

    Example
    -------
    >>> sentinel(np.array([1.0, 2.5, -999, 3.0, 0.5, -999, 1.5]))
    -999.0
    """
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= LEAST_DISTINCT:
        return None
    for end, near, far in ((0, 1, -1), (-1, -2, 0)):
        with np.errstate(over="ignore"):
            gap, reach = abs(found[near] - found[end]), abs(found[far] - found[near])
        if counts[end] > 1 and gap > reach:
            return float(found[end])
    return None


def _suggested(columns: Sequence[Seen]) -> list[str]:
    """Options of reading that the columns call for."""
    odd = sorted({c.sentinel for c in columns if c.sentinel is not None})
    words = [f"--null-values={','.join(f'{value:.15g}' for value in odd)}"] if odd else []
    if odd or any(c.missing for c in columns if c.role != UNREAD):
        words += ["--missing", "drop"]
    out = [
        _item(j, c.name)
        for j, c in enumerate(columns, 1)
        if c.role in (IDENTIFIER, RUNNING, UNREAD, TWICE)
    ]
    return [*words, "--exclude", ",".join(out)] if 0 < len(out) < len(columns) else words


def _item(place: int, name: str) -> str:
    """A column as --exclude takes it: a name that is safe to paste, or its position."""
    plain = name.replace("_", "").replace(".", "").isalnum() and not name[:1].isdecimal()
    return name if plain and name.isascii() else str(place)
