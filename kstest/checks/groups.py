"""A check per level of a column: which levels there are, and how their rows are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import quoted
from ..errors import DataError
from ..methods.two_samples.by_level import FEWEST
from ..result import Notice
from ..sample import MISSING_NAME
from ..sources import ReadOptions, read_options, read_samples
from ..sources.table import BOOLEAN, NUMBER
from ..wording import in_words, listed, printable, shown
from .config import Check
from .execute import prepared
from .profile import profile

MOST = 200


@dataclass(frozen=True)
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
    names = samples[0].levels[0]
    # The code of a missing cell is -1: it comes last.
    rows = np.array(
        [np.roll(np.bincount(s.codes[:, 0] + 1, minlength=len(names) + 1), -1) for s in samples]
    )
    blank = MISSING_NAME if MISSING_NAME not in names else "no value"
    found = [k for k in range(len(names) + 1) if rows[:, k].any()]
    labels = [*names, blank]
    tested = [k for k in found if rows[:, k].min() >= FEWEST]
    if not tested:
        raise DataError(
            f"by {shown(check.by)}: no level has {FEWEST} rows in all files; found "
            f"{listed([labels[k] for k in found])}."
        )
    if len(tested) > MOST:
        raise DataError(
            f"by {shown(check.by)}: has {len(tested):,} levels, at most {MOST} can be checked one "
            "by one; choose rows with where."
        )
    kind = _kind(check.by, inputs, reading)
    options = {labels[k]: _options(check, labels[k], kind, k == len(names)) for k in tested}
    counts = {labels[k]: rows[:, k] for k in found if k not in tested}
    return Levels(options, tuple(_left_out(check.by, [s.name for s in samples], counts)))


def _left_out(
    name: str, sides: Sequence[str], counts: Mapping[str, NDArray[np.int64]]
) -> Iterator[Notice]:
    """Say which levels are not tested, with their rows."""
    for code, alone, why in (
        ("levels-on-one-side", True, "on one side only, and not tested"),
        ("levels-not-tested", False, f"fewer than {FEWEST} rows on a side, and not tested"),
    ):
        some = []
        for level, rows in counts.items():
            if (rows.min() == 0) == alone:
                each = (f"{side} {n:,}" for side, n in zip(sides, rows.tolist(), strict=True))
                some.append(f"{printable(level)} ({', '.join(each)})")
        if some:
            yield Notice(code, f"by {printable(name)}: {in_words(some)}: {why}")


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
