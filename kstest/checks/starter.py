"""The first kstest.toml: one check of two files, of the columns that can be compared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..columns import quoted
from ..errors import DataError, KstestError, OutputError, UsageError
from ..files import replace
from ..sources import ReadOptions, read_samples
from ..sources.table import EMPTY, TEXT
from ..wording import DATE, DURATION, TIME, label, one_line
from .config import FILE
from .profile import OTHER, Column, profile

# A text column with as many different cells is no category; a column of whole numbers, none twice,
# with such a name numbers the rows.
DISTINCT = 0.5
NUMBERED = re.compile(r"(^|[_\W])(id|key|no|nr|uuid|guid|index|rowid|number)$|[a-z]I[dD]$", re.I)


def write(reference: str, sample: str, target: str) -> str:
    """Write a file of checks; return what there is to say about it.

    Raises
    ------
    DataError, UsageError
        If the files cannot be read, or have nothing to compare.
    OutputError
        If `target` exists or cannot be written.
    """
    path = Path(target)
    if os.path.lexists(target):
        raise OutputError(f"{label(target)}: is there already and is not replaced; name another.")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"{label(target)}: the directory {label(str(folder))} does not exist")
    before, now = (profile([p], ReadOptions()).columns for p in (reference, sample))
    left_out = {n: why for n in (*before, *now) if (why := _reason(n, before.get(n), now.get(n)))}
    chosen = [n for n in before if n not in left_out]
    missing = any(c.missing for side in (before, now) for n, c in side.items() if n in chosen)
    chosen = _readable(reference, sample, chosen, missing, left_out)
    names = [os.path.relpath(Path(p).resolve(), folder) for p in (reference, sample)]
    text = "\n".join(_lines(names, chosen, left_out, missing)) + "\n"
    try:
        replace(text.encode(), target)
    except OSError as error:
        raise OutputError(f"{label(target)}: cannot be written: {error.strerror}") from error
    out = f"; left out: {', '.join(left_out)}" if left_out else ""
    named = "" if path.name == FILE else f" --config {label(target)}"
    count = f"{len(chosen)} column{'s' * (len(chosen) != 1)}"
    return f"{label(target)}: one check of {count}{out}\nrun it with: kstest run{named}\n"


def _reason(name: str, one: Column | None, other: Column | None) -> str:
    """Why a column is left out; empty if it is compared."""
    if one is None or other is None:
        return f"is only in the {'sample' if one is None else 'reference'}"
    kinds = {one.kind, other.kind} - {EMPTY}
    if OTHER in kinds:
        return "holds what no test reads"
    if not kinds or not one.present or not other.present:
        return "holds no values in one of the files"
    if len(kinds) > 1 and kinds != {"numbers", "true/false"}:
        return f"holds {one.kind} in the reference and {other.kind} in the sample"
    if one.kind == DATE:
        return "is a clock: two exports differ in it always"
    if one.kind in (TIME, DURATION):
        return ""
    if one.constant and other.constant and _one_value(one, other):
        return "is constant"
    if one.kind == TEXT and any(_identifies(c) for c in (one, other)):
        return "is an identifier: nearly every cell is different"
    if one.kind != TEXT and one.whole and other.whole and min(one.present, other.present) > 2:
        if one.rising and other.rising:
            return "counts on from row to row"
        if NUMBERED.search(name) and _spread(one) and _spread(other):
            return "is an identifier, by its name"
    return ""


def _one_value(one: Column, other: Column) -> bool:
    if one.kind == TEXT:
        return set(one.levels) == set(other.levels)
    return one.low == other.low and one.high == other.high


def _identifies(column: Column) -> bool:
    return column.many or (column.present > 20 and len(column.levels) > DISTINCT * column.present)


def _spread(column: Column) -> bool:
    """Whether its whole numbers could all be different."""
    return column.high - column.low + 1 >= column.present


def _readable(
    reference: str, sample: str, names: list[str], missing: bool, left_out: dict[str, str]
) -> list[str]:
    """Those of the columns that a test takes; the others are added to `left_out`."""

    def refused(some: list[str]) -> str:
        options = ReadOptions(columns=quoted(some), missing="indicator" if missing else "error")
        try:
            read_samples({"reference": [reference], "sample": [sample]}, options)
        except KstestError as error:
            return one_line(error)
        return ""

    if names and refused(names):
        for name in names:
            why = refused([name])
            if why:
                left_out[name] = why
        names = [n for n in names if n not in left_out]
        why = refused(names) if names else ""
        if why:
            raise DataError(why)
    if not names:
        why = "; ".join(f"{n} {reason}" for n, reason in list(left_out.items())[:5])
        raise UsageError(f"{label(sample)}: no column is left to compare: {why}.")
    return names


def _lines(
    names: list[str], chosen: list[str], left_out: dict[str, str], missing: bool
) -> Iterator[str]:
    yield "# Checks of data files, run by: kstest run"
    yield "# Every option of a test is a key of its check; see kstest mmd --help."
    yield ""
    yield "[run]"
    yield "alpha = 0.05            # the chance of any false alarm in a run"
    yield 'correction = "holm"     # over the checks of a run'
    yield '# every = "1d"          # how often it runs, to state false alarms per month'
    yield ""
    yield "[checks.rows]"
    yield 'test = "mmd"            # do two samples come from one distribution?'
    yield f"reference = {_text(names[0])}"
    yield "# With dates, such as exports/{date:%Y-%m-%d}.parquet, and {date-7d:%Y-%m-%d} before:"
    yield f"sample = {_text(names[1])}"
    yield "columns = ["
    yield from (f"    {_text(name)}," for name in chosen)
    yield "]"
    for name, why in left_out.items():
        yield f"# left out: {_comment(name)} {_comment(why)}"
    if missing:
        yield 'missing = "indicator"   # some cells are missing: which ones is compared, too'
    yield '# min-effect = "2%"     # smallest change of a column that is worth an alarm'
    yield 'severity = "error"      # or "warn": then a rejection is exit code 0'
    yield 'schema = "warn"         # what to make of columns that changed: error, warn, off'


def _text(value: str) -> str:
    """A string of TOML; those of JSON are, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Text that cannot end the line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
