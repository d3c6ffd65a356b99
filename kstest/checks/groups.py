"""A check per level of a column: which levels there are, and how their rows are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kstest.frozen import frozen

from ..columns import quoted
from ..errors import DataError
from ..methods.two_samples.levels import FEWEST, levels_of
from ..result import Notice
from ..sample import MISSING_CODE
from ..sources import ReadOptions, read_options, read_samples
from ..sources.table import BOOLEAN, NUMBER
from ..wording import listed, shown
from .config import Check
from .execute import prepared
from .profile import profile


@frozen
class Levels:
    """The levels of a column that are checked, and what is said of the others.

    Attributes
    ----------
    options : dict
        By level, the options that choose its rows; ``missing`` are the rows without a value.
    told : tuple of Notice
    """

    options: dict[str, dict[str, Any]]
    told: tuple[Notice, ...]


def levels(check: Check, inputs: Mapping[str, Sequence[str]]) -> Levels:
    """Find the levels of `check.by`, of which each that all sides have is checked.

    A level that a side has not, or has fewer than `FEWEST` rows of, is named and not tested: a
    p-value of so few rows could not stand the correction for the others.

    Raises
    ------
    DataError
        Naming the column.
    """
    assert check.by is not None
    given, _ = prepared(check.kind, check.options)
    reading = replace(
        read_options(check.kind.roles, given),
        columns=quoted([check.by]),
        exclude=None,
        categorical=quoted([check.by]),
        missing="indicator",
        group=None,
        weights=None,
        counts=None,
        choose=None,
    )
    samples, _ = read_samples(inputs, reading)
    found = levels_of(samples, 0)
    missing = [bool(code == MISSING_CODE) for code in found.codes]
    order = sorted(range(len(missing)), key=lambda k: missing[k])  # without a value: last
    enough = set(found.tested)
    tested = [k for k in order if k in enough]
    if not tested:
        raise DataError(
            f"by {shown(check.by)}: no level has {FEWEST} rows in all files; found "
            f"{listed([found.names[k] for k in order])}."
        )
    found.require_few("")
    kind = _kind(check.by, inputs, reading)
    options = {found.names[k]: _options(check, found.names[k], kind, missing[k]) for k in tested}
    return Levels(options, tuple(found.left_out()))


def _options(check: Check, level: str, kind: str, missing: bool) -> dict[str, Any]:
    assert check.by is not None
    name = check.by.replace("`", "``")
    # Numbers and truth values stand as they are; texts, dates and times in quotes.
    value = level if kind in (NUMBER, BOOLEAN) else repr(level)
    condition = f"`{name}` is null" if missing else f"`{name}` == {value}"
    options = dict(check.options)
    if options.get("where"):
        condition = f"({options['where']}) and {condition}"
    options["where"] = condition
    if "columns" not in options:
        before = options.get("exclude")
        items = [before] if isinstance(before, str) else list(before or ())
        if isinstance(before, list):
            options["exclude"] = [*items, check.by]
        else:
            options["exclude"] = ",".join([*items, quoted([check.by])])
    return options


def _kind(name: str, inputs: Mapping[str, Sequence[str]], reading: ReadOptions) -> str:
    side = next(iter(inputs))
    return profile(inputs[side][:1], reading, only=(name,)).columns[name].kind
