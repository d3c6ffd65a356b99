"""The rows of a study: who was treated, outcomes, covariates, strata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...errors import DataError, UsageError
from ...sample import Sample
from ...wording import listed, shown
from ..dependence.column_blocks import Block
from .options import UNTREATED, Named, Params

Index = NDArray[np.int64]


# Values at most of the treatment.
MOST_ARMS = 20


@frozen
class Study:
    """Rows of two arms, in an order that does not depend on the order in the file.

    Attributes
    ----------
    treated : ndarray of bool (n,)
    arms : (str, str)
        What the untreated and the treated are called.
    outcomes, covariates : Block
    strata : ndarray of int (n,)
        0 throughout where none are given.
    groups : ndarray of int (n,) or None
        Rows of one group depend on each other, and were treated together in a randomised design.
    places : ndarray of int (n,)
        Of the rows in the file.
    """

    treated: NDArray[np.bool_]
    arms: tuple[str, str]
    outcomes: Block
    covariates: Block
    strata: Index
    groups: Index | None
    places: Index

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows of the untreated and of the treated."""
        treated = int(self.treated.sum())
        return len(self.treated) - treated, treated

    @property
    def units(self) -> tuple[int, int]:
        """Independent units of either arm: rows, or groups that have rows in it."""
        if self.groups is None:
            return self.sizes
        one, other = (len(np.unique(self.groups[self.treated == arm])) for arm in (False, True))
        return one, other


def studies(samples: Sequence[Sample], params: Params) -> tuple[Study, ...]:
    """Take the columns that the options name: every treated arm beside the control.

    Raises
    ------
    UsageError, DataError
        For a treatment with one value or too many, a missing treatment or outcome, and a
        treatment beside two files.
    """
    found = _read(samples, params)
    arm = found.arm[found.order]
    return tuple(
        _study(found, found.order[(arm == 0) | (arm == k)], k, (found.names[0], found.names[k]))
        for k in range(1, len(found.names))
    )


def one_arm_of(samples: Sequence[Sample], params: Params) -> Study:
    """All rows, with those of `params.arm` as the treated; the second arm of two by default.

    Raises
    ------
    UsageError, DataError
        As `studies`; for a value that is not there, and where one of more than two is to be named.
    """
    found = _read(samples, params)
    values = [name.partition(" = ")[2] or name for name in found.names]
    if params.arm is not None:
        place = _place(params.arm, values, "--arm")
    elif len(values) == 2:
        place = 1
    else:
        raise UsageError(f"--arm: say which of the arms is meant; there are {listed(values)}")
    name = found.names[place]
    rest = found.names[1 - place] if len(values) == 2 else f"not {name}"
    return _study(found, found.order, place, (rest, name))


@frozen
class _Table:
    """The columns that the options name, the arm of every row, and an order of the rows."""

    arm: Index
    names: tuple[str, ...]
    outcomes: Block
    covariates: Block
    strata: Index
    groups: Index | None
    order: Index


def _read(samples: Sequence[Sample], params: Params) -> _Table:
    if len(samples) == 1 and not params.treatment:
        raise UsageError(
            "--treatment: name the column that says who was treated, or give two files, the second "
            "of which is then the treated arm"
        )
    if len(samples) == 2 and params.treatment:
        raise UsageError(
            f"--treatment {params.treatment!r} and two files: the second file is the treated arm. "
            "Leave --treatment out, or give one file"
        )
    data = samples[0] if len(samples) == 1 else _joined(samples)
    used = (*data.columns, *data.categorical)
    named = Named.of(params, data.file_columns or used)
    absent = [name for name in named.all if name not in used]
    if absent:
        raise UsageError(
            f"{listed(absent)} not read, because of --columns, --exclude or --group. The options "
            "of the test choose the columns; leave those out"
        )
    _require_present(data, (*named.treatment, *named.outcome))
    if named.treatment:
        arm, names = _arms(data, named.treatment[0], params.control)
    else:
        arm = (np.arange(data.n) >= samples[0].n).astype(np.int64)
        names = (samples[0].name, samples[1].name)
    numbers_first = sorted(named.covariates, key=lambda name: name in data.categorical)
    y, x = Block.of(data, named.outcome), Block.of(data, numbers_first)
    strata = _strata(Block.of(data, named.strata))
    ties = [arm, strata] if data.groups is None else [arm, data.groups, strata]
    # The covariates come first, so that landmarks taken evenly have nothing to do with outcomes.
    order = np.lexsort([*ties, *y.keys[::-1], *x.keys[::-1]])
    return _Table(arm, names, y, x, strata, data.groups, order)


