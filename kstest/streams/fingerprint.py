"""Whether a stream that a state file holds may go on: with the same test, options and columns.

What was chosen after a look at the evidence would make it worthless, so everything that changes
what is tested must stay. How a batch is written may change: its format, the order of its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from ..errors import DataError, UsageError
from ..params import option_name
from ..sample import Columns
from ..wording import listed, shown
from .state_file import Saved

# Options of reading that change what the test is about.
MEANING = ("columns", "exclude", "categorical", "missing", "where")
# Those of records, which only streams of records keep.
OF_RECORDS = ("unit", "order", "unit_rows", "unit_length")


def options(params: Any, reading: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the test, and those of reading that matter, as a file keeps them."""
    plain = {f.name: getattr(params, f.name) for f in fields(params)}
    return (
        {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()},
        {
            name: getattr(reading, name)
            for name in (*MEANING, *(OF_RECORDS if reading.unit is not None else ()))
        },
    )


def require_same(path: str, saved: Saved, name: str, params: Any, reading: Any) -> None:
    """Refuse to go on with a stream under other options.

    Raises
    ------
    UsageError
        Naming every option, what the state was begun with, and what was found now.
    """
    if saved.method != name:
        raise UsageError(
            f"--state {path}: holds a stream of kstest {saved.method}, which kstest {name} cannot "
            "go on with. Give another --state file for a new stream"
        )
    now = options(params, reading)
    found = [
        *_changes(saved.params, now[0], params),
        *_changes(saved.reading, now[1], reading),
    ]
    if found:
        raise UsageError(
            f"--state {path}: the stream was begun {'; '.join(found)}. Give the options that it "
            "was begun with, or another --state file for a new stream: options chosen after a look "
            "at the evidence would make it worthless"
        )


def _changes(then: Any, now: dict[str, Any], owner: Any) -> Iterator[str]:
    """What differs, in words such as "with --x 'a', now --x 'b'"."""
    defaults = {f.name: None if f.default is MISSING else f.default for f in fields(owner)}
    for key in {**now, **dict.fromkeys(name for name in OF_RECORDS if name in then)}:
        old, new = then.get(key), now.get(key)
        if old == new:
            continue
        before = _written(key, old, defaults[key])
        after = _written(key, new, defaults[key])
        yield (
            f"{f'with {before}' if before else f'without {option_name(key)}'}, "
            f"now {after or 'without'}"
        )


def _written(key: str, value: Any, default: Any) -> str:
    """An option as one writes it; nothing where it is not given."""
    if value is None or value is False or value == "":
        return ""
    if value is True:
        return option_name(key)
    words = shown(value) if isinstance(value, str) else str(value)
    return f"{option_name(key)} {words}{' (the default)' if value == default else ''}"


def require_columns(path: str, saved: Saved, columns: Columns) -> None:
    """Refuse a batch whose columns are others, or of another kind.

    Raises
    ------
    DataError
        Naming the columns.
    """
    old, new = saved.state.columns, columns
    for name in new.names:
        if name in old.names and (name in old.numeric) != (name in new.numeric):
            kinds = ["numbers" if name in side.numeric else "categories" for side in (new, old)]
            raise DataError(
                f"column {shown(name)} holds {kinds[0]} in this batch, and {kinds[1]} in the "
                f"stream of {path}. Mend the column (is a cell no number?), or begin a new "
                f"--state file with --categorical or without this column"
            )
    more = [name for name in new.names if name not in old.names]
    gone = [name for name in old.names if name not in new.names]
    if more or gone:
        parts = [f"this batch has {listed(more)}, which the stream has not"] * bool(more)
        parts += [f"the stream has {listed(gone)}, which this batch has not"] * bool(gone)
        raise DataError(
            f"the columns are not those of the stream in {path}: {'; '.join(parts)}. Give batches "
            "with the same columns, or begin a new --state file and name with --columns those that "
            "all batches have"
        )
