"""A check per level of a column: which levels there are, and how their rows are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..columns import quoted
from ..errors import DataError
from ..sources import ReadOptions, read_options, read_samples
from ..wording import listed, shown
from .config import Check
from .execute import prepared
from .profile import profile

MOST = 200


def levels(check: Check, inputs: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Options that choose the rows of every level of `check.by`, by level.

    Levels that one side alone has are left out: `schema` speaks of them.

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
        missing="drop",
        group=None,
        weights=None,
        counts=None,
        choose=None,
    )
    samples, _ = read_samples(inputs, reading)
    names = samples[0].levels[0]
    both = np.ones(len(names), bool)
    for sample in samples:
        both &= np.bincount(sample.codes[:, 0], minlength=len(names)) > 0
    common = [name for name, shared in zip(names, both, strict=True) if shared]
    if not common:
        raise DataError(f"by {shown(check.by)}: no level is in all files; found {listed(names)}.")
    if len(common) > MOST:
        raise DataError(
            f"by {shown(check.by)}: has {len(common):,} levels, at most {MOST} can be checked one "
            "by one; choose rows with where."
        )
    text = _holds_text(check.by, inputs, reading)
    return {level: _options(check, level, text) for level in common}


def _options(check: Check, level: str, text: bool) -> dict[str, Any]:
    assert check.by is not None
    name = check.by.replace("`", "``")
    condition = f"`{name}` == {level!r}" if text else f"`{name}` == {level}"
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


def _holds_text(name: str, inputs: Mapping[str, Sequence[str]], reading: ReadOptions) -> bool:
    side = next(iter(inputs))
    return profile(inputs[side][:1], reading, only=(name,)).columns[name].kind == "text"