def _study(found: _Table, rows: Index, treated: int, arms: tuple[str, str]) -> Study:
    """Some rows; those of one arm are the treated."""
    groups = found.groups
    return Study(
        treated=found.arm[rows] == treated,
        arms=arms,
        outcomes=_taken(found.outcomes, rows),
        covariates=_taken(found.covariates, rows),
        strata=found.strata[rows],
        groups=None if groups is None else np.unique(groups[rows], return_inverse=True)[1],
        places=rows,
    )


def _joined(samples: Sequence[Sample]) -> Sample:
    """All rows as one sample: of the first, then of the second."""
    first, second = samples
    holes = None
    if first.missing is not None or second.missing is not None:
        parts = [
            np.zeros(s.values.shape, bool) if s.missing is None else s.missing for s in samples
        ]
        holes = np.concatenate(parts)
    return replace(
        first,
        values=np.concatenate([first.values, second.values]),
        codes=np.concatenate([first.codes, second.codes]),
        missing=holes,
        kept=(),
        n_missing={},
    )


def _taken(block: Block, order: Index) -> Block:
    missing = None if block.missing is None else block.missing[order]
    return Block(block.names, block.values[order], block.codes[order], missing)


def _require_present(data: Sample, names: Sequence[str]) -> None:
    for name in names:
        if name in data.columns:
            place = data.columns.index(name)
            holes = None if data.missing is None else data.missing[:, place]
        else:
            holes = data.codes[:, data.categorical.index(name)] < 0
        if holes is not None and holes.any():
            raise DataError(
                f"column {shown(name)}: {int(holes.sum()):,} of {data.n:,} rows have no value, and "
                "an outcome or treatment that is missing says nothing of the effect (that it is "
                "missing may itself be one). Use --missing drop, or choose rows with --where"
            )


def _arms(data: Sample, name: str, control: str | None) -> tuple[Index, tuple[str, ...]]:
    """The arm of every row, and the names of the arms; the control is 0."""
    if name in data.columns:
        column: NDArray[np.generic] = data.values[:, data.columns.index(name)]
        levels, place = np.unique(column, return_inverse=True)
        texts = [f"{float(v):.15g}" for v in levels[: MOST_ARMS + 1]]
    else:
        at = data.categorical.index(name)
        levels, place = np.unique(data.codes[:, at], return_inverse=True)
        texts = [data.level_name(at, int(code)) for code in levels[: MOST_ARMS + 1]]
    if not 2 <= len(levels) <= MOST_ARMS:
        some = listed(texts[:3]) + " ..." * (len(levels) > 3)
        raise DataError(
            f"--treatment {name!r}: found {len(levels):,} value{'s' * (len(levels) > 1)} ({some}); "
            f"accepted: a column with 2 to {MOST_ARMS} values, one for each arm. Choose the rows "
            "of some arms with --where"
        )
    first = _untreated(texts) if control is None else _place(control, texts, "--control")
    order = [first, *(k for k in range(len(texts)) if k != first)]
    return np.argsort(order)[place], tuple(f"{name} = {texts[k]}" for k in order)


def _untreated(texts: Sequence[str]) -> int:
    """Which of the values is the control: one that says so, else the first."""
    words = [text.strip().lower() for text in texts]
    return next((words.index(word) for word in UNTREATED if word in words), 0)


def _place(wanted: str, texts: Sequence[str], option: str) -> int:
    """Which of the values is meant; 1 and 1.0 are one number."""
    for place, text in enumerate(texts):
        if text == wanted:
            return place
    try:
        numbers = [float(text) for text in texts]
        return numbers.index(float(wanted))
    except ValueError:
        raise UsageError(
            f"{option} {wanted!r}: no such value of --treatment; it has {listed(texts)}"
        ) from None


def _strata(block: Block) -> Index:
    """A number for every combination of values."""
    out = np.zeros(len(block), np.int64)
    for column in block.keys:
        _, place = np.unique(column, return_inverse=True)
        _, out = np.unique(out * (place.max(initial=0) + 1) + place, return_inverse=True)
    return out
