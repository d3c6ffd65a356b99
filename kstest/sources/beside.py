"""Files that an option of a test names, beside its samples: read as the command reads its data.

A test says which of its options are such files (`kstest.contract.Beside`), and gets a Sample of
each after those of its roles: it never opens a file itself, so that none is read by other options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kstest.contract import Beside
from kstest.errors import DataError
from kstest.result import Notice
from kstest.sample import Sample
from kstest.sources.nulls import UNMET
from kstest.sources.options import ReadOptions
from kstest.wording import listed


def options_beside(options: ReadOptions, data: Sample, beside: Beside) -> ReadOptions:
    """Options that read exactly the columns of the data, in the dialect of the command."""

    def choose(names: Sequence[str]) -> Sequence[str]:
        absent = [name for name in data.columns if name not in names]
        if not absent:
            return data.columns
        if list(names) == [str(j + 1) for j in range(len(names))]:  # without names: by position
            if len(names) == len(data.columns):
                return names
            if len(names) == len(data.file_columns):
                return [names[data.file_columns.index(name)] for name in data.columns]
            raise DataError(
                f"{beside.option}: has {len(names):,} columns, the data have "
                f"{len(data.columns):,}. Columns without names match by position."
            )
        raise DataError(
            f"{beside.option}: has no column {listed(absent)}, which the data have; it has "
            f"{listed(names)}."
        )

    return replace(
        options,
        columns=None,
        exclude=None,
        categorical=None,
        group=None,
        chain=None,
        own_chains=False,
        weights=None,
        where=options.where if beside.drawn else None,
        choose=choose,
    )


def samples_beside(
    named: Sequence[Beside],
    params: Any,
    samples: Sequence[Sample],
    notices: Sequence[Notice],
    read: Callable[[Beside, Any], tuple[tuple[Sample, ...], tuple[Notice, ...]]],
) -> tuple[tuple[Sample, ...], tuple[Notice, ...]]:
    """Read what the options of a test name; return all samples, and what there is to say.

    Parameters
    ----------
    named : sequence of Beside
        The options of a test that name further rows.
    params : Params of that test
    samples, notices : sequence of Sample, of Notice
        Those of its roles.
    read : callable
        Reads the value of an option.
    """
    every, notes = list(samples), list(notices)
    for beside in named:
        given = getattr(params, beside.option)
        if given is None or (isinstance(given, str) and not given):
            continue
        (found,), said = read(beside, given)
        every.append(found)
        # A value that one of the files holds was met.
        codes = {note.code for note in notes} & {note.code for note in said}
        notes = [note for note in notes if note.code != UNMET]
        notes += [note for note in said if note.code != UNMET or note.code in codes]
        notes += _repeated(samples, found)
    return tuple(every), tuple(notes)


def _repeated(samples: Sequence[Sample], found: Sample) -> list[Notice]:
    known: Mapping[Any, str] = {
        i.sha256: i.path for s in samples for i in s.inputs if i.sha256 is not None
    }
    return [
        Notice(
            "same-content",
            f"{known[i.sha256]} and {i.path} ({found.name}) hold the same bytes: the rows are not "
            "independent draws.",
        )
        for i in found.inputs
        if i.sha256 in known
    ]
